//! The halves of a split connection, for a thread that reads and a thread that writes.

use super::Transport;
use super::incoming::{Advance, Found, Incoming};
use super::outgoing::Outgoing;
use super::sending::Sending;
use super::shared::{Reading, Shared};
use super::timed::Timed;
use crate::connection::{Chunk, Closed, Event, Message, Payload, Receiver, Role, State};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::negotiated::Negotiated;
use alloc::{boxed::Box, sync::Arc};

/// The half of a [`WebSocket`](super::WebSocket) that receives: see
/// [`split`](super::WebSocket::split).
///
/// While one of its methods waits, pings are answered and the closing handshake is finished. It
/// does not wait for the other half: if that is in a write, replies go out right behind that. It
/// looks at what the other half did five times a second.
///
/// Dropped before the connection has ended, it ends it, since nobody would answer the peer any more:
/// a Close with [`CloseCode::GOING_AWAY`] is sent if that is possible at once, and the other half
/// fails from then on with [`Error::Closed`]. If the other half was dropped before, no Close is sent.
#[derive(Debug)]
pub struct ReceiveHalf<S: Transport, R: Role> {
    incoming: Incoming<R>,
    reading: Reading<S, R>,
    negotiated: Box<Negotiated>,
}

/// The half of a [`WebSocket`](super::WebSocket) that sends: see
/// [`split`](super::WebSocket::split).
///
/// Dropped, it leaves the other half working, which writes what is queued still and answers the peer
/// while it receives: to end the connection, [close](Self::close) it.
#[derive(Debug)]
pub struct SendHalf<S: Transport, R: Role> {
    shared: Arc<Shared<S, R>>,
}

/// `reader` is the second handle on the transport of `outgoing`.
pub(super) fn halves<S: Transport, R: Role>(
    incoming: Incoming<R>,
    outgoing: Outgoing<S, Sending<R>>,
    reader: Timed<S>,
    negotiated: Box<Negotiated>,
) -> (ReceiveHalf<S, R>, SendHalf<S, R>) {
    let shared = Arc::new(Shared::new(outgoing));
    let reading = Reading::new(reader, Arc::clone(&shared));
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
            Ok(found) => Some(Ok(self.incoming.event(found))),
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
            Ok(found) => Some(Ok(self.incoming.chunk(found))),
            Err(error) => Some(Err(error)),
        }
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.reading.shared.closed()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.reading.shared.state()
    }

    /// What the opening handshake agreed on.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    fn wait(&mut self, advance: Advance<R>) -> Option<Result<Found, Error>> {
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
        self.shared.with_writer(|outgoing| outgoing.feed(payload))
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
        self.shared.with_writer(|outgoing| outgoing.feed_fragment(piece, fin))
    }

    /// Writes all that is queued.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::flush`](super::WebSocket::flush).
    pub fn flush(&mut self) -> Result<(), Error> {
        self.shared.with_writer(Outgoing::flush)
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
        self.shared.with_writer(|outgoing| outgoing.send(payload))
    }

    /// Sends a ping of at most 125 bytes. [`ReceiveHalf::receive`] shows the answer as
    /// [`Event::Pong`].
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.shared.with_writer(|outgoing| outgoing.ping(payload))
    }

    /// Sends a Close (RFC 6455 §7.1.2): nothing more can be sent. The receiving half goes on to
    /// the peer's Close, at most until the close timeout is over.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.shared.with_writer(|outgoing| outgoing.close(code, reason))
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.closed()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// Bytes that are queued and not written.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.shared.buffered()
    }
}
