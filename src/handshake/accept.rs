use super::{Request, accept_key};
use crate::{
    HeaderError, Negotiated, WriteBuffer,
    headers::{check_header, put_header},
};
use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use thiserror::Error;

/// How a server accepts a [`Request`]: what it adds to the answer that opens the WebSocket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accept<'a> {
    /// The subprotocol to speak, one of those that the client offers.
    pub subprotocol: Option<Cow<'a, str>>,
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
    /// A header field that can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
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

    /// Adds a header field to the [`headers`](Self::headers).
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn write(
        &self,
        request: &Request,
        output: &mut WriteBuffer,
    ) -> Result<Negotiated, AcceptError> {
        let mut negotiated = Negotiated::new();
        if let Some(name) = self.subprotocol.as_deref() {
            if !request.subprotocols().any(|offered| offered == name) {
                return Err(AcceptError::SubprotocolNotOffered(name.into()));
            }
            negotiated = negotiated.subprotocol(name);
        }
        for (name, value) in &self.headers {
            check_header(name, value, &RESERVED)?;
        }
        output.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        put_header(output, "Upgrade", b"websocket");
        put_header(output, "Connection", b"Upgrade");
        put_header(output, "Sec-WebSocket-Accept", &accept_key(request.key()));
        if let Some(name) = &self.subprotocol {
            put_header(output, "Sec-WebSocket-Protocol", name.as_bytes());
        }
        for (name, value) in &self.headers {
            put_header(output, name, value.as_bytes());
        }
        output.extend_from_slice(b"\r\n");
        Ok(negotiated)
    }
}
