//! How a handler gets a [`WebSocketUpgrade`].

use crate::{Acceptor, WebSocketUpgrade, WebSocketUpgradeRejection};
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::{Method, Version, header, request::Parts};
use sansocket::handshake::HandshakeError;
use sansocket_hyper::{Error, UpgradeRequest};
use std::net::SocketAddr;

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        extract(parts).map_err(|error| WebSocketUpgradeRejection::new(error, parts.version))
    }
}

/// `None` is a request that does not ask for a WebSocket, but for a page or another protocol. One that asks for it in the wrong way is
/// rejected.
impl<S: Send + Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        match extract(parts) {
            Ok(upgrade) => Ok(Some(upgrade)),
            Err(error) if asks_for_something_else(parts, &error) => Ok(None),
            Err(error) => Err(WebSocketUpgradeRejection::new(error, parts.version)),
        }
    }
}

/// Performs all checks but those of the origin and of the limits: the handler has yet to say what it allows.
fn extract(parts: &mut Parts) -> Result<WebSocketUpgrade, Error> {
    let peer = peer(parts);
    let acceptor = parts.extensions.get::<Acceptor>().cloned().unwrap_or_default();
    let request = UpgradeRequest::from_parts(&acceptor, parts, peer)?;
    Ok(WebSocketUpgrade::new(request, acceptor, parts.version))
}

fn asks_for_something_else(parts: &Parts, error: &Error) -> bool {
    if parts.version >= Version::HTTP_2 {
        // Other protocols begin with a CONNECT, too (RFC 8441 §4).
        return parts.method != Method::CONNECT
            || matches!(error, Error::Handshake(HandshakeError::Protocol(_)));
    }
    // Not the error: a request to upgrade to another protocol may have any method.
    let upgrades = parts.headers.get_all(header::UPGRADE).iter();
    let mut protocols = upgrades.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    !protocols.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

#[cfg(feature = "connect-info")]
fn peer(parts: &Parts) -> Option<SocketAddr> {
    let info = parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>();
    info.map(|info| info.0)
}

#[cfg(not(feature = "connect-info"))]
fn peer(_: &Parts) -> Option<SocketAddr> {
    None
}
