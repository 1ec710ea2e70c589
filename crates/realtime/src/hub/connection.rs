//! A connection: a user, and subscriptions.

use super::{Principal, RequestId, SubscriptionId, slab::Key, subscription::Subscription};
use crate::Cursor;
use alloc::{boxed::Box, vec::Vec};

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) principal: Option<Principal>,
    pub(super) is_paused: bool,
    subscriptions: Vec<(SubscriptionId, Key<Subscription>)>,
    /// Transactions of which parts are not processed yet.
    #[expect(clippy::box_collection, reason = "few connections have any")]
    commits: Option<Box<Vec<Commit>>>,
}

/// A transaction that waits for its parts.
#[derive(Debug)]
struct Commit {
    request: RequestId,
    parts: usize,
    is_refused: bool,
}

impl Connection {
    pub(super) const fn new(principal: Option<Principal>) -> Self {
        Self { principal, is_paused: false, subscriptions: Vec::new(), commits: None }
    }

    pub(super) fn subscriptions(&self) -> impl ExactSizeIterator<Item = Key<Subscription>> {
        self.subscriptions.iter().map(|(_, key)| *key)
    }

    pub(super) fn subscription(&self, id: SubscriptionId) -> Option<Key<Subscription>> {
        self.subscriptions.iter().find(|(candidate, _)| *candidate == id).map(|(_, key)| *key)
    }

    pub(super) fn add(&mut self, id: SubscriptionId, key: Key<Subscription>) {
        self.subscriptions.push((id, key));
    }

    pub(super) fn remove(&mut self, id: SubscriptionId) {
        self.subscriptions.retain(|(candidate, _)| *candidate != id);
    }

    /// Waits until so many parts of a transaction are processed.
    pub(super) fn wait_for_parts(&mut self, request: RequestId, parts: usize) {
        let commits = self.commits.get_or_insert_default();
        commits.push(Commit { request, parts, is_refused: false });
    }

    /// Notes that a part of a request was processed or refused. Returns whether to tell it: a
    /// transaction is told once.
    pub(super) fn part_is_done(&mut self, request: RequestId, is_refused: bool) -> bool {
        let Some(commits) = &mut self.commits else { return true };
        let Some(index) = commits.iter().position(|commit| commit.request == request) else {
            return true;
        };
        let commit = &mut commits[index];
        commit.parts -= 1;
        let is_told = commit.is_refused;
        commit.is_refused |= is_refused;
        let is_last = commit.parts == 0;
        if is_last {
            commits.swap_remove(index);
            self.commits = self.commits.take().filter(|commits| !commits.is_empty());
        }
        !is_told && (is_refused || is_last)
    }
}

/// Where the answer to a command goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requester {
    pub(super) connection: Option<super::ConnectionId>,
    pub(super) request: Option<RequestId>,
}

impl Requester {
    /// Nobody waits for an answer.
    pub(super) const NOBODY: Self = Self { connection: None, request: None };
}

/// What came of a part of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It is processed, and has published a message if there is a cursor.
    Now(Option<Cursor>),
    /// It is told later.
    Later,
}
