//! The queue of what is to be written.

use alloc::{collections::VecDeque, vec::Vec};
use bytes::Bytes;
use core::fmt;

/// A frame to write, or a heart-beat. Over WebSocket, it is one message.
///
/// `Debug` shows the length alone, since CONNECT contains the passcode.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// The bytes.
    pub bytes: Bytes,
    /// Whether the bytes are UTF-8, and so can be a text message of WebSocket. Others have to be a
    /// binary message.
    pub is_text: bool,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("len", &self.bytes.len())
            .field("is_text", &self.is_text)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
pub(super) struct OutputQueue {
    outputs: VecDeque<Output>,
    bytes: usize,
}

impl OutputQueue {
    pub(super) fn push(&mut self, bytes: Vec<u8>, is_text: bool) {
        self.bytes += bytes.len();
        self.outputs.push_back(Output { bytes: bytes.into(), is_text });
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front()?;
        self.bytes -= output.bytes.len();
        if self.outputs.is_empty() {
            // An idle client holds no queue.
            self.outputs = VecDeque::new();
        }
        Some(output)
    }

    /// Returns how many bytes are queued.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
