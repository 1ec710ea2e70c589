//! The halves of a split connection, for a thread that reads and a thread that writes.

use super::Transport;
use super::incoming::Incoming;
use super::methods::sending_methods;
use super::shared::{Reading, Shared, Writer};
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
/// a Close with [`CloseCode::GOING_AWAY`] is sent if that is possible at
/// once, and the other half fails from then on with [`Error::Closed`]. If the other half was dropped
/// before, no Close is sent.
#[derive(Debug)]
pub struct ReceiveHalf<S: Transport, R: Role> {
    pub(super) incoming: Incoming<R>,
    pub(super) reading: Reading<S, R>,
    pub(super) negotiated: Box<Negotiated>,
}

/// The half of a [`WebSocket`](super::WebSocket) that sends: see
/// [`split`](super::WebSocket::split).
///
/// Dropped, it leaves the other half working, which writes what is queued still and answers the peer
/// while it receives: to end the connection, [close](Self::close) it.
#[derive(Debug)]
pub struct SendHalf<S: Transport, R: Role> {
    pub(super) shared: Arc<Shared<S, R>>,
}

impl<S: Transport, R: Role> ReceiveHalf<S, R> {
    /// Waits for the next event, and lends it.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::receive`](super::WebSocket::receive).
    pub fn receive(&mut self) -> Option<Result<Event<'_>, Error>> {
        self.incoming.receive(&mut self.reading, Receiver::advance, Receiver::event)
    }

    /// As [`receive`](Self::receive), but for a piece of a message as soon as it has arrived. The
    /// limits of frame and message do not apply.
    ///
    /// # Errors
    ///
    /// As for [`WebSocket::receive_chunk`](super::WebSocket::receive_chunk).
    pub fn receive_chunk(&mut self) -> Option<Result<Chunk<'_>, Error>> {
        self.incoming.receive(&mut self.reading, Receiver::advance_chunk, Receiver::chunk)
    }

    /// As [`WebSocket::wait_closed`](super::WebSocket::wait_closed), but it sends no Close: that is the other
    /// half's.
    pub fn wait_closed(&mut self) -> Closed {
        self.incoming.wait_ended(&mut self.reading);
        self.reading.shared.sending().end().clone()
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.reading.shared.sending().sender.closed().cloned()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.reading.shared.sending().sender.state()
    }

    /// What the opening handshake agreed on.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
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
    sending_methods!();

    fn with_outgoing<T>(&self, act: impl FnOnce(&mut Writer<S, R>) -> T) -> T {
        self.shared.with_writer(act)
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.sending().sender.closed().cloned()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.sending().sender.state()
    }

    /// Bytes that are queued and not written.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.shared.sending().queue.len()
    }
}
