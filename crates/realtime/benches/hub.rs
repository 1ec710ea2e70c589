//! What it takes to publish to many subscribers, beside channels, to find patterns, and to follow many
//! topics by one.
//!
//! ```sh
//! cargo bench -p sansocket-realtime --bench hub
//! ```
//!
//! `channels` is the naive way: a map from topics to the channels of their subscribers, each of which
//! gets a pointer to the shared message, and takes it out in turn. `hub` does the same with cursors,
//! replay, and encoding once. Both end when each subscriber has its message.

use core::time::Duration;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansocket_realtime::{
    Epoch, Message,
    hub::{
        Acknowledgement, Command, Config, ConnectionId, DeliveryId, DeliveryOf, Effect, Hub,
        Operation, SubscribeOptions, SubscriptionId, TopicConfig,
    },
};
use std::{
    collections::HashMap,
    hint::black_box,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
};

const NOW: Duration = Duration::ZERO;
const TOPIC: &str = "/topic/orders/42";

fn body() -> Message {
    Message::new(vec![b'x'; 125]).content_type("application/json")
}

fn subscribe(hub: &mut Hub, connection: u64, destination: String) {
    let connection = ConnectionId(connection);
    hub.handle(Command::Connect { connection, principal: None }, NOW);
    let command = Command::Subscribe {
        connection,
        subscription: SubscriptionId(0),
        destinations: vec![destination],
        options: Default::default(),
        request: None,
    };
    assert_eq!(hub.handle(command, NOW).count(), 1);
}

fn publish(hub: &mut Hub, message: Message) -> usize {
    let command = Command::Publish { destination: TOPIC.into(), message, request: None };
    let mut delivered = 0;
    for effect in hub.handle(command, NOW) {
        if let Effect::Deliver { connection, message, .. } = effect {
            black_box((connection, message));
            delivered += 1;
        }
    }
    delivered
}

/// A map from topics to the channels of their subscribers.
struct Channels {
    topics: HashMap<String, Vec<Sender<Arc<Message>>>>,
    receivers: Vec<Receiver<Arc<Message>>>,
}

impl Channels {
    fn new(subscribers: u64) -> Self {
        let (senders, receivers) = (0..subscribers).map(|_| channel()).unzip();
        Self { topics: HashMap::from([(TOPIC.into(), senders)]), receivers }
    }

    fn publish(&mut self, message: Message) -> usize {
        let message = Arc::new(message);
        for sender in &self.topics[TOPIC] {
            sender.send(message.clone()).unwrap();
        }
        for receiver in &self.receivers {
            black_box(receiver.recv().unwrap());
        }
        self.receivers.len()
    }
}

fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    for subscribers in [1, 100, 10_000, 100_000] {
        group.throughput(Throughput::Elements(subscribers));
        let mut hub = Hub::new(Epoch(1));
        (0..subscribers).for_each(|connection| subscribe(&mut hub, connection, TOPIC.into()));
        group.bench_function(BenchmarkId::new("hub", subscribers), |bench| {
            bench.iter_batched(
                body,
                |message| assert_eq!(publish(&mut hub, message) as u64, subscribers),
                BatchSize::SmallInput,
            );
        });
        let mut channels = Channels::new(subscribers);
        group.bench_function(BenchmarkId::new("channels", subscribers), |bench| {
            bench.iter_batched(
                body,
                |message| assert_eq!(channels.publish(message) as u64, subscribers),
                BatchSize::SmallInput,
            );
        });
    }
}

/// Finds the patterns that match a topic among 10,000: those of a topic that exists, which remembers
/// them, and of one that is new with each message.
fn patterns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("10,000 patterns");
    let forget = TopicConfig::default().messages(0);
    for (name, config) in
        [("known topic", Config::default()), ("new topic", Config::default().other_topics(forget))]
    {
        let mut hub = Hub::with_config(Epoch(1), config, sansocket_realtime::hub::Open);
        for pattern in 0..3_333 {
            subscribe_pattern(&mut hub, pattern);
        }
        subscribe_last(&mut hub);
        group.bench_function(name, |bench| {
            bench.iter_batched(
                body,
                |message| assert_eq!(publish(&mut hub, message), 3),
                BatchSize::SmallInput,
            );
        });
    }
}

fn subscribe_pattern(hub: &mut Hub, number: u64) {
    for (at, pattern) in [
        format!("/topic/orders/{}", if number == 42 { "*".into() } else { format!("{number}/*") }),
        format!("/topic/*/{}", number * 42),
        format!("/topic/{number}/**"),
    ]
    .into_iter()
    .enumerate()
    {
        subscribe(hub, number * 3 + at as u64, pattern);
    }
}

fn subscribe_last(hub: &mut Hub) {
    subscribe(hub, u64::MAX, "/topic/orders/**".into());
}

/// What a subscriber of a pattern costs that matches 100,000 topics: while it is behind and acknowledges
/// one message after another, and while it comes and goes.
fn many_topics(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("100,000 topics");
    let mut hub = Hub::new(Epoch(1));
    for topic in 0..100_000 {
        let destination = format!("/topic/orders/{topic}/status");
        hub.handle(Command::Publish { destination, message: body(), request: None }, NOW);
    }
    let (connection, subscription) = (ConnectionId(1), SubscriptionId(0));
    hub.handle(Command::Connect { connection, principal: None }, NOW);
    let options = SubscribeOptions::default()
        .acknowledgement(Acknowledgement::Individual)
        .window(1.try_into().ok());
    let subscribe = |subscription, options| Command::Subscribe {
        connection,
        subscription,
        destinations: vec!["/topic/**".into()],
        options,
        request: None,
    };
    hub.handle(subscribe(subscription, options), NOW);
    assert_eq!(publish(&mut hub, body()) + publish(&mut hub, body()), 1);
    let mut acknowledged = 0;
    group.bench_function("publish and acknowledge behind", |bench| {
        bench.iter(|| {
            publish(&mut hub, body());
            acknowledged += 1;
            let delivery = DeliveryOf::Delivery(subscription, DeliveryId(acknowledged));
            let operation = Operation::Ack(delivery);
            let command = Command::Perform { connection, operation, request: None };
            assert_eq!(hub.handle(command, NOW).count(), 1);
        });
    });
    let subscription = SubscriptionId(1);
    group.bench_function("subscribe and unsubscribe", |bench| {
        bench.iter(|| {
            assert_eq!(hub.handle(subscribe(subscription, Default::default()), NOW).count(), 1);
            let command = Command::Unsubscribe { connection, subscription, request: None };
            assert_eq!(hub.handle(command, NOW).count(), 0);
        });
    });
}

criterion_group!(benches, fan_out, patterns, many_topics);
criterion_main!(benches);
