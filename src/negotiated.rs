//! What an opening handshake agreed on, and a connection starts from.

use alloc::string::String;

/// The outcome of an opening handshake (RFC 6455 §4).
///
/// Handshake and connection meet here: a connection needs nothing else of the handshake, so one
/// that another library has upgraded is adopted by saying what was agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// The subprotocol that the server chose of those that the client offered.
    pub subprotocol: Option<String>,
}

impl Negotiated {
    /// Nothing beyond the protocol itself: no subprotocol, no extension.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the subprotocol.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }
}
