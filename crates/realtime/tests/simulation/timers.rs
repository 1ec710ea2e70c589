//! Deadlines of many machines, the earliest first.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

#[derive(Debug)]
pub(crate) struct Timers<K> {
    at: BTreeMap<K, Duration>,
    order: BTreeSet<(Duration, K)>,
}

impl<K: Copy + Ord> Timers<K> {
    pub(crate) const fn new() -> Self {
        Self { at: BTreeMap::new(), order: BTreeSet::new() }
    }

    pub(crate) fn set(&mut self, key: K, deadline: Option<Duration>) {
        if let Some(before) = self.at.remove(&key) {
            self.order.remove(&(before, key));
        }
        if let Some(deadline) = deadline {
            self.at.insert(key, deadline);
            self.order.insert((deadline, key));
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.order.first().map(|(deadline, _)| *deadline)
    }

    /// Takes one whose deadline has passed.
    pub(crate) fn take(&mut self, now: Duration) -> Option<K> {
        let (deadline, key) = *self.order.first()?;
        (deadline <= now).then(|| {
            self.set(key, None);
            key
        })
    }
}
