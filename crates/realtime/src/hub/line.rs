//! The line in which consumers of a queue wait for messages.

use super::keys::SubscriptionKey;
use alloc::collections::BTreeMap;

/// The consumers that can take a message, in the order in which they get one.
#[derive(Debug, Default)]
pub(super) struct Line {
    places: BTreeMap<u64, Waiting>,
    last: u64,
    /// How many messages all of them can take.
    room: usize,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    consumer: SubscriptionKey,
    room: u32,
}

impl Line {
    /// Returns how many messages can be taken.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Adds a consumer that can take so many messages, and returns its place.
    pub(super) fn push(&mut self, consumer: SubscriptionKey, room: u32) -> u64 {
        self.last = self.last.saturating_add(1);
        self.places.insert(self.last, Waiting { consumer, room });
        self.room += room as usize;
        self.last
    }

    /// Takes out the consumer that has waited longest.
    pub(super) fn pop(&mut self) -> Option<SubscriptionKey> {
        let (_, Waiting { consumer, room }) = self.places.pop_first()?;
        self.room -= room as usize;
        Some(consumer)
    }

    pub(super) fn remove(&mut self, place: u64) {
        if let Some(Waiting { room, .. }) = self.places.remove(&place) {
            self.room -= room as usize;
        }
    }

    /// Notes how many messages the consumer at this place can take now.
    pub(super) fn set_room(&mut self, place: u64, room: u32) {
        if let Some(waiting) = self.places.get_mut(&place) {
            self.room = self.room - waiting.room as usize + room as usize;
            waiting.room = room;
        }
    }
}
