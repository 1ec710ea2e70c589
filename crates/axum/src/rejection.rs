//! Why a request is not one for a WebSocket, and the response that says so.

use crate::UpgradeError;
use axum_core::response::{IntoResponse, Response};
use http::{StatusCode, Version};
use std::{error::Error, fmt};

/// Why [`WebSocketUpgrade`](crate::WebSocketUpgrade) could not be extracted, or its
/// [`accept`](crate::WebSocketUpgrade::accept) failed.
///
/// As a response, it has the status, the fields and the body with which a server of
/// [`sansocket`] refuses the same request:
///
/// | the request | HTTP/1.1 | HTTP/2 |
/// |---|---|---|
/// | has another method than GET or, on HTTP/2, CONNECT | 405 with `Allow` | 405 with `Allow` |
/// | does not name `websocket` in `Upgrade` or `:protocol`, or has no `Connection: Upgrade` | 426 | 501 |
/// | has another `Sec-WebSocket-Version` than 13 | 426 | 400 |
/// | has no valid `Sec-WebSocket-Key`, `Host` or list of subprotocols | 400 | 400 |
/// | is one of HTTP/1.0 | 426 | |
/// | comes from a page whose origin is not allowed | 403 | 403 |
/// | does not match your answer, such as its subprotocol | 500 | 500 |
/// | came over a connection that can't be upgraded, or whose upgrade another extractor has taken | 500 | 500 |
///
/// Match on [`error`](Self::error) to answer otherwise:
///
/// ```
/// use axum::response::{Html, IntoResponse, Response};
/// use sansocket_axum::{
///     UpgradeError, WebSocketUpgrade, WebSocketUpgradeRejection, sansocket::handshake::HandshakeError,
/// };
///
/// /// Says more to visitors who follow a link to the WebSocket.
/// async fn handler(ws: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Response {
///     match ws {
///         Ok(ws) => ws.on_upgrade(|_websocket| async {}),
///         Err(rejection) => match rejection.error() {
///             UpgradeError::Handshake(HandshakeError::NoUpgrade) => {
///                 (rejection.status(), Html("<p>This address is for the app.")).into_response()
///             }
///             _ => rejection.into_response(),
///         },
///     }
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::any(handler));
/// ```
#[derive(Debug)]
pub struct WebSocketUpgradeRejection {
    error: UpgradeError,
    version: Version,
}

impl WebSocketUpgradeRejection {
    pub(crate) fn new(error: UpgradeError, version: Version) -> Self {
        Self { error, version }
    }

    /// Returns what is wrong with the request.
    #[must_use]
    pub fn error(&self) -> &UpgradeError {
        &self.error
    }

    /// Returns what is wrong with the request.
    #[must_use]
    pub fn into_error(self) -> UpgradeError {
        self.error
    }

    /// Returns the status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.error.response::<axum_core::body::Body>(self.version).status()
    }
}

impl IntoResponse for WebSocketUpgradeRejection {
    fn into_response(self) -> Response {
        self.error.response(self.version)
    }
}

impl fmt::Display for WebSocketUpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for WebSocketUpgradeRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
