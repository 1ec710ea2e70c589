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
