//! A broker in memory.

mod presence;
mod queues;

use self::{
    presence::Presence,
    queues::{Queues, Told},
};
use super::{Command, Entry, Event, History, PublishId, QuestionId};
use crate::{
    cursor::Epoch,
    destination::{Pattern, matches},
    message::Message,
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::ToString,
    sync::Arc,
    vec,
    vec::Vec,
};

/// A broker in memory, which joins hubs of one process.
///
/// It is a state machine like the hub: it takes each [`Command`] of a hub at once, and keeps the
/// [`Event`]s for each hub until you fetch them. So a test decides how long they take, and when a
/// connection is lost.
///
/// ```
/// use core::time::Duration;
/// use sansocket_realtime::{
///     Epoch, Message,
///     bridge::{Memory, Node},
///     hub::{Command, ConnectionId, Effect, Hub, SubscriptionId},
/// };
///
/// /// Gives a hub a command, passes on what it tells the broker, and returns the rest.
/// fn handle(hub: &mut Hub, node: Node, broker: &mut Memory, command: Command) -> Vec<Effect> {
///     let mut effects = Vec::new();
///     for effect in hub.handle(command, Duration::ZERO) {
///         match effect {
///             Effect::Bridge(command) => broker.handle(node, *command),
///             effect => effects.push(effect),
///         }
///     }
///     effects
/// }
///
/// /// Tells a hub what the broker has for it.
/// fn pump(hub: &mut Hub, node: Node, broker: &mut Memory) -> Vec<Effect> {
///     let mut effects = Vec::new();
///     while let Some(event) = broker.next(node) {
///         effects.extend(handle(hub, node, broker, Command::Bridge(event)));
///     }
///     effects
/// }
///
/// let mut broker = Memory::new(Epoch(0xb));
/// let (first_node, second_node) = (broker.join(), broker.join());
/// let mut first = Hub::new(Epoch(1)).with_bridge();
/// let mut second = Hub::new(Epoch(2)).with_bridge();
/// broker.connect(first_node);
/// broker.connect(second_node);
/// pump(&mut first, first_node, &mut broker);
/// pump(&mut second, second_node, &mut broker);
///
/// // A client of the first hub subscribes.
/// let connection = ConnectionId(1);
/// handle(&mut first, first_node, &mut broker, Command::Connect { connection, principal: None });
/// let subscribe = Command::Subscribe {
///     connection,
///     subscription: SubscriptionId(0),
///     destinations: vec!["/topic/orders".into()],
///     options: Default::default(),
///     request: None,
/// };
/// handle(&mut first, first_node, &mut broker, subscribe);
/// pump(&mut first, first_node, &mut broker);
///
/// // It gets what is published on the second hub.
/// let publish = Command::Publish {
///     destination: "/topic/orders".into(),
///     message: Message::new("shipped"),
///     request: None,
/// };
/// handle(&mut second, second_node, &mut broker, publish);
/// let effects = pump(&mut first, first_node, &mut broker);
/// assert!(matches!(
///     &effects[..],
///     [Effect::Deliver { message, .. }] if message.cursor().unwrap().to_string() == "b-1"
/// ));
/// ```
#[derive(Debug)]
pub struct Memory {
    epoch: Epoch,
    head: u64,
    history: usize,
    refused: Vec<Pattern>,
    topics: BTreeMap<Arc<str>, Log>,
    queues: Queues,
    presence: Presence,
    /// The last message of each publisher, and its position.
    published: BTreeMap<Epoch, (u64, u64)>,
    nodes: Vec<Link>,
}

/// Names a hub among those that a [`Memory`] joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(usize);

/// The newest messages of a topic.
#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<Entry>,
    /// The last message that was dropped.
    complete_after: u64,
}

/// The connection of a hub to the broker.
#[derive(Debug, Default)]
struct Link {
    is_up: bool,
    followed: BTreeSet<Arc<str>>,
    events: VecDeque<Event>,
}

impl Memory {
    /// Creates a broker that keeps 1,000 messages of each topic, and all messages of queues until they
    /// are consumed.
    #[must_use]
    pub const fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            head: 0,
            history: 1_000,
            refused: Vec::new(),
            topics: BTreeMap::new(),
            queues: Queues::new(),
            presence: Presence::new(),
            published: BTreeMap::new(),
            nodes: Vec::new(),
        }
    }

    /// Sets how many messages of each topic the broker keeps.
    #[must_use]
    pub fn history(mut self, messages: usize) -> Self {
        self.history = messages;
        self
    }

    /// Makes the broker refuse messages of the topics and queues that a pattern matches.
    #[must_use]
    pub fn refuse(mut self, destinations: Pattern) -> Self {
        self.refused.push(destinations);
        self
    }

    /// Adds a hub. It is not connected yet.
    pub fn join(&mut self) -> Node {
        self.nodes.push(Link::default());
        Node(self.nodes.len() - 1)
    }

    /// Connects a hub, or connects it again: it is told [`Up`](Event::Up), and then what it has taken of
    /// queues and not settled.
    pub fn connect(&mut self, node: Node) {
        self.disconnect(node);
        let (epoch, head) = (self.epoch, self.head);
        if let Some(link) = self.nodes.get_mut(node.0) {
            link.is_up = true;
            link.events.push_back(Event::Up { epoch, head });
            link.events.extend(self.queues.still_with(node.0));
        }
    }

    /// Cuts the connection of a hub. What it has not fetched is lost, and it is told
    /// [`Down`](Event::Down). Until it is [connected](Self::connect) again, its commands get lost.
    pub fn disconnect(&mut self, node: Node) {
        if let Some(link) = self.nodes.get_mut(node.0).filter(|link| link.is_up) {
            *link = Link::default();
            link.events.push_back(Event::Down);
            self.queues.disconnect(node.0);
        }
    }

    /// Counts a hub as dead: what it has taken of queues and not settled goes to others, as if it had been
    /// delivered once more, and its members leave. If the hub is connected, it is told
    /// [`CountedAsDead`](Event::CountedAsDead) and goes on. What it settles of what it had comes too late.
    pub fn count_as_dead(&mut self, node: Node) {
        let told = self.queues.count_as_dead(node.0);
        self.tell(told);
        for (destination, leave) in self.presence.count_as_dead(node.0) {
            self.publish_to_topic(destination, leave);
        }
        if let Some(link) = self.nodes.get_mut(node.0).filter(|link| link.is_up) {
            link.events.push_back(Event::CountedAsDead);
        }
    }

    /// Loses all messages and the sequence, and begins another.
    pub fn begin_epoch(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.head = 0;
        self.topics.clear();
        self.queues.clear();
        self.presence.clear();
        self.published.clear();
        for link in self.nodes.iter_mut().filter(|link| link.is_up) {
            link.followed.clear();
            link.events.push_back(Event::EpochChanged { epoch, head: 0 });
        }
    }

    /// Handles a command of a hub.
    pub fn handle(&mut self, node: Node, command: Command) {
        let Some(link) = self.nodes.get_mut(node.0).filter(|link| link.is_up) else { return };
        match command {
            Command::Publish { id, destination, message } => {
                let event = self.publish(id, &destination, message);
                if let Some(link) = self.nodes.get_mut(node.0) {
                    link.events.push_back(event);
                }
            }
            Command::Follow { question, destination, after } => {
                link.followed.insert(destination.clone());
                self.answer(node, question, destination, after.unwrap_or(self.head));
            }
            Command::Unfollow { destination } => {
                link.followed.remove(&destination);
            }
            Command::History { question, destination, after } => {
                self.answer(node, question, destination, after);
            }
            Command::Take { destination, count } => {
                let told = self.queues.take(node.0, &destination, count);
                self.tell(told);
            }
            Command::Stop { destination } => {
                self.queues.stop(node.0, &destination);
                link.events.push_back(Event::Stopped { destination });
            }
            Command::Settle { destination, cursor, outcome } => {
                let of_epoch = Some(cursor.position).filter(|_| cursor.epoch == self.epoch);
                link.events.push_back(Event::Settled { cursor });
                let told = of_epoch.map(|at| self.queues.settle(node.0, &destination, at, outcome));
                self.tell(told.unwrap_or_default());
            }
            Command::Enter { destination, member, join, leave } => {
                if self.presence.enter(node.0, &destination, member, leave) {
                    self.publish_to_topic(destination, join);
                }
            }
            Command::Leave { question, destination, member } => {
                let leave = self.presence.leave(node.0, &destination, &member);
                if let Some(leave) = leave {
                    self.publish_to_topic(destination, leave);
                }
                self.tell(vec![(node.0, Event::Left { question })]);
            }
            Command::Members { question, destinations } => {
                let members = destinations.iter().map(|it| self.presence.members(it)).collect();
                link.events.push_back(Event::Members {
                    question,
                    destinations,
                    members,
                    is_partial: false,
                });
            }
        }
    }

    /// Returns the next event for a hub.
    pub fn next(&mut self, node: Node) -> Option<Event> {
        self.nodes.get_mut(node.0)?.events.pop_front()
    }

    fn publish(&mut self, id: PublishId, destination: &Arc<str>, message: Message) -> Event {
        if self.refused.iter().any(|pattern| pattern.matches(destination)) {
            return Event::Rejected { id, reason: "not allowed".to_string() };
        }
        if let Some(&(last, position)) = self.published.get(&id.node) {
            if id.sequence <= last {
                let position = Some(position).filter(|_| id.sequence == last);
                return Event::Published { id, position };
            }
        }
        let position = if destination.starts_with("/queue/") {
            let position = self.next_position();
            let entry = Entry { destination: destination.clone(), position, message };
            let told = self.queues.publish(entry);
            self.tell(told);
            position
        } else {
            self.publish_to_topic(destination.clone(), message)
        };
        self.published.insert(id.node, (id.sequence, position));
        Event::Published { id, position: Some(position) }
    }

    /// Gives a message the next position, and tells it to those who follow it.
    fn publish_to_topic(&mut self, destination: Arc<str>, message: Message) -> u64 {
        let position = self.next_position();
        let entry = Entry { destination: destination.clone(), position, message };
        for link in &mut self.nodes {
            if link.followed.iter().any(|followed| matches(followed, &destination)) {
                link.events.push_back(Event::Message(entry.clone()));
            }
        }
        self.topics.entry(destination).or_default().push(entry, self.history);
        position
    }

    fn next_position(&mut self) -> u64 {
        // At a billion messages a second it would take 584 years.
        self.head = self.head.saturating_add(1);
        self.head
    }

    fn tell(&mut self, told: Vec<Told>) {
        for (node, event) in told {
            if let Some(link) = self.nodes.get_mut(node) {
                link.events.push_back(event);
            }
        }
    }

    fn answer(&mut self, node: Node, question: QuestionId, destination: Arc<str>, after: u64) {
        let head = self.head;
        let matching = self.topics.iter().filter(|(topic, _)| matches(&destination, topic));
        let logs: Vec<&Log> = matching.map(|(_, log)| log).collect();
        let dropped = logs.iter().map(|log| log.complete_after).max().unwrap_or(0);
        let complete_after = after.max(dropped).min(head);
        let entries = logs.into_iter().flat_map(|log| &log.entries);
        let mut entries: Vec<_> =
            entries.filter(|entry| entry.position > complete_after).cloned().collect();
        entries.sort_unstable_by_key(|entry| entry.position);
        let history = History { question, destination, entries, complete_after, head };
        if let Some(link) = self.nodes.get_mut(node.0) {
            link.events.push_back(Event::History(history));
        }
    }
}

impl Log {
    fn push(&mut self, entry: Entry, at_most: usize) {
        self.entries.push_back(entry);
        while self.entries.len() > at_most {
            let dropped = self.entries.pop_front();
            self.complete_after = dropped.map_or(0, |dropped| dropped.position);
        }
    }
}

#[cfg(test)]
mod tests;
