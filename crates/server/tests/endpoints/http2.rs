//! HTTP/2, and TLS below it.

use crate::server::{Running, few_connections, options};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use sansocket::{Message, client::Connector};
use sansocket_hyper::{Http2, connect};
use sansocket_realtime::hub::TopicConfig;
use sansocket_server::{ListenOptions, Options};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, RootCertStore, pki_types::PrivateKeyDer},
};

/// A stream of events, a poll, and STOMP over WebSocket, on one connection.
async fn talk(running: &Running, stream: TcpStream) {
    let (sender, mut connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let mut http2 = Http2::<Empty<Bytes>>::enabled(sender, &mut connection).await.unwrap();
    tokio::spawn(connection);
    let get =
        |path: &str| Request::get(format!("http://localhost{path}")).body(Empty::new()).unwrap();
    let events = get("/events?topic=/topic/a");
    let mut events = http2.get_mut().send_request(events).await.unwrap().into_body();
    events.frame().await.unwrap().unwrap();
    let poll = http2.get_mut().send_request(get("/poll?topic=/topic/a"));
    let poll = tokio::spawn(poll);
    running.wait_for("sansocket_connections{transport=\"poll\"}", 1).await;

    let connector = Connector::new().subprotocol("v12.stomp");
    let (mut websocket, _) = connect(&connector, &mut http2, "ws://localhost/ws").await.unwrap();
    websocket.send("CONNECT\naccept-version:1.2\nhost:a\n\n\0").await.unwrap();
    websocket.next().await.unwrap().unwrap();
    websocket.send("SEND\ndestination:/topic/a\nreceipt:1\n\nhello\0").await.unwrap();
    let receipt = websocket.next().await.unwrap().unwrap();
    assert!(matches!(receipt, Message::Text(text) if text.starts_with("RECEIPT\n")));

    let mut told = String::new();
    while !told.contains("data: hello\n\n") {
        let frame = events.frame().await.unwrap().unwrap();
        told += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
    }
    let answer = poll.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(std::str::from_utf8(&answer).unwrap().contains(r#""data":"hello""#));
    // Dropping a stream ends it, and not the others.
    drop(events);
    running.wait_for("sansocket_connections", 1).await;
    websocket.send("\n").await.unwrap();
}

#[tokio::test]
async fn everything_over_one_connection() {
    let running = Running::start(options()).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    talk(&running, stream).await;
}

fn tls() -> (ListenOptions, TlsConnector) {
    let CertifiedKey { cert, key_pair } =
        generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key_pair.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut trusted = RootCertStore::empty();
    trusted.add(cert.der().clone()).unwrap();
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let mut listen = ListenOptions::default();
    listen.head_timeout = Duration::from_millis(500);
    listen.tls = Some(Arc::new(server));
    (listen, TlsConnector::from(Arc::new(client)))
}

#[tokio::test]
async fn everything_over_tls() {
    let (listen, connector) = tls();
    let running = Running::listen(options(), listen).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://localhost/readyz").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn clients_that_say_nothing_are_given_up() {
    let (listen, _) = tls();
    let running = Running::listen(options(), listen).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut end = Vec::new();
    // Neither the handshake of TLS,
    let _ = silent.read_to_end(&mut end).await;

    let mut listen = ListenOptions::default();
    listen.head_timeout = Duration::from_millis(500);
    let running = Running::listen(options(), listen).await;
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    slow.write_all(b"GET /readyz HTTP/1.1\r\nhost:").await.unwrap();
    // nor the head of a request.
    let _ = slow.read_to_end(&mut end).await;
    assert!(!String::from_utf8_lossy(&end).contains("200"));
}

#[tokio::test]
async fn a_request_is_for_one_host() {
    let running = Running::start(options()).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    for (host, status) in [("a.example", 200), ("other.example", 400)] {
        let request = Request::get("http://a.example/poll?topic=/topic/a&wait=0")
            .header("host", host)
            .header("origin", "http://a.example");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), status, "{host}");
    }
}

type Sender = hyper::client::conn::http2::SendRequest<Empty<Bytes>>;
type Response = hyper::Response<hyper::body::Incoming>;

/// Opens a connection of HTTP/2 whose streams have a window of so many bytes: the client takes no more of an
/// answer, although it reads.
async fn with_a_window(running: &Running, bytes: u32) -> Sender {
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(bytes)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    sender
}

async fn send(sender: &mut Sender, method: &str, target: &str) -> Response {
    let request = Request::builder().method(method).uri(format!("http://localhost{target}"));
    sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap()
}

async fn events(sender: &mut Sender) -> Response {
    let response = send(sender, "GET", "/events?topic=/topic/a").await;
    assert_eq!(response.status(), 200);
    response
}

fn soon_stalled() -> Options {
    let mut options = options();
    options.slow_consumer = options.slow_consumer.stalled(Duration::from_millis(300));
    options
}

#[tokio::test]
async fn a_stream_without_a_window_is_given_up() {
    let running = Running::start(soon_stalled()).await;
    let response = events(&mut with_a_window(&running, 0).await).await;
    for number in 0..3 {
        running.publish("/topic/a", &number.to_string());
    }
    running.wait_for("sansocket_connections", 0).await;
    drop(response);
}

#[tokio::test]
async fn a_stream_that_is_taken_slowly_is_not_given_up() {
    const MESSAGE: usize = 1 << 20;
    let topic = TopicConfig::default().bytes(4 * MESSAGE);
    let mut options = options();
    options.hub = options.hub.other_topics(topic);
    options.slow_consumer = options.slow_consumer.stalled(Duration::from_secs(1));
    let running = Running::start(options).await;
    let mut events = events(&mut with_a_window(&running, 64 << 10).await).await.into_body();
    for _ in 0..3 {
        running.publish("/topic/a", &"x".repeat(MESSAGE));
    }
    let mut taken = 0;
    while taken < 3 * MESSAGE {
        taken += events.frame().await.unwrap().unwrap().data_ref().unwrap().len();
        // Each message takes longer than the time for which the client may take nothing.
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

#[tokio::test]
async fn a_server_that_ends_does_not_wait_for_a_stream_without_a_window() {
    // With some, everything before the end is taken.
    for window in [0, 1, 12, 40] {
        let running = Running::start(soon_stalled()).await;
        let response = events(&mut with_a_window(&running, window).await).await;
        running.server.shut_down(Duration::ZERO);
        let ended = tokio::time::timeout(Duration::from_secs(20), running.server.ended()).await;
        assert!(ended.is_ok(), "{window}");
        drop(response);
    }
}

#[tokio::test]
async fn answers_count_until_they_are_taken() {
    for (method, target) in [
        ("GET", "/poll?topic=/topic/a&since=beginning&wait=0"),
        ("GET", "/presence?topic=/topic/room/1"),
        ("POST", "/publish?destination=/topic/a"),
    ] {
        // With one byte, the rest waits below the body of the response.
        for window in [0, 1] {
            let running = Running::start(few_connections(options(), 2)).await;
            running.publish("/topic/a", "x");
            let mut sender = with_a_window(&running, window).await;
            let answers =
                [send(&mut sender, method, target).await, send(&mut sender, method, target).await];
            assert_eq!(answers.each_ref().map(|answer| answer.status().as_u16()), [200; 2]);
            // The server has done with them what it can.
            running.wait_for("sansocket_connections{transport=\"poll\"}", 0).await;
            assert_eq!(send(&mut sender, method, target).await.status(), 429, "{target} {window}");
            drop(answers);
            while send(&mut sender, method, target).await.status() == 429 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}
