//! How much of the queue is written, as keepalive needs to know it.

use crate::buffer::WriteBuffer;

/// What the queue contributes to decisions about keepalive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// The number of bytes ever written from it.
    pub(super) written: u64,
    pub(super) is_all_written: bool,
}

impl Queue {
    /// Returns the state of this output. `unflushed` is `true` while the transport may hold bytes back.
    #[inline]
    pub(super) fn of(output: &WriteBuffer, unflushed: bool) -> Self {
        let is_all_written = output.is_empty() && !unflushed;
        Self { written: output.consumed(), is_all_written }
    }

    /// Returns `true` if everything up to this position is written.
    #[inline]
    pub(super) fn has_written(self, end: u64) -> bool {
        self.is_all_written || self.written >= end
    }
}
