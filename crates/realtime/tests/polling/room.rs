//! What has room in an answer, and who gets the rest.

use crate::server::{Server, answer};
use sansocket_realtime::{
    Message,
    hub::{self, Command, ConnectionId, Effect, Gap, SubscriptionId, TopicConfig},
    poll::Config,
};
use std::num::NonZeroU32;

fn events(limit: u32) -> Config {
    Config::default().events(NonZeroU32::new(limit).unwrap())
}

#[test]
fn an_answer_has_so_many_events() {
    let mut server = Server::with(events(3), hub::Config::default());
    for body in ["1", "2", "3", "4", "5", "6", "7"] {
        server.publish("/topic/a", body);
    }
    server.publish("/topic/b", "8");
    let query = "topic=/topic/a&wait=0&since=";
    assert_eq!(server.answer(&format!("{query}a-0")), answer(["1", "2", "3"], "a-3"));
    assert_eq!(server.answer(&format!("{query}a-3")), answer(["4", "5", "6"], "a-6"));
    assert_eq!(server.answer(&format!("{query}a-6")), answer(["7"], "a-8"));
    // Live messages of one command count too.
    let poll = server.poll("topic=/topic/*");
    server.commit(&[("/topic/a", "9"), ("/topic/b", "10"), ("/topic/c", "11"), ("/topic/d", "12")]);
    assert_eq!(server.take(poll), answer(["9", "10", "11"], "a-11"));
    assert_eq!(server.answer("topic=/topic/*&since=a-11"), answer(["12"], "a-12"));
}

#[test]
fn an_answer_has_so_many_bytes() {
    let mut server = Server::with(Config::default().bytes(500), hub::Config::default());
    let large = "l".repeat(1000);
    let middle = "m".repeat(200);
    for body in ["1", &large, "2", &middle, &middle, "3"] {
        server.publish("/topic/a", body);
    }
    let query = "topic=/topic/a&since=";
    assert_eq!(server.answer(&format!("{query}a-0")), answer(["1"], "a-1"));
    assert_eq!(server.answer(&format!("{query}a-1")), answer([&large], "a-2"));
    // What is behind an event without room has none either, so that the order is kept.
    assert_eq!(server.answer(&format!("{query}a-2")), answer(["2", &middle], "a-4"));
    assert_eq!(server.answer(&format!("{query}a-4")), answer([&middle, "3"], "a-6"));
}

#[test]
fn a_gap_counts_as_bytes_of_an_answer() {
    let middle = "m".repeat(100);
    for (bytes, expected) in [(150, [&*middle].to_vec()), (300, vec![&middle, "a-1..a-2"])] {
        let mut server = Server::with(Config::default().bytes(bytes), hub::Config::default());
        let poll = server.poll("topic=/topic/a");
        let (message, now) = (Message::new(middle.clone()), server.now);
        let publish = Command::Publish { destination: "/topic/a".into(), message, request: None };
        // The broker begins another sequence before the answers are asked for.
        let gap = Effect::Gap {
            connection: ConnectionId(poll),
            subscription: SubscriptionId(0),
            gap: Gap { from: "a-1".parse().unwrap(), to: "a-2".parse().unwrap() },
        };
        for effect in server.hub.handle(publish, now).chain([gap]) {
            server.polls.apply(&effect, now);
        }
        server.handle([]);
        assert_eq!(server.take(poll).events, expected);
    }
}

#[test]
fn the_hub_does_not_deliver_more_than_an_answer_can_have() {
    let topics = TopicConfig::default().messages(5000);
    let mut server = Server::with(events(10), hub::Config::default().other_topics(topics));
    for number in 0..5000 {
        server.publish("/topic/a", &number.to_string());
    }
    let first = server.answer("topic=/topic/a&since=a-0");
    assert_eq!((first.events.len(), first.cursor.as_str()), (10, "a-10"));
    assert_eq!(server.deliveries, 10);
}

#[test]
fn a_gap_comes_first_and_covers_all_topics() {
    let kept = TopicConfig::default().messages(100);
    let hub = hub::Config::default()
        .topic("/topic/a".parse().unwrap(), kept)
        .other_topics(TopicConfig::default().messages(1));
    let mut server = Server::with(events(2), hub);
    for (topic, body) in [("/topic/a", "1"), ("/topic/a", "2"), ("/topic/a", "3")] {
        server.publish(topic, body);
    }
    for (topic, body) in [("/topic/b", "4"), ("/topic/b", "5"), ("/topic/a", "6")] {
        server.publish(topic, body);
    }
    let query = "topic=/topic/a&topic=/topic/b&wait=0&since=";
    // Whatever an answer has room for, its cursor is never behind a gap that was not told.
    assert_eq!(server.answer(&format!("{query}b-9")), answer(["b-9..a-4", "5"], "a-5"));
    assert_eq!(server.answer(&format!("{query}a-5")), answer(["6"], "a-6"));
    assert_eq!(server.answer(&format!("{query}a-2")), answer(["a-2..a-4", "5"], "a-5"));
    assert_eq!(server.answer(&format!("{query}a-6")), answer([], "a-6"));
}

#[test]
fn what_was_retained_does_not_lead_the_cursor_back() {
    let retained = TopicConfig::default().retain(true);
    let hub = hub::Config::default().topic("/topic/r/*".parse().unwrap(), retained);
    let mut server = Server::with(events(2), hub);
    for (topic, body) in [("/topic/r/1", "1"), ("/topic/r/2", "2"), ("/topic/other", "3")] {
        server.publish(topic, body);
    }
    let query = "topic=/topic/r/*&topic=/topic/other";
    assert_eq!(server.answer(&format!("{query}&since=last")), answer(["1", "2"], "a-3"));
    // Of what has no room, the next poll gets what the topics keep.
    server.publish("/topic/r/3", "4");
    assert_eq!(server.answer(&format!("{query}&since=last")), answer(["1", "2"], "a-2"));
    assert_eq!(server.answer(&format!("{query}&since=a-2")), answer(["3", "4"], "a-4"));
}

#[test]
fn retained_messages_without_room_are_a_gap_if_nothing_else_keeps_them() {
    let retained = TopicConfig::default().messages(0).retain(true);
    let mut server = Server::with(events(2), hub::Config::default().other_topics(retained));
    for (topic, body) in [("/topic/1", "1"), ("/topic/2", "2"), ("/topic/3", "3")] {
        server.publish(topic, body);
    }
    let query = "topic=/topic/1&topic=/topic/2&topic=/topic/3&wait=0&since=";
    assert_eq!(server.answer(&format!("{query}last")), answer(["1", "2"], "a-2"));
    assert_eq!(server.answer(&format!("{query}a-2")), answer(["a-2..a-3"], "a-3"));
    assert_eq!(server.answer(&format!("{query}a-3")), answer([], "a-3"));
}

#[test]
fn replies_to_a_poll_have_no_cursor_and_always_have_room() {
    let mut server = Server::with(events(1), hub::Config::default());
    let poll = server.poll_of(Some("joe"), "topic=/user/queue/replies&topic=/topic/a");
    server.publish("/topic/b", "");
    let reply = |body: &'static str| Command::Reply {
        connection: ConnectionId(poll),
        destination: "/user/queue/replies".into(),
        message: Message::new(body),
    };
    server.handle([reply("1")]);
    let response = server.take_response(poll);
    let expected = "{\"events\":[{\"topic\":\"/user/queue/replies\",\"data\":\"1\"}],\
                    \"cursor\":\"a-1\"}";
    assert_eq!(response.body, expected);

    // A server that asks for answers later than after each command loses no reply either.
    let poll = server.poll_of(Some("joe"), "topic=/user/queue/replies&topic=/topic/a");
    let now = server.now;
    let connection = ConnectionId(poll);
    let publish = |body: &'static str| Command::Publish {
        destination: "/topic/a".into(),
        message: Message::new(body),
        request: None,
    };
    let destination = "/user/queue/replies".into();
    let reply = Command::Reply { connection, destination, message: Message::new("3") };
    for command in [publish("2"), publish("not in the answer"), reply] {
        for effect in server.hub.handle(command, now) {
            server.polls.apply(&effect, now);
        }
    }
    server.handle([]);
    assert_eq!(server.take(poll), answer(["2", "3"], "a-2"));
}
