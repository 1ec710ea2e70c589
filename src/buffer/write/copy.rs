//! Bytes that are copied into the write buffer: as they are, masked, or behind a header.

use super::WriteBuffer;
use crate::mask::{MaskKey, append_masked};

/// Bytes that are copied at a time. Longer copies are made by the processor's string moves, which can
/// take ten times as long if source and target lie alike in their pages.
const PIECE: usize = 2048;

impl WriteBuffer {
    /// Appends a copy of `bytes`.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.extend_run(bytes);
        self.len += bytes.len();
    }

    /// Appends the first `count` bytes of an array, then a copy of `bytes`. There is [room](Self::make_room) for the
    /// array.
    // All of the array is copied and the rest cut off, since a copy of a size known beforehand is the
    // quicker one.
    #[inline]
    pub(crate) fn extend_behind<const N: usize>(
        &mut self,
        front: &[u8; N],
        count: usize,
        bytes: &[u8],
    ) {
        self.append_front_of(front, count);
        self.extend_run(bytes);
        self.len += count + bytes.len();
    }

    /// Appends the first `count` bytes of an array, then a masked copy of `payload`. There is [room](Self::make_room)
    /// for the array.
    #[inline]
    pub(crate) fn extend_masked_behind<const N: usize>(
        &mut self,
        front: &[u8; N],
        count: usize,
        payload: &[u8],
        key: MaskKey,
    ) {
        self.append_front_of(front, count);
        append_masked(&mut self.run, payload, key);
        self.len += count + payload.len();
    }

    #[inline]
    fn append_front_of<const N: usize>(&mut self, bytes: &[u8; N], count: usize) {
        debug_assert!(count <= N, "so many bytes there are");
        debug_assert!(self.run.capacity() - self.run.len() >= N, "there is room");
        let end = self.run.len() + count;
        self.run.extend_from_slice(bytes);
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
