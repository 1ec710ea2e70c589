//! What it takes to publish to many subscribers, beside channels, and to find patterns.
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
    hub::{Command, Config, ConnectionId, Effect, Hub, SubscriptionId, TopicConfig},
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

criterion_group!(benches, fan_out, patterns);
criterion_main!(benches);
