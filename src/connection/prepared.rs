use super::Message;
use super::fragments::Fragments;
use crate::buffer::WriteBuffer;
#[cfg(feature = "deflate")]
use crate::deflate::{Compressor, DeflateConfig};
use crate::frame::Rsv;
use alloc::vec::Vec;
use bytes::Bytes;

/// A message encoded once, to be sent by a server on many connections.
///
/// A clone shares the encoded frames.
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    message: Message,
    frames: EncodedFrames,
    /// The compressed forms, each with log2 of the window that it needs.
    #[cfg(feature = "deflate")]
    compressed: Vec<(u8, EncodedFrames)>,
}

/// The frames of a message, one behind the other.
#[derive(Clone, Debug)]
pub(crate) struct EncodedFrames {
    bytes: Bytes,
    /// Bytes of each frame but the last, if there are several; else `usize::MAX`.
    frame_len: usize,
}

/// Bytes of payload that a frame has at most: many connections send it, each with its own
/// [`fragment_size`](super::Config::fragment_size).
const FRAGMENT_SIZE: usize = 64 << 10;

impl PreparedMessage {
    /// Encodes a message, in frames with at most 64 KiB of payload.
    #[must_use]
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let frames = EncodedFrames::of(&message, Rsv::NONE, message.as_bytes());
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
            let frames = EncodedFrames::of(&self.message, Rsv::RSV1, &compressed);
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

    pub(crate) const fn frames(&self) -> &EncodedFrames {
        &self.frames
    }

    /// The form for the largest window that is not larger than this.
    #[cfg(feature = "deflate")]
    pub(super) fn compressed_frames(&self, window_bits: u8) -> Option<&EncodedFrames> {
        let mut fitting = self.compressed.iter().rev().filter(|(bits, _)| *bits <= window_bits);
        fitting.next().map(|(_, frames)| frames)
    }
}

impl EncodedFrames {
    fn of(message: &Message, rsv: Rsv, payload: &[u8]) -> Self {
        let opcode = message.kind().opcode();
        let fragments = Fragments::new(opcode, rsv, true, payload.len(), FRAGMENT_SIZE);
        let (_, header_len) = fragments.header(0).to_bytes();
        let len = fragments.count() * header_len + payload.len();
        let mut bytes = Vec::with_capacity(len);
        let mut frame_len = usize::MAX;
        for number in 0..fragments.count() {
            let (header, len) = fragments.header(number).to_bytes();
            bytes.extend_from_slice(&header[..len]);
            bytes.extend_from_slice(&payload[fragments.range(number)]);
            if number == 0 && fragments.count() > 1 {
                frame_len = bytes.len();
            }
        }
        Self { bytes: bytes.into(), frame_len }
    }

    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether it is only one.
    #[allow(dead_code, reason = "for a shell that writes it from where it is")]
    pub(crate) const fn is_one(&self) -> bool {
        self.frame_len == usize::MAX
    }

    /// Appends them without a copy.
    pub(crate) fn link_to(&self, output: &mut WriteBuffer) {
        output.link_frames(self.bytes.clone(), self.frame_len, self.frame_len);
    }
}

impl<M: Into<Message>> From<M> for PreparedMessage {
    fn from(message: M) -> Self {
        Self::new(message)
    }
}
