//! The end of a server.

use crate::{
    server::{Running, options},
    stomp::Client,
};
use std::time::Duration;

#[tokio::test]
async fn everybody_is_told_to_come_back() {
    let running = Running::start(options()).await;
    let mut client = Client::connected(&running).await;
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/a", &[], "").await;
    stream.body_until("id: ").await;
    let mut poll = running.connect().await;
    poll.send("GET", "/poll?topic=/topic/a", &[], "").await;
    let mut sockjs = running.connect().await;
    sockjs.send("POST", "/ws/0/a/xhr_streaming", &[], "").await;
    sockjs.head().await;
    sockjs.chunks_until("o\n").await;
    running.wait_for("sansocket_connections{transport=\"poll\"}", 1).await;
    assert_eq!(running.connect().await.get("/readyz").await.status, 200);

    running.server.shut_down(Duration::from_millis(200));
    let ready = running.connect().await.get("/readyz").await;
    assert_eq!((ready.status, &*ready.body), (503, r#"{"status":"shutting-down"}"#));
    assert_eq!(poll.head().await.status, 200);
    let end = stream.chunks_until("retry: ").await;
    assert!(!end.contains("event:"), "{end}");
    assert_eq!(stream.drain().await, "0\r\n\r\n".len());
    assert!(client.next().await.contains("the server shuts down"));
    assert_eq!(client.ended().await, Some(1001));
    sockjs.chunks_until("c[1001,").await;
    // Who comes now is told to come back later.
    let refused = running.connect().await.get("/poll?topic=/topic/a").await;
    assert_eq!(refused.status, 503);
    // Nobody is left, although the connections are there.
    running.server.ended().await;
    drop((poll, sockjs, client));
    running.stop().await;
}

#[tokio::test]
async fn whoever_comes_while_the_server_shuts_down_is_sent_away() {
    let running = Running::start(options()).await;
    let early = Client::connected(&running).await;
    running.server.shut_down(Duration::from_secs(3_600));
    // The server takes what it is sent for as long as somebody is there.
    let target = "/publish?destination=/topic/a";
    assert_eq!(running.connect().await.request("POST", target, &[], "x").await.status, 200);
    let mut late = Client::open(&running, &[]).await;
    assert_eq!(late.ended().await, Some(1001));
    // A browser comes back for this alone.
    let stream = running.connect().await.get("/events?topic=/topic/a").await;
    assert_eq!(stream.status, 200);
    assert!(stream.body.starts_with("retry: "), "{stream:?}");
    let mut session = running.connect().await;
    session.send("POST", "/ws/0/a/xhr_streaming", &[], "").await;
    session.head().await;
    session.chunks_until("c[1001,").await;
    drop((early, late, session));
    let ended = tokio::time::timeout(Duration::from_secs(20), running.server.ended());
    ended.await.expect("somebody is still there");

    let refused = running.connect().await.request("POST", target, &[], "x").await;
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("1")));
}

#[tokio::test]
async fn the_end_is_waited_for_before_it_begins() {
    let running = Running::start(options()).await;
    let mut ended = std::pin::pin!(running.server.ended());
    assert!(tokio::time::timeout(Duration::ZERO, ended.as_mut()).await.is_err());
    let target = "/publish?destination=/topic/a";
    assert_eq!(running.connect().await.request("POST", target, &[], "x").await.status, 200);
    running.server.shut_down(Duration::ZERO);
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the end does not come");
}
