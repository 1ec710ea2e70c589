//! Polls of a hub with a bridge, which takes time to answer.

use crate::server::{SECOND, Server, answer};
use sansocket_realtime::{
    Epoch, Message,
    bridge::{self, Entry, Event, History, QuestionId},
    hub::{self, Command, Hub, Open},
    poll::Config,
};

fn server() -> Server {
    let hub = Hub::with_config(Epoch(0xa), hub::Config::default(), Open).with_bridge();
    Server::of(Config::default(), hub)
}

/// The bridge is up, with an epoch of its own.
fn up(server: &mut Server) {
    server.handle([Command::Bridge(Event::Up { epoch: Epoch(0xb), head: 7 })]);
}

/// The broker answers the last question.
fn tell_history(server: &mut Server, positions: &[u64]) {
    let (question, destination): (QuestionId, _) = match server.bridge.pop() {
        Some(bridge::Command::Follow { question, destination, .. }) => (question, destination),
        Some(bridge::Command::History { question, destination, .. }) => (question, destination),
        other => panic!("no question: {other:?}"),
    };
    let entry = |position: &u64| Entry {
        destination: destination.clone(),
        position: *position,
        message: Message::new(position.to_string()),
    };
    let entries = positions.iter().map(entry).collect();
    let history =
        Event::History(History { question, destination, entries, complete_after: 0, head: 7 });
    server.handle([Command::Bridge(history)]);
}

#[test]
fn a_poll_is_answered_once_the_broker_has_told_what_it_missed() {
    let mut server = server();
    up(&mut server);
    let poll = server.poll("topic=/topic/a&since=b-4");
    assert!(server.is_waiting(poll));
    server.pass(SECOND);
    tell_history(&mut server, &[5, 7]);
    assert_eq!(server.take(poll), answer(["5", "7"], "b-7"));
}

#[test]
fn a_short_poll_waits_for_the_broker_but_not_for_events() {
    let mut server = server();
    up(&mut server);
    let poll = server.poll("topic=/topic/a&since=b-7&wait=0");
    assert!(server.is_waiting(poll));
    server.pass(4 * SECOND);
    assert!(server.is_waiting(poll));
    tell_history(&mut server, &[]);
    assert_eq!(server.take(poll), answer([], "b-7"));
}

#[test]
fn the_server_says_how_long_a_short_poll_waits_for_the_broker() {
    let config = Config::default().begin(2 * SECOND);
    let hub = Hub::with_config(Epoch(0xa), hub::Config::default(), Open).with_bridge();
    let mut server = Server::of(config, hub);
    let poll = server.poll("topic=/topic/a&since=b-7&wait=0");
    server.pass(SECOND);
    assert!(server.is_waiting(poll));
    server.pass(SECOND);
    assert_eq!(server.take(poll), answer([], "b-7"));
}

#[test]
fn the_wait_counts_from_the_request() {
    let mut server = server();
    up(&mut server);
    let poll = server.poll("topic=/topic/a&wait=3");
    server.pass(2 * SECOND);
    tell_history(&mut server, &[]);
    assert!(server.is_waiting(poll));
    assert_eq!(server.polls.next_deadline(), Some(server.now + SECOND));
    server.pass(SECOND);
    assert_eq!(server.take(poll), answer([], "b-7"));
}

#[test]
fn a_broker_that_is_away_moves_no_cursor() {
    let mut server = server();
    let resumed = server.poll("topic=/topic/a&since=b-4&wait=0");
    let new = server.poll("topic=/topic/a&wait=5");
    assert_eq!(server.polls.next_deadline(), Some(server.now + 5 * SECOND));
    server.pass(5 * SECOND);
    assert_eq!(server.take(resumed), answer([], "b-4"));
    // There is no cursor that this client could resume after.
    let response = server.take_response(new);
    assert_eq!((response.head.status, server.hub.subscriptions()), (503, 0));
}

#[test]
fn a_broker_that_goes_away_leaves_the_cursor_where_it_was() {
    let mut server = server();
    up(&mut server);
    let poll = server.poll("topic=/topic/a");
    tell_history(&mut server, &[]);
    server.handle([Command::Bridge(Event::Down)]);
    server.pass(25 * SECOND);
    assert_eq!(server.take(poll), answer([], "b-7"));
}

#[test]
fn a_broker_that_begins_another_sequence_is_told_as_a_gap() {
    let mut server = server();
    up(&mut server);
    let poll = server.poll("topic=/topic/a");
    tell_history(&mut server, &[]);
    server.handle([Command::Bridge(Event::EpochChanged { epoch: Epoch(0xc), head: 7 })]);
    assert!(server.is_waiting(poll));
    tell_history(&mut server, &[2]);
    assert_eq!(server.take(poll), answer(["b-7..c-0", "2"], "c-7"));
}
