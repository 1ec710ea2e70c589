//! Joining two halves into one connection again.

use super::access::Shared;
use super::shell::Shell;
use super::split::{ReceiveHalf, SendHalf};
use super::websocket::{Sides, WebSocket};
use crate::connection::Role;
use alloc::{boxed::Box, sync::Arc};
use std::sync::PoisonError;
use thiserror::Error;

/// The error for two halves of different connections. It returns both halves.
#[derive(Debug, Error)]
#[error("the halves belong to different connections")]
#[expect(clippy::exhaustive_structs, reason = "the error is exactly the two halves")]
pub struct ReuniteError<S, R: Role, M: Shell<S>>(pub SendHalf<S, R, M>, pub ReceiveHalf<S, R, M>);

impl<S, R: Role, M: Shell<S>> SendHalf<S, R, M> {
    /// Joins the two halves of a connection again.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// # async fn rejoin(websocket: sansocket::on_tokio::ServerWebSocket) {
    /// let (sender, receiver) = websocket.split();
    /// let websocket = sender.reunite(receiver).expect("the halves belong together");
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ReuniteError`] with both halves if they belong to different connections.
    #[expect(clippy::result_large_err, reason = "the error returns both halves")]
    pub fn reunite(
        self,
        receive_half: ReceiveHalf<S, R, M>,
    ) -> Result<WebSocket<S, R, M>, ReuniteError<S, R, M>> {
        if !Arc::ptr_eq(&self.shared.access, &receive_half.shared.access) {
            return Err(ReuniteError(self, receive_half));
        }
        drop(self);
        let ReceiveHalf { incoming, rare, shared } = receive_half;
        let Shared { access, .. } = shared.take();
        let outgoing = Arc::into_inner(access).expect("only this handle is left");
        let outgoing = outgoing.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(WebSocket { sides: Box::new(Sides { incoming, outgoing, rare }) })
    }
}
