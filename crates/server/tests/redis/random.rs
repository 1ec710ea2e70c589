//! Hubs, subscribers and faults at random, compared with what was published.

use crate::{
    hubs::Hubs,
    server::{Server, is_left_out},
};
use sansocket_realtime::hub::Start;
use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    time::Duration,
};

const TOPICS: &[&str] = &["/topic/a", "/topic/b", "/topic/c/x", "/topic/c/y"];
const SUBSCRIBED: &[&str] =
    &["/topic/a", "/topic/b", "/topic/c/x", "/topic/*", "/topic/c/*", "/topic/c/**", "/topic/**"];

/// Numbers that a seed determines (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }
}

struct World {
    random: Random,
    server: Server,
    hubs: Hubs,
    subscribers: Vec<usize>,
    /// Which users are in the room, at each hub. The last hub has nothing else, and crashes.
    there: Vec<BTreeSet<u64>>,
}

impl World {
    async fn new(seed: u64, is_durable: bool) -> Self {
        let mut random = Random(seed | 1);
        let options: &[&str] =
            if is_durable { &["--appendonly", "yes", "--appendfsync", "always"] } else { &[] };
        let server = Server::start(options);
        let kept = [5, 50, 1_000][random.below(3)];
        let [messages, read] = [0; 2].map(|_| [3, 60, 1_000][random.below(3)]);
        let bytes = [20, 200, 2 << 20][random.below(3)];
        let hubs = 2 + random.below(2);
        let there = vec![BTreeSet::new(); hubs + 1];
        let hubs = Hubs::join(hubs + 1, kept, &server, |options| {
            options.durable = is_durable;
            options.messages = NonZeroU32::new(messages).unwrap();
            options.history_messages = NonZeroU32::new(read).unwrap();
            options.history_bytes = bytes;
            options.topics = NonZeroU32::new(3).unwrap();
        });
        hubs.are_up().await;
        hubs.watch(0);
        Self { random, server, hubs, subscribers: Vec::new(), there }
    }

    fn hub(&mut self) -> usize {
        self.random.below(self.hubs.hubs.len() - 1)
    }

    async fn step(&mut self) {
        match self.random.below(120) {
            0..10 => {
                let hub = self.hub();
                self.hubs.publish_job(hub);
            }
            10..13 => {
                let (hub, is_there) = (self.hub(), self.random.below(2) == 0);
                self.hubs.consume(hub, is_there);
            }
            13..70 => {
                let (hub, count) = (self.hub(), self.random.below(20));
                for _ in 0..count {
                    let topic = TOPICS[self.random.below(TOPICS.len())];
                    self.hubs.publish(hub, topic);
                }
            }
            70..78 if self.subscribers.len() < 20 => {
                let (hub, to) = (self.hub(), SUBSCRIBED[self.random.below(SUBSCRIBED.len())]);
                let start = [Start::Now, Start::Beginning][self.random.below(2)];
                self.subscribers.push(self.hubs.subscribe(hub, to, start));
            }
            78..84 if !self.subscribers.is_empty() => {
                let index = self.random.below(self.subscribers.len());
                let hub = self.hub();
                self.subscribers[index] = self.hubs.go_on(self.subscribers[index], hub);
            }
            84..86 => self.server.cut(),
            86 => {
                self.server.kill();
                self.server.start_again();
            }
            87 => {
                let _: String = self.server.run("CONFIG SET maxmemory 1");
                tokio::time::sleep(Duration::from_millis(20)).await;
                let _: String = self.server.run("CONFIG SET maxmemory 0");
            }
            88 => {
                let _: String = self.server.run("SCRIPT FLUSH");
            }
            100..118 => {
                let (hub, user) =
                    (self.random.below(self.there.len()), self.random.below(4) as u64);
                let is_there = self.random.below(2) == 0;
                self.visit(hub, user, is_there);
            }
            118..120 => {
                let last = self.there.len() - 1;
                self.hubs.crash(last, &self.server).await;
                self.there[last].clear();
            }
            _ => {
                let pause = Duration::from_millis(self.random.below(10) as u64);
                tokio::time::sleep(pause).await;
            }
        }
    }
}

impl World {
    fn visit(&mut self, hub: usize, user: u64, is_there: bool) {
        self.hubs.visit(hub, user, is_there);
        if is_there {
            self.there[hub].insert(user);
        } else {
            self.there[hub].remove(&user);
        }
    }

    /// All hubs know who is in the room, and so does who was told of each change.
    async fn check_presence(&mut self) {
        let all: BTreeSet<_> = self.there.iter().flatten().copied().collect();
        for hub in 0..self.there.len() {
            self.hubs.sees(hub, &all).await;
        }
        self.hubs.has_told(0, &all).await;
    }
}

async fn run(is_durable: bool) {
    if is_left_out() {
        return;
    }
    let seeds = match std::env::var("SANSOCKET_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..3).map(|_| RandomState::new().hash_one(())).collect(),
    };
    for seed in seeds {
        println!("to repeat this: SANSOCKET_SEED={seed}");
        let mut world = World::new(seed, is_durable).await;
        for _ in 0..200 {
            world.step().await;
        }
        let sequences = world.hubs.check(TOPICS).await;
        world.check_presence().await;
        for hub in 0..world.there.len() {
            (0..4).for_each(|user| world.visit(hub, user, false));
        }
        world.check_presence().await;
        if is_durable {
            assert_eq!(sequences, 1);
            world.hubs.nothing_is_doubled();
            world.hubs.consume(0, true);
            world.hubs.all_jobs_are_done_once().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_get_everything_or_are_told_of_gaps() {
    run(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_of_a_durable_redis_stay_in_one_sequence() {
    run(true).await;
}
