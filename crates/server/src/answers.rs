//! Answers of the real-time layer as responses of HTTP.

use ::http::{HeaderName, HeaderValue, StatusCode};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use sansocket_realtime::{
    guard::{Answer, Client, Sources},
    http,
};

/// Makes a response of the status and the fields of a head.
pub(crate) fn response(head: &http::Head, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status(head.status);
    for (name, value) in head.fields() {
        // The names and values of the layer can all be sent.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Makes a response of one of the layer.
pub(crate) fn whole(whole: http::Response) -> Response {
    response(&whole.head, Body::from(whole.body))
}

/// Makes a body that counts as its client's until the client has taken it, or has gone.
///
/// Over HTTP/2 a client can ask for many answers and take none, or a byte of each. What holds it is the memory
/// itself: whoever writes the response can drop the body before.
pub(crate) fn counted(body: Bytes, client: Client) -> Body {
    Body::from(Bytes::from_owner(Counted { body, _client: client }))
}

struct Counted {
    body: Bytes,
    _client: Client,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// Makes the response to a request that is refused: a problem (RFC 9457).
pub(crate) fn problem(answer: &Answer, sources: &Sources) -> Response {
    let mut response = whole(http::Response::from(answer));
    add_challenge(&mut response, answer.status, sources);
    response
}

/// Adds the challenge that a response of status 401 must have (RFC 9110 §15.5.2).
pub(crate) fn add_challenge(response: &mut Response, status: u16, sources: &Sources) {
    if status == 401 {
        if let Ok(challenge) = HeaderValue::from_str(&sources.challenge()) {
            response.headers_mut().insert(::http::header::WWW_AUTHENTICATE, challenge);
        }
    }
}

/// The layer has valid statuses alone.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Makes the response of a server that is about to end.
pub(crate) fn unavailable() -> Response {
    let mut response = plain_problem(503, "the server shuts down");
    response.headers_mut().insert(::http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Makes the response that describes a problem (RFC 9457) of one status.
pub(crate) fn plain_problem(status: u16, detail: &str) -> Response {
    whole(http::Response::problem(status, detail))
}

/// Makes a response of JSON that is of one moment. It [counts](counted) as its client's.
pub(crate) fn json(
    status: StatusCode,
    value: &serde_json::Value,
    client: Option<Client>,
) -> Response {
    let body = value.to_string();
    let body = match client {
        Some(client) => counted(body.into(), client),
        None => body.into(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(::http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(::http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    fields.insert(::http::header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
