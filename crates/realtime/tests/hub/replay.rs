//! What topics keep, cursors, gaps, and subscribers that can't keep up.

use super::*;
use sansocket_realtime::hub::TopicConfig;

fn keeping(messages: usize) -> World {
    World::with_config(Config::default().other_topics(TopicConfig::default().messages(messages)))
}

#[test]
fn a_subscription_resumes_after_its_cursor() {
    let mut world = World::new();
    world.connect(1);
    for body in ["a", "b", "c"] {
        world.publish("/topic/t", body);
    }
    assert_eq!(world.resume(1, 0, "/topic/t", 1), ["1/0 begins from e-1", "1/0 b@2", "1/0 c@3"]);
    assert_eq!(world.resume(1, 1, "/topic/t", 3), ["1/1 begins from e-3"]);
    assert_eq!(world.publish("/topic/t", "d"), ["1/0 d@4", "1/1 d@4"]);
    let everything = SubscribeOptions::default().start(Start::Beginning);
    let effects = world.subscribe_with(1, 2, &["/topic/t"], everything);
    assert_eq!(effects, ["1/2 begins from e-0", "1/2 a@1", "1/2 b@2", "1/2 c@3", "1/2 d@4"]);
}

#[test]
fn several_topics_resume_in_one_order() {
    let mut world = World::new();
    world.connect(1);
    for (topic, body) in [("a", "1"), ("b", "2"), ("c", "3"), ("b", "4"), ("a", "5")] {
        world.publish(&format!("/topic/{topic}"), body);
    }
    let effects = world.subscribe_with(1, 0, &["/topic/a", "/topic/b"], after(1));
    assert_eq!(effects, ["1/0 begins from e-1", "1/0 2@2", "1/0 4@4", "1/0 5@5"]);
    assert_eq!(
        world.resume(1, 1, "/topic/*", 2),
        ["1/1 begins from e-2", "1/1 3@3", "1/1 4@4", "1/1 5@5"]
    );
}

#[test]
fn what_is_not_kept_any_more_is_a_gap() {
    let mut world = keeping(2);
    world.connect(1);
    for body in ["a", "b", "c", "d"] {
        world.publish("/topic/t", body);
    }
    assert_eq!(
        world.resume(1, 0, "/topic/t", 1),
        ["1/0 begins from e-1", "1/0 gap e-1 to e-2", "1/0 c@3", "1/0 d@4"]
    );
    assert_eq!(world.resume(1, 1, "/topic/t", 2), ["1/1 begins from e-2", "1/1 c@3", "1/1 d@4"]);
    let beginning = SubscribeOptions::default().start(Start::Beginning);
    let effects = world.subscribe_with(1, 2, &["/topic/t"], beginning);
    assert_eq!(effects, ["1/2 begins from e-2", "1/2 c@3", "1/2 d@4"]);
}

#[test]
fn a_gap_covers_all_topics_of_a_subscription() {
    let mut world = keeping(2);
    world.connect(1);
    for (topic, body) in [("b", "1"), ("a", "2"), ("a", "3"), ("a", "4"), ("b", "5")] {
        world.publish(&format!("/topic/{topic}"), body);
    }
    let effects = world.subscribe_with(1, 0, &["/topic/a", "/topic/b"], after(0));
    // If 1 came first, a client that goes then would resume after 1, and another hub can't know that it
    // has missed what was before.
    let expected = ["1/0 begins from e-0", "1/0 gap e-0 to e-2", "1/0 3@3", "1/0 4@4", "1/0 5@5"];
    assert_eq!(effects, expected);
}

#[test]
fn a_cursor_of_another_epoch_or_of_the_future_is_a_gap() {
    let mut world = World::new();
    world.connect(1);
    world.publish("/topic/t", "a");
    for (subscription, cursor) in [(0, "abc-1"), (1, "e-2")] {
        let start = SubscribeOptions::default().start(Start::After(cursor.parse().unwrap()));
        let effects = world.subscribe_with(1, subscription, &["/topic/t"], start);
        let begins = format!("1/{subscription} begins from {cursor}");
        let gap = format!("1/{subscription} gap {cursor} to e-0");
        assert_eq!(effects, [begins, gap, format!("1/{subscription} a@1")]);
    }
    assert_eq!(world.publish("/topic/t", "b"), ["1/0 b@2", "1/1 b@2"]);
}

#[test]
fn messages_expire() {
    let mut world = World::new();
    world.connect(1);
    world.publish("/topic/t", "a");
    world.after(Duration::from_secs(200));
    world.publish("/topic/t", "b");
    assert_eq!(world.hub.next_deadline(), Some(Duration::from_secs(300)));
    world.after(Duration::from_secs(100));
    assert_eq!(world.hub.next_deadline(), Some(Duration::from_secs(500)));
    assert_eq!(
        world.resume(1, 0, "/topic/t", 0),
        ["1/0 begins from e-0", "1/0 gap e-0 to e-1", "1/0 b@2"]
    );
    world.unsubscribe(1, 0);
    world.after(Duration::from_secs(200));
    assert_eq!((world.hub.destinations(), world.hub.next_deadline()), (0, None));
    // The topic is forgotten, and yet the gap is told, also to a pattern.
    assert_eq!(world.resume(1, 0, "/topic/t", 1), ["1/0 begins from e-1", "1/0 gap e-1 to e-2"]);
    assert_eq!(world.resume(1, 1, "/topic/*", 1), ["1/1 begins from e-1", "1/1 gap e-1 to e-2"]);
    assert_eq!(world.resume(1, 2, "/topic/t", 2), ["1/2 begins from e-2"]);
}

/// A busy topic has dropped the message that was its oldest when it was last looked at.
#[test]
fn the_oldest_messages_of_all_topics_make_room() {
    let topic = TopicConfig::default().messages(1);
    let mut world = World::with_config(Config::default().other_topics(topic).replay(402));
    world.connect(1);
    for (topic, body) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")] {
        world.publish(&format!("/topic/{topic}"), body);
        world.after(Duration::from_secs(10));
    }
    assert_eq!(world.resume(1, 0, "/topic/a", 1), ["1/0 begins from e-1", "1/0 3@3"]);
    let gap = ["1/1 begins from e-1", "1/1 gap e-1 to e-2"];
    assert_eq!(world.resume(1, 1, "/topic/b", 1), gap);
    assert_eq!(world.resume(1, 2, "/topic/c", 1), ["1/2 begins from e-1", "1/2 4@4"]);
}

#[test]
fn bytes_are_bounded_for_each_topic_and_for_all() {
    // Each message takes 200 bytes beside its size, of the room of all topics.
    let topic = TopicConfig::default().bytes(4);
    let mut world = World::with_config(Config::default().other_topics(topic).replay(406));
    world.connect(1);
    world.publish("/topic/a", "aa");
    world.publish("/topic/a", "bb");
    world.publish("/topic/a", "cc");
    assert_eq!(world.resume(1, 0, "/topic/a", 1), ["1/0 begins from e-1", "1/0 bb@2", "1/0 cc@3"]);
    // The oldest messages of all topics make room.
    world.publish("/topic/b", "dddd");
    assert_eq!(
        world.resume(1, 1, "/topic/a", 1),
        ["1/1 begins from e-1", "1/1 gap e-1 to e-2", "1/1 cc@3"]
    );
    // A message that is larger than all the room is delivered, and not kept.
    assert_eq!(world.publish("/topic/a", "eeeee"), ["1/0 eeeee@5", "1/1 eeeee@5"]);
    assert_eq!(world.resume(1, 2, "/topic/a", 4), ["1/2 begins from e-4", "1/2 gap e-4 to e-5"]);
}

#[test]
fn the_last_message_is_retained_if_asked() {
    let topic = TopicConfig::default().retain(true);
    let config = Config::default().topic("/topic/state/**".parse().unwrap(), topic);
    let mut world = World::with_config(config);
    world.connect(1);
    world.publish("/topic/state/b", "old");
    world.publish("/topic/state/b", "b");
    world.publish("/topic/state/a", "a");
    world.publish("/topic/other", "c");
    world.after(Duration::from_secs(1000));
    let last = SubscribeOptions::default().start(Start::Last);
    let effects = world.subscribe_with(1, 0, &["/topic/**"], last);
    assert_eq!(effects, ["1/0 begins from e-4", "1/0 b@2", "1/0 a@3"]);
    assert_eq!(world.subscribe(1, 1, "/topic/state/a"), ["1/1 begins from e-4"]);
    assert_eq!(world.publish("/topic/state/a", "d"), ["1/1 d@5", "1/0 d@5"]);
    // An empty message takes the place of the last, and is not retained itself.
    assert_eq!(world.publish("/topic/state/a", ""), ["1/1 @6", "1/0 @6"]);
    let effects = world.subscribe_with(1, 2, &["/topic/state/*"], last);
    assert_eq!(effects, ["1/2 begins from e-6", "1/2 b@2"]);
}

#[test]
fn a_paused_connection_continues_where_it_was() {
    let mut world = World::new();
    world.connect(1);
    world.subscribe(1, 0, "/topic/t");
    world.publish("/topic/t", "a");
    world.pause(1);
    assert_eq!(world.publish("/topic/t", "b"), [""; 0]);
    assert_eq!(world.publish("/topic/t", "c"), [""; 0]);
    assert_eq!(world.subscribe(1, 1, "/topic/t"), ["1/1 begins from e-3"]);
    assert_eq!(world.go_on(1), ["1/0 b@2", "1/0 c@3"]);
    assert_eq!(world.publish("/topic/t", "d"), ["1/0 d@4", "1/1 d@4"]);
    assert_eq!(world.go_on(1), [""; 0]);
}

#[test]
fn a_subscriber_that_is_too_slow_is_told_the_gap_or_is_refused() {
    let mut world = keeping(1);
    world.connect(1);
    world.subscribe(1, 0, "/topic/t");
    world.subscribe_with(1, 1, &["/topic/t"], SubscribeOptions::default().gaps(true));
    world.pause(1);
    for body in ["a", "b"] {
        world.publish("/topic/t", body);
    }
    let missed =
        "1/0 refused: messages of \"/topic/t\" were lost, and this subscription does not take gaps";
    assert_eq!(world.go_on(1), [missed, "1/1 gap e-0 to e-1", "1/1 b@2"]);
    assert_eq!(world.publish("/topic/t", "c"), ["1/1 c@3"]);
}

#[test]
fn messages_of_other_topics_do_not_make_a_gap() {
    let mut world = keeping(1);
    world.connect(1);
    world.subscribe(1, 0, "/topic/quiet");
    for _ in 0..3 {
        world.publish("/topic/loud", "x");
        world.after(Duration::from_secs(400));
    }
    world.pause(1);
    assert_eq!(world.go_on(1), [""; 0]);
    assert_eq!(world.hub.cursor(ConnectionId(1), SubscriptionId(0)).unwrap().to_string(), "e-3");
}

#[test]
fn a_window_of_acknowledgements_holds_messages_back() {
    let mut world = World::new();
    world.connect(1);
    world.subscribe_with(1, 0, &["/topic/t"], with_acks(Acknowledgement::Individual, 2));
    world.subscribe_with(1, 1, &["/topic/t"], with_acks(Acknowledgement::Cumulative, 3));
    assert_eq!(world.publish("/topic/t", "a"), ["1/0 a@1 #1", "1/1 a@1 #1"]);
    assert_eq!(world.publish("/topic/t", "b"), ["1/0 b@2 #2", "1/1 b@2 #2"]);
    assert_eq!(world.publish("/topic/t", "c"), ["1/1 c@3 #3"]);
    assert_eq!(world.publish("/topic/t", "d"), [""; 0]);
    assert_eq!(world.ack(1, 0, 2), ["1/0 c@3 #3", "1?7 done"]);
    // On a topic, what is rejected is not delivered again.
    assert_eq!(world.nack(1, 0, 1), ["1/0 d@4 #4", "1?7 done"]);
    assert_eq!(world.ack(1, 1, 3), ["1/1 d@4 #4", "1?7 done"]);
    assert_eq!(world.publish("/topic/t", "e"), ["1/1 e@5 #5"]);
}

#[test]
fn an_acknowledgement_names_a_delivery() {
    let mut world = World::new();
    world.connect(1);
    world.subscribe_with(1, 0, &["/topic/t"], with_acks(Acknowledgement::Individual, 9));
    world.subscribe(1, 1, "/topic/t");
    for body in ["a", "b", "c"] {
        world.publish("/topic/t", body);
    }
    let unknown = "1?7 refused: there is no such delivery to acknowledge";
    assert_eq!(world.ack(1, 0, 4), [unknown]);
    assert_eq!(world.ack(1, 1, 1), [unknown]);
    assert_eq!(world.ack(1, 0, 1), ["1?7 done"]);
    assert_eq!(world.ack(1, 0, 1), [unknown]);
    let by_cursor = |subscription: Option<u32>, position| {
        Operation::Ack(DeliveryOf::Message(
            subscription.map(SubscriptionId),
            Cursor::new(EPOCH, position),
        ))
    };
    assert_eq!(world.perform(1, by_cursor(Some(0), 2)), ["1?7 done"]);
    assert_eq!(world.perform(1, by_cursor(None, 3)), ["1?7 done"]);
    assert_eq!(world.perform(1, by_cursor(None, 3)), [unknown]);
    assert_eq!(world.perform(1, by_cursor(Some(1), 3)), [unknown]);
    // The acknowledgement can have been on its way when the subscription ended.
    world.publish("/topic/t", "d");
    world.unsubscribe(1, 0);
    assert_eq!(world.ack(1, 0, 4), ["1?7 done"]);
}

#[test]
fn a_message_for_which_there_is_no_room_is_delivered() {
    let mut world = World::with_config(Config::default().replay(205));
    world.connect(1);
    world.subscribe(1, 0, "/topic/*");
    assert_eq!(world.publish("/topic/a", "123456"), ["1/0 123456@1"]);
    assert_eq!(world.hub.destinations(), 1);
    assert_eq!(world.publish("/topic/a", "12345"), ["1/0 12345@2"]);
    assert_eq!(world.hub.destinations(), 2);
}

#[test]
fn what_other_topics_drop_is_no_gap_of_a_pattern() {
    let mut world = keeping(1);
    world.connect(1);
    world.subscribe(1, 0, "/topic/a/*");
    let gaps = SubscribeOptions::default().gaps(true);
    world.subscribe_with(1, 1, &["/topic/a/*"], gaps);
    world.pause(1);
    for _ in 0..2 {
        world.publish("/topic/other", "x");
    }
    // The other topic is forgotten.
    world.after(Duration::from_secs(300));
    world.publish("/topic/a/b", "y");
    assert_eq!(world.go_on(1), ["1/0 y@3", "1/1 y@3"]);
    // What topics drop that match is one, also if they are forgotten then.
    world.pause(1);
    world.publish("/topic/a/c", "z");
    world.after(Duration::from_secs(300));
    world.publish("/topic/other", "x");
    let missed = "1/0 refused: messages of \"/topic/a/*\" were lost, and this subscription does not take gaps";
    assert_eq!(world.go_on(1), [missed, "1/1 gap e-3 to e-4"]);
}

#[test]
fn a_pattern_counts_what_was_dropped_before_it_came() {
    let mut world = keeping(1);
    world.connect(1);
    for body in ["a", "b", "c"] {
        world.publish("/topic/a/b", body);
    }
    world.subscribe(1, 0, "/topic/a/*");
    let effects = world.resume(1, 1, "/topic/a/*", 0);
    assert_eq!(effects, ["1/1 begins from e-0", "1/1 gap e-0 to e-2", "1/1 c@3"]);
    let beginning = SubscribeOptions::default().start(Start::Beginning);
    let effects = world.subscribe_with(1, 2, &["/topic/a/**"], beginning);
    assert_eq!(effects, ["1/2 begins from e-2", "1/2 c@3"]);
}

#[test]
fn a_window_of_a_pattern_skips_what_is_of_others() {
    let mut world = World::new();
    world.connect(1);
    let options = with_acks(Acknowledgement::Individual, 1);
    world.subscribe_with(1, 0, &["/topic/a/*", "/topic/z"], options);
    for topic in ["a/1", "b", "z", "b", "a/2", "b"] {
        world.publish(&format!("/topic/{topic}"), topic);
    }
    let cursor =
        |world: &World| world.hub.cursor(ConnectionId(1), SubscriptionId(0)).unwrap().position;
    assert_eq!(cursor(&world), 2);
    assert_eq!(world.ack(1, 0, 1), ["1/0 z@3 #2", "1?7 done"]);
    // Before the next message of its own there is nothing that it could miss.
    assert_eq!(cursor(&world), 4);
    assert_eq!(world.ack(1, 0, 2), ["1/0 a/2@5 #3", "1?7 done"]);
    assert_eq!(cursor(&world), 6);
}

#[test]
fn retained_messages_wait_for_room() {
    let retained = TopicConfig::default().messages(0).retain(true);
    let mut world = World::with_config(Config::default().other_topics(retained));
    world.connect(1);
    for topic in ["a/1", "a/2", "b", "a/3"] {
        world.publish(&format!("/topic/{topic}"), topic);
    }
    let last = with_acks(Acknowledgement::Individual, 1).start(Start::Last).gaps(true);
    for (subscription, destinations) in
        [(0, &["/topic/a/*"][..]), (1, &["/topic/a/1", "/topic/a/2", "/topic/a/3"])]
    {
        let effects = world.subscribe_with(1, subscription, destinations, last);
        let begins = format!("1/{subscription} begins from e-4");
        assert_eq!(effects, [begins, format!("1/{subscription} a/1@1 #1")]);
    }
    world.pause(1);
    assert_eq!(world.subscribe_with(1, 2, &["/topic/a/*"], last), ["1/2 begins from e-4"]);
    assert_eq!(world.hub.cursor(ConnectionId(1), SubscriptionId(2)), None);
    world.unsubscribe(1, 2);
    world.go_on(1);
    // A newer message takes the place of a retained one.
    world.publish("/topic/a/2", "new");
    for subscription in [0, 1] {
        let of = |text: &str| format!("1/{subscription} {text}");
        let done = "1?7 done".to_owned();
        assert_eq!(
            world.ack(1, subscription, 1),
            [of("a/3@4 #2"), of("gap e-4 to e-5"), done.clone()]
        );
        assert_eq!(world.ack(1, subscription, 2), [done]);
    }
}

#[test]
fn a_replay_comes_in_portions_and_can_be_paused_in_between() {
    let message = 100 + 200;
    let mut world = World::with_config(Config::default().replay_portion(3 * message));
    world.connect(1);
    for _ in 0..10 {
        world.publish("/topic/a", &"x".repeat(100));
    }
    let options = SubscribeOptions::default().start(Start::Beginning);
    let first = world.subscribe_with(1, 0, &["/topic/a"], options);
    // The first effect says that the subscription has begun.
    assert_eq!(first.len(), 1 + 3);
    assert_eq!(world.hub.next_deadline(), Some(world.now));
    assert_eq!(world.handle(Command::TimePassed).len(), 3);
    // A live message comes behind those that are kept.
    let with_live = world.publish("/topic/a", "live");
    assert_eq!(with_live.len(), 3);
    assert_eq!(world.handle(Command::Pause { connection: ConnectionId(1) }), [""; 0]);
    assert!(world.hub.next_deadline() > Some(world.now));
    assert_eq!(world.handle(Command::TimePassed), [""; 0]);
    let rest = world.handle(Command::Resume { connection: ConnectionId(1) });
    assert_eq!(rest.len(), 2);
    assert!(world.hub.next_deadline() > Some(world.now));
    assert_eq!(world.publish("/topic/a", "live").len(), 1);
}

#[test]
fn many_subscriptions_that_resume_at_once_share_a_portion() {
    let mut world = World::with_config(Config::default().replay_portion(1_000));
    world.connect(1);
    for _ in 0..10 {
        world.publish("/topic/a", "");
    }
    world.handle(Command::Pause { connection: ConnectionId(1) });
    let options = SubscribeOptions::default().start(Start::Beginning);
    for id in 0..100 {
        world.subscribe_with(1, id, &["/topic/a"], options);
    }
    let mut delivered = world.handle(Command::Resume { connection: ConnectionId(1) }).len();
    assert_eq!(delivered, 5);
    while world.hub.next_deadline() == Some(world.now) {
        let more = world.handle(Command::TimePassed).len();
        assert!((1..=5).contains(&more));
        delivered += more;
    }
    assert_eq!(delivered, 1_000);
}

#[test]
fn who_has_missed_nothing_is_live_although_another_has_used_the_portion() {
    let none = TopicConfig::default().messages(0);
    let config = Config::default().replay_portion(1).topic("/topic/live".parse().unwrap(), none);
    let mut world = World::with_config(config);
    world.connect(1);
    for _ in 0..3 {
        world.publish("/topic/a", "");
    }
    world.handle(Command::Pause { connection: ConnectionId(1) });
    let options = SubscribeOptions::default().start(Start::Beginning);
    world.subscribe_with(1, 0, &["/topic/a"], options);
    for (id, start) in [(1, Start::Now), (2, Start::Last)] {
        let options = SubscribeOptions::default().start(start);
        world.subscribe_with(1, id, &["/topic/live"], options);
    }
    world.handle(Command::Resume { connection: ConnectionId(1) });
    let published = world.publish("/topic/live", "live");
    for id in [1, 2] {
        assert!(published.contains(&format!("1/{id} live@4")), "{published:?}");
    }
}
