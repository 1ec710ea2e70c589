use crate::frame::{CloseCode, CloseFrameError, FrameError, Rsv};
use thiserror::Error;

/// Something that the peer did and that RFC 6455 or a limit of this end does not allow.
///
/// It fails the connection (RFC 6455 §7.1.7): a Close with its [`close_code`](Self::close_code) is
/// queued once, and nothing more is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame header that is wrong in any context.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A payload of a Close frame that is not of its form.
    #[error(transparent)]
    CloseFrame(#[from] CloseFrameError),
    /// A client sent an unmasked frame (§5.1).
    #[error("a client's frame is not masked")]
    Unmasked,
    /// A server sent a masked frame (§5.1).
    #[error("a server's frame is masked")]
    Masked,
    /// Reserved bits that no negotiated extension uses in this place (§5.2).
    #[error("reserved bits {:03b} without an extension that uses them", .0.bits())]
    ReservedBits(Rsv),
    /// A continuation while no message is in progress (§5.4).
    #[error("continuation frame without a message to continue")]
    NothingToContinue,
    /// A new message while another is in progress (§5.4).
    #[error("a new message starts amid a fragmented one")]
    MessageAmidMessage,
    /// A text message that is not UTF-8 (§8.1).
    #[error("text message is not UTF-8 from its byte {at} on")]
    InvalidUtf8 {
        /// Bytes of the message before the offending ones.
        at: u64,
    },
    /// Compressed data that is not of its form, or ends too early (RFC 7692 §7.2.2).
    #[error("compressed message is invalid from its byte {at} on")]
    InvalidCompression {
        /// Bytes of the decompressed message before that.
        at: u64,
    },
    /// More last blocks of DEFLATE (BFINAL, RFC 7692 §7.2.3.4) than the compressed bytes so far allow.
    /// Decompression begins anew behind each. It fails with 1008.
    #[error("more than {limit} last blocks of DEFLATE in the compressed data so far")]
    TooManyLastBlocks {
        /// How many there may be so far: 64, and one more for each frame and for each 16 compressed bytes.
        limit: u64,
    },
    /// A frame larger than the limit.
    #[error("frame of {len} bytes, the limit is {limit}")]
    FrameTooLarge {
        /// Bytes of payload that its header announced.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A message larger than the limit.
    #[error("message of at least {len} bytes, the limit is {limit}")]
    MessageTooLarge {
        /// Bytes of its frames up to the one that exceeded the limit.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A message of more frames than the limit.
    #[error("message of more than {limit} fragments")]
    TooManyFragments {
        /// The limit.
        limit: u32,
    },
}

impl ProtocolError {
    /// The code of the Close that says so to the peer (RFC 6455 §7.4.1).
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 { .. }
            | Self::InvalidCompression { .. }
            | Self::CloseFrame(CloseFrameError::ReasonNotUtf8(_)) => {
                CloseCode::INVALID_PAYLOAD_DATA
            }
            Self::FrameTooLarge { .. } | Self::MessageTooLarge { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyFragments { .. } | Self::TooManyLastBlocks { .. } => {
                CloseCode::POLICY_VIOLATION
            }
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

/// Why nothing could be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The peer's fault: the connection has failed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The caller's: the buffer is not the one that this connection was used with before. Nothing
    /// has changed.
    #[error("the read buffer belongs to another connection")]
    ForeignBuffer,
    /// The caller's: chunks were asked for while a message is received whole, or the other way
    /// round. Nothing has changed; go on as the message was begun.
    #[error("a message can't be received partly whole and partly in chunks")]
    MixedModes,
}

/// Why something could not be sent: this end's own doing. Nothing has been queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// A Close was sent, or the connection has ended (RFC 6455 §5.5.1).
    #[error("the connection is closing or closed")]
    Closed,
    /// Too much waits to be written already.
    #[error("{queued} bytes wait to be written, the limit is {limit}")]
    QueueFull {
        /// Bytes that wait.
        queued: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A message amid the fragments of another, or a fragment of the other kind.
    #[error("a fragmented message is in progress")]
    MessageInProgress,
    /// A ping or pong of over 125 bytes (RFC 6455 §5.5).
    #[error("control frame of {len} bytes, 125 is the most")]
    ControlTooLong {
        /// Bytes of its payload.
        len: usize,
    },
    /// A close reason of over 123 bytes (RFC 6455 §5.5.1).
    #[error("close reason of {len} bytes, 123 is the most")]
    ReasonTooLong {
        /// Bytes of the reason.
        len: usize,
    },
    /// A close code that may not be sent (RFC 6455 §7.4).
    #[error("close code {} may not be sent", .0.number())]
    UnsendableCode(CloseCode),
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
