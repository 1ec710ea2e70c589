//! Patterns of topics over a bridge.

use crate::alone::{Alone, BROKER, following_a};
use sansocket_realtime::hub::{Config, Start, SubscribeOptions, TopicConfig};

const NOTHING: [&str; 0] = [];

/// Creates a hub with a live subscription 0 of `/topic/*`.
fn following_all(config: Config) -> Alone {
    let mut hub = Alone::with_config(config);
    hub.up(BROKER, 0);
    assert_eq!(hub.subscribe(0, &["/topic/*"]), ["?1 follow /topic/*"]);
    assert_eq!(hub.answer(1, "/topic/*", &[], 0, 0), ["0: begins from b-0"]);
    hub
}

fn keeping(messages: usize) -> Config {
    Config::default().other_topics(TopicConfig::default().messages(messages))
}

#[test]
fn a_message_comes_once_to_a_subscription_that_matches_it_twice() {
    let mut hub = Alone::keeping(10);
    hub.subscribe(0, &["/topic/*", "/topic/a", "/topic/**"]);
    hub.answer(1, "/topic/*", &[], 0, 0);
    hub.answer(2, "/topic/a", &[], 0, 0);
    assert_eq!(hub.message("/topic/a", 1), NOTHING);
    let all = hub.answer(3, "/topic/**", &[("/topic/a", 1)], 0, 1);
    assert_eq!(all, ["0: begins from b-1"]);
    assert_eq!(hub.message("/topic/a", 2), ["0: 2"]);
}

#[test]
fn messages_of_new_topics_wait_for_the_history_of_the_pattern() {
    let mut hub = Alone::keeping(10);
    hub.resume(0, &["/topic/*"], 0);
    assert_eq!(hub.message("/topic/b", 3), NOTHING);
    assert_eq!(
        hub.answer(1, "/topic/*", &[("/topic/a", 1), ("/topic/b", 2)], 0, 2),
        ["0: begins from b-0", "0: 1", "0: 2", "0: 3"]
    );
}

#[test]
fn older_history_of_a_pattern_brings_topics_that_are_new() {
    let mut hub = following_all(keeping(10));
    hub.down();
    hub.up(BROKER, 5);
    hub.answer(2, "/topic/*", &[], 5, 5);
    assert_eq!(hub.message("/topic/a", 6), ["0: 6"]);
    assert_eq!(hub.resume(1, &["/topic/*"], 1), ["?3 history /topic/* after 1"]);
    let told = [("/topic/a", 2), ("/topic/b", 3), ("/topic/a", 6)];
    assert_eq!(
        hub.answer(3, "/topic/*", &told, 1, 6),
        ["1: begins from b-1", "1: 2", "1: 3", "1: 6"]
    );
    // Also for others, without a question.
    assert_eq!(hub.resume(2, &["/topic/*"], 2), ["2: begins from b-2", "2: 3", "2: 6"]);
}

#[test]
fn a_topic_of_a_pattern_is_followed_for_its_own_subscribers_too() {
    let mut hub = following_all(keeping(10));
    hub.message("/topic/a", 1);
    assert_eq!(hub.resume(1, &["/topic/a"], 0), ["?2 follow /topic/a after 0"]);
    // The pattern has it already.
    assert_eq!(hub.message("/topic/a", 2), ["0: 2"]);
    let told = [("/topic/a", 1), ("/topic/a", 2)];
    assert_eq!(hub.answer(2, "/topic/a", &told, 0, 2), ["1: begins from b-0", "1: 1", "1: 2"]);
    assert_eq!(hub.unsubscribe(0), ["unfollow /topic/*"]);
    assert_eq!(hub.message("/topic/a", 3), ["1: 3"]);
}

#[test]
fn what_a_topic_keeps_stays_when_a_pattern_goes() {
    let mut hub = following_all(keeping(2));
    hub.message("/topic/a", 1);
    hub.resume(1, &["/topic/a"], 0);
    assert_eq!(hub.answer(2, "/topic/a", &[], 1, 1).len(), 2);
    hub.pause();
    hub.message("/topic/a", 2);
    hub.down();
    // Not even now, when nothing is told any more.
    assert_eq!(hub.unsubscribe(0), NOTHING);
    assert_eq!(hub.go_on(), ["1: 2"]);
}

#[test]
fn what_came_before_the_history_of_a_topic_stays_when_a_pattern_goes() {
    let mut hub = Alone::keeping(10);
    hub.subscribe(0, &["/topic/*"]);
    hub.resume(1, &["/topic/a"], 0);
    assert_eq!(hub.message("/topic/a", 1), NOTHING);
    hub.unsubscribe(0);
    assert_eq!(hub.answer(2, "/topic/a", &[], 0, 0), ["1: begins from b-0", "1: 1"]);
}

#[test]
fn a_topic_that_is_forgotten_while_the_bridge_is_down_is_a_gap() {
    let mut hub = following_all(keeping(10));
    hub.message("/topic/a", 1);
    hub.after(200);
    hub.pause();
    hub.message("/topic/a", 2);
    hub.message("/topic/b", 3);
    hub.down();
    hub.after(299);
    assert_eq!(hub.hub.destinations(), 3);
    hub.after(1);
    assert_eq!(hub.hub.destinations(), 1);
    assert_eq!(hub.go_on(), ["0: gap b-1 to b-3"]);
}

#[test]
fn a_topic_that_is_forgotten_is_a_gap_for_its_patterns_only() {
    let mut hub = following_all(keeping(10));
    assert_eq!(hub.subscribe(1, &["/topic/b/*"]), ["?2 follow /topic/b/*"]);
    assert_eq!(hub.answer(2, "/topic/b/*", &[], 0, 0), ["1: begins from b-0"]);
    hub.message("/topic/b/1", 1);
    hub.message("/topic/a", 2);
    hub.message("/topic/b/2", 3);
    hub.after(300);
    assert_eq!(hub.hub.destinations(), 2);
    hub.message("/topic/a", 4);
    hub.message("/topic/b/2", 5);
    // For what is kept, nothing has to be asked.
    assert_eq!(hub.resume(2, &["/topic/*"], 2), ["2: begins from b-2", "2: 4"]);
    assert_eq!(hub.resume(3, &["/topic/b/*"], 3), ["3: begins from b-3", "3: 5"]);
    assert_eq!(hub.resume(4, &["/topic/b/*"], 2), ["?3 history /topic/b/* after 2"]);
}

#[test]
fn a_message_that_is_larger_than_the_replay_reaches_patterns() {
    let mut hub = following_all(Config::default().replay(0));
    assert_eq!(hub.message("/topic/a", 1), ["0: 1"]);
    assert_eq!(hub.hub.destinations(), 1);
    hub.subscribe(1, &["/topic/local/*"]);
    assert_eq!(hub.send(1, "/topic/local/a", "x", 1), ["1: x", "done a-1 #1"]);
}

#[test]
fn what_the_history_brings_is_bounded_by_the_replay() {
    let topics = TopicConfig::default().retain(true);
    let config = Config::default().replay(3).other_topics(topics);
    let mut hub = Alone::with_config(config);
    hub.up(BROKER, 4);
    hub.resume(0, &["/topic/*"], 0);
    let told = [("/topic/a", 1), ("/topic/b", 2), ("/topic/c", 3), ("/topic/a", 4)];
    // They are served first.
    assert_eq!(
        hub.answer(1, "/topic/*", &told, 0, 4),
        ["0: begins from b-0", "0: 1", "0: 2", "0: 3", "0: 4"]
    );
    let beginning = SubscribeOptions::default().start(Start::Beginning);
    let [asked] = &hub.subscribe_with(1, &["/topic/*"], beginning)[..] else { panic!() };
    assert_eq!(asked, "?2 history /topic/* after 0");
}

#[test]
fn a_message_of_a_topic_that_has_no_room_is_a_gap() {
    let mut hub = following_all(keeping(10).destinations(2));
    assert_eq!(hub.message("/topic/a", 1), ["0: 1"]);
    assert_eq!(hub.message("/topic/b", 2), ["0: gap b-1 to b-2"]);
    // Told again, it is the same gap.
    assert_eq!(hub.message("/topic/b", 2), NOTHING);
    assert_eq!(hub.message("/topic/a", 3), ["0: 3"]);
}

#[test]
fn a_topic_that_has_no_room_is_a_gap_in_the_history() {
    let config = keeping(10).destinations(2);
    let mut hub = Alone::with_config(config.clone());
    hub.up(BROKER, 3);
    hub.resume(0, &["/topic/*"], 0);
    let told = [("/topic/a", 1), ("/topic/b", 2), ("/topic/a", 3)];
    assert_eq!(
        hub.answer(1, "/topic/*", &told, 0, 3),
        ["0: begins from b-0", "0: gap b-0 to b-2", "0: 3"]
    );

    // And if the message came before the history.
    let mut hub = Alone::with_config(config);
    hub.up(BROKER, 1);
    hub.resume(0, &["/topic/*"], 0);
    assert_eq!(hub.message("/topic/a", 2), NOTHING);
    assert_eq!(hub.message("/topic/b", 3), NOTHING);
    assert_eq!(hub.message("/topic/a", 4), NOTHING);
    assert_eq!(
        hub.answer(1, "/topic/*", &[("/topic/a", 1)], 0, 1),
        ["0: begins from b-0", "0: gap b-0 to b-3", "0: 4"]
    );
}

#[test]
fn what_a_pattern_knows_of_a_topic_is_known_when_it_is_followed_itself() {
    let mut hub = following_a(10);
    hub.subscribe(1, &["/topic/*"]);
    hub.answer(2, "/topic/*", &[], 0, 0);
    hub.pause();
    hub.message("/topic/a", 1);
    hub.down();
    // Also now, it has had no messages.
    assert_eq!(hub.subscribe(2, &["/topic/b"]), NOTHING);
    assert_eq!(hub.go_on(), ["0: 1", "1: 1"]);
}

/// A message larger than its topic may keep comes before the history, which is older than the message.
#[test]
fn what_had_no_room_before_the_history_is_a_gap_of_patterns_too() {
    let topics = TopicConfig::default().bytes(2);
    let mut hub = Alone::with_config(Config::default().other_topics(topics));
    hub.up(BROKER, 99);
    assert_eq!(hub.resume(0, &["/topic/*"], 5), ["?1 follow /topic/* after 5"]);
    assert_eq!(hub.message("/topic/a", 100), NOTHING);
    let gap = ["0: begins from b-5", "0: gap b-5 to b-100"];
    assert_eq!(hub.answer(1, "/topic/*", &[], 5, 99), gap);
}
