//! What clients have at one entry of a table at a time: connections and subscriptions.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The place of an entry in its table. It stays valid while something is [`Held`] there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(pub(super) u32);

/// How many connections and subscriptions are held at an entry.
///
/// They are atomic because a client that is dropped does not have its guard at hand. Only the guard
/// adds to them, so what it has checked can only become less.
#[derive(Debug, Default)]
pub(super) struct Counts {
    connections: AtomicUsize,
    subscriptions: AtomicUsize,
}

/// What one client has at an entry. It counts until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    slot: Slot,
    counts: Arc<Counts>,
    connections: usize,
    subscriptions: usize,
}

impl Counts {
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    pub(super) fn subscriptions(&self) -> usize {
        self.subscriptions.load(Relaxed)
    }
}

impl Held {
    /// Holds nothing yet.
    pub(super) fn new(slot: Slot, counts: &Arc<Counts>) -> Self {
        Self { slot, counts: counts.clone(), connections: 0, subscriptions: 0 }
    }

    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    pub(super) fn has_subscriptions(&self) -> bool {
        self.subscriptions > 0
    }

    pub(super) fn add_connection(&mut self) {
        self.counts.connections.fetch_add(1, Relaxed);
        self.connections += 1;
    }

    pub(super) fn add_subscriptions(&mut self, count: usize) {
        self.counts.subscriptions.fetch_add(count, Relaxed);
        self.subscriptions += count;
    }

    /// Holds one subscription less, if there is one.
    pub(super) fn remove_subscription(&mut self) {
        if let Some(left) = self.subscriptions.checked_sub(1) {
            self.subscriptions = left;
            self.counts.subscriptions.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counts.connections.fetch_sub(self.connections, Relaxed);
        self.counts.subscriptions.fetch_sub(self.subscriptions, Relaxed);
    }
}
