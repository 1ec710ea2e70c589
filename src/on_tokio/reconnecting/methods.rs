//! What you call on a client that reconnects.

use super::attempt::Link;
use super::{ReconnectEvent, ReconnectingWebSocket};
use crate::connection::sender::control::sent_code;
use crate::connection::{Closed, Message, SendError, State};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::on_tokio::ClientWebSocket;
use crate::on_tokio::reconnect_error::ReconnectSendError;
use alloc::vec::Vec;
use core::{future::poll_fn, iter::from_fn};

impl ReconnectingWebSocket {
    /// Waits for the next event. Returns `None` after [`GivenUp`](ReconnectEvent::GivenUp), and after
    /// your own [`close`](Self::close) once the connection has ended.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<ReconnectEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Passes a message to the connection without waiting, as
    /// [`WebSocket::try_feed`](crate::asynchronous::WebSocket::try_feed) does. If there is no
    /// connection, or if other messages wait for it, queues the message, if a
    /// [queue](crate::client::ReconnectConfig::queue) is set.
    ///
    /// [`next`](Self::next) writes the message. So a loop that receives in one branch of `select!` can
    /// send in another one with this method: a peer that does not read never keeps it from receiving.
    ///
    /// # Errors
    ///
    /// Returns [`ReconnectSendError::NotQueued`] or [`ReconnectSendError::Refused`], with the
    /// message.
    pub fn try_feed(&mut self, message: impl Into<Message>) -> Result<(), ReconnectSendError> {
        let message = message.into();
        let Some(websocket) = self.open_for_new() else { return Ok(self.client.enqueue(message)?) };
        let outcome = websocket.try_feed(&message);
        self.fed(message, outcome).map(drop)
    }

    /// Passes a message to the connection, as
    /// [`WebSocket::feed`](crate::asynchronous::WebSocket::feed) does: first waits until the
    /// connection has room. If there is no connection, this does not wait: it queues the message, if
    /// a [queue](crate::client::ReconnectConfig::queue) is set. If queued messages can't leave now,
    /// the message joins them. Only if the queue has no room for it, this waits until they have left.
    ///
    /// Nothing is received while this waits, so a peer that is gone is not noticed: see
    /// [`try_feed`](Self::try_feed).
    ///
    /// Cancel safe: if you drop the future, the message is not sent.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`try_feed`](Self::try_feed), except while a connection is open: then this
    /// waits for room instead.
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), ReconnectSendError> {
        self.feed_or_queue(message.into()).await.map(drop)
    }

    /// Writes everything that the connection has taken, and what is queued for it. Without a
    /// connection there is nothing to write, and queued messages go on waiting.
    ///
    /// Nothing is received in the meantime: see
    /// [`WebSocket::flush`](crate::asynchronous::WebSocket::flush).
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns [`ReconnectSendError::Lost`] if the connection failed, and had taken messages since
    /// the last flush. These may be lost. It is returned once for a connection, and messages that
    /// are still queued are not concerned. [`next`](Self::next) then tells how the connection ended.
    pub async fn flush(&mut self) -> Result<(), ReconnectSendError> {
        let mut outcome = poll_fn(|cx| self.poll_queued(cx)).await;
        if let Link::Open(websocket) = &mut self.link {
            outcome = websocket.flush().await;
        }
        self.flushed(outcome)
    }

    /// Sends a message: [`feed`](Self::feed), then [`flush`](Self::flush).
    ///
    /// If the message joins others that are queued, this does not wait for them to be written.
    ///
    /// Not cancel safe: if you drop the future, you can't tell whether the message is sent. If that
    /// matters, call [`feed`](Self::feed) and [`flush`](Self::flush) yourself: both are cancel safe.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`feed`](Self::feed) and [`flush`](Self::flush). After `Ok`, the message
    /// is queued, or the system has taken it to send it. That does not mean that it arrives.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), ReconnectSendError> {
        match self.feed_or_queue(message.into()).await? {
            Fed::Taken => self.flush().await,
            Fed::Queued => Ok(()),
        }
    }

    /// Closes the client for good: sends a Close, if there is a connection, and makes no other.
    /// An attempt in progress is dropped. Messages that are still queued stay there: call
    /// [`flush`](Self::flush) first to send them.
    ///
    /// After that, messages of the peer still arrive, and then [`next`](Self::next) returns `None`.
    /// [`closed`](Self::closed) tells how the connection ended.
    ///
    /// Cancel safe: the first poll queues the Close, and another call continues to write it.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`WebSocket::close`](crate::asynchronous::WebSocket::close). If `code`
    /// may not be sent, nothing has changed.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.start_close(code, reason)?;
        match &mut self.link {
            // Writes the Close that is queued now.
            Link::Open(websocket) => websocket.close(code, reason).await,
            _ => Ok(()),
        }
    }

    /// Waits until the connection has ended and no longer needs the transport, drops what still
    /// arrives, and makes no other connection. Returns how the last connection ended, or `None` if
    /// there was none. If you have not called [`close`](Self::close), this does it with
    /// [`CloseCode::NORMAL`].
    ///
    /// Cancel safe: you can call it again.
    pub async fn wait_closed(&mut self) -> Option<Closed> {
        // The code may be sent, so there is no error.
        let _ = self.start_close(CloseCode::NORMAL, "");
        if let Link::Open(websocket) = &mut self.link {
            websocket.wait_closed().await;
            self.ended();
        }
        self.closed().cloned()
    }

    /// Returns how the last connection ended, or `None` if none has ended.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.closed.as_deref()
    }

    /// Returns `true` if there is a connection, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.websocket().is_some()
    }

    /// Returns the connection, if there is one, for example to look at its stream.
    #[must_use]
    pub fn websocket(&self) -> Option<&ClientWebSocket> {
        match &self.link {
            Link::Open(websocket) if websocket.state() == State::Open => Some(websocket),
            _ => None,
        }
    }

    /// Returns the number of messages in the queue. Those that a connection has taken are not
    /// counted.
    #[must_use]
    pub fn queued_messages(&self) -> usize {
        self.client.queued_messages()
    }

    /// Returns the bytes of payload in the queue.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.client.queued_bytes()
    }

    /// Takes all messages out of the queue, in order: for example those that were not sent when the
    /// client has given up, or those that are out of date.
    pub fn take_queued(&mut self) -> Vec<Message> {
        self.wake_sender();
        from_fn(|| self.client.dequeue()).collect()
    }

    /// Queues a Close if there is a connection, and ends the client.
    pub(super) fn start_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        // A connection that has ended would not look at it, and without a connection nobody would.
        sent_code(code)?;
        match &mut self.link {
            Link::Open(websocket) => websocket.try_close(code, reason)?,
            link => *link = Link::None,
        }
        self.client.close();
        if let Some(waker) = self.receiver.take() {
            waker.wake();
        }
        self.wake_sender();
        Ok(())
    }

    /// Returns the connection if it takes new messages: unless queued ones wait before them.
    pub(super) fn open_for_new(&mut self) -> Option<&mut ClientWebSocket> {
        match &mut self.link {
            Link::Open(websocket) if self.client.first_queued().is_none() => Some(websocket),
            _ => None,
        }
    }

    async fn feed_or_queue(&mut self, message: Message) -> Result<Fed, ReconnectSendError> {
        let Some(message) = self.join_queued(message).await? else { return Ok(Fed::Queued) };
        let Some(websocket) = self.open_for_new() else {
            self.client.enqueue(message)?;
            return Ok(Fed::Queued);
        };
        let outcome = websocket.feed(&message).await;
        self.fed(message, outcome)
    }

    /// Handles the answer of the connection to a message, which it has either taken or not.
    fn fed(
        &mut self,
        message: Message,
        outcome: Result<(), Error>,
    ) -> Result<Fed, ReconnectSendError> {
        match outcome {
            Ok(()) => {
                self.has_unflushed = true;
                Ok(Fed::Taken)
            }
            Err(Error::Send(error)) if !matches!(error, SendError::Closed { .. }) => {
                Err(ReconnectSendError::Refused { message, error })
            }
            // The connection is ending.
            Err(_) => {
                self.client.enqueue(message)?;
                Ok(Fed::Queued)
            }
        }
    }
}

/// What became of a message.
enum Fed {
    /// The connection has taken it.
    Taken,
    /// It waits for the next connection.
    Queued,
}
