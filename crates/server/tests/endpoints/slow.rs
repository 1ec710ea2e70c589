//! Clients that do not take what they get.

use crate::{
    server::{Running, options},
    stomp::Client,
};
use sansocket_realtime::hub::TopicConfig;
use sansocket_server::{ListenOptions, Options};
use std::time::Duration;

/// Until the system's buffers are full, and the server's limits reached.
const MESSAGE: usize = 64 << 10;
const MESSAGES: usize = 400;

/// Topics keep all that these tests publish.
fn keeping_all() -> Options {
    let topic = TopicConfig::default().messages(MESSAGES).bytes(MESSAGES * (MESSAGE + 1000));
    let mut options = options();
    options.hub = options.hub.other_topics(topic);
    options
}

#[tokio::test]
async fn a_slow_client_is_paused_and_goes_on_from_what_the_topic_keeps() {
    let running = Running::start(keeping_all()).await;
    let mut client = Client::connected(&running).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:1\n\n\0").await;
    client.next().await;
    for number in 0..MESSAGES {
        running.publish("/topic/a", &format!("{number}:{}", "x".repeat(MESSAGE)));
    }
    for number in 0..MESSAGES {
        let message = client.next().await;
        let body = message.split("\n\n").nth(1).unwrap();
        assert_eq!(body.split(':').next().unwrap(), number.to_string());
    }
    let metrics = running.connect().await.get("/metrics").await.body;
    assert!(!metrics.contains("sansocket_pauses_total 0"), "{metrics}");
}

#[tokio::test]
async fn clients_that_take_nothing_are_given_up() {
    let mut options = keeping_all();
    options.slow_consumer = options.slow_consumer.stalled(Duration::from_millis(500));
    let mut listen = ListenOptions::default();
    listen.write_timeout = Duration::from_millis(500);
    let running = Running::listen(options, listen).await;
    let mut client = Client::connected(&running).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:1\n\n\0").await;
    client.next().await;
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/a", &[], "").await;
    stream.head().await;
    running.wait_for("sansocket_connections", 2).await;
    for _ in 0..MESSAGES {
        running.publish("/topic/a", &"x".repeat(MESSAGE));
    }
    running.wait_for("sansocket_connections", 0).await;
    assert_eq!(running.figure("sansocket_slow_connections_ended_total").await, 2);
    // Neither is told everything.
    assert!(stream.drain().await < MESSAGES * MESSAGE);
}

#[tokio::test]
async fn clients_are_counted_that_the_write_timeout_gives_up() {
    let mut listen = ListenOptions::default();
    listen.write_timeout = Duration::from_millis(500);
    // The server's own limits are far away.
    let running = Running::listen(keeping_all(), listen).await;
    let ended = "sansocket_slow_connections_ended_total";
    let leaves = Client::connected(&running).await;
    drop(leaves);
    running.wait_for("sansocket_connections", 0).await;
    assert_eq!(running.figure(ended).await, 0);
    let mut client = Client::connected(&running).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:1\n\n\0").await;
    client.next().await;
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/a", &[], "").await;
    stream.head().await;
    running.wait_for("sansocket_subscriptions", 2).await;
    for _ in 0..MESSAGES {
        running.publish("/topic/a", &"x".repeat(MESSAGE));
    }
    running.wait_for("sansocket_connections", 0).await;
    assert_eq!(running.figure(ended).await, 2);
}

#[tokio::test]
async fn clients_are_counted_that_the_server_gives_up() {
    let mut options = keeping_all();
    options.slow_consumer = options.slow_consumer.stalled(Duration::from_millis(500));
    // The write timeout is far away.
    let running = Running::start(options).await;
    let mut client = Client::connected(&running).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:1\n\n\0").await;
    client.next().await;
    for _ in 0..MESSAGES {
        running.publish("/topic/a", &"x".repeat(MESSAGE));
    }
    running.wait_for("sansocket_connections", 0).await;
    assert_eq!(running.figure("sansocket_slow_connections_ended_total").await, 1);
}
