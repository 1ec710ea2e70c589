//! The sending side of a connection. It does not include the read buffer, so that you can send a
//! reply while you borrow a received event. It owns the transport, and the receiving side reads
//! through it.

mod drive;
mod push;
mod rare;
mod write;

use self::rare::Rare;
use super::owning_server::OwningServer;
use super::shell::{Shell, Timer, failure};
use crate::buffer::{RETAINED, WriteBuffer};
use crate::connection::payload::LINK_FROM;
use crate::connection::{Closed, Compressing, Form, Message, Role, SendError, Sender};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::pool::Leased;
use crate::sending::{Sending, to_bytes};
use crate::trace::Trace;
use crate::transport::Wants;
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{
    mem,
    ops::{Deref, DerefMut},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use std::io;

pub(super) use drive::Driven;

#[derive(Debug)]
pub(super) struct Outgoing<S, R: Role, M: Shell<S>> {
    pub(super) sending: Sending<R, Leased<WriteBuffer>>,
    pub(super) transport: Held<S>,
    /// Created when the first deadline starts.
    timer: Option<Box<M::Timer>>,
    /// What waits for the transport, and what is to be told of the connection.
    pub(super) rare: Rare,
    /// The server that runs the connection, if there is one.
    pub(super) server: Option<Arc<dyn OwningServer<S>>>,
}

/// A transport that can be moved out of a type that implements `Drop`.
#[derive(Debug)]
pub(super) struct Held<S>(Option<S>);

const TAKEN: &str = "only `into_parts` and `drop` take the transport";

impl<S> Deref for Held<S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.0.as_ref().expect(TAKEN)
    }
}

impl<S> DerefMut for Held<S> {
    fn deref_mut(&mut self) -> &mut S {
        self.0.as_mut().expect(TAKEN)
    }
}

/// Has the task try again if there is no room after all: another thread may have used up a budget.
fn unless_full(outcome: Result<(), Error>, cx: &Context<'_>) -> Poll<Result<(), Error>> {
    match outcome {
        Err(error) if error.is_full() => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        outcome => Poll::Ready(outcome),
    }
}

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    /// Returns the transport and the bytes that wait to be written.
    pub(super) fn into_parts(mut self) -> (S, Vec<u8>) {
        self.rare.take_trace().taken_apart();
        let (transport, unwritten) = self.take_parts();
        (transport, to_bytes(unwritten))
    }

    // The buffer, and not its bytes: a shared payload may wait on many connections.
    fn take_parts(&mut self) -> (S, WriteBuffer) {
        self.sending.empty_outbox();
        let unwritten = match self.sending.queue.is_none() {
            true => WriteBuffer::new(),
            false => mem::take(&mut *self.sending.queue),
        };
        (self.transport.0.take().expect(TAKEN), unwritten)
    }

    /// Returns `true` unless the transport was taken.
    fn is_whole(&self) -> bool {
        self.transport.0.is_some()
    }

    pub(super) fn new(transport: S, sender: Sender<R>, trace: Trace) -> Self {
        let sending = Sending::new(sender, Leased::none());
        let transport = Held(Some(transport));
        Self { sending, transport, timer: None, rare: Rare::new(trace), server: None }
    }

    /// Queues a Close, unless the connection is closing or closed. Returns whether it did.
    pub(super) fn close(&mut self, code: CloseCode, reason: &str) -> Result<bool, Error> {
        if !self.sending.sender.is_open() {
            return Ok(false);
        }
        self.queue(|sender, output| sender.close(code, reason, output))?;
        // A deadline starts when `next` is first called, and the next regular call may come much
        // later.
        self.next();
        Ok(true)
    }

    /// Queues a frame if there is room.
    pub(super) fn try_queue(
        &mut self,
        act: impl FnOnce(&mut Sender<R>, &mut WriteBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.sending.check()?;
        self.queue(act)
    }

    /// Queues a message if there is room, or if room can be made without waiting. A large borrowed
    /// payload goes straight to the transport, as far as the transport accepts it now.
    ///
    /// This registers no new task with the transport: a task that already waits for it is still
    /// woken.
    // Always inlined, like `feed_short`.
    #[inline(always)]
    pub(super) fn try_feed(&mut self, payload: Form<'_>) -> Result<(), Error> {
        if self.feed_short(payload) {
            return Ok(());
        }
        self.try_feed_any(payload)
    }

    #[inline(never)]
    fn try_feed_any(&mut self, payload: Form<'_>) -> Result<(), Error> {
        let writer = self.rare.take_writer();
        let waker = writer.as_ref().unwrap_or(Waker::noop());
        let outcome = self.poll_feed(payload, None, &mut Context::from_waker(waker));
        self.rare.restore_writer(writer);
        match outcome {
            Poll::Ready(outcome) => outcome,
            // This returns `QueueFull`, with the size of the queue and its limit. If another thread has
            // given back a part of a budget in the meantime, there is room after all.
            Poll::Pending => self.queue(|sender, output| sender.send_payload(payload, output)),
        }
    }

    /// Queues a copy of a message if it is short and nothing is in its way, as is usual. Returns
    /// `false` otherwise; the general path then finds the reason.
    // Always inlined, like the functions it calls: the caller knows the kind of the payload, and an
    // inlined call does not move the payload through memory.
    #[inline(always)]
    pub(super) fn feed_short(&mut self, payload: Form<'_>) -> bool {
        match payload {
            Form::Text(text) => self.feed_short_text(text),
            Form::Binary(data) => self.feed_short_binary(data),
            Form::Message(Message::Text(text)) => self.feed_short_text(text),
            Form::Message(Message::Binary(data)) => self.feed_short_binary(data),
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

    /// Returns `true` if `len` more bytes are always copied into the queue: they are too few to be
    /// linked or written in place, and the queue does not need large memory for them.
    #[inline]
    fn is_little(&self, len: usize) -> bool {
        len < LINK_FROM
            && self.sending.queue.len() + len <= RETAINED
            && !self.sending.sender.is_broken()
    }

    /// Waits for room, then queues a message as [`try_feed`](Self::try_feed) does. If `compressing`
    /// is given, a large message that needs compression is put there instead.
    #[inline(never)]
    pub(super) fn poll_feed<'p>(
        &mut self,
        payload: Form<'p>,
        compressing: Option<&mut Option<Box<Compressing<'p>>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        unless_full(self.feed_now(payload, compressing, cx), cx)
    }

    fn feed_now<'p>(
        &mut self,
        payload: Form<'p>,
        compressing: Option<&mut Option<Box<Compressing<'p>>>>,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        if let Some(compressing) = compressing {
            let queue = &self.sending.queue;
            *compressing = self.sending.sender.start_compressing(payload, queue)?.map(Box::new);
            if compressing.is_some() {
                return Ok(());
            }
        }
        if let Some((_, data, _)) = payload.borrowed() {
            if self.write_in_place(payload, cx)? {
                return Ok(());
            }
            let room = self.sending.sender.room_of_message(data.len());
            self.sending.queue.reserve(room);
        }
        self.queue(|sender, output| sender.send_payload(payload, output))
    }

    /// Works like [`poll_feed`](Self::poll_feed), for a message that is flushed next. An encoded
    /// message can then bypass the queue.
    pub(super) fn poll_send<'p>(
        &mut self,
        payload: Form<'p>,
        compressing: Option<&mut Option<Box<Compressing<'p>>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        match payload {
            Form::Prepared(message) if self.writes_prepared(message) => {
                Poll::Ready(self.write_prepared(message, cx))
            }
            _ => self.poll_feed(payload, compressing, cx),
        }
    }

    /// Waits for room, then queues a frame.
    pub(super) fn poll_queue(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Sender<R>, &mut WriteBuffer) -> Result<(), SendError>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        unless_full(self.queue(act), cx)
    }

    /// Waits until the queue is not full. A connection on which nothing can be sent never counts as
    /// full.
    #[inline]
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sending.check()?;
        if self.is_full() { self.make_room(cx) } else { Poll::Ready(Ok(())) }
    }

    #[cold]
    fn make_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.poll_flush(cx) {
            Poll::Pending if self.is_full() && !self.closes_for_shutdown(cx) => Poll::Pending,
            Poll::Pending => Poll::Ready(Ok(())),
            Poll::Ready(outcome) => Poll::Ready(outcome),
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.sending.sender.check_queue(&self.sending.queue).is_err()
            && self.sending.sender.is_open()
    }

    /// Writes everything that is queued, within the deadline.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sending.check()?;
        let Some(wants) = self.next() else { return Poll::Ready(self.sending.check()) };
        if wants.write {
            match self.poll_write_all(cx) {
                Poll::Ready(Ok(())) => self.take_time(),
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
        // Released now, because the user may next wait for something other than the peer.
        self.give_back_output();
        Poll::Ready(Ok(()))
    }

    /// Writes everything that is queued. If no Close was sent, queues one with 1000 first.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.sending.sender.closed().is_some_and(|closed| closed.clean) {
            return Poll::Ready(Ok(()));
        }
        self.sending.check()?;
        if self.sending.sender.is_open() {
            self.close(CloseCode::NORMAL, "")?;
        }
        self.poll_flush(cx)
    }

    /// Returns the result of `act`, and whether `act` did something that another task may wait for.
    pub(super) fn watch<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> (T, bool) {
        let queued = self.sending.queue.len();
        let sender = &self.sending.sender;
        let waiting = sender.waiting_messages();
        let (may_send, is_broken) = (sender.may_send(), sender.is_broken());
        let outcome = act(self);
        let has_progressed = self.sending.queue.len() < queued
            || self.sending.sender.waiting_messages() < waiting
            || (self.sending.sender.may_send(), self.sending.sender.is_broken())
                != (may_send, is_broken);
        (outcome, has_progressed)
    }

    /// Takes what is to be told of the connection, with its end, once that is known. Tell it once no
    /// lock is held.
    pub(super) fn take_traced_end(&mut self) -> Option<(Trace, Closed)> {
        if !self.rare.is_traced() {
            return None;
        }
        let closed = self.sending.sender.closed()?.clone();
        Some((self.rare.take_trace(), closed))
    }

    /// Releases the write buffer if it is empty.
    pub(super) fn give_back_output(&mut self) {
        if !self.sending.queue.is_none() {
            self.sending.sender.queue_pending_pong(&mut self.sending.queue);
            self.sending.queue.give_back();
        }
    }

    /// Converts a failed write into an error for the user. Reading continues for a while.
    #[cold]
    fn failed(&mut self, error: io::Error) -> Error {
        self.sending.sender.failed_to_write(failure(&error));
        Error::final_io(error)
    }

    /// Queues a frame. If the sender refuses it, the empty buffer is released.
    #[inline]
    fn queue<T>(
        &mut self,
        act: impl FnOnce(&mut Sender<R>, &mut WriteBuffer) -> Result<T, SendError>,
    ) -> Result<T, Error> {
        let outcome = act(&mut self.sending.sender, &mut self.sending.queue);
        if outcome.is_err() {
            self.give_back_output();
        }
        Ok(outcome?)
    }

    /// Returns what the transport has to do next, or `None` if it has nothing more to do.
    #[inline]
    fn next(&mut self) -> Option<Wants> {
        let timer = &mut self.timer;
        self.sending.next(|| timer.get_or_insert_default().now())
    }

    /// Takes the time of a ping that was just written or answered.
    #[inline]
    pub(super) fn take_time(&mut self) {
        let timer = &mut self.timer;
        self.sending.take_time(|| timer.get_or_insert_default().now());
    }

    /// Has the task polled again once the deadline has passed.
    fn wake_at(&mut self, deadline: Option<Duration>, cx: &mut Context<'_>) {
        let Some(deadline) = deadline else { return };
        if self.timer.get_or_insert_default().poll_until(deadline, cx).is_ready() {
            // The next attempt may get further once other tasks have had their turn.
            cx.waker().wake_by_ref();
        }
    }
}
