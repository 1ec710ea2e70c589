//! What a session wants sent.

use alloc::{collections::VecDeque, vec::Vec};
use bytes::Bytes;
use core::mem;
use sansocket::{CloseCode, connection::MessageKind};

/// What to do for a client next. See [`Session::next_output`](super::Session::next_output).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send a frame, or a heart-beat.
    Frame(EncodedFrame),
    /// Nothing more follows. Close the WebSocket with this code, once all frames are written. Without
    /// WebSocket, write everything, shut down the sending direction, and read until the client has
    /// closed too, for a bounded time: a reset can lose what the client has not read
    /// (1.2 §Connection Lingering).
    Close(CloseCode),
}

/// An encoded frame, or a heart-beat: the payload of one WebSocket message, in two parts.
///
/// A MESSAGE has a head of its own and a tail that all subscribers of the same version share. All other
/// frames are a head alone.
///
/// A WebSocket of the core sends it like this:
///
/// ```
/// use sansocket::{Message, Text};
/// use sansocket_realtime::stomp::server::EncodedFrame;
///
/// fn to_message(frame: EncodedFrame) -> Message {
///     let bytes = frame.into_bytes();
///     Text::try_from(bytes.clone()).map_or(Message::Binary(bytes), Message::Text)
/// }
/// # let _ = to_message;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub(super) const fn whole(frame: Vec<u8>) -> Self {
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
        let mut bytes = self.head;
        bytes.extend_from_slice(&self.tail);
        bytes.into()
    }
}

/// Frames that wait to be sent, and the Close behind them.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<EncodedFrame>,
    bytes: usize,
    close: Option<CloseCode>,
}

impl Outbox {
    pub(super) fn push(&mut self, frame: EncodedFrame) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    pub(super) fn close(&mut self, code: CloseCode) {
        self.close = Some(code);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns what the queue takes, with its entries: a client that asks for many receipts and does not
    /// read has mostly these.
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.frames.len() * size_of::<EncodedFrame>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.close.is_none()
    }

    pub(super) fn next(&mut self) -> Option<Output> {
        let Some(frame) = self.frames.pop_front() else {
            return self.close.take().map(Output::Close);
        };
        self.bytes -= frame.len();
        if self.frames.is_empty() {
            // An idle session holds no queue.
            drop(mem::take(&mut self.frames));
        }
        Some(Output::Frame(frame))
    }
}
