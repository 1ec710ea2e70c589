use super::Message;
use crate::{FrameHeader, MAX_FRAME_HEADER, Rsv};
use alloc::vec::Vec;
use bytes::Bytes;

/// A message encoded once, to be sent by a server on many connections.
///
/// A clone shares the encoded frame.
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    message: Message,
    frames: Bytes,
}

impl PreparedMessage {
    /// Encodes a message, as one frame.
    #[must_use]
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let payload = message.as_bytes();
        let header = FrameHeader {
            fin: true,
            rsv: Rsv::NONE,
            opcode: message.kind().opcode(),
            mask: None,
            payload_len: payload.len() as u64,
        };
        let mut bytes = [0; MAX_FRAME_HEADER];
        let len = header.encode(&mut bytes);
        let mut frames = Vec::with_capacity(len + payload.len());
        frames.extend_from_slice(&bytes[..len]);
        frames.extend_from_slice(payload);
        Self { frames: frames.into(), message }
    }

    /// The message.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    pub(super) const fn frames(&self) -> &Bytes {
        &self.frames
    }
}

impl<M: Into<Message>> From<M> for PreparedMessage {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}
