//! The opening handshake in HTTP/2 and HTTP/3: an extended CONNECT (RFC 8441 §4, RFC 9220 §3).
//!
//! An HTTP library reads and writes the fields. This module checks what a server receives, and says
//! what a client sends. Everything after the upgrade itself is as in HTTP/1.1.

use super::authority::{Authority, default_port};
use super::error::{HandshakeError, excerpt};
use super::offer::{self, single};
use super::request::Request;
use super::target::Target;
use super::version::OF_CONNECTIONS;
use crate::headers::{Fields, trim};
use alloc::vec::Vec;

/// The pseudo-header fields of an extended CONNECT (RFC 8441 §4).
///
/// ```
/// use sansocket::handshake::{Accept, ExtendedConnect, Request};
///
/// let connect = ExtendedConnect {
///     protocol: "websocket",
///     scheme: "https",
///     authority: "example.com",
///     path: "/chat",
/// };
/// let fields: [(&str, &[u8]); 2] =
///     [("sec-websocket-version", b"13"), ("sec-websocket-protocol", b"v2.chat")];
/// let request = Request::extended_connect(connect, fields)?;
/// assert_eq!((request.host(), request.path()), ("example.com", "/chat"));
///
/// let acceptance = request.acceptance(&Accept::new().subprotocol("v2.chat"))?;
/// assert_eq!(acceptance.status, 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "these are the fields of the request")]
pub struct ExtendedConnect<'a> {
    /// `:protocol`, which is `websocket`.
    pub protocol: &'a str,
    /// `:scheme`, which is `http` for `ws` and `https` for `wss`.
    pub scheme: &'a str,
    /// `:authority`: the host with its optional port.
    pub authority: &'a str,
    /// `:path`: the path with its optional query.
    pub path: &'a str,
}

impl Request {
    /// Checks an extended CONNECT that an HTTP/2 or HTTP/3 library has received (RFC 8441 §5).
    ///
    /// The library has advertised `SETTINGS_ENABLE_CONNECT_PROTOCOL`. Like [`new`](Self::new), this
    /// checks neither the origin nor the limits of the fields. The
    /// [`Acceptor`](crate::server::Acceptor::check) checks both.
    ///
    /// The request has one `Cookie`, even if the client has split it into several fields (RFC 9113
    /// §8.2.3).
    ///
    /// # Errors
    ///
    /// Returns an error if the request does not open a WebSocket.
    pub fn extended_connect<'a>(
        connect: ExtendedConnect<'_>,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, HandshakeError> {
        let ExtendedConnect { protocol, scheme, authority, path } = connect;
        // The names of protocols are those of `Upgrade`, whose case is of no importance (RFC 9110
        // §7.8).
        if !protocol.eq_ignore_ascii_case("websocket") {
            return Err(HandshakeError::Protocol(excerpt(protocol.as_bytes())));
        }
        if default_port(scheme).is_none() || !path.starts_with('/') {
            return Err(HandshakeError::InvalidTarget);
        }
        Authority::parse(authority).map_err(|_| HandshakeError::InvalidHost)?;
        let fields = joining_cookies(headers);
        check_fields(&fields, authority)?;
        Ok(Self::from_parts(Target::new(path.into())?, authority.into(), None, fields))
    }
}

/// Puts the pieces together into which a client may split its cookie. RFC 9113 §8.2.3 asks for that before
/// anything sees the fields that does not know HTTP/2.
fn joining_cookies<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Fields {
    let (pieces, others): (Vec<_>, Vec<_>) =
        headers.into_iter().partition(|(name, _)| name.eq_ignore_ascii_case("Cookie"));
    let values: Vec<_> = pieces.iter().map(|(_, piece)| trim(piece)).collect();
    let cookie = values.join(&b"; "[..]);
    let cookie = pieces.first().map(|(name, _)| (*name, &*cookie));
    others.into_iter().chain(cookie).collect()
}

fn check_fields(fields: &Fields, authority: &str) -> Result<(), HandshakeError> {
    // The check for a body finds a `Transfer-Encoding`.
    for name in OF_CONNECTIONS {
        if fields.first(name).is_some() {
            return Err(HandshakeError::ConnectionHeader(name));
        }
    }
    // RFC 9113 §8.3.1: a `Host` that differs from the authority makes the request malformed.
    if fields.first("Host").is_some()
        && !single(fields, "Host")?.eq_ignore_ascii_case(authority.as_bytes())
    {
        return Err(HandshakeError::InvalidHost);
    }
    offer::check(fields)
}
