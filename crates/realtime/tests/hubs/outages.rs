//! The bridge goes down and comes back, perhaps with another sequence.

use crate::alone::{Alone, BROKER, following_a};
use sansocket_realtime::{
    Epoch,
    bridge::Event,
    hub::{Command, Config, ConnectionId, Start, SubscribeOptions, TopicConfig},
};

const NOTHING: [&str; 0] = [];
/// The next sequence of the broker.
const NEXT: Epoch = Epoch(0xb1);

#[test]
fn what_is_local_goes_on_while_the_bridge_is_down() {
    let mut hub = Alone::with_config(Config::default());
    assert_eq!(hub.subscribe(0, &["/topic/local/a"]), ["0: begins from a-0"]);
    assert_eq!(hub.subscribe(1, &["/queue/local/q"]), ["1: begins"]);
    assert_eq!(hub.subscribe(2, &["/topic/a"]), NOTHING);
    assert_eq!(hub.send(1, "/topic/local/a", "x", 1), ["0: x", "done a-1 #1"]);
    assert_eq!(hub.send(1, "/queue/local/q", "y", 2), ["1: y", "done #2"]);
    assert_eq!(hub.cursor(2), "");
    assert_eq!(hub.up(BROKER, 7), ["?2 follow /topic/a"]);
    assert_eq!(hub.answer(2, "/topic/a", &[], 7, 7), ["2: begins from b-7"]);
}

#[test]
fn what_is_kept_is_replayed_while_the_bridge_is_down() {
    let mut hub = following_a(10);
    hub.message("/topic/a", 1);
    hub.message("/topic/a", 2);
    hub.down();
    assert_eq!(hub.cursor(0), "b-2");
    assert_eq!(hub.resume(1, &["/topic/a"], 1), ["1: begins from b-1", "1: 2"]);
    assert_eq!(hub.subscribe(2, &["/topic/a"]), ["2: begins from b-2"]);
    // Nothing is known of before, of another topic, or of what comes.
    assert_eq!(hub.resume(3, &["/topic/a", "/topic/b"], 1), NOTHING);
    assert_eq!(hub.resume(4, &["/topic/a"], 3), NOTHING);
    assert_eq!(hub.unsubscribe(4), NOTHING);
    let followed = ["?4 follow /topic/a after 1", "?5 follow /topic/b after 1"];
    assert_eq!(hub.up(BROKER, 3), followed);
    let told = [("/topic/a", 2), ("/topic/a", 3)];
    assert_eq!(hub.answer(4, "/topic/a", &told, 1, 3), ["0: 3", "1: 3", "2: 3"]);
    assert_eq!(hub.answer(5, "/topic/b", &[], 1, 3), ["3: begins from b-1", "3: 2", "3: 3"]);
}

#[test]
fn a_connection_that_was_paused_catches_up_while_the_bridge_is_down() {
    let mut hub = following_a(2);
    hub.pause();
    for position in 1..=3 {
        assert_eq!(hub.message("/topic/a", position), NOTHING);
    }
    assert_eq!(hub.cursor(0), "b-0");
    hub.down();
    assert_eq!(hub.go_on(), ["0: gap b-0 to b-1", "0: 2", "0: 3"]);
    assert_eq!(hub.cursor(0), "b-3");
    assert_eq!(hub.up(BROKER, 3), ["?2 follow /topic/a after 3"]);
    hub.pause();
    assert_eq!(hub.answer(2, "/topic/a", &[("/topic/a", 4)], 3, 4), NOTHING);
    assert_eq!(hub.go_on(), ["0: 4"]);
}

#[test]
fn the_slowest_subscriber_says_what_is_asked_for() {
    let mut hub = following_a(10);
    let window = SubscribeOptions::default().window(1.try_into().ok()).gaps(true);
    let window = window.acknowledgement(sansocket_realtime::hub::Acknowledgement::Individual);
    assert_eq!(hub.subscribe_with(1, &["/topic/a"], window), ["1: begins from b-0"]);
    assert_eq!(hub.message("/topic/a", 1), ["0: 1", "1: 1 #1"]);
    assert_eq!(hub.message("/topic/a", 2), ["0: 2"]);
    hub.down();
    assert_eq!(hub.up(BROKER, 2), ["?2 follow /topic/a after 1"]);
}

#[test]
fn a_bridge_can_come_again_without_having_said_that_it_was_down() {
    let mut hub = following_a(10);
    hub.message("/topic/a", 1);
    assert_eq!(hub.up(BROKER, 2), ["?2 follow /topic/a after 1"]);
    assert_eq!(hub.message("/topic/a", 3), NOTHING);
    let told = [("/topic/a", 2), ("/topic/a", 3)];
    assert_eq!(hub.answer(2, "/topic/a", &told, 1, 3), ["0: 2", "0: 3"]);
    assert_eq!(hub.down(), NOTHING);
    assert_eq!(hub.down(), NOTHING);
}

#[test]
fn an_answer_from_before_the_bridge_was_down_is_ignored() {
    let mut hub = following_a(10);
    hub.down();
    hub.up(BROKER, 3);
    assert_eq!(hub.answer(1, "/topic/a", &[], 0, 0), NOTHING);
    assert_eq!(hub.answer(2, "/topic/a", &[("/topic/a", 3)], 0, 3), ["0: 3"]);
}

#[test]
fn another_epoch_is_a_gap_for_everyone() {
    let mut hub = following_a(10);
    hub.message("/topic/a", 1);
    hub.message("/topic/a", 2);
    hub.pause();
    hub.message("/topic/a", 3);
    let event = Event::EpochChanged { epoch: NEXT, head: 1 };
    assert_eq!(hub.hear(event), ["?2 follow /topic/a after 0"]);
    assert_eq!(hub.cursor(0), "b-2");
    hub.go_on();
    // Nothing of the old sequence is served.
    assert_eq!(hub.resume(1, &["/topic/a"], 2), NOTHING);
    assert_eq!(hub.message("/topic/a", 2), NOTHING);
    let caught_up = [
        "0: gap b-2 to b1-0",
        "0: 1",
        "0: 2",
        "1: begins from b-2",
        "1: gap b-2 to b1-0",
        "1: 1",
        "1: 2",
    ];
    assert_eq!(hub.answer(2, "/topic/a", &[("/topic/a", 1)], 0, 1), caught_up);
    assert_eq!(hub.cursor(0), "b1-2");
}

#[test]
fn an_epoch_that_ends_before_it_was_heard_of_is_a_gap_from_the_one_before() {
    let mut hub = following_a(10);
    hub.message("/topic/a", 1);
    hub.down();
    hub.up(NEXT, 5);
    hub.down();
    let last = Epoch(0xb2);
    assert_eq!(hub.up(last, 0), ["?3 follow /topic/a after 0"]);
    assert_eq!(hub.answer(3, "/topic/a", &[], 0, 0), ["0: gap b-1 to b2-0"]);
}

#[test]
fn what_is_retained_does_not_outlive_its_epoch() {
    let topics = TopicConfig::default().retain(true);
    let mut hub = Alone::with_config(Config::default().other_topics(topics));
    hub.up(BROKER, 0);
    hub.subscribe(0, &["/topic/a"]);
    hub.answer(1, "/topic/a", &[], 0, 0);
    hub.message("/topic/a", 1);
    let last = SubscribeOptions::default().start(Start::Last);
    assert_eq!(hub.subscribe_with(1, &["/topic/a"], last), ["1: begins from b-1", "1: 1"]);
    hub.down();
    hub.up(NEXT, 0);
    hub.answer(2, "/topic/a", &[], 0, 0);
    assert_eq!(hub.subscribe_with(2, &["/topic/a"], last), ["2: begins from b1-0"]);
}

#[test]
fn the_last_message_is_one_of_the_history() {
    let topics = TopicConfig::default().retain(true);
    let mut hub = Alone::with_config(Config::default().other_topics(topics));
    hub.up(BROKER, 3);
    let last = SubscribeOptions::default().start(Start::Last).gaps(true);
    assert_eq!(hub.subscribe_with(0, &["/topic/a"], last), ["?1 follow /topic/a after 0"]);
    let told = [("/topic/a", 1), ("/topic/a", 2)];
    assert_eq!(hub.answer(1, "/topic/a", &told, 0, 3), ["0: begins from b-3", "0: 2"]);
}

#[test]
fn a_cursor_that_is_ahead_of_the_hub_is_asked_about() {
    let mut hub = following_a(10);
    hub.message("/topic/a", 1);
    // It is the cursor of another hub.
    assert_eq!(hub.resume(1, &["/topic/a"], 3), ["?2 history /topic/a after 1"]);
    assert_eq!(hub.answer(2, "/topic/a", &[], 1, 4), ["1: begins from b-3"]);
    assert_eq!(hub.message("/topic/a", 5), ["0: 5", "1: 5"]);
    // Nobody has got this.
    assert_eq!(hub.resume(2, &["/topic/a"], u64::MAX), ["?3 history /topic/a after 5"]);
    assert_eq!(
        hub.answer(3, "/topic/a", &[], 5, 5),
        [
            "2: begins from b-18446744073709551615",
            "2: gap b-18446744073709551615 to b-0",
            "2: 1",
            "2: 5"
        ]
    );
    // Nor does it harm others.
    assert_eq!(hub.message("/topic/a", 6), ["0: 6", "1: 6", "2: 6"]);
    assert_eq!(hub.resume(3, &["/topic/b"], 1 << 40), ["?4 follow /topic/b after 6"]);
    hub.answer(4, "/topic/b", &[], 6, 6);
    assert_eq!(hub.message("/topic/b", 7), ["3: 7"]);
}

#[test]
fn a_broker_can_not_claim_more_than_its_head() {
    let mut hub = following_a(10);
    hub.down();
    hub.up(BROKER, 1);
    assert_eq!(hub.answer(2, "/topic/a", &[], u64::MAX, 1), ["0: gap b-0 to b-1"]);
    assert_eq!(hub.message("/topic/a", 2), ["0: 2"]);
}

#[test]
fn several_topics_wait_for_each_other_after_the_bridge_was_down() {
    let mut hub = Alone::keeping(10);
    hub.subscribe(0, &["/topic/a", "/topic/b"]);
    hub.answer(1, "/topic/a", &[], 0, 0);
    hub.answer(2, "/topic/b", &[], 0, 0);
    hub.down();
    hub.up(BROKER, 2);
    assert_eq!(hub.answer(3, "/topic/a", &[("/topic/a", 2)], 0, 2), NOTHING);
    assert_eq!(hub.cursor(0), "b-0");
    // If it goes down again before the other is known, the first is still known up to there.
    hub.down();
    assert_eq!(hub.cursor(0), "b-0");
    let followed = ["?5 follow /topic/a after 0", "?6 follow /topic/b after 0"];
    assert_eq!(hub.up(BROKER, 2), followed);
    assert_eq!(hub.answer(6, "/topic/b", &[("/topic/b", 1)], 0, 3), ["0: 1", "0: 2"]);
    assert_eq!(hub.cursor(0), "b-2");
    assert_eq!(hub.answer(5, "/topic/a", &[("/topic/a", 2), ("/topic/a", 3)], 0, 3), ["0: 3"]);
}

#[test]
fn what_is_kept_joins_a_history_that_is_shorter() {
    let mut hub = following_a(3);
    hub.pause();
    for position in 1..=3 {
        hub.message("/topic/a", position);
    }
    hub.down();
    hub.up(BROKER, 4);
    // The broker keeps one message.
    assert_eq!(hub.answer(2, "/topic/a", &[("/topic/a", 4)], 3, 4), NOTHING);
    assert_eq!(hub.go_on(), ["0: 1", "0: 2", "0: 3", "0: 4"]);
}

#[test]
fn the_beginning_of_several_topics_waits_until_all_are_known_up_to_it() {
    let mut hub = following_a(10);
    assert_eq!(hub.subscribe(1, &["/topic/b/*"]), ["?2 follow /topic/b/*"]);
    assert_eq!(hub.answer(2, "/topic/b/*", &[], 0, 0), ["1: begins from b-0"]);
    hub.down();
    let beginning = SubscribeOptions::default().start(Start::Beginning);
    hub.subscribe(2, &["/topic/b/1"]);
    hub.unsubscribe(0);
    let followed = ["?4 follow /topic/b/1", "?5 follow /topic/b/* after 0"];
    assert_eq!(hub.up(BROKER, 1), followed);
    assert_eq!(
        hub.subscribe_with(3, &["/topic/b/*", "/topic/a"], beginning),
        ["?6 follow /topic/a after 0"]
    );
    assert_eq!(hub.answer(4, "/topic/b/1", &[], 1, 1), ["2: begins from b-1"]);
    assert_eq!(hub.answer(6, "/topic/a", &[("/topic/a", 1)], 0, 1), NOTHING);
    assert_eq!(hub.answer(5, "/topic/b/*", &[], 0, 1), ["3: begins from b-0", "3: 1"]);
}

#[test]
fn who_is_disconnected_while_the_bridge_is_down_is_not_followed_for() {
    let mut hub = following_a(10);
    hub.down();
    assert_eq!(hub.handle(Command::Disconnect { connection: ConnectionId(1) }), NOTHING);
    assert_eq!(hub.up(BROKER, 1), NOTHING);
    assert_eq!(hub.hub.destinations(), 0);
}

/// The history of one topic takes the room of all, so the last message of another one can't be retained.
#[test]
fn an_old_message_is_not_retained_in_place_of_one_without_room() {
    let topics = TopicConfig::default().retain(true);
    let mut hub = Alone::with_config(Config::default().other_topics(topics).replay(1_000));
    hub.up(BROKER, 0);
    hub.subscribe(0, &["/topic/*"]);
    hub.answer(1, "/topic/*", &[], 0, 0);
    assert_eq!(hub.message("/topic/a", 1), ["0: 1"]);
    assert_eq!(hub.message("/topic/b", 2), ["0: 2"]);
    hub.down();
    assert_eq!(hub.up(BROKER, 9), ["?2 follow /topic/* after 2"]);
    let told = [3, 4, 5, 6, 7].map(|position| ("/topic/a", position));
    let told = [&told[..], &[("/topic/b", 8)]].concat();
    assert_eq!(hub.answer(2, "/topic/*", &told, 2, 9).len(), 6);
    assert_eq!(hub.after(300), NOTHING);
    let last = SubscribeOptions::default().start(Start::Last);
    let begins = hub.subscribe_with(1, &["/topic/b"], last);
    assert_eq!(begins, ["?3 follow /topic/b after 0"]);
    // The broker has forgotten it too.
    assert_eq!(hub.answer(3, "/topic/b", &[], 9, 9), ["1: begins from b-9"]);
}

#[test]
fn a_cursor_of_an_epoch_that_begins_later_is_a_place_in_it() {
    let mut hub = following_a(10);
    hub.pause();
    let start = Start::After(sansocket_realtime::Cursor::new(NEXT, 1));
    let options = SubscribeOptions::default().start(start);
    assert_eq!(hub.subscribe_with(1, &["/topic/a"], options), ["1: begins from b1-1"]);
    let changed = hub.hear(Event::EpochChanged { epoch: NEXT, head: 2 });
    assert_eq!(changed, ["?2 follow /topic/a after 0"]);
    let told = [("/topic/a", 2)];
    assert_eq!(hub.answer(2, "/topic/a", &told, 1, 2), NOTHING);
    // The other has missed what it can't know of.
    assert_eq!(hub.go_on(), ["0: gap b-0 to b1-1", "0: 2", "1: 2"]);
}
