//! The messages that topics keep, in the order of all of them.

use super::keys::TopicKey;
use alloc::collections::{BTreeMap, VecDeque};
use core::{iter, ops::Bound};

/// Which topic keeps the message of each position. So a subscription of a pattern continues without a
/// look at every topic that matches.
///
/// An entry stays here for a while after its message is gone. Whoever reads asks the topic.
#[derive(Debug)]
pub(super) struct Log {
    /// What has come in its order, as all that the hub itself publishes.
    in_order: VecDeque<(u64, TopicKey)>,
    /// What has come behind newer messages, as a part of a history. No position is in both.
    late: BTreeMap<u64, TopicKey>,
    /// How many entries there may be before those in the middle are looked through.
    most: usize,
}

impl Log {
    const FEW: usize = 1024;

    pub(super) const fn new() -> Self {
        Self { in_order: VecDeque::new(), late: BTreeMap::new(), most: Self::FEW }
    }

    fn len(&self) -> usize {
        self.in_order.len() + self.late.len()
    }

    /// Adds a message that its topic keeps. Each entry is looked at a bounded number of times.
    pub(super) fn insert(
        &mut self,
        position: u64,
        topic: TopicKey,
        is_kept: impl Fn(u64, TopicKey) -> bool,
    ) {
        if self.in_order.back().is_none_or(|&(last, _)| last < position) {
            self.late.remove(&position);
            self.in_order.push_back((position, topic));
        } else {
            match self.in_order.binary_search_by_key(&position, |&(position, _)| position) {
                // The topic was forgotten, and followed again.
                Ok(index) => self.in_order[index].1 = topic,
                Err(_) => drop(self.late.insert(position, topic)),
            }
        }
        // Not with each message: a look at the oldest is a look at another topic.
        if self.len() % 64 == 0 {
            self.trim(&is_kept);
        }
        if self.len() > self.most {
            self.in_order.retain(|&(position, topic)| is_kept(position, topic));
            self.late.retain(|&position, &mut topic| is_kept(position, topic));
            self.most = Self::FEW.max(self.len().saturating_mul(2));
        }
    }

    /// Drops the oldest entries whose messages are gone.
    pub(super) fn trim(&mut self, is_kept: impl Fn(u64, TopicKey) -> bool) {
        while self.in_order.front().is_some_and(|&(position, topic)| !is_kept(position, topic)) {
            self.in_order.pop_front();
        }
        while let Some(oldest) = self.late.first_entry() {
            if is_kept(*oldest.key(), *oldest.get()) {
                break;
            }
            oldest.remove();
        }
        let room = self.in_order.len().max(64).saturating_mul(2);
        if self.in_order.capacity() / 2 > room {
            self.in_order.shrink_to(room);
        }
    }

    /// Returns the entries after a position, in their order.
    pub(super) fn after(&self, position: u64) -> impl Iterator<Item = (u64, TopicKey)> {
        let begin = self.in_order.partition_point(|&(candidate, _)| candidate <= position);
        let late = self.late.range((Bound::Excluded(position), Bound::Unbounded));
        let mut late = late.map(|(&position, &topic)| (position, topic)).peekable();
        let mut in_order = self.in_order.range(begin..).copied().peekable();
        iter::from_fn(move || match (in_order.peek(), late.peek()) {
            (Some(next), Some(other)) if next < other => in_order.next(),
            (Some(_), None) => in_order.next(),
            _ => late.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn what_is_gone_is_bounded() {
        let mut log = Log::new();
        let topic = TopicKey::FIRST;
        // Of 100,000 messages, one in the middle of each hundred is kept, and the first.
        let is_kept = |position: u64, _| position % 100 == 50 || position == 1;
        for position in 1..=100_000 {
            log.insert(position, topic, is_kept);
            assert!(log.len() <= 2 * Log::FEW, "{}", log.len());
        }
        assert_eq!(
            log.after(99_900).find(|&(position, _)| is_kept(position, topic)).unwrap().0,
            99_950
        );
        log.trim(|_, _| false);
        assert!(log.len() == 0 && log.in_order.capacity() <= 256);
    }

    #[test]
    fn what_comes_late_has_its_place() {
        let (mut log, is_kept) = (Log::new(), |_, _| true);
        for position in [5, 9, 3, 7, 9, 3, 5, 8] {
            log.insert(position, TopicKey::FIRST, is_kept);
        }
        let after = |log: &Log, from| log.after(from).map(|(at, _)| at).collect::<Vec<_>>();
        assert_eq!(after(&log, 0), [3, 5, 7, 8, 9]);
        assert_eq!(after(&log, 7), [8, 9]);
        // What was late comes again, and is the newest now.
        log.trim(|position, _| position > 9);
        log.insert(5, TopicKey::FIRST, is_kept);
        log.insert(3, TopicKey::FIRST, is_kept);
        log.in_order.clear();
        log.insert(3, TopicKey::FIRST, is_kept);
        assert_eq!(after(&log, 0), [3]);
    }
}
