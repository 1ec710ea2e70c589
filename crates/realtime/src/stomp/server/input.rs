//! Bytes that were received and not looked at yet.

use crate::stomp::{DecodeError, Decoder, Frame, Limits, Version};
use alloc::vec::Vec;
use bytes::Bytes;
use core::mem;

/// Received bytes, and the decoder of their frames. It exists only while there are such bytes, or a part
/// of a frame: a session waits for most of its life, and then has no need of it.
pub(super) struct Input {
    decoder: Decoder,
    /// The bytes to be decoded first, and how many of them are decoded.
    bytes: Bytes,
    decoded: usize,
    /// What came after them.
    later: Vec<u8>,
    /// The last byte was a CR, which belongs to the LF that follows it.
    is_within_line_end: bool,
}

impl Input {
    pub(super) fn new(version: Version, limits: Limits) -> Self {
        let mut input = Self {
            decoder: Decoder::server(limits),
            bytes: Bytes::new(),
            decoded: 0,
            later: Vec::new(),
            is_within_line_end: false,
        };
        input.decoder.set_version(version);
        input
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.is_within_line_end =
            bytes.last().map_or(self.is_within_line_end, |last| *last == b'\r');
        if self.waiting() == 0 {
            self.bytes = bytes;
            self.decoded = 0;
        } else {
            self.later.extend_from_slice(&bytes);
        }
    }

    /// Sets how the frames that follow are decoded.
    pub(super) fn set_rules(&mut self, version: Version, limits: Limits) {
        self.decoder.set_version(version);
        self.decoder.set_limits(limits);
    }

    /// Returns how many bytes wait to be decoded.
    pub(super) fn waiting(&self) -> usize {
        // No vector is longer than half of the address space.
        self.bytes.len() - self.decoded + self.later.len()
    }

    /// Returns whether nothing needs to be remembered.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting() == 0 && !self.decoder.is_mid_frame() && !self.is_within_line_end
    }

    /// Decodes bytes up to the end of a frame, and handles it with the bytes that it may have been
    /// borrowed from. `None` means that no frame is complete; it can be if there are
    /// [more](Self::waiting) bytes.
    pub(super) fn next<T>(
        &mut self,
        handle: impl FnOnce(&Frame<'_>, &Bytes) -> T,
    ) -> Result<Option<T>, DecodeError> {
        if self.decoded == self.bytes.len() {
            self.bytes = mem::take(&mut self.later).into();
            self.decoded = 0;
        }
        let mut rest = &self.bytes[self.decoded..];
        let frame = self.decoder.decode(&mut rest)?;
        let handled = frame.map(|frame| handle(&frame, &self.bytes));
        self.decoded = self.bytes.len() - rest.len();
        if self.decoded == self.bytes.len() {
            // What the decoder still needs of it, it has copied.
            self.bytes = Bytes::new();
            self.decoded = 0;
        }
        Ok(handled)
    }
}
