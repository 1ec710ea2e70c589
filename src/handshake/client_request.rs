use super::accept_key::KEY_LEN;
use super::authority::Authority;
use super::url::Url;
use crate::buffer::WriteBuffer;
#[cfg(feature = "deflate")]
use crate::deflate::DeflateConfig;
use crate::headers::{Extension, ExtensionError, HeaderError, check_header, is_token, put_header};
use alloc::{
    borrow::Cow, borrow::ToOwned, boxed::Box, collections::BTreeSet, string::String, vec::Vec,
};
use core::fmt;
use thiserror::Error;

/// What a client asks a server for: where to, which subprotocols, and header fields of its own.
///
/// It can be sent any number of times.
///
/// ```
/// use sansocket::{ClientRequest, Url};
///
/// let url: Url = "wss://example.com/chat".parse()?;
/// let request = ClientRequest::new(&url)
///     .subprotocols(["v2.chat", "v1.chat"])
///     .header("Origin", "https://example.com");
/// # Ok::<(), sansocket::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRequest {
    authority: String,
    target: String,
    authorization: Option<String>,
    subprotocols: Vec<String>,
    extensions: Vec<String>,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
    headers: Vec<(String, String)>,
}

/// A request that may not be sent: the client's own doing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A host that is not a name or an address, with or without a port.
    #[error("{0:?} is not a host with or without a port")]
    InvalidAuthority(Box<str>),
    /// A target that is not a path with or without a query, or not well encoded.
    #[error("{0:?} is not a path with or without a query")]
    InvalidTarget(Box<str>),
    /// A subprotocol that is not a token (RFC 6455 §4.1).
    #[error("subprotocol {0:?} is not a token")]
    InvalidSubprotocol(Box<str>),
    /// A subprotocol that is offered twice (RFC 6455 §4.1).
    #[error("subprotocol {0} is offered twice")]
    RepeatedSubprotocol(Box<str>),
    /// An extension that is not of its form (RFC 6455 §9.1).
    #[error("invalid extension: {0}")]
    InvalidExtension(#[from] ExtensionError),
    /// A header field that can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// What the request says by itself, and what it must not have: a body.
const RESERVED: [&str; 10] = [
    "Connection",
    "Content-Length",
    "Host",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Transfer-Encoding",
    "Upgrade",
];

impl ClientRequest {
    /// Asks for what a URL names.
    #[must_use]
    pub fn new(url: &Url) -> Self {
        Self {
            authorization: url.authorization().map(ToOwned::to_owned),
            ..Self::from_parts(url.authority(), url.target())
        }
    }

    /// Asks for a path with or without a query, of a host with or without a port.
    #[must_use]
    pub fn from_parts(authority: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            authority: authority.into(),
            target: target.into(),
            authorization: None,
            subprotocols: Vec::new(),
            extensions: Vec::new(),
            #[cfg(feature = "deflate")]
            deflate: None,
            headers: Vec::new(),
        }
    }

    /// Offers a subprotocol, after those offered before: the first is preferred.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Offers subprotocols, in this order after those offered before.
    #[must_use]
    pub fn subprotocols<I: IntoIterator<Item: Into<String>>>(mut self, names: I) -> Self {
        self.subprotocols.extend(names.into_iter().map(Into::into));
        self
    }

    /// Offers an extension, after those offered before: `name; parameter; parameter=value`.
    ///
    /// Offers of one name are alternatives, the first is preferred (RFC 6455 §9.1). Only for who
    /// implements it and reads and writes the frames himself:
    /// [`Connection::new`](crate::Connection::new) says why.
    #[must_use]
    pub fn extension(mut self, text: impl Into<String>) -> Self {
        self.extensions.push(text.into());
        self
    }

    /// Offers to compress messages (RFC 7692). The response is then checked against this.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config.in_range());
        self
    }

    /// Adds a header field. An `Authorization` takes the place of the one from the URL.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The subprotocols that are offered.
    pub(super) fn offered(&self) -> &[String] {
        &self.subprotocols
    }

    /// The extensions that are offered, as they were given.
    pub(super) fn offered_extensions(&self) -> Vec<Cow<'_, str>> {
        #[cfg(feature = "deflate")]
        let deflate = self.deflate.as_ref().map(|config| Cow::Owned(config.offer()));
        #[cfg(not(feature = "deflate"))]
        let deflate = None;
        let own = self.extensions.iter().map(|text| Cow::Borrowed(text.as_str()));
        deflate.into_iter().chain(own).collect()
    }

    #[cfg(feature = "deflate")]
    pub(super) fn deflate_config(&self) -> Option<DeflateConfig> {
        self.deflate
    }

    /// Appends the request (RFC 6455 §4.1), or nothing if it may not be sent.
    pub(super) fn write(
        &self,
        key: &[u8; KEY_LEN],
        output: &mut WriteBuffer,
    ) -> Result<(), RequestError> {
        self.check()?;
        output.extend_from_slice(b"GET ");
        output.extend_from_slice(self.target.as_bytes());
        output.extend_from_slice(b" HTTP/1.1\r\n");
        put_header(output, "Host", self.authority.as_bytes());
        put_header(output, "Upgrade", b"websocket");
        put_header(output, "Connection", b"Upgrade");
        put_header(output, "Sec-WebSocket-Key", key);
        put_header(output, "Sec-WebSocket-Version", b"13");
        if !self.subprotocols.is_empty() {
            let list = self.subprotocols.join(", ");
            put_header(output, "Sec-WebSocket-Protocol", list.as_bytes());
        }
        let offers = self.offered_extensions();
        if !offers.is_empty() {
            let list = offers.join(", ");
            put_header(output, "Sec-WebSocket-Extensions", list.as_bytes());
        }
        if let Some(value) = self.own_authorization() {
            put_header(output, "Authorization", value.as_bytes());
        }
        for (name, value) in &self.headers {
            put_header(output, name, value.as_bytes());
        }
        output.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn check(&self) -> Result<(), RequestError> {
        if Authority::parse(&self.authority).is_err() {
            return Err(RequestError::InvalidAuthority(self.authority.as_str().into()));
        }
        let target = &self.target;
        let encoded = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !target.starts_with('/') || !encoded {
            return Err(RequestError::InvalidTarget(target.as_str().into()));
        }
        let mut seen = BTreeSet::new();
        for name in &self.subprotocols {
            if !is_token(name.as_bytes()) {
                return Err(RequestError::InvalidSubprotocol(name.as_str().into()));
            }
            if !seen.insert(name) {
                return Err(RequestError::RepeatedSubprotocol(name.as_str().into()));
            }
        }
        for text in &self.extensions {
            Extension::some(text.as_bytes())?;
        }
        for (name, value) in &self.headers {
            check_header(name, value, &RESERVED)?;
        }
        Ok(())
    }

    fn own_authorization(&self) -> Option<&str> {
        let is_set = |(name, _): &(String, String)| name.eq_ignore_ascii_case("Authorization");
        if self.headers.iter().any(is_set) { None } else { self.authorization.as_deref() }
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets: cookies, credentials.
        let names = self.headers.iter().map(|(name, _)| name);
        f.debug_struct("ClientRequest")
            .field("authority", &self.authority)
            .field("target", &self.target)
            .field("subprotocols", &self.subprotocols)
            .field("extensions", &self.extensions)
            .field("headers", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<RequestError>() <= 32);
    }
}
