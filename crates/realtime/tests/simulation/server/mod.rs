//! A server, put together from the machines of the crate and nothing else.
//!
//! Whatever happens ends in [`Server::settle`], which passes commands to the hub one by one, its effects
//! to the machines that they are for, and what those write to the links.

mod responses;
mod stomp;
mod writing;

use crate::{
    http::Request,
    link::{Arrival, LinkId, Network, Side},
    timers::Timers,
    truth::Truth,
};
use responses::{Response, Stream};
use sansocket::server::Rate;
use sansocket_realtime::{
    Epoch, Message, bridge,
    guard::{self, Guard},
    hub::{
        self, Acknowledgement, Answer, Call, Command, ConnectionId, DeliveryOf, Effect, Handlers,
        Hub, Operation, Principal, RequestId, SubscribeOptions, SubscriptionId, TopicConfig,
    },
    poll::{self, Polls},
    sockjs::{self, SessionKey, Sessions},
    stomp as stomp_protocol,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use stomp::Stomp;

/// Who writes down what is published, so that the truth is known.
const WRITER: ConnectionId = ConnectionId(0);

pub(crate) struct Server {
    hub: Hub,
    handlers: Handlers<()>,
    guard: Guard,
    polls: Polls,
    sockjs: Sessions,
    sockjs_options: Arc<sockjs::Config>,
    stomp_config: Arc<stomp_protocol::server::Config>,
    links: BTreeMap<LinkId, Link>,
    sessions: BTreeMap<ConnectionId, Stomp>,
    streams: BTreeMap<ConnectionId, Stream>,
    /// Which link waits for the answer to a poll.
    polling: BTreeMap<ConnectionId, LinkId>,
    by_key: BTreeMap<SessionKey, ConnectionId>,
    /// The responses that take what sessions of SockJS send.
    receivers: BTreeMap<(SessionKey, sockjs::Receiver), LinkId>,
    commands: VecDeque<Command>,
    /// The connections that have something to do.
    dirty: BTreeSet<ConnectionId>,
    timers: Timers<ConnectionId>,
    connected: u64,
    requested: u64,
    to_user: BTreeMap<RequestId, (String, String)>,
    deliveries: BTreeMap<(ConnectionId, SubscriptionId), Vec<Delivered>>,
    pub(crate) steps: u64,
    /// What is to be told to the broker.
    pub(crate) bridge: Vec<bridge::Command>,
    is_bridged: bool,
}

/// A job that was delivered and not acknowledged.
struct Delivered {
    id: hub::DeliveryId,
    cursor: Option<sansocket_realtime::Cursor>,
    body: String,
}

/// What the server knows of a link.
struct Link {
    peer: Peer,
    /// What is written as soon as there is room.
    out: VecDeque<u8>,
    /// Whether the link ends behind that.
    ends: bool,
    client: Option<guard::Client>,
}

enum Peer {
    /// The request is not complete.
    Requesting(Vec<u8>),
    Stomp(ConnectionId),
    Stream(ConnectionId),
    Poll(ConnectionId),
    SockJs(SessionKey, sockjs::Receiver),
    /// There is a whole response.
    Answered,
}

impl Server {
    /// Creates a server, alone or joined with others by a bridge.
    pub(crate) fn new(epoch: u64, is_bridged: bool) -> Self {
        let room = TopicConfig::default().presence(true);
        let hub_config = hub::Config::default()
            .topic("/topic/room".parse().unwrap(), room)
            .other_topics(TopicConfig::default().messages(40))
            .queues(hub::QueueConfig::default().deliveries(u32::MAX));
        let mut hub = Hub::with_config(Epoch(epoch), hub_config, hub::Open);
        if is_bridged {
            hub = hub.with_bridge();
        }
        let mut handlers = Handlers::new();
        let echo = |(): &mut (), call: &Call| {
            Answer::new().reply("/user/queue/replies", call.message.clone())
        };
        handlers.on(&mut hub, "/app/echo", echo).unwrap();
        let relay = |(): &mut (), call: &Call| match call.variable("topic") {
            Some("refused") | None => Answer::refuse("not this one"),
            Some(topic) => Answer::new().publish(format!("/topic/{topic}"), call.message.clone()),
        };
        handlers.on(&mut hub, "/app/relay/{topic}", relay).unwrap();
        let flood = guard::DestinationLimits::default().messages(Rate::per_second(5));
        let limits = guard::Limits::default().destination("/topic/flood", flood).unwrap();
        let sockjs_options = Arc::new(sockjs::Config::default().response_limit(2 << 10));
        let mut server = Self {
            hub,
            handlers,
            guard: Guard::new(limits),
            polls: Polls::new(poll::Config::default()),
            sockjs: Sessions::new(sockjs_options.clone()),
            sockjs_options,
            stomp_config: Arc::new(stomp_protocol::server::Config::default()),
            links: BTreeMap::new(),
            sessions: BTreeMap::new(),
            streams: BTreeMap::new(),
            polling: BTreeMap::new(),
            by_key: BTreeMap::new(),
            receivers: BTreeMap::new(),
            commands: VecDeque::new(),
            dirty: BTreeSet::new(),
            timers: Timers::new(),
            connected: 0,
            requested: 0,
            to_user: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            steps: 0,
            bridge: Vec::new(),
            is_bridged,
        };
        if is_bridged {
            // The broker tells what is published.
            return server;
        }
        server.commands.push_back(Command::Connect { connection: WRITER, principal: None });
        server.commands.push_back(Command::Subscribe {
            connection: WRITER,
            subscription: SubscriptionId(0),
            destinations: vec!["/topic/**".into()],
            options: SubscribeOptions::default(),
            request: None,
        });
        server
    }

    /// The server ends without a word to anybody.
    pub(crate) fn crash(self, network: &mut Network) {
        self.links.into_keys().for_each(|id| network.reset(id, Side::Server));
    }

    /// Nobody writes down any more what is published.
    pub(crate) fn stop_writing(&mut self) {
        self.commands.push_back(Command::Disconnect { connection: WRITER });
    }

    /// The application publishes a message.
    pub(crate) fn publish(&mut self, destination: &str, body: &str) {
        let (destination, message) = (destination.into(), Message::new(body.to_owned()));
        self.commands.push_back(Command::Publish { destination, message, request: None });
    }

    /// The application publishes a message to the queue of a user.
    pub(crate) fn publish_to(&mut self, user: &str, body: &str) {
        let message = Message::new(body.to_owned());
        let command = Command::send_to_user(&Principal::new(user), "/queue/news", message);
        let Command::Publish { destination, message, .. } = command else { panic!("{command:?}") };
        self.requested += 1;
        let request = RequestId(self.requested);
        if !self.is_bridged {
            self.to_user.insert(request, (destination.clone(), body.into()));
        }
        self.commands.push_back(Command::Publish { destination, message, request: Some(request) });
    }

    /// The broker tells something.
    pub(crate) fn bridged(&mut self, event: bridge::Event) {
        self.commands.push_back(Command::Bridge(event));
    }

    /// Something has arrived on a link.
    pub(crate) fn arrived(&mut self, id: LinkId, arrival: Arrival, network: &mut Network) {
        if arrival == Arrival::Opened {
            return self.accept(id, network);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        match (&mut link.peer, arrival) {
            (Peer::Requesting(bytes), Arrival::Bytes(more)) => {
                bytes.extend_from_slice(&more);
                if let Some(request) = Request::take(bytes) {
                    let rest = std::mem::take(bytes);
                    self.requested(id, &request, network);
                    if !rest.is_empty() {
                        self.arrived(id, Arrival::Bytes(rest), network);
                    }
                }
            }
            (Peer::Stomp(connection), arrival) => {
                let connection = *connection;
                if matches!(arrival, Arrival::Lost | Arrival::TimedOut) {
                    self.forget(id, network.now);
                }
                self.stomp_arrived(connection, arrival, network);
            }
            (_, Arrival::Room) => self.write(id, network),
            (_, Arrival::Finished | Arrival::Lost | Arrival::TimedOut) => {
                self.client_has_gone(id, network)
            }
            (_, Arrival::Bytes(_) | Arrival::Opened) => {}
        }
    }

    fn accept(&mut self, id: LinkId, network: &mut Network) {
        // Each link has an address of its own, so that the guard's limits are those of users.
        let address = IpAddr::V4(Ipv4Addr::from(id.0 as u32));
        match self.guard.connect(Some(address), network.now) {
            Ok(client) => {
                let (peer, out) = (Peer::Requesting(Vec::new()), VecDeque::new());
                self.links.insert(id, Link { peer, out, ends: false, client: Some(client) });
            }
            Err(_) => network.reset(id, Side::Server),
        }
    }

    /// Forgets a link that has ended.
    fn forget(&mut self, id: LinkId, now: Duration) {
        if let Some(client) = self.links.remove(&id).and_then(|link| link.client) {
            self.guard.disconnect(client, now);
        }
    }

    /// Does all that follows from what has happened.
    pub(crate) fn settle(&mut self, network: &mut Network, truth: &mut Truth) {
        let now = network.now;
        self.pass_time(now);
        loop {
            self.steps += 1;
            while let Some(answer) = self.polls.next_answer(&self.hub) {
                self.commands.push_back(answer.disconnect());
                if let Some(id) = self.polling.remove(&answer.connection) {
                    self.respond(id, Response::from(answer.response), network);
                }
            }
            if let Some(effect) = self.sockjs.next_effect() {
                self.sockjs_effect(effect, network);
            } else if let Some(command) = self.commands.pop_front() {
                self.perform(command, truth, now);
            } else if let Some(connection) = self.dirty.pop_first() {
                self.attend(connection, network, truth);
            } else {
                return;
            }
        }
    }

    fn pass_time(&mut self, now: Duration) {
        let has_passed = |deadline: Option<Duration>| deadline.is_some_and(|at| at <= now);
        if has_passed(self.hub.next_deadline()) {
            self.commands.push_back(Command::TimePassed);
        }
        self.polls.time_passed(now);
        self.sockjs.time_passed(now);
        while let Some(connection) = self.timers.take(now) {
            self.time_passed(connection, now);
            self.dirty.insert(connection);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let deadlines = [
            self.hub.next_deadline(),
            self.polls.next_deadline(),
            self.sockjs.next_deadline(),
            self.timers.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn perform(&mut self, command: Command, truth: &mut Truth, now: Duration) {
        let acknowledged = self.acknowledged(&command);
        let mut is_refused = false;
        let effects: Vec<_> = self.hub.handle(command, now).collect();
        for effect in effects {
            is_refused |= matches!(effect, Effect::Refused { .. });
            self.pass_on(&effect, truth, now);
        }
        if !is_refused {
            acknowledged.iter().for_each(|body| truth.job_consumed(body));
        }
    }

    fn pass_on(&mut self, effect: &Effect, truth: &mut Truth, now: Duration) {
        match effect {
            Effect::Deliver { connection: WRITER, message, .. } => truth.published(message),
            Effect::Call(call) => self.commands.extend(self.handlers.handle(&mut (), call)),
            Effect::Bridge(command) => self.bridge.push((**command).clone()),
            Effect::Discarded { message, .. } => panic!("{message:?} is given up"),
            Effect::Processed { connection: None, request, cursor: Some(cursor) } => {
                if let Some((destination, body)) = self.to_user.remove(request) {
                    truth.published_as(*cursor, &destination, &body);
                }
            }
            Effect::Deliver { connection, subscription, delivery: Some(id), message, .. } => {
                let body = message.message().text().unwrap().to_owned();
                if message.destination().starts_with("/queue/") {
                    truth.job_delivered(&body);
                }
                let delivered = Delivered { id: *id, cursor: message.cursor(), body };
                self.deliveries.entry((*connection, *subscription)).or_default().push(delivered);
            }
            _ => {}
        }
        let Some(connection) = effect.connection() else { return };
        if self.polls.apply(effect, now) {
        } else if let Some(session) = self.sessions.get_mut(&connection) {
            session.apply(effect, now);
            self.dirty.insert(connection);
        } else if let Some(stream) = self.streams.get_mut(&connection) {
            stream.apply(effect, now);
            self.dirty.insert(connection);
        }
    }

    /// Returns the jobs that a command acknowledges.
    fn acknowledged(&mut self, command: &Command) -> Vec<String> {
        if let Command::Disconnect { connection } = command {
            self.deliveries.retain(|(of, _), _| of != connection);
        }
        let (connection, operations) = match command {
            Command::Perform { connection, operation, .. } => {
                (*connection, std::slice::from_ref(operation))
            }
            Command::Commit { connection, operations, .. } => (*connection, &operations[..]),
            _ => return Vec::new(),
        };
        let mut bodies = Vec::new();
        for operation in operations {
            let (of, is_ack) = match operation {
                Operation::Ack(of) => (of, true),
                Operation::Nack(of) => (of, false),
                _ => continue,
            };
            for (key, delivered) in &mut self.deliveries {
                let is_meant = |it: &Delivered| match of {
                    DeliveryOf::Delivery(subscription, id) => {
                        key.1 == *subscription && it.id == *id
                    }
                    DeliveryOf::Message(subscription, cursor) => {
                        subscription.is_none_or(|it| it == key.1) && it.cursor == Some(*cursor)
                    }
                    _ => false,
                };
                let found = delivered.iter().position(|it| key.0 == connection && is_meant(it));
                let Some(at) = found else { continue };
                let mode = self.sessions.get(&connection).and_then(|it| it.mode(key.1));
                let from = if mode == Some(Acknowledgement::Cumulative) { 0 } else { at };
                let of_queue = self.sessions.get(&connection).is_some_and(|it| it.is_queue(key.1));
                let taken = delivered.drain(from..=at).map(|it| it.body);
                bodies.extend(taken.filter(|_| is_ack && of_queue));
            }
        }
        bodies
    }

    /// Checks that nothing stays behind when all clients have gone.
    pub(crate) fn check_is_empty(&self) {
        assert_eq!(self.links.len(), 0, "links");
        assert_eq!(self.sessions.len(), 0, "sessions");
        assert_eq!(self.streams.len(), 0, "streams");
        assert_eq!(self.polls.len() + self.polling.len(), 0, "polls");
        assert_eq!(self.sockjs.len() + self.by_key.len() + self.receivers.len(), 0, "SockJS");
        assert_eq!(self.timers.next_deadline(), None, "timers");
        assert_eq!(self.hub.subscriptions(), 0, "subscriptions");
        assert_eq!(self.hub.destinations(), 0, "destinations");
        assert_eq!(self.bridge.len(), 0, "commands for the broker");
        assert_eq!(self.deliveries.len(), 0, "deliveries");
    }

    pub(crate) fn presence(&self, topic: &str) -> BTreeSet<String> {
        self.hub.presence(topic).0.iter().map(|user| user.name().to_owned()).collect()
    }
}
