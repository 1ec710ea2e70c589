//! Limits, and who may do what.

use super::*;

#[test]
fn commands_of_unknown_connections_are_refused() {
    let mut world = World::new();
    assert_eq!(world.subscribe(1, 0, "/topic/a"), ["1/0 refused: the connection is not connected"]);
    assert_eq!(world.disconnect(1), [""; 0]);
    assert_eq!(world.unsubscribe(1, 0), ["1 refused: the connection is not connected"]);
    assert_eq!(world.send(1, "/topic/a", "x"), ["1?7 refused: the connection is not connected"]);
}

#[test]
fn subscriptions_have_names_of_their_own_in_their_connection() {
    let mut world = World::new();
    world.connect(1);
    world.subscribe(1, 0, "/topic/a");
    assert_eq!(world.subscribe(1, 0, "/topic/b"), ["1 refused: subscription 0 exists already"]);
    assert_eq!(world.unsubscribe(1, 1), ["1 refused: there is no subscription 1"]);
    assert_eq!(world.publish("/topic/a", "x"), ["1/0 x@1"]);
}

#[test]
fn destinations_are_checked() {
    let mut world = World::new();
    world.connect(1);
    for (destinations, problem) in [
        (&[][..], "destination \"\" is missing"),
        (&["/x/y"], "destination \"/x/y\" is not below /topic, /queue, /user, /app or /presence"),
        (&["/queue/*"], "destination \"/queue/*\" can't have wildcards: only topics can"),
        (
            &["/topic/a", "/queue/b"],
            "destination \"/queue/b\" can only be alone in its subscription",
        ),
        (
            &["/queue/b", "/topic/a"],
            "destination \"/topic/a\" can only be alone in its subscription",
        ),
        (
            &["/queue/b", "/queue/c"],
            "destination \"/queue/c\" can only be alone in its subscription",
        ),
    ] {
        let effects = world.subscribe_with(1, 0, destinations, SubscribeOptions::default());
        assert_eq!(effects, [format!("1/0 refused: {problem}")]);
    }
    for (destination, problem) in [
        ("/topic/*", "can't be sent to, because it has wildcards"),
        ("/user/queue/a", "can't be sent to, because it names no user"),
    ] {
        let effects = world.send(1, destination, "x");
        assert_eq!(effects, [format!("1?7 refused: destination \"{destination}\" {problem}")]);
    }
    let long = format!("/topic/{}", "é".repeat(124));
    assert_eq!(world.subscribe(1, 0, &long), ["1/0 begins from e-0"]);
    let effects = world.subscribe(1, 1, &format!("{long}a"));
    assert!(effects[0].ends_with("é\" is too long"), "{effects:?}");
    assert_eq!(world.hub.destinations(), 1);
}

#[test]
fn limits_are_kept() {
    let mut world =
        World::with_config(Config::default().subscriptions(3).destinations(2).message(3));
    world.connect(1);
    world.subscribe(1, 0, "/topic/a");
    let full = "there are 2 destinations, and may not be more";
    let both = ["/topic/b", "/topic/c"];
    assert_eq!(
        world.subscribe_with(1, 1, &both, SubscribeOptions::default()),
        [format!("1/1 refused: {full}")]
    );
    assert_eq!(world.hub.destinations(), 1);
    world.subscribe(1, 1, "/topic/*");
    world.subscribe(1, 3, "/topic/*");
    assert_eq!(
        world.subscribe(1, 2, "/topic/a"),
        ["1/2 refused: a connection may have 3 subscriptions at most"]
    );
    // A subscription of several topics counts as several.
    world.connect(2);
    let four = ["/topic/a", "/topic/*", "/topic/a", "/topic/b"];
    assert_eq!(
        world.subscribe_with(2, 0, &four, SubscribeOptions::default()),
        ["2/0 refused: a connection may have 3 subscriptions at most"]
    );
    assert_eq!(world.send(1, "/topic/b", "x"), [format!("1?7 refused: {full}")]);
    assert_eq!(world.send(1, "/queue/b", "x"), [format!("1?7 refused: {full}")]);
    assert_eq!(world.publish("/topic/b", "x"), [format!(" refused: {full}")]);
    let large = "1?7 refused: the message has 4 bytes, at most 3 are allowed";
    assert_eq!(world.send(1, "/topic/a", "1234"), [large]);
    assert_eq!(
        world.send(1, "/topic/a", "123"),
        ["1/0 123@1", "1/1 123@1", "1/3 123@1", "1?7 done e-1"]
    );
}

#[test]
fn a_subscription_can_ask_for_a_smaller_window_alone() {
    let mut world = World::with_config(Config::default().window(2.try_into().unwrap()));
    world.connect(1);
    let unset = SubscribeOptions::default().acknowledgement(Acknowledgement::Individual);
    world.subscribe_with(1, 0, &["/topic/a"], unset);
    for (subscription, window) in [(1, 1), (2, 3)] {
        let options = with_acks(Acknowledgement::Individual, window);
        world.subscribe_with(1, subscription, &["/topic/a"], options);
    }
    assert_eq!(world.publish("/topic/a", "x"), ["1/0 x@1 #1", "1/1 x@1 #1", "1/2 x@1 #1"]);
    assert_eq!(world.publish("/topic/a", "y"), ["1/0 y@2 #2", "1/2 y@2 #2"]);
    assert_eq!(world.publish("/topic/a", "z"), [""; 0]);
    assert_eq!(world.ack(1, 2, 1), ["1/2 z@3 #3", "1?7 done"]);
}

#[test]
fn the_names_of_destinations_are_as_long_as_the_server_says() {
    let mut world = World::with_config(Config::default().destination(9));
    world.connect(1);
    assert_eq!(world.subscribe(1, 0, "/topic/ab"), ["1/0 begins from e-0"]);
    let refused = "1?7 refused: destination \"/topic/abc\" is too long";
    assert_eq!(world.send(1, "/topic/abc", "x"), [refused]);
    assert_eq!(world.publish("/topic/abc", "x"), [""; 0]);
    assert_eq!(world.hub.destinations(), 2);
}

/// Nobody may subscribe or send to `secret`, and only users may use patterns.
struct Rules;

impl Authorization for Rules {
    fn may_subscribe(&self, user: Option<&Principal>, destination: &str) -> bool {
        !destination.contains("secret") || user.is_some_and(|user| user.name() == "root")
    }

    fn may_subscribe_pattern(&self, user: Option<&Principal>, _: &str) -> bool {
        user.is_some()
    }

    fn may_send(&self, _: Option<&Principal>, destination: &str) -> bool {
        !destination.contains("secret")
    }
}

#[test]
fn clients_are_authorized_for_each_destination() {
    let mut world = World::with_authorization(Config::default(), Rules);
    world.hub.route("/app/secret").unwrap();
    world.connect(1);
    world.log_in(2, "root");
    for destination in ["/topic/secret", "/queue/secret", "/app/secret", "/user/queue/secret"] {
        let refused = format!("1/0 refused: you may not subscribe to {destination:?}");
        assert_eq!(world.subscribe(1, 0, destination), [refused]);
    }
    for destination in ["/topic/secret", "/queue/secret", "/app/secret", "/user/ann/queue/secret"] {
        let refused = format!("1?7 refused: you may not send to {destination:?}");
        assert_eq!(world.send(1, destination, "x"), [refused]);
    }
    assert_eq!(
        world.subscribe(1, 0, "/topic/*"),
        ["1/0 refused: you may not subscribe to \"/topic/*\""]
    );
    let mixed =
        world.subscribe_with(1, 0, &["/topic/a", "/topic/secret"], SubscribeOptions::default());
    assert_eq!(mixed, ["1/0 refused: you may not subscribe to \"/topic/secret\""]);
    assert_eq!(world.subscribe(2, 0, "/topic/*"), ["2/0 begins from e-0"]);
    assert_eq!(world.subscribe(2, 1, "/topic/secret"), ["2/1 begins from e-0"]);
    // The application itself is not asked about.
    assert_eq!(world.publish("/topic/secret", "x"), ["2/1 x@1", "2/0 x@1"]);
    assert_eq!(world.hub.destinations(), 2);
}

#[test]
fn by_default_nobody_sends_to_the_queues_of_users() {
    let mut world = World::new();
    world.log_in(1, "joe");
    let refused = "1?7 refused: you may not send to \"/user/ann/queue/a\"";
    assert_eq!(world.send(1, "/user/ann/queue/a", "x"), [refused]);
    assert_eq!(world.subscribe(1, 0, "/topic/**"), ["1/0 begins from e-0"]);
}
