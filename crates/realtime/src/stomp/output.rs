//! Frames that wait to be written, at both ends.

use alloc::{collections::VecDeque, string::String, vec::Vec};
use bytes::Bytes;
use core::fmt;
use sansocket::{Message, connection::MessageKind};

/// An encoded frame, or a heart-beat: the payload of one WebSocket message, in two parts.
///
/// A MESSAGE of this crate's server has a head of its own, and a tail that all subscribers of the same
/// version share, if it is longer than 1 KiB. All other frames are a head alone.
///
/// `Debug` shows the length alone, since CONNECT contains the passcode.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    head: Vec<u8>,
    tail: Bytes,
    is_text: bool,
}

impl EncodedFrame {
    pub(super) const fn new(head: Vec<u8>, tail: Bytes, is_text: bool) -> Self {
        Self { head, tail, is_text }
    }

    /// Creates a frame whose parts are all UTF-8.
    pub(super) const fn text(frame: Vec<u8>) -> Self {
        Self::new(frame, Bytes::new(), true)
    }

    /// Returns the first part.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Returns the second part, which follows the first. It can be empty.
    #[must_use]
    pub const fn tail(&self) -> &Bytes {
        &self.tail
    }

    /// Returns the kind of the WebSocket message that can carry the frame: text, unless a body is not
    /// UTF-8.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        if self.is_text { MessageKind::Text } else { MessageKind::Binary }
    }

    /// Returns `true` if both parts together are UTF-8.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        self.is_text
    }

    /// Returns the length of both parts together in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a frame is never empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Returns both parts in one piece. This copies them, if there are two.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.into_vec().into()
    }

    /// Returns both parts in one piece, as [`into_bytes`](Self::into_bytes) does.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        let mut bytes = self.head;
        // Without room to spare, `Bytes` takes the memory as it is.
        bytes.reserve_exact(self.tail.len());
        bytes.extend_from_slice(&self.tail);
        bytes
    }
}

/// The message of WebSocket that carries the frame, of its [kind](EncodedFrame::kind). This copies both
/// parts into one, if there are two.
impl From<EncodedFrame> for Message {
    fn from(frame: EncodedFrame) -> Self {
        if !frame.is_text {
            return Self::Binary(frame.into_bytes());
        }
        match String::from_utf8(frame.into_vec()) {
            Ok(text) => Self::Text(text.into()),
            // Whatever is not UTF-8 after all can still be sent.
            Err(error) => Self::Binary(error.into_bytes().into()),
        }
    }
}

impl fmt::Debug for EncodedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedFrame")
            .field("len", &self.len())
            .field("is_text", &self.is_text)
            .finish_non_exhaustive()
    }
}

/// Frames that wait to be written.
#[derive(Debug, Default)]
pub(super) struct FrameQueue {
    frames: VecDeque<EncodedFrame>,
    bytes: usize,
}

impl FrameQueue {
    pub(super) fn push(&mut self, frame: EncodedFrame) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    pub(super) fn pop(&mut self) -> Option<EncodedFrame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        if self.frames.is_empty() {
            // An idle connection holds no queue.
            self.frames = VecDeque::new();
        }
        Some(frame)
    }

    /// Returns how many bytes the frames have.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns what the queue takes, with its entries: many short frames take mostly these.
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.frames.len() * size_of::<EncodedFrame>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_message_of_its_kind() {
        let text = EncodedFrame::new(b"MESSAGE\n".to_vec(), Bytes::from_static(b"\n\0"), true);
        assert_eq!(Message::from(text), Message::text("MESSAGE\n\n\0"));
        let binary =
            EncodedFrame::new(b"MESSAGE\n".to_vec(), Bytes::from_static(b"\n\xff\0"), false);
        let bytes: &[u8] = b"MESSAGE\n\n\xff\0";
        assert_eq!(Message::from(binary), Message::from(bytes));
    }
}
