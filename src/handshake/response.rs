//! The response that opens a WebSocket, as a client receives it (RFC 6455 §4.1).

use crate::headers::{Fields, header_accessors};
use crate::negotiated::Negotiated;

/// A server's response that opens the WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    negotiated: Negotiated,
    fields: Fields,
}

impl Response {
    pub(super) fn new(status: u16, negotiated: Negotiated, fields: Fields) -> Self {
        Self { status, negotiated, fields }
    }

    /// Returns the parameters that both endpoints agreed on, for the connection.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Returns the status: 101, or 2xx for an [extended CONNECT](super::ExtendedConnect).
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    header_accessors!();
}
