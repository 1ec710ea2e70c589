//! A call whose answer is published through the bridge is processed once the broker has the messages.

use crate::alone::{Alone, BROKER, NODE};
use sansocket_realtime::{
    Message,
    bridge::{Event, PublishId},
    hub::{
        Call, Command, Config, ConnectionId, Effect, Operation, OutboxConfig, Principal, RequestId,
        SubscriptionId,
    },
};

const NOTHING: [&str; 0] = [];
const CLIENT: ConnectionId = ConnectionId(1);

/// Creates a hub that has a route, and room for so many messages that the bridge has not answered.
fn with_room_for(messages: usize) -> Alone {
    let outbox = OutboxConfig::default().messages(messages);
    let mut hub = Alone::with_config(Config::default().outbox(outbox));
    hub.up(BROKER, 0);
    hub.hub.route("/app/a").unwrap();
    hub
}

fn calls(hub: &mut Alone, command: Command) -> Vec<Call> {
    let effects = hub.hub.handle(command, hub.now);
    let call = |effect| if let Effect::Call(call) = effect { Some(*call) } else { None };
    effects.filter_map(call).collect()
}

fn operation() -> Operation {
    Operation::Send { destination: "/app/a".into(), message: Message::new("x") }
}

fn call(hub: &mut Alone, request: Option<u64>) -> Call {
    let request = request.map(RequestId);
    let sent = Command::Perform { connection: CLIENT, operation: operation(), request };
    calls(hub, sent).remove(0)
}

fn published(call: &Call, destination: &str) -> Command {
    call.publish(destination, Message::new("p"))
}

fn rejected(hub: &mut Alone, sequence: u64) -> Vec<String> {
    let id = PublishId { node: NODE, sequence };
    hub.hear(Event::Rejected { id, reason: "too large".into() })
}

#[test]
fn a_call_is_processed_once_the_broker_has_its_messages() {
    let mut hub = with_room_for(10);
    let call = call(&mut hub, Some(7));
    assert_eq!(hub.handle(published(&call, "/topic/a")), ["!1 /topic/a p"]);
    let to_user = call.send_to_user(&Principal::new("a/b"), "/queue/q", Message::new("u"));
    assert_eq!(hub.handle(to_user), ["!2 /user/a%2Fb/queue/q u"]);
    assert_eq!(hub.handle(call.finished()), NOTHING);
    // The broker may answer in any order. Several messages have no cursor.
    assert_eq!(hub.published(2, Some(1)), NOTHING);
    assert_eq!(hub.published(1, Some(2)), ["done #7"]);
}

#[test]
fn a_call_is_not_processed_before_it_is_finished() {
    let mut hub = with_room_for(10);
    let call = call(&mut hub, Some(7));
    hub.handle(published(&call, "/topic/a"));
    assert_eq!(hub.published(1, Some(1)), NOTHING);
    assert_eq!(hub.handle(published(&call, "/topic/local/a")), NOTHING);
    assert_eq!(hub.handle(call.finished()), ["done #7"]);
    // What comes too late is published all the same.
    assert_eq!(hub.handle(published(&call, "/topic/a")), ["!2 /topic/a p"]);
    assert_eq!(hub.published(2, Some(2)), NOTHING);
}

#[test]
fn messages_wait_while_the_bridge_is_down_and_the_call_with_them() {
    let mut hub = with_room_for(10);
    let call = call(&mut hub, Some(7));
    hub.handle(published(&call, "/topic/a"));
    assert_eq!(hub.handle(call.finished()), NOTHING);
    assert_eq!(hub.down(), NOTHING);
    assert_eq!(hub.up(BROKER, 0), ["!1 /topic/a p"]);
    assert_eq!(hub.published(1, Some(1)), ["done #7"]);
}

#[test]
fn a_call_is_refused_if_its_message_is() {
    let mut hub = with_room_for(1);
    let first = call(&mut hub, Some(7));
    hub.handle(published(&first, "/topic/a"));
    let second = call(&mut hub, Some(8));
    let full = "the broker is away, and 1 messages of 1 bytes wait for it already";
    assert_eq!(hub.handle(published(&second, "/topic/a")), [format!("refused #8: {full}")]);
    assert_eq!(hub.handle(second.finished()), NOTHING);
    assert_eq!(hub.handle(first.finished()), NOTHING);
    assert_eq!(rejected(&mut hub, 1), ["refused #7: the broker refuses the message: too large"]);
    assert_eq!(hub.handle(first.finished()), NOTHING);
    // A client learns it that has not asked for an answer, too.
    let quiet = call(&mut hub, None);
    assert_eq!(hub.handle(published(&quiet, "/topic/a")), ["!2 /topic/a p"]);
    assert_eq!(hub.handle(quiet.finished()), NOTHING);
    assert_eq!(rejected(&mut hub, 2), ["refused: the broker refuses the message: too large"]);
    let wrong = published(&quiet, "/topic/a/*");
    let refused = hub.handle(wrong).remove(0);
    assert!(refused.starts_with("refused: "), "{refused}");
}

#[test]
fn a_call_of_a_connection_that_has_gone_is_answered_to_nobody() {
    let mut hub = with_room_for(10);
    let call = call(&mut hub, Some(7));
    hub.handle(published(&call, "/topic/a"));
    hub.handle(call.finished());
    hub.disconnect(1);
    // Another client has the name now.
    hub.connect(1);
    assert_eq!(hub.published(1, Some(1)), NOTHING);
    assert_eq!(hub.handle(published(&call, "/topic/a")), ["!2 /topic/a p"]);
    assert_eq!(rejected(&mut hub, 2), NOTHING);
}

#[test]
fn a_transaction_waits_for_the_messages_of_its_calls() {
    let mut hub = with_room_for(10);
    let operations = vec![operation(), operation()];
    let commit = Command::Commit { connection: CLIENT, operations, request: Some(RequestId(7)) };
    for call in calls(&mut hub, commit) {
        hub.handle(published(&call, "/topic/a"));
        assert_eq!(hub.handle(call.finished()), NOTHING);
    }
    assert_eq!(hub.published(1, Some(1)), NOTHING);
    assert_eq!(hub.published(2, Some(2)), ["done #7"]);
}

#[test]
fn a_subscription_of_the_application_waits_for_its_messages() {
    let mut hub = with_room_for(10);
    let subscribe = Command::Subscribe {
        connection: CLIENT,
        subscription: SubscriptionId(0),
        destinations: vec!["/app/a".into()],
        options: Default::default(),
        request: Some(RequestId(7)),
    };
    let call = calls(&mut hub, subscribe).remove(0);
    hub.handle(published(&call, "/topic/a"));
    assert_eq!(hub.handle(call.finished()), NOTHING);
    assert_eq!(hub.published(1, Some(1)), ["done #7"]);
}
