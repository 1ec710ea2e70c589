//! The options of the connection to Redis, and of what is stored there.

use super::Address;
use std::{num::NonZeroU32, time::Duration};

/// Options of [`Redis`](super::Redis).
///
/// All nodes of a system have to agree on [`prefix`](Self::prefix), and should on what is kept.
///
/// | option | default | |
/// |---|---|---|
/// | [`address`](Self::address) | `redis://127.0.0.1:6379/0` | where Redis is |
/// | [`prefix`](Self::prefix) | `sansocket` | what all keys and channels begin with |
/// | [`messages`](Self::messages) | 1,000 | what a topic keeps |
/// | [`age`](Self::age) | 1 hour | after its last message, a topic keeps none |
/// | [`topics`](Self::topics) | 100,000 | of how many topics the last position is known |
/// | [`queue`](Self::queue) | 100,000 | of messages in a queue, those included that are delivered; above it, messages are refused |
/// | [`queued`](Self::queued) | 1 GiB | of messages in all queues; above it, messages are refused |
/// | [`message`](Self::message) | 4 MiB | a larger message is refused |
/// | [`history_messages`](Self::history_messages), [`history_bytes`](Self::history_bytes) | 1,000; 2 MiB | what one answer has of a history; Redis keeps about twice as many bytes of a topic |
/// | [`received`](Self::received) | 64 MiB | what waits here to be delivered; above it, the node connects again |
/// | [`durable`](Self::durable) | no | whether Redis keeps what it has answered |
/// | [`ping`](Self::ping), [`deadline`](Self::deadline) | 3 s; 10 s | when the connection counts as lost |
/// | [`connect`](Self::connect) | 5 s | for an attempt to connect |
/// | [`first_pause`](Self::first_pause), [`longest_pause`](Self::longest_pause) | 100 ms; 5 s | between attempts |
/// | [`absence`](Self::absence) | 30 s | after which a node counts as dead |
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisOptions {
    /// Where Redis is.
    pub address: Address,
    /// What the names of all keys and channels begin with, in braces: `{sansocket}`. Systems with different
    /// prefixes can share a Redis. It can't be empty or contain braces.
    pub prefix: String,
    /// How many messages of each topic Redis keeps at least, as long as they are not too old. It drops the
    /// ones before in blocks, so there can be a hundred more.
    pub messages: NonZeroU32,
    /// How long after the last message of a topic Redis keeps its messages.
    pub age: Duration,
    /// Of how many topics Redis knows the last position, so that a subscriber can be told exactly whether
    /// it has missed something. If there are more, those whose last message is the oldest are
    /// forgotten: who resumes from before it is told of a gap, even if there is none.
    pub topics: NonZeroU32,
    /// How many messages a queue can have, those included that are delivered and not acknowledged. Others are
    /// refused.
    pub queue: NonZeroU32,
    /// How many bytes all queues together can have, with 180 more for each message. Others are refused. Keep it
    /// well below the memory of Redis: what nobody consumes stays, and when the memory is full, nodes can't
    /// connect to consume it.
    pub queued: usize,
    /// How many bytes a message can have, with its headers.
    pub message: usize,
    /// How many messages one answer has at most: the newest ones. What was before them is a gap.
    pub history_messages: NonZeroU32,
    /// How many bytes of messages one answer has at most, if it has more than one. Redis drops messages of a
    /// topic that no answer has for that, in blocks: it keeps up to twice as many bytes of a topic, and two
    /// messages more.
    pub history_bytes: usize,
    /// How many bytes of messages from Redis wait here at most. If there are more, the node is too slow: it
    /// connects again, and catches up by the histories.
    pub received: usize,
    /// Whether Redis has what it has answered even after a crash: with `appendonly yes` and
    /// `appendfsync always`. If so, positions go on after a restart. Otherwise each restart begins
    /// another sequence, and all subscribers are told of a gap, because nobody knows what is lost.
    ///
    /// It can't be used with Sentinels, since a replica that becomes master can lack what was answered.
    pub durable: bool,
    /// How long nothing is asked of Redis before the node asks whether it is still there.
    pub ping: Duration,
    /// How long an answer of Redis can take.
    pub deadline: Duration,
    /// How long an attempt to connect can take, the first questions included.
    pub connect: Duration,
    /// The bound of the first pause between attempts to connect. It doubles with each attempt, and each
    /// pause is a random part of it.
    pub first_pause: Duration,
    /// The bound of all pauses. It returns to the first one after a connection that lasted longer.
    pub longest_pause: Duration,
    /// How long a node can be away before it counts as dead. It has to be longer than
    /// [`ping`](Self::ping) and [`deadline`](Self::deadline) together.
    pub absence: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        const THOUSAND: NonZeroU32 = NonZeroU32::new(1_000).unwrap();
        const HUNDRED_THOUSAND: NonZeroU32 = NonZeroU32::new(100_000).unwrap();
        Self {
            address: Address::default(),
            prefix: "sansocket".into(),
            messages: THOUSAND,
            age: Duration::from_secs(3_600),
            topics: HUNDRED_THOUSAND,
            queue: HUNDRED_THOUSAND,
            queued: 1 << 30,
            message: 4 << 20,
            history_messages: THOUSAND,
            history_bytes: 2 << 20,
            received: 64 << 20,
            durable: false,
            ping: Duration::from_secs(3),
            deadline: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
            absence: Duration::from_secs(30),
        }
    }
}

impl RedisOptions {
    /// Checks what types can't.
    pub(super) fn check(&self) -> Result<(), InvalidOptions> {
        let is_wrong = |character: char| matches!(character, '{' | '}') || character.is_control();
        if self.prefix.is_empty() || self.prefix.contains(is_wrong) {
            return Err(InvalidOptions::Prefix(self.prefix.clone()));
        }
        if self.durable && self.address.is_of_sentinels() {
            return Err(InvalidOptions::DurableSentinels);
        }
        let durations = [
            ("age", self.age),
            ("ping", self.ping),
            ("deadline", self.deadline),
            ("connect", self.connect),
            ("absence", self.absence),
        ];
        for (option, duration) in durations {
            if duration.as_millis() == 0 {
                return Err(InvalidOptions::Zero(option));
            }
        }
        let shortest = self.ping.saturating_add(self.deadline);
        if self.absence <= shortest {
            return Err(InvalidOptions::Absence { absence: self.absence, shortest });
        }
        Ok(())
    }
}

/// Options of [`Redis`](super::Redis) that can't be. It is the operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOptions {
    /// The prefix is empty, or contains braces or control characters.
    #[error("the prefix {0:?} of keys is empty, or contains braces or control characters")]
    Prefix(String),
    /// Sentinels can make a replica the master that lacks what the last one has answered.
    #[error(
        "Redis can't be durable with Sentinels: a replica can lack what its master has answered"
    )]
    DurableSentinels,
    /// A duration is shorter than a millisecond.
    #[error("the option {0} of Redis has to be at least a millisecond")]
    Zero(&'static str),
    /// A node would count as dead before it can know that its connection is lost.
    #[error(
        "a node would count as dead after {absence:?}, but notices only after {shortest:?} that its connection is lost"
    )]
    Absence {
        /// What was given.
        absence: Duration,
        /// It has to be longer than that.
        shortest: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut RedisOptions)) -> Result<(), InvalidOptions> {
        let mut options = RedisOptions::default();
        change(&mut options);
        options.check()
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        assert_eq!(check(|_| ()), Ok(()));
        for prefix in ["", "a{b", "a}b", "a\n"] {
            let checked = check(|options| options.prefix = prefix.into());
            assert_eq!(checked, Err(InvalidOptions::Prefix(prefix.into())));
        }
        let checked = check(|options| {
            options.durable = true;
            options.address = "redis+sentinel://a/b".parse().unwrap();
        });
        assert_eq!(checked, Err(InvalidOptions::DurableSentinels));
        let checked = check(|options| options.ping = Duration::from_micros(999));
        assert_eq!(checked, Err(InvalidOptions::Zero("ping")));
        let checked = check(|options| options.absence = Duration::from_secs(13));
        assert!(matches!(checked, Err(InvalidOptions::Absence { .. })));
    }
}
