//! The hub itself.

use super::{
    Authorization, Command, Config, ConnectionId, Effect, Open, Refusal, RequestId, SubscriptionId,
    call::{Application, Routes},
    connection::{Connection, Requester},
    following::Bridge,
    log::Log,
    queue::Queues,
    sequence::Sequence,
    slab::{Key, Slab},
    subscription::{State, Subscription},
    topic::{Topic, Topics},
};
use crate::{Cursor, Epoch};
use alloc::{boxed::Box, collections::BinaryHeap, vec, vec::Vec};
use core::{cmp::Reverse, num::NonZeroU64, time::Duration};
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
    pub(super) config: Config,
    pub(super) authorization: A,
    pub(super) connections: HashMap<ConnectionId, Connection>,
    pub(super) subscriptions: Slab<Subscription>,
    pub(super) topics: Topics,
    pub(super) queues: Queues,
    pub(super) routes: Routes,
    pub(super) applications: Slab<Application>,
    pub(super) sequence: Sequence,
    /// What the topics keep that are not the bridge's.
    pub(super) log: Log,
    pub(super) bridge: Option<Bridge>,
    /// When topics are to be looked at, because messages expire.
    pub(super) expiries: BinaryHeap<Reverse<(Duration, Key<Topic>)>>,
    /// How many bytes all topics keep.
    pub(super) kept_bytes: usize,
    /// The time of the command that is handled.
    pub(super) now: Duration,
    pub(super) effects: Vec<Effect>,
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
            log: Log::new(),
            bridge: None,
            expiries: BinaryHeap::new(),
            kept_bytes: 0,
            now: Duration::ZERO,
            effects: Vec::new(),
            most_effects: 0,
            last_number: NonZeroU64::MIN,
            last_generation: 0,
        }
    }

    /// Joins the hub with others by a [bridge](crate::bridge). From now on, topics are those of the
    /// broker, except the [local](Config::local) ones. The bridge counts as down until it says that it
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
        self.perform(command);
        self.most_effects = self.effects.len().max(self.most_effects / 2);
        self.effects.drain(..)
    }

    /// Returns when to call [`handle`](Self::handle) with [`Command::TimePassed`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.expiries.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// Returns up to where a subscription has got everything. It moves on with messages of all topics,
    /// also of those that the subscription does not have. So tell it to the client from time to time,
    /// or else the cursor of a quiet topic becomes too old to resume.
    ///
    /// Returns `None` if there is no such subscription, if it has not begun or not got all
    /// [retained](super::TopicConfig::retain) messages that it begins with, and for `/queue/…` and
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
                self.publish_for_application(&destination, message, request);
            }
            Command::Reply { connection, destination, message } => {
                self.reply(connection, &destination, message);
            }
            Command::Finish { call, refused } => self.finish(call, refused),
            Command::Bridge(event) => self.hear(event),
            Command::TimePassed => {}
        }
    }

    /// Returns where the answer to a command of a connection goes.
    pub(super) fn requester(
        &self,
        connection: ConnectionId,
        request: Option<RequestId>,
    ) -> Requester {
        let generation = self.connections.get(&connection).map_or(0, |it| it.generation);
        let connection = Some(connection);
        Requester { connection, generation, request, number: None, is_transaction: false }
    }

    /// Lists a command that is answered once so many parts of it are processed.
    pub(super) fn wait_for_parts(&mut self, requester: Requester, parts: usize) -> Requester {
        let number = self.next_number();
        let connection = requester.connection.and_then(|it| self.connections.get_mut(&it));
        if let Some(connection) = connection {
            connection.wait_for_parts(number, parts);
        }
        Requester { number: Some(number), ..requester }
    }

    pub(super) fn next_number(&mut self) -> NonZeroU64 {
        self.last_number = self.last_number.checked_add(1).unwrap_or(NonZeroU64::MIN);
        self.last_number
    }

    /// Tells that a command, or a part of one, was processed.
    pub(super) fn processed(&mut self, requester: Requester, cursor: Option<Cursor>) {
        if !self.is_to_be_told(requester, false) {
            return;
        }
        let Requester { connection, request: Some(request), .. } = requester else { return };
        let cursor = cursor.filter(|_| !requester.is_transaction);
        self.effects.push(Effect::Processed { connection, request, cursor });
    }

    /// Tells that a command, or a part of one, is refused.
    pub(super) fn refused(&mut self, requester: Requester, refusal: Refusal) {
        self.refused_with(requester, None, refusal);
    }

    /// Tells that a command, or a part of one, is refused, and perhaps a subscription with it.
    pub(super) fn refused_with(
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

    pub(super) fn sequence_of(&self, is_bridged: bool) -> Option<&Sequence> {
        if is_bridged { self.bridge.as_ref()?.sequence.as_ref() } else { Some(&self.sequence) }
    }

    pub(super) fn is_bridged(&self, topic: &str) -> bool {
        self.bridge.is_some() && !self.config.is_local(topic)
    }
}
