use super::accept_key::accept_key;
use super::request::Request;
use crate::buffer::WriteBuffer;
#[cfg(feature = "deflate")]
use crate::deflate::{self, DeflateConfig, DeflateParameters};
use crate::headers::{Extension, ExtensionError, HeaderError, check_header, put_header};
use crate::negotiated::Negotiated;
use alloc::{borrow::Cow, boxed::Box, string::ToString, vec::Vec};
use core::fmt;
use thiserror::Error;

/// How a server accepts a [`Request`]: what it adds to the answer that opens the WebSocket.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accept<'a> {
    /// The subprotocol to speak, one of those that the client offers.
    pub subprotocol: Option<Cow<'a, str>>,
    /// The extensions to use, of those that the client offers, as they stand in the header:
    /// `name; parameter; parameter=value`.
    pub extensions: Vec<Cow<'a, str>>,
    /// How messages are to be compressed, if the client offers it; with `None` the shells take what
    /// [`Config::deflate`](crate::Config::deflate) says.
    #[cfg(feature = "deflate")]
    pub deflate: Option<DeflateConfig>,
    /// Whether messages are not to be compressed, whatever else says so.
    #[cfg(feature = "deflate")]
    pub no_deflate: bool,
    /// More header fields, such as cookies.
    pub headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// An answer that may not be given: the server's own doing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The client did not offer this subprotocol (RFC 6455 §4.2.2).
    #[error("the client does not offer the subprotocol {0:?}")]
    SubprotocolNotOffered(Box<str>),
    /// The client did not offer an extension of this name (RFC 6455 §9.1).
    #[error("the client does not offer the extension {0:?}")]
    ExtensionNotOffered(Box<str>),
    /// An extension that is accepted twice: offers of one name are alternatives.
    #[error("extension {0} is accepted twice")]
    RepeatedExtension(Box<str>),
    /// An extension that is not of its form.
    #[error("invalid extension: {0}")]
    InvalidExtension(#[from] ExtensionError),
    /// An extension that the [`Connection`](crate::Connection) of a shell does not implement.
    #[error("the extension {0} is not implemented")]
    ExtensionNotImplemented(Box<str>),
    /// A header field that can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// No request waits for an answer: it has one already, or none has come.
    #[error("no request waits for an answer")]
    Over,
}

/// What the answer says by itself, and what it must not have: a body.
const RESERVED: [&str; 9] = [
    "Connection",
    "Content-Length",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Transfer-Encoding",
    "Upgrade",
];

impl<'a> Accept<'a> {
    /// Accepts, with no subprotocol and no more header fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the [`subprotocol`](Self::subprotocol).
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Accepts an extension, or several, with the parameters to answer with:
    /// `name; parameter; parameter=value`.
    ///
    /// What they mean is not looked at here, only that the client offers an extension of this name.
    /// The order is the one in which extensions apply.
    #[must_use]
    pub fn extension(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.extensions.push(text.into());
        self
    }

    /// Adds a header field to the [`headers`](Self::headers).
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Compresses messages, if the client offers permessage-deflate in a way that is right
    /// (RFC 7692 §5.1).
    ///
    /// Of this and [`no_deflate`](Self::no_deflate) the last call counts.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self.no_deflate = false;
        self
    }

    /// Does not compress messages, whatever the client offers and the configuration of a shell says.
    ///
    /// Of this and [`deflate`](Self::deflate) the last call counts.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn no_deflate(mut self) -> Self {
        self.deflate = None;
        self.no_deflate = true;
        self
    }

    fn write(
        &self,
        request: &Request,
        output: &mut WriteBuffer,
    ) -> Result<Negotiated, AcceptError> {
        let negotiated = self.negotiate(request)?;
        output.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        put_header(output, "Upgrade", b"websocket");
        put_header(output, "Connection", b"Upgrade");
        put_header(output, "Sec-WebSocket-Accept", &accept_key(request.key()));
        for (name, value) in self.fields(&negotiated) {
            put_header(output, name, value.as_bytes());
        }
        output.extend_from_slice(b"\r\n");
        Ok(negotiated)
    }

    /// What is agreed on with this answer, in whatever version of HTTP it is given.
    fn negotiate(&self, request: &Request) -> Result<Negotiated, AcceptError> {
        let mut negotiated = Negotiated::new();
        if let Some(name) = self.subprotocol.as_deref() {
            if !request.subprotocols().any(|offered| offered == name) {
                return Err(AcceptError::SubprotocolNotOffered(name.into()));
            }
            negotiated = negotiated.subprotocol(name);
        }
        for text in &self.extensions {
            for extension in Extension::some(text.as_bytes())? {
                let is_same = |other: &Extension| other.name == extension.name;
                if !request.extensions().any(|offered| is_same(&offered)) {
                    return Err(AcceptError::ExtensionNotOffered(extension.name.into()));
                }
                if negotiated.extensions.iter().any(is_same) {
                    return Err(AcceptError::RepeatedExtension(extension.name.into()));
                }
                negotiated.extensions.push(extension);
            }
        }
        #[cfg(feature = "deflate")]
        self.negotiate_deflate(request, &mut negotiated);
        for (name, value) in &self.headers {
            check_header(name, value, &RESERVED)?;
        }
        Ok(negotiated)
    }

    #[cfg(feature = "deflate")]
    fn negotiate_deflate(&self, request: &Request, negotiated: &mut Negotiated) {
        let Some(config) = self.deflate.as_ref().filter(|_| !self.no_deflate) else { return };
        if negotiated.extensions.iter().any(|extension| extension.name == deflate::NAME) {
            return;
        }
        let Some(response) = DeflateParameters::choose(request.extensions(), config) else {
            return;
        };
        let parameters = DeflateParameters::from_response(&response);
        negotiated.deflate = parameters.ok();
        negotiated.extensions.push(response);
    }

    /// The header fields of the answer that do not depend on the version of HTTP.
    fn fields(&self, negotiated: &Negotiated) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let subprotocol = self.subprotocol.as_deref().map(Cow::Borrowed);
        let extensions: Vec<_> = negotiated.extensions.iter().map(ToString::to_string).collect();
        let extensions = (!extensions.is_empty()).then(|| Cow::Owned(extensions.join(", ")));
        let own = self.headers.iter().map(|(name, value)| (&**name, Cow::Borrowed(&**value)));
        subprotocol
            .map(|value| ("Sec-WebSocket-Protocol", value))
            .into_iter()
            // One line, as an answer must not have more (RFC 6455 §11.3.2).
            .chain(extensions.map(|value| ("Sec-WebSocket-Extensions", value)))
            .chain(own)
    }
}

impl Request {
    /// Appends the answer that opens the WebSocket (RFC 6455 §4.2.2), in HTTP/1.1.
    ///
    /// # Errors
    ///
    /// If the answer is not allowed. Then nothing is appended.
    pub fn accept(
        &self,
        accept: &Accept<'_>,
        output: &mut WriteBuffer,
    ) -> Result<Negotiated, AcceptError> {
        accept.write(self, output)
    }
}

impl fmt::Debug for Accept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets: cookies.
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Accept")
            .field("subprotocol", &self.subprotocol)
            .field("extensions", &self.extensions)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<AcceptError>() <= 32);
    }
}
