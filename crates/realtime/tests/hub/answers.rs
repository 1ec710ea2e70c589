//! Each command with a request is answered once, and only to the connection that has sent it.

use super::*;
use sansocket_realtime::{bridge::Event, hub::Call};

fn call(world: &mut World, command: Command) -> Box<Call> {
    let mut effects = world.hub.handle(command, Duration::ZERO);
    let call = effects.find_map(|it| if let Effect::Call(call) = it { Some(call) } else { None });
    call.unwrap()
}

fn sent(destination: &str, request: Option<u64>) -> Command {
    let operation = send(destination, "x");
    let request = request.map(RequestId);
    Command::Perform { connection: ConnectionId(1), operation, request }
}

fn subscribed(destination: &str, request: Option<u64>) -> Command {
    Command::Subscribe {
        connection: ConnectionId(1),
        subscription: SubscriptionId(0),
        destinations: vec![destination.into()],
        options: SubscribeOptions::default(),
        request: request.map(RequestId),
    }
}

fn world() -> World {
    let mut world = World::new();
    world.hub.route("/app/a").unwrap();
    world.connect(1);
    world
}

#[test]
fn an_answer_is_not_for_a_connection_that_has_the_name_later() {
    let mut world = world();
    for request in [Some(7), None] {
        let sent = call(&mut world, sent("/app/a", request));
        let subscribed = call(&mut world, subscribed("/app/a", request));
        world.connect(1);
        for call in [sent, subscribed] {
            assert_eq!(world.handle(call.refused("no")), [""; 0]);
            assert_eq!(world.handle(call.finished()), [""; 0]);
        }
    }
}

#[test]
fn commands_with_the_same_request_are_told_apart() {
    let mut world = world();
    let (connection, request) = (ConnectionId(1), Some(RequestId(7)));
    let operations = vec![send("/app/a", "x"), send("/app/a", "y")];
    let commit = Command::Commit { connection, operations, request };
    let effects: Vec<_> = world.hub.handle(commit, Duration::ZERO).collect();
    let [Effect::Call(first), Effect::Call(second)] = &effects[..] else { panic!("{effects:?}") };
    let third = call(&mut world, sent("/app/a", Some(7)));
    assert_eq!(world.send(1, "/topic/t", "z"), ["1?7 done e-1"]);
    assert_eq!(world.handle(first.finished()), [""; 0]);
    assert_eq!(world.handle(third.finished()), ["1?7 done"]);
    assert_eq!(world.handle(second.finished()), ["1?7 done"]);
    for call in [first, second, &third] {
        assert_eq!(world.handle(call.finished()), [""; 0]);
    }
}

#[test]
fn a_refused_call_ends_its_own_subscription_alone() {
    let mut world = world();
    for request in [Some(8), None] {
        let first = call(&mut world, subscribed("/app/a", request));
        world.unsubscribe(1, 0);
        let second = call(&mut world, subscribed("/app/a", request));
        let answer = request.map(|_| "1?8 refused: no".to_owned());
        assert_eq!(world.handle(first.refused("no")), answer.as_slice());
        assert_eq!(world.hub.subscriptions(), 1);
        let answer = request.map(|request| format!("?{request}")).unwrap_or_default();
        assert_eq!(world.handle(second.refused("no")), [format!("1/0{answer} refused: no")]);
        assert_eq!(world.handle(second.refused("no")), [""; 0]);
        assert_eq!(world.hub.subscriptions(), 0);
    }
}

#[test]
fn a_transaction_without_a_request_is_refused_once() {
    let mut world = world();
    let operations = vec![send("/app/a", "x"), send("/app/a", "y")];
    let commit = Command::Commit { connection: ConnectionId(1), operations, request: None };
    let effects: Vec<_> = world.hub.handle(commit, Duration::ZERO).collect();
    let [Effect::Call(first), Effect::Call(second)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(world.handle(first.refused("no")), ["1 refused: no"]);
    assert_eq!(world.handle(second.refused("no")), [""; 0]);
}

#[test]
fn a_subscription_that_ends_before_it_begins_is_answered() {
    let mut world = World { hub: Hub::new(EPOCH).with_bridge(), now: Duration::ZERO };
    world.connect(1);
    assert_eq!(world.handle(subscribed("/topic/a", Some(8))), [""; 0]);
    let unsubscribe = Command::Unsubscribe {
        connection: ConnectionId(1),
        subscription: SubscriptionId(0),
        request: Some(RequestId(9)),
    };
    assert_eq!(world.handle(unsubscribe), ["1?8 done", "1?9 done"]);
    // Of a message that waits for the bridge, too, the next connection hears nothing.
    world.perform(1, send("/topic/a", "x"));
    world.connect(1);
    let id = sansocket_realtime::bridge::PublishId { node: EPOCH, sequence: 1 };
    let rejected = Event::Rejected { id, reason: "no".into() };
    assert_eq!(world.handle(Command::Bridge(rejected)), [""; 0]);
}
