//! `Stream` and `Sink` of a client that reconnects.

use super::attempt::Link;
use super::{ReconnectEvent, ReconnectingWebSocket};
use crate::connection::Message;
use crate::frame::CloseCode;
use crate::on_tokio::reconnect_error::ReconnectSendError;
use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

impl Stream for ReconnectingWebSocket {
    type Item = ReconnectEvent;

    /// Works like [`next`](ReconnectingWebSocket::next).
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ReconnectEvent>> {
        self.poll_event(cx)
    }
}

impl FusedStream for ReconnectingWebSocket {
    /// Returns `true` once `None` or the last event was returned.
    fn is_terminated(&self) -> bool {
        self.client.is_over() && !matches!(self.link, Link::Open(_))
    }
}

/// The sink does not wait for a connection, because only the `Stream` makes one. Without a connection
/// it is always ready, and queues or refuses the message. It can be used after an error.
impl Sink<Message> for ReconnectingWebSocket {
    type Error = ReconnectSendError;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ReconnectSendError>> {
        self.poll_sending(cx, |client, cx| {
            ready!(client.poll_queued(cx));
            if let Some(websocket) = client.open_for_new() {
                // If this fails, `start_send` finds out what is to be done with the message.
                let _ = ready!(Pin::new(websocket).poll_ready(cx));
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Works like [`try_feed`](ReconnectingWebSocket::try_feed).
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), ReconnectSendError> {
        self.try_feed(message)
    }

    /// Works like [`flush`](ReconnectingWebSocket::flush).
    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ReconnectSendError>> {
        self.poll_sending(cx, Self::poll_written)
    }

    /// Writes what is queued, then closes with 1000 for good. The peer's Close arrives through the
    /// `Stream`.
    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ReconnectSendError>> {
        self.poll_sending(cx, |client, cx| {
            if !client.client.is_over() {
                ready!(client.poll_written(cx))?;
                client.start_close(CloseCode::NORMAL, "").map_err(ReconnectSendError::Lost)?;
            }
            match &mut client.link {
                Link::Open(websocket) => {
                    Pin::new(websocket).poll_close(cx).map_err(ReconnectSendError::Lost)
                }
                _ => Poll::Ready(Ok(())),
            }
        })
    }
}

impl ReconnectingWebSocket {
    /// Polls on behalf of the task that sends, and has it woken when the connection comes or goes.
    fn poll_sending<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = poll(self, cx);
        self.sender = polled.is_pending().then(|| cx.waker().clone());
        polled
    }

    /// Hands what is queued to the connection, and has the connection write it.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReconnectSendError>> {
        ready!(self.poll_queued(cx));
        match &mut self.link {
            Link::Open(websocket) => {
                Pin::new(websocket).poll_flush(cx).map_err(ReconnectSendError::Lost)
            }
            _ => Poll::Ready(Ok(())),
        }
    }
}
