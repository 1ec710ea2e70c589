//! Topics, patterns of topics, and the queues of users.

use super::*;

#[test]
fn a_message_goes_to_all_subscribers_in_order() {
    let mut world = World::new();
    for connection in [1, 2, 3] {
        world.connect(connection);
    }
    assert_eq!(world.subscribe(1, 0, "/topic/a"), ["1/0 begins from e-0"]);
    assert_eq!(world.subscribe(1, 1, "/topic/b"), ["1/1 begins from e-0"]);
    assert_eq!(world.subscribe(2, 0, "/topic/a"), ["2/0 begins from e-0"]);
    assert_eq!(world.publish("/topic/a", "x"), ["1/0 x@1", "2/0 x@1"]);
    assert_eq!(world.send(3, "/topic/b", "y"), ["1/1 y@2", "3?7 done e-2"]);
    assert_eq!(world.publish("/topic/c", "z"), [""; 0]);
    assert_eq!(world.subscribe(3, 0, "/topic/a"), ["3/0 begins from e-3"]);
    assert_eq!(world.unsubscribe(1, 0), [""; 0]);
    assert_eq!(world.publish("/topic/a", "x"), ["3/0 x@4", "2/0 x@4"]);
    assert_eq!(world.disconnect(2), [""; 0]);
    assert_eq!(world.publish("/topic/a", "x"), ["3/0 x@5"]);
}

#[test]
fn a_connection_that_connects_again_has_no_subscriptions() {
    let mut world = World::new();
    world.connect(1);
    world.subscribe(1, 0, "/topic/a");
    world.connect(1);
    assert_eq!(world.publish("/topic/a", "x"), [""; 0]);
    assert_eq!(world.hub.subscriptions(), 0);
}

#[test]
fn patterns_get_what_matches_and_each_message_once() {
    let mut world = World::new();
    world.connect(1);
    world.subscribe(1, 0, "/topic/*/b");
    world.subscribe(1, 1, "/topic/a/**");
    world.subscribe(1, 2, "/topic/a/>");
    world.subscribe_with(
        1,
        3,
        &["/topic/a/b", "/topic/a/*", "/topic/a/b"],
        SubscribeOptions::default(),
    );
    let mut effects = world.publish("/topic/a/b", "x");
    effects.sort_unstable();
    assert_eq!(effects, ["1/0 x@1", "1/1 x@1", "1/2 x@1", "1/3 x@1"]);
    assert_eq!(world.publish("/topic/c/b", "x"), ["1/0 x@2"]);
    assert_eq!(world.publish("/topic/c/d", "x"), [""; 0]);
    world.unsubscribe(1, 1);
    world.unsubscribe(1, 2);
    world.unsubscribe(1, 3);
    assert_eq!(world.publish("/topic/a/b", "x"), ["1/0 x@4"]);
    // A pattern that comes after a topic gets its messages too.
    world.subscribe(1, 4, "/topic/a/**");
    assert_eq!(world.publish("/topic/a/b", "x"), ["1/4 x@5", "1/0 x@5"]);
}

#[test]
fn every_session_of_a_user_gets_what_is_sent_to_the_user() {
    let mut world = World::new();
    world.log_in(1, "joe");
    world.log_in(2, "joe");
    world.log_in(3, "ann");
    world.connect(4);
    for connection in 1..=4 {
        world.subscribe(connection, 0, "/user/queue/a");
    }
    let to_joe = Command::send_to_user(&Principal::new("joe"), "/queue/a", Message::new("x"));
    assert_eq!(world.handle(to_joe.clone()), ["1/0 x@1", "2/0 x@1"]);
    let shown = world.hub.handle(to_joe, Duration::ZERO).map(|effect| match effect {
        Effect::Deliver { message, .. } => message.destination().to_string(),
        other => show(other),
    });
    assert_eq!(shown.collect::<Vec<_>>(), ["/user/queue/a"; 2]);
    world.disconnect(1);
    assert_eq!(world.resume(2, 1, "/user/queue/a", 1), ["2/1 begins from e-1", "2/1 x@2"]);
}

#[test]
fn users_have_queues_whatever_their_names_are() {
    let mut world = World::new();
    let long = "a/".repeat(200);
    for (connection, user) in (1..).zip(["queue", "", "/", &long]) {
        world.log_in(connection, user);
        world.subscribe(connection, 0, "/user/queue/a");
        let to_user = Command::send_to_user(&Principal::new(user), "/queue/a", Message::new("x"));
        assert_eq!(world.handle(to_user), [format!("{connection}/0 x@{connection}")]);
    }
}

#[test]
fn names_of_users_do_not_lead_to_queues_of_others() {
    let mut world = World::new();
    world.log_in(1, "joe/queue/a");
    world.log_in(2, "joe");
    world.connect(3);
    world.log_in(4, "%-3");
    world.subscribe(1, 0, "/user/queue/b");
    world.subscribe(2, 0, "/user/queue/a/queue/b");
    world.subscribe(3, 0, "/user/queue/c");
    let to =
        |user: &str, queue| Command::send_to_user(&Principal::new(user), queue, Message::new("x"));
    assert_eq!(world.handle(to("joe/queue/a", "/queue/b")), ["1/0 x@1"]);
    assert_eq!(world.handle(to("joe", "/queue/a/queue/b")), ["2/0 x@2"]);
    assert_eq!(world.handle(to("%-3", "/queue/c")), [""; 0]);
    let refused = "1?7 refused: destination \"/user/%-3/queue/c\" has a name that is not how a user's is \
                   written in destinations";
    assert_eq!(world.send(1, "/user/%-3/queue/c", "x"), [refused]);
    assert_eq!(
        world.subscribe(2, 1, "/user/joe/queue/b"),
        [
            "2/1 refused: destination \"/user/joe/queue/b\" can't be subscribed to: use /user/queue/…"
        ]
    );
}

#[test]
fn an_idle_hub_keeps_nothing() {
    let config =
        Config::default().other_topics(sansocket_realtime::hub::TopicConfig::default().messages(0));
    let mut world = World::with_config(config);
    world.connect(1);
    for destination in ["/topic/a", "/topic/*", "/queue/a", "/user/queue/a"] {
        world.subscribe(1, 0, destination);
        assert_eq!(world.hub.destinations(), 1);
        world.unsubscribe(1, 0);
    }
    world.publish("/topic/b", "x");
    assert_eq!((world.hub.destinations(), world.hub.next_deadline()), (0, None));
}
