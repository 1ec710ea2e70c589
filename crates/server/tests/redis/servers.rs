//! Whole servers as nodes, with clients that speak bytes.

use crate::{
    node::options,
    server::{PATIENCE, Server as Process, is_left_out},
};
use sansocket_realtime::Message;
use sansocket_server::{ListenOptions, Options, Server, broker::redis::Redis, serve};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// Starts a node that keeps what a durable Redis tells it.
async fn start(redis: &Process) -> (Server, SocketAddr) {
    let mut options = options(redis);
    options.durable = true;
    let broker = Redis::new(options).unwrap();
    let server = Server::builder(Options::default()).broker(broker).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let never = std::future::pending();
    tokio::spawn(serve(listener, server.router(), ListenOptions::default(), never));
    (server, address)
}

/// Asks until an answer contains a text.
async fn get_until(address: SocketAddr, target: &str, wanted: &str) -> String {
    let began = Instant::now();
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        if answer.contains(wanted) {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "no {wanted} in {answer}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_client_gets_at_one_node_what_another_has_published_also_after_an_outage() {
    const TOPIC: &str = "/poll?topic=/topic/a&since=beginning&wait=0";
    const READY: &str = r#"{"status":"ready"}"#;
    if is_left_out() {
        return;
    }
    let mut redis = Process::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let ((one, first), (two, second)) = (start(&redis).await, start(&redis).await);
    for address in [first, second] {
        get_until(address, "/readyz", READY).await;
    }
    one.publish("/topic/a", Message::new("before"));
    get_until(second, TOPIC, "before").await;
    redis.kill();
    for address in [first, second] {
        get_until(address, "/readyz", r#"{"status":"degraded"}"#).await;
    }
    two.publish("/topic/a", Message::new("meanwhile"));
    redis.start_again();
    let answer = get_until(first, TOPIC, "meanwhile").await;
    assert!(answer.find("before") < answer.find("meanwhile"), "{answer}");
    // A node that comes later has what was before it.
    two.shut_down(Duration::ZERO);
    two.ended().await;
    let (_third, address) = start(&redis).await;
    get_until(address, "/readyz", READY).await;
    let answer = get_until(address, TOPIC, "meanwhile").await;
    assert!(answer.contains("before") && !answer.contains("gap\":{"), "{answer}");
}
