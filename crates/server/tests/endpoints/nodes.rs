//! Two nodes and a broker in memory, which is away now and then.

use crate::{
    memory_broker::Shared,
    server::{Running, handlers, options},
};
use sansocket_realtime::bridge::Node;
use sansocket_server::{ListenOptions, Server};
use std::time::Duration;

async fn start(shared: &Shared) -> (Running, Node) {
    let link = shared.join();
    let node = link.node;
    let mut options = options();
    options.publish_timeout = Duration::from_millis(300);
    let server = handlers(Server::builder(options)).broker(link).build().unwrap();
    (Running::serve(server, ListenOptions::default()).await, node)
}

async fn status(running: &Running) -> String {
    let ready = running.connect().await.get("/readyz").await;
    format!("{} {}", ready.status, ready.body)
}

async fn wait_for_status(running: &Running, wanted: &str) {
    while status(running).await != wanted {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn publish(running: &Running, body: &str) -> crate::http::Response {
    let fields = [("content-type", "text/plain")];
    let target = "/publish?destination=/topic/a";
    running.connect().await.request("POST", target, &fields, body).await
}

#[tokio::test]
async fn what_one_node_publishes_another_delivers_with_the_same_cursor() {
    let shared = Shared::new(100);
    let ((one, first), (two, second)) = (start(&shared).await, start(&shared).await);
    assert_eq!(status(&one).await, r#"503 {"status":"starting"}"#);
    shared.change(|memory| [first, second].into_iter().for_each(|node| memory.connect(node)));
    wait_for_status(&one, r#"200 {"status":"ready"}"#).await;
    wait_for_status(&two, r#"200 {"status":"ready"}"#).await;
    let mut stream = two.connect().await;
    stream.send("GET", "/events?topic=/topic/a", &[], "").await;
    stream.body_until("id: ").await;
    let published = publish(&one, "hello").await;
    assert_eq!(published.body, r#"{"cursor":"b0-1"}"#);
    assert_eq!(stream.chunks_until("data: hello\n\n").await, "id: b0-1\ndata: hello\n\n");
    // A client resumes on the other node.
    publish(&two, "again").await;
    let poll = one.connect().await.get("/poll?topic=/topic/a&since=b0-1").await;
    assert!(poll.body.contains("again") && !poll.body.contains("hello"), "{poll:?}");
}

#[tokio::test]
async fn while_the_broker_is_away_publishes_wait() {
    let shared = Shared::new(100);
    let (running, node) = start(&shared).await;
    shared.change(|memory| memory.connect(node));
    wait_for_status(&running, r#"200 {"status":"ready"}"#).await;
    publish(&running, "before").await;
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/a&since=beginning", &[], "").await;
    stream.body_until("data: before\n\n").await;
    shared.change(|memory| memory.disconnect(node));
    wait_for_status(&running, r#"200 {"status":"degraded"}"#).await;
    let waiting = publish(&running, "meanwhile").await;
    assert_eq!(waiting.status, 202, "{waiting:?}");
    shared.change(|memory| memory.connect(node));
    wait_for_status(&running, r#"200 {"status":"ready"}"#).await;
    let told = stream.chunks_until("data: meanwhile\n\n").await;
    assert!(told.contains("id: b0-2\n") && !told.contains("gap"), "{told}");
}

#[tokio::test]
async fn the_broker_gets_what_clients_have_sent_before_the_server_ends() {
    let shared = Shared::new(100);
    let ((one, first), (two, second)) = (start(&shared).await, start(&shared).await);
    shared.change(|memory| [first, second].into_iter().for_each(|node| memory.connect(node)));
    wait_for_status(&one, r#"200 {"status":"ready"}"#).await;
    for number in 0..100 {
        one.publish("/topic/a", &number.to_string());
    }
    one.server.shut_down(Duration::ZERO);
    one.server.ended().await;
    let poll = two.connect().await.get("/poll?topic=/topic/a&since=beginning").await;
    assert!(poll.body.contains(r#""data":"99""#), "{poll:?}");
}
