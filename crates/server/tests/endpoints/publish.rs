//! `/publish` and `/presence`.

use crate::server::{Running, options, with_users};
use sansocket_realtime::{Message, hub::Answer};
use sansocket_server::{ListenOptions, Server};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Notify;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn what_is_published_gets_its_cursor() {
    let running = Running::start(options()).await;
    let raw = running.connect().await;
    let raw = raw.request(
        "POST",
        "/publish?destination=/topic/a",
        &[("content-type", "text/plain")],
        "1",
    );
    let raw = raw.await;
    assert_eq!(raw.status, 200);
    let batch = r#" [
        {"destination": "/topic/a", "body": "2", "content-type": "text/x", "headers": {"k": "v"}},
        {"destination": "/app/nothing", "body": "3"},
        {"destination": "/app/refuse", "body": "4"},
        {"destination": "/topic/a", "base64": "/w=="},
        {"destination": "/queue/a", "body": "5"}
    ]"#;
    let batch = running.connect().await.request("POST", "/publish", &[JSON], batch).await;
    assert_eq!(batch.status, 200);
    let answers: Vec<serde_json::Value> = serde_json::from_str(&batch.body).unwrap();
    assert!(answers[0]["cursor"].as_str().unwrap().ends_with("-2"), "{answers:?}");
    assert_eq!(answers[1]["status"], 404);
    assert_eq!((&answers[2]["status"], &answers[2]["detail"]), (&422.into(), &"not today".into()));
    assert!(answers[3]["cursor"].as_str().unwrap().ends_with("-3"), "{answers:?}");
    assert!(answers[4]["cursor"].is_null());
    let all = running.connect().await.get("/poll?topic=/topic/a&since=beginning&wait=0").await;
    let all: serde_json::Value = serde_json::from_str(&all.body).unwrap();
    let events = all["events"].as_array().unwrap();
    assert_eq!((&events[0]["data"], &events[0]["type"]), (&"1".into(), &"text/plain".into()));
    assert_eq!((&events[1]["data"], &events[1]["type"]), (&"2".into(), &"text/x".into()));
    assert_eq!((&events[1]["headers"]["k"], &events[2]["base64"]), (&"v".into(), &"/w==".into()));
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let mut options = options();
    options.publish_body = 1000;
    let running = Running::start(options).await;
    let long = format!(r#"{{"destination":"/topic/a","body":"{}"}}"#, "x".repeat(1000));
    let many = format!("[{}]", ["0"; 2].join(","));
    for (target, body, status, why) in [
        ("/publish", "", 400, "EOF"),
        ("/publish", "{", 400, "EOF"),
        ("/publish", r#"{"body":"x"}"#, 400, "destination"),
        ("/publish", r#"{"destination":"/topic/a"}"#, 400, "neither"),
        ("/publish", r#"{"destination":"/topic/a","body":"x","base64":""}"#, 400, "both"),
        ("/publish", r#"{"destination":"/topic/a","base64":"!"}"#, 400, "not Base64"),
        ("/publish", r#"{"destination":"/topic/a","body":"x","typo":1}"#, 400, "typo"),
        ("/publish", &many, 400, "invalid type"),
        ("/publish", &long, 413, "1000 bytes"),
        ("/publish?destination=/topic/a&destination=/topic/b", "x", 400, "more than once"),
        ("/publish?destination=%ff", "x", 400, "UTF-8"),
        ("/publish?destination=/topic/*", "x", 400, ""),
        ("/publish?destination=/nowhere", "x", 400, ""),
        ("/publish?destination=/user/ann/queue/a", "x", 403, ""),
        ("/publish?destination=/app/panic", "x", 500, "the handler has failed"),
    ] {
        let response = running.connect().await.request("POST", target, &[JSON], body).await;
        assert_eq!(response.status, status, "{target} {body}: {response:?}");
        assert_eq!(response.field("content-type"), Some("application/problem+json"));
        assert!(response.body.contains(why), "{target} {body}: {response:?}");
    }
    let form = [("content-type", "text/plain")];
    let response = running.connect().await.request("POST", "/publish", &form, "x").await;
    assert_eq!(response.status, 400);
    assert_eq!(running.connect().await.get("/publish").await.status, 405);
    // The panic has done no harm.
    let target = "/publish?destination=/topic/a";
    assert_eq!(running.connect().await.request("POST", target, &[JSON], "x").await.status, 200);
}

#[tokio::test]
async fn users_publish_and_see_who_is_there() {
    let running = Running::start(with_users()).await;
    let ann = [("authorization", "Bearer ann")];
    let target = "/publish?destination=/topic/secret";
    assert_eq!(running.connect().await.request("POST", target, &ann, "x").await.status, 403);
    assert_eq!(running.connect().await.request("POST", target, &[], "x").await.status, 401);
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/room/1", &ann, "").await;
    stream.head().await;
    let presence = running.connect().await;
    let presence = presence.request("GET", "/presence?topic=/topic/room/1", &ann, "").await;
    let expected = r#"{"anonymous":0,"partial":false,"topic":"/topic/room/1","users":["ann"]}"#;
    assert_eq!(presence.body, expected);
    for (target, fields, status) in [
        ("/presence?topic=/topic/room/1", &[][..], 401),
        ("/presence?topic=/topic/secret", &ann[..], 403),
        ("/presence", &ann[..], 400),
        ("/presence?topic=/topic/a&topic=/topic/b", &ann[..], 400),
    ] {
        let response = running.connect().await.request("GET", target, fields, "").await;
        assert_eq!(response.status, status, "{target}");
        assert_eq!(response.field("content-type"), Some("application/problem+json"));
    }
    // The fault of the application's rules is not that of the server.
    let target = "/publish?destination=/topic/panic";
    assert_eq!(running.connect().await.request("POST", target, &ann, "x").await.status, 403);
    let target = "/publish?destination=/topic/a";
    assert_eq!(running.connect().await.request("POST", target, &ann, "x").await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let mut options = options();
    options.body_timeout = std::time::Duration::from_millis(200);
    let running = Running::start(options).await;
    running.connect().await.request("POST", "/ws/0/a/xhr", &[], "").await;
    for target in ["/publish?destination=/topic/a", "/ws/0/a/xhr_send"] {
        let mut slow = running.connect().await;
        slow.send("POST", target, &[("content-length", "100")], "").await;
        assert_eq!(slow.head().await.status, 408, "{target}");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_not_called_too_long() {
    let mut options = options();
    options.publish_body = 10;
    let mut sockjs = sansocket_realtime::sockjs::Config::default();
    sockjs.payload_bytes = 10;
    options.sockjs = std::sync::Arc::new(sockjs);
    let running = Running::start(options).await;
    running.connect().await.request("POST", "/ws/0/a/xhr", &[], "").await;
    let chunked = [("transfer-encoding", "chunked")];
    for target in ["/publish?destination=/topic/a", "/ws/0/a/xhr_send"] {
        for (chunks, status, why) in [
            ("3\r\nabc\r\nnonsense\r\n", 400, "cut off"),
            ("b\r\nabcdefghijk\r\n0\r\n\r\n", 413, ""),
        ] {
            let mut client = running.connect().await;
            client.send("POST", target, &chunked, "").await;
            client.write(chunks).await;
            let response = client.response().await;
            assert_eq!(response.status, status, "{target}: {response:?}");
            assert!(response.body.contains(why), "{target}: {response:?}");
        }
    }
}

/// A server with a handler that says when it is called for the first time, and counts its calls.
async fn watched(has_begun: Arc<Notify>, calls: Arc<AtomicUsize>) -> Running {
    let builder = Server::builder(options()).on("/app/watched", move |call| {
        if calls.fetch_add(1, Ordering::Relaxed) == 0 {
            has_begun.notify_one();
        }
        Answer::new().publish("/topic/a", call.message.clone())
    });
    Running::serve(builder.build().unwrap(), ListenOptions::default()).await
}

fn batch(count: usize) -> String {
    let message = |number| format!(r#"{{"destination":"/app/watched","body":"{number}"}}"#);
    let messages: Vec<_> = (0..count).map(message).collect();
    format!("[{}]", messages.join(","))
}

#[tokio::test]
async fn others_have_their_turns_while_a_batch_is_published() {
    let has_begun = Arc::new(Notify::new());
    let running = watched(has_begun.clone(), Arc::default()).await;
    let server = running.server.clone();
    tokio::spawn(async move {
        has_begun.notified().await;
        server.publish("/topic/a", Message::new("other"));
    });
    let response = running.connect().await.request("POST", "/publish", &[JSON], &batch(20)).await;
    assert_eq!(response.status, 200);
    let target = "/poll?topic=/topic/a&since=beginning&wait=0";
    let answer = running.connect().await.get(target).await.body;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let told = answer["events"].as_array().unwrap().iter();
    let mut told: Vec<_> = told.map(|it| it["data"].as_str().unwrap().to_owned()).collect();
    let other = told.iter().position(|text| text == "other").unwrap();
    assert!(other < 20, "{told:?}");
    // The others are in their order.
    told.remove(other);
    assert!(told.into_iter().eq((0..20).map(|number| number.to_string())));
}

#[tokio::test]
async fn a_batch_whose_client_goes_is_published_whole() {
    let (has_begun, calls) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let running = watched(has_begun.clone(), calls.clone()).await;
    let mut client = running.connect().await;
    client.send("POST", "/publish", &[JSON], &batch(1_000)).await;
    has_begun.notified().await;
    drop(client);
    // The server waits for it when it ends.
    running.server.shut_down(std::time::Duration::ZERO);
    running.server.ended().await;
    assert_eq!(calls.load(Ordering::Relaxed), 1_000);
}
