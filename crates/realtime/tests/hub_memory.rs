//! What the hub keeps for connections, subscriptions and topics, and that it returns all of it.

use core::time::Duration;
use sansocket_realtime::{
    Epoch, Message,
    bridge::{Entry, Event, History, QuestionId},
    hub::{
        Command, Config, ConnectionId, Hub, Open, Start, SubscribeOptions, SubscriptionId,
        TopicConfig,
    },
};
use sansocket_testkit::allocator::{Counting, live};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: Duration = Duration::ZERO;

/// As many as fill a hash map of a power of two, as with a million.
const COUNT: u64 = 62_500;

fn connect(hub: &mut Hub, number: u64) {
    hub.handle(Command::Connect { connection: ConnectionId(number), principal: None }, NOW);
}

fn subscribe(hub: &mut Hub, connection: u64, subscription: u32, destination: String) {
    let command = Command::Subscribe {
        connection: ConnectionId(connection),
        subscription: SubscriptionId(subscription),
        destinations: vec![destination],
        options: Default::default(),
        request: None,
    };
    assert_eq!(hub.handle(command, NOW).count(), 1);
}

fn publish(hub: &mut Hub, destination: String, body: Vec<u8>) {
    hub.handle(Command::Publish { destination, message: Message::new(body), request: None }, NOW);
}

/// Asserts that what so many calls add takes at most so many bytes each.
fn assert_at_most(most: isize, mut add: impl FnMut(&mut Hub, u64)) {
    let mut hub = Hub::new(Epoch(1));
    let before = live();
    (0..COUNT).for_each(|number| add(&mut hub, number));
    let bytes = (live() - before) / COUNT as isize;
    assert!(bytes <= most, "{bytes} bytes, at most {most}");
}

#[test]
fn a_connection_with_a_subscription_is_small() {
    assert_at_most(256, |hub, number| {
        connect(hub, number);
        subscribe(hub, number, 0, "/topic/all".into());
    });
}

#[test]
fn one_more_subscription_is_small() {
    assert_at_most(96, |hub, number| {
        if number % 100 == 0 {
            connect(hub, number / 100);
        }
        subscribe(hub, number / 100, number as u32 % 100, format!("/topic/{}", number % 100));
    });
}

#[test]
fn a_topic_is_small() {
    assert_at_most(256 + 340, |hub, number| {
        connect(hub, number);
        subscribe(hub, number, 0, format!("/topic/orders/{number}"));
    });
}

/// The smallest messages are those that take most beside their size.
#[test]
fn what_topics_keep_is_bounded_with_what_it_takes() {
    const REPLAY: usize = 1 << 20;
    let config = Config::default().replay(REPLAY);
    let mut hub = Hub::with_config(Epoch(1), config, Open);
    let before = live();
    for number in 0..20_000_u64 {
        publish(&mut hub, format!("/topic/{}", number % 10), vec![]);
        publish(&mut hub, "/queue/a".into(), vec![]);
    }
    let held = live() - before;
    // The queue has 10,000 messages.
    let most = REPLAY + 10_000 * 200;
    assert!(held <= (most + most / 4) as isize, "{held} bytes, at most {most}");
}

#[test]
fn what_has_gone_is_returned() {
    let topics = TopicConfig::default().messages(3);
    let config = Config::default().other_topics(topics);
    let mut hub = Hub::with_config(Epoch(1), config, Open);
    let before = live();
    for number in 0..10_000 {
        connect(&mut hub, number);
        subscribe(&mut hub, number, 0, format!("/topic/{number}/*"));
        subscribe(&mut hub, number, 1, format!("/queue/{number}"));
        publish(&mut hub, format!("/topic/{number}/a"), vec![0; 100]);
    }
    let held = live() - before;
    for number in 0..10_000 {
        hub.handle(Command::Disconnect { connection: ConnectionId(number) }, NOW);
    }
    hub.handle(Command::TimePassed, Duration::from_secs(300));
    assert_eq!((hub.subscriptions(), hub.destinations(), hub.next_deadline()), (0, 0, None));
    let left = live() - before;
    assert!(left <= held / 20, "{left} of {held} bytes are left");
}

/// Most of a rush expires, but not all: tables shrink without being empty.
#[test]
fn a_rush_is_returned_while_something_is_kept() {
    let topics = TopicConfig::default().messages(100_000).bytes(usize::MAX);
    let mut hub = Hub::with_config(Epoch(1), Config::default().other_topics(topics), Open);
    let before = live();
    (0..50_000).for_each(|_| publish(&mut hub, "/topic/a".into(), vec![]));
    let held = live() - before;
    let publish = Command::Publish {
        destination: "/topic/a".into(),
        message: Message::default(),
        request: None,
    };
    hub.handle(publish, Duration::from_secs(200));
    hub.handle(Command::TimePassed, Duration::from_secs(300));
    assert_eq!(hub.next_deadline(), Some(Duration::from_secs(500)));
    let left = live() - before;
    assert!(left <= held / 20, "{left} of {held} bytes are left");
}

/// A client subscribes to a topic of the bridge and leaves it again and again.
#[test]
fn nothing_is_left_of_topics_that_were_followed() {
    let topics = TopicConfig::default().age(Duration::MAX);
    let config = Config::default().other_topics(topics);
    let mut hub = Hub::with_config(Epoch(1), config, Open).with_bridge();
    let epoch = Epoch(2);
    hub.handle(Command::Bridge(Event::Up { epoch, head: 1 }), NOW);
    connect(&mut hub, 1);
    let (connection, subscription) = (ConnectionId(1), SubscriptionId(0));
    let before = live();
    for question in 1..=10_000 {
        hub.handle(
            Command::Subscribe {
                connection,
                subscription,
                destinations: vec!["/topic/a".into()],
                options: SubscribeOptions::default().start(Start::Beginning),
                request: None,
            },
            NOW,
        );
        let destination: std::sync::Arc<str> = "/topic/a".into();
        let message = Message::new("a");
        let entry = Entry { destination: destination.clone(), position: 1, message };
        let history = History {
            question: QuestionId(question),
            destination,
            entries: vec![entry],
            complete_after: 0,
            head: 1,
        };
        assert_eq!(hub.handle(Command::Bridge(Event::History(history)), NOW).count(), 2);
        hub.handle(Command::Unsubscribe { connection, subscription, request: None }, NOW);
    }
    assert_eq!((hub.destinations(), hub.next_deadline()), (0, None));
    let left = live() - before;
    assert!(left < 10_000, "{left} bytes are left");
}
