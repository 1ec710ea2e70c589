//! The frames of one direction: how many bytes can be passed on, and what they are (RFC 6455 §5).

use crate::connection::ProtocolError;
use crate::frame::{CloseCode, CloseFrame, FrameHeader, MAX_CONTROL_PAYLOAD, OpCode, Rsv};
use crate::mask::apply_mask;
use crate::negotiated::Negotiated;
use alloc::string::String;

/// One of the two peers of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a relay is between exactly two peers")]
pub enum Side {
    /// The client, which sends masked frames.
    Client,
    /// The server, which sends unmasked frames.
    Server,
}

impl Side {
    /// Returns the other peer.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Checks the frames of one peer as they arrive, and says which bytes to pass on.
///
/// The bytes are passed on as they are, the client's masks included. Nothing is held back except a
/// header or a control frame that is not complete, at most 131 bytes.
///
/// ```
/// use sansocket::handshake::Negotiated;
/// use sansocket::relay::{FrameRelay, Passage, Side};
///
/// let mut frames = FrameRelay::new(Side::Server, &Negotiated::new());
/// // The start of a text message, and later the rest with the start of a ping.
/// let passage = frames.advance(b"\x81\x05He")?;
/// assert!(matches!(passage, Some(Passage::Data { len: 4, .. })));
/// let then = b"llo\x89\x02p";
/// assert!(matches!(frames.advance(then)?, Some(Passage::Data { len: 3, .. })));
/// assert_eq!(frames.advance(&then[3..])?, None);
/// // Pass those bytes in again once more have arrived.
/// assert!(matches!(frames.advance(b"\x89\x02pi")?, Some(Passage::Ping { len: 4, .. })));
/// # Ok::<(), sansocket::connection::ProtocolError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrameRelay {
    from: Side,
    usable: UsableBits,
    most_in_frame: u64,
    most_in_message: u64,
    /// The bytes of the current frame's payload that have not arrived.
    missing: u64,
    /// The bytes of the message in progress, in the frames that have begun.
    message: Option<u64>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// A Close was passed on.
    Closed,
    Failed(ProtocolError),
}

/// The reserved bits that the extensions use (§5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UsableBits {
    None,
    /// RFC 7692 §6: RSV1 in the first frame of a message.
    Deflate,
    /// An extension that the relay does not know.
    Unknown,
}

/// Bytes to pass on: at the front of the input, part of one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passage {
    /// A frame of a message, or a part of one.
    #[non_exhaustive]
    Data {
        /// The number of bytes.
        len: usize,
    },
    /// A whole ping.
    #[non_exhaustive]
    Ping {
        /// The number of bytes.
        len: usize,
    },
    /// A whole pong.
    #[non_exhaustive]
    Pong {
        /// The number of bytes.
        len: usize,
    },
    /// A whole Close. Nothing of this peer is passed on after it (RFC 6455 §5.5.1).
    #[non_exhaustive]
    Close {
        /// The number of bytes.
        len: usize,
        /// The code, if the Close has one.
        code: Option<CloseCode>,
        /// The reason, which is usually empty.
        reason: String,
    },
}

impl Passage {
    /// Returns the number of bytes, which is at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(&self) -> usize {
        match self {
            Self::Data { len }
            | Self::Ping { len }
            | Self::Pong { len }
            | Self::Close { len, .. } => *len,
        }
    }
}

impl FrameRelay {
    /// Creates a check for the frames that come from this side, after an opening handshake with this
    /// result. Frames and messages may have any size.
    ///
    /// With permessage-deflate alone, a peer can set the first reserved bit on the first frame of a
    /// message (RFC 7692 §6). With another extension, it can set any reserved bit on any frame:
    /// only the peers know what that means. Reserved opcodes are refused, whatever was negotiated.
    #[must_use]
    pub fn new(from: Side, negotiated: &Negotiated) -> Self {
        let is_deflate = |name: &str| name == "permessage-deflate";
        let mut names = negotiated.extensions.iter().map(|extension| &*extension.name);
        let usable = if negotiated.extensions.is_empty() {
            UsableBits::None
        } else if names.all(is_deflate) {
            UsableBits::Deflate
        } else {
            UsableBits::Unknown
        };
        Self {
            from,
            usable,
            most_in_frame: u64::MAX,
            most_in_message: u64::MAX,
            missing: 0,
            message: None,
            state: State::Open,
        }
    }

    /// Sets the largest payload of a data frame, in bytes. A larger one fails with 1009 before any of
    /// it is passed on.
    #[must_use]
    pub const fn frame_limit(mut self, bytes: u64) -> Self {
        self.most_in_frame = bytes;
        self
    }

    /// Sets the largest message, in bytes over all its frames. A compressed message counts as it is
    /// transmitted. The frame that exceeds the limit fails with 1009 before any of it is passed on;
    /// those before have passed.
    #[must_use]
    pub const fn message_limit(mut self, bytes: u64) -> Self {
        self.most_in_message = bytes;
        self
    }

    /// Checks the input and returns how much of its front to pass on, at most one frame. Returns
    /// `None` if more input is needed, and after a Close.
    ///
    /// Call it until it returns `None`, each time with the bytes behind those of the last call. If it
    /// returns `None`, call it again with the same bytes and more behind them.
    ///
    /// # Errors
    ///
    /// The peer violates RFC 6455 or a limit. All bytes that were passed on before are whole frames,
    /// so a Close can follow them. Every later call returns the same error.
    #[inline]
    pub fn advance(&mut self, input: &[u8]) -> Result<Option<Passage>, ProtocolError> {
        if self.missing > 0 && !input.is_empty() {
            return Ok(Some(Passage::Data { len: self.take(input.len()) }));
        }
        match self.state {
            State::Open => {}
            State::Closed => return Ok(None),
            State::Failed(error) => return Err(error),
        }
        self.begin_frame(input).inspect_err(|error| self.state = State::Failed(*error))
    }

    /// Returns `true` if the bytes that were passed on are whole frames. Another frame can be sent
    /// then, even if a message is in progress, as long as it is a control frame (RFC 6455 §5.4).
    #[must_use]
    pub const fn is_at_boundary(&self) -> bool {
        self.missing == 0
    }

    /// Returns `true` if a Close was passed on.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Counts up to `most` bytes of the current frame, and returns how many these are.
    fn take(&mut self, most: usize) -> usize {
        let missing = usize::try_from(self.missing).unwrap_or(usize::MAX);
        let count = most.min(missing);
        self.missing -= count as u64;
        count
    }

    fn begin_frame(&mut self, input: &[u8]) -> Result<Option<Passage>, ProtocolError> {
        let Some((header, header_len)) = FrameHeader::parse(input)? else { return Ok(None) };
        self.check_header(&header)?;
        if header.opcode.is_control() {
            return self.control(&header, header_len, input);
        }
        self.check_message(&header)?;
        self.missing = header.payload_len;
        Ok(Some(Passage::Data { len: header_len + self.take(input.len() - header_len) }))
    }

    fn check_header(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        // §5.1: a client masks its frames, and a server does not.
        match (self.from, header.mask) {
            (Side::Client, None) => return Err(ProtocolError::Unmasked),
            (Side::Server, Some(_)) => return Err(ProtocolError::Masked),
            _ => {}
        }
        // §5.2: a reserved bit fails the connection if no extension gives it a meaning.
        let begins = matches!(header.opcode, OpCode::Text | OpCode::Binary);
        let unusable = match self.usable {
            UsableBits::Deflate if begins => header.rsv.without(Rsv::RSV1),
            UsableBits::None | UsableBits::Deflate => header.rsv,
            UsableBits::Unknown => Rsv::NONE,
        };
        if unusable.is_none() { Ok(()) } else { Err(ProtocolError::ReservedBits(header.rsv)) }
    }

    fn check_message(&mut self, header: &FrameHeader) -> Result<(), ProtocolError> {
        // §5.4: the fragments of one message are not interleaved with those of another.
        let before = match (header.opcode, self.message) {
            (OpCode::Continuation, Some(before)) => before,
            (OpCode::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation),
            (_, Some(_)) => return Err(ProtocolError::ExpectedContinuation),
            (_, None) => 0,
        };
        let (frame, len) = (header.payload_len, before.saturating_add(header.payload_len));
        if len > self.most_in_message {
            return Err(ProtocolError::MessageTooLarge { len, limit: self.most_in_message });
        }
        if frame > self.most_in_frame {
            return Err(ProtocolError::FrameTooLarge { len: frame, limit: self.most_in_frame });
        }
        self.message = if header.fin { None } else { Some(len) };
        Ok(())
    }

    /// Passes on a control frame once it is complete (§5.5), so that the relay's own Close never has
    /// to wait within one.
    fn control(
        &mut self,
        header: &FrameHeader,
        header_len: usize,
        input: &[u8],
    ) -> Result<Option<Passage>, ProtocolError> {
        let payload_len = MAX_CONTROL_PAYLOAD.min(header.payload_len as usize);
        let len = header_len + payload_len;
        let Some(payload) = input.get(header_len..len) else { return Ok(None) };
        match header.opcode {
            OpCode::Ping => return Ok(Some(Passage::Ping { len })),
            OpCode::Close => {}
            _ => return Ok(Some(Passage::Pong { len })),
        }
        let mut unmasked = [0; MAX_CONTROL_PAYLOAD];
        let unmasked = &mut unmasked[..payload_len];
        unmasked.copy_from_slice(payload);
        if let Some(key) = header.mask {
            apply_mask(unmasked, key, 0);
        }
        let close = CloseFrame::parse(unmasked)?;
        self.state = State::Closed;
        Ok(Some(Passage::Close {
            len,
            code: close.map(|close| close.code),
            reason: close.map_or_else(String::new, |close| close.reason.into()),
        }))
    }
}
