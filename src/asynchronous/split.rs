//! The two halves of a connection, and what they share: the sending side with the transport, behind
//! a lock that is held for a poll and never across one.

use super::agreed::Agreed;
use super::incoming::{Access, Advance, Found, Incoming};
use super::outgoing::Outgoing;
use super::shell::Shell;
use super::wakers::{Half, Wakers};
use crate::connection::{Chunk, Closed, Event, Message, Payload, Receiver, Role, State};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::negotiated::Negotiated;
use alloc::sync::Arc;
use core::{
    future::poll_fn,
    task::{Context, Poll},
};
#[cfg(all(test, sansocket_loom))]
use loom::sync::{Mutex, MutexGuard};
use std::sync::PoisonError;
#[cfg(not(all(test, sansocket_loom)))]
use std::sync::{Mutex, MutexGuard};

#[cfg(all(test, sansocket_loom))]
mod model;

/// The receiving half of a connection: see [`WebSocket::split`](super::WebSocket::split).
///
/// Before this waits, what the other half has queued is written; while it waits, pings are answered
/// and the closing handshake is finished. Dropping it ends the connection, as nobody answers the peer
/// any more: a Close with [`CloseCode::GOING_AWAY`] is sent as far as that needs no wait, and the other
/// half fails with [`Error::Closed`] from then on.
#[derive(Debug)]
pub struct ReceiveHalf<S, R: Role, M: Shell<S>> {
    incoming: Incoming<R>,
    agreed: Agreed,
    shared: Shared<S, R, M>,
}

/// The sending half of a connection: see [`WebSocket::split`](super::WebSocket::split).
///
/// Dropping it closes nothing: the receiving half goes on, writes what is queued, and answers pings and
/// the peer's Close. To close, call [`close`](Self::close).
#[derive(Debug)]
pub struct SendHalf<S, R: Role, M: Shell<S>> {
    pub(super) shared: Shared<S, R, M>,
}

/// What the halves share, as one of them sees it.
#[derive(Debug)]
pub(super) struct Shared<S, R: Role, M: Shell<S>> {
    half: Half,
    outgoing: Arc<Mutex<Outgoing<S, R, M>>>,
    wakers: Arc<Wakers>,
}

impl<S, R: Role, M: Shell<S>> ReceiveHalf<S, R, M> {
    pub(super) fn new(incoming: Incoming<R>, agreed: Agreed, sender: &SendHalf<S, R, M>) -> Self {
        let SendHalf { shared: Shared { outgoing, wakers, .. } } = sender;
        let (outgoing, wakers) = (Arc::clone(outgoing), Arc::clone(wakers));
        let shared = Shared { half: Half::Receive, outgoing, wakers };
        Self { incoming, agreed, shared }
    }

    /// As [`WebSocket::next`](super::WebSocket::next). Cancel safe.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// As [`WebSocket::receive`](super::WebSocket::receive), without the way to answer: that is the
    /// other half. Cancel safe.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn receive(&mut self) -> Option<Result<Event<'_>, Error>> {
        match poll_fn(|cx| self.poll_event(Receiver::advance, cx)).await? {
            Ok(found) => Some(Ok(self.incoming.event(found))),
            Err(error) => Some(Err(error)),
        }
    }

    /// As [`WebSocket::receive_chunk`](super::WebSocket::receive_chunk), without the way to answer.
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn receive_chunk(&mut self) -> Option<Result<Chunk<'_>, Error>> {
        match poll_fn(|cx| self.poll_event(Receiver::advance_chunk, cx)).await? {
            Ok(found) => Some(Ok(self.incoming.chunk(found))),
            Err(error) => Some(Err(error)),
        }
    }

    /// As [`WebSocket::wait_closed`](super::WebSocket::wait_closed), but it sends no Close: that is
    /// the other half's. Cancel safe.
    pub async fn wait_closed(&mut self) -> Closed {
        poll_fn(|cx| self.incoming.poll_ended(&mut self.shared, cx)).await;
        self.shared.act(|outgoing| outgoing.end().clone())
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.lock().closed().cloned()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.lock().sender.state()
    }

    /// What the opening handshake agreed on.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        self.agreed.negotiated()
    }

    pub(super) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        self.incoming.poll_message(&mut self.shared, cx)
    }

    fn poll_event(
        &mut self,
        advance: impl Advance<R>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Found, Error>>> {
        self.incoming.poll_event(&mut self.shared, advance, cx)
    }
}

impl<S, R: Role, M: Shell<S>> Drop for ReceiveHalf<S, R, M> {
    fn drop(&mut self) {
        self.shared.act(Outgoing::abandon);
    }
}

impl<S, R: Role, M: Shell<S>> SendHalf<S, R, M> {
    pub(super) fn new(outgoing: Outgoing<S, R, M>, wakers: Arc<Wakers>) -> Self {
        let outgoing = Arc::new(Mutex::new(outgoing));
        Self { shared: Shared { half: Half::Send, outgoing, wakers } }
    }

    /// As [`WebSocket::try_feed`](super::WebSocket::try_feed).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_feed<'a>(&mut self, payload: impl Into<Payload<'a>>) -> Result<(), Error> {
        let payload = payload.into();
        self.shared.act(|outgoing| outgoing.try_feed(payload))
    }

    /// As [`WebSocket::feed`](super::WebSocket::feed). Cancel safe: a message whose future is
    /// dropped is not queued.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn feed<'a>(&mut self, payload: impl Into<Payload<'a>>) -> Result<(), Error> {
        let payload = payload.into();
        poll_fn(|cx| self.shared.with(cx, |outgoing, cx| outgoing.poll_feed(payload, cx))).await
    }

    /// As [`WebSocket::feed_fragment`](super::WebSocket::feed_fragment). Cancel safe: a piece whose
    /// future is dropped is not queued.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn feed_fragment<'a>(
        &mut self,
        piece: impl Into<Payload<'a>>,
        fin: bool,
    ) -> Result<(), Error> {
        let piece = piece.into();
        poll_fn(|cx| {
            self.shared.with(cx, |outgoing, cx| outgoing.poll_feed_fragment(piece, fin, cx))
        })
        .await
    }

    /// As [`WebSocket::flush`](super::WebSocket::flush). Cancel safe: what is not written stays
    /// queued.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.shared.with(cx, |outgoing, cx| outgoing.poll_flush(cx))).await
    }

    /// As [`WebSocket::send`](super::WebSocket::send): if its future is dropped, either all of the
    /// message is sent later or nothing of it.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn send<'a>(&mut self, payload: impl Into<Payload<'a>>) -> Result<(), Error> {
        let payload = payload.into();
        poll_fn(|cx| self.shared.with(cx, |outgoing, cx| outgoing.poll_send(payload, cx))).await?;
        self.flush().await
    }

    /// As [`WebSocket::ping`](super::WebSocket::ping): if its future is dropped, the ping is sent
    /// later or not at all.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| self.shared.with(cx, |outgoing, cx| outgoing.poll_ping(payload, cx))).await?;
        self.flush().await
    }

    /// As [`WebSocket::close`](super::WebSocket::close). The receiving half then waits for the
    /// peer's Close, at most for the close timeout. Cancel safe: the Close is queued at the first
    /// poll.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.shared.act(|outgoing| outgoing.close(code, reason))?;
        self.flush().await
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.lock().closed().cloned()
    }

    /// How far the closing handshake is.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.lock().sender.state()
    }

    /// Bytes that are queued and not written.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.shared.lock().output.len()
    }
}

impl<S, R: Role, M: Shell<S>> Drop for SendHalf<S, R, M> {
    fn drop(&mut self) {
        // What is queued is the other half's to write, which may wait already.
        self.shared.wakers.wake(Half::Receive);
    }
}

/// Polls for the task of `cx`, which is woken also when the other half has done something.
impl<S, R: Role, M: Shell<S>> Access<S, R, M> for Shared<S, R, M> {
    fn with<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Outgoing<S, R, M>, &mut Context<'_>) -> T,
    ) -> T {
        let waker = self.wakers.register(self.half, cx);
        self.act(|outgoing| act(outgoing, &mut Context::from_waker(&waker)))
    }
}

impl<S, R: Role, M: Shell<S>> Shared<S, R, M> {
    fn lock(&self) -> MutexGuard<'_, Outgoing<S, R, M>> {
        // Only a transport that panics can poison it; it is the transport's to tell of it.
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `act`, and wakes the other half's task if that did what it may wait for.
    fn act<T>(&self, act: impl FnOnce(&mut Outgoing<S, R, M>) -> T) -> T {
        let mut outgoing = self.lock();
        let before = outgoing.progress();
        let outcome = act(&mut outgoing);
        let has_progressed = outgoing.has_progressed(before);
        drop(outgoing);
        if has_progressed {
            self.wakers.wake(self.half.other());
        }
        outcome
    }
}
