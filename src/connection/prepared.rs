use super::Message;
#[cfg(feature = "deflate")]
use crate::deflate::{Compressor, DeflateConfig};
use crate::frame::{FrameHeader, MAX_FRAME_HEADER, Rsv};
use alloc::vec::Vec;
use bytes::Bytes;

/// A message encoded once, to be sent by a server on many connections.
///
/// A clone shares the encoded frames.
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    message: Message,
    frames: Bytes,
    /// The compressed forms, each with log2 of the window that it needs.
    #[cfg(feature = "deflate")]
    compressed: Vec<(u8, Bytes)>,
}

impl PreparedMessage {
    /// Encodes a message, as one frame.
    #[must_use]
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let frames = encode(&message, Rsv::NONE, message.as_bytes());
        Self {
            message,
            frames,
            #[cfg(feature = "deflate")]
            compressed: Vec::new(),
        }
    }

    /// Adds a compressed form, for connections that compress with a window of
    /// [`server_max_window_bits`](DeflateConfig::server_max_window_bits) or a larger one. One form
    /// for each size that connections of a server agree on can be added, the last one for a size
    /// stays; where none fits, the message is sent plain.
    ///
    /// It looks back at nothing, so one form does for all those connections; but what they send next
    /// can't look back at what they sent before it. Nothing is added if the message does not shrink.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(mut self, config: &DeflateConfig) -> Self {
        let bits = config.in_range().server_max_window_bits;
        let payload = self.message.as_bytes();
        let Some(mut compressor) = Compressor::new(bits, true, config) else { return self };
        let mut compressed = Vec::new();
        let has_worked = compressor.compress(payload, true, &mut compressed);
        if has_worked && compressed.len() < payload.len() {
            let frames = encode(&self.message, Rsv::RSV1, &compressed);
            self.compressed.retain(|(other, _)| *other != bits);
            self.compressed.push((bits, frames));
            self.compressed.sort_unstable_by_key(|(bits, _)| *bits);
        }
        self
    }

    /// The message.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    pub(crate) const fn frames(&self) -> &Bytes {
        &self.frames
    }

    /// The form for the largest window that is not larger than this.
    #[cfg(feature = "deflate")]
    pub(super) fn compressed_frames(&self, window_bits: u8) -> Option<&Bytes> {
        let mut fitting = self.compressed.iter().rev().filter(|(bits, _)| *bits <= window_bits);
        fitting.next().map(|(_, frames)| frames)
    }
}

fn encode(message: &Message, rsv: Rsv, payload: &[u8]) -> Bytes {
    let header = FrameHeader {
        fin: true,
        rsv,
        opcode: message.kind().opcode(),
        mask: None,
        payload_len: payload.len() as u64,
    };
    let mut bytes = [0; MAX_FRAME_HEADER];
    let len = header.encode(&mut bytes);
    let mut frames = Vec::with_capacity(len + payload.len());
    frames.extend_from_slice(&bytes[..len]);
    frames.extend_from_slice(payload);
    frames.into()
}

impl<M: Into<Message>> From<M> for PreparedMessage {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}
