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
    running.wait_for("sansocket_polls", 1).await;
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
