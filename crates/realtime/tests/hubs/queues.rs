//! Each rule of queues over a bridge.

use crate::alone::{Alone, BROKER, NODE};
use sansocket_realtime::{
    Epoch, Message,
    bridge::{Event, PublishId},
    hub::{
        Command, Config, ConnectionId, DeliveryId, DeliveryOf, Operation, OutboxConfig,
        QueueConfig, RequestId, SubscriptionId,
    },
};

const NOTHING: [&str; 0] = [];
const NEXT: Epoch = Epoch(0xb1);

/// Creates a hub with a bridge that is up, and these consumers of `/queue/q`: their windows.
fn consuming(config: Config, windows: &[u32]) -> Alone {
    let mut hub = Alone::with_config(config);
    assert_eq!(hub.up(BROKER, 0), NOTHING);
    for (subscription, &window) in (0..).zip(windows) {
        let begun = [format!("{subscription}: begins"), format!("take {window} of /queue/q")];
        assert_eq!(hub.consume(subscription, window), begun);
    }
    hub
}

fn plain(windows: &[u32]) -> Alone {
    consuming(Config::default(), windows)
}

#[test]
fn a_message_is_sent_through_the_bridge_and_has_no_cursor() {
    let mut hub = plain(&[]);
    assert_eq!(hub.send(1, "/queue/q", "1", 7), ["!1 /queue/q 1"]);
    assert_eq!(hub.hub.outbox(), (1, 1));
    assert_eq!(hub.published(1, Some(1)), ["done #7"]);
    let (destination, message) = ("/queue/q".into(), Message::new("2"));
    let publish = Command::Publish { destination, message, request: Some(RequestId(8)) };
    assert_eq!(hub.handle(publish), ["!2 /queue/q 2"]);
    let (id, reason) = (PublishId { node: NODE, sequence: 2 }, "full".into());
    let refused = "refused #8: the broker refuses the message: full";
    assert_eq!(hub.hear(Event::Rejected { id, reason }), [refused]);
    assert_eq!((hub.hub.outbox(), hub.hub.destinations()), ((0, 0), 0));
}

#[test]
fn a_message_waits_in_the_outbox_while_the_bridge_is_down() {
    let outbox = OutboxConfig::default().messages(1);
    let mut hub = Alone::with_config(Config::default().outbox(outbox));
    assert_eq!(hub.send(1, "/queue/q", "1", 1), NOTHING);
    let full = "refused #2: the broker is away, and 1 messages of 1 bytes wait for it already";
    assert_eq!(hub.send(1, "/queue/q", "2", 2), [full]);
    let (destination, message) = ("/queue/q".into(), Message::new("2"));
    let publish = Command::Publish { destination, message, request: Some(RequestId(2)) };
    assert_eq!(hub.handle(publish), [full]);
    assert_eq!(hub.up(BROKER, 0), ["!1 /queue/q 1"]);
    assert_eq!(hub.published(1, None), ["done #1"]);
}

#[test]
fn queues_can_be_local() {
    let mut hub = plain(&[]);
    assert_eq!(hub.subscribe(0, &["/queue/local/q"]), ["0: begins"]);
    assert_eq!(hub.send(1, "/queue/local/q", "x", 1), ["0: x", "done #1"]);
    assert_eq!(hub.unsubscribe(0), NOTHING);
}

#[test]
fn the_hub_asks_for_what_its_consumers_can_take() {
    let mut hub = plain(&[2, 3]);
    assert_eq!(hub.taken(1, 0), ["0: 1 #1"]);
    assert_eq!(hub.taken(2, 0), ["1: 2 #1"]);
    assert_eq!(hub.taken(3, 0), ["0: 3 #2"]);
    // The settlement comes first: there is room for it.
    assert_eq!(hub.ack(0, 2), ["consumed /queue/q@3", "take 1 of /queue/q"]);
    assert_eq!(hub.ack(1, 1), ["consumed /queue/q@2", "take 1 of /queue/q"]);
    // It has 1, and can take 1 more; the other one, 3.
    assert_eq!(hub.unsubscribe(0), ["1: 1 #2 again", "stop /queue/q"]);
    // What is asked for is known once the broker has stopped.
    assert_eq!(hub.taken(4, 0), ["1: 4 #3"]);
    assert_eq!(hub.ack(1, 2), ["consumed /queue/q@1"]);
    assert_eq!(hub.stopped(), ["take 2 of /queue/q"]);
    assert_eq!(hub.stopped(), NOTHING);
    assert_eq!(hub.unsubscribe(1), ["returned /queue/q@4 after 1", "stop /queue/q"]);
    assert_eq!(hub.hub.destinations(), 1);
    assert_eq!(hub.stopped(), NOTHING);
    assert_eq!(hub.hub.destinations(), 0);
    assert_eq!(hub.stopped(), NOTHING);
}

#[test]
fn a_queue_without_consumers_waits_for_the_broker_to_stop() {
    let mut hub = plain(&[1]);
    hub.taken(1, 0);
    // Nothing is asked for any more.
    assert_eq!(hub.unsubscribe(0), ["returned /queue/q@1 after 1"]);
    assert_eq!(hub.hub.destinations(), 0);
    hub.consume(0, 1);
    assert_eq!(hub.unsubscribe(0), ["stop /queue/q"]);
    // Who comes meanwhile waits too, and gets what was on its way.
    assert_eq!(hub.consume(0, 2), ["0: begins"]);
    assert_eq!(hub.taken(2, 0), ["0: 2 #1"]);
    assert_eq!(hub.stopped(), ["take 1 of /queue/q"]);
    hub.unsubscribe(0);
    assert_eq!(hub.hub.destinations(), 1);
    hub.down();
    assert_eq!(hub.hub.destinations(), 0);
    assert_eq!(hub.up(BROKER, 2), ["returned /queue/q@1 after 1", "returned /queue/q@2 after 1"]);
}

#[test]
fn who_does_not_acknowledge_takes_a_window_too() {
    let mut hub = consuming(Config::default().window(2.try_into().unwrap()), &[]);
    assert_eq!(hub.subscribe(0, &["/queue/q"]), ["0: begins", "take 2 of /queue/q"]);
    let consumed = ["0: 1", "consumed /queue/q@1", "take 1 of /queue/q"];
    assert_eq!(hub.taken(1, 0), consumed);
    assert_eq!(hub.unsubscribe(0), ["stop /queue/q"]);
}

#[test]
fn a_paused_consumer_asks_for_nothing() {
    let mut hub = plain(&[2]);
    hub.connect(2);
    let destinations = vec!["/queue/q".into()];
    let (connection, subscription) = (ConnectionId(2), SubscriptionId(5));
    let options = Default::default();
    let begun = hub.handle(Command::Subscribe {
        connection,
        subscription,
        destinations,
        options,
        request: None,
    });
    assert_eq!(begun, ["5: begins", "take 256 of /queue/q"]);
    assert_eq!(hub.pause(), ["stop /queue/q"]);
    assert_eq!(hub.handle(Command::Pause { connection }), NOTHING);
    // It was on its way.
    assert_eq!(hub.taken(1, 1), ["returned /queue/q@1 after 1"]);
    assert_eq!(hub.go_on(), NOTHING);
    // This may not overtake it.
    assert_eq!(hub.taken(2, 0), ["returned /queue/q@2 after 0"]);
    assert_eq!(hub.stopped(), ["take 2 of /queue/q"]);
    assert_eq!(hub.settled(1), NOTHING);
    assert_eq!(hub.taken(1, 1), ["0: 1 #1 again"]);
}

#[test]
fn what_finds_nobody_is_returned() {
    let mut hub = plain(&[1]);
    assert_eq!(hub.unsubscribe(0), ["stop /queue/q"]);
    assert_eq!(hub.taken(1, 3), ["returned /queue/q@1 after 3"]);
    hub.stopped();
    assert_eq!(hub.taken(5, 2), ["returned /queue/q@5 after 2"]);
    hub.consume(0, 1);
    assert_eq!(hub.taken(2, 0), ["0: 2 #1"]);
    // The broker tells more than it was asked for.
    assert_eq!(hub.taken(3, 0), ["returned /queue/q@3 after 0"]);
    assert_eq!(hub.ack(0, 1), ["consumed /queue/q@2", "take 1 of /queue/q"]);
    // A queue that is local here is not one of the broker.
    hub.subscribe(1, &["/queue/local/q"]);
    let entry = sansocket_realtime::bridge::Entry {
        destination: "/queue/local/q".into(),
        position: 4,
        message: Message::new("4"),
    };
    let taken = Event::Taken { entry, deliveries: 0, again: false };
    assert_eq!(hub.hear(taken), ["returned /queue/local/q@4 after 0"]);
}

#[test]
fn what_is_rejected_goes_to_another_consumer_here_or_elsewhere() {
    let mut hub = plain(&[1, 1]);
    assert_eq!(hub.taken(1, 0), ["0: 1 #1"]);
    assert_eq!(hub.nack(0, 1), ["1: 1 #1 again"]);
    // Both have room for one message again, but one of them has none.
    assert_eq!(hub.taken(2, 0), ["0: 2 #2"]);
    assert_eq!(hub.nack(1, 1), ["returned /queue/q@1 after 2", "take 1 of /queue/q"]);
    // The same one may have it again.
    assert_eq!(hub.settled(1), NOTHING);
    assert_eq!(hub.taken(1, 2), ["1: 1 #2 again"]);
}

#[test]
fn what_a_consumer_had_goes_to_others_in_its_order() {
    let mut hub = plain(&[3]);
    for position in 1..=3 {
        hub.taken(position, 0);
    }
    assert_eq!(hub.consume(1, 2), ["1: begins", "take 2 of /queue/q"]);
    assert_eq!(
        hub.unsubscribe(0),
        ["1: 1 #1 again", "1: 2 #2 again", "returned /queue/q@3 after 1", "stop /queue/q"]
    );
    let returned = ["returned /queue/q@1 after 2", "returned /queue/q@2 after 2", "stop /queue/q"];
    assert_eq!(hub.handle(Command::Disconnect { connection: ConnectionId(1) })[..2], returned[..2]);
}

#[test]
fn an_acknowledgement_of_several_asks_once() {
    let mut hub = plain(&[9]);
    for position in 1..=3 {
        hub.taken(position, 0);
    }
    let ack =
        |delivery| Operation::Ack(DeliveryOf::Delivery(SubscriptionId(0), DeliveryId(delivery)));
    let (destination, message) = ("/queue/q".into(), Message::new("4"));
    let operations = vec![ack(2), Operation::Send { destination, message }, ack(1)];
    let (connection, request) = (ConnectionId(1), Some(RequestId(7)));
    let done =
        ["consumed /queue/q@2", "!1 /queue/q 4", "consumed /queue/q@1", "take 2 of /queue/q"];
    assert_eq!(hub.handle(Command::Commit { connection, operations, request }), done);
    assert_eq!(hub.published(1, Some(4)), ["done #7"]);
}

#[test]
fn a_transaction_counts_what_it_sends_against_the_outbox() {
    let outbox = OutboxConfig::default().messages(1);
    let mut hub = Alone::with_config(Config::default().outbox(outbox));
    let send = |destination: &str| Operation::Send {
        destination: destination.into(),
        message: Message::new("x"),
    };
    let operations = vec![send("/queue/q"), send("/topic/a")];
    let (connection, request) = (ConnectionId(1), Some(RequestId(7)));
    let full = "refused #7: the broker is away, and 0 messages of 0 bytes wait for it already";
    assert_eq!(hub.handle(Command::Commit { connection, operations, request }), [full]);
}

#[test]
fn settlements_wait_while_the_bridge_is_down() {
    let mut hub = plain(&[4]);
    for position in 1..=4 {
        hub.taken(position, 0);
    }
    assert_eq!(hub.ack(0, 1), ["consumed /queue/q@1", "take 1 of /queue/q"]);
    assert_eq!(hub.ack(0, 2), ["consumed /queue/q@2", "take 1 of /queue/q"]);
    assert_eq!(hub.settled(1), NOTHING);
    assert_eq!(hub.down(), NOTHING);
    // Consumers keep what they have.
    assert_eq!(hub.ack(0, 3), NOTHING);
    assert_eq!(hub.nack(0, 4), NOTHING);
    assert_eq!(
        hub.up(BROKER, 4),
        [
            "consumed /queue/q@2",
            "consumed /queue/q@3",
            "returned /queue/q@4 after 1",
            "take 4 of /queue/q",
        ]
    );
    for position in 2..=4 {
        assert_eq!(hub.settled(position), NOTHING);
    }
    // Twice, or of what is not here.
    assert_eq!(hub.settled(4), NOTHING);
    assert_eq!(hub.settled(9), NOTHING);
    hub.down();
    assert_eq!(hub.up(BROKER, 4), ["take 4 of /queue/q"]);
}

#[test]
fn settlements_come_before_what_is_sent_and_asked_for() {
    let mut hub = plain(&[1]);
    hub.taken(1, 0);
    hub.down();
    assert_eq!(hub.send(1, "/queue/q", "2", 1), NOTHING);
    assert_eq!(hub.ack(0, 1), NOTHING);
    let up = ["consumed /queue/q@1", "!1 /queue/q 2", "take 1 of /queue/q"];
    assert_eq!(hub.up(BROKER, 1), up);
}

#[test]
fn what_is_taken_stays_with_consumers_while_the_bridge_is_down() {
    let mut hub = plain(&[1]);
    hub.taken(1, 0);
    hub.down();
    assert_eq!(hub.consume(1, 1), ["1: begins"]);
    assert_eq!(hub.unsubscribe(0), ["1: 1 #1 again"]);
    // Events from before are not for this hub any more.
    assert_eq!(hub.taken(2, 0), NOTHING);
    assert_eq!(hub.up(BROKER, 1), NOTHING);
    assert_eq!(hub.ack(1, 1), ["consumed /queue/q@1", "take 1 of /queue/q"]);
}

#[test]
fn what_is_told_again_is_delivered_once() {
    let mut hub = plain(&[3]);
    hub.taken(1, 0);
    hub.taken(2, 0);
    hub.down();
    hub.ack(0, 1);
    assert_eq!(hub.up(BROKER, 3), ["consumed /queue/q@1", "take 2 of /queue/q"]);
    assert_eq!(hub.taken_again(1, 0), NOTHING);
    assert_eq!(hub.taken_again(2, 0), NOTHING);
    // The connection had lost it. Nobody has asked for it, so there is room for one less.
    assert_eq!(hub.taken_again(3, 0), ["0: 3 #3", "stop /queue/q"]);
    assert_eq!(hub.stopped(), ["take 1 of /queue/q"]);
    assert_eq!(hub.settled(1), NOTHING);
    assert_eq!(hub.taken_again(3, 0), NOTHING);
    // Nobody here consumes it any more.
    hub.unsubscribe(0);
    hub.stopped();
    hub.down();
    hub.up(BROKER, 3);
    for position in 2..=3 {
        hub.settled(position);
    }
    assert_eq!(hub.taken_again(4, 1), ["returned /queue/q@4 after 1"]);
    assert_eq!(hub.taken_again(4, 1), NOTHING);
}

/// The node counted as dead, and has got its own message again.
#[test]
fn what_a_consumer_still_has_is_not_delivered_twice() {
    let mut hub = plain(&[2]);
    assert_eq!(hub.taken(1, 0), ["0: 1 #1"]);
    assert_eq!(hub.taken(1, 1), ["take 1 of /queue/q"]);
    assert_eq!(hub.ack(0, 1), ["consumed /queue/q@1", "take 1 of /queue/q"]);
}

fn with_dead_letters(deliveries: u32, destination: &str) -> Config {
    let queues = QueueConfig::default().deliveries(deliveries);
    Config::default().queues(queues.dead_letters(Some(destination.into())))
}

#[test]
fn a_dead_letter_is_published_before_the_message_is_consumed() {
    for destination in ["/queue/dead", "/topic/dead"] {
        let mut hub = consuming(with_dead_letters(3, destination), &[1]);
        // The broker knows that it was delivered twice elsewhere.
        assert_eq!(hub.taken(1, 2), ["0: 1 #1 again"]);
        let publish = format!("!1 {destination} 1");
        assert_eq!(hub.nack(0, 1), [&publish[..], "take 1 of /queue/q"]);
        hub.down();
        assert_eq!(hub.up(BROKER, 1), [&publish[..], "take 1 of /queue/q"]);
        assert_eq!(hub.taken_again(1, 2), NOTHING);
        assert_eq!(hub.published(1, Some(2)), ["consumed /queue/q@1"]);
        assert_eq!(hub.published(1, Some(2)), NOTHING);
        assert_eq!(hub.settled(1), NOTHING);
        hub.down();
        assert_eq!(hub.up(BROKER, 2), ["take 1 of /queue/q"]);
    }
}

#[test]
fn a_dead_letter_that_the_broker_refuses_is_discarded() {
    let mut hub = consuming(with_dead_letters(1, "/queue/dead"), &[1]);
    hub.taken(1, 0);
    assert_eq!(hub.nack(0, 1), ["!1 /queue/dead 1", "take 1 of /queue/q"]);
    let (id, reason) = (PublishId { node: NODE, sequence: 1 }, "no".into());
    let discarded = ["consumed /queue/q@1", "discarded 1 after 1"];
    assert_eq!(hub.hear(Event::Rejected { id, reason }), discarded);
}

#[test]
fn dead_letters_can_be_local_or_nowhere() {
    let mut hub = consuming(with_dead_letters(1, "/queue/local/dead"), &[1]);
    hub.subscribe(1, &["/queue/local/dead"]);
    hub.taken(1, 0);
    assert_eq!(hub.nack(0, 1), ["1: 1", "consumed /queue/q@1", "take 1 of /queue/q"]);
    // There is no way out of the queue of dead letters, nor to what is no queue or topic.
    let nowhere = Config::default().queues(QueueConfig::default().deliveries(1));
    let [itself, application] = ["/queue/q", "/app/a"].map(|it| with_dead_letters(1, it));
    for config in [nowhere, itself, application] {
        let mut hub = consuming(config, &[1]);
        hub.taken(1, 0);
        let discarded = ["discarded 1 after 1", "consumed /queue/q@1", "take 1 of /queue/q"];
        assert_eq!(hub.nack(0, 1), discarded);
    }
}

#[test]
fn what_was_delivered_too_often_elsewhere_is_not_delivered() {
    let mut hub = consuming(with_dead_letters(2, "/queue/dead"), &[2]);
    assert_eq!(hub.taken(1, 1), ["0: 1 #1 again"]);
    assert_eq!(hub.taken(2, 2), ["!1 /queue/dead 2", "take 1 of /queue/q"]);
    assert_eq!(hub.published(1, Some(3)), ["consumed /queue/q@2"]);
    // Once is the least, whatever the configuration says.
    let mut hub = consuming(with_dead_letters(0, "/queue/dead"), &[1]);
    assert_eq!(hub.taken(1, 0), ["0: 1 #1"]);
    assert_eq!(hub.taken(2, u32::MAX), ["!1 /queue/dead 2"]);
}

#[test]
fn a_dead_letter_of_a_local_queue_goes_through_the_bridge() {
    let mut hub = consuming(with_dead_letters(1, "/queue/dead"), &[]);
    let options = sansocket_realtime::hub::SubscribeOptions::default()
        .acknowledgement(sansocket_realtime::hub::Acknowledgement::Individual);
    hub.subscribe_with(0, &["/queue/local/q"], options);
    assert_eq!(hub.send(1, "/queue/local/q", "x", 1), ["0: x #1", "done #1"]);
    assert_eq!(hub.nack(0, 1), ["!1 /queue/dead x"]);
    assert_eq!(hub.published(1, Some(1)), NOTHING);
}

#[test]
fn another_epoch_leaves_consumers_what_they_have() {
    let mut hub = plain(&[3]);
    for position in 1..=3 {
        hub.taken(position, 0);
    }
    hub.down();
    hub.ack(0, 1);
    // The broker does not know the message any more, but perhaps another one with its position.
    assert_eq!(hub.up(NEXT, 0), ["take 1 of /queue/q"]);
    assert_eq!(hub.ack(0, 2), ["take 1 of /queue/q"]);
    // So it would be lost, unless it is published again.
    assert_eq!(hub.unsubscribe(0), ["!1 /queue/q 3", "stop /queue/q"]);
    let (id, reason) = (PublishId { node: NODE, sequence: 1 }, "no".into());
    assert_eq!(hub.hear(Event::Rejected { id, reason }), ["discarded 3 after 1"]);
}

#[test]
fn positions_of_another_epoch_are_other_messages() {
    let mut hub = plain(&[2]);
    hub.taken(1, 0);
    let changed = Event::EpochChanged { epoch: NEXT, head: 0 };
    assert_eq!(hub.hear(changed), ["take 1 of /queue/q"]);
    assert_eq!(hub.taken(1, 0), ["0: 1 #2"]);
    assert_eq!(hub.ack(0, 1), ["take 1 of /queue/q"]);
    assert_eq!(hub.ack(0, 2), ["consumed /queue/q@1", "take 1 of /queue/q"]);
    // The answer to a settlement that was on its way when the epoch began.
    assert_eq!(hub.settled(1), NOTHING);
    hub.down();
    assert_eq!(hub.up(NEXT, 1), ["consumed /queue/q@1", "take 2 of /queue/q"]);
}

#[test]
fn a_dead_letter_of_another_epoch_settles_nothing() {
    let mut hub = consuming(with_dead_letters(1, "/queue/dead"), &[1]);
    hub.taken(1, 0);
    hub.nack(0, 1);
    let again = ["!1 /queue/dead 1", "take 1 of /queue/q"];
    assert_eq!(hub.hear(Event::EpochChanged { epoch: NEXT, head: 0 }), again);
    assert_eq!(hub.published(1, Some(1)), NOTHING);
}

#[test]
fn a_hub_whose_settlements_are_not_answered_takes_no_more() {
    let outbox = OutboxConfig::default().messages(2);
    let mut hub = consuming(Config::default().outbox(outbox), &[3]);
    for position in 1..=3 {
        hub.taken(position, 0);
    }
    assert_eq!(hub.ack(0, 1), ["consumed /queue/q@1", "take 1 of /queue/q"]);
    // An acknowledgement is never refused.
    assert_eq!(hub.ack(0, 2), ["consumed /queue/q@2"]);
    assert_eq!(hub.ack(0, 3), ["consumed /queue/q@3"]);
    assert_eq!(hub.settled(2), NOTHING);
    // What it has asked for still comes.
    assert_eq!(hub.taken(4, 0), ["0: 4 #4"]);
    assert_eq!(hub.settled(1), ["take 2 of /queue/q"]);
}

#[test]
fn a_hub_whose_outbox_is_full_takes_no_more() {
    let config = with_dead_letters(1, "/queue/dead");
    let config = config.outbox(OutboxConfig::default().messages(1));
    let mut hub = consuming(config, &[2]);
    hub.taken(1, 0);
    hub.taken(2, 0);
    assert_eq!(hub.send(1, "/queue/q", "3", 1), ["!1 /queue/q 3"]);
    // Dead letters have room nevertheless.
    assert_eq!(hub.nack(0, 1), ["!2 /queue/dead 1"]);
    assert_eq!(hub.nack(0, 2), ["!3 /queue/dead 2"]);
    assert_eq!(hub.published(2, Some(4)), ["consumed /queue/q@1"]);
    assert_eq!(hub.settled(1), NOTHING);
    assert_eq!(hub.published(3, Some(5)), ["consumed /queue/q@2"]);
    assert_eq!(hub.settled(2), NOTHING);
    assert_eq!(hub.published(1, Some(3)), ["done #1", "take 2 of /queue/q"]);
}

#[test]
fn a_hub_whose_queues_are_full_takes_no_more() {
    // Each message takes 200 bytes beside its size.
    let mut hub = consuming(Config::default().queued(402), &[4]);
    assert_eq!(hub.taken(1, 0), ["0: 1 #1"]);
    assert_eq!(hub.taken(2, 0), ["0: 2 #2"]);
    assert_eq!(hub.taken(3, 0), ["returned /queue/q@3 after 0"]);
    assert_eq!(hub.ack(0, 1), ["consumed /queue/q@1", "take 2 of /queue/q"]);
    // What is large finds room.
    assert_eq!(hub.taken(1000, 0), ["0: 1000 #3"]);
    assert_eq!(hub.taken(1001, 0), ["returned /queue/q@1001 after 0"]);
}
