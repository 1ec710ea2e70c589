//! The messages that topics keep, in the order of all of them.

use super::keys::TopicKey;
use alloc::collections::VecDeque;

/// Which topic keeps the message of each position. So a subscription of a pattern continues without a
/// look at every topic that matches.
///
/// An entry stays here for a while after its message is gone. Whoever reads asks the topic.
#[derive(Debug)]
pub(super) struct Log {
    entries: VecDeque<(u64, TopicKey)>,
    /// How many entries there may be before those in the middle are looked through.
    most: usize,
}

impl Log {
    const FEW: usize = 1024;

    pub(super) const fn new() -> Self {
        Self { entries: VecDeque::new(), most: Self::FEW }
    }

    /// Adds a message behind all others. Each entry is looked at a bounded number of times.
    pub(super) fn push(
        &mut self,
        position: u64,
        topic: TopicKey,
        is_kept: impl Fn(u64, TopicKey) -> bool,
    ) {
        // Not with each message: a look at the oldest is a look at another topic.
        if self.entries.len() % 64 == 63 {
            self.trim(&is_kept);
        }
        if self.entries.len() >= self.most {
            self.entries.retain(|&(position, topic)| is_kept(position, topic));
            self.most = Self::FEW.max(self.entries.len().saturating_mul(2));
            self.entries.shrink_to(self.most);
        }
        self.entries.push_back((position, topic));
    }

    /// Drops the oldest entries whose messages are gone.
    pub(super) fn trim(&mut self, is_kept: impl Fn(u64, TopicKey) -> bool) {
        while self.entries.front().is_some_and(|&(position, topic)| !is_kept(position, topic)) {
            self.entries.pop_front();
        }
        if self.entries.is_empty() {
            *self = Self::new();
        }
    }

    /// Returns the entries after a position.
    pub(super) fn after(&self, position: u64) -> impl Iterator<Item = (u64, TopicKey)> {
        let begin = self.entries.partition_point(|(candidate, _)| *candidate <= position);
        self.entries.range(begin..).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_bounded() {
        let mut log = Log::new();
        let topic = TopicKey::FIRST;
        // Of 100,000 messages, one in the middle of each hundred is kept, and the first.
        let is_kept = |position: u64, _| position % 100 == 50 || position == 1;
        for position in 1..=100_000 {
            log.push(position, topic, is_kept);
            assert!(log.entries.len() <= 2 * Log::FEW, "{}", log.entries.len());
        }
        assert_eq!(
            log.after(99_900).find(|&(position, _)| is_kept(position, topic)).unwrap().0,
            99_950
        );
        log.trim(|_, _| false);
        assert!(log.entries.is_empty() && log.entries.capacity() == 0);
    }
}
