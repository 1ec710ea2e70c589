use super::{
    Accept, AcceptError, HandshakeError, HttpVersion,
    accept_key::KEY_LEN,
    authority::{Authority, default_port},
    error::excerpt,
};
use crate::{
    ExtensionError, Negotiated, WriteBuffer,
    headers::{ExtensionList, Fields, elements, is_token, lists_token},
};
use alloc::{boxed::Box, collections::BTreeSet};
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
        Self::check(method, target, version, headers.into_iter().collect())
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
    /// `None` also for one that is not text; see [`OriginPolicy`](super::OriginPolicy).
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

    /// All header fields in their order. Names are as they came, in any case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter()
    }

    /// The value of the first header of a name, whatever the case of its letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.fields.first(name)
    }

    /// The values of all headers of a name, in their order.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.named(name)
    }

    /// Appends the answer that opens the WebSocket (RFC 6455 §4.2.2).
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

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The checks of RFC 6455 §4.2.1 and of HTTP, the more general ones first.
    pub(super) fn check(
        method: &str,
        target: &str,
        version: HttpVersion,
        fields: Fields,
    ) -> Result<Self, HandshakeError> {
        if version.major != 1 {
            return Err(HandshakeError::HttpVersion(version));
        }
        if method != "GET" {
            return Err(HandshakeError::Method(excerpt(method.as_bytes())));
        }
        if version < HttpVersion::HTTP_11 {
            return Err(HandshakeError::HttpVersion(version));
        }
        let (authority, path_start) = split_target(target)?;
        let named = host(&fields)?;
        let host = authority.unwrap_or(named).into();
        no_body(&fields)?;
        upgrade(&fields)?;
        websocket_version(&fields)?;
        let key = key(&fields)?;
        subprotocols(&fields)?;
        extensions(&fields)?;
        Ok(Self { target: target.into(), path_start, host, key, fields })
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

/// A body would be read as frames, or frames as a body by something in between.
fn no_body(fields: &Fields) -> Result<(), HandshakeError> {
    if fields.first("Transfer-Encoding").is_some() {
        return Err(HandshakeError::TransferEncoding);
    }
    match content_length(fields)? {
        None | Some(0) => Ok(()),
        Some(len) => Err(HandshakeError::Body { len }),
    }
}

/// One number, which may be repeated (RFC 9112 §6.3, item 5).
pub(super) fn content_length(fields: &Fields) -> Result<Option<u64>, HandshakeError> {
    let mut len = None;
    for value in fields.named("Content-Length") {
        // Every element has to be valid, so an empty one is not passed over here.
        for element in value.split(|&byte| byte == b',') {
            let digits = crate::headers::trim(element);
            let number = core::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
            let valid = digits.iter().all(u8::is_ascii_digit) && number.is_some();
            if !valid || (len.is_some() && len != number) {
                return Err(HandshakeError::InvalidContentLength);
            }
            len = number;
        }
    }
    Ok(len)
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

fn websocket_version(fields: &Fields) -> Result<(), HandshakeError> {
    const NAME: &str = "Sec-WebSocket-Version";
    // Early drafts had no such header.
    if fields.first(NAME).is_none() {
        return Err(HandshakeError::WebSocketVersion(None));
    }
    let version = only(fields, NAME)?;
    if version != b"13" {
        let number = core::str::from_utf8(version).ok().and_then(|text| text.parse().ok());
        return Err(HandshakeError::WebSocketVersion(number.filter(|number| *number != 13)));
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

/// Tokens, each once (RFC 6455 §4.1, item 10 of the request).
fn subprotocols(fields: &Fields) -> Result<(), HandshakeError> {
    let mut seen = BTreeSet::new();
    for name in fields.named("Sec-WebSocket-Protocol").flat_map(elements) {
        if !is_token(name) || !seen.insert(name) {
            return Err(HandshakeError::InvalidSubprotocols);
        }
    }
    if seen.is_empty() && fields.first("Sec-WebSocket-Protocol").is_some() {
        return Err(HandshakeError::InvalidSubprotocols);
    }
    Ok(())
}

/// Extensions of the form of RFC 6455 §9.1. None is known here, so all are passed over.
fn extensions(fields: &Fields) -> Result<(), HandshakeError> {
    let mut named = false;
    for line in fields.named("Sec-WebSocket-Extensions") {
        let mut list = ExtensionList::new(line);
        while list.next_extension()?.is_some() {
            named = true;
        }
    }
    if !named && fields.first("Sec-WebSocket-Extensions").is_some() {
        return Err(ExtensionError::Empty.into());
    }
    Ok(())
}

/// The value of a header that has to be there once.
pub(super) fn only<'a>(fields: &'a Fields, name: &'static str) -> Result<&'a [u8], HandshakeError> {
    let value = fields.first(name).ok_or(HandshakeError::MissingHeader(name))?;
    match fields.named(name).count() {
        1 => Ok(value),
        count => {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            Err(HandshakeError::RepeatedHeader { name, count })
        }
    }
}
