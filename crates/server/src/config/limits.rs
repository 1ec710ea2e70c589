//! What clients may do, and what topics and queues keep.

use super::setting::{Meaning, Setting, of};
use super::units::{AtLeastOne, Count, Frequency, Interval, Limit, Size, Time};
use sansocket_realtime::Pattern;
use sansocket_realtime::guard::{self, ClientLimits, DestinationLimits, SlowConsumerConfig};
use sansocket_realtime::hub::{self, TopicConfig};
use serde::{Deserialize, Serialize};
use toml::Spanned;

section! {
    Limits {
        connections: Setting<AtLeastOne> = of("100000"),
        head_timeout: Setting<Interval> = of("10 s"),
        body_timeout: Setting<Interval> = of("30 s"),
        write_timeout: Setting<Interval> = of("60 s"),
        message: Setting<Size> = of("1 MiB"),
        destination: Setting<Size> = of("255"),
        destinations: Setting<Count> = of("1000000"),
        subscriptions: Setting<Count> = of("1000"),
        transaction: Setting<Count> = of("1000"),
        window: Setting<AtLeastOne> = of("256"),
        replay: Setting<Size> = of("256 MiB"),
        replay_portion: Setting<Size> = of("256 KiB"),
        queued: Setting<Size> = of("256 MiB"),
        remembered: Setting<Count> = of("262144"),
        exempt: Vec<Spanned<String>> = Vec::new(),
        user: OfUser = OfUser::default(),
        address: OfAddress = OfAddress::default(),
        slow_consumer: SlowConsumer = SlowConsumer::default(),
        destination_rule: Vec<DestinationRule> = Vec::new(),
    }
}

section! {
    OfUser for ClientLimits {
        connections: Setting<Limit<Count>> = of("100"),
        new_connections: Setting<Limit<Frequency>> = of("20 per second, 200 at once"),
        messages: Setting<Limit<Frequency>> = of("100 per second, 1000 at once"),
        bytes: Setting<Limit<Frequency>> = of("1 MiB per second, 16 MiB at once"),
        subscriptions: Setting<Limit<Count>> = of("10000"),
    }
}

section! {
    OfAddress for ClientLimits {
        connections: Setting<Limit<Count>> = of("1000"),
        new_connections: Setting<Limit<Frequency>> = of("100 per second, 1000 at once"),
        messages: Setting<Limit<Frequency>> = of("1000 per second, 10000 at once"),
        bytes: Setting<Limit<Frequency>> = of("8 MiB per second, 64 MiB at once"),
        subscriptions: Setting<Limit<Count>> = of("100000"),
    }
}

section! {
    SlowConsumer for SlowConsumerConfig {
        high_water: Setting<Size> = of("512 KiB"),
        low_water: Setting<Size> = of("128 KiB"),
        unsent: Setting<Size> = of("4 MiB"),
        stalled: Setting<Interval> = of("60 s"),
    }
}

/// What all clients may do together at each destination that a pattern matches.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DestinationRule {
    pub(crate) pattern: Spanned<String>,
    pub(crate) messages: Option<Setting<Frequency>>,
    pub(crate) bytes: Option<Setting<Frequency>>,
    pub(crate) subscriptions: Option<Setting<Count>>,
    pub(crate) message: Option<Setting<Size>>,
}

section! {
    /// What topics keep that no [`Topic`] is about.
    Topics for TopicConfig {
        messages: Setting<Count> = of("100"),
        bytes: Setting<Size> = of("1 MiB"),
        age: Setting<Time> = of("5 min"),
        retain: bool = false,
        presence: bool = false,
    }
}

/// What the topics keep that a pattern matches. What is not said is as in [`Topics`].
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Topic {
    pub(crate) pattern: Setting<Pattern>,
    pub(crate) messages: Option<Setting<Count>>,
    pub(crate) bytes: Option<Setting<Size>>,
    pub(crate) age: Option<Setting<Time>>,
    pub(crate) retain: Option<bool>,
    pub(crate) presence: Option<bool>,
}

section! {
    Queues {
        messages: Setting<Count> = of("10000"),
        bytes: Setting<Size> = of("64 MiB"),
        deliveries: Setting<AtLeastOne> = of("5"),
        dead_letters: Option<Spanned<String>> = None,
    }
}

impl Topic {
    pub(crate) fn config(&self, others: TopicConfig) -> TopicConfig {
        let mut config = others;
        config.messages = self.messages.as_ref().map_or(config.messages, Meaning::meaning);
        config.bytes = self.bytes.as_ref().map_or(config.bytes, |bytes| bytes.0);
        config.age = self.age.as_ref().map_or(config.age, |age| age.0);
        config.retain = self.retain.unwrap_or(config.retain);
        config.presence = self.presence.unwrap_or(config.presence);
        config
    }
}

impl Queues {
    pub(crate) fn config(&self) -> hub::QueueConfig {
        hub::QueueConfig::default()
            .messages(self.messages.meaning())
            .bytes(self.bytes.0)
            .deliveries(self.deliveries.0.get())
            .dead_letters(self.dead_letters.as_ref().map(|queue| queue.get_ref().clone()))
    }
}

impl Limits {
    /// Returns the limits of the guard, but for those of destinations.
    pub(crate) fn guard(&self) -> guard::Limits {
        guard::Limits::default()
            .principal(self.user.apply_to(ClientLimits::none()))
            .address(self.address.apply_to(ClientLimits::none()))
            .destination_name(self.destination.0)
            .remembered(self.remembered.meaning())
    }

    /// Sets the limits of the hub.
    pub(crate) fn hub(&self, hub: hub::Config) -> hub::Config {
        hub.message(self.message.0)
            .destination(self.destination.0)
            .destinations(self.destinations.meaning())
            .subscriptions(self.subscriptions.meaning())
            .transaction(self.transaction.meaning())
            .window(self.window.0)
            .replay(self.replay.0)
            .replay_portion(self.replay_portion.0)
            .queued(self.queued.0)
    }
}

impl DestinationRule {
    pub(crate) fn limits(&self) -> DestinationLimits {
        let mut limits = DestinationLimits::default();
        limits.messages = self.messages.as_ref().map(|it| it.0);
        limits.bytes = self.bytes.as_ref().map(|it| it.0);
        limits.subscriptions = self.subscriptions.as_ref().map(|it| it.0);
        limits.message_size = self.message.as_ref().map(|it| it.0);
        limits
    }
}
