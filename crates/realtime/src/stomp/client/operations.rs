//! What an application asks of a client.

use super::{
    AckToken, ReceiptId, SubscribeOptions, SubscriptionId, Transaction, TransactionId, Unconfirmed,
    endpoint::{RESERVED_IN_SUBSCRIBE, Subscription, TransactionState, reserved},
    error::{AckError, BeginError, SendError, SubscribeError, TransactionNotOpen},
    machine::Client,
    progress::Progress,
    state::State,
};
use crate::{
    cursor::Cursor,
    hub::Start,
    message::Message,
    stomp::{Command, Encoder, Version, header},
};
use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

/// Subscriptions and acknowledgements.
impl Client {
    /// Subscribes to a destination. Without a connection, the subscription is made once there is one.
    /// [`Event::Subscribed`](super::Event::Subscribed) says when it has begun.
    ///
    /// # Errors
    ///
    /// Returns an error if there are too many subscriptions, or if SUBSCRIBE can't be sent.
    pub fn subscribe(
        &mut self,
        destination: impl Into<String>,
        options: SubscribeOptions,
    ) -> Result<SubscriptionId, SubscribeError> {
        let endpoint = &mut self.endpoint;
        let limit = endpoint.config.limits.subscriptions;
        if endpoint.subscriptions.len() >= limit {
            return Err(SubscribeError::TooMany { limit });
        }
        let names = options.headers.iter().map(|(name, _)| &**name);
        if let Some(name) = reserved(names, &RESERVED_IN_SUBSCRIBE) {
            return Err(SendError::ReservedHeader { name }.into());
        }
        let destination = destination.into();
        if endpoint.state == State::Connected {
            endpoint.check_room()?;
        } else {
            check_subscribe(&destination, &options)?;
        }
        let id = SubscriptionId(endpoint.next_subscription);
        let progress = Progress::new(match options.start {
            Start::After(cursor) => Some(cursor),
            _ => None,
        });
        let subscription =
            Subscription { destination, options, receipt: None, has_begun: false, progress };
        endpoint.subscriptions.insert(id, subscription);
        if endpoint.state == State::Connected {
            if let Err(error) = endpoint.push_subscribe(id) {
                endpoint.subscriptions.remove(&id);
                return Err(error);
            }
        }
        endpoint.next_subscription = endpoint.next_subscription.wrapping_add(1);
        Ok(id)
    }

    /// Ends a subscription. Its messages that are on their way are [ignored](super::Ignored). What was
    /// not acknowledged can't be any more. Returns `false` if there is no such subscription.
    pub fn unsubscribe(&mut self, subscription: SubscriptionId) -> bool {
        let endpoint = &mut self.endpoint;
        let was_subscribed = endpoint.remove_subscription(subscription);
        if was_subscribed && endpoint.state == State::Connected {
            // Queued even if there is no room: it is short, and there are no more of them than
            // subscriptions. The header has only a number, which each version can write.
            let headers = [(header::ID, subscription.to_string())];
            let pushed = endpoint.push(Command::Unsubscribe, headers, &[]);
            debug_assert!(pushed.is_ok(), "{pushed:?}");
        }
        was_subscribed
    }

    /// Returns `true` if the server has said on this connection that the subscription
    /// [has begun](super::Event::Subscribed). After an [`Event::Error`](super::Event::Error) without a cause, those that have not begun
    /// are suspects.
    #[must_use]
    pub fn has_begun(&self, subscription: SubscriptionId) -> bool {
        self.endpoint.subscriptions.get(&subscription).is_some_and(|found| found.has_begun)
    }

    /// Returns the cursor after which a subscription would resume now, or `None` if it can't be resumed.
    /// It moves with each message in mode `auto`, and otherwise with acknowledgements: all messages up to
    /// it are settled. Keep it in order to [resume](crate::hub::Start::After) in another process.
    #[must_use]
    pub fn cursor(&self, subscription: SubscriptionId) -> Option<Cursor> {
        self.endpoint.subscriptions.get(&subscription)?.progress.resume_after()
    }

    /// Acknowledges a message, and in mode [`Client`](header::AckMode::Client) all before it in its subscription.
    ///
    /// # Errors
    ///
    /// Returns an error if the message does not wait for it on this connection, or if nothing can be sent
    /// now.
    pub fn ack(&mut self, token: &AckToken) -> Result<(), AckError> {
        self.endpoint.acknowledge(Command::Ack, token, None)
    }

    /// Says that a message was not consumed, and in mode [`Client`](header::AckMode::Client) none of those
    /// before it that wait. The server decides what becomes of it. When the client resumes, the message
    /// counts as settled.
    ///
    /// # Errors
    ///
    /// As [`ack`](Self::ack). 1.0 has no NACK.
    pub fn nack(&mut self, token: &AckToken) -> Result<(), AckError> {
        self.endpoint.acknowledge(Command::Nack, token, None)
    }
}

/// Messages and transactions.
impl Client {
    /// Sends a message. Whether it arrives is not told: see
    /// [`send_with_receipt`](Self::send_with_receipt).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no connection, if there is no room, or if the version can't express
    /// the message.
    pub fn send(&mut self, destination: &str, message: &Message) -> Result<(), SendError> {
        self.endpoint.send(destination, message, None)
    }

    /// Sends a message, and asks for a receipt: either [`Event::Receipt`](super::Event::Receipt) says that the server has
    /// processed it, or an [`Event::Error`](super::Event::Error) that names it, or it is among [`Lost::unconfirmed`](super::Lost::unconfirmed). Until
    /// then the client keeps the message.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and if too many messages wait for their receipts.
    pub fn send_with_receipt(
        &mut self,
        destination: impl Into<Arc<str>>,
        message: &Message,
    ) -> Result<ReceiptId, SendError> {
        self.endpoint.send_with_receipt(destination.into(), message, None)
    }

    /// Sends an unconfirmed message once more, outside of a transaction, with a new receipt. The client
    /// never does so by itself, because the message may have been processed.
    ///
    /// # Errors
    ///
    /// As [`send_with_receipt`](Self::send_with_receipt).
    pub fn send_again(&mut self, unconfirmed: &Unconfirmed) -> Result<ReceiptId, SendError> {
        let Unconfirmed { destination, message, .. } = unconfirmed;
        self.endpoint.send_with_receipt(Arc::clone(destination), message, None)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    ///
    /// Returns an error if there are too many transactions, or if BEGIN can't be sent.
    pub fn begin(&mut self) -> Result<TransactionId, BeginError> {
        let endpoint = &mut self.endpoint;
        endpoint.check_room()?;
        let limit = endpoint.config.limits.transactions;
        if endpoint.transactions.len() >= limit {
            return Err(BeginError::TooMany { limit });
        }
        let id = TransactionId(endpoint.next_transaction);
        endpoint.push_transaction(Command::Begin, id)?;
        endpoint.next_transaction = endpoint.next_transaction.wrapping_add(1);
        endpoint.transactions.insert(id, TransactionState::default());
        Ok(id)
    }

    /// Returns a transaction that is open.
    ///
    /// # Errors
    ///
    /// Returns an error if it was committed, aborted, or ended by the end of its connection.
    pub fn transaction(
        &mut self,
        transaction: TransactionId,
    ) -> Result<Transaction<'_>, TransactionNotOpen> {
        match self.endpoint.transactions.get(&transaction) {
            Some(TransactionState { is_committing: false, .. }) => {
                Ok(Transaction { endpoint: &mut self.endpoint, id: transaction })
            }
            _ => Err(TransactionNotOpen { transaction }),
        }
    }
}

/// Refuses a subscription that no version can express, before there is a connection.
fn check_subscribe(destination: &str, options: &SubscribeOptions) -> Result<(), SendError> {
    let mut headers = Vec::from([(header::DESTINATION, destination)]);
    headers.extend(options.headers.iter().map(|(name, value)| (&**name, &**value)));
    let encoder = Encoder::new(Version::V1_2);
    encoder.encode(Command::Subscribe, headers, &[], &mut Vec::new())?;
    Ok(())
}
