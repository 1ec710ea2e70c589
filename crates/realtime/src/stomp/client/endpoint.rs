//! Everything that a client holds but its decoder, so that an event can borrow the decoder meanwhile.

use super::{
    config::ClientConfig,
    error::{ClientError, SendError, SubscribeError},
    ids::{SubscriptionId, TransactionId},
    progress::Progress,
    receipts::{Purpose, Receipts},
    state::State,
    subscribe_options::SubscribeOptions,
};
use crate::{
    hub::Start,
    stomp::{
        Command, EncodeError, EncodedFrame, Encoder, Version,
        encoder::message_kind,
        header::{self, AckMode, HeartBeat},
        heartbeat::Heartbeat,
        output::FrameQueue,
        server,
    },
};
use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};
use bytes::Bytes;
use core::{fmt, time::Duration};
use sansocket::connection::MessageKind;

pub(super) struct Endpoint {
    pub(super) config: ClientConfig,
    pub(super) state: State,
    /// Why the connection has failed, until it is reported lost.
    pub(super) failure: Option<ClientError>,
    /// Whether another connection can help.
    pub(super) may_reconnect: bool,
    /// The number of the connection, so that tokens of an earlier one are recognized.
    pub(super) connection: u64,
    pub(super) version: Version,
    /// What CONNECT has offered. The options can have changed since.
    pub(super) offer: Offer,
    pub(super) connected_at: Option<Duration>,
    pub(super) heartbeat: Heartbeat,
    /// By when the server has to answer CONNECT or DISCONNECT.
    pub(super) answer_by: Option<Duration>,
    pub(super) output: FrameQueue,
    pub(super) receipts: Receipts,
    pub(super) subscriptions: BTreeMap<SubscriptionId, Subscription>,
    pub(super) next_subscription: u64,
    pub(super) next_delivery: u64,
    pub(super) transactions: BTreeMap<TransactionId, TransactionState>,
    pub(super) next_transaction: u64,
}

#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) versions: Vec<Version>,
    pub(super) heart_beat: HeartBeat,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) destination: String,
    pub(super) options: SubscribeOptions,
    /// The receipt of its SUBSCRIBE, until it comes.
    pub(super) receipt: Option<u64>,
    /// Whether that receipt has come on this connection.
    pub(super) has_begun: bool,
    pub(super) progress: Progress,
}

/// A transaction that is open, or waits for the answer to its COMMIT.
#[derive(Debug, Default)]
pub(super) struct TransactionState {
    pub(super) is_committing: bool,
    /// What was acknowledged in it: subscriptions, and numbers of deliveries.
    pub(super) acknowledged: Vec<(SubscriptionId, u64)>,
}

impl Endpoint {
    pub(super) fn new(config: ClientConfig) -> Self {
        Self {
            config,
            state: State::Disconnected,
            failure: None,
            may_reconnect: true,
            connection: 0,
            version: Version::V1_2,
            offer: Offer::default(),
            connected_at: None,
            heartbeat: Heartbeat::NONE,
            answer_by: None,
            output: FrameQueue::default(),
            receipts: Receipts::default(),
            subscriptions: BTreeMap::new(),
            next_subscription: 0,
            next_delivery: 0,
            transactions: BTreeMap::new(),
            next_transaction: 0,
        }
    }

    /// Ends the connection. What is queued is not sent.
    pub(super) fn end(&mut self) {
        self.state = State::Over;
        self.output.clear();
    }

    /// Ends the connection with a failure.
    pub(super) fn fail(&mut self, error: ClientError) -> ClientError {
        self.may_reconnect &= error.is_temporary();
        self.failure = Some(error.clone());
        self.end();
        error
    }

    /// Checks that a frame of the application may be queued. Nothing but CONNECT is sent before
    /// CONNECTED, and nothing after DISCONNECT (1.2 §DISCONNECT).
    pub(super) fn check_room(&self) -> Result<(), SendError> {
        if self.state != State::Connected {
            return Err(SendError::NotConnected { state: self.state });
        }
        let (queued, limit) = (self.output.bytes(), self.config.limits.output);
        if queued >= limit && queued > 0 {
            return Err(SendError::Full { queued, limit });
        }
        Ok(())
    }

    /// Queues a frame.
    pub(super) fn push<Name: AsRef<str>, Value: AsRef<str>>(
        &mut self,
        command: Command,
        headers: impl IntoIterator<Item = (Name, Value)>,
        body: &[u8],
    ) -> Result<(), EncodeError> {
        let mut bytes = Vec::new();
        Encoder::new(self.version).encode(command, headers, body, &mut bytes)?;
        let is_text = message_kind(body) == MessageKind::Text;
        self.output.push(EncodedFrame::new(bytes, Bytes::new(), is_text));
        Ok(())
    }

    /// Queues the SUBSCRIBE of a subscription, and asks for its receipt: it says where the subscription
    /// begins, so that it can be resumed even if no message comes.
    pub(super) fn push_subscribe(&mut self, id: SubscriptionId) -> Result<(), SubscribeError> {
        let version = self.version;
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return Ok(()) };
        let Subscription { destination, options, progress, .. } = subscription;
        if options.ack == AckMode::ClientIndividual && version == Version::V1_0 {
            return Err(SubscribeError::AckMode { mode: options.ack, version });
        }
        let start = progress.resume().map_or(options.start, Start::After);
        let mut headers = Vec::from([
            (header::ID, id.to_string()),
            (header::DESTINATION, destination.clone()),
            (header::RECEIPT, self.receipts.next().to_string()),
        ]);
        headers.extend(options.to_headers(start));
        let mut bytes = Vec::new();
        Encoder::new(version)
            .encode(Command::Subscribe, headers, &[], &mut bytes)
            .map_err(SendError::from)?;
        self.output.push(EncodedFrame::text(bytes));
        subscription.receipt = Some(self.receipts.ask(Purpose::Subscribe(id)));
        Ok(())
    }

    /// Forgets a subscription, and the receipt of its SUBSCRIBE.
    pub(super) fn remove_subscription(&mut self, id: SubscriptionId) -> bool {
        let Some(subscription) = self.subscriptions.remove(&id) else { return false };
        if let Some(receipt) = subscription.receipt {
            self.receipts.forget(receipt);
        }
        true
    }

    /// Ends a transaction: what was acknowledged in it is settled, or waits again.
    pub(super) fn end_transaction(&mut self, id: TransactionId, is_committed: bool) {
        let Some(transaction) = self.transactions.remove(&id) else { return };
        for (subscription, delivery) in transaction.acknowledged {
            // Its subscription may have ended meanwhile.
            if let Some(subscription) = self.subscriptions.get_mut(&subscription) {
                if is_committed {
                    subscription.progress.committed(delivery);
                } else {
                    subscription.progress.aborted(delivery);
                }
            }
        }
    }
}

/// Shows no messages and no headers of the application, which may be secret.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("config", &self.config)
            .field("state", &self.state)
            .field("failure", &self.failure)
            .field("version", &self.version)
            .field("heartbeat", &self.heartbeat)
            .field("queued_output", &self.output.bytes())
            .field("subscriptions", &self.subscriptions.len())
            .field("transactions", &self.transactions.len())
            .field("unconfirmed", &self.receipts.messages())
            .finish_non_exhaustive()
    }
}

/// Headers of SEND that the client writes itself. The application can set the `content-type` in two
/// places, and the encoder computes the `content-length`.
pub(super) const RESERVED_IN_SEND: [&str; 4] =
    [header::DESTINATION, header::TRANSACTION, header::RECEIPT, header::CONTENT_LENGTH];

/// Headers of SUBSCRIBE that the client writes itself.
pub(super) const RESERVED_IN_SUBSCRIBE: [&str; 8] = [
    header::ID,
    header::DESTINATION,
    header::ACK,
    header::RECEIPT,
    header::CONTENT_LENGTH,
    server::header::SINCE,
    server::header::START,
    server::header::GAPS,
];

/// Headers of CONNECT that the client writes itself.
pub(super) const RESERVED_IN_CONNECT: [&str; 7] = [
    header::ACCEPT_VERSION,
    header::HOST,
    header::LOGIN,
    header::PASSCODE,
    header::HEART_BEAT,
    header::RECEIPT,
    header::CONTENT_LENGTH,
];

/// Returns the first of the reserved headers that is among the names.
pub(super) fn reserved<'a>(
    mut names: impl Iterator<Item = &'a str>,
    reserved: &[&'static str],
) -> Option<&'static str> {
    names.find_map(|name| reserved.iter().find(|reserved| **reserved == name).copied())
}
