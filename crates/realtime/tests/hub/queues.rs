//! Queues: one consumer a message, redelivery, and messages that nobody takes.

use super::*;
use sansocket_realtime::hub::QueueConfig;

fn consume(world: &mut World, connection: u64, window: u32) -> Vec<String> {
    let options = with_acks(Acknowledgement::Individual, window);
    world.subscribe_with(connection, 0, &["/queue/q"], options)
}

#[test]
fn consumers_take_turns() {
    let mut world = World::new();
    for connection in 1..=3 {
        world.connect(connection);
        assert_eq!(world.subscribe(connection, 0, "/queue/q"), [format!("{connection}/0 begins")]);
    }
    assert_eq!(world.publish("/queue/q", "a"), ["1/0 a@1"]);
    assert_eq!(world.send(1, "/queue/q", "b"), ["2/0 b@2", "1?7 done"]);
    assert_eq!(world.publish("/queue/q", "c"), ["3/0 c@3"]);
    assert_eq!(world.publish("/queue/q", "d"), ["1/0 d@4"]);
    world.disconnect(2);
    assert_eq!(world.publish("/queue/q", "e"), ["3/0 e@5"]);
    assert_eq!(world.publish("/queue/q", "f"), ["1/0 f@6"]);
}

#[test]
fn messages_wait_for_consumers() {
    let mut world = World::new();
    world.connect(1);
    assert_eq!(world.publish("/queue/q", "a"), [""; 0]);
    assert_eq!(world.publish("/queue/q", "b"), [""; 0]);
    assert_eq!(world.subscribe(1, 0, "/queue/q"), ["1/0 begins", "1/0 a@1", "1/0 b@2"]);
    world.unsubscribe(1, 0);
    assert_eq!(world.hub.destinations(), 0);
}

#[test]
fn a_consumer_gets_as_much_as_it_has_room_for() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    for body in ["a", "b", "c", "d"] {
        world.publish("/queue/q", body);
    }
    assert_eq!(consume(&mut world, 1, 1), ["1/0 begins", "1/0 a@1 #1"]);
    assert_eq!(consume(&mut world, 2, 2), ["2/0 begins", "2/0 b@2 #1", "2/0 c@3 #2"]);
    assert_eq!(world.ack(1, 0, 1), ["1/0 d@4 #2", "1?7 done"]);
    assert_eq!(world.ack(2, 0, 2), ["2?7 done"]);
    assert_eq!(world.publish("/queue/q", "e"), ["2/0 e@5 #3"]);
    assert_eq!(world.publish("/queue/q", "f"), [""; 0]);
}

#[test]
fn what_is_not_acknowledged_goes_to_another_in_its_place() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    consume(&mut world, 1, 2);
    for body in ["a", "b", "c"] {
        world.publish("/queue/q", body);
    }
    assert_eq!(consume(&mut world, 2, 9), ["2/0 begins", "2/0 c@3 #1"]);
    world.publish("/queue/q", "d");
    assert_eq!(world.disconnect(1), ["2/0 a@1 #3 again", "2/0 b@2 #4 again"]);
    // A rejected message can come back to the only consumer there is.
    assert_eq!(world.nack(2, 0, 1), ["2/0 c@3 #5 again", "2?7 done"]);
    assert_eq!(world.ack(2, 0, 1), ["2?7 refused: there is no such delivery to acknowledge"]);
    world.connect(1);
    assert_eq!(world.unsubscribe(2, 0), [""; 0]);
    let effects = consume(&mut world, 1, 9);
    let again = [
        "1/0 begins",
        "1/0 a@1 #1 again",
        "1/0 b@2 #2 again",
        "1/0 c@3 #3 again",
        "1/0 d@4 #4 again",
    ];
    assert_eq!(effects, again);
}

#[test]
fn a_connection_does_not_take_over_from_itself_while_it_goes() {
    let mut world = World::new();
    world.connect(1);
    consume(&mut world, 1, 1);
    world.subscribe_with(1, 1, &["/queue/q"], with_acks(Acknowledgement::Individual, 9));
    world.publish("/queue/q", "a");
    assert_eq!(world.disconnect(1), [""; 0]);
    world.connect(2);
    assert_eq!(consume(&mut world, 2, 9), ["2/0 begins", "2/0 a@1 #1 again"]);
}

#[test]
fn what_several_subscriptions_of_a_connection_give_back_keeps_its_order() {
    let mut world = World::new();
    world.connect(1);
    for subscription in [0, 1] {
        let options = with_acks(Acknowledgement::Individual, 1);
        world.subscribe_with(1, subscription, &["/queue/q"], options);
    }
    assert_eq!(world.publish("/queue/q", "a"), ["1/0 a@1 #1"]);
    // The older message is with the subscription that ends last.
    assert_eq!(world.nack(1, 0, 1), ["1/1 a@1 #1 again", "1?7 done"]);
    assert_eq!(world.publish("/queue/q", "b"), ["1/0 b@2 #2"]);
    world.connect(2);
    assert_eq!(world.subscribe(2, 0, "/queue/q"), ["2/0 begins"]);
    assert_eq!(world.disconnect(1), ["2/0 a@1 again", "2/0 b@2 again"]);
}

#[test]
fn a_cumulative_acknowledgement_covers_all_before() {
    let mut world = World::new();
    world.connect(1);
    world.subscribe_with(1, 0, &["/queue/q"], with_acks(Acknowledgement::Cumulative, 3));
    for body in ["a", "b", "c", "d", "e"] {
        world.publish("/queue/q", body);
    }
    assert_eq!(world.ack(1, 0, 2), ["1/0 d@4 #4", "1/0 e@5 #5", "1?7 done"]);
    let again = ["1/0 c@3 #6 again", "1/0 d@4 #7 again", "1?7 done"];
    assert_eq!(world.nack(1, 0, 4), again);
}

#[test]
fn a_message_that_nobody_takes_is_given_up() {
    let queues = QueueConfig::default().deliveries(2);
    let mut world = World::with_config(Config::default().queues(queues));
    world.connect(1);
    consume(&mut world, 1, 9);
    world.publish("/queue/q", "a");
    assert_eq!(world.nack(1, 0, 1), ["1/0 a@1 #2 again", "1?7 done"]);
    assert_eq!(world.nack(1, 0, 2), ["discarded a after 2", "1?7 done"]);
}

#[test]
fn dead_letters_have_a_destination() {
    for destination in ["/queue/dead", "/topic/dead"] {
        let queues = QueueConfig::default().deliveries(1).dead_letters(Some(destination.into()));
        let mut world = World::with_config(Config::default().queues(queues));
        world.connect(1);
        world.connect(2);
        consume(&mut world, 1, 9);
        world.subscribe_with(2, 0, &[destination], with_acks(Acknowledgement::Individual, 9));
        world.publish("/queue/q", "a");
        let command = Command::Disconnect { connection: ConnectionId(1) };
        let effects: Vec<_> = world.hub.handle(command, Duration::ZERO).collect();
        let [Effect::Deliver { message, is_redelivered: false, .. }] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(&**message.destination(), destination);
        assert_eq!(message.message().get_header("dead-letter-destination"), Some("/queue/q"));
        assert_eq!(message.message().get_header("dead-letter-deliveries"), Some("1"));
        if destination == "/queue/dead" {
            // There is no way out of the queue of dead letters, in a circle either.
            assert_eq!(world.nack(2, 0, 1), ["discarded a after 1", "2?7 done"]);
        }
    }
}

#[test]
fn a_queue_is_bounded_with_what_is_not_acknowledged() {
    let queues = QueueConfig::default().messages(2).bytes(10);
    let mut world = World::with_config(Config::default().queues(queues));
    world.connect(1);
    consume(&mut world, 1, 1);
    world.send(1, "/queue/q", "a");
    world.send(1, "/queue/q", "b");
    let full = "1?7 refused: queue \"/queue/q\" is full with 2 messages of 2 bytes";
    assert_eq!(world.send(1, "/queue/q", "c"), [full]);
    assert_eq!(world.ack(1, 0, 1), ["1/0 b@2 #2", "1?7 done"]);
    let full = "1?7 refused: queue \"/queue/q\" is full with 1 messages of 1 bytes";
    assert_eq!(world.send(1, "/queue/q", "0123456789"), [full]);
    assert_eq!(world.send(1, "/queue/q", "123456789"), ["1?7 done"]);
    assert_eq!(world.send(1, "/queue/r", "0123456789"), ["1?7 done"]);
}

#[test]
fn a_paused_consumer_gets_nothing() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    world.subscribe(1, 0, "/queue/q");
    world.pause(1);
    assert_eq!(world.publish("/queue/q", "a"), [""; 0]);
    assert_eq!(world.subscribe(2, 0, "/queue/q"), ["2/0 begins", "2/0 a@1"]);
    assert_eq!(world.publish("/queue/q", "b"), ["2/0 b@2"]);
    assert_eq!(world.go_on(1), [""; 0]);
    assert_eq!(world.publish("/queue/q", "c"), ["2/0 c@3"]);
    assert_eq!(world.publish("/queue/q", "d"), ["1/0 d@4"]);
}

#[test]
fn a_full_and_paused_consumer_needs_both_to_go_on() {
    let mut world = World::new();
    world.connect(1);
    consume(&mut world, 1, 1);
    world.publish("/queue/q", "a");
    world.publish("/queue/q", "b");
    world.pause(1);
    assert_eq!(world.ack(1, 0, 1), ["1?7 done"]);
    assert_eq!(world.go_on(1), ["1/0 b@2 #2"]);
    world.pause(1);
    assert_eq!(world.publish("/queue/q", "c"), [""; 0]);
    assert_eq!(world.go_on(1), [""; 0]);
    assert_eq!(world.ack(1, 0, 2), ["1/0 c@3 #3", "1?7 done"]);
}

#[test]
fn a_queue_resumes_without_a_cursor() {
    let mut world = World::new();
    world.connect(1);
    world.publish("/queue/q", "a");
    assert_eq!(world.resume(1, 0, "/queue/q", 1), ["1/0 begins", "1/0 a@1"]);
    assert_eq!(world.hub.cursor(ConnectionId(1), SubscriptionId(0)), None);
}

#[test]
fn a_rejected_message_goes_to_another_consumer_first() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    consume(&mut world, 1, 9);
    consume(&mut world, 2, 9);
    world.publish("/queue/q", "a");
    world.publish("/queue/q", "b");
    // The first consumer is the next in the line.
    assert_eq!(world.nack(1, 0, 1), ["2/0 a@1 #2 again", "1?7 done"]);
    assert_eq!(world.publish("/queue/q", "c"), ["1/0 c@3 #2"]);
}

#[test]
fn all_queues_together_are_bounded() {
    // Each message takes 200 bytes beside its size.
    let mut world = World::with_config(Config::default().queued(405));
    world.connect(1);
    assert_eq!(world.send(1, "/queue/a", "aaa"), ["1?7 done"]);
    let full = "1?7 refused: the queues are full with 203 bytes, at most 405 are allowed";
    assert_eq!(world.send(1, "/queue/b", "bbb"), [full]);
    let operations = vec![send("/queue/b", "b"), send("/queue/c", "")];
    let (connection, request) = (ConnectionId(1), Some(RequestId(7)));
    assert_eq!(world.handle(Command::Commit { connection, operations, request }), [full]);
    assert_eq!(world.send(1, "/queue/b", "bb"), ["1?7 done"]);
    assert_eq!(world.subscribe(1, 0, "/queue/a"), ["1/0 begins", "1/0 aaa@1"]);
    assert_eq!(world.send(1, "/queue/c", "ccc"), ["1?7 done"]);
    // What is delivered counts until it is acknowledged or given up.
    world.subscribe_with(1, 1, &["/queue/b"], with_acks(Acknowledgement::Individual, 9));
    let full = "1?7 refused: the queues are full with 405 bytes, at most 405 are allowed";
    assert_eq!(world.send(1, "/queue/d", ""), [full]);
    world.ack(1, 1, 1);
    assert_eq!(world.send(1, "/queue/d", ""), ["1?7 done"]);
}

#[test]
fn a_sender_does_not_write_the_headers_of_dead_letters() {
    let queues = QueueConfig::default().deliveries(1).dead_letters(Some("/queue/dead".into()));
    let mut world = World::with_config(Config::default().queues(queues));
    world.connect(1);
    consume(&mut world, 1, 9);
    world.subscribe(1, 1, "/queue/dead");
    let message = Message::new("a")
        .header("dead-letter-destination", "/queue/other")
        .header("x", "y")
        .header("dead-letter-deliveries", "9");
    let destination = "/queue/q".into();
    world.handle(Command::Publish { destination, message, request: None });
    let operation = Operation::Nack(delivery_of(0, 1));
    let nack = Command::Perform { connection: ConnectionId(1), operation, request: None };
    let effects: Vec<_> = world.hub.handle(nack, Duration::ZERO).collect();
    let [Effect::Deliver { message, .. }] = &effects[..] else { panic!("{effects:?}") };
    let headers: Vec<_> = message.message().headers().collect();
    let expected =
        [("x", "y"), ("dead-letter-destination", "/queue/q"), ("dead-letter-deliveries", "1")];
    assert_eq!(headers, expected);
}
