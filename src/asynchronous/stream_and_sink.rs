//! `Stream` and `Sink` of messages for connections and their halves.
//!
//! Two tasks can poll the `Stream` and the `Sink` of one connection, for example after `split` of
//! `futures_util`. So each of the two registers its own task to be woken.

use super::access::{Access, Shared};
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::shell::Shell;
use super::split::{ReceiveHalf, SendHalf};
use super::wakers::Half;
use super::websocket::{Sides, WebSocket};
use crate::connection::{Message, Role};
use crate::error::Error;
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

impl<S, R: Role, M: Shell<S>> WebSocket<S, R, M> {
    /// Returns the receiving side, and access to the sending side for one of two tasks.
    pub(super) fn shared(
        &mut self,
        half: Half,
    ) -> (&mut Incoming<R>, Shared<&mut Outgoing<S, R, M>>) {
        let Sides { incoming, outgoing, rare } = &mut *self.sides;
        (incoming, Shared { half, access: outgoing, wakers: rare.wakers() })
    }
}

impl<S, R: Role, M: Shell<S>> Stream for WebSocket<S, R, M> {
    type Item = Result<Message, Error>;

    /// Works like [`next`](WebSocket::next).
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let (incoming, mut outgoing) = self.shared(Half::Receive);
        incoming.poll_message(&mut outgoing, cx)
    }
}

impl<S, R: Role, M: Shell<S>> FusedStream for WebSocket<S, R, M> {
    /// Returns `true` once `None` or the last error was returned.
    fn is_terminated(&self) -> bool {
        self.sides.incoming.has_ended()
    }
}

impl<S, R: Role, M: Shell<S>> Sink<Message> for WebSocket<S, R, M> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared(Half::Send).1.poll(cx, Outgoing::poll_room)
    }

    /// Works like [`try_feed`](WebSocket::try_feed).
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.try_feed(&message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared(Half::Send).1.poll(cx, Outgoing::poll_flush)
    }

    /// Sends a Close with 1000 if no Close was sent. The peer's Close arrives through the `Stream`.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared(Half::Send).1.poll(cx, Outgoing::poll_close)
    }
}

impl<S, R: Role, M: Shell<S>> Stream for ReceiveHalf<S, R, M> {
    type Item = Result<Message, Error>;

    /// Works like [`next`](ReceiveHalf::next).
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { incoming, shared, .. } = &mut *self;
        incoming.poll_message(&mut **shared, cx)
    }
}

impl<S, R: Role, M: Shell<S>> FusedStream for ReceiveHalf<S, R, M> {
    /// Returns `true` once `None` or the last error was returned.
    fn is_terminated(&self) -> bool {
        self.incoming.has_ended()
    }
}

impl<S, R: Role, M: Shell<S>> Sink<Message> for SendHalf<S, R, M> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll(cx, Outgoing::poll_room)
    }

    /// Works like [`try_feed`](SendHalf::try_feed).
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.try_feed(&message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll(cx, Outgoing::poll_flush)
    }

    /// Sends a Close with 1000 if no Close was sent. The peer's Close arrives at the receiving
    /// half.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll(cx, Outgoing::poll_close)
    }
}
