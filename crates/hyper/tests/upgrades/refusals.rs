//! Requests that open no WebSocket, and how they are answered.

use crate::server::{Body, Server, http1, http2, run};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Builder};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::TokioIo;
use sansocket::{
    handshake::{Accept, HandshakeError},
    server::Acceptor,
};
use sansocket_hyper::{Error, UpgradeRequest};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    sync::mpsc,
};

type Change = fn(Builder) -> Builder;

fn upgrade() -> Builder {
    Request::get("/")
        .header("Host", "h")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

fn extended_connect() -> Builder {
    Request::connect("http://h/")
        .version(http::Version::HTTP_2)
        .extension(hyper::ext::Protocol::from_static("websocket"))
}

fn version_13(request: Builder) -> Builder {
    request.header("Sec-WebSocket-Version", "13")
}

/// Sends a request over HTTP/1.1.
async fn over_http1(request: Builder) -> (Response<()>, String) {
    let server = Server::new(Acceptor::new());
    let mut sender = http1(server.connection().0).await;
    read(sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap()).await
}

/// Sends a request over HTTP/2.
async fn over_http2(request: Builder) -> (Response<()>, String) {
    let server = Server::new(Acceptor::new());
    let mut sender = http2(server.connection().0).await;
    let request = request.body(Empty::new()).unwrap();
    read(sender.get_mut().send_request(request).await.unwrap()).await
}

async fn read(response: Response<Incoming>) -> (Response<()>, String) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn the_core_refuses_in_both_versions() {
    let cases: [(Change, StatusCode, &str); 3] = [
        (
            |request| version_13(request).header("Sec-WebSocket-Protocol", "a, a"),
            StatusCode::BAD_REQUEST,
            "Sec-WebSocket-Protocol is not a list of distinct tokens\n",
        ),
        (
            |request| version_13(request).header("Sec-WebSocket-Extensions", "a; ="),
            StatusCode::BAD_REQUEST,
            "invalid Sec-WebSocket-Extensions: expected a token at byte 3\n",
        ),
        (
            |request| version_13(request).header("Origin", "https://other"),
            StatusCode::FORBIDDEN,
            "this server does not allow the origin \"https://other\"\n",
        ),
    ];
    for (change, status, text) in cases {
        run(async move {
            for (response, body) in
                [over_http1(change(upgrade())).await, over_http2(change(extended_connect())).await]
            {
                assert_eq!(response.status(), status, "{body}");
                assert_eq!(body, text);
                assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
            }
        });
    }
}

/// RFC 6455 §4.4. HTTP/2 has neither the status nor the field that asks for an upgrade.
#[test]
fn another_version_of_websocket_is_told_the_right_one() {
    run(async {
        let (response, _) = over_http1(upgrade().header("Sec-WebSocket-Version", "8")).await;
        assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(response.headers()["upgrade"], "websocket");
        assert_eq!(response.headers()["sec-websocket-version"], "13");
        let request = extended_connect().header("Sec-WebSocket-Version", "8");
        let (response, _) = over_http2(request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(response.headers().get("upgrade").is_none());
        assert_eq!(response.headers()["sec-websocket-version"], "13");
    });
}

#[test]
fn a_plain_request_is_told_what_is_missing() {
    run(async {
        let (response, _) = over_http1(Request::get("/").header("Host", "h")).await;
        assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
        let (response, _) = over_http1(Request::post("/").header("Host", "h")).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "GET");
        let (response, body) = over_http2(Request::get("http://h/")).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "CONNECT");
        assert_eq!(body, "the method is GET, but only CONNECT opens a WebSocket on HTTP/2\n");
    });
}

/// A client may have sent frames behind its request, or an intermediary may pass on everything as if the
/// upgrade had succeeded. hyper must not read requests from that.
#[test]
fn a_connection_of_http1_ends_after_a_refusal() {
    const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let with = |fields: &str| format!("{UPGRADE}{fields}\r\n");
    let requests = [
        (with("Origin: http://other\r\n"), "403 Forbidden"),
        (with("Origin: \u{e4}\r\n"), "403 Forbidden"),
        (with("Host: h\r\n"), "400 Bad Request"),
        (with("Sec-WebSocket-Version: 13\r\n"), "400 Bad Request"),
        (with("Transfer-Encoding: chunked\r\n"), "400 Bad Request"),
        (with("Content-Length: 5\r\nExpect: 100-continue\r\n"), "413 Payload Too Large"),
        (UPGRADE.replacen("/ ", "http://u@h/ ", 1) + "\r\n", "400 Bad Request"),
        (UPGRADE.replacen("/ ", "* ", 1) + "\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n".into(), "426 Upgrade Required"),
        ("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n".into(), "405 Method Not Allowed"),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n".into(), "405 Method Not Allowed"),
        ("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n".into(), "405 Method Not Allowed"),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".into(), "426 Upgrade Required"),
    ];
    for (request, status) in requests {
        run(async move {
            let server = Server::new(Acceptor::new());
            let mut stream = server.connection().0;
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.write_all(b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
            let mut response = Vec::new();
            stream.read_to_end(&mut response).await.unwrap();
            let response = String::from_utf8(response).unwrap();
            assert_eq!(response[9..].split("\r\n").next(), Some(status), "{request}");
            assert_eq!(response.matches("\r\ndate: ").count(), 1, "{request}: {response}");
            assert!(response.contains("close"), "{request}: {response}");
        });
    }
}

/// RFC 9110 §9.3.2. A client of HTTP/2 takes a body as a violation of the protocol.
#[test]
fn a_response_to_head_has_no_body() {
    run(async {
        let (response, body) = over_http2(Request::head("http://h/")).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "CONNECT");
        assert_eq!(body, "");
    });
}

/// It may be for another protocol.
#[test]
fn a_refused_request_keeps_its_upgrade() {
    run(async {
        let (mut near, far) = duplex(1 << 16);
        let (upgrades, mut upgraded) = mpsc::unbounded_channel();
        let service = service_fn(move |mut request: Request<Incoming>| {
            UpgradeRequest::new(&Acceptor::new(), &mut request, None).unwrap_err();
            upgrades.send(hyper::upgrade::on(request)).unwrap();
            let response = Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header("Upgrade", "other")
                .header("Connection", "upgrade")
                .body(Body::default());
            async { response }
        });
        let server = conn::http1::Builder::new().serve_connection(TokioIo::new(far), service);
        tokio::spawn(server.with_upgrades());
        let request = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n";
        near.write_all(request).await.unwrap();
        assert!(upgraded.recv().await.unwrap().await.is_ok());
    });
}

/// RFC 9220 §3.
#[test]
fn another_protocol_is_not_implemented() {
    run(async {
        let request = Request::connect("http://h/")
            .version(http::Version::HTTP_2)
            .extension(hyper::ext::Protocol::from_static("connect-udp"));
        let (response, _) = over_http2(version_13(request)).await;
        assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    });
}

/// A request that hyper can't upgrade is a fault of the server.
#[test]
fn a_request_without_an_upgrade_is_refused_as_such() {
    let mut request = version_13(upgrade()).body(()).unwrap();
    let error = UpgradeRequest::new(&Acceptor::new(), &mut request, None).unwrap_err();
    assert!(matches!(error, Error::NotUpgradable));
    let response: Response<Body> = error.response(request.version());
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

/// The client's fault comes before that of the server.
#[test]
fn a_framework_keeps_the_parts_of_its_request() {
    let request = Request::get("/path?query").header("X-Y", "z").body(()).unwrap();
    let (mut parts, ()) = request.into_parts();
    let error = UpgradeRequest::from_parts(&Acceptor::new(), &mut parts, None).unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::MissingHeader("Host"))), "{error}");
    assert_eq!((parts.uri.path(), &parts.headers["x-y"] == "z"), ("/path", true));
}

/// The client has offered nothing, so the answer is the server's mistake.
#[test]
fn an_answer_that_does_not_match_is_an_error_of_the_server() {
    run(async {
        let answer = Accept::new().subprotocol("chat");
        let server = Server::answering(Acceptor::new(), answer);
        let mut sender = http1(server.connection().0).await;
        let request = version_13(upgrade()).body(Empty::<Bytes>::new()).unwrap();
        let (response, body) = read(sender.send_request(request).await.unwrap()).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body, "internal server error\n");
    });
}
