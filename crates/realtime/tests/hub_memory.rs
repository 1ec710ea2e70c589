//! What the hub keeps for connections, subscriptions and topics, and that it returns all of it.

use core::time::Duration;
use sansocket_realtime::{
    Epoch, Message,
    hub::{Command, Config, ConnectionId, Hub, Open, SubscriptionId, TopicConfig},
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
