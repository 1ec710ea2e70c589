//! Receipts that were asked for and have not come.

use super::{ReceiptId, SubscriptionId, TransactionId};
use crate::message::Message;
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

/// A message that was sent with a receipt, and whose connection has ended before the receipt came.
/// Nobody can tell whether the server has processed it. If it may be processed twice,
/// [send it again](super::Client::send_again).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unconfirmed {
    /// The receipt that has not come.
    pub receipt: ReceiptId,
    /// Where the message was sent.
    pub destination: Arc<str>,
    /// What was sent.
    pub message: Message,
    /// The transaction that the message was sent in. Unless that was being
    /// [committed](LostTransaction::is_committing), the message was not processed.
    pub transaction: Option<TransactionId>,
    /// Whether the server has received the message: it has processed a later frame
    /// (1.2 §RECEIPT). That does not mean that it has processed this one.
    pub was_received: bool,
}

/// A transaction that the end of its connection has ended (1.2 §BEGIN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostTransaction {
    /// The transaction.
    pub transaction: TransactionId,
    /// Whether COMMIT was sent. Then nobody can tell whether the server has committed. Otherwise it has
    /// not.
    pub is_committing: bool,
}

#[derive(Debug)]
pub(super) enum Purpose {
    Send { destination: Arc<str>, message: Message, transaction: Option<TransactionId> },
    Subscribe(SubscriptionId),
    Commit(TransactionId),
    Disconnect,
}

#[derive(Debug, Default)]
pub(super) struct Receipts {
    /// The number of the next one. The first that this connection has asked for is `first`.
    next: u64,
    first: u64,
    outstanding: BTreeMap<u64, Purpose>,
    /// How many messages are outstanding, and how many bytes they have.
    messages: usize,
    bytes: usize,
    /// The greatest receipt that was taken on this connection.
    greatest: Option<u64>,
}

impl Receipts {
    /// Returns the number that [`ask`](Self::ask) will use.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn ask(&mut self, purpose: Purpose) -> u64 {
        if let Purpose::Send { message, .. } = &purpose {
            self.messages += 1;
            self.bytes += message.size();
        }
        let receipt = self.next;
        self.outstanding.insert(receipt, purpose);
        // It would take centuries to get to the end.
        self.next = self.next.wrapping_add(1);
        receipt
    }

    /// Takes a receipt that was outstanding, because it has come or the frame was refused. In both cases
    /// the server has received all frames before it.
    pub(super) fn take(&mut self, receipt: u64) -> Option<Purpose> {
        let purpose = self.outstanding.remove(&receipt)?;
        self.greatest = self.greatest.max(Some(receipt));
        if let Purpose::Send { message, .. } = &purpose {
            self.messages -= 1;
            self.bytes -= message.size();
        }
        Some(purpose)
    }

    /// Returns `true` if this connection has asked for the receipt, whether it has come or not.
    pub(super) fn was_asked(&self, receipt: u64) -> bool {
        (self.first..self.next).contains(&receipt)
    }

    /// Gives up a receipt, because nobody waits for it any more.
    pub(super) fn forget(&mut self, receipt: u64) {
        self.outstanding.remove(&receipt);
    }

    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes all messages that are outstanding, since the connection has ended.
    pub(super) fn connection_lost(&mut self) -> Vec<Unconfirmed> {
        let greatest = self.greatest;
        let outstanding = core::mem::take(self);
        self.next = outstanding.next;
        self.first = outstanding.next;
        let unconfirmed = outstanding.outstanding.into_iter().filter_map(|(receipt, purpose)| {
            let Purpose::Send { destination, message, transaction } = purpose else { return None };
            let was_received = greatest.is_some_and(|greatest| receipt < greatest);
            let receipt = ReceiptId(receipt);
            Some(Unconfirmed { receipt, destination, message, transaction, was_received })
        });
        unconfirmed.collect()
    }
}
