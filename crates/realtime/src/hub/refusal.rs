//! Why the hub refuses a command.

use super::SubscriptionId;
use alloc::string::String;

/// Why a command is refused, or a subscription ended.
///
/// [`is_temporary`](Self::is_temporary) says whether the same command can succeed later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The destination is not one that can be used like this. It is the client's fault.
    #[error("destination {destination:?} {problem}")]
    Destination {
        /// The destination, cut to 100 bytes.
        destination: String,
        /// What is wrong with it, as the rest of a sentence.
        problem: &'static str,
    },
    /// The [`Authorization`](super::Authorization) does not allow it.
    #[error("you may not {action} {destination:?}")]
    NotAllowed {
        /// What was tried.
        action: Action,
        /// The destination, cut to 100 bytes.
        destination: String,
    },
    /// No [route](super::Hub::route) of the application matches.
    #[error("nothing handles {destination:?}")]
    NoHandler {
        /// The destination, cut to 100 bytes.
        destination: String,
    },
    /// The application has refused a call. It is the client's fault.
    #[error("{0}")]
    Application(String),
    /// The application can't handle a call now, because it is busy or something that it needs is away. It
    /// is not the client's fault, and trying again can help.
    #[error("{0}")]
    Unavailable(String),
    /// The application has failed to handle a call. It is not the client's fault, and trying again need not
    /// help.
    #[error("{0}")]
    Failed(String),
    /// A subscription of this name exists in the connection. It is the client's fault.
    #[error("subscription {} exists already", .0.0)]
    SubscriptionExists(SubscriptionId),
    /// There is no subscription of this name in the connection. It is the client's fault.
    #[error("there is no subscription {}", .0.0)]
    UnknownSubscription(SubscriptionId),
    /// There is no such delivery, or it was acknowledged individually before. It is the client's fault.
    #[error("there is no such delivery to acknowledge")]
    UnknownDelivery,
    /// The destinations of one subscription have different sequences, so that no cursor can resume them
    /// together: some topics stay in this hub, others go through its bridge. It is the client's fault.
    #[error("{destination:?} can't be in one subscription with the destinations before it")]
    DifferentSequences {
        /// The first destination that does not fit, cut to 100 bytes.
        destination: String,
    },
    /// The connection has as many subscriptions as it may have.
    #[error("a connection may have {limit} subscriptions at most")]
    TooManySubscriptions {
        /// How many it may have.
        limit: usize,
    },
    /// The hub has as many topics or queues as it may have.
    #[error("there are {limit} destinations, and may not be more")]
    TooManyDestinations {
        /// How many it may have.
        limit: usize,
    },
    /// The message is too large. It is the client's fault.
    #[error("the message has {size} bytes, at most {limit} are allowed")]
    MessageTooLarge {
        /// The [size](crate::Message::size) of the message in bytes.
        size: usize,
        /// How many bytes it may have.
        limit: usize,
    },
    /// The queue has no room, because nobody consumes it. It may have room later.
    #[error("queue {destination:?} is full with {messages} messages of {bytes} bytes")]
    QueueFull {
        /// The queue, cut to 100 bytes.
        destination: String,
        /// How many messages are in the queue.
        messages: usize,
        /// How many bytes they have.
        bytes: usize,
    },
    /// All queues together have no room. They may have room later.
    #[error("the queues are full with {bytes} bytes, at most {limit} are allowed")]
    QueuesFull {
        /// How many bytes are in all queues.
        bytes: usize,
        /// How many bytes there may be.
        limit: usize,
    },
    /// A transaction has too many operations. It is the client's fault.
    #[error("the transaction has {operations} operations, at most {limit} are allowed")]
    TransactionTooLarge {
        /// How many operations it has.
        operations: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The bridge to the broker does not work, and no more messages can wait for it. It may work
    /// again later.
    #[error("the broker is away, and {messages} messages of {bytes} bytes wait for it already")]
    OutboxFull {
        /// How many messages wait.
        messages: usize,
        /// How many bytes they have.
        bytes: usize,
    },
    /// The broker has refused the message.
    #[error("the broker refuses the message: {0}")]
    Broker(String),
    /// The subscription has missed messages, and its client does not understand
    /// [gaps](super::SubscribeOptions::gaps). It can subscribe again.
    #[error("messages of {destination:?} were lost, and this subscription does not take gaps")]
    Missed {
        /// The destination of the subscription, cut to 100 bytes.
        destination: String,
    },
    /// The command is of a connection that the hub does not know.
    #[error("the connection is not connected")]
    NotConnected,
}

impl Refusal {
    /// Returns whether the same command can succeed later, without a change of anything else.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::QueueFull { .. }
                | Self::QueuesFull { .. }
                | Self::OutboxFull { .. }
                | Self::Broker(_)
                | Self::Missed { .. }
                | Self::Unavailable(_)
                | Self::TooManyDestinations { .. }
        )
    }

    pub(super) fn destination(destination: &str, problem: &'static str) -> Self {
        Self::Destination { destination: cut(destination), problem }
    }

    pub(super) fn not_allowed(action: Action, destination: &str) -> Self {
        Self::NotAllowed { action, destination: cut(destination) }
    }
}

/// What a client tries to do with a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// To subscribe to it.
    Subscribe,
    /// To send to it.
    Send,
}

impl core::fmt::Display for Action {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Subscribe => "subscribe to",
            Self::Send => "send to",
        })
    }
}

/// Cuts a destination of a client for a message to it.
pub(super) fn cut(destination: &str) -> String {
    let end = (0..=destination.len().min(100)).rev().find(|&end| destination.is_char_boundary(end));
    destination[..end.unwrap_or(0)].into()
}
