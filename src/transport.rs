//! The interface between a state machine and its transport: what to do next, and how it went.
//!
//! The state machines of this crate do no IO. Each reports what it [`Wants`] from its transport.
//! You report the outcome, with failures as an [`IoFailure`].

#[cfg(feature = "std")]
use alloc::vec::Vec;
use core::time::Duration;

/// What to do with a transport next. The fields form a set: you can do the requested operations in
/// any order, and none of them has to wait for another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wants {
    /// Write the queued output, and flush the transport if it holds bytes back.
    pub write: bool,
    /// Read input.
    pub read: bool,
    /// End the writing side, so that the peer reads an end of file: a TCP half-close.
    pub shut_down_write: bool,
    /// Ask again at this time, if nothing happens earlier. The time may already have passed. Then
    /// try the rest of the set without waiting, report the outcomes, and ask again right away. This
    /// can happen a few times in a row, even at the same time of a clock that stands still.
    pub deadline: Option<Duration>,
}

/// How a transport failed to read, to write, or to end its writing side.
///
/// With the feature `std`, a `std::io::Error` converts into an `IoFailure`:
///
/// | kind of error | failure |
/// |---|---|
/// | `WouldBlock`, `Interrupted` | `NotReady` |
/// | `TimedOut` | `TimedOut` |
/// | `ConnectionReset`, `ConnectionAborted` | `Reset` |
/// | `BrokenPipe`, `NotConnected`, `WriteZero` | `Ended` |
/// | `UnexpectedEof` | `TlsTruncated` |
/// | `Unsupported` | `Unsupported` |
/// | anything else | `Other` |
///
/// If a read ends because of a timeout that you set for the deadline of a
/// [`Wants`], report `NotReady`. On some systems, sockets call this timeout `TimedOut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IoFailure {
    /// Nothing could be done right now. This is not a failure yet: retry as long as the operation
    /// is requested.
    NotReady,
    /// The transport gave up waiting for the peer.
    TimedOut,
    /// The transport broke.
    Reset,
    /// The transport ended earlier and does not report how.
    Ended,
    /// TLS ended without its closing message, so the received data may be truncated.
    TlsTruncated,
    /// The transport does not support the operation. For ending the writing side: it has no
    /// half-close.
    Unsupported,
    /// Anything else.
    Other,
}

/// The parts of a dismantled connection.
#[cfg(feature = "std")]
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<S> {
    /// The transport.
    pub transport: S,
    /// Bytes that were read from the transport but not received as events.
    pub unread: Vec<u8>,
    /// Frames that were queued but not written, masked if the connection is a client's. The first
    /// one may be the rest of a partly written frame. If a write has failed, the rest of the
    /// message that it was part of is missing.
    pub unwritten: Vec<u8>,
}

/// The state of ending the writing side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fin {
    #[default]
    Unsent,
    /// The attempt found the transport not ready.
    Tried,
    Sent,
    /// The transport has no half-close.
    Unsupported,
}

impl Fin {
    /// Returns the state after an attempt with this outcome.
    pub(crate) fn after(outcome: Result<(), IoFailure>) -> Self {
        match outcome {
            Err(IoFailure::NotReady) => Self::Tried,
            Err(IoFailure::Unsupported) => Self::Unsupported,
            // This only fails if the transport has ended anyway, and reading reports that.
            Ok(()) | Err(_) => Self::Sent,
        }
    }

    /// Returns `true` if the writing side can still be ended.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Unsent | Self::Tried)
    }
}

/// Returns the earlier of two times; `None` means never.
pub(crate) fn earliest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}
