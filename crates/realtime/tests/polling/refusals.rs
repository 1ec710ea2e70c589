//! Polls that are refused, and how clients learn it.

use crate::{
    json::Json,
    server::{Server, answer},
};
use sansocket_realtime::{
    Epoch, Message,
    hub::{self, Authorization, Hub, Principal},
    poll::{Config, Request},
};

fn problem(server: &mut Server<impl Authorization>, poll: u64) -> (u16, String) {
    let response = server.take_response(poll);
    let body = Json::parse(&response.body);
    assert_eq!(body.get("status"), Some(&Json::Number(response.head.status.into())));
    let field =
        |wanted| response.head.fields().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    assert_eq!(field("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(field("cache-control").as_deref(), Some("no-store"));
    assert_eq!(field("retry-after").is_some(), response.head.status == 503, "{response:?}");
    assert!(server.polls.is_empty() && server.polls.next_deadline().is_none());
    (response.head.status, body.text_of("detail").to_owned())
}

/// Only users see what is below `/topic/users`.
struct Rules;

impl Authorization for Rules {
    fn may_subscribe(&self, user: Option<&Principal>, destination: &str) -> bool {
        user.is_some() || !destination.starts_with("/topic/users/")
    }

    fn may_subscribe_pattern(&self, user: Option<&Principal>, _: &str) -> bool {
        user.is_some()
    }
}

#[test]
fn what_is_not_allowed_is_forbidden() {
    let hub = Hub::with_config(Epoch(0xa), hub::Config::default(), Rules);
    let mut server = Server::of(Config::default(), hub);
    for topic in ["/topic/users/a", "/topic/*"] {
        let query = format!("topic=/topic/a&topic={topic}&wait=0");
        let poll = server.poll(&query);
        let expected = (403, format!("you may not subscribe to {topic:?}"));
        assert_eq!(problem(&mut server, poll), expected);
        let poll = server.poll_of(Some("joe"), &query);
        assert_eq!(server.take_response(poll).head.status, 200);
    }
    assert_eq!(server.hub.subscriptions(), 0);
}

#[test]
fn the_queue_of_a_user_needs_a_user() {
    let mut server = Server::new();
    let poll = server.poll("topic=/topic/a&topic=/user/queue/a");
    let expected = (403, "only a user who is logged in has queues".to_owned());
    assert_eq!(problem(&mut server, poll), expected);
}

#[test]
fn topics_of_different_sequences_are_a_bad_request() {
    let config = hub::Config::default().local("/topic/local/**".parse().unwrap());
    let hub = Hub::with_config(Epoch(0xa), config, hub::Open).with_bridge();
    let mut server = Server::of(Config::default(), hub);
    let poll = server.poll("topic=/topic/a&topic=/topic/local/a");
    assert_eq!(problem(&mut server, poll).0, 400);
}

#[test]
fn a_full_hub_is_told_as_temporary() {
    let mut server = Server::with(Config::default(), hub::Config::default().destinations(1));
    let poll = server.poll("topic=/topic/a&topic=/topic/b");
    let expected = (503, "there are too many destinations".to_owned());
    assert_eq!(problem(&mut server, poll), expected);
}

#[test]
fn there_are_only_so_many_polls() {
    let mut server = Server::with(Config::default().parked(2), hub::Config::default());
    let waiting = [server.poll("topic=/topic/a"), server.poll("topic=/topic/a")];
    let refused = server.poll("topic=/topic/a");
    let response = server.take_response(refused);
    assert_eq!((response.head.status, server.polls.len()), (503, 2));
    server.publish("/topic/a", "1");
    assert!(!waiting.iter().any(|poll| server.is_waiting(*poll)));
    let waiting = server.poll("topic=/topic/a");
    assert!(server.is_waiting(waiting));
}

#[test]
fn a_refused_poll_leaves_one_of_the_same_number_as_it_is() {
    let mut server = Server::with(Config::default().parked(1), hub::Config::default());
    let poll = server.poll("topic=/topic/a");
    let connection = hub::ConnectionId(poll);
    let request = |topic: &str| Request::new([topic], &Config::default()).unwrap();
    let now = server.now;
    assert!(server.polls.begin(connection, None, request("/user/queue/a"), now).is_err());
    assert!(server.is_waiting(poll) && server.polls.len() == 1);
    // One that takes its place needs no room.
    let commands = server.polls.begin(connection, None, request("/topic/b"), now).unwrap();
    server.handle(commands);
    server.publish("/topic/b", "1");
    assert_eq!(server.take(poll), answer(["1"], "a-1"));
    assert!(server.polls.is_empty() && server.hub.subscriptions() == 0);
}

#[test]
fn a_refusal_of_the_hub_ends_a_poll_that_waits() {
    use sansocket_realtime::hub::{ConnectionId, Effect, Refusal};
    let mut server = Server::new();
    let poll = server.poll("topic=/topic/a");
    let refused = Effect::Refused {
        connection: Some(ConnectionId(poll)),
        request: None,
        subscription: None,
        refusal: Box::new(Refusal::Missed { destination: "/topic/a".into() }),
    };
    assert!(server.polls.apply(&refused, server.now));
    server.handle([]);
    assert_eq!(problem(&mut server, poll).0, 503);
}

#[test]
fn events_come_before_a_refusal() {
    use sansocket_realtime::hub::{ConnectionId, Effect, Refusal};
    let mut server = Server::new();
    let poll = server.poll("topic=/topic/a");
    let refused = Effect::Refused {
        connection: Some(ConnectionId(poll)),
        request: None,
        subscription: None,
        refusal: Box::new(Refusal::Missed { destination: "/topic/a".into() }),
    };
    let publish = hub::Command::Publish {
        destination: "/topic/a".into(),
        message: Message::new("1"),
        request: None,
    };
    for effect in server.hub.handle(publish, server.now).chain([refused]) {
        server.polls.apply(&effect, server.now);
    }
    server.handle([]);
    assert_eq!(server.take(poll), answer(["1"], "a-1"));
}
