//! How queued messages get to the connection, and what is reported if it fails.

use super::ReconnectingWebSocket;
use super::attempt::Link;
use crate::client::EnqueueError;
use crate::connection::{Message, SendError};
use crate::error::Error;
use crate::on_tokio::reconnect_error::ReconnectSendError;
use core::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_sink::Sink as _;

impl ReconnectingWebSocket {
    /// Hands queued messages to the connection, if there is one. Ready once none waits, or if the
    /// connection takes no more. An error says that the connection has failed.
    pub(super) fn poll_queued(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.client.first_queued().is_some() {
            let Link::Open(websocket) = &mut self.link else { break };
            ready!(Pin::new(websocket).poll_flush(cx))?;
            self.has_unflushed = false;
            match self.feed_queued() {
                Ok(()) => {}
                Err(Error::Send(SendError::Closed { .. } | SendError::QueueFull { .. })) => break,
                // It would refuse the message for as long as it lasts, and all that wait behind it.
                // The flush has woken the task that receives.
                Err(error @ Error::Send(_)) => {
                    self.ended();
                    self.link = Link::Refused(error);
                }
                // Receiving tells how the connection has ended.
                Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Hands the first queued message to the connection, if there are both.
    pub(super) fn feed_queued(&mut self) -> Result<(), Error> {
        if let (Link::Open(websocket), Some(first)) = (&mut self.link, self.client.first_queued()) {
            websocket.try_feed(first)?;
            self.client.dequeue();
            self.has_unflushed = true;
        }
        Ok(())
    }

    /// Waits until no message is queued for the connection, and returns this one. Returns `None` if the
    /// others have to wait, and the queue has room for this one, too.
    pub(super) async fn join_queued(
        &mut self,
        message: Message,
    ) -> Result<Option<Message>, ReconnectSendError> {
        let mut waiting = Some(message);
        poll_fn(|cx| {
            // If the connection has failed, the message is queued.
            if self.poll_queued(cx).is_ready() {
                return Poll::Ready(Ok(waiting.take()));
            }
            match waiting.take().map(|message| self.client.enqueue(message)) {
                Some(Err(EnqueueError::Full { message, .. })) => {
                    waiting = Some(message);
                    Poll::Pending
                }
                Some(Err(error)) => Poll::Ready(Err(error.into())),
                Some(Ok(())) | None => Poll::Ready(Ok(None)),
            }
        })
        .await
    }

    /// Handles the outcome of a flush. An error is worth reporting once, and only if the connection
    /// has taken messages since the last flush: what is queued waits for the next connection.
    pub(super) fn flushed(&mut self, outcome: Result<(), Error>) -> Result<(), ReconnectSendError> {
        match (core::mem::take(&mut self.has_unflushed), outcome) {
            (true, Err(error)) => Err(ReconnectSendError::Lost(error)),
            _ => Ok(()),
        }
    }
}
