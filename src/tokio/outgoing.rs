//! The sending side of a connection: all of it but the read buffer, so that a reply can be sent
//! while a received event borrows that. It has the transport, of which the reading side is used
//! through it.

mod ending;
mod in_place;
mod prepared;
mod write;

use self::{ending::Ending, write::poll_write_pieces};
use crate::{
    CloseCode, Closed, Error, Message, Payload, ReadBuffer, Role, SendError, Sender, State,
    TransportEnd, WriteBuffer,
    asynchronous::pool::Leased,
    buffer::RETAINED,
    connection::LINK_FROM,
    transport::{end_of, is_timeout},
};
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use alloc::boxed::Box;
use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::io::{self, ErrorKind};

#[derive(Debug)]
pub(super) struct Outgoing<S, R> {
    pub(super) sender: Sender<R>,
    pub(super) output: Leased<WriteBuffer>,
    pub(super) transport: S,
    /// Whether something was written that the transport itself may still hold.
    unflushed: bool,
    /// Whether the writing side of the transport was ended.
    shut_down: bool,
    /// Whether the peer ended its side. It may read on.
    peer_ended: bool,
    /// What there is to know once it comes to an end, of one thing or another: so of few
    /// connections, and for a message it is all to be asked for.
    ending: Option<Box<Ending>>,
}

/// What another task than the one that polls may wait for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    queued: usize,
    state: State,
    is_broken: bool,
}

impl<S, R: Role> Outgoing<S, R> {
    pub(super) fn new(transport: S, sender: Sender<R>) -> Self {
        Self {
            sender,
            output: Leased::none(),
            transport,
            unflushed: false,
            shut_down: false,
            peer_ended: false,
            ending: None,
        }
    }

    #[inline]
    pub(super) fn closed(&self) -> Option<&Closed> {
        self.ending.as_ref()?.closed.as_ref()
    }

    /// Whether writing has failed, or the transport has ended.
    #[inline]
    pub(super) fn is_broken(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.is_broken())
    }

    /// Queues a Close.
    pub(super) fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.check_transport()?;
        self.queue(|sender, output| sender.close(code, reason, output))?;
        // Now begins the peer's time, whenever this end looks next.
        self.deadline();
        Ok(())
    }

    /// Fails if the transport has ended, or can't be written any more: that says more than that
    /// nothing can be sent.
    #[inline]
    fn check_transport(&self) -> Result<(), Error> {
        self.ending.as_ref().map_or(Ok(()), |ending| ending.check())
    }

    /// A failure to write, for the user. Reading goes on for a while.
    #[cold]
    fn failed(&mut self, error: io::Error) -> Error {
        if let Err(known) = self.check_transport() {
            return known;
        }
        let timeout = self.sender.close_timeout();
        let ending = self.ending.get_or_insert_default();
        ending.broken.note(&error, ending.timer.now().saturating_add(timeout));
        final_error(error)
    }

    /// How far things are, for [`has_progressed`](Self::has_progressed).
    pub(super) fn progress(&self) -> Progress {
        Progress {
            queued: self.output.len(),
            state: self.sender.state(),
            is_broken: self.is_broken(),
        }
    }

    /// Whether something has happened since that a task waits for which did not do it.
    pub(super) fn has_progressed(&self, before: Progress) -> bool {
        let now = self.progress();
        now.queued < before.queued || now.state != before.state || now.is_broken != before.is_broken
    }

    /// Queues; what is refused holds no buffer.
    #[inline]
    fn queue(
        &mut self,
        act: impl FnOnce(&mut Sender<R>, &mut WriteBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        let outcome = act(&mut self.sender, &mut self.output);
        if outcome.is_err() {
            self.give_back_output();
        }
        Ok(outcome?)
    }

    /// Gives back the buffer for writes, if all was written.
    pub(super) fn give_back_output(&mut self) {
        if self.output.give_back() {
            self.sender.all_written();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Outgoing<S, R> {
    /// Queues a message, if there is room or can be made without a wait. A large borrowed payload
    /// is written from where it is, as far as the transport takes it now.
    // Always, as `poll_feed`.
    #[inline(always)]
    pub(super) fn try_feed(
        &mut self,
        payload: Payload<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        match self.poll_feed(payload, cx) {
            Poll::Ready(outcome) => outcome,
            // It says with the figures that there is no room.
            Poll::Pending => Ok(self.sender.check_message(&self.output)?),
        }
    }

    /// Waits for room, then queues a message as [`try_feed`](Self::try_feed) does.
    // Always: which payload it is is known where it is made, and in one piece with that it is not
    // moved through memory.
    #[inline(always)]
    pub(super) fn poll_feed(
        &mut self,
        payload: Payload<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if self.feed_short(payload) {
            return Poll::Ready(Ok(()));
        }
        self.poll_feed_any(payload, cx)
    }

    /// Queues a copy of a message if it is short and nothing is in its way: most are so. Whether it
    /// has; why not, is for the long way to find out.
    // Always, as `poll_feed`; so are its parts.
    #[inline(always)]
    fn feed_short(&mut self, payload: Payload<'_>) -> bool {
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
        self.is_little(text.len()) && self.sender.send_text(text, &mut self.output).is_ok()
    }

    #[inline(always)]
    fn feed_short_binary(&mut self, data: &[u8]) -> bool {
        self.is_little(data.len()) && self.sender.send_binary(data, &mut self.output).is_ok()
    }

    /// Whether so many bytes more are copied into the queue in any case: fewer than are linked or
    /// written from where they are, and in all no more than would want large memory.
    #[inline]
    fn is_little(&self, len: usize) -> bool {
        len < LINK_FROM && self.output.len() + len <= RETAINED && self.ending.is_none()
    }

    /// As [`poll_feed`](Self::poll_feed), whatever the message and the queue are.
    #[inline(never)]
    fn poll_feed_any(
        &mut self,
        payload: Payload<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        if let Some((kind, data, compressible)) = payload.borrowed() {
            if self.writes_in_place(data.len(), compressible) {
                return Poll::Ready(self.write_in_place(kind, data, cx));
            }
            self.output.reserve(data.len());
        }
        Poll::Ready(self.queue(|sender, output| sender.send(payload, output)))
    }

    /// Waits for room, then queues a piece of a message.
    pub(super) fn poll_feed_fragment(
        &mut self,
        piece: Payload<'_>,
        fin: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        Poll::Ready(self.queue(|sender, output| sender.send_fragment(piece, fin, output)))
    }

    /// Waits for room, then queues a ping.
    pub(super) fn poll_ping(
        &mut self,
        payload: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        Poll::Ready(self.queue(|sender, output| sender.ping(payload, output)))
    }

    /// Waits until the queue is not full; it is not while nothing can be sent anyway.
    #[inline]
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.check_transport()?;
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
        self.sender.check_queue(&self.output).is_err() && self.sender.state() == State::Open
    }

    /// Writes all that is queued, at the latest until the deadline.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.check_transport()?;
        match self.poll_write_all(cx) {
            Poll::Ready(Ok(())) => {
                // What its user waits for next need not be the peer.
                self.give_back_output();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.failed(error))),
            Poll::Pending => {
                let closed = ready!(self.poll_deadline(cx)).clone();
                Poll::Ready(Err(Error::Closed(Box::new(closed))))
            }
        }
    }

    /// Reads once into `input`, after writing what is queued as far as that is possible now. At the
    /// end of the transport [`closed`](Self::closed) is something.
    ///
    /// Reading does not wait for writing: two ends that flood each other would stop for ever. If
    /// writing has become impossible, what the peer sent before is read all the same: that says how
    /// the connection ended.
    pub(super) fn poll_fill(
        &mut self,
        input: &mut Leased<ReadBuffer>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.write_without_wait(cx);
        let is_late = self.poll_overdue(cx).is_ready();
        let most = input.prepare_read();
        let room = input.spare(1);
        let most = most.min(room.len());
        let Poll::Ready(outcome) = self.poll_read(&mut room[..most], cx) else {
            if is_late && self.found_nothing_late(cx) {
                return Poll::Ready(Ok(()));
            }
            input.give_back();
            self.give_back_output();
            return Poll::Pending;
        };
        let count = outcome?;
        input.filled(count);
        if is_late {
            self.found_late(count);
        }
        if self.peer_ended {
            self.end(TransportEnd::Eof);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once, or notes that the peer ended its side or how the transport ended: the count is 0
    /// then. An error is one that `Closed` has no word for.
    #[inline]
    fn poll_read(&mut self, into: &mut [u8], cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        let mut buffer = ReadBuf::new(into);
        Poll::Ready(match ready!(Pin::new(&mut self.transport).poll_read(cx, &mut buffer)) {
            Ok(()) => {
                let count = buffer.filled().len();
                self.peer_ended |= count == 0;
                Ok(count)
            }
            Err(error) => self.failed_to_read(error),
        })
    }

    #[cold]
    fn failed_to_read(&mut self, error: io::Error) -> Result<usize, Error> {
        let how = match error.kind() {
            // The system has heard nothing of the peer for too long, or a wrapper has.
            ErrorKind::TimedOut => Some(TransportEnd::Timeout),
            _ => end_of(&error),
        };
        self.end(how.unwrap_or(TransportEnd::Reset));
        if how.is_some() { Ok(0) } else { Err(final_error(error)) }
    }

    /// Writes what is queued as far as that is possible now; whether nothing is left to be written,
    /// or to be hoped for.
    #[inline]
    fn write_without_wait(&mut self, cx: &mut Context<'_>) -> bool {
        match self.poll_write_all(cx) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                self.failed(error);
                true
            }
            Poll::Pending => false,
        }
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            ready!(self.poll_write(cx))?;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.transport).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// One write of what is queued.
    #[inline]
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_broken() {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let Self { output, transport, .. } = self;
        let count = match ready!(poll_write_pieces(Pin::new(transport), output, cx)) {
            Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
            outcome => outcome?,
        };
        self.unflushed = true;
        output.consume(count);
        self.sender.queue_owed(output);
        Poll::Ready(Ok(()))
    }

    /// Writes what is queued, behind a Close with 1000 if none was sent.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.closed().is_some_and(|closed| closed.clean) {
            return Poll::Ready(Ok(()));
        }
        self.check_transport()?;
        if self.sender.state() == State::Open {
            self.close(CloseCode::NORMAL, "")?;
        }
        self.poll_flush(cx)
    }
}

/// An error after which nothing can be tried again, as it could after a bare `WouldBlock` or
/// `TimedOut`: see [`Error::Io`].
fn final_error(error: io::Error) -> Error {
    if is_timeout(&error) { io::Error::other(error).into() } else { error.into() }
}
