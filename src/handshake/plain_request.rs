//! Requests that do not ask for a WebSocket.

use super::error::HandshakeError;
use super::offer::no_body;
use super::request::host;
use super::start_line::RequestLine;
use super::target::{Target, target_accessors};
use crate::headers::{Fields, header_accessors, lists_token};

/// An HTTP request that does not ask for a WebSocket, such as a health check or a page request. It
/// is a well-formed HTTP/1 GET or HEAD request without a body and without `Upgrade: websocket`.
///
/// A server can opt in to answering such requests: see
/// [`Acceptor::plain_response`](crate::server::Acceptor::plain_response). Their origin is not
/// checked: the [`OriginPolicy`](crate::server::OriginPolicy) applies to WebSockets only, because
/// browsers themselves restrict what other pages may read of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainRequest {
    is_head: bool,
    target: Target,
    fields: Fields,
    refusal: HandshakeError,
}

impl PlainRequest {
    /// Returns `true` if the method is HEAD. Respond as to GET: the body is omitted for you
    /// (RFC 9110 §9.3.2).
    #[must_use]
    pub const fn is_head(&self) -> bool {
        self.is_head
    }

    target_accessors!();

    header_accessors!();

    /// Returns the error with which the request is refused if the server does not answer it.
    pub(crate) const fn refusal(&self) -> &HandshakeError {
        &self.refusal
    }

    /// Creates a plain request from a head. Returns both parts if it is not a plain request.
    pub(super) fn of(line: RequestLine, fields: Fields) -> Result<Self, (RequestLine, Fields)> {
        if asks_for_websocket(&fields) || !has_host(&line, &fields) || no_body(&fields).is_err() {
            return Err((line, fields));
        }
        let Ok(target) = Target::new(line.target.clone()) else { return Err((line, fields)) };
        let refusal = line.deferred.unwrap_or(HandshakeError::NoUpgrade);
        Ok(Self { is_head: line.is_head, target, fields, refusal })
    }
}

/// Returns `true` if the client names `websocket`: it wants a WebSocket, and the response should
/// say what is wrong with its request.
fn asks_for_websocket(fields: &Fields) -> bool {
    lists_token(fields.named("Upgrade"), "websocket")
}

/// Checks the `Host` header, which HTTP/1.0 requests may omit (RFC 9112 §3.2).
fn has_host(line: &RequestLine, fields: &Fields) -> bool {
    let may_be_missing = !line.has_upgrade && fields.first("Host").is_none();
    may_be_missing || host(fields).is_ok()
}
