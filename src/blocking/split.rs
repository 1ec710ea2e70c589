//! The halves of a split connection, for a thread that reads and a thread that writes.

use super::Transport;
use super::incoming::{Advance, Incoming, Line};
use super::outgoing::Outgoing;
use super::shared::{Attempt, Shared};
use super::transport::{Patience, Timed};
use crate::{
    Chunk, CloseCode, Closed, Error, Event, Message, Negotiated, Payload, Receiver, Reply, Role,
    State, TransportEnd,
};
use alloc::{boxed::Box, sync::Arc};
use core::time::Duration;
use std::{
    io::{self, ErrorKind},
    thread,
};

/// The half of a [`WebSocket`](super::WebSocket) that receives: see
/// [`split`](super::WebSocket::split).
///
/// While one of its methods waits, pings are answered and the closing handshake is finished. It
/// does not wait for the other half: if that is in a write, replies go out right behind that. It
/// looks at what the other half did five times a second.
///
/// Dropped before the connection has ended, it ends it, since nobody would answer the peer any more:
/// a Close with [`CloseCode::GOING_AWAY`] is sent if that is possible at once, and the other half
/// fails from then on with [`Error::Closed`].
#[derive(Debug)]
pub struct ReceiveHalf<S: Transport, R: Role> {
    incoming: Incoming<R>,
    reading: Reading<S, R>,
    negotiated: Box<Negotiated>,
}

/// The half of a [`WebSocket`](super::WebSocket) that sends: see
/// [`split`](super::WebSocket::split).
///
/// Dropped before a Close was sent, it sends one with [`CloseCode::NORMAL`]. What the transport does
/// not take at once, the other half goes on to write while it receives.
#[derive(Debug)]
pub struct SendHalf<S: Transport, R: Role> {
    shared: Arc<Shared<S, R>>,
}

/// `reader` is the second handle on the transport of `outgoing`.
pub(super) fn halves<S: Transport, R: Role>(
    incoming: Incoming<R>,
    outgoing: Outgoing<S, R>,
    reader: Timed<S>,
    negotiated: Box<Negotiated>,
) -> (ReceiveHalf<S, R>, SendHalf<S, R>) {
    let close_timeout = outgoing.sender.close_timeout();
    let shared = Arc::new(Shared::new(outgoing, incoming.has_ended()));
    let reading = Reading {
        transport: reader,
        shared: Arc::clone(&shared),
        close_timeout,
        last: Attempt::Done,
        retry_at: Duration::ZERO,
    };
    (ReceiveHalf { incoming, reading, negotiated }, SendHalf { shared })
}

impl<S: Transport, R: Role> ReceiveHalf<S, R> {
    /// Waits for the next event, and lends it.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::receive`](super::WebSocket::receive).
    pub fn receive(&mut self) -> Option<Result<Event<'_>, Error>> {
        match self.wait(Receiver::advance)? {
            Ok(()) => Some(Ok(self.incoming.event()?)),
            Err(error) => Some(Err(error)),
        }
    }

    /// As [`receive`](Self::receive), but for a piece of a message as soon as it has arrived. The
    /// limits of frame and message do not apply.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::receive_chunk`](super::WebSocket::receive_chunk).
    pub fn receive_chunk(&mut self) -> Option<Result<Chunk<'_>, Error>> {
        match self.wait(Receiver::advance_chunk)? {
            Ok(()) => Some(Ok(self.incoming.chunk()?)),
            Err(error) => Some(Err(error)),
        }
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.reading.closed()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.reading.shared.board.state()
    }

    /// What the opening handshake agreed on.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    fn wait(&mut self, advance: Advance<R>) -> Option<Result<(), Error>> {
        self.incoming.wait(&mut self.reading, advance)
    }
}

/// Messages, owned.
impl<S: Transport, R: Role> Iterator for ReceiveHalf<S, R> {
    type Item = Result<Message, Error>;

    /// Waits for the next message. Control frames are seen to and not shown;
    /// [`receive`](ReceiveHalf::receive) shows them.
    fn next(&mut self) -> Option<Self::Item> {
        self.incoming.next(&mut self.reading)
    }
}

impl<S: Transport, R: Role> Drop for ReceiveHalf<S, R> {
    fn drop(&mut self) {
        self.reading.abandon();
    }
}

impl<S: Transport, R: Role> SendHalf<S, R> {
    /// Queues a message without writing it, unless too much waits already. What is queued is
    /// written by [`flush`](Self::flush), or by the receiving half while it waits.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::feed`](super::WebSocket::feed).
    pub fn feed<'a>(&mut self, payload: impl Into<Payload<'a>>) -> Result<(), Error> {
        let payload = payload.into();
        self.shared.with(|outgoing| outgoing.feed(payload))
    }

    /// Queues a piece of a message as a frame of its own; `fin` ends it.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::feed_fragment`](super::WebSocket::feed_fragment).
    pub fn feed_fragment<'a>(
        &mut self,
        piece: impl Into<Payload<'a>>,
        fin: bool,
    ) -> Result<(), Error> {
        let piece = piece.into();
        self.shared.with(|outgoing| outgoing.feed_fragment(piece, fin))
    }

    /// Writes all that is queued.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::flush`](super::WebSocket::flush).
    pub fn flush(&mut self) -> Result<(), Error> {
        self.shared.with(Outgoing::flush)
    }

    /// Sends a message: queues it and writes all that is queued. Pongs and the answer to a Close
    /// may go out between its frames; after the latter no more of it is sent.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::send`](super::WebSocket::send), but part of a message of several frames
    /// has been sent if the peer's Close comes amid it
    /// ([`SendError::Closed`](crate::SendError::Closed)).
    pub fn send<'a>(&mut self, payload: impl Into<Payload<'a>>) -> Result<(), Error> {
        let payload = payload.into();
        self.shared.with(|outgoing| outgoing.send(payload))
    }

    /// Sends a ping of at most 125 bytes. [`ReceiveHalf::receive`] shows the answer as
    /// [`Event::Pong`].
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.shared.with(|outgoing| outgoing.ping(payload))
    }

    /// Sends a Close (RFC 6455 §7.1.2): nothing more can be sent. The receiving half goes on to
    /// the peer's Close, at most until the close timeout is over.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.shared.with(|outgoing| outgoing.close(code, reason))
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.board.closed()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.board.state()
    }

    /// Bytes that are queued and not written.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.shared.board.buffered()
    }
}

impl<S: Transport, R: Role> Drop for SendHalf<S, R> {
    fn drop(&mut self) {
        self.shared.with(|outgoing| outgoing.close_briefly(CloseCode::NORMAL));
    }
}

/// How long a read lasts before the reader looks at what the other half did.
const IDLE: Duration = Duration::from_millis(200);

/// How long it lasts while something is left to write that the other half is not writing.
const RETRY: Duration = Duration::from_millis(20);

/// The line of the reading thread: it reads from a handle of its own, and gets at the sending side
/// only while the other half is not there.
#[derive(Debug)]
struct Reading<S: Transport, R: Role> {
    transport: Timed<S>,
    shared: Arc<Shared<S, R>>,
    close_timeout: Duration,
    /// What came of the last flush.
    last: Attempt,
    /// When to try again after the transport did not take all.
    retry_at: Duration,
}

impl<S: Transport, R: Role> Reading<S, R> {
    /// Ends the connection because nobody reads any more.
    fn abandon(&mut self) {
        let board = &self.shared.board;
        if board.closed().is_none() {
            let ended = self.shared.try_with(|outgoing| {
                outgoing.close_briefly(CloseCode::GOING_AWAY);
                outgoing.end(TransportEnd::Dropped);
            });
            if ended.is_none() {
                board.end(TransportEnd::Dropped);
            }
        }
        self.transport.end();
        // In case the other half has looked at the board just before.
        self.shared.try_with(|_| ());
    }
}

impl<S: Transport, R: Role> Line for Reading<S, R> {
    fn reply(&mut self, reply: Reply) {
        let ending_by = self.transport.now().saturating_add(self.close_timeout);
        if self.shared.board.pin(reply, ending_by) {
            // Many pings that came at once are all answered if the other half lets us.
            let _ = Line::flush(self);
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let board = &self.shared.board;
        // Near the end it matters whether the other half is in a write, which no note says.
        if !board.wants_writing() && !board.is_ending() {
            self.last = Attempt::Done;
        } else if self.last != Attempt::Left || self.retry_at <= self.transport.now() {
            self.last = self.shared.attempt();
            self.retry_at = self.transport.now().saturating_add(RETRY);
        }
        if self.last == Attempt::Done { Ok(()) } else { Err(not_now()) }
    }

    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let board = &self.shared.board;
        if board.closed().is_some() {
            return Ok(0);
        }
        let step = match self.last {
            Attempt::Done => IDLE,
            // That half writes the replies too.
            Attempt::Busy if !board.is_ending() => IDLE,
            Attempt::Left | Attempt::Busy => RETRY,
        };
        let deadline = board.deadline();
        match self.transport.read_late(into, Patience { deadline, step: Some(step) }) {
            // A peer that sends no more may still read: our part of the closing handshake, and what
            // was begun before it.
            Ok(0) if board.is_ending() && self.last != Attempt::Done => {
                thread::sleep(RETRY);
                let late = deadline.is_some_and(|deadline| deadline <= self.transport.now());
                if late { self.read_failed(ErrorKind::TimedOut.into(), late) } else { Ok(0) }
            }
            Ok(0) => {
                self.end(TransportEnd::Eof);
                Ok(0)
            }
            Ok(count) => Ok(count),
            Err(error) => {
                let late = deadline.is_some_and(|deadline| deadline <= self.transport.now());
                let step_is_over = error.kind() == ErrorKind::TimedOut && !late;
                if step_is_over { Ok(0) } else { self.read_failed(error, late) }
            }
        }
    }

    fn shut_down(&mut self) -> Result<bool, Error> {
        match self.shared.try_with(Line::shut_down) {
            Some(outcome) => outcome,
            None => {
                self.last = Attempt::Busy;
                Ok(false)
            }
        }
    }

    fn hang_up(&mut self) {
        self.transport.end();
    }

    fn end(&mut self, how: TransportEnd) {
        self.shared.board.end(how);
        // A write that the other half is in fails by this, so that the lock is free soon.
        self.transport.end();
        self.shared.with(|_| ());
    }

    fn closed(&self) -> Option<Closed> {
        self.shared.board.closed()
    }
}

fn not_now() -> Error {
    io::Error::from(ErrorKind::WouldBlock).into()
}
