//! A transaction that is open.

use super::{
    AckToken, ReceiptId, TransactionId,
    endpoint::Endpoint,
    error::{AckError, SendError},
};
use crate::{message::Message, stomp::Command};
use alloc::sync::Arc;

/// A transaction that is open: what is sent and acknowledged in it counts once it is committed, and all
/// of it or nothing (1.2 §BEGIN). See [`Client::transaction`](super::Client::transaction).
///
/// Dropping this changes nothing: the transaction stays open. A message that is acknowledged in a
/// transaction counts as acknowledged once the server has [committed](super::Event::Committed) it.
#[derive(Debug)]
pub struct Transaction<'a> {
    pub(super) endpoint: &'a mut Endpoint,
    pub(super) id: TransactionId,
}

impl Transaction<'_> {
    /// Returns the name of the transaction.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// Sends a message in the transaction.
    ///
    /// # Errors
    ///
    /// As [`Client::send`](super::Client::send).
    pub fn send(&mut self, destination: &str, message: &Message) -> Result<(), SendError> {
        self.endpoint.send(destination, message, Some(self.id))
    }

    /// Sends a message in the transaction, and asks for a receipt. It comes when the server has put the
    /// message into the transaction; the receipt of the whole is
    /// [`Event::Committed`](super::Event::Committed).
    ///
    /// # Errors
    ///
    /// As [`Client::send_with_receipt`](super::Client::send_with_receipt).
    pub fn send_with_receipt(
        &mut self,
        destination: impl Into<Arc<str>>,
        message: &Message,
    ) -> Result<ReceiptId, SendError> {
        self.endpoint.send_with_receipt(destination.into(), message, Some(self.id))
    }

    /// Acknowledges a message in the transaction. If that is aborted, the message waits for an
    /// acknowledgement again.
    ///
    /// # Errors
    ///
    /// As [`Client::ack`](super::Client::ack).
    pub fn ack(&mut self, token: &AckToken) -> Result<(), AckError> {
        self.endpoint.acknowledge(Command::Ack, token, Some(self.id))
    }

    /// Says in the transaction that a message was not consumed.
    ///
    /// # Errors
    ///
    /// As [`Client::nack`](super::Client::nack).
    pub fn nack(&mut self, token: &AckToken) -> Result<(), AckError> {
        self.endpoint.acknowledge(Command::Nack, token, Some(self.id))
    }

    /// Commits the transaction. Once the server has done it, [`Event::Committed`](super::Event::Committed)
    /// says so.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing can be sent now. Then the transaction is still open.
    pub fn commit(self) -> Result<(), SendError> {
        self.endpoint.check_room()?;
        self.endpoint.push_transaction(Command::Commit, self.id)?;
        if let Some(transaction) = self.endpoint.transactions.get_mut(&self.id) {
            transaction.is_committing = true;
        }
        Ok(())
    }

    /// Aborts the transaction: nothing of it is done. What was acknowledged in it waits for an
    /// acknowledgement again.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing can be sent now. Then the transaction is still open.
    pub fn abort(self) -> Result<(), SendError> {
        self.endpoint.check_room()?;
        self.endpoint.push_transaction(Command::Abort, self.id)?;
        self.endpoint.end_transaction(self.id, false);
        Ok(())
    }
}
