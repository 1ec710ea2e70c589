//! What an opening handshake agreed on, and a connection starts from.

#[cfg(feature = "deflate")]
use crate::deflate::DeflateParameters;
use crate::headers::{Extension, ExtensionError};
use alloc::{string::String, vec::Vec};

/// The outcome of an opening handshake (RFC 6455 §4).
///
/// Handshake and connection meet here: a connection needs nothing else of the handshake, so one
/// that another library has upgraded is adopted by saying what was agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// The subprotocol that the server chose of those that the client offered.
    pub subprotocol: Option<String>,
    /// The extensions that the server accepted of those that the client offered, with their
    /// parameters, in the order in which they apply.
    ///
    /// [`Connection`](crate::Connection) implements permessage-deflate alone, with the feature
    /// `deflate`: see [`Connection::new`](crate::Connection::new).
    pub extensions: Vec<Extension>,
    /// How messages are compressed, if they are (RFC 7692).
    #[cfg(feature = "deflate")]
    pub deflate: Option<DeflateParameters>,
}

impl Negotiated {
    /// Nothing beyond the protocol itself: no subprotocol, no extension.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            subprotocol: None,
            extensions: Vec::new(),
            #[cfg(feature = "deflate")]
            deflate: None,
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

    /// Adds extensions, as they stand in the header: `name; parameter; parameter=value`.
    ///
    /// # Errors
    ///
    /// If they are not of this form (RFC 6455 §9.1).
    pub fn extension(mut self, text: &str) -> Result<Self, ExtensionError> {
        self.extensions.extend(Extension::some(text.as_bytes())?);
        Ok(self)
    }
}
