//! Clients, hubs and a broker, which take steps.

use crate::{
    clients::{Client, Subscription},
    jobs::{DEAD_LETTERS, JOBS},
    nodes::{Broker, DELIVERIES, Node},
    record::{AGE, Record, matches},
    steps::Step,
};
use core::time::Duration;
use sansocket_realtime::{
    Cursor, Epoch, Message,
    hub::{
        Acknowledgement, Command, ConnectionId, DeliveryOf, Operation, RequestId, Start,
        SubscribeOptions, SubscriptionId,
    },
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const CLIENTS: usize = 4;
/// The subscription of a client that consumes the queue.
const QUEUE: u32 = 9;
/// The one that consumes the queue of all hubs, and the one that gets dead letters.
const WORKER: u32 = 10;
const UNDERTAKER: u32 = 11;

const SUBSCRIBED: &[&[&str]] = &[
    &["/topic/a"],
    &["/topic/b"],
    &["/topic/c/x"],
    &["/topic/*"],
    &["/topic/c/*"],
    &["/topic/**"],
    &["/topic/a", "/topic/b"],
    &["/topic/a", "/topic/c/*"],
    &["/topic/b", "/topic/*"],
    &["/topic/local/a"],
    &["/topic/local/*"],
    &["/topic/local/a", "/topic/local/b"],
];

const SENT: &[&str] = &[
    "/topic/a",
    "/topic/a",
    "/topic/b",
    "/topic/c/x",
    "/topic/c/y",
    "/topic/local/a",
    "/topic/local/b",
    "/topic/refused",
    "/queue/q",
];

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) nodes: Vec<Node>,
    pub(crate) broker: Broker,
    pub(crate) record: Record,
    pub(crate) clients: Vec<Client>,
    /// How many messages of a topic a hub keeps, and the broker.
    pub(crate) messages: usize,
    pub(crate) history: usize,
    /// Commands without an answer.
    pub(crate) unanswered: BTreeSet<(usize, Option<ConnectionId>, RequestId)>,
    pub(crate) sent: BTreeMap<RequestId, Sent>,
    /// What was refused, so that it may never be published.
    pub(crate) not_published: Vec<String>,
    /// Messages of queues that have to be discarded.
    pub(crate) given_up: BTreeSet<u64>,
    /// How much has happened.
    pub(crate) events: usize,
    numbers: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) request: RequestId,
    pub(crate) to: String,
    pub(crate) body: String,
}

impl Sent {
    pub(crate) fn is_queued(&self) -> bool {
        self.to == "/queue/q"
    }

    pub(crate) fn is_job(&self) -> bool {
        self.to == JOBS
    }

    pub(crate) fn number(&self) -> u64 {
        self.request.0
    }
}

impl World {
    pub(crate) fn new(nodes: usize, messages: usize, history: usize, dead_letters: bool) -> Self {
        let mut broker = Broker::new(history, dead_letters);
        let nodes = (0..nodes).map(|index| broker.join(epoch_of(index as u64), messages));
        let mut world = Self {
            now: Duration::ZERO,
            nodes: nodes.collect(),
            broker,
            record: Record::default(),
            clients: Vec::new(),
            messages,
            history,
            unanswered: BTreeSet::new(),
            sent: BTreeMap::new(),
            not_published: Vec::new(),
            given_up: BTreeSet::new(),
            events: 0,
            numbers: 100,
        };
        for index in 0..world.nodes.len() {
            world.broker.connect(&mut world.nodes, index);
        }
        for index in 0..CLIENTS {
            let node = index % world.nodes.len();
            let connection = ConnectionId(index as u64);
            world.clients.push(Client {
                connection,
                node,
                is_connected: true,
                is_paused: false,
                subscriptions: BTreeMap::new(),
                left: BTreeMap::new(),
            });
            world.handle(node, Command::Connect { connection, principal: None });
        }
        world
    }

    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Subscribe { client, to, start, acks, gaps } => {
                self.subscribe(client.into(), to.into(), start, acks, gaps);
            }
            Step::Consume { client, acks } => {
                self.consume(client.into(), QUEUE, "/queue/q", acks);
            }
            Step::Work { client, acks } => self.consume(client.into(), WORKER, JOBS, acks),
            Step::Unsubscribe { client, subscription } => {
                self.unsubscribe(client.into(), subscription.into());
            }
            Step::Send { client, to } => {
                self.send(client.into(), SENT[usize::from(to) % SENT.len()])
            }
            Step::Publish { node, to } => {
                let node = usize::from(node) % self.nodes.len();
                self.publish(node, None, SENT[usize::from(to) % SENT.len()]);
            }
            Step::SendJob { client } => self.send(client.into(), JOBS),
            Step::PublishJob { node } => {
                self.publish(usize::from(node) % self.nodes.len(), None, JOBS);
            }
            Step::CountAsDead { which } => {
                let which = usize::from(which) % (2 * self.nodes.len());
                self.broker.count_as_dead(&mut self.nodes, which);
            }
            Step::Ack { client, subscription, which } => {
                self.acknowledge(client.into(), subscription.into(), which.into(), true);
            }
            Step::Nack { client, subscription, which } => {
                self.acknowledge(client.into(), subscription.into(), which.into(), false);
            }
            Step::Pause { client } => self.set_paused(client.into(), true),
            Step::GoOn { client } => self.set_paused(client.into(), false),
            Step::Leave { client } => self.leave(usize::from(client) % CLIENTS),
            Step::Return { client, node } => self.come_back(client.into(), node.into()),
            Step::Cursor { client, subscription } => self.look(client.into(), subscription.into()),
            Step::Wait { seconds } => self.wait(seconds.into()),
            Step::BeginEpoch => self.broker.begin_epoch(&mut self.nodes),
            Step::Commands { node, .. }
            | Step::Events { node, .. }
            | Step::Receipt { node }
            | Step::Repeat { node, .. }
            | Step::Cut { node, .. }
            | Step::Connect { node }
            | Step::Kill { node, .. } => {
                self.take_of_bridge(step, usize::from(node) % self.nodes.len());
            }
        }
    }

    fn take_of_bridge(&mut self, step: Step, node: usize) {
        let now = self.now;
        match step {
            Step::Commands { count, .. } => {
                for _ in 0..count {
                    self.broker.handle(&mut self.nodes, node, &mut self.record, now);
                }
            }
            Step::Events { count, .. } => {
                for _ in 0..count {
                    self.hear(node);
                }
            }
            Step::Receipt { .. } => {
                let effects = self.nodes[node].hear_receipt(now).unwrap_or_default();
                self.absorb(node, effects);
            }
            Step::Repeat { which, .. } => {
                let effects = self.nodes[node].hear_again(which.into(), now).unwrap_or_default();
                self.absorb(node, effects);
            }
            Step::Cut { lost, .. } => self.broker.cut(&mut self.nodes, node, lost.into()),
            Step::Connect { .. } => self.broker.connect(&mut self.nodes, node),
            Step::Kill { lost, .. } => self.kill(node, lost.into()),
            _ => {}
        }
    }

    /// Lets everything work until nothing happens any more, and checks that nothing is owed.
    pub(crate) fn settle(&mut self) {
        self.broker.bury_killed(&mut self.nodes);
        let works = |it: &Client| it.is_connected && it.subscriptions.contains_key(&WORKER);
        if !self.clients.iter().any(works) {
            self.come_back(0, 0);
            self.consume(0, WORKER, JOBS, 0);
        }
        if self.broker.dead_letters {
            self.come_back(0, 0);
            self.consume(0, UNDERTAKER, DEAD_LETTERS, 0);
        }
        for round in 0.. {
            assert!(round < 1_000, "it does not come to rest");
            let before = (self.events, self.numbers);
            for node in 0..self.nodes.len() {
                self.broker.connect(&mut self.nodes, node);
                while self.broker.handle(&mut self.nodes, node, &mut self.record, self.now) {
                    self.events += 1;
                }
                while self.hear(node) {}
            }
            for client in 0..CLIENTS {
                if self.clients[client].is_paused {
                    self.events += 1;
                    self.set_paused(client, false);
                }
                self.acknowledge_all(client);
            }
            if before == (self.events, self.numbers) {
                break;
            }
        }
        assert_eq!(self.unanswered, BTreeSet::new(), "without an answer: {:?}", self.sent);
        assert_eq!(self.given_up, BTreeSet::new(), "not discarded");
        self.broker.jobs.check();
        for node in &self.nodes {
            assert_eq!(node.hub.outbox(), (0, 0));
            assert!(!node.hub.is_degraded());
        }
        for client in self.clients.iter().filter(|client| client.is_connected) {
            for subscription in client.subscriptions.values() {
                self.has_everything(client, subscription);
            }
        }
        for body in &self.not_published {
            assert_eq!(self.record.places(body), [], "{body} was refused");
        }
    }

    fn has_everything(&self, client: &Client, subscription: &Subscription) {
        let node = &self.nodes[client.node];
        if subscription.is_queue {
            let is_done = subscription.destinations[0] != "/queue/q" || node.queued.is_empty();
            return assert!(is_done, "not consumed: {:?}", node.queued);
        }
        let at = subscription.at.unwrap_or_else(|| panic!("{subscription:?} has not begun"));
        let is_local = matches(&subscription.destinations[0], "/topic/local/a");
        let is_local = is_local && subscription.destinations[0] != "/topic/**";
        let epoch = if is_local { node.epoch } else { self.broker.epoch };
        assert_eq!(at.epoch, epoch, "no gap was told: {subscription:?}");
        let owed = self.record.between(&subscription.destinations, at, u64::MAX).next();
        assert!(owed.is_none(), "{owed:?} is owed to {subscription:?}");
    }

    pub(crate) fn handle(&mut self, node: usize, command: Command) {
        let effects = self.nodes[node].handle(command, self.now);
        self.absorb(node, effects);
    }

    fn hear(&mut self, node: usize) -> bool {
        let Some(effects) = self.nodes[node].hear(self.now) else { return false };
        self.events += 1;
        self.absorb(node, effects);
        true
    }

    /// Names a command, and notes that it has to be answered.
    fn ask(&mut self, node: usize, connection: Option<ConnectionId>) -> RequestId {
        self.numbers += 1;
        let request = RequestId(self.numbers);
        self.unanswered.insert((node, connection, request));
        request
    }

    fn connected(&self, client: usize) -> Option<(usize, ConnectionId, usize)> {
        let index = client % CLIENTS;
        let client = &self.clients[index];
        client.is_connected.then_some((index, client.connection, client.node))
    }

    fn subscribe(&mut self, client: usize, to: usize, start: u8, acks: u8, gaps: bool) {
        let Some((client, ..)) = self.connected(client) else { return };
        let destinations = SUBSCRIBED[to % SUBSCRIBED.len()];
        let start = match start {
            0 | 1 => Start::Now,
            2 => Start::Beginning,
            _ => {
                // Where another client is.
                let others = self.clients.iter().flat_map(|it| it.subscriptions.values());
                let cursors: Vec<Cursor> = others.filter_map(|it| it.at).collect();
                cursors.get(to % cursors.len().max(1)).map_or(Start::Now, |at| Start::After(*at))
            }
        };
        let subscription = Subscription {
            destinations: destinations.iter().map(|&it| it.to_owned()).collect(),
            options: options(acks).start(start).gaps(gaps),
            at: None,
            is_queue: false,
            unacknowledged: VecDeque::new(),
        };
        let free = (0..3).find(|id| !self.clients[client].subscriptions.contains_key(id));
        if let Some(id) = free {
            self.begin(client, id, subscription);
        }
    }

    fn consume(&mut self, client: usize, id: u32, queue: &str, acks: u8) {
        let Some((client, ..)) = self.connected(client) else { return };
        if !self.clients[client].subscriptions.contains_key(&id) {
            let subscription = Subscription {
                destinations: vec![queue.into()],
                options: options(acks),
                at: None,
                is_queue: true,
                unacknowledged: VecDeque::new(),
            };
            self.begin(client, id, subscription);
        }
    }

    fn begin(&mut self, client: usize, id: u32, subscription: Subscription) {
        let Client { connection, node, .. } = self.clients[client];
        let command = Command::Subscribe {
            connection,
            subscription: SubscriptionId(id),
            destinations: subscription.destinations.clone(),
            options: subscription.options,
            request: Some(self.ask(node, Some(connection))),
        };
        self.clients[client].subscriptions.insert(id, subscription);
        self.handle(node, command);
    }

    fn unsubscribe(&mut self, client: usize, which: usize) {
        let Some((client, connection, node)) = self.connected(client) else { return };
        let ids: Vec<_> = self.clients[client].subscriptions.keys().copied().collect();
        let Some(&id) = ids.get(which % ids.len().max(1)) else { return };
        let Some(ended) = self.clients[client].subscriptions.remove(&id) else { return };
        self.return_to_queue(node, connection, &ended);
        let request = self.ask(node, Some(connection));
        let subscription = SubscriptionId(id);
        let request = Some(request);
        self.handle(node, Command::Unsubscribe { connection, subscription, request });
    }

    fn send(&mut self, client: usize, to: &str) {
        if let Some((_, connection, node)) = self.connected(client) {
            self.publish(node, Some(connection), to);
        }
    }

    fn publish(&mut self, node: usize, connection: Option<ConnectionId>, to: &str) {
        let request = self.ask(node, connection);
        let body = format!("n{}", request.0);
        let message = Message::new(body.clone());
        let sent = Sent { connection, request, to: to.into(), body };
        self.sent.insert(request, sent.clone());
        if sent.is_queued() {
            self.nodes[node].queued.insert(sent.number(), 0);
        }
        let (destination, request) = (to.into(), Some(request));
        let command = match connection {
            Some(connection) => {
                let operation = Operation::Send { destination, message };
                Command::Perform { connection, operation, request }
            }
            None => Command::Publish { destination, message, request },
        };
        let effects = self.nodes[node].handle(command, self.now);
        self.publishes(node, &sent, &effects);
        self.absorb(node, effects);
    }

    fn acknowledge(&mut self, client: usize, which: usize, delivery: usize, is_consumed: bool) {
        let Some((client, connection, node)) = self.connected(client) else { return };
        let with_some = self.clients[client].subscriptions.iter_mut();
        let mut with_some: Vec<_> =
            with_some.filter(|(_, it)| !it.unacknowledged.is_empty()).collect();
        let count = with_some.len().max(1);
        let Some((id, subscription)) = with_some.get_mut(which % count) else { return };
        let id = **id;
        let index = delivery % subscription.unacknowledged.len();
        let is_cumulative = subscription.options.acknowledgement == Acknowledgement::Cumulative;
        let delivery = subscription.unacknowledged[index].id;
        let mut settled = (**subscription).clone();
        settled.unacknowledged = subscription.settle(index, is_cumulative).into();
        let delivery = DeliveryOf::Delivery(SubscriptionId(id), delivery);
        let operation = match is_consumed {
            true => {
                for number in settled.unacknowledged.iter().filter_map(|it| it.job) {
                    self.broker.jobs.consumed(number, connection);
                }
                Operation::Ack(delivery)
            }
            false => {
                self.return_to_queue(node, connection, &settled);
                Operation::Nack(delivery)
            }
        };
        self.handle(node, Command::Perform { connection, operation, request: None });
    }

    fn acknowledge_all(&mut self, client: usize) {
        let is_open =
            |client: &Client| client.subscriptions.values().any(|it| !it.unacknowledged.is_empty());
        while self.clients[client].is_connected && is_open(&self.clients[client]) {
            self.events += 1;
            self.acknowledge(client, 0, 0, true);
        }
    }

    /// Puts what a consumer has not acknowledged back into its queue.
    fn return_to_queue(&mut self, node: usize, connection: ConnectionId, ended: &Subscription) {
        for number in ended.unacknowledged.iter().filter_map(|it| it.job) {
            self.broker.jobs.returned(number, connection);
        }
        for (number, deliveries) in ended.unacknowledged.iter().filter_map(|it| it.queued) {
            if deliveries < DELIVERIES {
                self.nodes[node].queued.insert(number, deliveries);
            } else if !self.broker.dead_letters {
                self.given_up.insert(number);
            }
        }
    }

    fn set_paused(&mut self, client: usize, is_paused: bool) {
        let Some((client, connection, node)) = self.connected(client) else { return };
        self.clients[client].is_paused = is_paused;
        self.handle(
            node,
            match is_paused {
                true => Command::Pause { connection },
                false => Command::Resume { connection },
            },
        );
    }

    /// Forgets what a connection has, which is about to end.
    fn end(&mut self, client: usize) {
        let Client { connection, node, .. } = self.clients[client];
        self.unanswered.retain(|it| it.1 != Some(connection));
        self.sent.retain(|_, sent| sent.connection != Some(connection));
        let client = &mut self.clients[client];
        client.is_connected = false;
        client.is_paused = false;
        let ended = core::mem::take(&mut client.subscriptions);
        client.left.extend(ended.clone());
        for subscription in ended.values() {
            self.return_to_queue(node, connection, subscription);
        }
    }

    fn leave(&mut self, client: usize) {
        if let Some((client, connection, node)) = self.connected(client) {
            self.end(client);
            self.handle(node, Command::Disconnect { connection });
        }
    }

    /// Lets a client come back on any hub, with what it has got.
    fn come_back(&mut self, client: usize, node: usize) {
        let client = client % CLIENTS;
        self.leave(client);
        self.numbers += 1;
        let (connection, node) = (ConnectionId(self.numbers), node % self.nodes.len());
        self.clients[client].connection = connection;
        self.clients[client].node = node;
        self.clients[client].is_connected = true;
        self.handle(node, Command::Connect { connection, principal: None });
        for (id, mut subscription) in core::mem::take(&mut self.clients[client].left) {
            subscription.unacknowledged.clear();
            if let Some(at) = subscription.at.take() {
                subscription.options = subscription.options.start(Start::After(at)).gaps(true);
            }
            self.begin(client, id, subscription);
        }
    }

    /// Lets a client learn up to where it has got everything.
    fn look(&mut self, client: usize, which: usize) {
        let Some((client, connection, node)) = self.connected(client) else { return };
        let count = self.clients[client].subscriptions.len().max(1);
        let found = self.clients[client].subscriptions.iter_mut().nth(which % count);
        let Some((&id, subscription)) = found.filter(|(_, it)| !it.is_queue) else { return };
        let cursor = self.nodes[node].hub.cursor(connection, SubscriptionId(id));
        assert_eq!(cursor.is_some(), subscription.at.is_some());
        if let Some(cursor) = cursor {
            subscription.has_got(cursor, &self.record);
            subscription.at = Some(cursor);
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        for node in 0..self.nodes.len() {
            self.handle(node, Command::TimePassed);
            let node = &mut self.nodes[node];
            assert!(node.hub.next_deadline().is_none_or(|deadline| deadline > self.now));
            node.has_expired |= self.now >= AGE;
        }
    }

    /// Lets a hub die, and another begin in its place.
    fn kill(&mut self, node: usize, lost: usize) {
        for _ in 0..lost {
            self.broker.handle(&mut self.nodes, node, &mut self.record, self.now);
        }
        self.broker.cut(&mut self.nodes, node, 0);
        self.broker.is_killed(&self.nodes[node]);
        for client in 0..CLIENTS {
            if self.clients[client].is_connected && self.clients[client].node == node {
                // What they had of the broker's is with the hub until that counts as dead.
                for subscription in self.clients[client].subscriptions.values_mut() {
                    subscription.unacknowledged.retain(|delivery| delivery.job.is_none());
                }
                self.end(client);
            }
        }
        self.nodes[node].queued.clear();
        self.given_up.clear();
        self.unanswered.retain(|it| it.0 != node);
        self.numbers += 1;
        self.nodes[node] = self.broker.join(epoch_of(self.numbers), self.messages);
    }
}

fn epoch_of(number: u64) -> Epoch {
    Epoch(0xa000 + number)
}

fn options(acks: u8) -> SubscribeOptions {
    let options = SubscribeOptions::default();
    match acks {
        0 | 3 => options,
        1 => options.acknowledgement(Acknowledgement::Cumulative).window(2.try_into().ok()),
        _ => options.acknowledgement(Acknowledgement::Individual).window(1.try_into().ok()),
    }
}
