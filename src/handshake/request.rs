//! A client's request, as a server receives it (RFC 6455 §4.2.1).

use super::accept_key::KEY_LEN;
use super::authority::Authority;
use super::error::HandshakeError;
use super::offer::{self, single};
use super::start_line::RequestLine;
use super::target::{Target, target_accessors};
use super::version::HttpVersion;
use crate::headers::{Extension, Fields, elements, header_accessors, lists_token};
use crate::limits::Limits;
use alloc::boxed::Box;
use base64::{
    Engine, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use core::net::SocketAddr;

/// A client's request to open a WebSocket, valid according to RFC 6455 §4.2.1.
///
/// A request owns its data, so you can store it and move it.
///
/// ```
/// use sansocket::handshake::Request;
///
/// fn describe(request: &Request) -> String {
///     let agent = request.header_text("User-Agent").unwrap_or("a client");
///     let query = request.raw_query().unwrap_or("no query");
///     format!("{agent} asks {} for {} with {query}", request.host(), request.path())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    target: Target,
    host: Box<str>,
    /// `None` for an extended CONNECT (RFC 8441 §5).
    key: Option<[u8; KEY_LEN]>,
    fields: Fields,
    client: Option<SocketAddr>,
}

/// Accepts keys whose last character has bits set beyond the 16 bytes, like the example of
/// RFC 6455 §4.1.
const KEY_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

impl Request {
    /// Checks a request that was parsed elsewhere, such as by an HTTP library.
    ///
    /// This checks neither the origin nor the limits of the head. Let an
    /// [`Acceptor`](crate::server::Acceptor::check) check both: without it, any web page can connect with
    /// the cookies of its visitor. For HTTP/2 and HTTP/3, see
    /// [`extended_connect`](Self::extended_connect).
    ///
    /// ```
    /// use sansocket::{
    ///     buffer::ReadBuffer,
    ///     connection::{Connection, Server},
    ///     handshake::{Accept, Acceptance, HttpVersion, PlainResponse, Request},
    ///     server::Acceptor,
    /// };
    ///
    /// /// What an HTTP library has parsed. `unread` is what arrived after the head.
    /// fn upgrade(
    ///     method: &str,
    ///     target: &str,
    ///     headers: &[(&str, &[u8])],
    ///     unread: &[u8],
    /// ) -> Result<(Acceptance, Connection<Server>, ReadBuffer), PlainResponse> {
    ///     // A server has one acceptor.
    ///     let acceptor: Acceptor = Acceptor::new();
    ///     let headers = headers.iter().copied();
    ///     let mut request = Request::new(method, target, HttpVersion::HTTP_11, headers)
    ///         .map_err(|error| error.response())?;
    ///     acceptor.check(&mut request, None).map_err(|error| error.response())?;
    ///     let (acceptance, config) = acceptor.acceptance(&request, &Accept::new())
    ///         .map_err(|error| PlainResponse::new(500).body(error.to_string()))?;
    ///     let connection = Connection::new(Server::new(), &acceptance.negotiated, config);
    ///     let mut input = ReadBuffer::new();
    ///     input.extend_from_slice(unread); // Advance through this before the first read.
    ///     Ok((acceptance, connection, input))
    /// }
    ///
    /// let refusal = upgrade("GET", "/chat", &[("Host", b"example.com")], b"").unwrap_err();
    /// assert_eq!(refusal.status(), 426);
    /// let upgrade = refusal.headers().find(|(name, _)| *name == "Upgrade");
    /// assert_eq!(upgrade, Some(("Upgrade", "websocket")));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the request does not open a WebSocket.
    pub fn new<'a>(
        method: &str,
        target: &str,
        version: HttpVersion,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, HandshakeError> {
        Self::check(RequestLine::new(method, target, version)?, headers.into_iter().collect())
    }

    target_accessors!();

    /// Returns the requested host with its optional port. It comes from the target if that is an
    /// absolute URI, otherwise from `Host` (RFC 9112 §3.2.2) or `:authority` (RFC 8441 §5).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the `Origin`: the origin of the script for which a browser sent the request.
    ///
    /// Returns `None` also for an `Origin` that is not valid UTF-8; see
    /// [`OriginPolicy`](crate::server::OriginPolicy).
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.fields.first_text("Origin")
    }

    /// Iterates over the subprotocols that the client offers, in order of preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.fields
            .named("Sec-WebSocket-Protocol")
            .flat_map(elements)
            .filter_map(|name| core::str::from_utf8(name).ok())
    }

    /// Iterates over the extensions that the client offers, in order of preference. A name may
    /// occur several times, as alternatives (RFC 6455 §9.1).
    pub fn extensions(&self) -> impl Iterator<Item = Extension> {
        self.fields
            .named("Sec-WebSocket-Extensions")
            .flat_map(Extension::list)
            .filter_map(Result::ok)
    }

    header_accessors!();

    /// Returns the address of the client. It is the peer's, unless that is one of the
    /// [trusted proxies](crate::server::TrustedProxies) that say whose connection they forward. If
    /// they don't say the port, that is 0. An IPv4 address that is mapped to IPv6, as the peers of a
    /// listener on both are, is returned as IPv4.
    ///
    /// Returns `None` if nobody told the address of the peer: for a
    /// [request](Self::new) that was parsed elsewhere, or on a stream other than TCP. See
    /// [`Accepting::peer`](crate::server::Accepting::peer).
    #[doc(alias = "remote_addr")]
    #[doc(alias = "peer_addr")]
    #[must_use]
    pub fn client_address(&self) -> Option<SocketAddr> {
        self.client
    }

    /// Sets the [address of the client](Self::client_address).
    pub(crate) fn set_client_address(&mut self, address: SocketAddr) {
        self.client = Some(address);
    }

    /// Returns `true` if this is an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441), and `false` if it
    /// is an upgrade of HTTP/1.1.
    #[must_use]
    pub fn is_extended_connect(&self) -> bool {
        self.key.is_none()
    }

    /// Checks the limits of the head for a request that was parsed elsewhere. The bytes are those that it
    /// has, or would have, in HTTP/1.1.
    pub(crate) fn check_limits(&self, limits: &Limits) -> Result<(), HandshakeError> {
        let limit = limits.handshake_line.min(limits.handshake_bytes);
        let line = "GET  HTTP/1.1\r\n".len() + self.target.as_str().len();
        if line > limit {
            return Err(HandshakeError::RequestLineTooLong { limit });
        }
        if self.fields.iter().count() > limits.handshake_headers {
            return Err(HandshakeError::TooManyHeaders { limit: limits.handshake_headers });
        }
        let fields =
            self.fields.iter().map(|(name, value)| name.len() + value.len() + ": \r\n".len());
        if line + fields.sum::<usize>() + "\r\n".len() > limits.handshake_bytes {
            return Err(HandshakeError::HeadTooLong { limit: limits.handshake_bytes });
        }
        Ok(())
    }

    pub(super) fn key(&self) -> Option<&[u8; KEY_LEN]> {
        self.key.as_ref()
    }

    pub(super) fn from_parts(
        target: Target,
        host: Box<str>,
        key: Option<[u8; KEY_LEN]>,
        fields: Fields,
    ) -> Self {
        Self { target, host, key, fields, client: None }
    }

    /// Performs the checks of RFC 6455 §4.2.1 that are specific to HTTP/1.1, then those of the
    /// offer. The request line was checked before.
    pub(super) fn check(line: RequestLine, fields: Fields) -> Result<Self, HandshakeError> {
        let target = Target::new(line.target)?;
        let named = host(&fields)?;
        let host = target.authority().unwrap_or(named).into();
        upgrade(&fields)?;
        offer::check(&fields)?;
        let key = key(&fields)?;
        Ok(Self::from_parts(target, host, Some(key), fields))
    }
}

/// Returns the host. There must be exactly one, even if the target overrides it (RFC 9112 §3.2).
pub(super) fn host(fields: &Fields) -> Result<&str, HandshakeError> {
    let host = single(fields, "Host")?;
    Authority::parse_bytes(host).map_err(|_| HandshakeError::InvalidHost)?;
    core::str::from_utf8(host).map_err(|_| HandshakeError::InvalidHost)
}

fn upgrade(fields: &Fields) -> Result<(), HandshakeError> {
    if !lists_token(fields.named("Upgrade"), "websocket") {
        return Err(HandshakeError::NoUpgrade);
    }
    if !lists_token(fields.named("Connection"), "upgrade") {
        return Err(HandshakeError::NoConnectionUpgrade);
    }
    Ok(())
}

fn key(fields: &Fields) -> Result<[u8; KEY_LEN], HandshakeError> {
    let value = single(fields, "Sec-WebSocket-Key")?;
    let invalid = HandshakeError::InvalidKey { len: value.len() };
    let Ok(key) = <[u8; KEY_LEN]>::try_from(value) else { return Err(invalid) };
    let mut nonce = [0; KEY_LEN];
    match KEY_ENCODING.decode_slice(key, &mut nonce) {
        Ok(16) => Ok(key),
        _ => Err(invalid),
    }
}
