//! The halves of a split connection, for a thread that reads and a thread that writes.

use super::Transport;
use super::incoming::Incoming;
use super::methods::{report, sending_methods};
use super::shared::{Reading, Shared, Writer};
use crate::connection::{
    AsPayload, Chunk, Closed, Counters, Dropped, Event, Message, Pushed, Receiver, Role,
    RoundTripTime, State,
};
use crate::ends_on_drop::EndsOnDrop;
use crate::error::Error;
use crate::frame::CloseCode;
use crate::negotiated::Negotiated;
use alloc::{boxed::Box, sync::Arc};

/// The half of a [`WebSocket`](super::WebSocket) that receives: see
/// [`split`](super::WebSocket::split).
///
/// While one of its methods waits, the connection answers pings and finishes the closing handshake.
/// This half does not wait for the other: if the other half is in a write, replies follow right
/// after that write. Five times a second, this half checks what the other did.
///
/// If you drop this half before the connection has ended, the connection ends, since nobody would
/// answer the peer any more. This sends a Close with [`CloseCode::GOING_AWAY`] if that is possible
/// at once, whether the other half still exists or not. From then on the other half fails with
/// [`Error::Closed`].
#[doc(alias = "SplitStream")]
#[derive(Debug)]
pub struct ReceiveHalf<S: Transport, R: Role> {
    pub(super) incoming: Incoming<R>,
    pub(super) reading: EndsOnDrop<Reading<S, R>>,
    pub(super) negotiated: Box<Negotiated>,
}

/// The half of a [`WebSocket`](super::WebSocket) that sends: see
/// [`split`](super::WebSocket::split).
///
/// If you drop this half, the other half still works: while it receives, it writes what is queued
/// and answers the peer. To end the connection, [close](Self::close) it.
#[doc(alias = "SplitSink")]
#[derive(Debug)]
pub struct SendHalf<S: Transport, R: Role> {
    pub(super) shared: Arc<Shared<S, R>>,
}

impl<S: Transport, R: Role> ReceiveHalf<S, R> {
    /// Waits for the next event and lends it.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`WebSocket::receive`](super::WebSocket::receive).
    pub fn receive(&mut self) -> Option<Result<Event<'_>, Error>> {
        self.incoming.receive(&mut *self.reading, Receiver::advance, Receiver::event)
    }

    /// Waits for the next piece of a message, and lends it as soon as it has arrived. Apart from
    /// that it works like [`receive`](Self::receive). The limits for frames and messages do not
    /// apply.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`WebSocket::receive_chunk`](super::WebSocket::receive_chunk).
    pub fn receive_chunk(&mut self) -> Option<Result<Chunk<'_>, Error>> {
        self.incoming.receive(&mut *self.reading, Receiver::advance_chunk, Receiver::chunk)
    }

    /// Waits for the end like [`WebSocket::wait_closed`](super::WebSocket::wait_closed), but does
    /// not send a Close: only the other half can. Until one endpoint sends a Close, no deadline
    /// runs: this then waits for as long as the connection stays open.
    pub fn wait_closed(&mut self) -> Closed {
        self.incoming.wait_ended(&mut *self.reading);
        self.reading.shared.sending().end().clone()
    }

    /// Returns how the connection ended, or `None` if it has not ended.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.reading.shared.sending().sender.closed().cloned()
    }

    /// Calls `look` with the transport, so that you can inspect it or set its options. Timeouts have
    /// no effect on a half. Don't read from the transport or write to it, and don't use either half
    /// inside `look`.
    #[doc(alias = "transport")]
    #[doc(alias = "get_ref")]
    pub fn with_transport<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        look(self.reading.transport())
    }

    /// Returns `true` once the connection has ended: [`closed`](Self::closed) then tells how.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state() == State::Closed
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        self.reading.shared.sending().sender.state()
    }

    /// Returns what was received and sent so far, or `None` if
    /// [`Config::counters`](crate::Config::counters) is off.
    #[must_use]
    pub fn counters(&self) -> Option<Counters> {
        self.incoming.counters(&self.reading.shared.sending().sender)
    }

    /// Returns how long the peer takes to answer pings, or `None` before the first answer to a ping of
    /// [keepalive](crate::Config::keepalive). There is no ping, and so no new time, while the peer
    /// sends: [`RoundTripTime`] says how to measure then.
    #[doc(alias = "rtt")]
    #[must_use]
    pub fn round_trip_time(&self) -> Option<RoundTripTime> {
        self.reading.shared.sending().sender.round_trip_time()
    }

    /// Returns the number of bytes that wait to be written: those that are queued, and the payloads in
    /// the [outbox](crate::Config::outbox).
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.reading.shared.sending().buffered_amount()
    }

    /// Returns what the [outbox](crate::Config::outbox) has dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.reading.shared.sending().sender.dropped()
    }

    /// Returns what the opening handshake agreed on.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }
}

/// Iterates over owned messages.
impl<S: Transport, R: Role> Iterator for ReceiveHalf<S, R> {
    type Item = Result<Message, Error>;

    /// Waits for the next message. The connection handles control frames itself and does not return
    /// them; [`receive`](ReceiveHalf::receive) does.
    fn next(&mut self) -> Option<Self::Item> {
        self.incoming.next(&mut *self.reading)
    }
}

impl<S: Transport, R: Role> SendHalf<S, R> {
    sending_methods!(report);

    fn with_outgoing<T>(&self, act: impl FnOnce(&mut Writer<S, R>) -> T) -> T {
        self.shared.with_writer(act)
    }

    /// Returns how the connection ended, or `None` if it has not ended.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.sending().sender.closed().cloned()
    }

    /// Calls `look` with the transport, so that you can inspect it or set its options. Timeouts have
    /// no effect on a half. Don't read from the transport or write to it. The other half may wait
    /// until `look` returns, so don't use either half inside `look`.
    pub fn with_transport<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        self.shared.with_writer(|writer| look(&writer.transport.transport))
    }

    /// Returns `true` once the connection has ended: [`closed`](Self::closed) then tells how.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state() == State::Closed
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.sending().sender.state()
    }

    /// Returns what was received and sent so far, or `None` if
    /// [`Config::counters`](crate::Config::counters) is off. This half knows of received messages and
    /// frames what the other half had received when it last read.
    #[must_use]
    pub fn counters(&self) -> Option<Counters> {
        self.shared.sending().sender.counters()
    }

    /// Returns how long the peer takes to answer pings, or `None` before the first answer to a ping of
    /// [keepalive](crate::Config::keepalive). There is no ping, and so no new time, while the peer
    /// sends: [`RoundTripTime`] says how to measure then.
    #[doc(alias = "rtt")]
    #[must_use]
    pub fn round_trip_time(&self) -> Option<RoundTripTime> {
        self.shared.sending().sender.round_trip_time()
    }

    /// Returns the number of bytes that wait to be written: those that are queued, and the payloads in
    /// the [outbox](crate::Config::outbox).
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.shared.sending().buffered_amount()
    }

    /// Returns what the [outbox](crate::Config::outbox) has dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.shared.sending().sender.dropped()
    }
}
