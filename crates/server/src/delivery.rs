//! Writing to many clients without waking the task of each.
//!
//! A message for 10,000 clients would wake 10,000 tasks, each of which costs more than what it writes.
//! So the connections that have something in their mailboxes stand in one line, and a few tasks write to
//! them in turn. What comes for a connection while it stands there is written with it, at once.

use crate::mailbox::Mailbox;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// How many connections a task writes to before other tasks have a turn.
const TURN: usize = 32;

/// The line of connections that have something in their mailboxes.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: Mutex<Waiting>,
    /// Wakes one of the tasks that write.
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    mailboxes: VecDeque<Arc<Mailbox>>,
    is_closed: bool,
}

impl Line {
    /// Adds connections, each of which has something in its mailbox.
    pub(crate) fn add(&self, mailboxes: impl IntoIterator<Item = Arc<Mailbox>>) {
        let mut waiting = self.waiting();
        waiting.mailboxes.extend(mailboxes);
        let is_empty = waiting.mailboxes.is_empty();
        drop(waiting);
        if !is_empty {
            self.arrived.notify_one();
        }
    }

    /// Ends the tasks that write.
    pub(crate) fn close(&self) {
        self.waiting().is_closed = true;
        self.arrived.notify_one();
    }

    /// Takes those whose turn it is. Returns whether there can be more.
    fn take(&self, into: &mut Vec<Arc<Mailbox>>) -> bool {
        let mut waiting = self.waiting();
        let count = waiting.mailboxes.len().min(TURN);
        into.extend(waiting.mailboxes.drain(..count));
        let is_empty = waiting.mailboxes.is_empty();
        if is_empty {
            // A message for many leaves no memory behind.
            waiting.mailboxes.shrink_to(TURN);
        }
        let is_closed = waiting.is_closed;
        drop(waiting);
        if !is_empty || is_closed {
            // Another task can help, or has to end too.
            self.arrived.notify_one();
        }
        !is_closed
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here can panic half-way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes to those in the line, until it is closed.
pub(crate) async fn deliver(line: Arc<Line>) {
    let mut turn = Vec::with_capacity(TURN);
    while line.take(&mut turn) {
        if turn.is_empty() {
            line.arrived.notified().await;
            continue;
        }
        turn.drain(..).for_each(|mailbox| mailbox.deliver());
        tokio::task::yield_now().await;
    }
}
