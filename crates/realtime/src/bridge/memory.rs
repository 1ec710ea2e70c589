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
mod tests {
    use super::{
        super::{Member, Outcome},
        *,
    };
    use crate::cursor::Cursor;
    use alloc::{format, string::String, vec};

    const NOTHING: [&str; 0] = [];

    struct World {
        broker: Memory,
        node: Node,
        other: Node,
    }

    impl World {
        fn new(broker: Memory) -> Self {
            let mut broker = broker;
            let (node, other) = (broker.join(), broker.join());
            broker.connect(node);
            broker.connect(other);
            let mut world = Self { broker, node, other };
            assert_eq!(world.events(world.node), ["up b-0"]);
            assert_eq!(world.events(world.other), ["up b-0"]);
            world
        }

        fn publish(&mut self, sequence: u64, destination: &str) {
            let id = PublishId { node: Epoch(1), sequence };
            let (destination, message) = (destination.into(), Message::default());
            self.broker.handle(self.node, Command::Publish { id, destination, message });
        }

        fn follow(&mut self, destination: &str, after: Option<u64>) {
            let (question, destination) = (QuestionId(7), destination.into());
            self.broker.handle(self.node, Command::Follow { question, destination, after });
        }

        fn history(&mut self, destination: &str, after: u64) {
            let (question, destination) = (QuestionId(8), destination.into());
            self.broker.handle(self.node, Command::History { question, destination, after });
        }

        fn events(&mut self, node: Node) -> Vec<String> {
            core::iter::from_fn(|| self.broker.next(node)).map(show).collect()
        }

        fn own_events(&mut self) -> Vec<String> {
            self.events(self.node)
        }
    }

    fn show(event: Event) -> String {
        match event {
            Event::Up { epoch, head } => format!("up {epoch}-{head}"),
            Event::Down => "down".into(),
            Event::EpochChanged { epoch, head } => format!("epoch {epoch}-{head}"),
            Event::Published { id, position } => format!("published {} {position:?}", id.sequence),
            Event::Rejected { id, reason } => format!("rejected {}: {reason}", id.sequence),
            Event::Message(entry) => format!("{}@{}", entry.destination, entry.position),
            Event::Taken { entry, deliveries, again } => {
                let again = if again { " again" } else { "" };
                format!("taken {}@{} after {deliveries}{again}", entry.destination, entry.position)
            }
            Event::Stopped { destination } => format!("stopped {destination}"),
            Event::Settled { cursor } => format!("settled {cursor}"),
            Event::Left { question } => format!("left ?{}", question.0),
            Event::Members { question, destinations, members, .. } => {
                let topics = destinations.iter().zip(members);
                let topics =
                    topics.map(|(destination, members)| format!(" {destination} {members:?}"));
                format!("members ?{}{}", question.0, topics.collect::<String>())
            }
            Event::CountedAsDead => "counted as dead".into(),
            Event::History(history) => {
                let positions: Vec<_> = history.entries.iter().map(|it| it.position).collect();
                let History { question, destination, complete_after, head, .. } = history;
                let question = question.0;
                format!("?{question} {destination} {positions:?} after {complete_after} of {head}")
            }
        }
    }

    #[test]
    fn topics_and_patterns_are_followed_until_they_are_not() {
        let mut world = World::new(Memory::new(Epoch(0xb)));
        world.publish(1, "/topic/a");
        world.follow("/topic/a", None);
        world.follow("/topic/*", Some(0));
        assert_eq!(
            world.own_events(),
            ["published 1 Some(1)", "?7 /topic/a [] after 1 of 1", "?7 /topic/* [1] after 0 of 1"]
        );
        // A message is told once, before what comes later.
        world.publish(2, "/topic/a");
        assert_eq!(world.own_events(), ["/topic/a@2", "published 2 Some(2)"]);
        for destination in ["/topic/a", "/topic/*"] {
            let destination = destination.into();
            world.broker.handle(world.node, Command::Unfollow { destination });
        }
        world.publish(3, "/topic/a");
        assert_eq!(world.own_events(), ["published 3 Some(3)"]);
        assert_eq!(world.events(world.other), vec![""; 0]);
    }

    #[test]
    fn a_message_is_published_once() {
        let mut world = World::new(Memory::new(Epoch(0xb)));
        world.publish(1, "/topic/a");
        world.publish(2, "/topic/a");
        world.own_events();
        world.publish(1, "/topic/a");
        world.publish(2, "/topic/a");
        world.history("/topic/a", 0);
        assert_eq!(
            world.own_events(),
            ["published 1 None", "published 2 Some(2)", "?8 /topic/a [1, 2] after 0 of 2"]
        );
    }

    #[test]
    fn what_is_refused_stays_refused() {
        let broker = Memory::new(Epoch(0xb)).refuse("/topic/closed/*".parse().unwrap());
        let mut world = World::new(broker);
        world.publish(1, "/topic/closed/a");
        world.publish(2, "/topic/a");
        world.publish(1, "/topic/closed/a");
        let refused = "rejected 1: not allowed";
        assert_eq!(world.own_events(), [refused, "published 2 Some(1)", refused]);
    }

    #[test]
    fn the_history_of_each_topic_is_bounded() {
        let mut world = World::new(Memory::new(Epoch(0xb)).history(2));
        for (sequence, topic) in [(1, "b"), (2, "a"), (3, "a"), (4, "a"), (5, "b")] {
            world.publish(sequence, &format!("/topic/{topic}"));
        }
        world.own_events();
        world.history("/topic/a", 0);
        world.history("/topic/b", 0);
        world.history("/topic/*", 0);
        world.history("/topic/*", 3);
        world.history("/topic/a", 9);
        assert_eq!(
            world.own_events(),
            [
                "?8 /topic/a [3, 4] after 2 of 5",
                "?8 /topic/b [1, 5] after 0 of 5",
                "?8 /topic/* [3, 4, 5] after 2 of 5",
                "?8 /topic/* [4, 5] after 3 of 5",
                "?8 /topic/a [] after 5 of 5",
            ]
        );
    }

    #[test]
    fn what_was_not_fetched_is_lost_with_the_connection() {
        let mut world = World::new(Memory::new(Epoch(0xb)));
        world.follow("/topic/a", None);
        world.publish(1, "/topic/a");
        world.broker.disconnect(world.node);
        world.broker.disconnect(world.node);
        world.publish(2, "/topic/a");
        assert_eq!(world.own_events(), ["down"]);
        world.broker.connect(world.node);
        world.publish(3, "/topic/a");
        assert_eq!(world.own_events(), ["up b-1", "published 3 Some(2)"]);
        world.broker.connect(world.node);
        assert_eq!(world.own_events(), ["down", "up b-2"]);
    }

    #[test]
    fn queues_are_taken_and_never_followed() {
        let mut world = World::new(Memory::new(Epoch(0xb)));
        world.follow("/topic/**", Some(0));
        world.publish(1, "/queue/a");
        world.publish(1, "/queue/a");
        let (destination, count) = ("/queue/a".into(), 1);
        world.broker.handle(world.other, Command::Take { destination, count });
        world.publish(2, "/topic/a");
        assert_eq!(
            world.own_events(),
            [
                "?7 /topic/** [] after 0 of 0",
                "published 1 Some(1)",
                "published 1 Some(1)",
                "/topic/a@2",
                "published 2 Some(2)",
            ]
        );
        assert_eq!(world.events(world.other), ["taken /queue/a@1 after 0"]);
    }

    #[test]
    fn what_a_node_has_is_told_again_until_it_is_settled() {
        let mut world = World::new(Memory::new(Epoch(0xb)));
        let take = Command::Take { destination: "/queue/a".into(), count: 9 };
        let settle = |position| Command::Settle {
            destination: "/queue/a".into(),
            cursor: Cursor::new(Epoch(0xb), position),
            outcome: Outcome::Consumed,
        };
        world.broker.handle(world.other, take.clone());
        world.publish(1, "/queue/a");
        world.publish(2, "/queue/a");
        world.broker.handle(world.other, settle(1));
        world.broker.connect(world.other);
        let again = ["down", "up b-2", "taken /queue/a@2 after 0 again"];
        assert_eq!(world.events(world.other), again);
        // What it had asked for is void.
        world.publish(3, "/queue/a");
        assert_eq!(world.events(world.other), NOTHING);
        world.broker.handle(world.other, Command::Stop { destination: "/queue/a".into() });
        assert_eq!(world.events(world.other), ["stopped /queue/a"]);
        world.broker.count_as_dead(world.other);
        world.broker.handle(world.node, take.clone());
        assert_eq!(
            world.own_events()[3..],
            ["taken /queue/a@2 after 1", "taken /queue/a@3 after 0"]
        );
        // With another epoch, the position is one of another message.
        world.broker.begin_epoch(Epoch(0xc));
        world.broker.handle(world.other, take);
        world.publish(4, "/queue/a");
        world.broker.handle(world.other, settle(1));
        world.broker.connect(world.other);
        let again = ["down", "up c-1", "taken /queue/a@1 after 0 again"];
        assert_eq!(world.events(world.other), again);
    }

    #[test]
    fn another_epoch_begins_with_nothing() {
        let mut world = World::new(Memory::new(Epoch(0xb)));
        world.follow("/topic/a", None);
        world.publish(1, "/topic/a");
        world.broker.disconnect(world.other);
        world.broker.begin_epoch(Epoch(0xc));
        world.publish(1, "/topic/a");
        world.history("/topic/a", 0);
        assert_eq!(
            world.own_events(),
            [
                "?7 /topic/a [] after 0 of 0",
                "/topic/a@1",
                "published 1 Some(1)",
                "epoch c-0",
                "published 1 Some(1)",
                "?8 /topic/a [1] after 0 of 1",
            ]
        );
        assert_eq!(world.events(world.other), ["down"]);
        world.broker.connect(world.other);
        assert_eq!(world.events(world.other), ["up c-1"]);
    }

    impl World {
        fn enter(&mut self, node: Node, user: &str) {
            let (join, leave) = (Message::new("join"), Message::new("leave"));
            let (destination, member) = (PRESENCE.into(), Member::User(user.into()));
            self.broker.handle(node, Command::Enter { destination, member, join, leave });
        }

        fn leave(&mut self, node: Node, user: &str) {
            let (question, destination) = (QuestionId(9), PRESENCE.into());
            let member = Member::User(user.into());
            self.broker.handle(node, Command::Leave { question, destination, member });
        }

        fn members(&mut self) -> Vec<String> {
            let (question, destinations) = (QuestionId(5), [PRESENCE, "/presence/topic/b"]);
            let destinations = destinations.map(Into::into).into();
            self.broker.handle(self.node, Command::Members { question, destinations });
            self.own_events()
        }
    }

    const PRESENCE: &str = "/presence/topic/a";

    fn members(users: &[&str]) -> String {
        let users: Vec<_> = users.iter().map(|&user| Member::User(user.into())).collect();
        format!("members ?5 {PRESENCE} {users:?} /presence/topic/b []")
    }

    #[test]
    fn members_come_once_and_go_once() {
        let mut world = World::new(Memory::new(Epoch(0xb)));
        let (node, other) = (world.node, world.other);
        world.follow(PRESENCE, None);
        world.own_events();
        world.enter(node, "joe");
        world.enter(node, "joe");
        world.enter(other, "joe");
        world.enter(other, "ann");
        let told = world.members();
        assert_eq!(
            told,
            [&*format!("{PRESENCE}@1"), &format!("{PRESENCE}@2"), &members(&["ann", "joe"])]
        );
        world.leave(node, "joe");
        world.leave(node, "ann");
        assert_eq!(world.own_events(), ["left ?9", "left ?9"]);
        world.leave(other, "joe");
        assert_eq!(world.events(other), ["left ?9"]);
        assert_eq!(world.members(), [format!("{PRESENCE}@3"), members(&["ann"])]);
    }

    #[test]
    fn the_members_of_a_dead_node_leave_and_those_of_an_old_epoch_are_forgotten() {
        let mut world = World::new(Memory::new(Epoch(0xb)));
        let (node, other) = (world.node, world.other);
        world.follow(PRESENCE, None);
        world.enter(node, "joe");
        world.enter(other, "joe");
        world.enter(other, "ann");
        world.own_events();
        world.broker.disconnect(other);
        assert_eq!(world.events(other), ["down"]);
        assert_eq!(world.members(), [members(&["ann", "joe"])]);
        world.broker.count_as_dead(other);
        assert_eq!(world.members(), [format!("{PRESENCE}@3"), members(&["joe"])]);
        assert_eq!(world.events(other), NOTHING);
        // One that is not dead learns it.
        world.broker.count_as_dead(node);
        assert_eq!(world.own_events(), [format!("{PRESENCE}@4"), "counted as dead".into()]);
        world.enter(node, "joe");
        world.broker.begin_epoch(Epoch(0xc));
        assert_eq!(world.members(), [format!("{PRESENCE}@5"), "epoch c-0".into(), members(&[])]);
    }
}
