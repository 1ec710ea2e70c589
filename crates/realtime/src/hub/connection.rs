//! A connection: a user, and subscriptions.

use super::{Principal, SubscriptionId, keys::SubscriptionKey};
use crate::cursor::Cursor;
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::num::NonZeroU64;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) principal: Option<Principal>,
    pub(super) is_paused: bool,
    /// Tells the connection from those that had its name before.
    pub(super) generation: u32,
    subscriptions: Vec<(SubscriptionId, SubscriptionKey)>,
    /// Commands that are not answered yet.
    #[expect(clippy::box_collection, reason = "few connections have any")]
    unanswered: Option<Box<BTreeMap<NonZeroU64, Unanswered>>>,
}

/// A command that waits for its parts.
#[derive(Debug)]
struct Unanswered {
    parts: usize,
    is_refused: bool,
}

impl Connection {
    pub(super) const fn new(principal: Option<Principal>, generation: u32) -> Self {
        Self {
            principal,
            is_paused: false,
            generation,
            subscriptions: Vec::new(),
            unanswered: None,
        }
    }

    pub(super) fn subscriptions(&self) -> impl ExactSizeIterator<Item = SubscriptionKey> {
        self.subscriptions.iter().map(|(_, key)| *key)
    }

    pub(super) fn subscription(&self, id: SubscriptionId) -> Option<SubscriptionKey> {
        self.subscriptions.iter().find(|(candidate, _)| *candidate == id).map(|(_, key)| *key)
    }

    pub(super) fn add(&mut self, id: SubscriptionId, key: SubscriptionKey) {
        self.subscriptions.push((id, key));
    }

    pub(super) fn remove(&mut self, id: SubscriptionId) {
        self.subscriptions.retain(|(candidate, _)| *candidate != id);
    }

    /// Lists a command that is answered once so many parts of it are processed.
    pub(super) fn wait_for_parts(&mut self, number: NonZeroU64, parts: usize) {
        let unanswered = self.unanswered.get_or_insert_default();
        unanswered.insert(number, Unanswered { parts, is_refused: false });
    }

    /// Has a command answered once another part of it is processed too, unless it was answered.
    pub(super) fn wait_for_one_more(&mut self, number: NonZeroU64) {
        if let Some(command) = self.unanswered.as_mut().and_then(|all| all.get_mut(&number)) {
            command.parts = command.parts.saturating_add(1);
        }
    }

    /// Notes that a part of a command was processed or refused. Returns whether that answers the
    /// command: a command is answered once.
    pub(super) fn part_is_done(&mut self, number: NonZeroU64, is_refused: bool) -> bool {
        let Some(unanswered) = &mut self.unanswered else { return false };
        let Some(command) = unanswered.get_mut(&number) else { return false };
        command.parts = command.parts.saturating_sub(1);
        let is_answered = command.is_refused;
        command.is_refused |= is_refused;
        let is_last = command.parts == 0;
        if is_last {
            unanswered.remove(&number);
            self.unanswered = self.unanswered.take().filter(|unanswered| !unanswered.is_empty());
        }
        !is_answered && (is_refused || is_last)
    }
}

/// What came of a part of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It is processed, and has published a message if there is a cursor.
    Now(Option<Cursor>),
    /// It is told later.
    Later,
}
