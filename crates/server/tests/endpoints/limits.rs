//! What the guard refuses, on each transport.

use crate::{
    server::{Running, few_connections, options},
    stomp::Client,
};
use sansocket::server::Rate;
use sansocket_realtime::guard::ClientLimits;

#[tokio::test]
async fn connections_of_an_address_are_limited() {
    let running = Running::start(few_connections(options(), 2)).await;
    let first = Client::connected(&running).await;
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/a", &[], "").await;
    stream.head().await;
    let target = "/publish?destination=/topic/a";
    let refused = running.connect().await.request("POST", target, &[], "x").await;
    assert_eq!((refused.status, refused.field("retry-after")), (429, Some("1")));
    let refused = running.connect().await.get("/poll?topic=/topic/a&wait=0").await;
    assert_eq!(refused.status, 429);
    let refused = running.connect().await.request("POST", "/ws/0/a/xhr", &[], "").await;
    assert_eq!(refused.status, 429);
    // A browser gives up for good on any status but 200.
    let later = running.connect().await.get("/events?topic=/topic/a").await;
    assert_eq!(later.status, 200);
    assert!(later.body.starts_with("retry: "), "{later:?}");
    drop((first, stream));
    running.wait_for("sansocket_connections", 0).await;
    let target = "/publish?destination=/topic/a";
    assert_eq!(running.connect().await.request("POST", target, &[], "x").await.status, 200);
}

#[tokio::test]
async fn a_session_of_sockjs_counts_once_however_many_requests_it_has() {
    let mut options = options();
    let limits = ClientLimits::none().new_connections(Rate::per_minute(1).burst(2));
    options.guard = options.guard.address(limits);
    let running = Running::start(options).await;
    let receive = async || running.connect().await.request("POST", "/ws/0/a/xhr", &[], "").await;
    assert_eq!(receive().await.body, "o\n");
    // What is sent counts while it arrives.
    let connect = r#"["CONNECT\naccept-version:1.2\nhost:a\n\n\u0000"]"#;
    let sent = running.connect().await.request("POST", "/ws/0/a/xhr_send", &[], connect).await;
    assert_eq!(sent.status, 204);
    assert!(receive().await.body.starts_with(r#"a["CONNECTED\n"#));
    let other = running.connect().await.request("POST", "/ws/0/b/xhr", &[], "").await;
    assert_eq!(other.status, 429);
}

#[tokio::test]
async fn subscriptions_that_end_are_given_back() {
    let running = Running::start(few_connections(options(), 10)).await;
    let mut client = Client::connected(&running).await;
    for _ in 0..5 {
        for id in 0..3 {
            client
                .send(&format!("SUBSCRIBE\nid:{id}\ndestination:/topic/{id}\nreceipt:s\n\n\0"))
                .await;
            assert!(client.next().await.starts_with("RECEIPT\n"));
        }
        for id in 0..3 {
            client.send(&format!("UNSUBSCRIBE\nid:{id}\nreceipt:u\n\n\0")).await;
            assert!(client.next().await.starts_with("RECEIPT\n"));
        }
    }
    for id in 0..4 {
        client.send(&format!("SUBSCRIBE\nid:{id}\ndestination:/topic/{id}\n\n\0")).await;
    }
    assert!(client.next().await.starts_with("ERROR\n"));
    assert_eq!(client.ended().await, Some(1008));
    let topics = "/events?topic=/topic/a&topic=/topic/b&topic=/topic/c&topic=/topic/d";
    let later = running.connect().await.get(topics).await;
    assert!(later.body.starts_with("retry: "), "{later:?}");
    // What was counted before the refusal does not stay.
    for _ in 0..5 {
        let poll = running.connect().await;
        let poll = poll.get("/poll?topic=/topic/a&topic=/topic/b&topic=/topic/c&wait=0").await;
        assert_eq!(poll.status, 200);
    }
}

#[tokio::test]
async fn messages_are_limited_over_all_transports_together() {
    let running = Running::start(few_connections(options(), 10)).await;
    let target = "/publish?destination=/topic/a";
    for _ in 0..3 {
        assert_eq!(running.connect().await.request("POST", target, &[], "x").await.status, 200);
    }
    let refused = running.connect().await.request("POST", target, &[], "x").await;
    assert_eq!(refused.status, 429);
    let mut client = Client::connected(&running).await;
    client.send("SEND\ndestination:/topic/a\n\n\0SEND\ndestination:/topic/a\n\n\0").await;
    assert!(client.next().await.starts_with("ERROR\n"));
    assert_eq!(client.ended().await, Some(1008));
}
