//! Each rule of a hub with a bridge.

use crate::alone::{Alone, BROKER, NODE, following_a};
use core::time::Duration;
use sansocket_realtime::{
    Epoch,
    bridge::{Event, PublishId},
    hub::{
        Command, Config, ConnectionId, OutboxConfig, RequestId, SubscribeOptions, SubscriptionId,
        TopicConfig,
    },
};

const NOTHING: [&str; 0] = [];

#[test]
fn the_first_subscriber_follows_and_the_last_one_ends_it() {
    let mut hub = following_a(10);
    assert_eq!(hub.subscribe(1, &["/topic/a"]), ["1: begins from b-0"]);
    assert_eq!(hub.subscribe(2, &["/topic/*"]), ["?2 follow /topic/*"]);
    assert_eq!(hub.unsubscribe(0), NOTHING);
    assert_eq!(hub.unsubscribe(1), ["unfollow /topic/a"]);
    assert_eq!(hub.unsubscribe(2), ["unfollow /topic/*"]);
    assert_eq!(hub.subscribe(3, &["/topic/a"]), ["?3 follow /topic/a"]);
}

#[test]
fn nothing_is_lost_or_double_when_a_topic_is_followed_again() {
    let mut hub = following_a(10);
    assert_eq!(hub.message("/topic/a", 1), ["0: 1"]);
    hub.unsubscribe(0);
    // It was on its way.
    assert_eq!(hub.message("/topic/a", 2), NOTHING);
    assert_eq!(hub.resume(0, &["/topic/a"], 1), ["?2 follow /topic/a after 1"]);
    assert_eq!(hub.message("/topic/a", 4), NOTHING);
    let told = [("/topic/a", 2), ("/topic/a", 3), ("/topic/a", 4)];
    assert_eq!(
        hub.answer(2, "/topic/a", &told, 1, 4),
        ["0: begins from b-1", "0: 2", "0: 3", "0: 4"]
    );
    assert_eq!(hub.message("/topic/a", 5), ["0: 5"]);
}

#[test]
fn answers_for_those_who_have_gone_are_ignored() {
    let mut hub = Alone::keeping(10);
    hub.subscribe(0, &["/topic/a"]);
    hub.unsubscribe(0);
    assert_eq!(hub.answer(1, "/topic/a", &[], 3, 3), NOTHING);
    assert_eq!(hub.subscribe(0, &["/topic/a"]), ["?2 follow /topic/a"]);
    assert_eq!(hub.answer(1, "/topic/a", &[], 3, 3), NOTHING);
    assert_eq!(hub.answer(2, "/topic/a", &[], 4, 4), ["0: begins from b-4"]);
    // Nor does anything come of answers that nobody asked for.
    assert_eq!(hub.answer(3, "/topic/b", &[("/topic/b", 5)], 0, 5), NOTHING);
}

#[test]
fn what_comes_before_the_history_waits_for_it() {
    let mut hub = Alone::keeping(10);
    hub.resume(0, &["/topic/a"], 0);
    hub.subscribe(1, &["/topic/*"]);
    assert_eq!(hub.message("/topic/a", 2), NOTHING);
    assert_eq!(hub.message("/topic/a", 3), NOTHING);
    // The answer was read before 3 was published.
    let told = [("/topic/a", 1), ("/topic/a", 2)];
    assert_eq!(
        hub.answer(1, "/topic/a", &told, 0, 2),
        ["0: begins from b-0", "0: 1", "0: 2", "0: 3"]
    );
    // The pattern begins at the head that is known.
    assert_eq!(hub.answer(2, "/topic/*", &[], 2, 2), ["1: begins from b-3"]);
    assert_eq!(hub.message("/topic/a", 4), ["0: 4", "1: 4"]);
}

#[test]
fn what_waits_for_the_history_is_bounded() {
    let mut hub = Alone::keeping(2);
    hub.resume(0, &["/topic/a"], 0);
    for position in 1..=4 {
        assert_eq!(hub.message("/topic/a", position), NOTHING);
    }
    // If the history has what had no room, nothing is missing.
    let told = [("/topic/a", 1), ("/topic/a", 2)];
    let begun = ["0: begins from b-0", "0: 1", "0: 2", "0: 3", "0: 4"];
    assert_eq!(hub.answer(1, "/topic/a", &told, 0, 2), begun);

    let mut hub = Alone::keeping(2);
    hub.resume(0, &["/topic/a"], 0);
    for position in 1..=4 {
        assert_eq!(hub.message("/topic/a", position), NOTHING);
    }
    let begun = ["0: begins from b-0", "0: gap b-0 to b-2", "0: 3", "0: 4"];
    assert_eq!(hub.answer(1, "/topic/a", &told[..1], 0, 1), begun);
}

#[test]
fn what_waits_for_the_history_is_bounded_in_bytes() {
    let topics = TopicConfig::default().bytes(2);
    let mut hub = Alone::with_config(Config::default().other_topics(topics));
    hub.up(BROKER, 0);
    hub.resume(0, &["/topic/a"], 0);
    for position in 1..=3 {
        assert_eq!(hub.message("/topic/a", position), NOTHING);
    }
    let begun = ["0: begins from b-0", "0: gap b-0 to b-1", "0: 2", "0: 3"];
    assert_eq!(hub.answer(1, "/topic/a", &[], 0, 0), begun);
}

#[test]
fn what_had_no_room_is_missing_for_patterns_too() {
    let mut hub = Alone::keeping(2);
    hub.resume(0, &["/topic/a"], 0);
    hub.resume(1, &["/topic/*"], 0);
    for position in 3..=6 {
        assert_eq!(hub.message("/topic/a", position), NOTHING);
    }
    let told = [("/topic/a", 1), ("/topic/a", 2)];
    assert_eq!(
        hub.answer(1, "/topic/a", &told, 0, 2),
        ["0: begins from b-0", "0: gap b-0 to b-4", "0: 5", "0: 6"]
    );
    // This answer does not reach what is kept.
    assert_eq!(
        hub.answer(2, "/topic/*", &told, 0, 2),
        ["1: begins from b-0", "1: gap b-0 to b-4", "1: 5", "1: 6"]
    );
}

#[test]
fn several_topics_wait_for_each_other_and_come_in_order() {
    let mut hub = Alone::keeping(10);
    assert_eq!(
        hub.resume(0, &["/topic/a", "/topic/b"], 0),
        ["?1 follow /topic/a after 0", "?2 follow /topic/b after 0"]
    );
    let of_a = [("/topic/a", 1), ("/topic/a", 3)];
    assert_eq!(hub.answer(1, "/topic/a", &of_a, 0, 3), NOTHING);
    assert_eq!(hub.message("/topic/a", 5), NOTHING);
    let of_b = [("/topic/b", 2), ("/topic/b", 4)];
    assert_eq!(
        hub.answer(2, "/topic/b", &of_b, 0, 5),
        ["0: begins from b-0", "0: 1", "0: 2", "0: 3", "0: 4", "0: 5"]
    );
}

#[test]
fn a_gap_is_told_once_all_topics_are_known_up_to_its_end() {
    let mut hub = Alone::keeping(10);
    hub.subscribe(0, &["/topic/a", "/topic/b"]);
    hub.answer(1, "/topic/a", &[], 0, 0);
    hub.answer(2, "/topic/b", &[], 0, 0);
    assert_eq!(hub.message("/topic/a", 1), ["0: 1"]);
    hub.down();
    let followed = ["?3 follow /topic/a after 1", "?4 follow /topic/b after 1"];
    assert_eq!(hub.up(BROKER, 9), followed);
    // 3 is what the broker has lost. Nobody knows yet what /topic/b has before.
    assert_eq!(hub.answer(3, "/topic/a", &[("/topic/a", 5)], 3, 9), NOTHING);
    assert_eq!(hub.cursor(0), "b-1");
    let told = [("/topic/b", 2), ("/topic/b", 4)];
    let caught_up = ["0: gap b-1 to b-3", "0: 4", "0: 5"];
    assert_eq!(hub.answer(4, "/topic/b", &told, 1, 9), caught_up);
    assert_eq!(hub.cursor(0), "b-9");
}

#[test]
fn a_question_is_not_answered_by_the_one_before_it() {
    let mut hub = Alone::keeping(10);
    hub.subscribe(0, &["/topic/a"]);
    hub.answer(1, "/topic/a", &[], 2, 2);
    assert_eq!(hub.resume(1, &["/topic/a"], 1), ["?2 history /topic/a after 1"]);
    assert_eq!(hub.resume(2, &["/topic/a"], 0), ["?3 history /topic/a after 0"]);
    let told = [("/topic/a", 1), ("/topic/a", 2)];
    assert_eq!(hub.answer(2, "/topic/a", &told[1..], 1, 2), ["1: begins from b-1", "1: 2"]);
    assert_eq!(hub.answer(3, "/topic/a", &told, 0, 2), ["2: begins from b-0", "2: 1", "2: 2"]);
    // Now everything is here.
    assert_eq!(hub.resume(3, &["/topic/a"], 0), ["3: begins from b-0", "3: 1", "3: 2"]);
}

#[test]
fn who_comes_while_a_question_is_open_waits_for_its_answer() {
    let mut hub = Alone::keeping(10);
    hub.message("/topic/z", 5);
    assert_eq!(hub.resume(0, &["/topic/a"], 3), ["?1 follow /topic/a after 3"]);
    assert_eq!(hub.resume(1, &["/topic/a"], 4), NOTHING);
    assert_eq!(hub.resume(2, &["/topic/a"], 1), ["?2 history /topic/a after 1"]);
    assert_eq!(hub.resume(3, &["/topic/a"], 2), NOTHING);
    // The answer can have been read before this was published.
    assert_eq!(hub.resume(4, &["/topic/a"], 6), ["?3 history /topic/a after 5"]);
    assert_eq!(hub.answer(1, "/topic/a", &[], 3, 5), ["0: begins from b-3", "1: begins from b-4"]);
    let told = [("/topic/a", 2)];
    assert_eq!(
        hub.answer(2, "/topic/a", &told, 1, 5),
        ["2: begins from b-1", "2: 2", "3: begins from b-2"]
    );
    assert_eq!(hub.answer(3, "/topic/a", &[], 5, 6), ["4: begins from b-6"]);
}

#[test]
fn a_gap_is_told_if_the_broker_has_lost_messages() {
    let mut hub = Alone::keeping(10);
    assert_eq!(hub.resume(0, &["/topic/a"], 0), ["?1 follow /topic/a after 0"]);
    let told = [("/topic/a", 4)];
    assert_eq!(
        hub.answer(1, "/topic/a", &told, 3, 5),
        ["0: begins from b-0", "0: gap b-0 to b-3", "0: 4"]
    );
    hub.down();
    assert_eq!(hub.up(BROKER, 9), ["?2 follow /topic/a after 5"]);
    assert_eq!(hub.answer(2, "/topic/a", &[], 7, 9), ["0: gap b-5 to b-7"]);
    assert_eq!(hub.message("/topic/a", 10), ["0: 10"]);
}

#[test]
fn who_does_not_understand_gaps_is_cut_off() {
    let mut hub = Alone::keeping(10);
    hub.subscribe_with(0, &["/topic/a"], SubscribeOptions::default());
    hub.answer(1, "/topic/a", &[], 0, 0);
    hub.down();
    hub.up(BROKER, 3);
    let missed =
        "0: refused: messages of \"/topic/a\" were lost, and this subscription does not take gaps";
    assert_eq!(hub.answer(2, "/topic/a", &[], 2, 3), ["unfollow /topic/a", missed]);
    assert_eq!(hub.hub.subscriptions(), 0);
}

#[test]
fn a_message_that_is_told_twice_comes_once() {
    let mut hub = following_a(1);
    hub.subscribe(1, &["/topic/*"]);
    hub.answer(2, "/topic/*", &[], 0, 0);
    assert_eq!(hub.message("/topic/a", 1), ["0: 1", "1: 1"]);
    assert_eq!(hub.message("/topic/a", 1), NOTHING);
    assert_eq!(hub.message("/topic/a", 2), ["0: 2", "1: 2"]);
    assert_eq!(hub.message("/topic/a", 1), NOTHING);
}

#[test]
fn messages_that_nobody_wants_are_ignored() {
    let mut hub = following_a(10);
    assert_eq!(hub.message("/topic/b", 1), NOTHING);
    hub.subscribe(1, &["/topic/local/*"]);
    hub.subscribe(2, &["/topic/**"]);
    hub.answer(2, "/topic/**", &[], 1, 1);
    // A hub with other options has sent it through the bridge.
    assert_eq!(hub.message("/topic/local/a", 2), NOTHING);
    assert_eq!(hub.answer(2, "/topic/**", &[("/topic/local/b", 1)], 0, 2), NOTHING);
    assert_eq!(hub.hub.destinations(), 3);
    hub.down();
    assert_eq!(hub.message("/topic/a", 3), NOTHING);
    assert_eq!(hub.answer(1, "/topic/a", &[("/topic/a", 3)], 0, 3), NOTHING);
}

#[test]
fn a_subscription_is_of_one_sequence() {
    let mut hub = Alone::keeping(10);
    for [first, other] in [["/topic/a", "/topic/local/b"], ["/topic/local/*", "/topic/*"]] {
        let refused = format!(
            "0: refused: {other:?} can't be in one subscription with the destinations before it"
        );
        assert_eq!(hub.subscribe(0, &[first, other]), [refused]);
        let refused = format!(
            "0: refused: {first:?} can't be in one subscription with the destinations before it"
        );
        assert_eq!(hub.subscribe(0, &[other, first]), [refused]);
    }
    assert_eq!((hub.hub.subscriptions(), hub.hub.destinations()), (0, 0));
    let local = ["/topic/local/a", "/topic/local/*"];
    assert_eq!(hub.subscribe(0, &local), ["0: begins from a-0"]);
}

#[test]
fn a_hub_without_a_bridge_ignores_events() {
    let mut hub = sansocket_realtime::hub::Hub::new(NODE);
    let up = Command::Bridge(Event::Up { epoch: BROKER, head: 0 });
    assert_eq!(hub.handle(up, Duration::ZERO).count(), 0);
    assert!(!hub.is_degraded());
}

#[test]
fn receipts_come_once_the_broker_has_published() {
    let mut hub = following_a(10);
    assert_eq!(hub.send(1, "/topic/a", "1", 7), ["!1 /topic/a 1"]);
    assert_eq!(hub.send(1, "/topic/a", "x", 8), ["!2 /topic/a x"]);
    assert_eq!(hub.send(1, "/topic/b", "2", 9), ["!3 /topic/b 2"]);
    assert_eq!(hub.hub.outbox(), (3, 3));
    // They come in any order, before or after the message.
    assert_eq!(hub.published(3, Some(2)), ["done b-2 #9"]);
    assert_eq!(hub.published(1, Some(1)), ["done b-1 #7"]);
    assert_eq!(hub.published(1, Some(1)), NOTHING);
    assert_eq!(hub.message("/topic/a", 1), ["0: 1"]);
    let (id, reason) = (PublishId { node: NODE, sequence: 2 }, "not allowed".into());
    assert_eq!(
        hub.hear(Event::Rejected { id, reason }),
        ["refused #8: the broker refuses the message: not allowed"]
    );
    assert_eq!(hub.hub.outbox(), (0, 0));
    // Those of others, or of nothing.
    let id = PublishId { node: Epoch(0xc), sequence: 1 };
    assert_eq!(hub.hear(Event::Published { id, position: Some(3) }), NOTHING);
    assert_eq!(hub.published(4, Some(3)), NOTHING);
}

#[test]
fn what_the_broker_has_not_answered_is_sent_again_in_its_order() {
    let outbox = OutboxConfig::default().messages(3);
    let mut hub = Alone::with_config(Config::default().outbox(outbox));
    assert!(hub.hub.is_degraded());
    assert_eq!(hub.send(1, "/topic/a", "1", 1), NOTHING);
    assert_eq!(hub.up(BROKER, 0), ["!1 /topic/a 1"]);
    assert!(!hub.hub.is_degraded());
    assert_eq!(hub.send(1, "/topic/a", "2", 2), ["!2 /topic/a 2"]);
    assert_eq!(hub.send(1, "/topic/a", "3", 3), ["!3 /topic/a 3"]);
    let full = "refused #4: the broker is away, and 3 messages of 3 bytes wait for it already";
    assert_eq!(hub.send(1, "/topic/a", "4", 4), [full]);
    assert_eq!(hub.published(2, Some(2)), ["done b-2 #2"]);
    hub.down();
    assert_eq!(hub.up(BROKER, 2), ["!1 /topic/a 1", "!3 /topic/a 3"]);
    // The broker knows only the last place.
    assert_eq!(hub.published(1, None), ["done #1"]);
    assert_eq!(hub.send(1, "/topic/a", "5", 5), ["!4 /topic/a 5"]);
}

#[test]
fn the_outbox_is_bounded_in_bytes() {
    let outbox = OutboxConfig::default().bytes(4);
    let mut hub = Alone::with_config(Config::default().outbox(outbox));
    assert_eq!(hub.send(1, "/topic/a", "123", 1), NOTHING);
    let full = "refused #2: the broker is away, and 1 messages of 3 bytes wait for it already";
    assert_eq!(hub.send(1, "/topic/a", "12", 2), [full]);
    assert_eq!(hub.send(1, "/topic/a", "1", 3), NOTHING);
}

#[test]
fn a_receipt_is_not_for_another_connection_of_the_same_name() {
    let mut hub = Alone::keeping(10);
    hub.connect(2);
    hub.send(2, "/topic/a", "1", 1);
    hub.connect(2);
    hub.send(2, "/topic/a", "2", 1);
    assert_eq!(hub.published(1, Some(1)), NOTHING);
    assert_eq!(hub.published(2, Some(2)), ["done b-2 #1"]);
}

#[test]
fn a_command_that_waits_for_the_bridge_is_answered_when_its_subscription_ends() {
    let mut hub = Alone::keeping(10);
    hub.handle(Command::Subscribe {
        connection: ConnectionId(1),
        subscription: SubscriptionId(0),
        destinations: vec!["/topic/a".into()],
        options: SubscribeOptions::default(),
        request: Some(RequestId(5)),
    });
    assert_eq!(hub.unsubscribe(0), ["done #5", "unfollow /topic/a"]);
}
