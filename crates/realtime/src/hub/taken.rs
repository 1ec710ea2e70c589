//! The messages of the broker's queues that are with this hub.

use crate::bridge::Outcome;
use alloc::{collections::BTreeMap, sync::Arc};

/// The messages of queues that the broker has given to this hub in its present epoch, by their
/// positions.
///
/// The broker can tell a message again until it has answered the settlement. So a message stays here
/// until then.
#[derive(Debug, Default)]
pub(super) struct Taken {
    messages: BTreeMap<u64, Option<Settlement>>,
    /// How many settlements are not answered.
    unanswered: usize,
}

/// What the broker is told of a message, until it has answered.
#[derive(Clone, Debug)]
pub(super) struct Settlement {
    pub(super) destination: Arc<str>,
    pub(super) outcome: Outcome,
}

impl Taken {
    /// Notes that a message is here. Returns whether it was not.
    pub(super) fn insert(&mut self, position: u64) -> bool {
        let is_new = !self.messages.contains_key(&position);
        if is_new {
            self.messages.insert(position, None);
        }
        is_new
    }

    /// Notes what has become of a message.
    pub(super) fn settle(&mut self, position: u64, settlement: Settlement) {
        if self.messages.insert(position, Some(settlement)).flatten().is_none() {
            self.unanswered += 1;
        }
    }

    /// Notes that the broker knows what has become of a message.
    pub(super) fn is_answered(&mut self, position: u64) {
        if self.messages.get(&position).is_some_and(Option::is_some) {
            self.messages.remove(&position);
            self.unanswered -= 1;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the settlements that are not answered.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (u64, &Settlement)> {
        self.messages.iter().filter_map(|(&position, it)| Some((position, it.as_ref()?)))
    }

    /// Returns how many settlements are not answered.
    pub(super) fn count_unanswered(&self) -> usize {
        self.unanswered
    }
}
