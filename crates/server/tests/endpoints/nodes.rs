//! Two nodes and a broker in memory, which is away now and then.

use crate::{
    memory_broker::Shared,
    server::{Running, handlers, options},
    stomp::Client,
};
use sansocket_realtime::{
    Epoch,
    bridge::{self, Node},
};
use sansocket_server::{
    ListenOptions, Server,
    broker::{Broker, Tell},
};
use std::time::Duration;
use tokio::sync::mpsc;

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
    assert_eq!(running.figure("sansocket_outbox_messages").await, 1);
    assert!(running.figure("sansocket_outbox_bytes").await >= "meanwhile".len() as u64);
    shared.change(|memory| memory.connect(node));
    wait_for_status(&running, r#"200 {"status":"ready"}"#).await;
    let told = stream.chunks_until("data: meanwhile\n\n").await;
    assert!(told.contains("id: b0-2\n") && !told.contains("gap"), "{told}");
}

#[tokio::test]
async fn a_message_to_the_application_is_confirmed_once_the_broker_has_its_answer() {
    let shared = Shared::new(100);
    let (running, node) = start(&shared).await;
    shared.change(|memory| memory.connect(node));
    wait_for_status(&running, r#"200 {"status":"ready"}"#).await;
    shared.change(|memory| memory.disconnect(node));
    wait_for_status(&running, r#"200 {"status":"degraded"}"#).await;
    let mut client = Client::connected(&running).await;
    client.send("SEND\ndestination:/app/echo/a\nreceipt:1\n\nx\0").await;
    // What publishes nothing has nothing to wait for.
    client.send("SEND\ndestination:/app/whoami\nreceipt:2\n\n\0").await;
    let receipt = client.next().await;
    assert!(receipt.contains("receipt-id:2\n"), "{receipt}");
    shared.change(|memory| memory.connect(node));
    let receipt = client.next().await;
    assert!(receipt.contains("receipt-id:1\n"), "{receipt}");
    let poll = running.connect().await.get("/poll?topic=/topic/a&since=beginning").await;
    assert!(poll.body.contains(r#""data":"x""#), "{poll:?}");
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

async fn presence(running: &Running) -> String {
    running.connect().await.get("/presence?topic=/topic/room/1").await.body
}

async fn wait_for_presence(running: &Running, wanted: &str) {
    let wanted = format!(r#"{{"anonymous":{wanted},"topic":"/topic/room/1","users":[]}}"#);
    while presence(running).await != wanted {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn everybody_is_present_on_all_nodes() {
    let shared = Shared::new(100);
    let ((one, first), (two, second)) = (start(&shared).await, start(&shared).await);
    shared.change(|memory| [first, second].into_iter().for_each(|node| memory.connect(node)));
    wait_for_status(&one, r#"200 {"status":"ready"}"#).await;
    wait_for_status(&two, r#"200 {"status":"ready"}"#).await;
    let mut here = one.connect().await;
    here.send("GET", "/events?topic=/topic/room/1", &[], "").await;
    let mut there = two.connect().await;
    there.send("GET", "/events?topic=/topic/room/1", &[], "").await;
    wait_for_presence(&one, r#"2,"partial":false"#).await;
    wait_for_presence(&two, r#"2,"partial":false"#).await;
    let poll = one.connect().await.get("/poll?topic=/presence/topic/room/1&wait=0").await;
    let members = r#"{\"event\":\"members\",\"users\":[null,null]}"#;
    assert!(poll.body.contains(members), "{poll:?}");
    // A node that dies is found out by the broker, and one that is cut off knows its own.
    shared.change(|memory| memory.disconnect(second));
    shared.change(|memory| memory.count_as_dead(second));
    wait_for_presence(&one, r#"1,"partial":false"#).await;
    wait_for_presence(&two, r#"1,"partial":true"#).await;
    shared.change(|memory| memory.connect(second));
    wait_for_presence(&one, r#"2,"partial":false"#).await;
}

/// A broker that is there and says nothing more.
struct Mute;

impl Broker for Mute {
    async fn run(
        self,
        _: Epoch,
        mut commands: mpsc::UnboundedReceiver<bridge::Command>,
        mut tell: Tell,
    ) {
        tell(bridge::Event::Up { epoch: Epoch(0xb0), head: 0 });
        while commands.recv().await.is_some() {}
    }
}

#[tokio::test]
async fn a_broker_that_does_not_answer_leaves_the_presence_of_the_node() {
    let server = handlers(Server::builder(options())).broker(Mute).build().unwrap();
    let running = Running::serve(server, ListenOptions::default()).await;
    wait_for_status(&running, r#"200 {"status":"ready"}"#).await;
    wait_for_presence(&running, r#"0,"partial":true"#).await;
}
