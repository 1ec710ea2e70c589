//! The request that a client sends (RFC 6455 §4.1).

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

/// A client's request: the resource, the offered subprotocols, and additional header fields.
///
/// You can send the same request any number of times.
///
/// ```
/// use sansocket::handshake::{ClientRequest, Url};
///
/// let url: Url = "wss://example.com/chat".parse()?;
/// let request = ClientRequest::new(&url)
///     .subprotocols(["v2.chat", "v1.chat"])
///     .header("Origin", "https://example.com");
/// # Ok::<(), sansocket::handshake::UrlError>(())
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

/// An error in the client's own request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The authority is not a host name or address with an optional port.
    #[error("{0:?} is not a host with an optional port")]
    InvalidAuthority(Box<str>),
    /// The target is not a path with an optional query, or is not correctly encoded.
    #[error("{0:?} is not a path with an optional query")]
    InvalidTarget(Box<str>),
    /// A subprotocol is not a token (RFC 6455 §4.1).
    #[error("subprotocol {0:?} is not a token")]
    InvalidSubprotocol(Box<str>),
    /// A subprotocol is offered twice (RFC 6455 §4.1).
    #[error("subprotocol {0} is offered twice")]
    RepeatedSubprotocol(Box<str>),
    /// An extension has invalid syntax (RFC 6455 §9.1).
    #[error("invalid extension: {0}")]
    InvalidExtension(#[from] ExtensionError),
    /// A header field can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// The headers that the request sets itself or, because it has no body, must not contain.
const RESERVED: [&str; 11] = [
    "Connection",
    "Content-Length",
    "Host",
    // It is meant for a proxy, and this request goes to the server.
    "Proxy-Authorization",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Transfer-Encoding",
    "Upgrade",
];

impl ClientRequest {
    /// Requests the resource of a URL.
    #[must_use]
    pub fn new(url: &Url) -> Self {
        Self {
            authorization: url.authorization().map(ToOwned::to_owned),
            ..Self::from_parts(url.authority(), url.target())
        }
    }

    /// Requests a path with an optional query from a host with an optional port.
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

    /// Offers a subprotocol, with lower preference than those offered before.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Offers subprotocols in order of preference, after those offered before.
    #[must_use]
    pub fn subprotocols<I: IntoIterator<Item: Into<String>>>(mut self, names: I) -> Self {
        self.subprotocols.extend(names.into_iter().map(Into::into));
        self
    }

    /// Offers an extension, with lower preference than those offered before:
    /// `name; parameter; parameter=value`.
    ///
    /// Several offers of one name are alternatives; the first is preferred (RFC 6455 §9.1). Offer
    /// an extension only if you implement it and read and write the frames yourself:
    /// [`Connection::new`](crate::connection::Connection::new) explains why.
    #[must_use]
    pub fn extension(mut self, text: impl Into<String>) -> Self {
        self.extensions.push(text.into());
        self
    }

    /// Offers message compression (RFC 7692). The response is checked against this offer.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config.in_range());
        self
    }

    /// Adds a header field. An `Authorization` header replaces the one derived from the URL.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Replaces the value of `Authorization` that comes from the URL.
    #[cfg(feature = "std")]
    pub(crate) fn authorization(mut self, value: Option<String>) -> Self {
        self.authorization = value;
        self
    }

    /// Returns the offered subprotocols.
    pub(super) fn offered(&self) -> &[String] {
        &self.subprotocols
    }

    /// Returns the offered extensions as they were passed in.
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

    /// Appends the request (RFC 6455 §4.1). Appends nothing if the request is invalid.
    pub(super) fn write(
        &self,
        key: &[u8; KEY_LEN],
        output: &mut WriteBuffer,
    ) -> Result<(), RequestError> {
        self.check()?;
        output.extend_from_slice(b"GET ");
        output.extend_from_slice(self.target.as_bytes());
        output.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in self.upgrade_headers(key).chain(self.headers()) {
            put_header(output, name, value.as_bytes());
        }
        output.extend_from_slice(b"\r\n");
        Ok(())
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Returns the header fields that exist only in HTTP/1.1.
    pub(super) fn upgrade_headers<'a>(
        &'a self,
        key: &'a [u8; KEY_LEN],
    ) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        // Base64 is ASCII, so this never fails.
        let key = core::str::from_utf8(key).unwrap_or_default();
        let fields = [
            ("Host", &*self.authority),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key),
        ];
        fields.into_iter().map(|(name, value)| (name, Cow::Borrowed(value)))
    }

    /// Returns the header fields that a request has in every version of HTTP.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let list = |items: &[Cow<'_, str>]| (!items.is_empty()).then(|| items.join(", "));
        let subprotocols: Vec<_> =
            self.subprotocols.iter().map(|name| Cow::Borrowed(name.as_str())).collect();
        let lists = [
            ("Sec-WebSocket-Protocol", list(&subprotocols)),
            ("Sec-WebSocket-Extensions", list(&self.offered_extensions())),
        ];
        let lists = lists.into_iter().filter_map(|(name, value)| Some((name, Cow::Owned(value?))));
        let authorization = self.own_authorization().map(|value| ("Authorization", value));
        let added = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let others = authorization.into_iter().chain(added);
        core::iter::once(("Sec-WebSocket-Version", Cow::Borrowed("13")))
            .chain(lists)
            .chain(others.map(|(name, value)| (name, Cow::Borrowed(value))))
    }

    pub(crate) fn check(&self) -> Result<(), RequestError> {
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
        if let Some(value) = self.own_authorization() {
            check_header("Authorization", value, &[])?;
        }
        for text in &self.extensions {
            Extension::parse_nonempty_list(text.as_bytes())?;
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
        // Hide the values: they may be secrets, such as cookies or credentials.
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
