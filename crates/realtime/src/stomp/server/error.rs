//! Why a session ends with an ERROR.

use crate::{
    guard::Answer,
    hub::Refusal,
    stomp::{Command, DecodeError, Frame},
};
use alloc::{
    borrow::Cow,
    boxed::Box,
    string::{String, ToString},
};
use core::time::Duration;
use sansocket::CloseCode;
use thiserror::Error;

/// Why a session ended with an ERROR.
///
/// [`is_fault_of_client`](Self::is_fault_of_client) says whose fault it is, and
/// [`is_temporary`](Self::is_temporary) whether the client can try again. Texts of the client are cut to
/// 100 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// What the client sent is not STOMP, or exceeds a limit of frames.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A frame came before CONNECT (1.2 §Connecting).
    #[error("{command} before CONNECT")]
    NotConnected {
        /// The command of the frame.
        command: Command,
    },
    /// A CONNECT came after the first.
    #[error("{command} in a session that is connected already")]
    AlreadyConnected {
        /// The command of the frame: CONNECT or STOMP.
        command: Command,
    },
    /// No CONNECT came in time.
    #[error("no CONNECT came within {timeout:?}")]
    ConnectTimeout {
        /// How long the session waited.
        timeout: Duration,
    },
    /// The client and the server have no version in common (1.2 §Protocol Negotiation).
    #[error("the supported versions are 1.0, 1.1 and 1.2")]
    NoCommonVersion,
    /// The application has refused the CONNECT, for this reason.
    #[error("{reason}")]
    ConnectRefused {
        /// Why, as the client gets it.
        reason: String,
        /// The code of the Close.
        code: CloseCode,
    },
    /// More bytes came behind a CONNECT than can wait until the application has answered it.
    #[error("more than {limit} bytes came before CONNECT was answered")]
    TooMuchWaiting {
        /// How many bytes can wait.
        limit: usize,
    },
    /// A frame lacks a header that it has to have.
    #[error("{command} has no {header} header")]
    MissingHeader {
        /// The command of the frame.
        command: Command,
        /// The missing header.
        header: &'static str,
    },
    /// The value of a header can't be used.
    #[error("the {header} header of {command} {problem}")]
    InvalidHeader {
        /// The command of the frame.
        command: Command,
        /// The header.
        header: &'static str,
        /// What is wrong with it, as the rest of a sentence.
        problem: &'static str,
    },
    /// A text by which the client names something is too long.
    #[error("the {header} header of {command} has {len} bytes, at most {limit} are allowed")]
    IdentifierTooLong {
        /// The command of the frame.
        command: Command,
        /// The header.
        header: &'static str,
        /// The length of its value in bytes.
        len: usize,
        /// How many bytes it may have.
        limit: usize,
    },
    /// The connection has a subscription of this name.
    #[error("there is a subscription {id:?} already")]
    SubscriptionExists {
        /// The `id`, or in STOMP 1.0 the destination.
        id: String,
    },
    /// The connection has no subscription of this name.
    #[error("there is no subscription {id:?}")]
    UnknownSubscription {
        /// The `id`, or in STOMP 1.0 the destination.
        id: String,
    },
    /// The connection has had as many subscriptions as there are numbers for them.
    #[error("the connection can't have more subscriptions")]
    TooManySubscriptions,
    /// The connection has an open transaction of this name.
    #[error("transaction {transaction:?} is open already")]
    TransactionExists {
        /// The name of the transaction.
        transaction: String,
    },
    /// The connection has no open transaction of this name.
    #[error("there is no open transaction {transaction:?}")]
    UnknownTransaction {
        /// The name of the transaction.
        transaction: String,
    },
    /// As many transactions are open as can be.
    #[error("{limit} transactions are open, and there can't be more")]
    TooManyTransactions {
        /// How many can be open.
        limit: usize,
    },
    /// As many frames wait in open transactions as can.
    #[error("{limit} frames wait in open transactions, and there can't be more")]
    TooManyOperations {
        /// How many can wait.
        limit: usize,
    },
    /// The messages in open transactions are too large.
    #[error("the messages in open transactions have {size} bytes, at most {limit} are allowed")]
    TransactionsTooLarge {
        /// How many bytes they would have.
        size: usize,
        /// How many they may have.
        limit: usize,
    },
    /// As many receipts are unanswered as can be.
    #[error("{limit} receipts are unanswered, and there can't be more")]
    TooManyReceipts {
        /// How many can be unanswered.
        limit: usize,
    },
    /// What was sent before a DISCONNECT was not answered in time.
    #[error("what came before DISCONNECT was not processed within {timeout:?}")]
    DisconnectTimeout {
        /// How long the session waited.
        timeout: Duration,
    },
    /// Nothing came from the client for longer than heart-beats allow.
    #[error("nothing came for more than {timeout:?}")]
    Silent {
        /// How long the session waited.
        timeout: Duration,
    },
    /// The client does not read: the output for it has reached its limit.
    #[error("you are too slow: {limit} bytes wait for you")]
    QueueFull {
        /// How many bytes can be queued.
        limit: usize,
    },
    /// The application has ended the session, for this reason.
    #[error("{reason}")]
    Ended {
        /// Why, as the client gets it.
        reason: String,
        /// The code of the Close.
        code: CloseCode,
    },
    /// A message can't be written in the version of the session: its destination has a line end.
    #[error("a message can't be written in this version of STOMP")]
    Inexpressible,
    /// The hub has refused a command, or has ended a subscription.
    #[error(transparent)]
    Refused(Box<Refusal>),
}

impl SessionError {
    /// Returns whether the client has to change what it does.
    #[must_use]
    pub fn is_fault_of_client(&self) -> bool {
        !self.is_temporary() && !matches!(self, Self::Inexpressible | Self::Ended { .. })
    }

    /// Returns whether the same can succeed in a later session.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_temporary(),
            Self::DisconnectTimeout { .. } | Self::Silent { .. } | Self::QueueFull { .. } => true,
            _ => false,
        }
    }

    /// Returns what the client is told. That is less than what `Display` shows of a refusal, which can
    /// name what is none of the client's business: see [`Answer`].
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Refused(refusal) => Answer::from(&**refusal).message.into_owned(),
            error => error.to_string(),
        }
    }

    /// Returns the code of the WebSocket's Close after the ERROR (RFC 6455 §7.4.1).
    ///
    /// | code | after |
    /// |---|---|
    /// | 1002 | what is not STOMP, and frames that are not allowed there |
    /// | 1008 | limits and timeouts |
    /// | 1009 | a frame that is too large |
    /// | 1011 | a message that the version can't express |
    /// | 1013 | what can succeed later |
    ///
    /// After [`Refused`](Self::Refused) it is that of the guard's [`Answer`], and after
    /// [`ConnectRefused`](Self::ConnectRefused) and [`Ended`](Self::Ended) the application's own.
    #[must_use]
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::Decode(error) if error.is_limit() => CloseCode::MESSAGE_TOO_BIG,
            Self::Refused(refusal) => Answer::from(&**refusal).close_code,
            Self::ConnectRefused { code, .. } | Self::Ended { code, .. } => *code,
            Self::Inexpressible => CloseCode::INTERNAL_ERROR,
            Self::Silent { .. } => CloseCode::POLICY_VIOLATION,
            error if error.is_temporary() => CloseCode::TRY_AGAIN_LATER,
            Self::ConnectTimeout { .. }
            | Self::TooMuchWaiting { .. }
            | Self::IdentifierTooLong { .. }
            | Self::TooManySubscriptions
            | Self::TooManyTransactions { .. }
            | Self::TooManyOperations { .. }
            | Self::TransactionsTooLarge { .. }
            | Self::TooManyReceipts { .. } => CloseCode::POLICY_VIOLATION,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

/// Returns the value of a header that the frame has to have.
pub(super) fn require<'a>(
    frame: &Frame<'_>,
    header: &'static str,
    value: Option<Cow<'a, str>>,
) -> Result<Cow<'a, str>, SessionError> {
    value.ok_or_else(|| missing(frame, header))
}

/// A header is missing.
pub(super) fn missing(frame: &Frame<'_>, header: &'static str) -> SessionError {
    SessionError::MissingHeader { command: frame.command(), header }
}

/// The value of a header can't be used. `problem` is the rest of a sentence.
pub(super) fn invalid(
    frame: &Frame<'_>,
    header: &'static str,
    problem: &'static str,
) -> SessionError {
    SessionError::InvalidHeader { command: frame.command(), header, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_faults_from_what_can_succeed_later() {
        let too_large = SessionError::from(DecodeError::BodyTooLarge { limit: 1 });
        assert_eq!(too_large.close_code(), CloseCode::MESSAGE_TOO_BIG);
        let full = SessionError::QueueFull { limit: 1 };
        assert_eq!(full.close_code(), CloseCode::TRY_AGAIN_LATER);
        assert!(!full.is_fault_of_client());
        let away = SessionError::Refused(Box::new(Refusal::Broker("amqp://a:b@10.0.0.1".into())));
        assert_eq!(away.close_code(), CloseCode::TRY_AGAIN_LATER);
        assert!(away.to_string().contains("10.0.0.1") && !away.message().contains("10.0.0.1"));
        let early = SessionError::NotConnected { command: Command::Send };
        assert_eq!(early.close_code(), CloseCode::PROTOCOL_ERROR);
        assert!(early.is_fault_of_client());
    }
}
