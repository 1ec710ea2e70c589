//! The two halves of a connection, which share its sending side and the transport.

use super::access::{Access, Shared};
use super::incoming::Incoming;
use super::methods::{report, sending_methods};
use super::outgoing::Outgoing;
use super::rare_state::RareState;
use super::shell::Shell;
use super::wakers::{Half, Mutex, lock};
use crate::connection::{
    AsPayload, Chunk, Closed, Counters, Dropped, Event, Message, Pushed, Receiver, Role,
    RoundTripTime, State,
};
use crate::ends_on_drop::{End, EndsOnDrop};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::negotiated::Negotiated;
use alloc::{boxed::Box, sync::Arc};
use core::future::poll_fn;

/// The receiving half of a connection: see [`WebSocket::split`](super::WebSocket::split).
///
/// Before this half waits, it writes what the other half has queued. While it waits, it answers
/// pings and completes the closing handshake.
///
/// Dropping this half ends the connection, because nothing answers the peer any more. It sends what
/// is queued and a Close with [`CloseCode::GOING_AWAY`], as far as that is possible without waiting,
/// whether the other half still exists or not. From then on the other half fails with
/// [`Error::Closed`].
#[doc(alias = "SplitStream")]
#[derive(Debug)]
pub struct ReceiveHalf<S, R: Role, M: Shell<S>> {
    pub(super) incoming: Incoming<R>,
    pub(super) rare: RareState,
    pub(super) shared: EndsOnDrop<Sharing<S, R, M>>,
}

/// The sending half of a connection: see [`WebSocket::split`](super::WebSocket::split).
///
/// Dropping this half does not close the connection: the receiving half continues, writes the
/// queue, and answers pings and the peer's Close. To close the connection, call
/// [`close`](Self::close).
#[doc(alias = "SplitSink")]
#[derive(Debug)]
pub struct SendHalf<S, R: Role, M: Shell<S>> {
    pub(super) shared: Shared<Arc<Mutex<Outgoing<S, R, M>>>>,
}

pub(super) type Sharing<S, R, M> = Shared<Arc<Mutex<Outgoing<S, R, M>>>>;

/// Dropping the receiving half ends the connection.
impl<S, R: Role, M: Shell<S>> End for Sharing<S, R, M> {
    fn end(&mut self) {
        let end = self.act(|outgoing| {
            outgoing.abandon();
            outgoing.take_traced_end()
        });
        if let Some((trace, closed)) = end {
            trace.ended(&closed);
        }
    }
}

/// Splits a connection.
pub(super) fn halves<S, R: Role, M: Shell<S>>(
    incoming: Incoming<R>,
    mut outgoing: Outgoing<S, R, M>,
    mut rare: RareState,
) -> (SendHalf<S, R, M>, ReceiveHalf<S, R, M>) {
    // Dropping this waker can drop a half, which must not happen while the lock is held.
    drop(outgoing.rare.take_writer());
    let (outgoing, wakers) = (Arc::new(Mutex::new(outgoing)), rare.take_wakers());
    let access = Arc::clone(&outgoing);
    let sending = Shared { half: Half::Send, access, wakers: Arc::clone(&wakers) };
    let receiving = Shared { half: Half::Receive, access: outgoing, wakers };
    (
        SendHalf { shared: sending },
        ReceiveHalf { incoming, rare, shared: EndsOnDrop::new(receiving) },
    )
}

impl<S, R: Role, M: Shell<S>> ReceiveHalf<S, R, M> {
    /// Works like [`WebSocket::next`](super::WebSocket::next).
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`receive`](Self::receive).
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| self.incoming.poll_message(&mut *self.shared, cx)).await
    }

    /// Works like [`WebSocket::receive`](super::WebSocket::receive), but returns no handle to
    /// answer the event: use the sending half.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Protocol`] or [`Error::Closed`] once, if the connection ended without a
    /// closing handshake. Returns [`Error::Io`] once for any other failure of the transport, which
    /// is also the end. After that, and after a clean close, this returns `None`. Returns
    /// [`Error::Receive`] if [`receive_chunk`](Self::receive_chunk) has already waited for part of
    /// the message.
    pub async fn receive(&mut self) -> Option<Result<Event<'_>, Error>> {
        let Self { incoming, shared, .. } = self;
        let found = poll_fn(|cx| incoming.poll_event(&mut **shared, Receiver::advance, cx)).await?;
        Some(found.map(|found| incoming.event(found)))
    }

    /// Works like [`WebSocket::receive_chunk`](super::WebSocket::receive_chunk), but returns no
    /// handle to answer the chunk: use the sending half.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`receive`](Self::receive), and [`Error::Receive`] if another method
    /// has already waited for part of the message.
    pub async fn receive_chunk(&mut self) -> Option<Result<Chunk<'_>, Error>> {
        let Self { incoming, shared, .. } = self;
        let found =
            poll_fn(|cx| incoming.poll_event(&mut **shared, Receiver::advance_chunk, cx)).await?;
        Some(found.map(|found| incoming.chunk(found)))
    }

    /// Works like [`WebSocket::wait_closed`](super::WebSocket::wait_closed), but sends no Close:
    /// use the sending half for that. Until one endpoint sends a Close, no deadline runs: this then
    /// waits for as long as the connection stays open.
    ///
    /// Cancel safe: you can call it again.
    pub async fn wait_closed(&mut self) -> Closed {
        poll_fn(|cx| self.incoming.poll_ended(&mut *self.shared, cx)).await;
        self.shared.act(|outgoing| outgoing.sending.end().clone())
    }

    /// Returns how the connection ended, or `None` if it has not ended yet.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        lock(&self.shared.access).sending.sender.closed().cloned()
    }

    /// Calls `look` with the transport, for example to read or set its options. Do not read from it
    /// or write to it. `look` runs under the lock that both halves need, so do not use either half
    /// inside it.
    #[doc(alias = "transport")]
    #[doc(alias = "get_ref")]
    pub fn with_transport<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        look(&lock(&self.shared.access).transport)
    }

    /// Returns `true` once the connection has ended: [`closed`](Self::closed) then tells how.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state() == State::Closed
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.shared.access).sending.sender.state()
    }

    /// Returns what was received and sent so far, or `None` if
    /// [`Config::counters`](crate::Config::counters) is off.
    #[must_use]
    pub fn counters(&self) -> Option<Counters> {
        self.incoming.counters(&lock(&self.shared.access).sending.sender)
    }

    /// Returns how long the peer takes to answer pings, or `None` before the first answer to a ping of
    /// [keepalive](crate::Config::keepalive). There is no ping, and so no new time, while the peer
    /// sends: [`RoundTripTime`] says how to measure then.
    #[doc(alias = "rtt")]
    #[must_use]
    pub fn round_trip_time(&self) -> Option<RoundTripTime> {
        lock(&self.shared.access).sending.sender.round_trip_time()
    }

    /// Returns the number of bytes that wait to be written: those that are queued, and the payloads in
    /// the [outbox](crate::Config::outbox).
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        lock(&self.shared.access).sending.buffered_amount()
    }

    /// Returns what the [outbox](crate::Config::outbox) has dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        lock(&self.shared.access).sending.sender.dropped()
    }

    /// Returns the result of the opening handshake.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        self.rare.negotiated()
    }
}

sending_methods!(SendHalf<S, R, M>, shared, report);

impl<S, R: Role, M: Shell<S>> SendHalf<S, R, M> {
    /// Returns how the connection ended, or `None` if it has not ended yet.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        lock(&self.shared.access).sending.sender.closed().cloned()
    }

    /// Calls `look` with the transport, for example to read or set its options. Do not read from it
    /// or write to it. `look` runs under the lock that both halves need, so do not use either half
    /// inside it.
    pub fn with_transport<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        look(&lock(&self.shared.access).transport)
    }

    /// Returns `true` once the connection has ended: [`closed`](Self::closed) then tells how.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state() == State::Closed
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.shared.access).sending.sender.state()
    }

    /// Returns what was received and sent so far, or `None` if
    /// [`Config::counters`](crate::Config::counters) is off. This half knows of received messages and
    /// frames what the other half had received when it last read.
    #[must_use]
    pub fn counters(&self) -> Option<Counters> {
        lock(&self.shared.access).sending.sender.counters()
    }

    /// Returns how long the peer takes to answer pings, or `None` before the first answer to a ping of
    /// [keepalive](crate::Config::keepalive). There is no ping, and so no new time, while the peer
    /// sends: [`RoundTripTime`] says how to measure then.
    #[doc(alias = "rtt")]
    #[must_use]
    pub fn round_trip_time(&self) -> Option<RoundTripTime> {
        lock(&self.shared.access).sending.sender.round_trip_time()
    }

    /// Returns the number of bytes that wait to be written: those that are queued, and the payloads in
    /// the [outbox](crate::Config::outbox).
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        lock(&self.shared.access).sending.buffered_amount()
    }

    /// Returns what the [outbox](crate::Config::outbox) has dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        lock(&self.shared.access).sending.sender.dropped()
    }
}

impl<S, R: Role, M: Shell<S>> Drop for SendHalf<S, R, M> {
    fn drop(&mut self) {
        // The receiving half must now write the queue, and it may already be waiting.
        self.shared.wakers.wake(Half::Receive);
    }
}
