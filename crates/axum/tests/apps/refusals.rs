//! Requests that open no WebSocket, and the responses to them (RFC 6455 §4.2, RFC 8441 §4, §5).

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, Version, header::HeaderName, request::Builder},
    response::Response,
    routing::any,
};
use hyper::ext::Protocol;
use sansocket_axum::WebSocketUpgrade;
use tower::ServiceExt;

/// Sends a request that opens a WebSocket, after a change.
async fn respond(valid: Builder, change: impl FnOnce(&mut Request<Body>)) -> (Response, String) {
    let handler = async |ws: WebSocketUpgrade| {
        ws.on_upgrade(async |_| panic!("the connection can't be upgraded"))
    };
    let mut request = valid.header("Sec-WebSocket-Version", "13").body(Body::empty()).unwrap();
    change(&mut request);
    let response = Router::new().route("/", any(handler)).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1000).await.unwrap();
    (Response::from_parts(parts, Body::empty()), String::from_utf8(body.into()).unwrap())
}

async fn http1(change: impl FnOnce(&mut Request<Body>)) -> (Response, String) {
    let valid = Request::get("/")
        .header("Host", "h")
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    respond(valid, change).await
}

async fn http2(change: impl FnOnce(&mut Request<Body>)) -> (Response, String) {
    let valid = Request::connect("https://h/")
        .version(Version::HTTP_2)
        .extension(Protocol::from_static("websocket"));
    respond(valid, change).await
}

#[tokio::test]
async fn requests_of_http1_are_refused_as_by_other_servers_of_sansocket() {
    let set = |name, value: &'static str| {
        move |request: &mut Request<Body>| {
            let name: HeaderName = name;
            request.headers_mut().insert(name, value.parse().unwrap());
        }
    };
    let name = HeaderName::from_static;
    let (response, body) = http1(|request| *request.method_mut() = Method::POST).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET");
    assert_eq!(body, "the method is POST, but only GET opens a WebSocket\n");

    let (response, body) = http1(|request| *request.version_mut() = Version::HTTP_10).await;
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(body, "HTTP/1.0 is not HTTP/1.1\n");

    let (response, body) = http1(set(name("connection"), "keep-alive")).await;
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(body, "Connection does not list upgrade\n");

    let (response, body) = http1(set(name("upgrade"), "h2c")).await;
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(body, "Upgrade does not name websocket\n");

    let (response, body) = http1(set(name("sec-websocket-version"), "8")).await;
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    assert_eq!(body, "Sec-WebSocket-Version is 8, this server supports 13\n");

    let key = "sec-websocket-key";
    let (response, body) = http1(|request| drop(request.headers_mut().remove(key))).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(body, "no Sec-WebSocket-Key header\n");

    let (response, body) = http1(set(name(key), "short")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(body, "Sec-WebSocket-Key of 5 characters is not 16 bytes in base64\n");

    let (response, body) = http1(set(name("sec-websocket-protocol"), "a b")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(body, "Sec-WebSocket-Protocol is not a list of distinct tokens\n");
}

#[tokio::test]
async fn requests_of_http2_are_refused_without_fields_of_http1() {
    let (response, body) = http2(|request| *request.method_mut() = Method::GET).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "CONNECT");
    assert_eq!(body, "the method is GET, but only CONNECT opens a WebSocket on HTTP/2\n");

    let other = Protocol::from_static("connect-udp");
    let (response, body) = http2(|request| {
        request.extensions_mut().insert(other);
    })
    .await;
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    assert_eq!(body, "the :protocol is \"connect-udp\" instead of websocket\n");

    let (response, _) = http2(|request| {
        request.headers_mut().insert("sec-websocket-version", "8".parse().unwrap());
    })
    .await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    assert!(!response.headers().contains_key("connection"));
    assert!(!response.headers().contains_key("upgrade"));
}

#[tokio::test]
async fn a_connection_that_cannot_be_upgraded_is_the_servers_fault() {
    for (response, body) in [http1(|_| {}).await, http2(|_| {}).await] {
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body, "internal server error\n");
    }
}
