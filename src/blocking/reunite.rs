//! Joins the halves of a split connection.

use super::Transport;
use super::split::{ReceiveHalf, SendHalf};
use super::websocket::WebSocket;
use crate::connection::Role;
use alloc::sync::Arc;
use thiserror::Error;

/// The two halves do not belong to the same connection. The error returns both.
#[derive(Debug, Error)]
#[error("the halves belong to different connections")]
#[expect(clippy::exhaustive_structs, reason = "the error is exactly the two halves")]
pub struct ReuniteError<S: Transport, R: Role>(pub SendHalf<S, R>, pub ReceiveHalf<S, R>);

impl<S: Transport, R: Role> SendHalf<S, R> {
    /// Makes one connection of its two halves. If you need timeouts on the transport, set them
    /// again: [`split`](super::WebSocket::split) removed them.
    ///
    /// ```no_run
    /// # fn rejoin(websocket: sansocket::blocking::ServerWebSocket) -> Result<(), sansocket::Error> {
    /// let (sender, receiver) = websocket.split()?;
    /// let websocket = sender.reunite(receiver).expect("the halves belong together");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`ReuniteError`] with both halves if they belong to different connections.
    #[expect(clippy::result_large_err, reason = "the error returns both halves")]
    pub fn reunite(
        self,
        receive_half: ReceiveHalf<S, R>,
    ) -> Result<WebSocket<S, R>, ReuniteError<S, R>> {
        if !Arc::ptr_eq(&self.shared, &receive_half.reading.shared) {
            return Err(ReuniteError(self, receive_half));
        }
        drop(self);
        let ReceiveHalf { incoming, reading, negotiated } = receive_half;
        let outgoing = reading.take().into_outgoing();
        Ok(WebSocket::from_halves(incoming, outgoing, negotiated))
    }
}
