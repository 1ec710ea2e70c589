//! What a client sees of the opening handshake, and its time limits.

use crate::server::{Server, Version, client, http1, http2, on_both, run};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{body::Incoming, client::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansocket::{
    client::Connector,
    handshake::{Accept, HandshakeError},
    server::{Acceptor, OriginPolicy},
};
use sansocket_hyper::{Error, Http2, connect};
use std::{convert::Infallible, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

#[test]
fn subprotocols_and_fields_pass_in_both_directions() {
    on_both(|version| async move {
        let answer = Accept::new().subprotocol("b").header("Set-Cookie", "c=d");
        let server = Server::answering(Acceptor::new().origin(OriginPolicy::any()), answer);
        let connector = Connector::new()
            .subprotocol("a")
            .subprotocol("b")
            .header("Origin", "https://other")
            .header("Cookie", "e=f");
        let (stream, _) = server.connection();
        let url = "ws://user:password@h/chat?x=y";
        let opened = match version {
            Version::Http1 => connect(&connector, &mut http1(stream).await, url).await,
            Version::Http2 => connect(&connector, &mut http2(stream).await, url).await,
        };
        let (client, response) = opened.unwrap();
        assert_eq!(response.header_text("Set-Cookie"), Some("c=d"));
        assert_eq!(client.negotiated().subprotocol.as_deref(), Some("b"));
        let peer = server.websocket().await;
        assert_eq!(peer.negotiated().subprotocol.as_deref(), Some("b"));
    });
}

#[test]
fn a_refusal_has_status_fields_and_body() {
    on_both(|version| async move {
        let server = Server::new(Acceptor::new());
        let connector = Connector::new().header("Origin", "https://other");
        let (stream, _) = server.connection();
        let error = client(version, stream, &connector, "ws://h/").await.unwrap_err();
        let Error::Handshake(HandshakeError::Refused(refusal)) = error else { panic!("{error}") };
        assert_eq!(refusal.status(), 403);
        assert_eq!(refusal.header_text("Content-Type"), Some("text/plain; charset=utf-8"));
        assert_eq!(refusal.body(), b"this server does not allow the origin \"https://other\"\n");
        assert!(refusal.is_complete());
    });
}

/// Nothing is sent for what is wrong already.
#[test]
fn an_invalid_request_is_an_error_of_the_caller() {
    run(async {
        let server = Server::new(Acceptor::new());
        let mut sender = http2(server.connection().0).await;
        let connector = Connector::new();
        let error = connect(&connector, &mut sender, "http://h/").await.unwrap_err();
        assert!(matches!(error, Error::Url(_)), "{error}");
        let connector = connector.header("Upgrade", "x");
        let error = connect(&connector, &mut sender, "ws://h/").await.unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{error}");
    });
}

/// Answers one request of HTTP/1.1 with these bytes, and keeps the connection.
fn answering(response: &'static str) -> DuplexStream {
    let (near, mut far) = duplex(1 << 16);
    tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(far.read_u8().await.unwrap());
        }
        far.write_all(response.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    near
}

/// RFC 6455 §4.1.
#[test]
fn a_response_that_does_not_match_is_the_fault_of_the_server() {
    run(async {
        let wrong = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
        let stream = answering(wrong);
        let outcome = client(Version::Http1, stream, &Connector::new(), "ws://h/").await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Handshake(HandshakeError::WrongAccept)), "{error}");
    });
}

/// A body that never ends does not keep the refusal from being reported.
#[test]
fn the_body_of_a_refusal_is_bounded_in_size_and_time() {
    run(async {
        let long: &str = Box::leak(
            format!("HTTP/1.1 403 Forbidden\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(9000))
                .into_boxed_str(),
        );
        let stream = answering(long);
        let outcome = client(Version::Http1, stream, &Connector::new(), "ws://h/").await;
        let error = outcome.unwrap_err();
        let Error::Handshake(HandshakeError::Refused(refusal)) = error else { panic!("{error}") };
        assert_eq!((refusal.body().len(), refusal.is_complete()), (4096, false));

        let short = "HTTP/1.1 403 Forbidden\r\nContent-Length: 100000\r\n\r\nx";
        let outcome = client(Version::Http1, answering(short), &Connector::new(), "ws://h/").await;
        let error = outcome.unwrap_err();
        let Error::Handshake(HandshakeError::Refused(refusal)) = error else { panic!("{error}") };
        assert_eq!(
            (refusal.status(), refusal.body(), refusal.is_complete()),
            (403, &b"x"[..], false)
        );
    });
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    run(async {
        let connector = Connector::new().handshake_timeout(Duration::from_secs(3));
        let outcome = client(Version::Http1, answering(""), &connector, "ws://h/").await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Timeout(limit) if limit == Duration::from_secs(3)));
        assert!(error.is_transient());
    });
}

/// This is a fault of the program, so trying again does not help.
#[test]
fn a_program_that_does_not_call_with_upgrades_is_told() {
    run(async {
        let server = Server::new(Acceptor::new());
        let stream = TokioIo::new(server.connection().0);
        let (mut sender, connection) =
            conn::http1::handshake::<_, Empty<Bytes>>(stream).await.unwrap();
        tokio::spawn(connection);
        let error = connect(&Connector::new(), &mut sender, "ws://h/").await.unwrap_err();
        assert!(matches!(error, Error::NotUpgradable), "{error}");
        assert!(!error.is_transient());

        let (near, far) = duplex(1 << 16);
        let (upgrades, mut upgrade) = tokio::sync::mpsc::unbounded_channel();
        let service = service_fn(move |mut request| {
            let (response, upgrade) =
                sansocket_hyper::upgrade::<Incoming, Empty<Bytes>>(&mut request).unwrap();
            upgrades.send(upgrade).unwrap();
            async { Ok::<_, Infallible>(response) }
        });
        let server = hyper::server::conn::http1::Builder::new();
        tokio::spawn(server.serve_connection(TokioIo::new(far), service));
        let connector = Connector::new();
        let client = client(Version::Http1, near, &connector, "ws://h/");
        let (_, upgrade) = tokio::join!(client, async { upgrade.recv().await.unwrap().await });
        let error = upgrade.unwrap_err();
        assert!(matches!(error, Error::NotUpgradable), "{error}");
    });
}

/// Any 2xx opens a stream (RFC 9110 §9.3.6), but hyper's client upgrades after 200 alone.
#[test]
fn another_success_than_200_is_no_upgrade_of_hyper() {
    run(async {
        let (near, far) = duplex(1 << 16);
        tokio::spawn(async move {
            let mut builder = h2::server::Builder::new();
            builder.enable_connect_protocol();
            let mut connection = builder.handshake::<_, Bytes>(far).await.unwrap();
            let mut streams = Vec::new();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let response = http::Response::builder().status(204).body(()).unwrap();
                streams.push(respond.send_response(response, false).unwrap());
            }
        });
        let mut sender = http2(near).await;
        let error = connect(&Connector::new(), &mut sender, "ws://h/").await.unwrap_err();
        assert!(matches!(error, Error::NotUpgradable), "{error}");
    });
}

/// RFC 8441 §3: a client must not send an extended CONNECT before that.
#[test]
fn a_server_has_to_enable_extended_connect() {
    run(async {
        let (near, far) = duplex(1 << 16);
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(far).await.unwrap();
            assert!(connection.accept().await.is_none(), "a request came");
        });
        let executor = TokioExecutor::new();
        let (sender, mut connection) =
            conn::http2::handshake::<_, _, Empty<Bytes>>(executor, TokioIo::new(near))
                .await
                .unwrap();
        let error = Http2::enabled(sender, &mut connection).await.unwrap_err();
        assert!(matches!(error, Error::ExtendedConnectDisabled(_)), "{error}");
    });
}

/// hyper wakes nobody when the settings come. The time is virtual, so it is that of the pauses alone.
#[test]
fn settings_are_seen_soon_after_they_come() {
    run(async {
        let server = Server::new(Acceptor::new());
        let begin = tokio::time::Instant::now();
        http2(server.connection().0).await;
        assert!(begin.elapsed() < Duration::from_millis(5), "{:?}", begin.elapsed());
    });
}

#[test]
fn a_connection_that_ends_early_enables_nothing() {
    run(async {
        let (near, far) = duplex(1 << 16);
        let executor = TokioExecutor::new();
        let (sender, mut connection) =
            conn::http2::handshake::<_, _, Empty<Bytes>>(executor, TokioIo::new(near))
                .await
                .unwrap();
        drop(far);
        let error = Http2::enabled(sender, &mut connection).await.unwrap_err();
        assert!(matches!(error, Error::Hyper(_) | Error::ConnectionEnded), "{error}");
        assert!(error.is_transient());
    });
}

/// hyper upgrades only once the response is written, which a client can prevent.
#[test]
fn a_client_that_does_not_read_its_response_is_given_up() {
    run(async {
        let acceptor = Acceptor::new().handshake_timeout(Duration::from_secs(3));
        let server = Server::new(acceptor);
        let (mut stream, _) = server.connection_of(64);
        let request = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let error = server.upgrade().await.unwrap_err();
        assert!(matches!(error, Error::Timeout(limit) if limit == Duration::from_secs(3)));
    });
}

/// A client of HTTP/2 may open a WebSocket while the connection serves other requests.
#[test]
fn a_dropped_attempt_resets_its_stream_alone() {
    run(async {
        let server = Server::new(Acceptor::new());
        let mut sender = http2(server.connection().0).await;
        let connector = Connector::new();
        let mut other = sender.clone();
        {
            let mut attempt = std::pin::pin!(connect(&connector, &mut sender, "ws://h/dropped"));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(attempt.as_mut().poll(&mut cx).is_pending());
        }
        let (mut client, _) = connect(&connector, &mut other, "ws://h/kept").await.unwrap();
        client.send("works").await.unwrap();
    });
}

#[cfg(feature = "client-legacy")]
#[tokio::test]
async fn a_pooled_client_opens_websockets() {
    use hyper::Request;
    use hyper_util::client::legacy::{Client, connect::HttpConnector};
    use hyper_util::server::conn::auto;
    use sansocket::Message;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(async |mut request: Request<Incoming>| {
                let (response, upgrade) =
                    sansocket_hyper::upgrade::<_, Empty<Bytes>>(&mut request).unwrap();
                tokio::spawn(async move {
                    let mut websocket = upgrade.await.unwrap();
                    websocket.send("hello").await.unwrap();
                    websocket.wait_closed().await
                });
                Ok::<_, std::convert::Infallible>(response)
            });
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                server.serve_connection_with_upgrades(TokioIo::new(stream), service).await
            });
        }
    });
    let mut client: Client<HttpConnector, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let connector = Connector::new();
    for _ in 0..2 {
        let url = format!("ws://{address}/chat");
        let (mut websocket, _) = connect(&connector, &mut client, url).await.unwrap();
        assert_eq!(websocket.next().await.unwrap().unwrap(), Message::from("hello"));
    }
    let closed = TcpClosed::address().await;
    let error = connect(&connector, &mut client, format!("ws://{closed}/")).await.unwrap_err();
    assert!(matches!(error, Error::Client(_)), "{error}");
}

/// The pool follows no redirect.
#[cfg(feature = "client-legacy")]
#[tokio::test]
async fn a_pooled_client_reports_refusals() {
    use hyper_util::client::legacy::{Client, connect::HttpConnector};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for response in [
            "HTTP/1.1 302 Found\r\nLocation: /other\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi",
        ] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    });
    let mut client: Client<HttpConnector, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    for (status, location, body) in [(302, Some("/other"), &b""[..]), (200, None, b"hi")] {
        let error = connect(&Connector::new(), &mut client, &url).await.unwrap_err();
        let Error::Handshake(HandshakeError::Refused(refusal)) = error else { panic!("{error}") };
        assert_eq!((refusal.status(), refusal.location()), (status, location));
        assert_eq!((refusal.body(), refusal.is_complete()), (body, true));
    }
}

/// An address at which nobody listens.
#[cfg(feature = "client-legacy")]
struct TcpClosed;

#[cfg(feature = "client-legacy")]
impl TcpClosed {
    async fn address() -> std::net::SocketAddr {
        tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }
}
