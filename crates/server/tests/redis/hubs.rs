//! Hubs that Redis joins, with subscribers who check what they get.

use crate::{
    node::options,
    server::{PATIENCE, Server},
};
use sansocket_realtime::{
    Cursor, Epoch, Message, Pattern, bridge,
    hub::{
        Command, Config, ConnectionId, Effect, Hub, Open, Presence, Principal, RequestId, Start,
        SubscribeOptions, SubscriptionId, TopicConfig,
    },
};
use sansocket_server::broker::{
    Broker,
    redis::{Redis, RedisOptions},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::JoinHandle,
};

/// The queue that consumers of all hubs share.
const JOBS: &str = "/queue/jobs";

/// The topic of which it is told who is there.
const ROOM: &str = "/topic/room/a";

/// Hubs that are joined, and what was published through them.
#[derive(Debug)]
pub(crate) struct Hubs {
    pub(crate) hubs: Vec<Arc<Mutex<Joined>>>,
    /// What joins each hub, which is the node of this epoch.
    bridges: Vec<(Epoch, JoinHandle<()>)>,
    config: Config,
    options: RedisOptions,
    /// The epoch of the last hub.
    last: u64,
    subscribers: Vec<Subscriber>,
    published: u64,
    jobs: Vec<u64>,
}

/// A hub, and what it wanted done.
#[derive(Debug)]
pub(crate) struct Joined {
    hub: Hub,
    began: Instant,
    commands: UnboundedSender<bridge::Command>,
    got: BTreeMap<ConnectionId, Vec<Got>>,
    /// Where each message was published, by its number.
    processed: BTreeMap<u64, Option<Cursor>>,
    /// How often the bridge has gone down.
    pub(crate) outages: u32,
    /// The jobs that the consumer of this hub has got.
    jobs: Vec<u64>,
    /// What the hub has answered last when it was asked who is there.
    presence: Option<Presence>,
    /// What the hub tells of those who come and go.
    told: Vec<String>,
}

#[derive(Debug)]
struct Subscriber {
    hub: usize,
    connection: ConnectionId,
    destination: String,
    has_left: bool,
}

/// What a subscriber gets.
#[derive(Clone, Debug)]
enum Got {
    Begun(Cursor),
    Message { at: Cursor, topic: String, number: u64 },
    Gap { from: Cursor, to: Cursor },
}

impl Joined {
    fn handle(&mut self, command: Command) {
        let now = self.began.elapsed();
        let effects: Vec<Effect> = self.hub.handle(command, now).collect();
        for effect in effects {
            match effect {
                Effect::Bridge(command) => drop(self.commands.send(*command)),
                Effect::Deliver { message, .. } if **message.destination() == *JOBS => {
                    self.jobs.push(message.message().text().unwrap().parse().unwrap());
                }
                Effect::Deliver { message, .. }
                    if message.destination().starts_with("/presence/") =>
                {
                    self.told.push(message.message().text().unwrap().into());
                }
                Effect::Presence { presence, .. } => self.presence = Some(*presence),
                Effect::Deliver { connection, message, .. } => {
                    let got = Got::Message {
                        at: message.cursor().unwrap(),
                        topic: message.destination().to_string(),
                        number: message.message().text().unwrap().parse().unwrap(),
                    };
                    self.got.entry(connection).or_default().push(got);
                }
                Effect::Gap { connection, gap, .. } => {
                    let got = Got::Gap { from: gap.from, to: gap.to };
                    self.got.entry(connection).or_default().push(got);
                }
                Effect::Subscribed { connection, cursor: Some(cursor), .. } => {
                    self.got.entry(connection).or_default().push(Got::Begun(cursor));
                }
                // A queue has no cursor.
                Effect::Subscribed { .. } => {}
                Effect::Processed { request, cursor, .. } => {
                    let before = self.processed.insert(request.0, cursor);
                    assert_eq!(before, None, "{request:?} is answered twice");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

impl Hubs {
    /// Joins hubs by a server. Each keeps so many messages of a topic.
    pub(crate) fn join(
        hubs: usize,
        kept: usize,
        server: &Server,
        change: impl Fn(&mut RedisOptions),
    ) -> Self {
        let room = TopicConfig::default().presence(true);
        let config = Config::default()
            .topic("/topic/room/*".parse().unwrap(), room)
            .other_topics(TopicConfig::default().messages(kept));
        let mut options = options(server);
        change(&mut options);
        let (subscribers, jobs) = (Vec::new(), Vec::new());
        let (bridges, published, last) = (Vec::new(), 0, 0);
        let mut joined =
            Self { hubs: Vec::new(), bridges, config, options, last, subscribers, published, jobs };
        for _ in 0..hubs {
            let (hub, bridge) = joined.start();
            joined.hubs.push(hub);
            joined.bridges.push(bridge);
        }
        joined
    }

    /// Starts a hub and what joins it.
    fn start(&mut self) -> (Arc<Mutex<Joined>>, (Epoch, JoinHandle<()>)) {
        self.last += 1;
        let (epoch, redis) = (Epoch(self.last), Redis::new(self.options.clone()).unwrap());
        let (commands, told) = unbounded_channel();
        let joined = Arc::new(Mutex::new(Joined {
            hub: Hub::with_config(epoch, self.config.clone(), Open).with_bridge(),
            began: Instant::now(),
            commands,
            got: BTreeMap::new(),
            processed: BTreeMap::new(),
            outages: 0,
            jobs: Vec::new(),
            presence: None,
            told: Vec::new(),
        }));
        let hub = joined.clone();
        let tell = move |event| {
            let mut hub = hub.lock().unwrap();
            hub.outages += u32::from(matches!(event, bridge::Event::Down));
            hub.handle(Command::Bridge(event));
        };
        (joined, (epoch, tokio::spawn(redis.run(epoch, told, Box::new(tell)))))
    }

    /// Ends a hub as a process that is killed does, and has it count as dead. Another one takes its place. It may
    /// have had nothing but users in the room.
    pub(crate) async fn crash(&mut self, hub: usize, server: &Server) {
        let (epoch, bridge) = &self.bridges[hub];
        bridge.abort();
        // Redis can still get what was on its way.
        let name = format!("name=sansocket-{epoch} ");
        while server.run::<String>("CLIENT LIST").contains(&name) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _: usize = server.run(&format!("DEL {{sansocket}}:alive:{epoch}"));
        let (started, bridge) = self.start();
        (self.hubs[hub], self.bridges[hub]) = (started, bridge);
    }

    fn handle(&self, hub: usize, command: Command) {
        self.hubs[hub].lock().unwrap().handle(command);
    }

    /// Subscribes to a topic or pattern. Returns the number of the subscriber.
    pub(crate) fn subscribe(&mut self, hub: usize, destination: &str, start: Start) -> usize {
        let connection = ConnectionId(self.subscribers.len() as u64);
        self.handle(hub, Command::Connect { connection, principal: None });
        self.handle(
            hub,
            Command::Subscribe {
                connection,
                subscription: SubscriptionId(0),
                destinations: vec![destination.into()],
                options: SubscribeOptions::default().start(start).gaps(true),
                request: None,
            },
        );
        let (destination, has_left) = (destination.into(), false);
        self.subscribers.push(Subscriber { hub, connection, destination, has_left });
        self.subscribers.len() - 1
    }

    /// Moves a subscriber to another hub, where it goes on after its cursor. Returns its new number.
    pub(crate) fn go_on(&mut self, subscriber: usize, hub: usize) -> usize {
        let got = self.got(&self.subscribers[subscriber]);
        let at = got.last().map(|got| match *got {
            Got::Begun(at) | Got::Message { at, .. } => at,
            Got::Gap { to, .. } => to,
        });
        let left = &mut self.subscribers[subscriber];
        left.has_left = true;
        let Subscriber { hub: before, connection, .. } = *left;
        let destination = left.destination.clone();
        self.handle(before, Command::Disconnect { connection });
        self.subscribe(hub, &destination, at.map_or(Start::Now, Start::After))
    }

    /// Has a user come to the room, or go.
    pub(crate) fn visit(&self, hub: usize, user: u64, is_there: bool) {
        let connection = ConnectionId(2_000 + user);
        self.handle(hub, Command::Disconnect { connection });
        if is_there {
            let principal = Some(Principal::new(format!("user{user:02}")));
            self.handle(hub, Command::Connect { connection, principal });
            self.subscribe_to(hub, connection, ROOM);
        }
    }

    /// Has a hub listen to who comes to the room and goes.
    pub(crate) fn watch(&self, hub: usize) {
        let connection = ConnectionId(3_000);
        self.handle(hub, Command::Connect { connection, principal: None });
        self.subscribe_to(hub, connection, &format!("/presence{ROOM}"));
    }

    fn subscribe_to(&self, hub: usize, connection: ConnectionId, destination: &str) {
        self.handle(
            hub,
            Command::Subscribe {
                connection,
                subscription: SubscriptionId(0),
                destinations: vec![destination.into()],
                options: SubscribeOptions::default().gaps(true),
                request: None,
            },
        );
    }

    /// Waits until a hub knows that these users are in the room, and nobody else.
    pub(crate) async fn sees(&self, hub: usize, users: &BTreeSet<u64>) {
        let expected: Vec<Arc<str>> =
            users.iter().map(|it| format!("user{it:02}").into()).collect();
        self.wait(&format!("{expected:?} are there"), |hubs| {
            let (topic, timeout) = (ROOM.into(), PATIENCE);
            let seen = hubs.hubs[hub].lock().unwrap().presence.take();
            hubs.handle(hub, Command::Presence { topic, timeout, request: RequestId(u64::MAX) });
            seen.is_some_and(|seen| !seen.is_partial && seen.users == expected)
        })
        .await;
    }

    /// Waits until what a hub has told of those who came and went says that these users are in the room.
    pub(crate) async fn has_told(&self, hub: usize, users: &BTreeSet<u64>) {
        let expected: BTreeSet<_> = users.iter().map(|it| format!("user{it:02}")).collect();
        self.wait(&format!("{expected:?} are told"), |hubs| {
            let mut there = BTreeSet::new();
            for told in hubs.told(hub) {
                let told: serde_json::Value = serde_json::from_str(&told).unwrap();
                let user = || told["user"].as_str().unwrap().to_owned();
                match told["event"].as_str().unwrap() {
                    "members" => {
                        let users = told["users"].as_array().unwrap().iter();
                        there = users.map(|it| it.as_str().unwrap().to_owned()).collect();
                    }
                    "join" => drop(there.insert(user())),
                    "leave" => drop(there.remove(&user())),
                    other => panic!("{other}"),
                }
            }
            there == expected
        })
        .await;
    }

    /// Returns what a hub has told of those who came and went.
    pub(crate) fn told(&self, hub: usize) -> Vec<String> {
        self.hubs[hub].lock().unwrap().told.clone()
    }

    /// Publishes a message. Its body is its number.
    pub(crate) fn publish(&mut self, hub: usize, topic: &str) {
        self.published += 1;
        let (message, request) =
            (Message::new(self.published.to_string()), RequestId(self.published));
        let (destination, request) = (topic.into(), Some(request));
        self.handle(hub, Command::Publish { destination, message, request });
    }

    /// Has the consumer of a hub come, or go.
    pub(crate) fn consume(&mut self, hub: usize, is_there: bool) {
        let connection = ConnectionId(1_000);
        if !is_there {
            return self.handle(hub, Command::Disconnect { connection });
        }
        self.handle(hub, Command::Connect { connection, principal: None });
        self.handle(
            hub,
            Command::Subscribe {
                connection,
                subscription: SubscriptionId(0),
                destinations: vec![JOBS.into()],
                options: SubscribeOptions::default(),
                request: None,
            },
        );
    }

    pub(crate) fn publish_job(&mut self, hub: usize) {
        self.publish(hub, JOBS);
        self.jobs.push(self.published);
    }

    /// Waits until all jobs have come to consumers, each of them to one.
    pub(crate) async fn all_jobs_are_done_once(&self) {
        let done = |hubs: &Self| {
            let done = hubs.hubs.iter().flat_map(|hub| hub.lock().unwrap().jobs.clone());
            let mut done: Vec<u64> = done.collect();
            done.sort_unstable();
            done
        };
        self.wait("all jobs are done", |hubs| done(hubs).len() >= hubs.jobs.len()).await;
        assert_eq!(done(self), self.jobs);
    }

    /// Waits until something is so.
    pub(crate) async fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < PATIENCE, "{what}: not so after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn are_up(&self) {
        self.wait("all are up", |hubs| hubs.none_is(|hub| hub.hub.is_degraded())).await;
    }

    pub(crate) async fn are_down(&self) {
        self.wait("all are down", |hubs| hubs.none_is(|hub| !hub.hub.is_degraded())).await;
    }

    fn none_is(&self, so: impl Fn(&Joined) -> bool) -> bool {
        !self.hubs.iter().any(|hub| so(&hub.lock().unwrap()))
    }

    pub(crate) async fn have_published_all(&self) {
        self.wait("all is answered", |hubs| hubs.processed().len() as u64 == hubs.published).await;
        self.wait("nothing waits", |hubs| hubs.none_is(|hub| hub.hub.outbox().0 > 0)).await;
    }

    /// Waits until all subscribers have begun.
    pub(crate) async fn have_begun(&self) {
        self.wait("all have begun", |hubs| {
            hubs.subscribers.iter().all(|subscriber| !hubs.got(subscriber).is_empty())
        })
        .await;
    }

    fn got(&self, subscriber: &Subscriber) -> Vec<Got> {
        let hub = self.hubs[subscriber.hub].lock().unwrap();
        hub.got.get(&subscriber.connection).cloned().unwrap_or_default()
    }

    fn processed(&self) -> BTreeMap<u64, Option<Cursor>> {
        self.hubs.iter().flat_map(|hub| hub.lock().unwrap().processed.clone()).collect()
    }

    /// Returns how many gaps a subscriber was told, and how many messages it got.
    pub(crate) fn gaps_and_messages(&self, subscriber: usize) -> (usize, usize) {
        let got = self.got(&self.subscribers[subscriber]);
        let gaps = got.iter().filter(|got| matches!(got, Got::Gap { .. })).count();
        (gaps, got.iter().filter(|got| matches!(got, Got::Message { .. })).count())
    }

    /// Waits until everything is published and delivered, and checks it: each subscriber got all messages
    /// of its topics, in the order of their positions, once, or was told of a gap where they are. Returns
    /// how many sequences there were.
    pub(crate) async fn check(&mut self, topics: &[&str]) -> usize {
        self.are_up().await;
        self.have_published_all().await;
        // Behind these nothing is on its way.
        let last = self.published;
        for topic in topics {
            self.publish(0, topic);
        }
        self.wait("all get the last messages", |hubs| {
            hubs.subscribers.iter().all(|subscriber| hubs.has_last(subscriber, topics, last))
        })
        .await;
        self.have_published_all().await;
        let places = self.places();
        for subscriber in &self.subscribers {
            check_subscriber(subscriber, &self.got(subscriber), &places);
        }
        places.iter().map(|place| place.0).collect::<BTreeSet<_>>().len()
    }

    /// Returns whether a subscriber has left, or got what was published after `last` in its topics.
    fn has_last(&self, subscriber: &Subscriber, topics: &[&str], last: u64) -> bool {
        let pattern: Pattern = subscriber.destination.parse().unwrap();
        let expected = topics.iter().filter(|topic| pattern.matches(topic)).count();
        let got = self.got(subscriber);
        let is_last = |got: &&Got| matches!(got, Got::Message { number, .. } if *number > last);
        subscriber.has_left || got.iter().filter(is_last).count() == expected
    }

    /// Returns all places in all sequences at which messages were published, as far as anybody was told, with
    /// the topic and the number of each.
    fn places(&self) -> BTreeSet<(Epoch, u64, String, u64)> {
        let got = self.subscribers.iter().flat_map(|subscriber| self.got(subscriber));
        let places = got.filter_map(|got| match got {
            Got::Message { at, topic, number } => Some((at.epoch, at.position, topic, number)),
            _ => None,
        });
        let places: BTreeSet<_> = places.collect();
        let positions: BTreeSet<_> = places.iter().map(|it| (it.0, it.1)).collect();
        assert_eq!(positions.len(), places.len(), "a position was given twice: {places:?}");
        let numbers: BTreeSet<_> = places.iter().map(|it| (it.0, it.3)).collect();
        assert_eq!(numbers.len(), places.len(), "a message was published twice: {places:?}");
        for (number, cursor) in self.processed() {
            let Some(cursor) = cursor else { continue };
            let told = places.iter().find(|it| it.0 == cursor.epoch && it.3 == number);
            assert!(told.is_none_or(|told| told.1 == cursor.position), "{number} at {cursor}");
        }
        places
    }

    /// Asserts that no message was published in two sequences.
    pub(crate) fn nothing_is_doubled(&self) {
        let numbers: Vec<_> = self.places().iter().map(|it| it.3).collect();
        let distinct: BTreeSet<_> = numbers.iter().collect();
        assert_eq!(distinct.len(), numbers.len());
    }
}

fn check_subscriber(
    subscriber: &Subscriber,
    got: &[Got],
    places: &BTreeSet<(Epoch, u64, String, u64)>,
) {
    let pattern: Pattern = subscriber.destination.parse().unwrap();
    let owed = |from: Cursor, before: Cursor| {
        places.iter().find(|(epoch, position, topic, _)| {
            *epoch == from.epoch
                && (from.position + 1..before.position).contains(position)
                && pattern.matches(topic)
        })
    };
    let mut at: Option<Cursor> = None;
    for got in got {
        match *got {
            Got::Begun(cursor) => at = Some(cursor),
            Got::Message { at: cursor, .. } => {
                let from = at.expect("it has begun");
                assert_eq!(from.epoch, cursor.epoch, "no gap was told: {subscriber:?} {got:?}");
                assert!(from.position < cursor.position, "{subscriber:?}: {got:?} behind {from}");
                let owed = owed(from, cursor);
                assert!(owed.is_none(), "{subscriber:?} lacks {owed:?} before {got:?}");
                at = Some(cursor);
            }
            Got::Gap { from, to } => {
                assert_eq!(at.map(|at| at.epoch), Some(from.epoch));
                let next = Cursor::new(from.epoch, from.position + 1);
                let owed = at.and_then(|at| owed(at, next));
                assert!(owed.is_none(), "{subscriber:?} lacks {owed:?} before {got:?}");
                at = Some(to);
            }
        }
    }
}
