//! Why a connection fails, and why a call is refused.

use super::{SubscriptionId, TransactionId, state::State};
use crate::stomp::{Command, DecodeError, EncodeError, Version, header::AckMode};
use alloc::string::String;
use core::time::Duration;
use thiserror::Error;

/// Why a connection has failed. Close the transport, and call
/// [`connection_lost`](super::Client::connection_lost). It says when to try again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server has sent what is not STOMP, or what exceeds a limit.
    #[error("the server has sent an invalid frame: {0}")]
    Decode(#[from] DecodeError),
    /// The server has sent a frame that it may not send here.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The server has not answered CONNECT in time.
    #[error("the server has not answered CONNECT within {limit:?}")]
    ConnectTimeout {
        /// How long it had.
        limit: Duration,
    },
    /// The server has not answered DISCONNECT in time. What was sent before it may not have arrived.
    #[error("the server has not answered DISCONNECT within {limit:?}")]
    DisconnectTimeout {
        /// How long it had.
        limit: Duration,
    },
    /// Nothing has arrived for twice the agreed interval of heart-beats.
    #[error("nothing has arrived for {silent:?}, and a heart-beat was due every {interval:?}")]
    HeartBeatTimeout {
        /// How long nothing has arrived.
        silent: Duration,
        /// The agreed interval.
        interval: Duration,
    },
    /// The server has delivered too many messages that the application has not acknowledged. The server
    /// does not know how many are too many: subscribe with a lower
    /// [`prefetch`](super::SubscribeOptions::prefetch), acknowledge earlier, or raise the
    /// [limit](super::ClientLimits::unacknowledged).
    #[error("more than {limit} messages of subscription {subscription} are not acknowledged")]
    TooManyUnacknowledged {
        /// The subscription.
        subscription: SubscriptionId,
        /// The limit.
        limit: usize,
    },
    /// An acknowledgement that the client makes by itself has no room, since the application reads
    /// and does not take the [output](super::Client::next_output).
    #[error("{queued} bytes of output wait to be taken; the limit is {limit}")]
    OutputFull {
        /// How many bytes of output wait.
        queued: usize,
        /// The limit.
        limit: usize,
    },
    /// A subscription can't be made in the version that the server has chosen. The fault is the
    /// application's: unsubscribe, or accept only [versions](super::ConnectOptions::versions) that can
    /// express the subscription.
    #[error("subscription {subscription} can't be made: {reason}")]
    Subscription {
        /// The subscription.
        subscription: SubscriptionId,
        /// Why it can't be made.
        reason: SubscribeError,
    },
}

impl ClientError {
    /// Returns `true` if the server, or something between it and the client, is at fault.
    #[must_use]
    pub fn is_server_fault(&self) -> bool {
        !matches!(
            self,
            Self::TooManyUnacknowledged { .. }
                | Self::OutputFull { .. }
                | Self::Subscription { .. }
        )
    }

    /// Returns `true` if a new connection can help without a change of anything else.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::ConnectTimeout { .. }
            | Self::DisconnectTimeout { .. }
            | Self::HeartBeatTimeout { .. }
            | Self::TooManyUnacknowledged { .. }
            | Self::OutputFull { .. } => true,
            // The next connection does not offer 1.0, if that is what has not worked.
            Self::Subscription { reason, .. } => {
                matches!(reason, SubscribeError::AckMode { .. })
            }
            // A server that has mixed up frames once may not do it again. One whose version was not
            // offered will choose it again.
            Self::Protocol(error) => !matches!(error, ProtocolError::Version { .. }),
            Self::Decode(error) => !error.is_limit(),
        }
    }
}

/// A frame that the server may not send. The texts of the server are cut to 100 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The frame does not belong here: a second CONNECTED, or anything but CONNECTED and ERROR before
    /// the first.
    #[error("the server may not send {command} while the connection is {state}")]
    UnexpectedFrame {
        /// The command of the frame.
        command: Command,
        /// The state of the connection.
        state: State,
    },
    /// The frame has no value for a header that the version demands.
    #[error("{command} has no {header}, which STOMP {version} demands")]
    MissingHeader {
        /// The command of the frame.
        command: Command,
        /// The missing header.
        header: &'static str,
        /// The version.
        version: Version,
    },
    /// The value of a header does not have its form.
    #[error("the value of {header} in {command} is invalid: {value:?}")]
    InvalidHeader {
        /// The command of the frame.
        command: Command,
        /// The header.
        header: &'static str,
        /// Its value.
        value: String,
    },
    /// CONNECTED names a version that was not offered (1.2 §Protocol Negotiation). A missing version
    /// means 1.0.
    #[error("the server has chosen STOMP {version}, which was not offered")]
    Version {
        /// What the server has chosen.
        version: String,
    },
    /// MESSAGE belongs to a subscription that the client has never made.
    #[error("a message of subscription {subscription:?}, which was never made")]
    UnknownSubscription {
        /// The `subscription`, or, in 1.0, the `destination`.
        subscription: String,
    },
    /// RECEIPT names a receipt that the client has never asked for on this connection.
    #[error("receipt {receipt:?} was never asked for")]
    UnknownReceipt {
        /// The `receipt-id`.
        receipt: String,
    },
}

/// Why the client does not begin a connection. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is a connection already. Call [`connection_lost`](super::Client::connection_lost) first.
    #[error("there is a connection already: it is {state}")]
    NotDisconnected {
        /// The state of that connection.
        state: State,
    },
    /// A [header](super::ConnectOptions::headers) of the application is one that the client writes
    /// itself.
    #[error("the client writes the header {name} itself")]
    ReservedHeader {
        /// The name of the header.
        name: &'static str,
    },
    /// CONNECT can't be expressed: its headers have no escapes (1.2 §Value Encoding).
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The only accepted version is 1.0, which has no way to acknowledge messages of a subscription
    /// individually.
    #[error("a subscription acknowledges individually, and only STOMP 1.0 is accepted")]
    NoVersion,
}

/// Why nothing is sent. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is not in the state to send. If there will be another one, try again after
    /// [`Event::Connected`](super::Event::Connected).
    #[error("nothing can be sent while the connection is {state}")]
    NotConnected {
        /// The state of the connection.
        state: State,
    },
    /// The queue for output has no room. It has again once you have taken
    /// [output](super::Client::next_output).
    #[error("{queued} bytes of output wait to be taken; the limit is {limit}")]
    Full {
        /// How many bytes of output wait.
        queued: usize,
        /// The [limit](super::ClientLimits::output).
        limit: usize,
    },
    /// Too many messages wait for their receipts. Try again after a
    /// [receipt](super::Event::Receipt).
    #[error("{messages} messages of {bytes} bytes wait for their receipts already")]
    TooManyReceipts {
        /// How many messages wait.
        messages: usize,
        /// How many bytes they have.
        bytes: usize,
    },
    /// A header of the application is one that the client writes itself.
    #[error("the client writes the header {name} itself")]
    ReservedHeader {
        /// The name of the header.
        name: &'static str,
    },
    /// The version can't express the frame. Trying again does not help.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Why the client does not subscribe. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// There are as many subscriptions as the [limit](super::ClientLimits::subscriptions) allows.
    #[error("there are {limit} subscriptions already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The version does not have the mode of acknowledgment.
    #[error("STOMP {version} can't acknowledge in the mode {mode}")]
    AckMode {
        /// The mode.
        mode: AckMode,
        /// The version.
        version: Version,
    },
    /// SUBSCRIBE can't be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Why the client does not begin a transaction. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BeginError {
    /// There are as many transactions as the [limit](super::ClientLimits::transactions) allows.
    #[error("there are {limit} transactions already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// BEGIN can't be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Why a message is not acknowledged. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AckError {
    /// The message was delivered on an earlier connection. The server delivers it again, to this or
    /// to another client.
    #[error("the message was delivered on a connection that has ended")]
    Stale,
    /// The message is acknowledged already, by itself or by a later one, or its subscription has ended.
    #[error("the message does not wait for an acknowledgement")]
    NotWaiting,
    /// ACK or NACK can't be sent. 1.0 has no NACK.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// A transaction is not open: it was committed, aborted, or ended by the end of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("transaction {transaction} is not open")]
pub struct TransactionNotOpen {
    /// The transaction.
    pub transaction: TransactionId,
}
