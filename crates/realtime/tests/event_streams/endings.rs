//! How event streams end, and how they are refused.

use crate::{
    json::Json,
    server::{SECOND, Server},
};
use sansocket_realtime::{
    Epoch,
    bridge::{self, Event, History},
    guard::{Answer, AuthenticationError},
    hub::{self, Authorization, Command, ConnectionId, Effect, Hub, Open, Principal, Refusal},
    sse::{EventStream, EventStreamConfig, RESPONSE_FIELDS},
};
use std::time::Duration;

#[test]
fn a_shutdown_ends_the_stream_behind_what_is_queued() {
    let mut server = Server::new();
    server.open("topic=/topic/a", None);
    server.publish("/topic/a", "1");
    server.stream.shut_down();
    server.publish("/topic/a", "2");
    assert!(!server.stream.has_ended());
    let events = "id: a-0\n\nid: a-1\ndata: 1\n\n";
    assert_eq!(server.text(), format!("retry: 3000\n\n{events}retry: 18000\n\n"));
    assert!(server.stream.has_ended());
    assert_eq!(server.stream.next_deadline(), None);
    server.stream.shut_down();
    assert_eq!(server.text(), "");
    // The client comes back after its last event.
    server.open("topic=/topic/a", Some("a-1"));
    assert_eq!(server.text(), "retry: 3000\n\nid: a-1\n\nid: a-2\ndata: 2\n\n");
}

fn later() -> Answer {
    Answer::from(&Refusal::Missed { destination: "/topic/a".into() })
}

#[test]
fn each_stream_has_its_own_time_to_come_back() {
    let config = EventStreamConfig::default().retry(SECOND).spread(10 * SECOND);
    let late = |random| {
        let mut stream = EventStream::refused(ConnectionId(1), &later(), config, random);
        let head = stream.head().expect("it is refused");
        assert_eq!(head.status, 200);
        assert!(
            head.fields().eq(RESPONSE_FIELDS.iter().map(|(name, value)| (*name, (*value).into())))
        );
        let block = stream.next_chunk().expect("a reconnection time");
        assert!(stream.has_ended());
        String::from_utf8(block.to_vec()).unwrap()
    };
    assert_eq!(late(0), "retry: 1000\n\n");
    assert_eq!(late(1 << 62), "retry: 3500\n\n");
    assert_eq!(late(u64::MAX), "retry: 11000\n\n");
    let longest = EventStreamConfig::default().retry(Duration::MAX).spread(Duration::MAX);
    assert!(
        EventStream::refused(ConnectionId(1), &later(), longest, u64::MAX).next_chunk().is_some()
    );
}

/// Nobody subscribes to anything.
struct Closed;

impl Authorization for Closed {
    fn may_subscribe(&self, _: Option<&Principal>, _: &str) -> bool {
        false
    }

    fn may_subscribe_pattern(&self, _: Option<&Principal>, _: &str) -> bool {
        false
    }
}

#[test]
fn a_refusal_for_good_has_its_status() {
    let hub = Hub::with_config(Epoch(1), hub::Config::default(), Closed);
    let mut server = Server::of(EventStreamConfig::default(), hub);
    server.open("topic=/topic/a", None);
    let head = server.stream.head().expect("the hub has answered");
    assert_eq!(head.status, 403);
    assert!(head.fields().any(|it| it == ("content-type", "application/problem+json".into())));
    let body = Json::parse(&server.take());
    assert_eq!(body.text_of("detail"), "you may not subscribe to \"/topic/a\"");
    assert!(server.stream.has_ended());
}

#[test]
fn a_refusal_for_now_is_a_stream_that_ends() {
    let hub = hub::Config::default().destinations(0);
    let mut server = Server::with(EventStreamConfig::default(), hub);
    server.open("topic=/topic/a", None);
    assert_eq!(server.status(), Some(200));
    // A client can come back after 5 seconds, and not all of them do so at once.
    assert_eq!(server.text(), "retry: 20000\n\n");
    assert!(server.stream.has_ended());
}

#[test]
fn a_refusal_of_an_open_stream_ends_it() {
    for (refusal, retry) in [
        (Refusal::NotConnected, "retry: 18000\n\n"),
        (Refusal::Broker("away".into()), "retry: 20000\n\n"),
    ] {
        let mut server = Server::new();
        server.open("topic=/topic/a", None);
        server.take();
        let refused = Effect::Refused {
            connection: Some(server.stream.subscription().0),
            request: None,
            subscription: Some(server.stream.subscription().1),
            refusal: Box::new(refusal),
        };
        assert!(server.stream.apply(&refused, server.now));
        assert_eq!((server.status(), server.text().as_str()), (Some(200), retry));
        assert!(server.stream.has_ended());
    }
}

#[test]
fn a_client_that_is_too_slow_loses_the_stream_and_nothing_else() {
    let config = EventStreamConfig::default().queued(300);
    let mut server = Server::with(config, hub::Config::default());
    server.open("topic=/topic/a", None);
    let body = "x".repeat(100);
    for _ in 0..4 {
        server.publish("/topic/a", &body);
    }
    assert!(!server.stream.has_ended());
    let text = server.text();
    assert_eq!((text.len() <= 300, text.matches("data: ").count()), (true, 2));
    assert!(server.stream.has_ended());
    server.open("topic=/topic/a", Some("a-2"));
    assert_eq!(server.text().matches("data: ").count(), 2);
}

#[test]
fn all_bytes_of_an_event_count() {
    for form in ["text", "json"] {
        for queued in 100..300 {
            let config = EventStreamConfig::default().queued(queued);
            let mut server = Server::with(config, hub::Config::default());
            server.open(&format!("topic=/topic/a&form={form}"), None);
            for body in ["1", "2"] {
                server.publish("/topic/a", body);
            }
            assert!(server.text().len() <= queued, "{form} {queued}");
        }
    }
}

#[test]
fn one_event_has_room_in_each_stream() {
    for form in ["text", "json"] {
        let config = EventStreamConfig::default().queued(10);
        let mut server = Server::with(config, hub::Config::default());
        let body = "x".repeat(1000);
        for _ in 0..3 {
            server.publish("/topic/a", &body);
        }
        for id in ["a-0", "a-1", "a-2"] {
            server.open(&format!("topic=/topic/a&form={form}"), Some(id));
            assert_eq!(server.text().matches(&body).count(), 1);
        }
    }
}

#[test]
fn a_broker_that_is_away_delays_the_events_but_not_the_head_for_long() {
    let hub = Hub::with_config(Epoch(0xa), hub::Config::default(), Open).with_bridge();
    let mut server = Server::of(EventStreamConfig::default(), hub);
    server.open("topic=/topic/a", Some("b-4"));
    assert_eq!((server.status(), server.text().as_str()), (None, ""));
    assert_eq!(server.stream.next_deadline(), Some(server.now + 5 * SECOND));
    server.pass(5 * SECOND);
    assert_eq!((server.status(), server.text().as_str()), (Some(200), "retry: 3000\n\n"));
    server.pass(15 * SECOND);
    assert_eq!(server.text(), ":\n\n");
    server.handle(Command::Bridge(Event::Up { epoch: Epoch(0xb), head: 4 }));
    let Some(bridge::Command::Follow { question, destination, .. }) = server.bridge.pop() else {
        panic!("no question");
    };
    let (entries, complete_after, head) = (Vec::new(), 0, 4);
    let history = Event::History(History { question, destination, entries, complete_after, head });
    server.handle(Command::Bridge(history));
    assert_eq!(server.text(), "id: b-4\n\n");
}

#[test]
fn the_server_says_how_long_a_head_waits() {
    let config = EventStreamConfig::default().begin(2 * SECOND);
    let hub = Hub::with_config(Epoch(0xa), hub::Config::default(), Open).with_bridge();
    let mut server = Server::of(config, hub);
    server.open("topic=/topic/a", None);
    server.pass(2 * SECOND - Duration::from_nanos(1));
    assert_eq!(server.status(), None);
    server.pass(Duration::from_nanos(1));
    assert_eq!(server.status(), Some(200));
}

#[test]
fn a_shutdown_before_the_head_has_the_client_come_back() {
    let hub = Hub::with_config(Epoch(0xa), hub::Config::default(), Open).with_bridge();
    let mut server = Server::of(EventStreamConfig::default(), hub);
    server.open("topic=/topic/a", None);
    server.stream.shut_down();
    assert_eq!((server.status(), server.text().as_str()), (Some(200), "retry: 18000\n\n"));
    assert!(server.stream.has_ended());
}

#[test]
fn effects_of_others_are_none_of_the_stream() {
    let mut server = Server::new();
    server.open("topic=/topic/a", None);
    let other = Effect::Refused {
        connection: Some(ConnectionId(77)),
        request: None,
        subscription: None,
        refusal: Box::new(Refusal::NotConnected),
    };
    assert!(!server.stream.apply(&other, server.now));
    let disconnect = server.stream.disconnect();
    server.handle(disconnect);
    assert_eq!(server.hub.subscriptions(), 0);
}

#[test]
fn a_stream_that_the_guard_refuses_gets_what_its_client_understands() {
    let config = EventStreamConfig::default();
    let missing = Answer::from(&AuthenticationError::Missing);
    let mut stream = EventStream::refused(ConnectionId(1), &missing, config, 0);
    assert_eq!(stream.head().map(|head| head.status), Some(401));
    let body = Json::parse(&stream.next_chunk().expect("a problem"));
    assert_eq!(body.get("status"), Some(&Json::Number(401)));
    assert!(stream.has_ended());
    // The client does not come back before the time that the answer says.
    let retry_after = Some(60 * SECOND);
    let away = Answer::from(&AuthenticationError::Unavailable { retry_after });
    for (random, retry) in [(0, "retry: 60000\n\n"), (1 << 63, "retry: 75000\n\n")] {
        let mut stream = EventStream::refused(ConnectionId(1), &away, config, random);
        assert_eq!(stream.head().map(|head| head.status), Some(200));
        assert_eq!(stream.next_chunk().as_deref(), Some(retry.as_bytes()));
        assert!(stream.has_ended());
    }
}
