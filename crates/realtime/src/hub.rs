//! The hub: topics, queues, user queues, and the application's handlers, for all transports.
//!
//! ```text
//!  STOMP session ──┐                                     ┌──▶ Deliver, Gap, Subscribed, Processed,
//!  event stream ───┼─▶ Command ─▶ Hub::handle ─▶ Effect ─┤    Refused ─▶ the connection's encoder
//!  poll ───────────┤                  ▲                  ├──▶ Call ─▶ the application's handlers
//!  application ────┘                  │                  └──▶ Bridge ─▶ a broker that joins hubs
//!         next_deadline ─▶ TimePassed ┘
//! ```
//!
//! A [`Hub`] has no sockets and no clock. You tell it a [`Command`] and the time, and it says in
//! [`Effect`]s what is to be done. Everything happens in the order in which you call it.
//!
//! # Destinations
//!
//! | destination | who gets a message | elsewhere |
//! |---|---|---|
//! | `/topic/…` | every subscriber | a room, a channel; Spring's `@SendTo` |
//! | `/topic/a/*`, `/topic/a/**` | subscribers of patterns get what matches: `*` is one part, `**` or `>` at the end is any number of parts | |
//! | `/queue/…` | one consumer, and another one if the first does not acknowledge it | a work queue |
//! | `/user/queue/…` | each connection of the user whom [`Command::send_to_user`] names, and the connection alone to which [`Call::reply`] replies | Spring's `convertAndSendToUser` and `@SendToUser`; user channels in Centrifugo |
//! | `/app/…` | a handler of the application: see [`Handlers`] and [`Hub::route`] | Spring's `@MessageMapping`, and `@SubscribeMapping` if it is subscribed to; RPC in Centrifugo |
//! | `/presence/topic/…` | subscribers learn who comes to a topic and who goes: see [`TopicConfig::presence`] | presence, join and leave in Centrifugo |
//!
//! A destination is compared byte by byte. Its parts, 32 at most, are not empty and contain no control
//! characters. A topic or a queue exists while it has subscribers or messages, so nobody has to create
//! it.
//!
//! # A chat
//!
//! Rooms with a history and with presence, and private messages, without sockets:
//!
//! ```
//! use core::time::Duration;
//! use sansocket_realtime::{Epoch, Message, hub::*};
//!
//! /// Clients send to the application alone, so nobody speaks in the name of others.
//! struct Rules;
//!
//! impl Authorization for Rules {
//!     fn may_send(&self, user: Option<&Principal>, destination: &str) -> bool {
//!         user.is_some() && destination.starts_with("/app/")
//!     }
//!     fn may_subscribe_pattern(&self, _: Option<&Principal>, _: &str) -> bool {
//!         false
//!     }
//! }
//!
//! let rooms = TopicConfig::default().messages(50).presence(true);
//! let config = Config::default().topic("/topic/room/*".parse()?, rooms);
//! let mut hub = Hub::with_config(Epoch(0x5f3a), config, Rules);
//! let mut handlers = Handlers::new();
//! let said = |call: &Call| {
//!     let user = call.principal.as_ref().map_or("?", Principal::name);
//!     Message::new(format!("{user}: {}", call.message.text().unwrap_or("?")))
//! };
//! handlers.on(&mut hub, "/app/room/{room}", move |_: &mut (), call| {
//!     let room = call.variable("room").unwrap_or_default();
//!     Answer::new().publish(format!("/topic/room/{room}"), said(call))
//! })?;
//! handlers.on(&mut hub, "/app/private/{user}", move |_, call| {
//!     let user = Principal::new(call.variable("user").unwrap_or_default());
//!     Answer::new().send_to_user(user, "/queue/private", said(call))
//! })?;
//!
//! // What a server does with each command. It would encode what is delivered.
//! let mut run = |command: Command| {
//!     let (mut commands, mut lines) = (vec![command], Vec::new());
//!     while let Some(command) = commands.pop() {
//!         for effect in hub.handle(command, Duration::ZERO) {
//!             match effect {
//!                 Effect::Deliver { connection, message, .. } => {
//!                     let text = message.message().text().unwrap_or_default();
//!                     lines.push(format!("{} gets {text}", connection.0));
//!                 }
//!                 Effect::Call(call) => {
//!                     commands.extend(handlers.handle(&mut (), &call).into_iter().rev());
//!                 }
//!                 _ => {}
//!             }
//!         }
//!     }
//!     lines
//! };
//!
//! // What clients do: they connect, subscribe, and send.
//! let connect = |id, user| {
//!     Command::Connect { connection: ConnectionId(id), principal: Some(Principal::new(user)) }
//! };
//! let subscribe = |id, subscription, destination: &str, start| Command::Subscribe {
//!     connection: ConnectionId(id),
//!     subscription: SubscriptionId(subscription),
//!     destinations: vec![destination.into()],
//!     options: SubscribeOptions::default().start(start),
//!     request: None,
//! };
//! let send = |id, destination: &str, text: &'static str| Command::Perform {
//!     connection: ConnectionId(id),
//!     operation: Operation::Send { destination: destination.into(), message: Message::new(text) },
//!     request: None,
//! };
//! run(connect(1, "ann"));
//! run(subscribe(1, 0, "/topic/room/rust", Start::Beginning));
//! run(subscribe(1, 1, "/user/queue/private", Start::Now));
//! assert_eq!(run(send(1, "/app/room/rust", "hello")), ["1 gets ann: hello"]);
//! run(connect(2, "joe"));
//! // Who joins gets the history, and learns who is there.
//! let history = run(subscribe(2, 0, "/topic/room/rust", Start::Beginning));
//! assert_eq!(history, ["2 gets ann: hello"]);
//! assert_eq!(
//!     run(subscribe(2, 1, "/presence/topic/room/rust", Start::Now)),
//!     [r#"2 gets {"event":"members","users":["ann","joe"]}"#]
//! );
//! assert_eq!(run(send(2, "/app/private/ann", "psst")), ["1 gets joe: psst"]);
//! assert_eq!(
//!     run(Command::Disconnect { connection: ConnectionId(1) }),
//!     [r#"2 gets {"event":"leave","user":"ann","node":"5f3a"}"#]
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Cursors and gaps
//!
//! All messages have their places in one sequence, so one [`Cursor`] resumes any number
//! of topics. A subscription that [starts after](Start::After) a cursor gets everything that came since,
//! in order and once. Topics keep the newest messages, as [`TopicConfig`] says. If something that the
//! subscription lacks is not kept any more, the hub says so by [`Effect::Gap`], and never leaves it out
//! silently. A client that does not understand gaps is refused instead: see [`SubscribeOptions::gaps`].
//!
//! A gap says that messages *may* be missing. It can be one too many when a subscription starts after an
//! old cursor, since the hub has forgotten the topics that nobody uses. A subscription that exists is
//! told of messages alone that it would have got, though a bridge can have told some of them again since.
//!
//! The connection of a slow client is [paused](Command::Pause). Nothing is buffered for it: its
//! subscriptions stay where they are, and continue from what topics keep.
//!
//! # Acknowledgements and queues
//!
//! A subscription that [acknowledges](Acknowledgement) has a window: so many messages can be
//! unacknowledged at a time, and the others wait. On a topic, that is all that acknowledgements do. In a
//! queue, a message goes to the consumer that has waited longest. What it rejects, or has not
//! acknowledged when it goes, goes to another one in its old place, [so often](QueueConfig::deliveries)
//! at most, and then to the [dead letters](QueueConfig::dead_letters). Queues begin with what nobody has
//! consumed, and have no cursors.
//!
//! With a [bridge](crate::bridge), a queue is one for all hubs, and the broker keeps its messages until a
//! consumer at any hub has acknowledged them, except in [local](Config::local) queues. A hub asks for as
//! many messages as its consumers have room for. What is rejected goes to another consumer of the same hub,
//! or back to the broker. An acknowledgement counts once the hub has it, and it tells the broker, if need be
//! after an outage. So a message can be delivered twice if a hub ends, or is away for so long that the
//! broker takes it for dead.
//!
//! # Presence
//!
//! Topics whose [configuration](TopicConfig::presence) says so tell who is subscribed: by messages in
//! `/presence/topic/…`, and to the application that asks by [`Command::Presence`]. Over a bridge that is who is
//! subscribed at any hub, each user once. A broker finds out that a hub is dead, and tells that its users
//! have left. [`Hub::presence`] knows the connections of this hub alone.
//!
//! ```
//! use core::time::Duration;
//! use sansocket_realtime::{Epoch, hub::*};
//!
//! let topics = TopicConfig::default().presence(true);
//! let config = Config::default().other_topics(topics);
//! let mut hub = Hub::with_config(Epoch(0x5f3a), config, Open);
//! let connection = ConnectionId(1);
//! let principal = Some(Principal::new("joe"));
//! hub.handle(Command::Connect { connection, principal }, Duration::ZERO);
//! let subscribe = Command::Subscribe {
//!     connection,
//!     subscription: SubscriptionId(0),
//!     destinations: vec!["/topic/room/rust".into()],
//!     options: Default::default(),
//!     request: None,
//! };
//! hub.handle(subscribe, Duration::ZERO);
//!
//! // Over a bridge, the answer comes once the broker has told who is there.
//! let (topic, timeout) = ("/topic/room/rust".into(), Duration::from_secs(2));
//! let ask = Command::Presence { topic, timeout, request: RequestId(7) };
//! let answer = hub.handle(ask, Duration::ZERO).next();
//! assert!(matches!(
//!     answer,
//!     Some(Effect::Presence { presence, .. }) if *presence.users == ["joe".into()]
//! ));
//! ```
//!
//! # Answers and transactions
//!
//! A command with a [`RequestId`] is answered once: see [`Command`]. A [transaction](Command::Commit) is
//! checked as a whole before anything is done. Either all of its operations are done, in their order and
//! with no other command in between, or none is. What the application or a broker refuses later can't be
//! undone: such a transaction is answered by the first refusal.
//!
//! # Limits
//!
//! [`Config`] has all of them in one table. Two more are yours: how many effects wait to be written to
//! a client (pause it), and how often clients may do something (see [`guard`](crate::guard)).
//!
//! # What it does not do
//!
//! - It keeps everything in memory. What is in queues is lost when the program ends, unless they are those
//!   of a broker.
//! - It does not filter messages by their content: there are no selectors.
//! - Messages have neither priorities nor times to live of their own.

mod asked;
mod authorization;
mod call;
mod calling;
mod command;
mod config;
mod connection;
mod dead_letters;
mod delivering;
mod dispatching;
mod effect;
mod entering;
mod existing;
mod flow;
mod following;
mod handlers;
mod ids;
mod keeping;
mod kept;
mod keys;
mod line;
mod listing;
mod log;
mod members;
mod merging;
mod outbox;
mod patterns;
mod presence;
mod principal;
mod queue;
mod refusal;
mod ring;
mod sending;
mod sequence;
mod slab;
mod subscribing;
mod subscription;
mod taken;
mod taking;
mod topic;

pub use authorization::{Authorization, Open};
pub use call::{Call, InvalidRoute, RouteId};
pub use command::{Acknowledgement, Command, DeliveryOf, Operation, Start, SubscribeOptions};
pub use config::{Config, OutboxConfig, QueueConfig, TopicConfig};
pub use effect::{Effect, Gap, Presence};
pub use handlers::{Answer, Handlers};
pub use ids::{CallId, ConnectionId, DeliveryId, RequestId, SubscriptionId};
pub use principal::Principal;
pub use refusal::{Action, Refusal};

use self::{
    call::{Application, Routes},
    connection::Connection,
    following::Bridge,
    ids::Requester,
    keys::{OfApplication, OfSubscription, SubscriptionKey, TopicKey},
    queue::Queues,
    sequence::Sequence,
    slab::Slab,
    subscription::{State, Subscription},
    topic::Topics,
};
use crate::cursor::{Cursor, Epoch};
use alloc::{
    boxed::Box,
    collections::{BTreeSet, VecDeque},
    vec,
    vec::Vec,
};
use core::{num::NonZeroU64, time::Duration};
use std::collections::HashMap;

/// Brings messages from those who publish them to those who subscribe, whatever their transports are.
///
/// The hub has no sockets and no clock. You tell it what happens as a [`Command`], and it says what is
/// to be done as [`Effect`]s. `now` is the time since any moment that stays the same for the hub.
///
/// ```
/// use core::time::Duration;
/// use sansocket_realtime::{Epoch, Message, hub::{Command, ConnectionId, Effect, Hub, SubscriptionId}};
///
/// // A random number tells this run of the hub from the last.
/// let mut hub = Hub::new(Epoch(0x5f3a));
/// let now = Duration::ZERO;
///
/// let connection = ConnectionId(1);
/// hub.handle(Command::Connect { connection, principal: None }, now);
/// let subscribe = Command::Subscribe {
///     connection,
///     subscription: SubscriptionId(0),
///     destinations: vec!["/topic/orders/*".into()],
///     options: Default::default(),
///     request: None,
/// };
/// hub.handle(subscribe, now);
///
/// let publish = Command::Publish {
///     destination: "/topic/orders/42".into(),
///     message: Message::new("shipped"),
///     request: None,
/// };
/// let effects: Vec<_> = hub.handle(publish, now).collect();
/// assert!(matches!(
///     &effects[..],
///     [Effect::Deliver { message, .. }] if message.cursor().unwrap().to_string() == "5f3a-1"
/// ));
/// ```
#[derive(Debug)]
pub struct Hub<A = Open> {
    config: Config,
    authorization: A,
    connections: HashMap<ConnectionId, Connection>,
    subscriptions: Slab<OfSubscription, Subscription>,
    topics: Topics,
    queues: Queues,
    routes: Routes,
    applications: Slab<OfApplication, Application>,
    sequence: Sequence,
    bridge: Option<Bridge>,
    /// When topics are to be looked at, because messages expire.
    expiries: BTreeSet<(Duration, TopicKey)>,
    /// How many bytes all topics keep.
    kept_bytes: usize,
    /// The time of the command that is handled.
    now: Duration,
    effects: Vec<Effect>,
    /// How many bytes of what topics keep this command may still deliver.
    portion: usize,
    /// The subscriptions that go on with the next command, since one is not to deliver more.
    unfinished: VecDeque<SubscriptionKey>,
    /// How many effects there were lately: half as many count with each command.
    most_effects: usize,
    /// The number of the last command that has waited for its answer.
    last_number: NonZeroU64,
    last_generation: u32,
}

impl Hub {
    /// Creates a hub with the default options, in which everything is [allowed](Open).
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self::with_config(epoch, Config::default(), Open)
    }
}

impl<A: Authorization> Hub<A> {
    /// Creates a hub. Choose the epoch at random: it tells cursors of this hub from those of others,
    /// and from those of the last time that the program ran.
    #[must_use]
    pub fn with_config(epoch: Epoch, config: Config, authorization: A) -> Self {
        Self {
            config,
            authorization,
            connections: HashMap::new(),
            subscriptions: Slab::new(),
            topics: Topics::new(),
            queues: Queues::default(),
            routes: Routes::default(),
            applications: Slab::new(),
            sequence: Sequence::new(epoch, 0),
            bridge: None,
            expiries: BTreeSet::new(),
            kept_bytes: 0,
            now: Duration::ZERO,
            effects: Vec::new(),
            portion: 0,
            unfinished: VecDeque::new(),
            most_effects: 0,
            last_number: NonZeroU64::MIN,
            last_generation: 0,
        }
    }

    /// Joins the hub with others by a [bridge](crate::bridge). From now on, topics and queues are those of
    /// the broker, except the [local](Config::local) ones. The bridge counts as down until it says that it
    /// is up. Call this before any command.
    #[must_use]
    pub fn with_bridge(mut self) -> Self {
        self.bridge = Some(Bridge::default());
        self
    }

    /// Handles a command, and returns what is to be done. What you leave of the effects is dropped with
    /// the iterator.
    pub fn handle(&mut self, command: Command, now: Duration) -> vec::Drain<'_, Effect> {
        self.effects.clear();
        // After a message for many, the memory returns while there are few.
        if self.effects.capacity() > 64 && self.most_effects < self.effects.capacity() / 4 {
            self.effects.shrink_to(self.effects.capacity() / 2);
        }
        self.now = self.now.max(now);
        // Nobody gets what is too old.
        self.expire();
        self.give_up_waiting();
        // One message at least, or nothing would ever come.
        self.portion = self.config.replay_portion.max(1);
        self.perform(command);
        self.go_on_with_unfinished();
        self.ask_for_messages();
        self.most_effects = self.effects.len().max(self.most_effects / 2);
        self.effects.drain(..)
    }

    /// Returns when to call [`handle`](Self::handle) with [`Command::TimePassed`].
    ///
    /// It has passed already if a command has not delivered everything: see
    /// [`Config::replay_portion`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() {
            return Some(self.now);
        }
        let expiry = self.expiries.first().map(|(deadline, _)| *deadline);
        let asked = self.bridge.as_ref().and_then(|bridge| bridge.asked.next_deadline());
        [expiry, asked].into_iter().flatten().min()
    }

    /// Returns up to where a subscription has got everything. It moves on with messages of all topics,
    /// also of those that the subscription does not have. So tell it to the client from time to time,
    /// or else the cursor of a quiet topic becomes too old to resume.
    ///
    /// Returns `None` if there is no such subscription, if it has not begun or not got all
    /// [retained](TopicConfig::retain) messages that it begins with, and for `/queue/…` and
    /// `/app/…`.
    #[must_use]
    pub fn cursor(&self, connection: ConnectionId, subscription: SubscriptionId) -> Option<Cursor> {
        let key = self.connections.get(&connection)?.subscription(subscription)?;
        let subscription = self.subscriptions.get(key)?;
        let is_before = !subscription.has_begun() || subscription.last().is_some();
        if is_before || !subscription.has_cursor() {
            return None;
        }
        if let Some(missed) = subscription.missed() {
            return Some(missed);
        }
        let sequence = self.sequence_of(subscription.is_bridged)?;
        let is_live = subscription.state == State::Live;
        Some(sequence.cursor(if is_live { sequence.head() } else { subscription.through }))
    }

    /// Returns how many subscriptions there are.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// Returns how many topics, patterns of topics, and queues there are.
    #[must_use]
    pub fn destinations(&self) -> usize {
        self.topics.len() + self.queues.len()
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Connect { connection, principal } => {
                self.disconnect(connection);
                self.last_generation = self.last_generation.wrapping_add(1);
                let connected = Connection::new(principal, self.last_generation);
                self.connections.insert(connection, connected);
            }
            Command::Disconnect { connection } => self.disconnect(connection),
            Command::Subscribe { connection, subscription, destinations, options, request } => {
                let subscribed =
                    self.subscribe(connection, subscription, &destinations, options, request);
                if let Err(refusal) = subscribed {
                    // The subscription that exists goes on.
                    let refused = Some(subscription)
                        .filter(|_| !matches!(refusal, Refusal::SubscriptionExists(_)));
                    let requester = self.requester(connection, request);
                    self.refused_with(requester, refused, refusal);
                }
            }
            Command::Unsubscribe { connection, subscription, request } => {
                let requester = self.requester(connection, request);
                match self.unsubscribe(connection, subscription) {
                    Ok(()) => self.processed(requester, None),
                    Err(refusal) => self.refused(requester, refusal),
                }
            }
            Command::Perform { connection, operation, request } => {
                self.perform_operation(connection, operation, request);
            }
            Command::Commit { connection, operations, request } => {
                self.commit(connection, operations, request);
            }
            Command::Pause { connection } => self.pause(connection),
            Command::Resume { connection } => self.resume(connection),
            Command::Publish { destination, message, request } => {
                self.publish(&destination, message, Requester::application(request));
            }
            Command::PublishFor { call, destination, message } => {
                let requester = self.wait_for_one_more(call.requester);
                self.publish(&destination, message, requester);
            }
            Command::Reply { connection, destination, message } => {
                self.reply(connection, &destination, message);
            }
            Command::Finish { call, refused } => self.finish(call, refused),
            Command::Presence { topic, timeout, request } => {
                self.ask_presence(&topic, timeout, request);
            }
            Command::Bridge(event) => self.hear(event),
            Command::TimePassed => {}
        }
    }

    /// Returns where the answer to a command of a connection goes.
    fn requester(&self, connection: ConnectionId, request: Option<RequestId>) -> Requester {
        let generation = self.connections.get(&connection).map_or(0, |it| it.generation);
        let connection = Some(connection);
        Requester { connection, generation, request, number: None, has_parts: false }
    }

    /// Lists a command that is answered once so many parts of it are processed.
    fn wait_for_parts(&mut self, requester: Requester, parts: usize) -> Requester {
        let number = self.next_number();
        let connection = requester.connection.and_then(|it| self.connections.get_mut(&it));
        if let Some(connection) = connection {
            connection.wait_for_parts(number, parts);
        }
        Requester { number: Some(number), ..requester }
    }

    /// Has a command answered once another part of it is processed too, unless it was answered.
    fn wait_for_one_more(&mut self, requester: Requester) -> Requester {
        let connection = requester.connection.and_then(|it| self.connections.get_mut(&it));
        if let (Some(connection), Some(number)) = (connection, requester.number) {
            connection.wait_for_one_more(number);
        }
        Requester { has_parts: true, ..requester }
    }

    fn next_number(&mut self) -> NonZeroU64 {
        self.last_number = self.last_number.checked_add(1).unwrap_or(NonZeroU64::MIN);
        self.last_number
    }

    /// Tells that a command, or a part of one, was processed.
    fn processed(&mut self, requester: Requester, cursor: Option<Cursor>) {
        if !self.is_to_be_told(requester, false) {
            return;
        }
        let Requester { connection, request: Some(request), .. } = requester else { return };
        let cursor = cursor.filter(|_| !requester.has_parts);
        self.effects.push(Effect::Processed { connection, request, cursor });
    }

    /// Tells that a command, or a part of one, is refused.
    fn refused(&mut self, requester: Requester, refusal: Refusal) {
        self.refused_with(requester, None, refusal);
    }

    /// Tells that a command, or a part of one, is refused, and perhaps a subscription with it.
    fn refused_with(
        &mut self,
        requester: Requester,
        subscription: Option<SubscriptionId>,
        refusal: Refusal,
    ) {
        if refusal == Refusal::NotConnected || self.is_to_be_told(requester, true) {
            let Requester { connection, request, .. } = requester;
            let refusal = Box::new(refusal);
            self.effects.push(Effect::Refused { connection, request, subscription, refusal });
        }
    }

    fn is_to_be_told(&mut self, requester: Requester, is_refused: bool) -> bool {
        let Some(connection) = requester.connection else { return true };
        // Nobody waits for answers to a connection that has gone.
        let Some(connection) = self
            .connections
            .get_mut(&connection)
            .filter(|connection| connection.generation == requester.generation)
        else {
            return false;
        };
        requester.number.is_none_or(|number| connection.part_is_done(number, is_refused))
    }

    fn sequence_of(&self, is_bridged: bool) -> Option<&Sequence> {
        if is_bridged { self.bridge.as_ref()?.sequence.as_ref() } else { Some(&self.sequence) }
    }

    fn is_bridged(&self, topic: &str) -> bool {
        self.bridge.is_some() && !self.config.is_local(topic)
    }
}
