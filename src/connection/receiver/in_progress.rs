//! The frame and the message that the receiving half is in the middle of (RFC 6455 §5.4, §8.1).

use crate::buffer::ReadBuffer;
use crate::connection::{MessageKind, ProtocolError};
use crate::frame::{OpCode, Rsv};
use crate::mask::MaskKey;

/// The data frame in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameInProgress {
    pub(super) fin: bool,
    pub(super) key: Option<MaskKey>,
    /// Bytes of payload that were received.
    pub(super) received: u64,
    pub(super) payload_len: u64,
}

/// How a message is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    /// Whole, once it is complete.
    Whole,
    /// In chunks, none of which was handed out yet.
    Chunks,
    /// In chunks, after the first one.
    MoreChunks,
    /// Not at all: the caller does not want the rest.
    Skipped,
}

/// The message in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageInProgress {
    pub(super) kind: MessageKind,
    delivery: Delivery,
    /// Whether the payload is compressed (RFC 7692 §6).
    #[cfg(feature = "deflate")]
    pub(super) compressed: bool,
    /// Bytes of payload: those that the frame headers announced or, in chunks, those that were
    /// handed out or skipped. One field serves both uses, because every idle connection pays for its
    /// size.
    bytes: u64,
    pub(super) fragments: u32,
}

impl MessageInProgress {
    /// Creates the message that begins with a frame of this kind and with these reserved bits.
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "used by deflate"))]
    pub(super) fn new(kind: MessageKind, rsv: Rsv, chunked: bool) -> Self {
        Self {
            kind,
            delivery: if chunked { Delivery::Chunks } else { Delivery::Whole },
            #[cfg(feature = "deflate")]
            compressed: !rsv.is_none(),
            bytes: 0,
            fragments: 0,
        }
    }

    /// Returns `true` if the message is not received whole, so that nothing of it has to be kept.
    #[inline]
    pub(super) fn is_chunked(&self) -> bool {
        self.delivery != Delivery::Whole
    }

    #[inline]
    pub(super) fn is_skipped(&self) -> bool {
        self.delivery == Delivery::Skipped
    }

    /// Returns `true` if the message can be continued by a call that asks for chunks, or by one that
    /// asks for whole messages.
    #[inline]
    pub(super) fn fits(&self, chunked: bool) -> bool {
        self.is_skipped() || self.is_chunked() == chunked
    }

    /// Skips the rest of the message, if one of its chunks was handed out.
    pub(super) fn skip(&mut self) {
        if self.delivery == Delivery::MoreChunks {
            self.delivery = Delivery::Skipped;
        }
    }

    /// Counts a frame of the message.
    pub(super) fn announce(&mut self, payload_len: u64) {
        if !self.is_chunked() {
            self.bytes = self.bytes.saturating_add(payload_len);
        }
        self.fragments = self.fragments.saturating_add(1);
    }

    /// Returns how many bytes of payload the frame headers announced, if the message is received
    /// whole.
    #[inline]
    pub(super) fn announced(&self) -> u64 {
        if self.is_chunked() { 0 } else { self.bytes }
    }

    /// Returns how many bytes of payload were handed out in chunks, or skipped.
    #[inline]
    pub(super) fn released(&self) -> u64 {
        if self.is_chunked() { self.bytes } else { 0 }
    }

    /// Counts a chunk as handed out or skipped. Returns `true` if it is the first one.
    pub(super) fn release(&mut self, len: usize) -> bool {
        self.bytes += len as u64;
        let is_first = self.delivery == Delivery::Chunks;
        if is_first {
            self.delivery = Delivery::MoreChunks;
        }
        is_first
    }

    /// Validates the kept bytes of a text message. RFC 6455 §8.1: bytes that can't be UTF-8 fail
    /// the connection; here they do so as soon as they arrive. Returns the length of the kept
    /// complete characters, or of everything that is kept if the message is binary.
    #[inline]
    pub(super) fn validate(&self, input: &mut ReadBuffer) -> Result<usize, ProtocolError> {
        match self.kind {
            MessageKind::Binary => Ok(input.kept_len()),
            MessageKind::Text => match input.validate_kept() {
                Ok(len) => Ok(len),
                Err(error) => Err(self.not_utf8(error.valid_up_to())),
            },
        }
    }

    /// Checks that the message does not end in the middle of a character (RFC 6455 §8.1).
    #[inline]
    pub(super) fn check_end(
        &self,
        whole_characters: usize,
        input: &ReadBuffer,
    ) -> Result<(), ProtocolError> {
        if whole_characters < input.kept_len() {
            return Err(self.not_utf8(whole_characters));
        }
        Ok(())
    }

    #[cold]
    fn not_utf8(&self, kept_at: usize) -> ProtocolError {
        ProtocolError::InvalidUtf8 { at: self.released() + kept_at as u64 }
    }
}

/// Returns the kind of message that a frame with this opcode begins, if it begins one.
pub(super) fn kind_begun_by(opcode: OpCode) -> Option<MessageKind> {
    match opcode {
        OpCode::Text => Some(MessageKind::Text),
        OpCode::Binary => Some(MessageKind::Binary),
        OpCode::Continuation | OpCode::Close | OpCode::Ping | OpCode::Pong => None,
    }
}
