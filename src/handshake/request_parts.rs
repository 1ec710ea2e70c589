//! A client's request as data, for an HTTP library that sends it.

use super::accept_key::{accept_key, key_of};
use super::client_request::{ClientRequest, RequestError};
use super::expected_response::ExpectedResponse;
use alloc::{string::String, vec::Vec};
use core::fmt;

/// A request that opens a WebSocket, as data. [`ClientRequest::upgrade`] and
/// [`ClientRequest::extended_connect`] create it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestParts {
    /// `GET` or `CONNECT`.
    pub method: &'static str,
    /// The `:protocol` of an extended CONNECT: `websocket`.
    pub protocol: Option<&'static str>,
    /// The host with its optional port: `:authority` of an extended CONNECT. In HTTP/1.1, the
    /// [`headers`](Self::headers) have it as `Host`.
    pub authority: String,
    /// The path with its optional query.
    pub target: String,
    /// The header fields, each with its name and value.
    pub headers: Vec<(String, String)>,
}

impl ClientRequest {
    /// Returns the request that upgrades HTTP/1.1 (RFC 6455 §4.1), to be sent by an HTTP library, and
    /// what to [expect](ExpectedResponse::check) of the response.
    ///
    /// `nonce` must be chosen at random for each request.
    ///
    /// ```
    /// use sansocket::handshake::{ClientRequest, HttpVersion, Url};
    ///
    /// let url: Url = "ws://example.com/chat".parse()?;
    /// let (request, expected) = ClientRequest::new(&url).upgrade(*b"the sample nonce")?;
    /// assert_eq!((request.method, &*request.target), ("GET", "/chat"));
    /// assert_eq!(request.headers[0], ("Host".into(), "example.com".into()));
    ///
    /// // What the library has received.
    /// let fields: [(&str, &[u8]); 3] = [
    ///     ("upgrade", b"websocket"),
    ///     ("connection", b"upgrade"),
    ///     ("sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    /// ];
    /// let response = expected.check(101, HttpVersion::HTTP_11, fields)?;
    /// assert_eq!(response.negotiated().subprotocol, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the request is invalid.
    pub fn upgrade(
        &self,
        nonce: [u8; 16],
    ) -> Result<(RequestParts, ExpectedResponse), RequestError> {
        self.check()?;
        let key = key_of(nonce);
        let headers = self.upgrade_headers(&key).chain(self.headers());
        let expected = ExpectedResponse::of(self, Some(accept_key(key)));
        Ok((self.parts("GET", None, headers), expected))
    }

    /// Returns the extended CONNECT that opens a WebSocket on a stream of HTTP/2 or HTTP/3 (RFC 8441
    /// §5, RFC 9220), to be sent by an HTTP library, and what to [expect](ExpectedResponse::check) of
    /// the response. The `:scheme` is `https` for `wss` and `http` for `ws`.
    ///
    /// Send it only once the peer's settings have enabled it (RFC 8441 §3).
    ///
    /// # Errors
    ///
    /// Returns an error if the request is invalid.
    pub fn extended_connect(&self) -> Result<(RequestParts, ExpectedResponse), RequestError> {
        self.check()?;
        let expected = ExpectedResponse::of(self, None);
        Ok((self.parts("CONNECT", Some("websocket"), self.headers()), expected))
    }

    fn parts<'a>(
        &self,
        method: &'static str,
        protocol: Option<&'static str>,
        headers: impl Iterator<Item = (&'a str, alloc::borrow::Cow<'a, str>)>,
    ) -> RequestParts {
        let headers = headers.map(|(name, value)| (name.into(), value.into_owned())).collect();
        let (authority, target) = (self.authority().into(), self.target().into());
        RequestParts { method, protocol, authority, target, headers }
    }
}

impl fmt::Debug for RequestParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hide the values: they may be secrets, such as cookies or credentials.
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("RequestParts")
            .field("method", &self.method)
            .field("protocol", &self.protocol)
            .field("authority", &self.authority)
            .field("target", &self.target)
            .field("headers", &names)
            .finish()
    }
}
