//! Which limit a client has exceeded.

use core::{fmt, time::Duration};
use sansocket::server::Rate;

/// A limit of [`Limits`](super::Limits) that does not allow what a client wants. Nothing was counted for
/// it.
///
/// It is the fault of the clients that share the limit, and of a full destination also that of others.
/// [`retry_after`](Self::retry_after) says when trying again can succeed. What the client gets is an
/// [`Answer`](super::Answer).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// There are as many [connections](super::ClientLimits::connections) as there may be.
    #[error("too many connections for {scope}: at most {limit}")]
    Connections {
        /// Whose limit it is.
        scope: Scope,
        /// How many there may be.
        limit: u32,
    },
    /// Connections begin more often than [allowed](super::ClientLimits::new_connections).
    #[error("too many new connections for {scope}: at most {rate}")]
    NewConnections {
        /// Whose limit it is.
        scope: Scope,
        /// How often they may begin.
        rate: Rate,
        /// How long it takes until one is allowed, or `None` if it never is.
        retry_after: Option<Duration>,
    },
    /// There are more messages than [allowed](super::ClientLimits::messages).
    #[error("too many messages for {scope}: at most {rate}")]
    Messages {
        /// Whose limit it is.
        scope: Scope,
        /// How many there may be.
        rate: Rate,
        /// How long it takes until one is allowed, or `None` if it never is.
        retry_after: Option<Duration>,
    },
    /// There are more bytes of messages than [allowed](super::ClientLimits::bytes).
    #[error("too many bytes for {scope}, with a message of {size}: at most {rate}")]
    Bytes {
        /// Whose limit it is.
        scope: Scope,
        /// How many there may be.
        rate: Rate,
        /// The bytes of the message.
        size: usize,
        /// How long it takes until the message is allowed, or `None` if it never is.
        retry_after: Option<Duration>,
    },
    /// There are as many [subscriptions](super::ClientLimits::subscriptions) as there may be.
    #[error("too many subscriptions for {scope}: at most {limit}")]
    Subscriptions {
        /// Whose limit it is.
        scope: Scope,
        /// How many there may be.
        limit: u32,
    },
    /// The message is larger than the destination
    /// [allows](super::DestinationLimits::message_size).
    #[error("the message has {size} bytes, at most {limit} are allowed")]
    MessageTooLarge {
        /// The bytes of the message.
        size: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The name of the destination is [too long](super::Limits::destination_name).
    #[error("the destination has {length} bytes, at most {limit} are allowed")]
    DestinationTooLong {
        /// How many bytes the name has.
        length: usize,
        /// How many it may have.
        limit: usize,
    },
}

/// Who shares a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// All clients of one principal.
    Principal,
    /// All clients at one address.
    Address,
    /// All clients that use one destination.
    Destination,
}

impl Breach {
    /// Returns how long it takes until trying the same again can succeed, if others do nothing
    /// meanwhile; `None` if it never can. Zero if it depends on when connections or subscriptions end.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match *self {
            Self::NewConnections { retry_after, .. }
            | Self::Messages { retry_after, .. }
            | Self::Bytes { retry_after, .. } => retry_after,
            Self::Connections { limit, .. } | Self::Subscriptions { limit, .. } => {
                (limit > 0).then_some(Duration::ZERO)
            }
            Self::MessageTooLarge { .. } | Self::DestinationTooLong { .. } => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Principal => "your user",
            Self::Address => "your address",
            Self::Destination => "the destination",
        })
    }
}
