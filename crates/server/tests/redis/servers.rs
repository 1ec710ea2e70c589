//! Whole servers as nodes, with clients that speak bytes.

use crate::{
    node::options,
    server::{PATIENCE, Server as Process, is_left_out},
};
use sansocket_realtime::{Message, hub::OutboxConfig};
use sansocket_server::{ListenOptions, Options, Server, broker::redis::Redis, serve};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

const TOPIC: &str = "/poll?topic=/topic/a&since=beginning&wait=0";
const READY: &str = r#"{"status":"ready"}"#;
const DEGRADED: &str = r#"{"status":"degraded"}"#;
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// Starts a node that keeps what a durable Redis tells it.
async fn start(redis: &Process) -> (Server, SocketAddr) {
    start_with(redis, Options::default()).await
}

async fn start_with(redis: &Process, server: Options) -> (Server, SocketAddr) {
    let mut options = options(redis);
    options.durable = true;
    let broker = Redis::new(options).unwrap();
    let server = Server::builder(server).broker(broker).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let never = std::future::pending();
    tokio::spawn(serve(listener, server.router(), ListenOptions::default(), never));
    (server, address)
}

async fn request(address: SocketAddr, method: &str, target: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Asks until an answer contains a text.
async fn get_until(address: SocketAddr, target: &str, wanted: &str) -> String {
    let began = Instant::now();
    loop {
        let answer = request(address, "GET", target, "").await;
        if answer.contains(wanted) {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "no {wanted} in {answer}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_client_gets_at_one_node_what_another_has_published_also_after_an_outage() {
    if is_left_out() {
        return;
    }
    let mut redis = Process::start(&DURABLE);
    let ((one, first), (two, second)) = (start(&redis).await, start(&redis).await);
    for address in [first, second] {
        get_until(address, "/readyz", READY).await;
    }
    one.publish("/topic/a", Message::new("before"));
    get_until(second, TOPIC, "before").await;
    redis.kill();
    for address in [first, second] {
        get_until(address, "/readyz", DEGRADED).await;
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

#[tokio::test]
async fn what_a_full_redis_does_not_take_waits_and_then_is_refused() {
    const PUBLISH: &str = "/publish?destination=/topic/a";
    if is_left_out() {
        return;
    }
    let redis = Process::start(&[&DURABLE[..], &["--maxmemory-policy", "noeviction"]].concat());
    let mut options = Options::default();
    options.hub = options.hub.outbox(OutboxConfig::default().messages(1));
    options.publish_timeout = Duration::from_millis(100);
    let (_server, address) = start_with(&redis, options).await;
    get_until(address, "/readyz", READY).await;
    let _: String = redis.run("CONFIG SET maxmemory 1");
    let waits = request(address, "POST", PUBLISH, "waits").await;
    assert!(waits.starts_with("HTTP/1.1 202 "), "{waits}");
    get_until(address, "/readyz", DEGRADED).await;
    let refused = request(address, "POST", PUBLISH, "refused").await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("messages can't be taken at the moment"), "{refused}");
    let _: String = redis.run("CONFIG SET maxmemory 0");
    let answer = get_until(address, TOPIC, "waits").await;
    assert!(!answer.contains("refused"), "{answer}");
    let again = request(address, "POST", PUBLISH, "again").await;
    assert!(again.starts_with("HTTP/1.1 200 "), "{again}");
}
