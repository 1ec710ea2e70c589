//! A connection as a `Stream` of messages and a `Sink` for them, for what is built on those.
//!
//! The two can be parted and polled by two tasks, as `futures_util`'s `split` does, so each side
//! registers its own task to be woken. The halves of a connection are a `Stream` and a `Sink` too.

use super::incoming::Access;
use super::shell::Shell;
use super::wakers::Half;
use super::websocket::Sides;
use super::{ReceiveHalf, SendHalf, WebSocket};
use crate::connection::{Message, Role};
use crate::error::Error;
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::Stream;
use futures_sink::Sink;

impl<S, R: Role, M: Shell<S>> Stream for WebSocket<S, R, M> {
    type Item = Result<Message, Error>;

    /// As [`next`](WebSocket::next).
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.shared(Half::Receive, cx, |websocket, cx| {
            let Sides { incoming, outgoing, .. } = &mut *websocket.sides;
            incoming.poll_message(outgoing, cx)
        })
    }
}

impl<S, R: Role, M: Shell<S>> Sink<Message> for WebSocket<S, R, M> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared(Half::Send, cx, |websocket, cx| websocket.sides.outgoing.poll_room(cx))
    }

    /// As [`try_feed`](WebSocket::try_feed).
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.sides.outgoing.try_feed((&message).into())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared(Half::Send, cx, |websocket, cx| websocket.sides.outgoing.poll_flush(cx))
    }

    /// Sends a Close with 1000, if none was sent. The peer's is for the stream to receive.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared(Half::Send, cx, |websocket, cx| websocket.sides.outgoing.poll_close(cx))
    }
}

impl<S, R: Role, M: Shell<S>> Stream for ReceiveHalf<S, R, M> {
    type Item = Result<Message, Error>;

    /// As [`next`](ReceiveHalf::next).
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(cx)
    }
}

impl<S, R: Role, M: Shell<S>> Sink<Message> for SendHalf<S, R, M> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.with(cx, |outgoing, cx| outgoing.poll_room(cx))
    }

    /// As [`try_feed`](SendHalf::try_feed).
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.try_feed(&message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.with(cx, |outgoing, cx| outgoing.poll_flush(cx))
    }

    /// Sends a Close with 1000, if none was sent. The peer's is for the receiving half.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.with(cx, |outgoing, cx| outgoing.poll_close(cx))
    }
}

impl<S, R: Role, M: Shell<S>> WebSocket<S, R, M> {
    /// Polls for one of the two sides, and wakes the other's task if that changed what it waits for.
    fn shared<T>(
        &mut self,
        half: Half,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let wakers =
            self.sides.aside.get_or_insert_default().wakers.get_or_insert_default().clone();
        let waker = wakers.register(half, cx);
        let before = self.sides.outgoing.progress();
        let outcome = poll(self, &mut Context::from_waker(&waker));
        if self.sides.outgoing.has_progressed(before) {
            wakers.wake(half.other());
        }
        outcome
    }
}
