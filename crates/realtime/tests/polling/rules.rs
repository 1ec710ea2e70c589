//! When polls are answered, and with what.

use crate::{
    json::Json,
    server::{SECOND, Server, answer},
};
use sansocket_realtime::{
    Message,
    hub::{self, Command, ConnectionId, TopicConfig},
    poll::{Config, Request},
};
use std::time::Duration;

#[test]
fn a_poll_waits_for_the_next_message_and_resumes_after_it() {
    let mut server = Server::new();
    server.publish("/topic/a", "before");
    let first = server.poll("topic=/topic/a");
    assert!(server.is_waiting(first));
    server.publish("/topic/b", "of another topic");
    assert!(server.is_waiting(first));
    server.publish("/topic/a", "1");
    server.publish("/topic/a", "2");
    assert_eq!(server.take(first), answer(["1"], "a-3"));
    assert_eq!(server.answer("topic=/topic/a&since=a-3"), answer(["2"], "a-4"));
    assert!((server.polls.is_empty(), server.hub.subscriptions()) == (true, 0));
}

#[test]
fn the_topics_of_a_poll_have_one_order_and_one_cursor() {
    let mut server = Server::new();
    for (topic, body) in [("/topic/a", "1"), ("/topic/b/c", "2"), ("/topic/x", "3")] {
        server.publish(topic, body);
    }
    server.publish("/topic/a", "4");
    let query = "topic=/topic/b/*&topic=/topic/a&topic=/topic/a&since=";
    assert_eq!(server.answer(&format!("{query}a-0")), answer(["1", "2", "4"], "a-4"));
    assert_eq!(server.answer(&format!("{query}a-1")), answer(["2", "4"], "a-4"));
    assert_eq!(server.answer(&format!("{query}beginning")), answer(["1", "2", "4"], "a-4"));
}

#[test]
fn what_one_command_publishes_is_one_answer() {
    let mut server = Server::new();
    let poll = server.poll("topic=/topic/*");
    server.commit(&[("/topic/a", "1"), ("/topic/b", "2"), ("/topic/a", "3")]);
    assert_eq!(server.take(poll), answer(["1", "2", "3"], "a-3"));
}

#[test]
fn a_poll_whose_time_is_over_moves_its_cursor() {
    let mut server = Server::new();
    let default = server.poll("topic=/topic/a");
    let short = server.poll("topic=/topic/a&wait=10");
    let capped = server.poll("topic=/topic/a&wait=99999999999999999999999&since=a-0");
    server.publish("/topic/b", "");
    assert_eq!(server.polls.next_deadline(), Some(server.now + 10 * SECOND));
    server.pass(10 * SECOND - Duration::from_nanos(1));
    assert!(server.is_waiting(short));
    server.pass(Duration::from_nanos(1));
    assert_eq!(server.take(short), answer([], "a-1"));
    server.publish("/topic/b", "");
    assert_eq!(server.polls.next_deadline(), Some(server.now + 15 * SECOND));
    server.pass(15 * SECOND);
    assert_eq!(server.take(default), answer([], "a-2"));
    assert_eq!(server.polls.next_deadline(), Some(server.now + 30 * SECOND));
    server.pass(30 * SECOND);
    assert_eq!(server.take(capped), answer([], "a-2"));
    assert_eq!(server.polls.next_deadline(), None);
}

#[test]
fn the_server_says_how_long_polls_wait() {
    let config = Config::default().wait(3 * SECOND).longest_wait(4 * SECOND);
    let mut server = Server::with(config, hub::Config::default());
    let default = server.poll("topic=/topic/a");
    assert_eq!(server.polls.next_deadline(), Some(server.now + 3 * SECOND));
    let long = server.poll("topic=/topic/a&wait=5");
    // A request that was not parsed is bound too.
    let request = Request::new(["/topic/a"], &config).unwrap().with_wait(Duration::MAX);
    let commands = server.polls.begin(ConnectionId(1_000), None, request, server.now).unwrap();
    server.handle(commands);
    server.pass(3 * SECOND);
    assert_eq!(server.take(default), answer([], "a-0"));
    assert!(server.is_waiting(long) && server.is_waiting(1_000));
    server.pass(SECOND);
    assert_eq!(server.take(long), answer([], "a-0"));
    assert_eq!(server.take(1_000), answer([], "a-0"));
    // The default is no longer than the longest wait either.
    let config = config.wait(9 * SECOND);
    assert_eq!(Request::parse("topic=/topic/a", &config).unwrap().wait(), 4 * SECOND);
    assert_eq!(Request::new(["/topic/a"], &config).unwrap().wait(), 4 * SECOND);
}

#[test]
fn a_short_poll_is_answered_at_once() {
    let mut server = Server::new();
    assert_eq!(server.answer("topic=/topic/a&wait=0"), answer([], "a-0"));
    server.publish("/topic/a", "1");
    server.publish("/topic/b", "2");
    assert_eq!(server.answer("topic=/topic/a&wait=0"), answer([], "a-2"));
    assert_eq!(server.answer("topic=/topic/a&wait=0&since=a-0"), answer(["1"], "a-2"));
    assert_eq!(server.answer("topic=/topic/a&wait=0&since=now"), answer([], "a-2"));
}

#[test]
fn lost_messages_are_a_gap() {
    let hub = hub::Config::default().other_topics(TopicConfig::default().messages(2));
    let mut server = Server::with(Config::default(), hub);
    for body in ["1", "2", "3", "4"] {
        server.publish("/topic/a", body);
    }
    let query = "topic=/topic/a&wait=0&since=";
    assert_eq!(server.answer(&format!("{query}a-1")), answer(["a-1..a-2", "3", "4"], "a-4"));
    assert_eq!(server.answer(&format!("{query}a-2")), answer(["3", "4"], "a-4"));
    // A cursor of another run of the hub, and one of the future: that is another run too.
    assert_eq!(server.answer(&format!("{query}b-3")), answer(["b-3..a-2", "3", "4"], "a-4"));
    assert_eq!(server.answer(&format!("{query}a-5")), answer(["a-5..a-2", "3", "4"], "a-4"));
    // Without messages, the gap alone is an answer.
    assert_eq!(server.answer("topic=/topic/b&since=b-3"), answer(["b-3..a-0"], "a-4"));
}

#[test]
fn a_message_at_the_very_end_of_a_poll_is_in_its_answer_or_the_next() {
    for is_first in [true, false] {
        let mut server = Server::new();
        let poll = server.poll("topic=/topic/a&wait=5");
        server.now += 5 * SECOND;
        if is_first {
            server.polls.time_passed(server.now);
            server.publish("/topic/a", "1");
            // The time that has passed is answered before the command.
            assert_eq!(server.take(poll), answer([], "a-0"));
            assert_eq!(server.answer("topic=/topic/a&since=a-0"), answer(["1"], "a-1"));
            continue;
        }
        let message = Message::new("1");
        let publish = Command::Publish { destination: "/topic/a".into(), message, request: None };
        for effect in server.hub.handle(publish, server.now) {
            server.polls.time_passed(server.now);
            server.polls.apply(&effect, server.now);
            server.polls.time_passed(server.now);
        }
        server.handle([]);
        assert_eq!(server.take(poll), answer(["1"], "a-1"));
        assert!(server.polls.is_empty() && server.hub.subscriptions() == 0);
    }
}

#[test]
fn a_lost_answer_loses_nothing() {
    let mut server = Server::new();
    let first = server.poll("topic=/topic/a&since=a-0");
    server.publish("/topic/a", "1");
    // The connection breaks while the answer is written. The client knows only its old cursor.
    drop(server.take_response(first));
    server.publish("/topic/a", "2");
    assert_eq!(server.answer("topic=/topic/a&since=a-0"), answer(["1", "2"], "a-2"));
}

#[test]
fn users_get_what_is_for_them() {
    let mut server = Server::new();
    let joe = server.poll_of(Some("joe"), "topic=/user/queue/orders");
    let ann = server.poll_of(Some("ann"), "topic=/user/queue/orders");
    let user = hub::Principal::new("joe");
    server.handle([Command::send_to_user(&user, "/queue/orders", Message::new("shipped"))]);
    let event = Json::parse(&server.take_response(joe).body);
    let event = &event.get("events").unwrap().items()[0];
    assert_eq!(event.text_of("topic"), "/user/queue/orders");
    assert!(server.is_waiting(ann));
}

#[test]
fn a_shutdown_answers_what_waits_and_refuses_what_comes_then() {
    let mut server = Server::new();
    let waiting = [server.poll("topic=/topic/a"), server.poll("topic=/topic/b&since=a-0&wait=3")];
    server.publish("/topic/c", "");
    server.polls.shut_down();
    server.handle([]);
    for poll in waiting {
        assert_eq!(server.take(poll), answer([], "a-1"));
    }
    // A client that was answered at once would ask again at once, for as long as the server drains.
    for query in ["topic=/topic/a&since=a-1", "topic=/topic/a&wait=0"] {
        let poll = server.poll(query);
        let response = server.take_response(poll);
        assert_eq!(response.head.status, 503);
        assert!(response.head.fields().any(|(name, _)| name == "retry-after"));
    }
    assert!(server.polls.is_empty());
    assert_eq!((server.polls.next_deadline(), server.hub.subscriptions()), (None, 0));
}

#[test]
fn a_client_that_has_gone_is_forgotten() {
    let mut server = Server::new();
    let poll = server.poll("topic=/topic/a");
    let command = server.polls.abort(ConnectionId(poll)).expect("it waits");
    server.handle([command]);
    assert!(server.polls.abort(ConnectionId(poll)).is_none());
    assert_eq!((server.hub.subscriptions(), server.polls.next_deadline()), (0, None));
    server.publish("/topic/a", "1");
    assert!(server.is_waiting(poll));
    // Also if its answer is due already: then nobody else is answered in its place.
    let poll = server.poll("topic=/topic/a");
    server.polls.shut_down();
    assert!(server.polls.abort(ConnectionId(poll)).is_some());
    assert!(server.polls.next_answer(&server.hub).is_none());
}

#[test]
fn effects_of_others_are_none_of_polls() {
    let mut server = Server::new();
    let connection = ConnectionId(1_000);
    let subscribe = Command::Subscribe {
        connection,
        subscription: hub::SubscriptionId(0),
        destinations: vec!["/topic/a".into()],
        options: hub::SubscribeOptions::default(),
        request: None,
    };
    server.handle([Command::Connect { connection, principal: None }, subscribe]);
    server.publish("/topic/a", "1");
    assert_eq!((server.deliveries, server.answers.len()), (0, 0));
}

#[test]
fn a_message_is_put_into_one_answer_for_all() {
    let mut server = Server::new();
    let polls: Vec<_> = (0..100).map(|_| server.poll("topic=/topic/a")).collect();
    let other = server.poll("topic=/topic/*&since=beginning");
    server.publish("/topic/a", "1");
    let bodies: Vec<_> = polls.iter().map(|poll| server.take_response(*poll).body).collect();
    assert!(bodies.iter().all(|body| body.as_ptr() == bodies[0].as_ptr()));
    assert_eq!(server.take_response(other).body.as_ptr(), bodies[0].as_ptr());
}

#[test]
fn thousands_of_deadlines_pass_each_in_its_turn() {
    let mut server = Server::new();
    let polls: Vec<_> = (0..10_000_u64)
        .map(|number| number * 7919 % 50 + 1)
        .map(|wait| (server.poll(&format!("topic=/topic/a&wait={wait}")), wait))
        .collect();
    for second in 1..=50 {
        assert_eq!(server.polls.next_deadline(), Some(server.now + SECOND));
        server.pass(SECOND);
        for (poll, wait) in &polls {
            assert_eq!(server.answers.remove(poll).is_some(), *wait == second, "{wait}");
        }
    }
    assert_eq!(server.polls.len(), 0);
}

#[test]
fn who_is_present_is_told_without_a_cursor_of_its_own() {
    let topic = TopicConfig::default().presence(true);
    let hub = hub::Config::default().topic("/topic/chat".parse().unwrap(), topic);
    let mut server = Server::with(Config::default(), hub);
    let members = r#"{"event":"members","users":[]}"#;
    assert_eq!(server.answer("topic=/presence/topic/chat"), answer([members], "a-0"));
    // Those who poll are not seen, so a poll of both topics is not answered by its own coming and going.
    let query = "topic=/presence/topic/chat&topic=/topic/chat&since=";
    let waiting = server.poll_of(Some("joe"), &format!("{query}a-0"));
    assert!(server.is_waiting(waiting));
    let connection = ConnectionId(1_000);
    let subscribe = Command::Subscribe {
        connection,
        subscription: hub::SubscriptionId(0),
        destinations: vec!["/topic/chat".into()],
        options: hub::SubscribeOptions::default(),
        request: None,
    };
    let principal = Some(hub::Principal::new("ann"));
    server.handle([Command::Connect { connection, principal }, subscribe]);
    let joined = r#"{"event":"join","user":"ann","node":"a"}"#;
    assert_eq!(server.take(waiting), answer([joined], "a-1"));
    let again = server.poll_of(Some("joe"), &format!("{query}a-1"));
    assert!(server.is_waiting(again));
    assert_eq!(server.hub.presence("/topic/chat").0, [hub::Principal::new("ann")]);
}
