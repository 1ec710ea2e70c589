//! What a state machine and its transport say to each other: what is to be done next, and how it went.
//!
//! The state machines of this crate do no IO. Each says what it [`Wants`] of its transport, and is
//! told what became of it, failures as an [`IoFailure`].

use core::time::Duration;

/// What is to be done with a transport next. It is a set: each part that is wanted can be done in
/// any order, and none has to wait for another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wants {
    /// Write what is queued, and flush the transport if it holds bytes back.
    pub write: bool,
    /// Read.
    pub read: bool,
    /// End the writing side, so that the peer reads an end of file: a half-close of TCP.
    pub shut_down_write: bool,
    /// Ask again at this moment, if nothing happens before. It can have passed already: then ask
    /// again as soon as the rest of the set was tried without waiting, and what came of that was told. That
    /// may be so a few times in turn, at the same moment of a clock that stands still.
    pub deadline: Option<Duration>,
}

/// How reading, writing or ending a transport failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IoFailure {
    /// Nothing could be done now. It is no failure yet: it is tried again while it is wanted.
    NotReady,
    /// The transport gave up waiting for the peer.
    TimedOut,
    /// The transport broke.
    Reset,
    /// The transport has ended before, and does not say how.
    Ended,
    /// TLS ended without its own closing message: what came may be cut short.
    TlsTruncated,
    /// The transport can't do this at all. Of ending the writing side: it has no half-close.
    Unsupported,
    /// Anything else.
    Other,
}

/// The end of the writing side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fin {
    #[default]
    Unsent,
    /// It was tried, and the transport was not ready.
    Tried,
    Sent,
    /// The transport has no half-close.
    Unsupported,
}

impl Fin {
    /// After an attempt that came to this.
    pub(crate) fn after(outcome: Result<(), IoFailure>) -> Self {
        match outcome {
            Err(IoFailure::NotReady) => Self::Tried,
            Err(IoFailure::Unsupported) => Self::Unsupported,
            // It can only fail if the transport has ended anyway, which reading tells.
            Ok(()) | Err(_) => Self::Sent,
        }
    }

    /// Whether it can still be sent.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Unsent | Self::Tried)
    }
}

/// The earlier of two moments; `None` is never.
pub(crate) fn earliest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}
