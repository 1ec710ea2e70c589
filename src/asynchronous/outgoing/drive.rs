//! Doing what the connection wants of its transport.

use super::Outgoing;
use crate::asynchronous::shell::{Shell, failure};
use crate::buffer::ReadBuffer;
use crate::connection::Role;
use crate::io::SCRAP;
use crate::pool::Leased;
use crate::transport::{IoFailure, Wants};
use core::task::{Context, Poll, Waker};
use std::io;

/// What [`Outgoing::poll_drive`] came to.
#[derive(Debug)]
pub(in crate::asynchronous) enum Driven {
    /// So many bytes were read.
    Read(usize),
    /// The end is to be told: see [`Sender::closed`](crate::connection::Sender::closed). Reading failed
    /// so, if it did.
    Ended(Option<io::Error>),
}

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    /// Does what the connection wants until something was read, or the end is to be told: as soon as
    /// it is known or, if this `lingers`, once nothing more is wanted.
    ///
    /// Reading does not wait for writing: two ends that flood each other would stop for ever.
    pub(in crate::asynchronous) fn poll_drive(
        &mut self,
        input: &mut Leased<ReadBuffer>,
        lingers: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Driven> {
        let mut failed = None;
        loop {
            let Some(wants) = self.next() else { return Poll::Ready(Driven::Ended(failed)) };
            let has_acted = self.write_as_wanted(wants, cx);
            // What is wanted may be another thing now.
            if has_acted && self.sending.sender.is_near_end() {
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
            self.wake_at(wants.deadline, cx);
            self.give_back_output();
            return Poll::Pending;
        }
    }

    /// Writes and ends the writing side as far as that is wanted, and possible now; whether that
    /// changed anything.
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

    /// Reads once; 0 is the end of the transport.
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

    /// Ends the connection because nobody receives any more. If the other half is still there to send, the
    /// peer is told so as far as that needs no wait.
    pub(in crate::asynchronous) fn abandon(&mut self, has_other_half: bool) {
        self.sending.sender.abandon(has_other_half, &mut self.sending.queue);
        self.leave();
    }

    /// Does what is wanted of a transport that is dropped: nothing of it waits.
    fn leave(&mut self) {
        // A transport that has panicked is not used again, since a second panic would abort the process.
        if std::thread::panicking() {
            self.sending.end();
            return;
        }
        let cx = &mut Context::from_waker(Waker::noop());
        self.sending.sender.leave();
        while let Some(wants) = self.next() {
            self.write_as_wanted(wants, cx);
            if wants.read {
                let outcome = match M::poll_read(&mut self.transport, cx, &mut [0; SCRAP]) {
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
        self.leave();
    }
}
