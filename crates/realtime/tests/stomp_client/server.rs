//! The client of STOMP against this crate's server, in memory: whatever happens to the connection,
//! each message of a topic is settled once, or in a gap that was told; each of a queue at least once;
//! and each receipt is answered once.

use proptest::{collection::vec, prelude::*, sample::select};
use sansocket::CloseCode;
use sansocket_realtime::{
    Cursor, Epoch, Message,
    hub::{self, ConnectionId, Hub, TopicConfig},
    stomp::{
        Version,
        client::{
            AckToken, Client, ClientConfig, ConnectOptions, Event, ReceiptId, State,
            SubscribeOptions, SubscriptionId, TransactionId,
        },
        header::AckMode,
        server::{self, Output, Session},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

const NOW: Duration = Duration::from_secs(1000);

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The application of the server publishes to the topic.
    Publish,
    /// Somebody sends to the queue.
    Enqueue,
    /// The client sends to the topic, with a receipt.
    Send,
    /// The client sends to the topic and acknowledges in a transaction, and commits it or not.
    Transaction(usize, bool),
    /// So many bytes arrive at the server.
    ToServer(usize),
    /// So many bytes arrive at the client.
    ToClient(usize),
    /// The application acknowledges one of the messages that wait.
    Acknowledge(usize),
    /// The client takes nothing for a while, or goes on.
    Pause(bool),
    /// The connection ends, and another one begins.
    Reconnect,
    /// The server starts anew, and has forgotten its messages.
    Restart,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Publish),
        2 => Just(Step::Enqueue),
        1 => Just(Step::Send),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(at, commits)| Step::Transaction(at, commits)),
        5 => (0_usize..300).prop_map(Step::ToServer),
        5 => (0_usize..400).prop_map(Step::ToClient),
        4 => any::<usize>().prop_map(Step::Acknowledge),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Restart),
    ]
}

struct World {
    mode: AckMode,
    hub: Hub,
    hub_config: hub::Config,
    epoch: u64,
    connection: u64,
    session: Session,
    client: Client,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    topic: SubscriptionId,
    queue: SubscriptionId,
    begun: Option<Cursor>,
    /// What waits for its acknowledgement: the token, the subscription, and what it is.
    waiting: Vec<Waiting>,
    /// What was acknowledged in transactions that are not committed yet.
    committing: BTreeMap<TransactionId, Vec<Waiting>>,
    published: Vec<(u64, u64)>,
    settled: BTreeSet<Key>,
    missed: BTreeSet<Key>,
    enqueued: u64,
    /// What was in the queue when the server started anew, or was acknowledged in a transaction of which
    /// nobody can tell whether it was committed.
    forgotten: BTreeSet<Key>,
    receipts: BTreeSet<ReceiptId>,
    error: Option<String>,
}

type Waiting = (AckToken, SubscriptionId, Key);

/// A message of the topic by its cursor, or one of the queue by its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Topic(u64, u64),
    Queue(u64),
}

impl World {
    fn new(mode: AckMode, version: Version, keeps: usize, window: u32) -> Self {
        let topics = TopicConfig::default().messages(keeps);
        let hub_config = hub::Config::default().other_topics(topics);
        let options = ConnectOptions::default().versions(vec![version]);
        let mut client = Client::new(ClientConfig::default().connect(options));
        let options = SubscribeOptions::default().ack(mode).prefetch(NonZeroU32::new(window));
        let topic = client.subscribe("/topic/a", options.clone()).unwrap();
        let queue = client.subscribe("/queue/a", options).unwrap();
        let mut world = Self {
            mode,
            hub: Hub::with_config(Epoch(1), hub_config.clone(), hub::Open),
            hub_config,
            epoch: 1,
            connection: 0,
            session: session(0),
            client,
            to_server: Vec::new(),
            to_client: Vec::new(),
            topic,
            queue,
            begun: None,
            waiting: Vec::new(),
            committing: BTreeMap::new(),
            published: Vec::new(),
            settled: BTreeSet::new(),
            missed: BTreeSet::new(),
            enqueued: 0,
            forgotten: BTreeSet::new(),
            receipts: BTreeSet::new(),
            error: None,
        };
        world.client.connection_opened(NOW).unwrap();
        world
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish => {
                self.publish("/topic/a", Message::new("published"));
            }
            Step::Enqueue => {
                self.enqueued += 1;
                self.publish("/queue/a", Message::new(self.enqueued.to_string()));
            }
            Step::Send => {
                if let Ok(receipt) = self.client.send_with_receipt("/topic/a", &Message::new("a")) {
                    assert!(self.receipts.insert(receipt));
                }
            }
            Step::Transaction(at, commits) => self.transact(at, commits),
            Step::ToServer(count) => self.arrive_at_server(count),
            Step::ToClient(count) => self.arrive_at_client(count),
            Step::Acknowledge(at) => self.acknowledge(at),
            Step::Pause(true) => {
                self.command(hub::Command::Pause { connection: ConnectionId(self.connection) });
            }
            Step::Pause(false) => {
                self.command(hub::Command::Resume { connection: ConnectionId(self.connection) });
            }
            Step::Reconnect => self.reconnect(),
            Step::Restart => {
                self.session.transport_ended();
                self.epoch += 1;
                self.hub = Hub::with_config(Epoch(self.epoch), self.hub_config.clone(), hub::Open);
                self.forgotten.extend((1..=self.enqueued).map(Key::Queue));
                self.reconnect();
            }
        }
        self.write();
    }

    fn finish(mut self) {
        self.reconnect();
        let mut idle = 0;
        while idle < 3 {
            self.write();
            let is_idle =
                self.to_server.is_empty() && self.to_client.is_empty() && self.waiting.is_empty();
            idle = if is_idle { idle + 1 } else { 0 };
            self.arrive_at_server(usize::MAX);
            self.arrive_at_client(usize::MAX);
            while !self.waiting.is_empty() {
                self.acknowledge(usize::MAX);
            }
        }
        assert!(self.receipts.is_empty(), "without an answer: {:?}", self.receipts);
        let topic = self.published.iter().map(|(epoch, position)| Key::Topic(*epoch, *position));
        let begun = self.begun.map(|begun| Key::Topic(begun.epoch.0, begun.position));
        let begun = begun.expect("the subscription has begun");
        for key in topic.filter(|key| *key > begun) {
            assert!(self.settled.contains(&key) || self.missed.contains(&key), "{key:?} is lost");
        }
        for key in (1..=self.enqueued).map(Key::Queue) {
            // In mode `auto` a message counts as consumed once it is sent.
            let is_accounted = self.settled.contains(&key) || self.forgotten.contains(&key);
            assert!(is_accounted || self.mode == AckMode::Auto, "{key:?} is lost");
        }
    }

    fn publish(&mut self, destination: &str, message: Message) {
        let request = Some(hub::RequestId(0));
        let destination = destination.to_owned();
        self.command(hub::Command::Publish { destination, message, request });
    }

    /// Does a command, and passes on its effects.
    fn command(&mut self, command: hub::Command) {
        let is_send = |effect: &hub::Effect| match effect {
            hub::Effect::Processed { cursor: Some(cursor), .. } => Some(*cursor),
            _ => None,
        };
        let effects: Vec<_> = self.hub.handle(command, NOW).collect();
        for effect in effects {
            let published = is_send(&effect).map(|cursor| (cursor.epoch.0, cursor.position));
            self.published.extend(published);
            assert!(!matches!(effect, hub::Effect::Discarded { .. }), "{effect:?}");
            self.session.apply(&effect, NOW);
        }
    }

    /// Does what the session asks for.
    fn settle(&mut self) {
        while let Some(event) = self.session.next_event() {
            match event {
                server::Event::Connect(_) => self.session.accept(None, NOW),
                server::Event::Command(command) => self.command(command),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// Takes the output of both ends.
    fn write(&mut self) {
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Frame(frame) => self.to_client.extend_from_slice(&frame.into_bytes()),
                Output::Close(code) => {
                    self.error.get_or_insert(format!("closed with {code:?}"));
                    assert_ne!(code, CloseCode::POLICY_VIOLATION, "{:?}", self.session.error());
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        while let Some(output) = self.client.next_output(NOW) {
            self.to_server.extend_from_slice(output.head());
        }
    }

    fn arrive_at_server(&mut self, count: usize) {
        let rest = self.to_server.split_off(count.min(self.to_server.len()));
        let bytes = std::mem::replace(&mut self.to_server, rest);
        if !bytes.is_empty() {
            self.session.receive(bytes, NOW);
            self.settle();
        }
        self.write();
    }

    fn arrive_at_client(&mut self, count: usize) {
        let rest = self.to_client.split_off(count.min(self.to_client.len()));
        let bytes = std::mem::replace(&mut self.to_client, rest);
        let mut input = &bytes[..];
        while let Some(event) = self.client.receive(&mut input, NOW).unwrap() {
            match event {
                Event::Subscribed { subscription, cursor } if subscription == self.topic => {
                    assert!(cursor.is_some());
                    self.begun = self.begun.or(cursor);
                }
                Event::Message(delivery) => {
                    let subscription = delivery.subscription().unwrap();
                    let cursor = delivery.cursor().unwrap();
                    let key = if subscription == self.queue {
                        Key::Queue(delivery.text().unwrap().parse().unwrap())
                    } else {
                        Key::Topic(cursor.epoch.0, cursor.position)
                    };
                    let is_double = subscription == self.topic && self.settled.contains(&key);
                    assert!(!is_double, "{key:?} comes twice");
                    match delivery.ack_token() {
                        Some(token) => self.waiting.push((token, subscription, key)),
                        None => _ = self.settled.insert(key),
                    }
                }
                Event::Gap(gap) => {
                    let to = Key::Topic(gap.to.epoch.0, gap.to.position);
                    let published =
                        self.published.iter().map(|(epoch, at)| Key::Topic(*epoch, *at));
                    self.missed.extend(published.filter(|key| *key <= to));
                }
                Event::Receipt { receipt, .. } => {
                    assert!(self.receipts.remove(&receipt), "{receipt:?} comes twice");
                }
                Event::Committed(transaction) => {
                    let committed = self.committing.remove(&transaction).unwrap();
                    self.settled.extend(committed.into_iter().map(|(_, _, key)| key));
                }
                Event::Error(error) => panic!("{:?}: {:?}", error.message(), error.cause()),
                Event::Refused(error) => panic!("{:?}", error.message()),
                _ => {}
            }
        }
    }

    fn reconnect(&mut self) {
        self.session.transport_ended();
        self.settle();
        let lost = self.client.connection_lost(NOW, 0);
        for unconfirmed in &lost.unconfirmed {
            assert!(self.receipts.remove(&unconfirmed.receipt), "{unconfirmed:?}");
        }
        for transaction in &lost.transactions {
            assert!(transaction.is_committing);
            // Nobody can tell whether the server has taken them out of the queue.
            let acknowledged = self.committing.remove(&transaction.transaction).unwrap();
            self.forgotten.extend(acknowledged.into_iter().map(|(_, _, key)| key));
        }
        assert!(self.committing.is_empty());
        self.waiting.clear();
        self.to_client.clear();
        self.to_server.clear();
        self.connection += 1;
        self.session = session(self.connection);
        self.client.connection_opened(NOW).unwrap();
        self.write();
    }

    /// Takes those out of what waits that an acknowledgement is for.
    fn take(&mut self, at: usize) -> Vec<Waiting> {
        let subscription = self.waiting[at].1;
        let is_cumulative = self.mode == AckMode::Client;
        let waiting = std::mem::take(&mut self.waiting);
        let mut taken = Vec::new();
        for (index, item) in waiting.into_iter().enumerate() {
            let is_before = index < at && is_cumulative && item.1 == subscription;
            if index == at || is_before {
                taken.push(item);
            } else {
                self.waiting.push(item);
            }
        }
        taken
    }

    fn acknowledge(&mut self, at: usize) {
        if self.waiting.is_empty() || self.client.state() != State::Connected {
            return;
        }
        let at = at % self.waiting.len();
        let token = self.waiting[at].0.clone();
        self.client.ack(&token).unwrap();
        let taken = self.take(at);
        self.settled.extend(taken.into_iter().map(|(_, _, key)| key));
    }

    /// Sends and acknowledges in a transaction. What it acknowledges is settled once it is committed.
    fn transact(&mut self, at: usize, commits: bool) {
        if self.client.state() != State::Connected {
            return;
        }
        let id = self.client.begin().unwrap();
        let mut transaction = self.client.transaction(id).unwrap();
        transaction.send("/topic/a", &Message::new("in a transaction")).unwrap();
        let at = at % self.waiting.len().max(1);
        let token = self.waiting.get(at).map(|(token, ..)| token);
        if let Some(token) = token {
            transaction.ack(token).unwrap();
        }
        if !commits {
            return transaction.abort().unwrap();
        }
        transaction.commit().unwrap();
        let taken = if self.waiting.is_empty() { Vec::new() } else { self.take(at) };
        self.committing.insert(id, taken);
    }
}

fn session(connection: u64) -> Session {
    Session::new(ConnectionId(connection), Arc::new(server::Config::default()), NOW)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_is_lost_or_comes_twice(
        mode in select(vec![AckMode::Auto, AckMode::Client, AckMode::ClientIndividual]),
        version in select(Version::ALL.to_vec()),
        keeps in select(vec![0_usize, 1, 3, 100]),
        window in select(vec![1_u32, 2, 100]),
        steps in vec(steps(), 0..100),
    ) {
        let version = if mode == AckMode::ClientIndividual { version.max(Version::V1_1) } else { version };
        let mut world = World::new(mode, version, keeps, window);
        for step in steps {
            world.step(step);
        }
        world.finish();
    }
}
