//! What the receiving half knows of the frame and the message that it is amid (RFC 6455 §5.4, §8.1).

use crate::buffer::ReadBuffer;
use crate::connection::{Kind, ProtocolError};
use crate::frame::{OpCode, Rsv};
use crate::mask::MaskKey;

/// The data frame in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameInProgress {
    pub(super) fin: bool,
    pub(super) key: Option<MaskKey>,
    /// Bytes of payload received.
    pub(super) received: u64,
    pub(super) payload_len: u64,
}

/// The message in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageInProgress {
    pub(super) kind: Kind,
    pub(super) chunked: bool,
    /// Whether its payload is compressed (RFC 7692 §6).
    #[cfg(feature = "deflate")]
    pub(super) compressed: bool,
    /// Bytes of payload: those that its frame headers announced, or in chunks those that were handed
    /// out. The other is never asked for, and every connection has room for this while it idles.
    bytes: u64,
    pub(super) fragments: u32,
    started: bool,
}

impl MessageInProgress {
    /// One that a frame with these bits begins.
    #[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "nothing to look at"))]
    pub(super) fn new(kind: Kind, rsv: Rsv, chunked: bool) -> Self {
        Self {
            kind,
            chunked,
            #[cfg(feature = "deflate")]
            compressed: !rsv.is_none(),
            bytes: 0,
            fragments: 0,
            started: false,
        }
    }

    /// Counts a frame of it.
    pub(super) fn announce(&mut self, payload_len: u64) {
        if !self.chunked {
            self.bytes = self.bytes.saturating_add(payload_len);
        }
        self.fragments = self.fragments.saturating_add(1);
    }

    /// Bytes of payload that its frame headers announced, if it is received whole.
    #[inline]
    pub(super) fn announced(&self) -> u64 {
        if self.chunked { 0 } else { self.bytes }
    }

    /// Bytes of payload that were handed out in chunks.
    #[inline]
    pub(super) fn released(&self) -> u64 {
        if self.chunked { self.bytes } else { 0 }
    }

    /// Notes that a chunk is handed out; whether it is the first.
    pub(super) fn release(&mut self, len: usize) -> bool {
        self.bytes += len as u64;
        !core::mem::replace(&mut self.started, true)
    }

    /// RFC 6455 §8.1: bytes that can't be UTF-8 fail the connection; they do so as they arrive. The
    /// length of the whole characters that are kept, or of all if it is not text.
    #[inline]
    pub(super) fn validate(&self, input: &mut ReadBuffer) -> Result<usize, ProtocolError> {
        match self.kind {
            Kind::Binary => Ok(input.kept_len()),
            Kind::Text => match input.validate_kept() {
                Ok(len) => Ok(len),
                Err(error) => Err(self.not_utf8(error.valid_up_to())),
            },
        }
    }

    /// RFC 6455 §8.1: the end of a message is not amid a character.
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

/// The kind of message that a frame begins, if it begins one.
pub(super) fn kind_begun_by(opcode: OpCode) -> Option<Kind> {
    match opcode {
        OpCode::Text => Some(Kind::Text),
        OpCode::Binary => Some(Kind::Binary),
        OpCode::Continuation | OpCode::Close | OpCode::Ping | OpCode::Pong => None,
    }
}
