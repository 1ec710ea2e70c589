//! The sequence of all messages of a hub, or of the broker that joins hubs.

use super::log::Log;
use crate::cursor::{Cursor, Epoch};

#[derive(Debug)]
pub(super) struct Sequence {
    epoch: Epoch,
    /// The highest position that is known.
    head: u64,
    /// Topics that the hub has forgotten may have had messages up to this position.
    forgotten: u64,
    /// What topics keep of it.
    pub(super) log: Log,
}

impl Sequence {
    pub(super) const fn new(epoch: Epoch, head: u64) -> Self {
        Self { epoch, head, forgotten: 0, log: Log::new() }
    }

    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) const fn cursor(&self, position: u64) -> Cursor {
        Cursor::new(self.epoch, position)
    }

    /// Gives the next message its position.
    pub(super) fn next(&mut self) -> u64 {
        // At a billion messages a second it would take 584 years.
        self.head = self.head.saturating_add(1);
        self.head
    }

    pub(super) fn seen(&mut self, position: u64) {
        self.head = self.head.max(position);
    }

    pub(super) fn forget(&mut self, position: u64) {
        self.forgotten = self.forgotten.max(position);
    }

    /// Returns the position that a cursor stands for, or `None` if it is of another epoch, or of the
    /// future. The broker can be ahead of what is known here, so it is asked first.
    pub(super) fn position_of(&self, cursor: Cursor) -> Option<u64> {
        (cursor.epoch == self.epoch && cursor.position <= self.head).then_some(cursor.position)
    }
}
