//! The options of a hub, with all of its limits.

use crate::destination::Pattern;
use alloc::{string::String, vec::Vec};
use core::{num::NonZeroU32, time::Duration};

/// Options of a [`Hub`](super::Hub). They bound what clients can make it keep.
///
/// | option | default | when it is exceeded |
/// |---|---|---|
/// | [`message`](Self::message) | 1 MiB | the message is refused |
/// | [`destination`](Self::destination) | 255 bytes | the command is refused |
/// | [`destinations`](Self::destinations) | 1,000,000 | the command is refused |
/// | [`subscriptions`](Self::subscriptions) | 1,000 a connection | the subscription is refused |
/// | [`transaction`](Self::transaction) | 1,000 operations | the transaction is refused |
/// | [`window`](Self::window) | 256 messages | deliveries wait for acknowledgements |
/// | [`replay`](Self::replay) | 256 MiB | of all topics, the messages that would expire first are dropped |
/// | [`replay_portion`](Self::replay_portion) | 256 KiB | the rest follows with later commands |
/// | [`queued`](Self::queued) | 256 MiB | the message is refused |
/// | [`outbox`](Self::outbox) | 10,000 messages, 64 MiB | the message is refused |
/// | [`TopicConfig`] | 100 messages, 1 MiB, 5 minutes | the oldest messages of the topic are dropped |
/// | [`QueueConfig`] | 10,000 messages, 64 MiB | the message is refused |
///
/// Sizes are those of [`Message::size`](crate::Message::size). Against the limits for all topics and all
/// queues, each message counts 200 bytes more. What the application itself publishes is not bound by
/// `message` and `destination`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The largest message of a client in bytes.
    pub message: usize,
    /// The longest destination of a client in bytes.
    pub destination: usize,
    /// How many topics and queues the hub can have at a time. A topic exists while it has subscribers
    /// or keeps messages; a queue, while it has consumers or messages.
    pub destinations: usize,
    /// How many subscriptions a connection can have. One of several destinations counts as so many.
    pub subscriptions: usize,
    /// How many operations a [transaction](super::Command::Commit) can have.
    pub transaction: usize,
    /// How many messages of a subscription can be unacknowledged at a time, unless the subscription
    /// asks for fewer. An acknowledgement out of order takes time in proportion to it.
    #[doc(alias = "prefetch")]
    pub window: NonZeroU32,
    /// How many bytes all topics together keep for replays. Beside them, a message has the forms in
    /// which it was encoded for its subscribers: one for each protocol that they speak, each about as
    /// large as the message.
    pub replay: usize,
    /// How many bytes of what topics keep one command delivers, with 200 more for each message. A message
    /// more than that can come. What is left follows with the next commands, so that you can
    /// [pause](super::Command::Pause) a connection in between: a client can resume many topics, and ask for
    /// more than it will ever read.
    pub replay_portion: usize,
    /// How many bytes all queues together keep. Those of a broker count with what consumers of this hub
    /// have of them; while there is no room, the hub takes no more, and nothing is refused.
    pub queued: usize,
    /// How many messages can wait for a broker that is away or has not answered.
    pub outbox: OutboxConfig,
    /// What topics keep. The first pattern that matches a topic counts.
    pub topics: Vec<(Pattern, TopicConfig)>,
    /// What topics keep that no pattern of [`topics`](Self::topics) matches.
    pub other_topics: TopicConfig,
    /// What queues keep, and how often they deliver.
    pub queues: QueueConfig,
    /// Topics and queues that stay in this hub even if it has a bridge, as `/topic/room/*` and `/queue/*`.
    /// So do the queues of users that a pattern names, as `/user/*/queue/drafts` does, and the presence of
    /// topics, as `/presence/topic/room/*` does: it is apart from the topics.
    ///
    /// A subscription of a pattern gets either local topics or those of the bridge: local ones if one of
    /// these patterns matches its text, as `/topic/room/*` matches itself and `/topic/room/a`. So with that
    /// alone, a subscription of `/topic/**` gets nothing of the rooms.
    pub local: Vec<Pattern>,
}

impl Default for Config {
    fn default() -> Self {
        const WINDOW: NonZeroU32 = NonZeroU32::new(256).unwrap();
        Self {
            message: 1 << 20,
            destination: 255,
            destinations: 1_000_000,
            subscriptions: 1_000,
            transaction: 1_000,
            window: WINDOW,
            replay: 256 << 20,
            replay_portion: 256 << 10,
            queued: 256 << 20,
            outbox: OutboxConfig::default(),
            topics: Vec::new(),
            other_topics: TopicConfig::default(),
            queues: QueueConfig::default(),
            local: Vec::new(),
        }
    }
}

impl Config {
    setters! {
        message: usize,
        destination: usize,
        destinations: usize,
        subscriptions: usize,
        transaction: usize,
        window: NonZeroU32,
        replay: usize,
        replay_portion: usize,
        queued: usize,
        outbox: OutboxConfig,
        other_topics: TopicConfig,
        queues: QueueConfig,
    }

    /// Adds a pattern to [`topics`](Self::topics). It counts if none of those before it matches.
    #[must_use]
    pub fn topic(mut self, pattern: Pattern, topic: TopicConfig) -> Self {
        self.topics.push((pattern, topic));
        self
    }

    /// Adds a pattern to [`local`](Self::local).
    #[must_use]
    pub fn local(mut self, pattern: Pattern) -> Self {
        self.local.push(pattern);
        self
    }

    /// Returns which configuration counts for a topic, for [`topic_at`](Self::topic_at).
    pub(super) fn index_of_topic(&self, topic: &str) -> u32 {
        let matching = self.topics.iter().position(|(pattern, _)| pattern.matches(topic));
        matching.and_then(|index| index.try_into().ok()).unwrap_or(u32::MAX)
    }

    pub(super) fn topic_at(&self, index: u32) -> &TopicConfig {
        self.topics.get(index as usize).map_or(&self.other_topics, |(_, config)| config)
    }

    pub(super) fn is_local(&self, topic: &str) -> bool {
        self.local.iter().any(|pattern| pattern.matches(topic))
    }
}

/// What a topic keeps for subscribers that resume after a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicConfig {
    /// How many messages the topic keeps. By default 100.
    pub messages: usize,
    /// How many bytes of messages the topic keeps. By default 1 MiB.
    pub bytes: usize,
    /// How long the topic keeps a message. By default 5 minutes.
    pub age: Duration,
    /// Whether the topic keeps its last message for [`Start::Last`](super::Start::Last), however old it
    /// is. A message with an empty body is not kept so, and takes the one before away, as in MQTT. By
    /// default the topic does not.
    pub retain: bool,
    /// Whether the hub tells who is subscribed to the topic, which has to be below `/topic`. By default it
    /// does not.
    ///
    /// It tells by messages in `/presence/topic/…`, and if it is [asked](super::Command::Presence). A new
    /// subscription of the presence begins with `{"event":"members","users":["joe",null]}`, even if it is
    /// paused or has no room in its window. The user of a connection without one is `null`.
    /// `{"event":"join","user":"joe","node":"5f3a"}` says that a user has come, and with `leave`, that the user's
    /// last subscription has gone. The `node` is the epoch of the hub where that was.
    ///
    /// Over a [bridge](crate::bridge), all of this is of all hubs, unless the presence is
    /// [local](Config::local): a user joins once, however many hubs they come to, and leaves with the last of
    /// them. When a hub dies, its users leave.
    ///
    /// A client does three things: it replaces what it has by each list, adds who joins, and removes who
    /// leaves, and does nothing about a join of somebody who is listed or a leave of somebody who is not. So it
    /// is right about users. Connections without one can't be told apart, so how many there are is only right
    /// if no list has overtaken what a slow client has yet to get.
    ///
    /// - After a [gap](super::Effect::Gap), the list comes again.
    /// - While the broker is away, a list is that of this hub, with `"partial":true` at its end. The whole one
    ///   follows when the broker is back.
    /// - A subscription that starts after a cursor gets no list: it resumes with what it knows. So a client
    ///   whose connection ends before it has the list after a gap, or the whole list after a partial one, begins
    ///   without a cursor. A [poll](crate::poll) always ends so: poll without a cursor then.
    pub presence: bool,
}

impl Default for TopicConfig {
    fn default() -> Self {
        let age = Duration::from_secs(300);
        Self { messages: 100, bytes: 1 << 20, age, retain: false, presence: false }
    }
}

impl TopicConfig {
    setters! { messages: usize, bytes: usize, age: Duration, retain: bool, presence: bool }
}

/// What queues keep, and how often they deliver a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueConfig {
    /// How many messages a queue keeps, those included that are delivered and not acknowledged. By
    /// default 10,000. How many a queue of a broker keeps, the broker says.
    pub messages: usize,
    /// How many bytes of messages a queue keeps. By default 64 MiB. Of a queue of a broker, the broker says
    /// it.
    pub bytes: usize,
    /// How often a message is delivered at most: once, and then again each time that a consumer rejects
    /// it or goes without having acknowledged it, at any hub. By default 5.
    pub deliveries: u32,
    /// The queue or topic for messages that were delivered so often. By default there is none, and such
    /// a message is [discarded](super::Effect::Discarded). If a broker refuses the dead letter, so is it.
    pub dead_letters: Option<String>,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { messages: 10_000, bytes: 64 << 20, deliveries: 5, dead_letters: None }
    }
}

impl QueueConfig {
    setters! { messages: usize, bytes: usize, deliveries: u32, dead_letters: Option<String> }
}

/// What can wait for a broker that is away or has not answered.
///
/// What the hub has taken of the broker's queues is settled and given up whether there is room or
/// not. Instead, the hub takes no more while the outbox is full, or while as many settlements as messages
/// have no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxConfig {
    /// How many messages can wait. By default 10,000.
    pub messages: usize,
    /// How many bytes of messages can wait. By default 64 MiB.
    pub bytes: usize,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self { messages: 10_000, bytes: 64 << 20 }
    }
}

impl OutboxConfig {
    setters! { messages: usize, bytes: usize }
}
