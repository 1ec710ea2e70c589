//! A connection as a `Stream` of messages and a `Sink` for them, for what is built on those.
//!
//! The two can be parted and polled by two tasks, as `futures_util`'s `split` does, so each side
//! registers its own task to be woken. The halves of a connection are a `Stream` and a `Sink` too.

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
use futures_core::Stream;
use futures_sink::Sink;

impl<S, R: Role, M: Shell<S>> WebSocket<S, R, M> {
    /// The receiving side, and the way to the other for one of two tasks.
    fn shared(&mut self, half: Half) -> (&mut Incoming<R>, Shared<&mut Outgoing<S, R, M>>) {
        let Sides { incoming, outgoing, aside } = &mut *self.sides;
        (incoming, Shared { half, access: outgoing, wakers: aside.wakers() })
    }
}

impl<S, R: Role, M: Shell<S>> Stream for WebSocket<S, R, M> {
    type Item = Result<Message, Error>;

    /// As [`next`](WebSocket::next).
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let (incoming, mut outgoing) = self.shared(Half::Receive);
        incoming.poll_message(&mut outgoing, cx)
    }
}

impl<S, R: Role, M: Shell<S>> Sink<Message> for WebSocket<S, R, M> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared(Half::Send).1.poll(cx, Outgoing::poll_room)
    }

    /// As [`try_feed`](WebSocket::try_feed).
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.try_feed(&message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared(Half::Send).1.poll(cx, Outgoing::poll_flush)
    }

    /// Sends a Close with 1000, if none was sent. The peer's is for the stream to receive.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared(Half::Send).1.poll(cx, Outgoing::poll_close)
    }
}

impl<S, R: Role, M: Shell<S>> Stream for ReceiveHalf<S, R, M> {
    type Item = Result<Message, Error>;

    /// As [`next`](ReceiveHalf::next).
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { incoming, shared, .. } = &mut *self;
        incoming.poll_message(shared, cx)
    }
}

impl<S, R: Role, M: Shell<S>> Sink<Message> for SendHalf<S, R, M> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll(cx, Outgoing::poll_room)
    }

    /// As [`try_feed`](SendHalf::try_feed).
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.try_feed(&message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll(cx, Outgoing::poll_flush)
    }

    /// Sends a Close with 1000, if none was sent. The peer's is for the receiving half.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll(cx, Outgoing::poll_close)
    }
}
