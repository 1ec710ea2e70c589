//! The result of an opening handshake, from which a connection starts.

#[cfg(feature = "deflate")]
use crate::deflate::{DeflateParameters, Reservation};
use crate::headers::{Extension, ExtensionError};
use alloc::{string::String, vec::Vec};

/// The result of an opening handshake (RFC 6455 §4).
///
/// A connection needs nothing else from the handshake. If another library has performed the
/// handshake, describe the result with this type to take over the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// The subprotocol that the server chose from the client's offers.
    pub subprotocol: Option<String>,
    /// The extensions that the server accepted from the client's offers, with their parameters, in
    /// the order in which they apply.
    ///
    /// [`Connection`](crate::connection::Connection) only implements permessage-deflate, with the
    /// feature `deflate`: see [`Connection::new`](crate::connection::Connection::new).
    pub extensions: Vec<Extension>,
    /// How messages are compressed; `None` if they are not (RFC 7692).
    #[cfg(feature = "deflate")]
    pub deflate: Option<DeflateParameters>,
    /// What the contexts have reserved of a server's budget.
    #[cfg(feature = "deflate")]
    pub(crate) reservation: Reservation,
}

impl Negotiated {
    /// Creates the result of a handshake that agreed on neither a subprotocol nor an extension.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            subprotocol: None,
            extensions: Vec::new(),
            #[cfg(feature = "deflate")]
            deflate: None,
            #[cfg(feature = "deflate")]
            reservation: Reservation::NONE,
        }
    }

    /// Sets the subprotocol.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Sets how messages are compressed.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, parameters: DeflateParameters) -> Self {
        self.deflate = Some(parameters);
        self
    }

    /// Adds extensions, in the syntax of the header: `name; parameter; parameter=value`.
    ///
    /// # Errors
    ///
    /// [`ExtensionError`] if `text` does not have this syntax (RFC 6455 §9.1).
    pub fn extension(mut self, text: &str) -> Result<Self, ExtensionError> {
        self.extensions.extend(Extension::parse_nonempty_list(text.as_bytes())?);
        Ok(self)
    }
}
