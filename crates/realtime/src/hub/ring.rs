//! What a topic keeps for subscribers that resume after a cursor.

use super::TopicConfig;
use crate::message::Published;
use alloc::{collections::VecDeque, sync::Arc};
use core::time::Duration;

/// The newest messages of a topic, in the order of their positions.
///
/// Nothing is missing after `complete_after`: every message of the topic with a higher position is
/// here, up to `complete_through`. Whoever has got less has missed messages.
#[derive(Debug)]
pub(super) struct Ring {
    kept: VecDeque<Kept>,
    /// The bytes of the messages, with what each takes beside its size.
    bytes: usize,
    complete_after: u64,
    /// `u64::MAX` while every further message comes here.
    complete_through: u64,
}

#[derive(Debug)]
struct Kept {
    message: Arc<Published>,
    position: u64,
    expires: Duration,
}

impl Ring {
    /// Creates a ring of a topic that has no messages after one position, up to another.
    pub(super) const fn new(complete_after: u64, complete_through: u64) -> Self {
        Self { kept: VecDeque::new(), bytes: 0, complete_after, complete_through }
    }

    /// Creates a ring of a topic of which nothing is known.
    pub(super) const fn unknown() -> Self {
        Self::new(0, 0)
    }

    pub(super) fn complete_after(&self) -> u64 {
        self.complete_after
    }

    pub(super) fn complete_through(&self) -> u64 {
        self.complete_through
    }

    /// Notes that messages after this position do not come here.
    pub(super) fn ends_at(&mut self, position: u64) {
        self.complete_through = self.complete_through.min(position);
    }

    /// Notes that nothing is missing, and that every further message comes here.
    pub(super) fn goes_on(&mut self) {
        self.complete_through = u64::MAX;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the position of the newest message, or the one from which on nothing is missing.
    pub(super) fn last(&self) -> u64 {
        self.kept.back().map_or(self.complete_after, |kept| kept.position)
    }

    pub(super) fn newest(&self) -> Option<&Arc<Published>> {
        self.kept.back().map(|kept| &kept.message)
    }

    /// Returns how many bytes the messages have.
    fn size(&self) -> usize {
        self.bytes - self.kept.len() * Published::OVERHEAD
    }

    /// Returns the message with this position.
    pub(super) fn get(&self, position: u64) -> Option<&Arc<Published>> {
        // Mostly, the oldest or the newest is wanted.
        let (oldest, newest) = (self.kept.front()?, self.kept.back()?);
        if position <= oldest.position || position >= newest.position {
            let end = [oldest, newest].into_iter().find(|kept| kept.position == position);
            return end.map(|kept| &kept.message);
        }
        let index = self.kept.binary_search_by_key(&position, |kept| kept.position).ok()?;
        self.kept.get(index).map(|kept| &kept.message)
    }

    /// Returns when the oldest message expires.
    pub(super) fn expires(&self) -> Option<Duration> {
        self.kept.front().map(|kept| kept.expires)
    }

    /// Returns the messages after a position.
    pub(super) fn after(&self, position: u64) -> impl Iterator<Item = (u64, &Arc<Published>)> {
        let begin = self.kept.partition_point(|kept| kept.position <= position);
        self.kept.range(begin..).map(|kept| (kept.position, &kept.message))
    }

    /// Adds a message behind all others, and drops what is too much.
    pub(super) fn push(
        &mut self,
        message: &Arc<Published>,
        position: u64,
        config: &TopicConfig,
        now: Duration,
    ) {
        self.push_above_limits(message, position, now.saturating_add(config.age));
        while self.kept.len() > config.messages || self.size() > config.bytes {
            self.drop_oldest();
        }
    }

    /// As [`push`](Self::push), but drops nothing: the messages may be more than the topic keeps, until
    /// the next one is pushed.
    pub(super) fn push_above_limits(
        &mut self,
        message: &Arc<Published>,
        position: u64,
        expires: Duration,
    ) {
        self.bytes += taken_by(message);
        self.kept.push_back(Kept { message: message.clone(), position, expires });
    }

    /// Adds older messages, which the topic's broker has, in front of all others, and drops nothing.
    pub(super) fn extend_front(
        &mut self,
        messages: impl DoubleEndedIterator<Item = (u64, Arc<Published>)>,
        complete_after: u64,
        expires: Duration,
    ) {
        for (position, message) in messages.rev() {
            self.bytes += taken_by(&message);
            self.kept.push_front(Kept { message, position, expires });
        }
        self.complete_after = complete_after;
    }

    /// Drops the oldest message, and returns how many [bytes](Self::bytes) it took.
    pub(super) fn drop_oldest(&mut self) -> usize {
        let Some(oldest) = self.kept.pop_front() else { return 0 };
        let bytes = taken_by(&oldest.message);
        self.bytes -= bytes;
        self.complete_after = self.complete_after.max(oldest.position);
        // After many, the memory returns while there are few.
        if self.kept.len() < self.kept.capacity() / 4 {
            self.kept.shrink_to(self.kept.len().saturating_mul(2));
        }
        bytes
    }

    /// Drops everything, since messages are missing up to this position.
    pub(super) fn restart(&mut self, complete_after: u64) {
        *self = Self::new(complete_after, complete_after);
    }
}

fn taken_by(message: &Published) -> usize {
    message.message().size() + Published::OVERHEAD
}
