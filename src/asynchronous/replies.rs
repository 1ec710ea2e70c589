use super::outgoing::Outgoing;
use super::shell::Shell;
use crate::connection::{Payload, Role};
use crate::error::Error;
use crate::frame::CloseCode;
use core::future::poll_fn;

/// The way to answer while a received event is looked at: see
/// [`WebSocket::receive`](super::WebSocket::receive).
#[derive(Debug)]
pub struct Replies<'a, S, R: Role, M: Shell<S>>(pub(super) &'a mut Outgoing<S, R, M>);

impl<S, R: Role, M: Shell<S>> Replies<'_, S, R, M> {
    /// As [`WebSocket::try_feed`](super::WebSocket::try_feed).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_feed<'p>(&mut self, payload: impl Into<Payload<'p>>) -> Result<(), Error> {
        self.0.try_feed(payload.into())
    }

    /// As [`WebSocket::feed`](super::WebSocket::feed), and as cancel safe.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn feed<'p>(&mut self, payload: impl Into<Payload<'p>>) -> Result<(), Error> {
        let payload = payload.into();
        poll_fn(|cx| self.0.poll_feed(payload, cx)).await
    }

    /// As [`WebSocket::flush`](super::WebSocket::flush). Cancel safe.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.0.poll_flush(cx)).await
    }

    /// As [`WebSocket::send`](super::WebSocket::send): if its future is dropped, either all of the
    /// message is sent later or nothing of it.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn send<'p>(&mut self, payload: impl Into<Payload<'p>>) -> Result<(), Error> {
        let payload = payload.into();
        poll_fn(|cx| self.0.poll_send(payload, cx)).await?;
        self.flush().await
    }

    /// As [`WebSocket::ping`](super::WebSocket::ping): if its future is dropped, the ping is sent
    /// later or not at all.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| self.0.poll_ping(payload, cx)).await?;
        self.flush().await
    }

    /// As [`WebSocket::close`](super::WebSocket::close). Cancel safe: the Close is queued at the
    /// first poll.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.0.close(code, reason)?;
        self.flush().await
    }

    /// Bytes that are queued and not written.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.0.output.len()
    }
}
