//! The two halves of a connection, which share its sending side and the transport.

use super::access::{Access, Shared};
use super::aside::Aside;
use super::incoming::Incoming;
use super::methods::sending_methods;
use super::outgoing::Outgoing;
use super::shell::Shell;
use super::wakers::{Half, Mutex, lock};
use crate::connection::{Chunk, Closed, Event, Message, Payload, Receiver, Role, State};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::negotiated::Negotiated;
use alloc::sync::Arc;
use core::future::poll_fn;

/// The receiving half of a connection: see [`WebSocket::split`](super::WebSocket::split).
///
/// Before this waits, what the other half has queued is written; while it waits, pings are answered
/// and the closing handshake is finished. Dropping it ends the connection, as nobody answers the peer
/// any more: a Close with [`CloseCode::GOING_AWAY`] is sent as far as that needs no wait, and the other
/// half fails with [`Error::Closed`] from then on.
#[derive(Debug)]
pub struct ReceiveHalf<S, R: Role, M: Shell<S>> {
    pub(super) incoming: Incoming<R>,
    aside: Aside,
    pub(super) shared: Shared<Arc<Mutex<Outgoing<S, R, M>>>>,
}

/// The sending half of a connection: see [`WebSocket::split`](super::WebSocket::split).
///
/// Dropping it closes nothing: the receiving half goes on, writes what is queued, and answers pings and
/// the peer's Close. To close, call [`close`](Self::close).
#[derive(Debug)]
pub struct SendHalf<S, R: Role, M: Shell<S>> {
    pub(super) shared: Shared<Arc<Mutex<Outgoing<S, R, M>>>>,
}

/// Parts a connection.
pub(super) fn halves<S, R: Role, M: Shell<S>>(
    incoming: Incoming<R>,
    mut outgoing: Outgoing<S, R, M>,
    mut aside: Aside,
) -> (ReceiveHalf<S, R, M>, SendHalf<S, R, M>) {
    // Dropping it could drop a half, which must not happen while the lock is held.
    outgoing.writer = None;
    let (outgoing, wakers) = (Arc::new(Mutex::new(outgoing)), aside.take_wakers());
    let access = Arc::clone(&outgoing);
    let sending = Shared { half: Half::Send, access, wakers: Arc::clone(&wakers) };
    let receiving = Shared { half: Half::Receive, access: outgoing, wakers };
    (ReceiveHalf { incoming, aside, shared: receiving }, SendHalf { shared: sending })
}

impl<S, R: Role, M: Shell<S>> ReceiveHalf<S, R, M> {
    /// As [`WebSocket::next`](super::WebSocket::next). Cancel safe.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| self.incoming.poll_message(&mut self.shared, cx)).await
    }

    /// As [`WebSocket::receive`](super::WebSocket::receive), without the way to answer: that is the
    /// other half. Cancel safe.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn receive(&mut self) -> Option<Result<Event<'_>, Error>> {
        let Self { incoming, shared, .. } = self;
        let found = poll_fn(|cx| incoming.poll_event(shared, Receiver::advance, cx)).await?;
        Some(found.map(|found| incoming.event(found)))
    }

    /// As [`WebSocket::receive_chunk`](super::WebSocket::receive_chunk), without the way to answer.
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn receive_chunk(&mut self) -> Option<Result<Chunk<'_>, Error>> {
        let Self { incoming, shared, .. } = self;
        let found = poll_fn(|cx| incoming.poll_event(shared, Receiver::advance_chunk, cx)).await?;
        Some(found.map(|found| incoming.chunk(found)))
    }

    /// As [`WebSocket::wait_closed`](super::WebSocket::wait_closed), but it sends no Close: that is
    /// the other half's. Cancel safe.
    pub async fn wait_closed(&mut self) -> Closed {
        poll_fn(|cx| self.incoming.poll_ended(&mut self.shared, cx)).await;
        self.shared.act(|outgoing| outgoing.sending.end().clone())
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        lock(&self.shared.access).sending.sender.closed().cloned()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.shared.access).sending.sender.state()
    }

    /// What the opening handshake agreed on.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        self.aside.negotiated()
    }
}

impl<S, R: Role, M: Shell<S>> Drop for ReceiveHalf<S, R, M> {
    fn drop(&mut self) {
        let has_other_half = Arc::strong_count(&self.shared.access) > 1;
        self.shared.act(|outgoing| outgoing.abandon(has_other_half));
    }
}

sending_methods!(SendHalf<S, R, M>, shared);

impl<S, R: Role, M: Shell<S>> SendHalf<S, R, M> {
    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        lock(&self.shared.access).sending.sender.closed().cloned()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.shared.access).sending.sender.state()
    }

    /// Bytes that are queued and not written.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        lock(&self.shared.access).sending.queue.len()
    }
}

impl<S, R: Role, M: Shell<S>> Drop for SendHalf<S, R, M> {
    fn drop(&mut self) {
        // What is queued is the other half's to write, which may wait already.
        self.shared.wakers.wake(Half::Receive);
    }
}
