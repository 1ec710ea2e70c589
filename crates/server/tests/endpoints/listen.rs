//! Connections: how many there can be, and what a client costs before its first request.

use crate::{
    server::{Running, options},
    stomp::Client,
};
use sansocket_server::ListenOptions;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

#[tokio::test]
async fn a_websocket_counts_as_a_connection_until_it_ends() {
    let mut listen = ListenOptions::default();
    listen.connections = 1;
    let running = Running::listen(options(), listen).await;
    let client = Client::connected(&running).await;
    // Nobody accepts this connection, however long it waits: that it does so now is all that can be seen.
    let mut second = running.connect().await;
    second.send("GET", "/healthz", &[], "").await;
    assert!(timeout(Duration::from_millis(200), second.head()).await.is_err());
    drop(client);
    assert_eq!(second.head().await.status, 200);
}

#[tokio::test]
async fn as_many_connections_as_a_number_can_say_are_no_panic() {
    let mut listen = ListenOptions::default();
    listen.connections = usize::MAX;
    let running = Running::listen(options(), listen).await;
    assert_eq!(running.connect().await.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_connection_without_a_request_ends() {
    let mut listen = ListenOptions::default();
    listen.head_timeout = Duration::from_millis(200);
    let running = Running::listen(options(), listen).await;
    // Nothing, a part of what HTTP/2 begins with, and all of it with empty SETTINGS.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice();
    for sent in [&[], &preface[..10], preface] {
        let mut silent = TcpStream::connect(running.address).await.unwrap();
        silent.write_all(sent).await.unwrap();
        let mut received = Vec::new();
        let end = timeout(Duration::from_secs(20), silent.read_to_end(&mut received)).await;
        let _ = end.expect("the connection stays");
    }
}

#[tokio::test]
async fn a_stream_outlives_the_time_for_the_first_request() {
    let mut listen = ListenOptions::default();
    listen.head_timeout = Duration::from_secs(1);
    let running = Running::listen(options(), listen).await;
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/a", &[], "").await;
    stream.body_until("id: ").await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    running.publish("/topic/a", "hello");
    stream.chunks_until("data: hello").await;
}

#[tokio::test]
async fn a_long_head_is_refused_before_it_has_come() {
    let running = Running::start(options()).await;
    let mut long = TcpStream::connect(running.address).await.unwrap();
    let value = "x".repeat(300 << 10);
    let request =
        format!("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {value}\r\n\r\n");
    // The server closes before it has read everything, so its answer can be lost.
    let _ = long.write_all(request.as_bytes()).await;
    let mut received = Vec::new();
    let _ = timeout(Duration::from_secs(20), long.read_to_end(&mut received)).await;
    let received = String::from_utf8_lossy(&received);
    assert!(received.is_empty() || received.starts_with("HTTP/1.1 431 "), "{received}");
}
