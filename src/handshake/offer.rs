//! The checks of a request that do not concern the upgrade of HTTP/1.1: what the client offers.

use super::body::{InvalidLength, content_length};
use super::error::HandshakeError;
use crate::headers::{ExtensionError, ExtensionList, Fields, elements, is_token};
use alloc::collections::BTreeSet;

/// Performs the checks of RFC 6455 §4.2.1 that would also apply over HTTP/2 (RFC 8441 §5).
pub(super) fn check(fields: &Fields) -> Result<(), HandshakeError> {
    no_body(fields)?;
    websocket_version(fields)?;
    subprotocols(fields)?;
    extensions(fields)
}

/// Rejects a body: this endpoint would read it as frames, or an intermediary frames as a body.
pub(super) fn no_body(fields: &Fields) -> Result<(), HandshakeError> {
    if fields.first("Transfer-Encoding").is_some() {
        return Err(HandshakeError::TransferEncoding);
    }
    match content_length(fields) {
        Ok(None | Some(0)) => Ok(()),
        Ok(Some(len)) => Err(HandshakeError::Body { len }),
        Err(InvalidLength) => Err(HandshakeError::InvalidContentLength),
    }
}

fn websocket_version(fields: &Fields) -> Result<(), HandshakeError> {
    const NAME: &str = "Sec-WebSocket-Version";
    // Clients of early drafts do not send this header.
    if fields.first(NAME).is_none() {
        return Err(HandshakeError::WebSocketVersion(None));
    }
    let version = single(fields, NAME)?;
    if version != b"13" {
        return Err(HandshakeError::WebSocketVersion(number(version)));
    }
    Ok(())
}

/// Parses a number up to 255 without leading zeros (RFC 6455 §4.3).
fn number(version: &[u8]) -> Option<u8> {
    match version {
        [b'0', _, ..] => None,
        digits if digits.iter().all(u8::is_ascii_digit) => {
            core::str::from_utf8(digits).ok()?.parse().ok()
        }
        _ => None,
    }
}

/// Checks that the subprotocols are distinct tokens (RFC 6455 §4.1, item 10 of the request).
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

/// Checks the syntax of the extensions (RFC 6455 §9.1), whichever they are.
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

/// Returns the value of a header that must occur exactly once.
pub(super) fn single<'a>(
    fields: &'a Fields,
    name: &'static str,
) -> Result<&'a [u8], HandshakeError> {
    let value = fields.first(name).ok_or(HandshakeError::MissingHeader(name))?;
    match fields.named(name).count() {
        1 => Ok(value),
        count => {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            Err(HandshakeError::RepeatedHeader { name, count })
        }
    }
}
