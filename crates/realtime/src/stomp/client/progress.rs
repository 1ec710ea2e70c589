//! Which messages of a subscription the application has had, and where the subscription resumes.

use super::ids::TransactionId;
use crate::cursor::{Cursor, Epoch};
use alloc::collections::{BTreeMap, BTreeSet};

/// How far a subscription is.
///
/// A message is *settled* once the application has acknowledged it or, in mode `auto`, has got it. A
/// subscription resumes before the first message that is not settled: so each message comes at least
/// once, and those that are settled already are recognized and dropped.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Whether the server has said where the subscription begins, and so understands cursors.
    pub(super) is_resumable: bool,
    /// Whether this connection has resumed the subscription, so that what comes can be a duplicate. One
    /// that begins anew can get the last message of its topic, which is from before its beginning.
    is_resumed: bool,
    /// The last cursor that was delivered or told.
    last: Option<Cursor>,
    /// What was delivered on this connection and waits for an acknowledgement, by its number.
    waiting: BTreeMap<u64, Option<Cursor>>,
    /// What was acknowledged in a transaction that is not committed.
    in_transactions: BTreeMap<u64, (Option<Cursor>, TransactionId)>,
    /// The positions of what was delivered on an earlier connection and not settled. All of them are of
    /// the epoch of `last`.
    again: BTreeSet<u64>,
}

/// What a message is to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It was not delivered before, as far as can be told.
    New,
    /// It was delivered on an earlier connection, and was not settled.
    Again,
    /// The application has settled it.
    Duplicate,
}

impl Progress {
    /// Returns where to begin on this connection, if the subscription can be resumed.
    pub(super) fn resume(&mut self) -> Option<Cursor> {
        let cursor = self.resume_after();
        self.is_resumed = cursor.is_some();
        cursor
    }

    /// Returns what a message is that has arrived.
    pub(super) fn judge(&self, cursor: Option<Cursor>) -> Arrival {
        match cursor.filter(|cursor| self.is_before_last(*cursor)) {
            Some(cursor) if self.again.contains(&cursor.position) => Arrival::Again,
            Some(_) if self.is_resumed => Arrival::Duplicate,
            _ => Arrival::New,
        }
    }

    /// Takes note of a message that has arrived, and is delivered.
    pub(super) fn delivered(&mut self, cursor: Cursor) {
        if self.is_before_last(cursor) {
            self.again.remove(&cursor.position);
        } else {
            self.advance(cursor);
        }
    }

    /// Creates the progress of a subscription that begins after a cursor, or where the server says.
    pub(super) fn new(begins_after: Option<Cursor>) -> Self {
        Self { last: begins_after, ..Self::default() }
    }

    /// Takes note of where the server begins the subscription. `None` means that it can't be resumed.
    ///
    /// If the client has asked for what follows a cursor and the server begins later, the server tells a
    /// gap. Until then the client resumes after its own cursor, so that nothing is skipped silently.
    pub(super) fn subscribed(&mut self, cursor: Option<Cursor>) {
        self.is_resumable = cursor.is_some();
        self.last = self.last.or(cursor);
    }

    /// Takes note of a gap up to a cursor. Returns `false` if the application has missed nothing of it.
    pub(super) fn gap(&mut self, to: Cursor) -> bool {
        if !self.is_before_last(to) {
            self.advance(to);
            return true;
        }
        let later = self.again.split_off(&to.position.saturating_add(1));
        let lost = core::mem::replace(&mut self.again, later);
        !lost.is_empty()
    }

    /// Adds a message that waits for an acknowledgement. `delivery` is greater than any before.
    pub(super) fn wait(&mut self, delivery: u64, cursor: Option<Cursor>) {
        self.waiting.insert(delivery, cursor);
    }

    /// Returns how many messages wait for an acknowledgement, those included that wait for a commit or
    /// will be delivered again.
    pub(super) fn unsettled(&self) -> usize {
        self.waiting.len() + self.in_transactions.len() + self.again.len()
    }

    pub(super) fn is_waiting(&self, delivery: u64) -> bool {
        self.waiting.contains_key(&delivery)
    }

    /// Settles a message, and, if it `is_cumulative`, all before it. In a transaction they are settled
    /// once that is committed. Returns the numbers of those in the transaction.
    pub(super) fn settle(
        &mut self,
        delivery: u64,
        is_cumulative: bool,
        transaction: Option<TransactionId>,
    ) -> BTreeMap<u64, Option<Cursor>> {
        let settled = if is_cumulative {
            let later = self.waiting.split_off(&delivery.saturating_add(1));
            core::mem::replace(&mut self.waiting, later)
        } else {
            self.waiting.remove_entry(&delivery).into_iter().collect()
        };
        let Some(transaction) = transaction else { return BTreeMap::new() };
        let moved = settled.iter().map(|(delivery, cursor)| (*delivery, (*cursor, transaction)));
        self.in_transactions.extend(moved);
        settled
    }

    /// Settles what was acknowledged in a transaction.
    pub(super) fn committed(&mut self, delivery: u64) {
        self.in_transactions.remove(&delivery);
    }

    /// Puts back what was acknowledged in a transaction: it waits for an acknowledgement again.
    pub(super) fn aborted(&mut self, delivery: u64) {
        if let Some((cursor, _)) = self.in_transactions.remove(&delivery) {
            self.waiting.insert(delivery, cursor);
        }
    }

    /// Takes note of the end of the connection: what is not settled will be delivered again.
    pub(super) fn connection_lost(&mut self) {
        let epoch = self.last.map(|last| last.epoch);
        let positions: BTreeSet<u64> =
            self.cursors().filter_map(|cursor| of(epoch, cursor)).collect();
        self.again.extend(positions);
        if !self.is_resumable {
            // It can go to another client.
            self.again.clear();
        }
        self.waiting.clear();
        self.in_transactions.clear();
    }

    /// Returns the cursor after which the subscription resumes, if the server understands cursors.
    pub(super) fn resume_after(&self) -> Option<Cursor> {
        let last = self.last.filter(|_| self.is_resumable)?;
        // What is not settled of an earlier epoch can't be had any more, as the server has told.
        let waiting = self.cursors().filter_map(|cursor| of(Some(last.epoch), cursor)).min();
        let first = [waiting, self.again.first().copied()].into_iter().flatten().min();
        // The position before the first that is not settled, whether a message has it or not.
        let position =
            first.map_or(last.position, |first| first.saturating_sub(1).min(last.position));
        Some(Cursor::new(last.epoch, position))
    }

    /// Returns the cursors of all that was delivered on this connection and is not settled.
    fn cursors(&self) -> impl Iterator<Item = Cursor> {
        let in_transactions = self.in_transactions.values().map(|(cursor, _)| cursor);
        self.waiting.values().chain(in_transactions).copied().flatten()
    }

    fn is_before_last(&self, cursor: Cursor) -> bool {
        self.last.is_some_and(|last| last.epoch == cursor.epoch && cursor.position <= last.position)
    }

    /// Moves on to a later cursor, or to one of another epoch. Messages come in order, so what was to be
    /// delivered again and stands before it does not come any more.
    fn advance(&mut self, cursor: Cursor) {
        self.last = Some(cursor);
        self.again.clear();
    }
}

/// Returns the position of a cursor of this epoch.
fn of(epoch: Option<Epoch>, cursor: Cursor) -> Option<u64> {
    (Some(cursor.epoch) == epoch).then_some(cursor.position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    impl Progress {
        fn arrived(&mut self, cursor: Option<Cursor>) -> Arrival {
            let arrival = self.judge(cursor);
            if let Some(cursor) = cursor.filter(|_| arrival != Arrival::Duplicate) {
                self.delivered(cursor);
            }
            arrival
        }

        fn reconnect(&mut self) -> Option<Cursor> {
            self.connection_lost();
            let cursor = self.resume();
            self.subscribed(cursor);
            cursor
        }
    }

    fn at(position: u64) -> Option<Cursor> {
        Some(Cursor::new(Epoch(1), position))
    }

    /// A subscription that begins after position 10.
    fn begun() -> Progress {
        let mut progress = Progress::default();
        progress.subscribed(at(10));
        progress
    }

    #[test]
    fn without_cursors_nothing_is_resumed_or_dropped() {
        let mut progress = Progress::default();
        progress.subscribed(None);
        for _ in 0..2 {
            assert_eq!(progress.arrived(at(5)), Arrival::New);
            assert_eq!(progress.arrived(None), Arrival::New);
        }
        assert_eq!(progress.resume_after(), None);
    }

    #[test]
    fn the_cursor_moves_with_each_message_and_gap() {
        let mut progress = begun();
        assert_eq!(progress.resume_after(), at(10));
        assert_eq!(progress.arrived(at(12)), Arrival::New);
        assert_eq!(progress.reconnect(), at(12));
        assert_eq!(progress.arrived(at(12)), Arrival::Duplicate);
        assert_eq!(progress.arrived(at(11)), Arrival::Duplicate);
        assert_eq!(progress.resume_after(), at(12));
        assert!(progress.gap(Cursor::new(Epoch(1), 20)));
        assert!(!progress.gap(Cursor::new(Epoch(1), 20)));
        assert_eq!(progress.resume_after(), at(20));
        assert!(progress.gap(Cursor::new(Epoch(2), 3)));
        assert_eq!(progress.arrived(at(15)), Arrival::New);
    }

    #[test]
    fn it_resumes_before_the_first_message_that_is_not_settled() {
        let mut progress = begun();
        for position in 11..15 {
            assert_eq!(progress.arrived(at(position)), Arrival::New);
            progress.wait(position, at(position));
        }
        assert_eq!(progress.resume_after(), at(10));
        progress.settle(13, false, None);
        assert_eq!(progress.resume_after(), at(10));
        progress.settle(11, false, None);
        assert_eq!(progress.resume_after(), at(11));
        // 12 and 14 are not settled, and 13 is.
        assert_eq!((progress.reconnect(), progress.unsettled()), (at(11), 2));
        assert_eq!(progress.arrived(at(12)), Arrival::Again);
        progress.wait(20, at(12));
        assert_eq!(progress.arrived(at(13)), Arrival::Duplicate);
        assert_eq!(progress.resume_after(), at(11));
        progress.settle(20, false, None);
        assert_eq!(progress.resume_after(), at(13));
        // A later message says that 14 is not delivered again.
        assert_eq!(progress.arrived(at(15)), Arrival::New);
        assert_eq!(progress.resume_after(), at(15));
    }

    #[test]
    fn what_comes_from_before_the_beginning_is_no_duplicate() {
        let mut progress = begun();
        assert_eq!(progress.arrived(at(7)), Arrival::New);
        assert_eq!(progress.resume_after(), at(10));
        progress.wait(0, at(7));
        assert_eq!(progress.reconnect(), at(6));
        assert_eq!(progress.arrived(at(7)), Arrival::Again);
        assert_eq!(progress.arrived(at(8)), Arrival::Duplicate);
    }

    #[test]
    fn a_gap_before_the_last_message_is_told_if_something_was_not_settled() {
        let mut progress = begun();
        progress.arrived(at(11));
        progress.wait(0, at(11));
        progress.arrived(at(12));
        assert_eq!(progress.reconnect(), at(10));
        assert!(progress.gap(Cursor::new(Epoch(1), 11)));
        assert!(!progress.gap(Cursor::new(Epoch(1), 12)));
        assert_eq!(progress.resume_after(), at(12));
    }

    #[test]
    fn a_transaction_settles_when_it_is_committed() {
        let mut progress = begun();
        for position in 11..14 {
            progress.arrived(at(position));
            progress.wait(position, at(position));
        }
        let moved = progress.settle(12, true, Some(TransactionId(0)));
        assert_eq!(moved.into_keys().collect::<Vec<_>>(), [11, 12]);
        assert!(!progress.is_waiting(12) && progress.is_waiting(13));
        assert_eq!(progress.resume_after(), at(10));
        progress.committed(11);
        assert_eq!(progress.resume_after(), at(11));
        progress.aborted(12);
        assert!(progress.is_waiting(12));
    }

    #[test]
    fn an_epoch_that_ends_takes_its_messages_along() {
        let mut progress = begun();
        progress.arrived(at(11));
        progress.wait(0, at(11));
        progress.arrived(Some(Cursor::new(Epoch(2), 3)));
        assert_eq!(progress.resume_after(), Some(Cursor::new(Epoch(2), 3)));
        progress.connection_lost();
        assert_eq!(progress.unsettled(), 0);
        progress.subscribed(Some(Cursor::new(Epoch(3), 7)));
        assert_eq!(progress.resume_after(), Some(Cursor::new(Epoch(2), 3)));
        assert!(progress.gap(Cursor::new(Epoch(3), 7)));
        assert_eq!(progress.resume_after(), Some(Cursor::new(Epoch(3), 7)));
    }
}
