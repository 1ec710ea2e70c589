//! Copying bytes into the write buffer: plain, masked, or after a header.

use super::WriteBuffer;
use crate::mask::{MaskKey, append_masked};

/// The number of bytes copied at a time. The processor's string instructions, which longer copies
/// use, can take ten times as long if source and target have similar offsets in their pages.
const PIECE: usize = 2048;

impl WriteBuffer {
    /// Appends a copy of `bytes`.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.extend_run(bytes);
        self.len += bytes.len();
    }

    /// Appends the first `count` of the little-endian bytes of `front`, then a copy of `bytes`. The
    /// caller must have [made room](Self::make_room) for all of `front`.
    // A copy of constant size is faster, so all of `front` is copied and the rest cut off. An array
    // would be passed through memory, written in two halves and read at once as a whole. The
    // processor stalls on that.
    #[inline]
    pub(crate) fn extend_behind(&mut self, front: u128, count: usize, bytes: &[u8]) {
        self.append_front_of(front, count);
        self.extend_run(bytes);
        self.len += count + bytes.len();
    }

    /// Like [`extend_behind`](Self::extend_behind), but masks the copy of `payload`.
    #[inline]
    pub(crate) fn extend_masked_behind(
        &mut self,
        front: u128,
        count: usize,
        payload: &[u8],
        key: MaskKey,
    ) {
        self.append_front_of(front, count);
        append_masked(&mut self.run, payload, key);
        self.len += count + payload.len();
    }

    #[inline]
    fn append_front_of(&mut self, front: u128, count: usize) {
        let bytes = front.to_le_bytes();
        debug_assert!(count <= bytes.len(), "count exceeds the bytes");
        debug_assert!(self.run.capacity() - self.run.len() >= bytes.len(), "no room for the bytes");
        let end = self.run.len() + count;
        self.run.extend_from_slice(&bytes);
        self.run.truncate(end);
    }

    #[inline]
    fn extend_run(&mut self, bytes: &[u8]) {
        if bytes.len() <= PIECE {
            self.run.extend_from_slice(bytes);
        } else {
            self.extend_in_pieces(bytes);
        }
    }

    #[inline(never)]
    pub(super) fn extend_in_pieces(&mut self, bytes: &[u8]) {
        self.run.reserve(bytes.len());
        for piece in bytes.chunks(PIECE) {
            self.run.extend_from_slice(piece);
        }
    }
}
