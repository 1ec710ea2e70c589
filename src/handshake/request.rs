use super::accept_key::KEY_LEN;
use super::authority::{Authority, default_port};
use super::error::HandshakeError;
use super::offer::{self, only};
use super::start_line::RequestLine;
use super::version::HttpVersion;
use crate::headers::{Extension, Fields, elements, header_accessors, lists_token};
use alloc::boxed::Box;
use base64::{
    Engine, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};

/// A client's request to open a WebSocket, which is as RFC 6455 §4.2.1 demands.
///
/// It owns all it says, so it can be kept and passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    target: Box<str>,
    /// Where in the target its path begins.
    path_start: usize,
    host: Box<str>,
    key: [u8; KEY_LEN],
    fields: Fields,
}

/// Keys whose last character has bits set beyond the 16 bytes are accepted: so is the example of
/// RFC 6455 §4.1.
const KEY_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

impl Request {
    /// Checks a request that something else has parsed, such as an HTTP library.
    ///
    /// # Errors
    ///
    /// If it does not open a WebSocket.
    pub fn new<'a>(
        method: &str,
        target: &str,
        version: HttpVersion,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, HandshakeError> {
        Self::check(RequestLine::new(method, target, version)?, headers.into_iter().collect())
    }

    /// The method: GET always.
    #[must_use]
    pub fn method(&self) -> &str {
        "GET"
    }

    /// The request target as it came: a path with or without a query, or an absolute URI.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The path of the target, percent-encoded as it came.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.path_and_query().split_once('?').map_or(self.path_and_query(), |parts| parts.0) {
            "" => "/",
            path => path,
        }
    }

    /// The query of the target, without its question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.path_and_query().split_once('?').map(|(_, query)| query)
    }

    /// The host that the request is for, with the port if it names one: the one in the target, if
    /// that is an absolute URI, else that of `Host` (RFC 9112 §3.2.2).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The `Origin`: where the script comes from that a browser sent the request for.
    ///
    /// `None` also for one that is not text; see [`OriginPolicy`](crate::OriginPolicy).
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.fields.first_text("Origin")
    }

    /// The subprotocols that the client offers, the preferred first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.fields
            .named("Sec-WebSocket-Protocol")
            .flat_map(elements)
            .filter_map(|name| core::str::from_utf8(name).ok())
    }

    /// The extensions that the client offers, the preferred first. One of a name may be offered
    /// several times, as alternatives (RFC 6455 §9.1).
    pub fn extensions(&self) -> impl Iterator<Item = Extension> {
        self.fields
            .named("Sec-WebSocket-Extensions")
            .flat_map(Extension::list)
            .filter_map(Result::ok)
    }

    header_accessors!();

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The checks of RFC 6455 §4.2.1 on what HTTP/1.1 has of its own behind the request line, then
    /// those on the offer.
    pub(super) fn check(line: RequestLine, fields: Fields) -> Result<Self, HandshakeError> {
        let RequestLine { target } = line;
        let (authority, path_start) = split_target(&target)?;
        let named = host(&fields)?;
        let host = authority.unwrap_or(named).into();
        upgrade(&fields)?;
        offer::check(&fields)?;
        let key = key(&fields)?;
        Ok(Self { target, path_start, host, key, fields })
    }

    fn path_and_query(&self) -> &str {
        &self.target[self.path_start..]
    }
}

/// The authority of an absolute target, and where the path begins (RFC 9112 §3.2.1, §3.2.2).
fn split_target(target: &str) -> Result<(Option<&str>, usize), HandshakeError> {
    // Who parsed the target may not have been strict about white space or fragments.
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(HandshakeError::InvalidTarget);
    }
    if target.starts_with('/') {
        return Ok((None, 0));
    }
    let (scheme, rest) = target.split_once("://").ok_or(HandshakeError::InvalidTarget)?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if default_port(scheme).is_none() || Authority::parse(authority).is_err() {
        return Err(HandshakeError::InvalidTarget);
    }
    Ok((Some(authority), target.len() - rest.len() + authority.len()))
}

/// Exactly one host, whether or not the target overrides it (RFC 9112 §3.2).
fn host(fields: &Fields) -> Result<&str, HandshakeError> {
    let host = only(fields, "Host")?;
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
    let value = only(fields, "Sec-WebSocket-Key")?;
    let invalid = HandshakeError::InvalidKey { len: value.len() };
    let Ok(key) = <[u8; KEY_LEN]>::try_from(value) else { return Err(invalid) };
    let mut nonce = [0; KEY_LEN];
    match KEY_ENCODING.decode_slice(key, &mut nonce) {
        Ok(16) => Ok(key),
        _ => Err(invalid),
    }
}
