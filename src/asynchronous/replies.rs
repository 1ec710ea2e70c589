use super::access::Access;
use super::outgoing::Outgoing;
use super::sending::sending_methods;
use super::shell::Shell;
use crate::connection::{Payload, Role};
use crate::error::Error;
use crate::frame::CloseCode;
use core::future::poll_fn;

/// The way to answer while a received event is looked at: see
/// [`WebSocket::receive`](super::WebSocket::receive).
#[derive(Debug)]
pub struct Replies<'a, S, R: Role, M: Shell<S>>(pub(super) &'a mut Outgoing<S, R, M>);

sending_methods!(Replies<'_, S, R, M>, 0);

impl<S, R: Role, M: Shell<S>> Replies<'_, S, R, M> {
    /// Bytes that are queued and not written.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.0.output.len()
    }
}
