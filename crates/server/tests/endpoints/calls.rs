//! Handlers that take time.

use crate::{
    server::{Running, options},
    stomp::Client,
};
use sansocket_realtime::{
    Message,
    hub::{Answer, Call},
};
use sansocket_server::{ListenOptions, Options, Server};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

/// A server whose handler waits until the test lets it go on.
struct Slow {
    running: Running,
    /// How many calls may be answered.
    may_answer: Arc<Semaphore>,
    /// How many calls the handler has got.
    begun: Arc<AtomicUsize>,
}

impl Slow {
    async fn start(options: Options) -> Self {
        let may_answer = Arc::new(Semaphore::new(0));
        let begun = Arc::new(AtomicUsize::new(0));
        let of_handler = (may_answer.clone(), begun.clone());
        let handler = move |call: Call| {
            let (may_answer, begun) = of_handler.clone();
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                may_answer.acquire().await.unwrap().forget();
                answer(&call)
            }
        };
        let server = Server::builder(options).on_async("/app/slow/{topic}", handler);
        let running = Running::serve(server.build().unwrap(), ListenOptions::default()).await;
        Self { running, may_answer, begun }
    }

    fn answer(&self, calls: usize) {
        self.may_answer.add_permits(calls);
    }

    async fn has_begun(&self, calls: usize) {
        while self.begun.load(Ordering::SeqCst) < calls {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(self.begun.load(Ordering::SeqCst), calls);
    }
}

fn answer(call: &Call) -> Answer {
    let text = call.message.text().unwrap_or_default().to_owned();
    match (&*text, &call.subscription) {
        ("panic", _) => panic!("this is the fault of a handler"),
        ("refuse", _) => Answer::refuse("not today"),
        ("away", _) => Answer::unavailable("the database is away"),
        (_, Some(_)) => Answer::new().reply(&*call.destination, Message::new("late")),
        _ => Answer::new()
            .publish(
                format!("/topic/{}", call.variable("topic").unwrap_or_default()),
                call.message.clone(),
            )
            .reply("/user/queue/replies", Message::new(format!("reply to {text}"))),
    }
}

fn send(text: &str, receipt: &str) -> String {
    format!("SEND\ndestination:/app/slow/a\nreceipt:{receipt}\n\n{text}\0")
}

#[tokio::test]
async fn a_receipt_comes_when_the_handler_has_answered() {
    let slow = Slow::start(options()).await;
    let mut client = Client::connected(&slow.running).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/user/queue/replies\n\n\0").await;
    client.send(&send("x", "1")).await;
    slow.has_begun(1).await;
    // Meanwhile the client is served, and so are others.
    client.send("SEND\ndestination:/topic/b\nreceipt:2\n\nx\0").await;
    assert!(client.next().await.contains("receipt-id:2\n"));
    let mut other = Client::connected(&slow.running).await;
    other.send(&send("y", "3")).await;
    slow.has_begun(2).await;
    assert_eq!(slow.running.figure("sansocket_calls").await, 2);
    assert!(slow.running.figure("sansocket_calls_bytes").await > 2 * 512);
    slow.answer(2);
    assert!(client.next().await.ends_with("\n\nreply to x\0"));
    assert!(client.next().await.contains("receipt-id:1\n"));
    assert!(other.next().await.contains("receipt-id:3\n"));
    slow.running.wait_for("sansocket_calls", 0).await;
    assert_eq!(slow.running.figure("sansocket_calls_bytes").await, 0);
}

#[tokio::test]
async fn calls_of_a_connection_are_handled_in_their_order() {
    let slow = Slow::start(options()).await;
    let mut client = Client::connected(&slow.running).await;
    for number in 0..20 {
        client.send(&send("x", &number.to_string())).await;
    }
    slow.has_begun(1).await;
    for number in 0..20 {
        slow.has_begun(number + 1).await;
        slow.answer(1);
        let receipt = client.next().await;
        assert!(receipt.contains(&format!("receipt-id:{number}\n")), "{receipt}");
    }
}

#[tokio::test]
async fn a_subscription_to_the_application_is_answered_late() {
    let slow = Slow::start(options()).await;
    let mut client = Client::connected(&slow.running).await;
    client.send("SUBSCRIBE\nid:7\ndestination:/app/slow/a\n\n\0").await;
    slow.has_begun(1).await;
    slow.answer(1);
    let message = client.next().await;
    assert!(message.contains("subscription:7\n") && message.ends_with("\n\nlate\0"), "{message}");
}

#[tokio::test]
async fn a_handler_that_panics_or_refuses_ends_the_sender_alone() {
    let slow = Slow::start(options()).await;
    slow.answer(4);
    for (text, error, code) in [
        ("panic", "the handler has failed", 1011),
        ("refuse", "not today", 1008),
        ("away", "the database is away", 1013),
    ] {
        let mut client = Client::connected(&slow.running).await;
        client.send(&send(text, "1")).await;
        let refused = client.next().await;
        assert!(refused.starts_with("ERROR\n") && refused.contains(error), "{refused}");
        assert!(refused.contains("receipt-id:1\n"), "{refused}");
        assert_eq!(client.ended().await, Some(code));
    }
    let mut client = Client::connected(&slow.running).await;
    client.send(&send("x", "2")).await;
    assert!(client.next().await.contains("receipt-id:2\n"));
}

#[tokio::test]
async fn what_a_client_has_sent_is_handled_after_it_has_gone() {
    let slow = Slow::start(options()).await;
    let mut other = Client::connected(&slow.running).await;
    other.send("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:0\n\n\0").await;
    assert!(other.next().await.starts_with("RECEIPT\n"));
    let mut client = Client::connected(&slow.running).await;
    client.send(&send("one", "1")).await;
    client.send(&send("two", "2")).await;
    slow.has_begun(1).await;
    drop(client);
    slow.running.wait_for("sansocket_connections", 1).await;
    slow.answer(2);
    assert!(other.next().await.ends_with("\n\none\0"));
    assert!(other.next().await.ends_with("\n\ntwo\0"));
}

#[tokio::test]
async fn a_server_ends_after_its_calls_are_answered() {
    let slow = Slow::start(options()).await;
    let mut client = Client::connected(&slow.running).await;
    client.send(&send("one", "1")).await;
    // This one publishes nothing, so nothing else happens once it is answered.
    client.send(&send("refuse", "2")).await;
    slow.has_begun(1).await;
    slow.running.server.shut_down(Duration::ZERO);
    assert!(client.next().await.starts_with("ERROR\n"));
    assert_eq!(client.ended().await, Some(1001));
    drop(client);
    slow.running.wait_for("sansocket_connections", 0).await;
    let server = slow.running.server.clone();
    let mut ended = tokio::spawn(async move { server.ended().await });
    let early = tokio::time::timeout(Duration::from_millis(50), &mut ended).await;
    assert!(early.is_err(), "the server has ended before its calls were answered");
    slow.answer(1);
    slow.has_begun(2).await;
    slow.answer(1);
    // Not only when it looks for slow clients the next time, which is a minute later.
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
    ended.expect("the server has not ended").unwrap();
}

#[tokio::test]
async fn what_waits_is_bounded_for_each_client_and_for_all() {
    let mut options = options();
    options.calls_of_client = 2_000;
    options.calls = 4_000;
    let slow = Slow::start(options).await;
    let mut observer = Client::connected(&slow.running).await;
    observer.send("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:0\n\n\0").await;
    assert!(observer.next().await.starts_with("RECEIPT\n"));
    let mut clients = Vec::new();
    // A call that is larger than the limit of a client may be alone, and then nothing may wait behind it.
    let mut large = Client::connected(&slow.running).await;
    large.send(&send(&"x".repeat(2_100), "1")).await;
    slow.has_begun(1).await;
    large.send(&send("x", "2")).await;
    let refused = large.next().await;
    assert!(refused.starts_with("ERROR\n") && refused.contains("of your calls"), "{refused}");
    assert_eq!(large.ended().await, Some(1013));
    // All clients together have room for two more.
    for number in 0..3 {
        let mut client = Client::connected(&slow.running).await;
        client.send(&send("x", "3")).await;
        if number < 2 {
            slow.has_begun(number + 2).await;
        } else {
            let refused = client.next().await;
            assert!(refused.starts_with("ERROR\n"), "{refused}");
            assert!(refused.contains("the application is busy"), "{refused}");
            assert_eq!(client.ended().await, Some(1013));
        }
        clients.push(client);
    }
    // What was refused takes no room, and what is answered gives it back.
    slow.answer(3);
    for _ in 0..3 {
        assert!(observer.next().await.starts_with("MESSAGE\n"));
    }
    let mut client = Client::connected(&slow.running).await;
    client.send(&send(&"x".repeat(3_000), "4")).await;
    slow.has_begun(4).await;
    slow.answer(1);
    assert!(client.next().await.contains("receipt-id:4\n"));
}

#[tokio::test]
async fn a_batch_is_not_slow_while_a_handler_is() {
    let mut options = options();
    options.slow_consumer = options.slow_consumer.stalled(Duration::from_millis(20));
    let slow = Slow::start(options).await;
    let batch = r#"[
        {"destination": "/topic/a", "body": "1"},
        {"destination": "/app/slow/a", "body": "2"}
    ]"#;
    let fields = [("content-type", "application/json")];
    let publishing =
        async { slow.running.connect().await.request("POST", "/publish", &fields, batch).await };
    let answering = async {
        slow.has_begun(1).await;
        // The answer to the first one waits meanwhile.
        tokio::time::sleep(Duration::from_millis(500)).await;
        slow.answer(1);
    };
    let (answers, ()) = tokio::join!(publishing, answering);
    assert!(!answers.body.contains("202"), "{answers:?}");
}
