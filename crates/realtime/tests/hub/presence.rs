//! Who is subscribed to a topic.

use super::*;
use sansocket_realtime::hub::TopicConfig;

fn world() -> World {
    let topic = TopicConfig::default().presence(true);
    World::with_config(Config::default().topic("/topic/chat/*".parse().unwrap(), topic))
}

fn event(event: &str, user: &str, at: &str) -> String {
    format!(r#"9/0 {{"event":"{event}","user":{user},"node":"e"}}@{at}"#)
}

#[test]
fn users_come_with_their_first_subscription_and_go_with_their_last() {
    let mut world = world();
    for (connection, user) in [(1, "joe"), (2, "joe"), (3, "a\"b")] {
        world.log_in(connection, user);
    }
    world.connect(4);
    world.connect(9);
    world.subscribe(9, 0, "/presence/topic/chat/a");
    assert_eq!(
        world.subscribe(1, 0, "/topic/chat/a"),
        ["1/0 begins from e-0", &event("join", "\"joe\"", "1")]
    );
    assert_eq!(world.subscribe(2, 0, "/topic/chat/a").len(), 1);
    assert_eq!(world.subscribe(2, 1, "/topic/chat/a").len(), 1);
    assert_eq!(world.subscribe(2, 2, "/topic/chat/*").len(), 1);
    assert_eq!(world.subscribe(3, 0, "/topic/chat/a")[1..], [event("join", r#""a\"b""#, "2")]);
    assert_eq!(world.subscribe(4, 0, "/topic/chat/a")[1..], [event("join", "null", "3")]);
    let users = ["a\"b", "joe"].map(Principal::new).to_vec();
    assert_eq!(world.hub.presence("/topic/chat/a"), (users, 1));

    assert_eq!(world.unsubscribe(1, 0), [""; 0]);
    assert_eq!(world.unsubscribe(2, 0), [""; 0]);
    assert_eq!(world.disconnect(2), [event("leave", "\"joe\"", "4")]);
    assert_eq!(world.disconnect(4), [event("leave", "null", "5")]);
    assert_eq!(world.hub.presence("/topic/chat/a"), (vec![Principal::new("a\"b")], 0));
}

#[test]
fn a_new_subscriber_of_the_presence_learns_who_is_there() {
    let mut world = world();
    world.log_in(1, "joe");
    world.connect(2);
    world.connect(9);
    world.subscribe(1, 0, "/topic/chat/a");
    world.subscribe(2, 0, "/topic/chat/a");
    assert_eq!(
        world.subscribe(9, 0, "/presence/topic/chat/a"),
        ["9/0 begins from e-2", r#"9/0 {"event":"members","users":["joe",null]}"#]
    );
    // Who resumes gets what has happened since.
    world.disconnect(9);
    world.disconnect(1);
    world.connect(9);
    assert_eq!(
        world.resume(9, 0, "/presence/topic/chat/a", 2),
        ["9/0 begins from e-2", &event("leave", "\"joe\"", "3")]
    );
}

#[test]
fn nobody_is_told_of_hidden_subscriptions() {
    let mut world = world();
    world.log_in(1, "joe");
    world.connect(9);
    world.subscribe(9, 0, "/presence/topic/chat/a");
    let hidden = SubscribeOptions::default().hidden(true);
    let begins = world.subscribe_with(1, 0, &["/topic/chat/a"], hidden);
    assert_eq!(begins, ["1/0 begins from e-0"]);
    assert_eq!(world.hub.presence("/topic/chat/a"), (vec![], 0));
    // Another subscription of the user counts, and the end of the hidden one changes nothing.
    assert_eq!(world.subscribe(1, 1, "/topic/chat/a")[1..], [event("join", "\"joe\"", "1")]);
    assert_eq!(world.unsubscribe(1, 0), [""; 0]);
    assert_eq!(world.hub.presence("/topic/chat/a"), (vec![Principal::new("joe")], 0));
    assert_eq!(world.unsubscribe(1, 1), [event("leave", "\"joe\"", "2")]);
}

#[test]
fn presence_is_told_of_topics_that_say_so() {
    let mut world = world();
    world.log_in(1, "joe");
    world.subscribe(1, 0, "/topic/other");
    assert_eq!(world.hub.presence("/topic/other"), (vec![], 0));
    let refused =
        "1/1 refused: destination \"/presence/topic/other\" does not tell who is subscribed";
    assert_eq!(world.subscribe(1, 1, "/presence/topic/other"), [refused]);
    let refused = "1?7 refused: destination \"/presence/topic/chat/a\" can't be sent to";
    assert_eq!(world.send(1, "/presence/topic/chat/a", "{}"), [refused]);
}

#[test]
fn presence_can_be_told_of_all_topics() {
    let topics = TopicConfig::default().presence(true).messages(0);
    let mut world = World::with_config(Config::default().other_topics(topics));
    world.log_in(9, "joe");
    let both = ["/topic/a", "/presence/topic/a"];
    assert_eq!(
        world.subscribe_with(9, 0, &both, SubscribeOptions::default()),
        [
            "9/0 begins from e-0",
            r#"9/0 {"event":"members","users":[]}"#,
            &event("join", "\"joe\"", "1")
        ]
    );
    // There is no presence of presences, nor of the queues of users.
    assert_eq!(world.subscribe(9, 1, "/user/queue/a"), ["9/1 begins from e-1"]);
    assert_eq!(world.disconnect(9), [""; 0]);
    assert_eq!(world.hub.destinations(), 0);
}

#[test]
fn a_topic_with_the_longest_name_tells_its_presence() {
    let mut world = world();
    world.log_in(1, "joe");
    world.connect(9);
    let topic = format!("/topic/chat/{}", "a".repeat(255 - 12));
    assert_eq!(world.subscribe(1, 0, &topic), ["1/0 begins from e-0"]);
}

#[test]
fn who_is_in_a_topic_is_for_those_who_may_be_there() {
    struct Rules;
    impl Authorization for Rules {
        fn may_subscribe(&self, _: Option<&Principal>, destination: &str) -> bool {
            !destination.starts_with("/topic/chat/secret")
        }
        fn may_subscribe_pattern(&self, _: Option<&Principal>, _: &str) -> bool {
            true
        }
    }
    let config = Config::default().other_topics(TopicConfig::default().presence(true));
    let mut world = World::with_authorization(config, Rules);
    world.connect(1);
    let refused = "1/0 refused: you may not subscribe to \"/presence/topic/chat/secret\"";
    assert_eq!(world.subscribe(1, 0, "/presence/topic/chat/secret"), [refused]);
    // Patterns reach neither presence nor the queues of users.
    for pattern in ["/presence/topic/*", "/presence/**", "/user/*/queue/a", "/**", "/*/a"] {
        let effects = world.subscribe(1, 0, pattern);
        assert!(effects[0].starts_with("1/0 refused: destination"), "{effects:?}");
    }
}

#[test]
fn who_is_there_comes_after_what_has_happened() {
    let mut world = world();
    world.log_in(1, "joe");
    world.log_in(2, "ann");
    world.connect(9);
    world.subscribe(1, 0, "/topic/chat/a");
    world.subscribe(2, 0, "/topic/chat/a");
    world.disconnect(1);
    let beginning = SubscribeOptions::default().start(Start::Beginning);
    let effects = world.subscribe_with(9, 0, &["/presence/topic/chat/a"], beginning);
    let expected = [
        "9/0 begins from e-0",
        &event("join", "\"joe\"", "1"),
        &event("join", "\"ann\"", "2"),
        &event("leave", "\"joe\"", "3"),
        r#"9/0 {"event":"members","users":["ann"]}"#,
    ];
    assert_eq!(effects, expected);
}

#[test]
fn who_has_missed_events_is_told_who_is_there() {
    let topics = TopicConfig::default().presence(true).messages(1);
    let mut world = World::with_config(Config::default().other_topics(topics));
    world.log_in(1, "joe");
    world.log_in(2, "ann");
    world.connect(9);
    let gaps = SubscribeOptions::default().gaps(true);
    world.subscribe_with(9, 0, &["/presence/topic/chat/a"], gaps);
    world.pause(9);
    world.subscribe(1, 0, "/topic/chat/a");
    world.subscribe(2, 0, "/topic/chat/a");
    let expected = [
        "9/0 gap e-0 to e-1",
        r#"9/0 {"event":"members","users":["ann","joe"]}"#,
        &event("join", "\"ann\"", "2"),
    ];
    assert_eq!(world.go_on(9), expected);
    // So is one that resumes too late, and none that misses other messages.
    world.disconnect(9);
    world.connect(9);
    assert_eq!(world.resume(9, 0, "/presence/topic/chat/a", 0)[1..], expected);
    world.publish("/topic/b", "b");
    world.publish("/topic/b", "c");
    assert_eq!(world.resume(9, 1, "/topic/b", 0)[1..], ["9/1 gap e-0 to e-3", "9/1 c@4"]);
}

#[test]
fn a_list_comes_even_if_its_subscriber_is_paused() {
    let mut world = world();
    world.log_in(1, "joe");
    world.connect(9);
    world.pause(9);
    assert_eq!(
        world.subscribe(9, 0, "/presence/topic/chat/a"),
        ["9/0 begins from e-0", r#"9/0 {"event":"members","users":[]}"#]
    );
    world.subscribe(1, 0, "/topic/chat/a");
    assert_eq!(world.go_on(9), [event("join", "\"joe\"", "1")]);
}

#[test]
fn the_application_is_told_at_once_who_is_here() {
    let mut world = world();
    world.log_in(1, "joe");
    world.log_in(2, "ann");
    world.connect(3);
    for connection in 1..=3 {
        world.subscribe(connection, 0, "/topic/chat/a");
    }
    let ask = |topic: &str| {
        let (timeout, request) = (Duration::from_secs(1), RequestId(7));
        Command::Presence { topic: topic.into(), timeout, request }
    };
    assert_eq!(world.handle(ask("/topic/chat/a")), [r#"?7 ["ann", "joe"] and 1"#]);
    assert_eq!(world.handle(ask("/topic/other")), ["?7 [] and 0"]);
    assert_eq!(world.hub.next_deadline(), Some(Duration::from_secs(300)), "of messages alone");
}
