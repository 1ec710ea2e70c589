//! MQTT over WebSocket at `/mqtt`: a tunnel to a broker.

use crate::server::{Running, options};
use sansocket::{
    Message,
    on_tokio::{ClientWebSocket, Connector},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Opens a tunnel, and returns both of its ends.
async fn tunnel() -> (Running, ClientWebSocket, TcpStream) {
    let broker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = options();
    options.mqtt = Some(broker.local_addr().unwrap().to_string());
    options.websocket = options.websocket.close_timeout(Duration::from_millis(500));
    let running = Running::start(options).await;
    let url = format!("ws://{}/mqtt", running.address);
    let connector = Connector::new().subprotocol("mqtt");
    let (opened, accepted) = tokio::join!(connector.connect(&url), broker.accept());
    (running, opened.unwrap().0, accepted.unwrap().0)
}

async fn has_ended(running: &Running) -> bool {
    running.server.shut_down(Duration::ZERO);
    tokio::time::timeout(Duration::from_secs(20), running.server.ended()).await.is_ok()
}

#[tokio::test]
async fn bytes_go_both_ways_until_the_server_ends() {
    let (running, mut client, mut broker) = tunnel().await;
    client.send(&b"ping"[..]).await.unwrap();
    let mut read = [0; 4];
    broker.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"ping");
    broker.write_all(b"pong").await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::from(b"pong".to_vec()));
    assert!(has_ended(&running).await);
    assert_eq!(broker.read(&mut read).await.unwrap(), 0);
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn a_server_that_ends_does_not_wait_for_a_client_that_takes_nothing() {
    let (running, client, mut broker) = tunnel().await;
    // The broker writes until all that is in between is full.
    let piece = vec![0; 1 << 20];
    while tokio::time::timeout(Duration::from_secs(1), broker.write_all(&piece)).await.is_ok() {}
    assert!(has_ended(&running).await);
    drop(client);
}
