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

    /// Waits until queued messages have left, and until the connection has room. Returns
    /// [`ReconnectSendError::Lost`] if the connection has failed, for the messages that it had taken
    /// since the last flush. The sink is ready again after that.
    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ReconnectSendError>> {
        self.poll_sending(cx, |client, cx| {
            let mut outcome = ready!(client.poll_queued(cx));
            if let Some(websocket) = client.open_for_new() {
                outcome = ready!(Pin::new(websocket).poll_ready(cx));
            }
            // The loss of earlier messages is reported before this one is taken, so that nobody
            // mistakes it for the loss of this one.
            match outcome {
                Ok(()) => Poll::Ready(Ok(())),
                failed => Poll::Ready(client.flushed(failed)),
            }
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

    /// Hands what is queued to the connection, as far as the connection has room, and closes with
    /// 1000 for good. Then writes all that, within the
    /// [close timeout](crate::Config::close_timeout). What is left in the queue stays there. The
    /// peer's Close arrives through the `Stream`.
    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ReconnectSendError>> {
        self.poll_sending(cx, |client, cx| {
            if !client.client.is_over() {
                // Without a flush in between: the close timeout only begins with the Close, and a
                // peer that does not read would be waited for without end.
                while client.client.first_queued().is_some() && client.is_connected() {
                    if client.feed_queued().is_err() {
                        break;
                    }
                }
                client.start_close(CloseCode::NORMAL, "").map_err(ReconnectSendError::Lost)?;
            }
            let outcome = match &mut client.link {
                Link::Open(websocket) => ready!(Pin::new(websocket).poll_close(cx)),
                _ => Ok(()),
            };
            Poll::Ready(client.flushed(outcome))
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
        let mut outcome = ready!(self.poll_queued(cx));
        if let Link::Open(websocket) = &mut self.link {
            outcome = ready!(Pin::new(websocket).poll_flush(cx));
        }
        Poll::Ready(self.flushed(outcome))
    }
}
