//! What an application sends and acknowledges.

use super::{
    AckToken, ReceiptId, SubscriptionId, TransactionId,
    endpoint::{Endpoint, RESERVED_IN_SEND, reserved},
    error::{AckError, ClientError, SendError},
    receipts::Purpose,
    state::State,
};
use crate::{
    message::Message,
    stomp::{
        Command, Version,
        header::{self, AckMode},
    },
};
use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

impl Endpoint {
    pub(super) fn send(
        &mut self,
        destination: &str,
        message: &Message,
        transaction: Option<TransactionId>,
    ) -> Result<(), SendError> {
        self.check_room()?;
        self.push_send(destination, message, transaction, None)
    }

    pub(super) fn send_with_receipt(
        &mut self,
        destination: Arc<str>,
        message: &Message,
        transaction: Option<TransactionId>,
    ) -> Result<ReceiptId, SendError> {
        self.check_room()?;
        let (messages, bytes) = (self.receipts.messages(), self.receipts.bytes());
        let limits = &self.config.limits;
        if messages >= limits.receipts || bytes >= limits.unconfirmed {
            return Err(SendError::TooManyReceipts { messages, bytes });
        }
        self.push_send(&destination, message, transaction, Some(self.receipts.next()))?;
        let message = message.clone();
        let receipt = self.receipts.ask(Purpose::Send { destination, message, transaction });
        Ok(ReceiptId(receipt))
    }

    fn push_send(
        &mut self,
        destination: &str,
        message: &Message,
        transaction: Option<TransactionId>,
        receipt: Option<u64>,
    ) -> Result<(), SendError> {
        if let Some(name) = reserved(message.headers().map(|(name, _)| name), &RESERVED_IN_SEND) {
            return Err(SendError::ReservedHeader { name });
        }
        let mut headers = Vec::from([(header::DESTINATION, destination)]);
        let transaction = transaction.map(|transaction| transaction.to_string());
        let receipt = receipt.map(|receipt| receipt.to_string());
        headers.extend(transaction.as_deref().map(|text| (header::TRANSACTION, text)));
        headers.extend(receipt.as_deref().map(|text| (header::RECEIPT, text)));
        headers.extend(message.get_content_type().map(|text| (header::CONTENT_TYPE, text)));
        headers.extend(message.headers());
        self.push(Command::Send, headers, message.body())?;
        Ok(())
    }

    /// Sends ACK or NACK.
    pub(super) fn acknowledge(
        &mut self,
        command: Command,
        token: &AckToken,
        transaction: Option<TransactionId>,
    ) -> Result<(), AckError> {
        if token.connection != self.connection {
            return Err(AckError::Stale);
        }
        self.check_room()?;
        let id = token.subscription;
        let is_waiting = |endpoint: &Self| {
            let subscription = endpoint.subscriptions.get(&id);
            subscription.is_some_and(|found| found.progress.is_waiting(token.delivery))
        };
        if !is_waiting(self) {
            return Err(AckError::NotWaiting);
        }
        let headers = acknowledgement(self.version, id, &token.name, transaction);
        self.push(command, headers, &[]).map_err(SendError::from)?;
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return Ok(()) };
        // 1.2 §SUBSCRIBE ack Header and §NACK: in mode `client` it is for all messages before, too.
        let is_cumulative = subscription.options.ack == AckMode::Client;
        let held = subscription.progress.settle(token.delivery, is_cumulative, transaction);
        if let Some(transaction) = transaction.and_then(|id| self.transactions.get_mut(&id)) {
            transaction.acknowledged.extend(held.into_keys().map(|delivery| (id, delivery)));
        }
        Ok(())
    }

    /// Acknowledges a message that the application has acknowledged on an earlier connection. Otherwise
    /// the server would wait for that.
    pub(super) fn acknowledge_duplicate(
        &mut self,
        subscription: SubscriptionId,
        name: &str,
    ) -> Result<(), ClientError> {
        match self.check_room() {
            Ok(()) => {}
            Err(SendError::Full { queued, limit }) => {
                return Err(ClientError::OutputFull { queued, limit });
            }
            // After DISCONNECT nothing is acknowledged any more.
            Err(_) => return Ok(()),
        }
        let headers = acknowledgement(self.version, subscription, name, None);
        // The name has come in a header of this version, so it can be written.
        let pushed = self.push(Command::Ack, headers, &[]);
        debug_assert!(pushed.is_ok(), "{pushed:?}");
        Ok(())
    }

    /// Sends BEGIN or ABORT, or COMMIT with a receipt.
    pub(super) fn push_transaction(
        &mut self,
        command: Command,
        transaction: TransactionId,
    ) -> Result<(), SendError> {
        let is_commit = command == Command::Commit;
        let mut headers = Vec::from([(header::TRANSACTION, transaction.to_string())]);
        if is_commit {
            headers.push((header::RECEIPT, self.receipts.next().to_string()));
        }
        self.push(command, headers, &[])?;
        if is_commit {
            self.receipts.ask(Purpose::Commit(transaction));
        }
        Ok(())
    }

    /// Sends DISCONNECT with a receipt.
    pub(super) fn push_disconnect(&mut self) -> Result<(), SendError> {
        let receipt = self.receipts.next().to_string();
        self.push(Command::Disconnect, [(header::RECEIPT, receipt)], &[])?;
        self.receipts.ask(Purpose::Disconnect);
        self.state = State::Disconnecting;
        Ok(())
    }
}

/// Returns the headers of an ACK or NACK: 1.2 has the `ack` of the message as its `id` (1.2 §ACK), 1.1
/// the `message-id` and the `subscription` (1.1 §ACK), and 1.0 the `message-id` alone (1.0 §ACK).
fn acknowledgement(
    version: Version,
    subscription: SubscriptionId,
    name: &str,
    transaction: Option<TransactionId>,
) -> Vec<(&'static str, String)> {
    let mut headers = match version {
        Version::V1_2 => Vec::from([(header::ID, name.to_string())]),
        Version::V1_1 => Vec::from([
            (header::SUBSCRIPTION, subscription.to_string()),
            (header::MESSAGE_ID, name.to_string()),
        ]),
        Version::V1_0 => Vec::from([(header::MESSAGE_ID, name.to_string())]),
    };
    let transaction = transaction.map(|transaction| transaction.to_string());
    headers.extend(transaction.map(|text| (header::TRANSACTION, text)));
    headers
}
