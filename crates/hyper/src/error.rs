//! Errors of upgrades.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use sansocket::handshake::{AcceptError, HandshakeError, PlainResponse, RequestError, UrlError};
use sansocket::random::RandomError;
use std::time::Duration;

/// Why no WebSocket was opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the peer sent does not open a WebSocket. This is the peer's fault, or its decision if it
    /// [refused](HandshakeError::Refused). [`HandshakeError::is_transient`] says whether trying again
    /// can help.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// A request of HTTP/2 has another method than CONNECT, so it opens no WebSocket (RFC 8441 §4). This
    /// is the client's fault.
    #[error("the method is {0}, but only CONNECT opens a WebSocket on HTTP/2")]
    NotConnect(Method),
    /// Your answer does not match the client's request, or can't be sent. Correct your server.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// The URL to connect to is invalid. Nothing was sent.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The request to connect with is invalid, for example because of a header field that you added.
    /// Nothing was sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// hyper does not upgrade the connection: your program does not call `with_upgrades`, another handler
    /// has already taken the upgrade, or a server of HTTP/2 accepts with another status than 200, which
    /// hyper's client can't use. Trying again does not help.
    #[error("the connection can't be upgraded: call with_upgrades")]
    NotUpgradable,
    /// hyper failed: the connection ended, or its peer broke the rules of HTTP. Trying again can help.
    #[error("the HTTP connection failed: {0}")]
    Hyper(#[source] hyper::Error),
    /// The connection ended in an orderly way before the WebSocket was open. Trying again can help.
    #[error("the HTTP connection ended")]
    ConnectionEnded,
    /// Another client than one of hyper's connections failed, such as a pool that could not connect.
    #[error("the HTTP client failed: {0}")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A message can't be expressed by the crate `http`. Correct what you passed in.
    #[error("not a valid HTTP message: {0}")]
    Http(#[from] http::Error),
    /// The handshake did not finish in time: the peer or the network is too slow. Trying again can
    /// help.
    #[error("the opening handshake was not finished in {0:?}")]
    Timeout(Duration),
    /// The server of an HTTP/2 connection did not enable extended CONNECT (RFC 8441 §3) in this time.
    /// Use HTTP/1.1 instead.
    #[error("the server did not enable extended CONNECT in {0:?}")]
    ExtendedConnectDisabled(Duration),
    /// The system has no random source, or the source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Error {
    /// Returns the response with which a server refuses the client, for a connection of this version
    /// of HTTP. It has the status and the fields that the error requires, and says what is wrong in its
    /// body. A connection of HTTP/1.1 ends after it, because the client may have sent frames already, which
    /// are no requests.
    pub fn response<B: From<Bytes>>(&self, version: http::Version) -> Response<B> {
        let response = match self {
            Self::Handshake(error) => error.response(),
            Self::NotConnect(method) => {
                let response = PlainResponse::new(405).header("Allow", "CONNECT");
                // hyper sends the body of a response to HEAD in HTTP/2, which must not have one (RFC 9110
                // §9.3.2).
                if method == Method::HEAD { response } else { response.body(format!("{self}\n")) }
            }
            _ => PlainResponse::new(500).body("internal server error\n"),
        };
        plain(response, version)
    }

    /// Converts the error of an upgrade. hyper reports a call that is missing as one of the user.
    pub(crate) fn of_upgrade(error: hyper::Error) -> Self {
        if error.is_user() { Self::NotUpgradable } else { Self::Hyper(error) }
    }

    /// Returns `true` if the same attempt may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Handshake(error) => error.is_transient(),
            Self::Hyper(_) | Self::ConnectionEnded | Self::Client(_) | Self::Timeout(_) => true,
            _ => false,
        }
    }
}

/// Converts a response that opens no WebSocket.
fn plain<B: From<Bytes>>(response: PlainResponse, version: http::Version) -> Response<B> {
    let response = if version >= http::Version::HTTP_2 { response.for_stream() } else { response };
    let body = Bytes::copy_from_slice(response.as_bytes());
    let mut converted = Response::new(B::from(body));
    let status = StatusCode::from_u16(response.status());
    *converted.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // The core has made these fields, so they are valid.
    let _ = crate::fields::append(converted.headers_mut(), response.headers());
    converted
}
