//! IO of an open or closing connection.

use super::Outgoing;
use crate::asynchronous::shell::{Shell, failure};
use crate::buffer::ReadBuffer;
use crate::connection::Role;
use crate::frame::CloseCode;
use crate::io::DISCARD_SIZE;
use crate::pool::Leased;
use crate::transport::{IoFailure, Wants};
use core::task::{Context, Poll, Waker};
use std::io;

/// The outcome of [`Outgoing::poll_drive`].
#[derive(Debug)]
pub(in crate::asynchronous) enum Driven {
    /// This many bytes were read.
    Read(usize),
    /// The end must be reported: see [`Sender::closed`](crate::connection::Sender::closed). If
    /// reading failed, this is its error.
    Ended(Option<io::Error>),
}

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    /// Does the connection's IO until bytes were read or the end must be reported. The end must be
    /// reported as soon as it is known or, if `lingers` is set, once the transport has nothing more
    /// to do.
    ///
    /// Reading does not wait for writing: otherwise two endpoints that flood each other would block
    /// without limit.
    pub(in crate::asynchronous) fn poll_drive(
        &mut self,
        input: &mut Leased<ReadBuffer>,
        lingers: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Driven> {
        let mut failed = None;
        // Checked before reading, so that a peer that never stops sending also gets a Close.
        if self.server.as_ref().is_some_and(|server| server.is_shutting_down()) {
            self.go_away();
        }
        loop {
            let Some(wants) = self.next() else { return Poll::Ready(Driven::Ended(failed)) };
            let has_acted = self.write_as_wanted(wants, cx);
            // The connection may now want something else.
            if has_acted && self.sending.sender.depends_on_writes() {
                continue;
            }
            if !lingers && self.sending.sender.closed().is_some() {
                return Poll::Ready(Driven::Ended(failed));
            }
            if wants.read {
                match self.poll_read(input, cx) {
                    Poll::Ready(Ok(count @ 1..)) => return Poll::Ready(Driven::Read(count)),
                    Poll::Ready(outcome) => {
                        failed = outcome.err();
                        continue;
                    }
                    Poll::Pending => self.sending.sender.did_read(Err(IoFailure::NotReady)),
                }
            }
            if self.closes_for_shutdown(cx) {
                continue;
            }
            self.wake_at(wants.deadline, cx);
            self.give_back_output();
            return Poll::Pending;
        }
    }

    /// Asks the server, before this task waits, whether this endpoint is shutting down, and then
    /// queues a Close. Returns `true` if it queued one now.
    #[inline]
    pub(super) fn closes_for_shutdown(&mut self, cx: &Context<'_>) -> bool {
        self.server.as_ref().is_some_and(|server| server.is_shutting_down_or_wakes(cx))
            && self.go_away()
    }

    /// Queues a Close because this endpoint is shutting down (§7.4.1). Returns `true` if it queued
    /// one now.
    #[cold]
    fn go_away(&mut self) -> bool {
        self.sending.sender.is_open() && self.close(CloseCode::GOING_AWAY, "").is_ok()
    }

    /// Writes and ends the writing side if `wants` asks for it, as far as that is possible now.
    /// Returns `true` if anything changed.
    #[inline]
    fn write_as_wanted(&mut self, wants: Wants, cx: &mut Context<'_>) -> bool {
        let mut has_acted = false;
        if wants.write {
            match self.poll_write_all(cx) {
                Poll::Ready(Ok(())) => has_acted = true,
                Poll::Ready(Err(error)) => {
                    self.failed(error);
                    has_acted = true;
                }
                Poll::Pending => self.sending.sender.failed_to_write(IoFailure::NotReady),
            }
        }
        if wants.shut_down_write {
            has_acted |= self.shut_down(cx);
        }
        has_acted
    }

    #[cold]
    fn shut_down(&mut self, cx: &mut Context<'_>) -> bool {
        let outcome = match M::poll_shutdown(&mut self.transport, cx) {
            Poll::Ready(outcome) => outcome.map_err(|error| failure(&error)),
            Poll::Pending => Err(IoFailure::NotReady),
        };
        self.sending.sender.did_shut_down(outcome);
        outcome != Err(IoFailure::NotReady)
    }

    /// Reads once. Returns 0 at the end of the transport.
    #[inline]
    fn poll_read(
        &mut self,
        input: &mut Leased<ReadBuffer>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let outcome = M::poll_read(&mut self.transport, cx, input.room());
        match &outcome {
            Poll::Ready(Ok(count)) => {
                input.filled(*count);
                self.sending.sender.did_read(Ok(*count));
            }
            Poll::Ready(Err(error)) => self.sending.sender.did_read(Err(failure(error))),
            Poll::Pending => {}
        }
        outcome
    }

    /// Ends the connection because nothing receives any more. A Close tells the peer, as far as that
    /// can be written without waiting.
    pub(in crate::asynchronous) fn abandon(&mut self) {
        if self.server.is_some() && !self.writes_last() {
            // The server writes the queue once the other half is dropped too.
            self.sending.end();
            return;
        }
        self.sending.sender.abandon(&mut self.sending.queue);
        self.leave();
    }

    /// Writes as much as possible now, with a Close. Returns `true` if everything was written.
    fn writes_last(&mut self) -> bool {
        self.go_away();
        self.writes_at_once()
    }

    /// Writes as much as possible now. Returns `true` if everything was written.
    fn writes_at_once(&mut self) -> bool {
        // A transport that has panicked is not used again, as in `leave`.
        !std::thread::panicking()
            && self.poll_write_all(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Does the last IO of a transport that is being dropped, without waiting.
    fn leave(&mut self) {
        // A transport that has panicked is not used again: a second panic would abort the process.
        if std::thread::panicking() {
            self.sending.end();
            return;
        }
        let cx = &mut Context::from_waker(Waker::noop());
        self.sending.sender.leave();
        while let Some(wants) = self.next() {
            self.write_as_wanted(wants, cx);
            if wants.read {
                let outcome = match M::poll_read(&mut self.transport, cx, &mut [0; DISCARD_SIZE]) {
                    Poll::Ready(outcome) => outcome.map_err(|error| failure(&error)),
                    Poll::Pending => Err(IoFailure::NotReady),
                };
                self.sending.sender.did_read(outcome);
            }
        }
    }
}

impl<S, R: Role, M: Shell<S>> Drop for Outgoing<S, R, M> {
    fn drop(&mut self) {
        if !self.is_whole() {
            return;
        }
        let needs_lingering = self.sending.sender.needs_lingering(&self.sending.queue);
        match self.server.take() {
            Some(server) if needs_lingering => {
                // The runtime may shut down before its task for the rest has begun.
                self.sending.empty_outbox();
                self.writes_at_once();
                if self.rare.is_traced() {
                    // Nobody learns more of the end than this.
                    self.sending.end();
                }
                let (transport, unwritten) = self.take_parts();
                server.linger(transport, unwritten);
            }
            _ => self.leave(),
        }
        if let Some((trace, closed)) = self.take_traced_end() {
            trace.ended(&closed);
        }
    }
}
