//! The response that opens a WebSocket (RFC 6455 §4.2.2).

use super::accept_key::accept_key;
use super::request::Request;
use crate::buffer::WriteBuffer;
#[cfg(feature = "deflate")]
use crate::deflate::{self, ContextBudget, DeflateConfig, DeflateParameters};
use crate::headers::{Extension, ExtensionError, HeaderError, check_header, put_header};
use crate::negotiated::Negotiated;
use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;
use thiserror::Error;

/// A server's acceptance of a [`Request`]: what it adds to the response that opens the WebSocket.
///
/// ```
/// use sansocket::handshake::{Accept, Request};
///
/// const SUPPORTED: [&str; 2] = ["chat.v2", "chat.v1"];
///
/// /// Chooses the subprotocol that the client prefers, of those that the server supports.
/// fn answer(request: &Request) -> Accept {
///     match request.subprotocols().find(|name| SUPPORTED.contains(name)) {
///         Some(name) => Accept::new().subprotocol(name),
///         None => Accept::new(),
///     }
/// }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Accept {
    subprotocol: Option<String>,
    pub(crate) extensions: Vec<String>,
    /// `None` leaves the choice to the configuration; `Some(None)` disables compression.
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<Option<DeflateConfig>>,
    #[cfg(feature = "deflate")]
    pub(crate) context_budget: Option<ContextBudget>,
    headers: Vec<(String, String)>,
}

/// The response that opens a WebSocket, as data. [`Request::acceptance`] creates it from an
/// [`Accept`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acceptance {
    /// The status of the response: 101 for an upgrade of HTTP/1.1, and 200 for an extended CONNECT
    /// (RFC 8441 §5.1).
    pub status: u16,
    /// The header fields of the response, each with its name and value.
    pub headers: Vec<(String, String)>,
    /// The parameters to create the connection with.
    pub negotiated: Negotiated,
}

/// The reason why an [`Accept`] can't be sent for a request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The client did not offer this subprotocol (RFC 6455 §4.2.2).
    #[error("the client does not offer the subprotocol {0:?}")]
    SubprotocolNotOffered(Box<str>),
    /// The client did not offer an extension of this name (RFC 6455 §9.1).
    #[error("the client does not offer the extension {0:?}")]
    ExtensionNotOffered(Box<str>),
    /// The response accepts an extension twice: several offers of one name are alternatives.
    #[error("extension {0} is accepted twice")]
    RepeatedExtension(Box<str>),
    /// An extension has invalid syntax.
    #[error("invalid extension: {0}")]
    InvalidExtension(#[from] ExtensionError),
    /// The [`Connection`](crate::connection::Connection) of a shell does not implement this
    /// extension.
    #[error("the extension {0} is not implemented")]
    ExtensionNotImplemented(Box<str>),
    /// A header field can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The request is an extended CONNECT, so the response can't be written as HTTP/1.1.
    #[error("the request is not one of HTTP/1.1")]
    NotHttp1,
    /// No request waits for an answer: none has arrived, or it was already answered.
    #[error("no request waits for an answer")]
    Over,
}

/// The headers that the response sets itself or, because it has no body, must not contain.
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

impl Accept {
    /// Accepts without a subprotocol or additional header fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects a subprotocol, which must be one of those that the client
    /// [offers](Request::subprotocols).
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Accepts one or more extensions with the given response parameters:
    /// `name; parameter; parameter=value`.
    ///
    /// The handshake does not interpret the parameters. It only checks that the client offers an
    /// extension with this name. Extensions apply in the order in which you add them.
    #[must_use]
    pub fn extension(mut self, text: impl Into<String>) -> Self {
        self.extensions.push(text.into());
        self
    }

    /// Adds a header field to the response, such as a cookie.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Compresses messages with this [`DeflateConfig`] if the client makes a valid offer of
    /// permessage-deflate (RFC 7692 §5.1). With `None`, messages are not compressed, whatever the
    /// client offers.
    ///
    /// Unless you call this method, the shells use [`Config::deflate`](crate::Config::deflate).
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, config: impl Into<Option<DeflateConfig>>) -> Self {
        self.deflate = Some(config.into());
        self
    }

    /// Keeps compression contexts only as far as this budget allows: see [`ContextBudget`].
    ///
    /// Unless you call this method, the shells use that of their
    /// [`Acceptor`](crate::server::Acceptor::context_budget), if it has one.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn context_budget(mut self, budget: &ContextBudget) -> Self {
        self.context_budget = Some(budget.clone());
        self
    }

    fn acceptance(&self, request: &Request) -> Result<Acceptance, AcceptError> {
        let negotiated = self.negotiate(request)?;
        let mut headers = Vec::new();
        // RFC 8441 §5: these fields do not exist in an extended CONNECT.
        if let Some(key) = request.key() {
            let key = accept_key(key);
            let upgrade = [
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Accept", key.as_str()),
            ];
            headers.extend(upgrade.map(|(name, value)| (name.into(), value.into())));
        }
        headers.extend(self.fields(&negotiated));
        let status = if request.is_extended_connect() { 200 } else { 101 };
        Ok(Acceptance { status, headers, negotiated })
    }

    /// Returns the parameters that this response agrees on.
    fn negotiate(&self, request: &Request) -> Result<Negotiated, AcceptError> {
        let mut negotiated = Negotiated::new();
        if let Some(name) = self.subprotocol.as_deref() {
            if !request.subprotocols().any(|offered| offered == name) {
                return Err(AcceptError::SubprotocolNotOffered(name.into()));
            }
            negotiated = negotiated.subprotocol(name);
        }
        for text in &self.extensions {
            for extension in Extension::parse_nonempty_list(text.as_bytes())? {
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
        let Some(Some(config)) = &self.deflate else { return };
        if negotiated.extensions.iter().any(|extension| extension.name == deflate::NAME) {
            return;
        }
        let agree = |config| {
            let response = DeflateParameters::choose(request.extensions(), config)?;
            let parameters = DeflateParameters::from_response(&response).ok()?;
            Some((response, parameters))
        };
        let Some(mut agreed) = agree(config) else { return };
        if let Some(budget) = &self.context_budget {
            match budget.reserve(agreed.1.server_context_bytes(config)) {
                Some(reservation) => negotiated.reservation = reservation,
                None => {
                    // §7.1.1: a server may ask for both, whatever the client has offered.
                    let config =
                        config.server_no_context_takeover(true).client_no_context_takeover(true);
                    let Some(without) = agree(&config) else { return };
                    agreed = without;
                }
            }
        }
        let (response, parameters) = agreed;
        negotiated.deflate = Some(parameters);
        negotiated.extensions.push(response);
    }

    /// Returns the header fields of the response besides those of the upgrade.
    fn fields(&self, negotiated: &Negotiated) -> impl Iterator<Item = (String, String)> {
        let extensions: Vec<_> = negotiated.extensions.iter().map(ToString::to_string).collect();
        // A response must not have more than one such line (RFC 6455 §11.3.2).
        let extensions = (!extensions.is_empty()).then(|| extensions.join(", "));
        let subprotocol = self.subprotocol.clone();
        let subprotocol = subprotocol.map(|value| ("Sec-WebSocket-Protocol".into(), value));
        let extensions = extensions.map(|value| ("Sec-WebSocket-Extensions".into(), value));
        subprotocol.into_iter().chain(extensions).chain(self.headers.iter().cloned())
    }
}

impl Request {
    /// Appends the HTTP/1.1 response that opens the WebSocket (RFC 6455 §4.2.2).
    ///
    /// # Errors
    ///
    /// Returns an error if the response is not valid for this request, or if the request is not one of
    /// HTTP/1.1. In that case, nothing is appended.
    pub fn accept(
        &self,
        accept: &Accept,
        output: &mut WriteBuffer,
    ) -> Result<Negotiated, AcceptError> {
        if self.is_extended_connect() {
            return Err(AcceptError::NotHttp1);
        }
        let Acceptance { headers, negotiated, .. } = accept.acceptance(self)?;
        output.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        for (name, value) in &headers {
            put_header(output, name, value.as_bytes());
        }
        output.extend_from_slice(b"\r\n");
        Ok(negotiated)
    }

    /// Returns the response that opens the WebSocket, to be written by an HTTP library. Once the
    /// response is written, create the connection with [`Acceptance::negotiated`].
    ///
    /// The [`Acceptor`](crate::server::Acceptor::acceptance) adds the compression of its configuration
    /// to the answer, as the shells do. This method sends what `accept` says.
    ///
    /// ```
    /// use sansocket::handshake::{Accept, HttpVersion, Request};
    ///
    /// let fields: [(&str, &[u8]); 5] = [
    ///     ("Host", b"example.com"),
    ///     ("Upgrade", b"websocket"),
    ///     ("Connection", b"Upgrade"),
    ///     ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ///     ("Sec-WebSocket-Version", b"13"),
    /// ];
    /// let request = Request::new("GET", "/chat", HttpVersion::HTTP_11, fields)?;
    /// let acceptance = request.acceptance(&Accept::new().header("Set-Cookie", "a=b"))?;
    /// assert_eq!(acceptance.status, 101);
    /// assert_eq!(acceptance.headers.last(), Some(&("Set-Cookie".into(), "a=b".into())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the response is not valid for this request.
    pub fn acceptance(&self, accept: &Accept) -> Result<Acceptance, AcceptError> {
        accept.acceptance(self)
    }
}

impl fmt::Debug for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hide the values: they may be secrets, such as cookies.
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Acceptance")
            .field("status", &self.status)
            .field("headers", &names)
            .field("negotiated", &self.negotiated)
            .finish()
    }
}

impl fmt::Debug for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hide the values: they may be secrets, such as cookies.
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
