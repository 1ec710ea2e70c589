//! Transactions: all or nothing, and one answer.

use super::*;
use sansocket_realtime::hub::QueueConfig;

fn commit(world: &mut World, operations: Vec<Operation>) -> Vec<String> {
    let request = Some(RequestId(7));
    world.handle(Command::Commit { connection: ConnectionId(1), operations, request })
}

#[test]
fn operations_are_done_in_their_order() {
    let mut world = World::new();
    world.connect(1);
    world.subscribe_with(1, 0, &["/queue/q"], with_acks(Acknowledgement::Cumulative, 2));
    world.subscribe(1, 1, "/topic/t");
    for body in ["a", "b", "c"] {
        world.publish("/queue/q", body);
    }
    let operations = vec![
        send("/topic/t", "x"),
        Operation::Ack(delivery_of(0, 2)),
        // The one before covers this.
        Operation::Ack(delivery_of(0, 1)),
        send("/queue/q", "d"),
    ];
    let effects = commit(&mut world, operations);
    assert_eq!(effects, ["1/1 x@4", "1/0 c@3 #3", "1/0 d@5 #4", "1?7 done"]);
    assert_eq!(commit(&mut world, vec![]), ["1?7 done"]);
}

#[test]
fn nothing_is_done_if_one_operation_is_refused() {
    let queues = QueueConfig::default().messages(1);
    let mut world = World::with_config(Config::default().queues(queues).destinations(2));
    world.connect(1);
    world.subscribe(1, 0, "/topic/t");
    let refusals = [
        (
            send("/nowhere/a", "x"),
            "destination \"/nowhere/a\" is not below /topic, /queue, /user, /app or /presence",
        ),
        (send("/app/a", "x"), "nothing handles \"/app/a\""),
        (Operation::Ack(delivery_of(0, 1)), "there is no such delivery to acknowledge"),
    ];
    for (operation, refusal) in refusals {
        let effects = commit(&mut world, vec![send("/topic/t", "x"), operation]);
        assert_eq!(effects, [format!("1?7 refused: {refusal}")]);
    }
    let twice = vec![send("/queue/q", "x"), send("/queue/q", "y")];
    assert_eq!(
        commit(&mut world, twice),
        ["1?7 refused: queue \"/queue/q\" is full with 0 messages of 0 bytes"]
    );
    assert_eq!(world.hub.destinations(), 1);
}

#[test]
fn the_answer_waits_for_calls() {
    let mut world = World::new();
    world.hub.route("/app/a").unwrap();
    world.connect(1);
    let operations = vec![send("/app/a", "x"), send("/topic/t", "y"), send("/app/a", "z")];
    let command =
        Command::Commit { connection: ConnectionId(1), operations, request: Some(RequestId(7)) };
    let effects: Vec<_> = world.hub.handle(command.clone(), Duration::ZERO).collect();
    let [Effect::Call(first), Effect::Call(second)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(world.handle(second.finished()), [""; 0]);
    assert_eq!(world.handle(first.finished()), ["1?7 done"]);
    // A refusal is told at once, and nothing after it.
    let effects: Vec<_> = world.hub.handle(command, Duration::ZERO).collect();
    let [Effect::Call(first), Effect::Call(second)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(world.handle(first.refused("no")), ["1?7 refused: no"]);
    assert_eq!(world.handle(second.finished()), [""; 0]);
    assert_eq!(world.send(1, "/topic/t", "x"), ["1?7 done e-3"]);
}

#[test]
fn destinations_of_one_transaction_are_counted_together() {
    let mut world = World::with_config(Config::default().destinations(2).transaction(3));
    world.connect(1);
    world.subscribe(1, 0, "/topic/t");
    let full = "1?7 refused: there are 2 destinations, and may not be more";
    let new = vec![send("/topic/t", "x"), send("/topic/a", "x"), send("/queue/b", "x")];
    assert_eq!(commit(&mut world, new), [full]);
    let same = vec![send("/topic/a", "x"), send("/topic/a", "y")];
    assert_eq!(commit(&mut world, same), ["1?7 done"]);
    let large = "1?7 refused: the transaction has 4 operations, at most 3 are allowed";
    assert_eq!(commit(&mut world, vec![send("/topic/t", "x"); 4]), [large]);
}

#[test]
fn messages_that_nobody_takes_have_their_place_in_a_transaction() {
    let queues = QueueConfig::default().deliveries(1).dead_letters(Some("/queue/dead".into()));
    let mut world = World::with_config(Config::default().queues(queues).destinations(2));
    world.connect(1);
    world.subscribe_with(1, 0, &["/queue/q"], with_acks(Acknowledgement::Individual, 9));
    world.publish("/queue/q", "a");
    let full = "1?7 refused: there are 2 destinations, and may not be more";
    let nack = Operation::Nack(delivery_of(0, 1));
    assert_eq!(commit(&mut world, vec![nack.clone(), send("/topic/a", "x")]), [full]);
    assert_eq!(commit(&mut world, vec![nack]), ["1?7 done"]);
}
