//! The sending side of a connection: all of it but the read buffer, so that a reply can be sent
//! while a received event borrows that. It has the transport, which the receiving side reads through
//! it.

mod drive;
mod write;

use super::shell::{Shell, Timer, failure};
use crate::buffer::{RETAINED, WriteBuffer};
use crate::connection::sender::messages::LINK_FROM;
use crate::connection::{Compressing, Message, Payload, Role, SendError, Sender, State};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::pool::Leased;
use crate::sending::Sending;
use crate::transport::Wants;
use alloc::boxed::Box;
use core::{
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use std::io;

pub(super) use drive::Driven;

#[derive(Debug)]
pub(super) struct Outgoing<S, R: Role, M: Shell<S>> {
    pub(super) sending: Sending<R, Leased<WriteBuffer>>,
    pub(super) transport: S,
    /// There once a deadline runs.
    timer: Option<Box<M::Timer>>,
    /// Who waits for the transport to take more.
    pub(super) writer: Option<Box<Waker>>,
}

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    pub(super) fn new(transport: S, sender: Sender<R>) -> Self {
        let sending = Sending::new(sender, Leased::none());
        Self { sending, transport, timer: None, writer: None }
    }

    /// Queues a Close.
    pub(super) fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.sending.check()?;
        self.queue(|sender, output| sender.close(code, reason, output))?;
        // A deadline runs from when it is first asked for, and this end may look again much later.
        self.next();
        Ok(())
    }

    /// Queues a message, if there is room or can be made without a wait. A large borrowed payload
    /// is written from where it is, as far as the transport takes it now.
    ///
    /// Nobody waits here: whoever waits for the transport already is still woken by it.
    // Always, as `feed_short`.
    #[inline(always)]
    pub(super) fn try_feed(&mut self, payload: Payload<'_>) -> Result<(), Error> {
        if self.feed_short(payload) {
            return Ok(());
        }
        self.try_feed_any(payload)
    }

    #[inline(never)]
    fn try_feed_any(&mut self, payload: Payload<'_>) -> Result<(), Error> {
        let writer = self.writer.take();
        let waker = writer.as_deref().unwrap_or(Waker::noop());
        let outcome = self.poll_feed(payload, None, &mut Context::from_waker(waker));
        if self.writer.is_none() {
            self.writer = writer;
        }
        match outcome {
            Poll::Ready(outcome) => outcome,
            // It says with the figures that there is no room.
            Poll::Pending => Ok(self.sending.sender.check_message(&self.sending.queue)?),
        }
    }

    /// Queues a copy of a message if it is short and nothing is in its way: most are so. Whether it
    /// has; why not, is for the long way to find out.
    // Always: which payload it is is known where it is made, and in one piece with that it is not moved through memory.
    // So are its parts.
    #[inline(always)]
    pub(super) fn feed_short(&mut self, payload: Payload<'_>) -> bool {
        match payload {
            Payload::Text(text) => self.feed_short_text(text),
            Payload::Binary(data) => self.feed_short_binary(data),
            Payload::Message(Message::Text(text)) => self.feed_short_text(text),
            Payload::Message(Message::Binary(data)) => self.feed_short_binary(data),
            _ => false,
        }
    }

    #[inline(always)]
    fn feed_short_text(&mut self, text: &str) -> bool {
        self.is_little(text.len())
            && self.sending.sender.send_text(text, &mut self.sending.queue).is_ok()
    }

    #[inline(always)]
    fn feed_short_binary(&mut self, data: &[u8]) -> bool {
        self.is_little(data.len())
            && self.sending.sender.send_binary(data, &mut self.sending.queue).is_ok()
    }

    /// Whether so many bytes more are copied into the queue in any case: fewer than are linked or
    /// written from where they are, and in all no more than would want large memory.
    #[inline]
    fn is_little(&self, len: usize) -> bool {
        len < LINK_FROM
            && self.sending.queue.len() + len <= RETAINED
            && !self.sending.sender.is_broken()
    }

    /// Waits for room, then queues a message as [`try_feed`](Self::try_feed) does. A large message that is to be
    /// compressed is put into `compressing` instead, if that is there.
    #[inline(never)]
    pub(super) fn poll_feed<'p>(
        &mut self,
        payload: Payload<'p>,
        compressing: Option<&mut Option<Box<Compressing<'p>>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        if let Some(compressing) = compressing {
            let queue = &self.sending.queue;
            *compressing = self.sending.sender.start_compressing(payload, queue)?.map(Box::new);
            if compressing.is_some() {
                return Poll::Ready(Ok(()));
            }
        }
        if let Some((_, data, _)) = payload.borrowed() {
            if self.write_in_place(payload, cx)? {
                return Poll::Ready(Ok(()));
            }
            let room = self.sending.sender.room_of_message(data.len());
            self.sending.queue.reserve(room);
        }
        Poll::Ready(self.queue(|sender, output| sender.send(payload, output)))
    }

    /// As [`poll_feed`](Self::poll_feed), for what is to be flushed next: it need not wait for more.
    pub(super) fn poll_send<'p>(
        &mut self,
        payload: Payload<'p>,
        compressing: Option<&mut Option<Box<Compressing<'p>>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        match payload {
            Payload::Prepared(message) if self.writes_prepared(message) => {
                Poll::Ready(self.write_prepared(message, cx))
            }
            _ => self.poll_feed(payload, compressing, cx),
        }
    }

    /// Waits for room, then queues something.
    pub(super) fn poll_queue(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Sender<R>, &mut WriteBuffer) -> Result<(), SendError>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        Poll::Ready(self.queue(act))
    }

    /// Waits until the queue is not full; it is not while nothing can be sent anyway.
    #[inline]
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sending.check()?;
        if self.is_full() { self.make_room(cx) } else { Poll::Ready(Ok(())) }
    }

    #[cold]
    fn make_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.poll_flush(cx) {
            Poll::Pending if self.is_full() => Poll::Pending,
            Poll::Pending => Poll::Ready(Ok(())),
            Poll::Ready(outcome) => Poll::Ready(outcome),
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.sending.sender.check_queue(&self.sending.queue).is_err()
            && self.sending.sender.state() == State::Open
    }

    /// Writes all that is queued, at the latest until the deadline.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sending.check()?;
        let Some(wants) = self.next() else { return Poll::Ready(self.sending.check()) };
        if wants.write {
            match self.poll_write_all(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.failed(error))),
                Poll::Pending => {
                    self.wake_at(wants.deadline, cx);
                    return Poll::Pending;
                }
            }
        } else if let Err(error) = self.sending.check_written() {
            self.sending.check()?;
            return Poll::Ready(Err(Error::final_io(error)));
        }
        // What its user waits for next need not be the peer.
        self.give_back_output();
        Poll::Ready(Ok(()))
    }

    /// Writes what is queued, behind a Close with 1000 if none was sent.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.sending.sender.closed().is_some_and(|closed| closed.clean) {
            return Poll::Ready(Ok(()));
        }
        self.sending.check()?;
        if self.sending.sender.state() == State::Open {
            self.close(CloseCode::NORMAL, "")?;
        }
        self.poll_flush(cx)
    }

    /// Calls `act`, and says whether that did something that another task may wait for.
    pub(super) fn watch<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> (T, bool) {
        let queued = self.sending.queue.len();
        let (state, is_broken) = (self.sending.sender.state(), self.sending.sender.is_broken());
        let outcome = act(self);
        let has_progressed = self.sending.queue.len() < queued
            || (self.sending.sender.state(), self.sending.sender.is_broken()) != (state, is_broken);
        (outcome, has_progressed)
    }

    /// Gives back the buffer for writes, if all was written.
    pub(super) fn give_back_output(&mut self) {
        if !self.sending.queue.is_none() {
            self.sending.sender.queue_owed(&mut self.sending.queue);
            self.sending.queue.give_back();
        }
    }

    /// A failure to write, for the user. Reading goes on for a while.
    #[cold]
    fn failed(&mut self, error: io::Error) -> Error {
        self.sending.sender.failed_to_write(failure(&error));
        Error::final_io(error)
    }

    /// Queues; what is refused holds no buffer.
    #[inline]
    fn queue(
        &mut self,
        act: impl FnOnce(&mut Sender<R>, &mut WriteBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        let outcome = act(&mut self.sending.sender, &mut self.sending.queue);
        if outcome.is_err() {
            self.give_back_output();
        }
        Ok(outcome?)
    }

    /// What the transport is to do next; `None` once that is nothing more.
    #[inline]
    fn next(&mut self) -> Option<Wants> {
        let timer = &mut self.timer;
        self.sending.next(|| timer.get_or_insert_default().now())
    }

    /// Has the task polled again once a deadline has passed.
    fn wake_at(&mut self, deadline: Option<Duration>, cx: &mut Context<'_>) {
        let Some(deadline) = deadline else { return };
        if self.timer.get_or_insert_default().poll_until(deadline, cx).is_ready() {
            // What was tried may find more when others had their turn.
            cx.waker().wake_by_ref();
        }
    }
}
