//! What can go wrong on a connection: faults of the peer, and misuse.

use super::initiator::Initiator;
use crate::frame::{CloseCode, CloseFrameError, FrameError, Rsv};
use crate::rate::Rate;
use thiserror::Error;

/// A violation of RFC 6455, or of a local limit, by the peer.
///
/// The violation fails the connection (RFC 6455 §7.1.7): one Close with the
/// [`close_code`](Self::close_code) is queued, and nothing more is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame header that is invalid in any context.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A Close frame with an invalid payload.
    #[error(transparent)]
    CloseFrame(#[from] CloseFrameError),
    /// A client sent an unmasked frame (§5.1).
    #[error("a client's frame is not masked")]
    Unmasked,
    /// A server sent a masked frame (§5.1).
    #[error("a server's frame is masked")]
    Masked,
    /// Reserved bits that no negotiated extension uses in this frame (§5.2).
    #[error("reserved bits {:03b} are set, but no extension uses them", .0.bits())]
    ReservedBits(Rsv),
    /// A continuation frame while no message is in progress (§5.4).
    #[error("continuation frame without a message to continue")]
    UnexpectedContinuation,
    /// A new message while another one is in progress (§5.4).
    #[error("a new message starts inside a fragmented message")]
    ExpectedContinuation,
    /// A text message with invalid UTF-8 (§8.1).
    #[error("text message has invalid UTF-8 at byte {at}")]
    InvalidUtf8 {
        /// The number of valid bytes at the start of the message.
        at: u64,
    },
    /// Compressed data that is malformed or ends too early (RFC 7692 §7.2.2).
    #[error("compressed message is corrupt after {at} decompressed bytes")]
    InvalidCompression {
        /// The number of bytes that were decompressed from the message before the error.
        at: u64,
    },
    /// More final DEFLATE blocks (BFINAL, RFC 7692 §7.2.3.4) than the compressed data so far may
    /// contain. Decompression restarts after each of them. Fails the connection with 1008.
    #[error("more than {limit} final DEFLATE blocks in the compressed data so far")]
    TooManyLastBlocks {
        /// The number of final blocks allowed so far: 64, plus one for each frame and one for every
        /// 16 compressed bytes.
        limit: u64,
    },
    /// A frame that exceeds the limit.
    #[error("frame of {len} bytes exceeds the limit of {limit}")]
    FrameTooLarge {
        /// The payload length that the frame's header announced.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A message that exceeds the limit.
    #[error("message of at least {len} bytes exceeds the limit of {limit}")]
    MessageTooLarge {
        /// The length of the message's frames, up to and including the one that exceeded the limit.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A message with more frames than the limit.
    #[error("message has more than {limit} fragments")]
    TooManyFragments {
        /// The largest number of frames.
        limit: u32,
    },
    /// More messages, over all connections of the peer's address, than a server's
    /// [`PerAddress::messages`](crate::server::PerAddress::messages) allows. Fails the connection
    /// with 1008.
    #[error("more messages from this address than {rate}")]
    TooManyMessages {
        /// The limit.
        rate: Rate,
    },
    /// More bytes, over all connections of the peer's address, than a server's
    /// [`PerAddress::bytes`](crate::server::PerAddress::bytes) allows. Fails the connection with
    /// 1008.
    #[error("more bytes from this address than {rate}")]
    TooManyBytes {
        /// The limit, in bytes.
        rate: Rate,
    },
    /// The peer made this endpoint hold more than its share of the [`Budget`](crate::Budget), while
    /// that is used up. Fails the connection with 1013.
    #[error(
        "{held} bytes are held for the peer, and {share} are its share of a budget that is used up"
    )]
    OverBudget {
        /// The bytes of unfinished input.
        held: u64,
        /// The [fair share](crate::Budget::fair_share) in bytes.
        share: u64,
    },
    /// A frame or a message whose rest arrives too slowly. Fails the connection with 1008.
    #[error("an unfinished message brought {received} bytes in {millis} ms instead of {least}")]
    TooSlow {
        /// The bytes that have arrived in the period.
        received: u32,
        /// The bytes that [`Config::min_data_rate`](crate::Config::min_data_rate) requires.
        least: u32,
        /// The length of the period in milliseconds.
        millis: u32,
    },
}

impl ProtocolError {
    /// Returns the code of the Close that reports this error to the peer (RFC 6455 §7.4.1).
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 { .. }
            | Self::InvalidCompression { .. }
            | Self::CloseFrame(CloseFrameError::ReasonNotUtf8(_)) => {
                CloseCode::INVALID_PAYLOAD_DATA
            }
            Self::FrameTooLarge { .. } | Self::MessageTooLarge { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::OverBudget { .. } => CloseCode::TRY_AGAIN_LATER,
            Self::TooManyFragments { .. }
            | Self::TooManyLastBlocks { .. }
            | Self::TooManyMessages { .. }
            | Self::TooManyBytes { .. }
            | Self::TooSlow { .. } => CloseCode::POLICY_VIOLATION,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// Returns `true` if the peer may do better on a new connection, although nothing else changes:
    /// for [`TooSlow`](Self::TooSlow), because a network may recover, and for
    /// [`OverBudget`](Self::OverBudget), because others may need less.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::TooSlow { .. } | Self::OverBudget { .. })
    }
}

/// The reason why a receiver did not advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The peer is at fault, and the connection has failed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// Misuse: the connection was used with a different buffer before. Nothing has changed.
    #[error("the read buffer belongs to another connection")]
    ForeignBuffer,
    /// Misuse: you asked for chunks while a message is being received whole, or the other way
    /// round. Nothing has changed; continue in the mode in which the message began, or
    /// [skip](super::Receiver::skip_message) the rest of a message whose first chunk you have.
    #[error("a message can't be received both whole and in chunks")]
    MixedModes,
}

/// The reason why this endpoint refused to send something. Nothing has been queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// A Close was sent, or the connection has ended (RFC 6455 §5.5.1).
    #[error("the connection is closing or closed with {code}")]
    Closed {
        /// The code of the peer's Close if it has arrived, otherwise that of this endpoint's Close,
        /// otherwise [`CloseCode::ABNORMAL`].
        code: CloseCode,
        /// Who started to end the connection, as far as it is known.
        initiator: Initiator,
        /// Whether a new connection may last longer, as
        /// [`Closed::is_transient`](crate::Closed::is_transient) says of the end. Before the end, it is
        /// `false` if your code has closed, and `true` if a timeout has.
        is_transient: bool,
    },
    /// Too much output is queued already, or too much of what you have pushed waits in the
    /// [outbox](crate::Config::outbox).
    #[error("the queue is full: {queued} bytes are queued, the limit is {limit}")]
    QueueFull {
        /// The number of queued bytes.
        queued: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Too many messages wait in the [outbox](crate::Config::outbox).
    #[error("the outbox is full: {messages} messages wait, the limit is {limit}")]
    TooManyQueued {
        /// The number of messages that wait.
        messages: usize,
        /// The limit.
        limit: usize,
    },
    /// A whole message between the fragments of another one, or a fragment of the other kind.
    #[error("a fragmented message is in progress")]
    MessageInProgress,
    /// A ping or pong with more than 125 bytes of payload (RFC 6455 §5.5).
    #[error("control frame payload of {len} bytes exceeds the limit of 125")]
    ControlTooLong {
        /// The length of the payload in bytes.
        len: usize,
    },
    /// A close code that must not be sent (RFC 6455 §7.4).
    #[error("close code {} must not be sent", .0.number())]
    UnsendableCode(CloseCode),
}

impl SendError {
    /// Returns `true` if too much waits to be sent already. There is room again once the peer has read
    /// some of it.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::QueueFull { .. } | Self::TooManyQueued { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_small() {
        assert!(size_of::<ReceiveError>() <= 24);
        assert!(size_of::<SendError>() <= 24);
    }
}
