//! `/events`.

use crate::server::{Running, options, with_users};

#[tokio::test]
async fn a_stream_has_what_is_published_and_resumes_behind_its_last_id() {
    let running = Running::start(options()).await;
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/a&topic=/topic/b", &[], "").await;
    let head = stream.head().await;
    assert_eq!(head.status, 200);
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    assert_eq!(head.field("x-accel-buffering"), Some("no"));
    stream.chunks_until("id: ").await;
    running.publish("/topic/a", "one");
    let first = stream.chunks_until("data: one\n\n").await;
    let id = first.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    running.publish("/topic/b", "two");
    stream.chunks_until("data: two\n\n").await;
    drop(stream);
    running.wait_for("sansocket_connections", 0).await;
    running.publish("/topic/a", "three");
    for (target, field) in [
        ("/events?topic=/topic/a&topic=/topic/b".to_owned(), Some(id.as_str())),
        (format!("/events?topic=/topic/a&topic=/topic/b&since={id}"), None),
    ] {
        let mut stream = running.connect().await;
        let fields: Vec<_> = field.map(|id| ("last-event-id", id)).into_iter().collect();
        stream.send("GET", &target, &fields, "").await;
        assert_eq!(stream.head().await.status, 200);
        let replayed = stream.chunks_until("data: three\n\n").await;
        assert!(
            replayed.contains("data: two\n\n") && !replayed.contains("data: one"),
            "{replayed}"
        );
    }
}

/// Each line has a field of its own, and each control character six bytes in JSON. A client that was cut off
/// for that would come back for the same message again and again.
#[tokio::test]
async fn a_message_that_grows_in_a_stream_arrives() {
    let running = Running::start(options()).await;
    for (form, character) in [("text", "\n"), ("json", "\u{1}")] {
        let topic = format!("/topic/{form}");
        running.publish(&topic, &character.repeat(1_000_000));
        running.publish(&topic, "the end");
        let mut stream = running.connect().await;
        let target = format!("/events?topic={topic}&since=beginning&form={form}");
        stream.send("GET", &target, &[], "").await;
        assert_eq!(stream.head().await.status, 200);
        stream.chunks_until("the end").await;
    }
}

#[tokio::test]
async fn a_cursor_of_another_run_is_told_as_a_gap() {
    let running = Running::start(options()).await;
    running.publish("/topic/a", "one");
    let mut stream = running.connect().await;
    stream.send("GET", "/events?topic=/topic/a", &[("last-event-id", "5f3a-7")], "").await;
    let told = stream.body_until("data: one\n\n").await;
    assert!(told.contains("event: gap\n"), "{told}");
}

#[tokio::test]
async fn a_stream_that_may_not_be_gets_a_status() {
    let running = Running::start(with_users()).await;
    let bearer = [("authorization", "Bearer ann")];
    let nobody = running.connect().await.get("/events?topic=/topic/a").await;
    assert_eq!(nobody.status, 401);
    assert_eq!(nobody.field("www-authenticate"), Some(r#"Bearer realm="realtime""#));
    let wrong = [("authorization", "Bearer eve")];
    let wrong = running.connect().await.request("GET", "/events?topic=/topic/a", &wrong, "").await;
    assert_eq!(wrong.status, 401);
    for (target, status) in [
        ("/events", 400),
        ("/events?topic=/nowhere/a", 400),
        ("/events?topic=/queue/a", 400),
        ("/events?topic=/topic/a&since=1", 400),
        ("/events?topic=/topic/secret", 403),
        ("/events?topic=/topic/secret/*", 403),
    ] {
        let response = running.connect().await.request("GET", target, &bearer, "").await;
        assert_eq!(response.status, status, "{target}: {response:?}");
        assert_eq!(response.field("content-type"), Some("application/problem+json"), "{target}");
    }
}
