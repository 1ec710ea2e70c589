//! The memory of a read buffer: how you give, take and exchange it, and how it grows.

use super::{PAST_LARGE, ReadBuffer};
use crate::utf8::Utf8Storage;
use alloc::vec::Vec;
use core::ops::Range;

/// The least number of bytes to allocate. A message that the end of the memory splits in two costs
/// about twice as much. With half this size, a quarter of all messages of 1 KiB would be split.
pub(super) const SMALLEST: usize = 8192;

/// Copies are slower if source and target have the same offset in a page of this size. Memory is
/// allocated with half a page more than it needs, so that an exchange can place the bytes at
/// another offset.
const PAGE: usize = 4096;

impl ReadBuffer {
    /// Returns the size of the memory in bytes, used or not.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.len()
    }

    /// Returns how many bytes of the memory are in use, from the start of the message to the end of
    /// the unread bytes.
    #[inline]
    #[must_use]
    pub fn occupied(&self) -> usize {
        self.live().len()
    }

    /// Gives a drained buffer other memory. The whole length of `memory` becomes room.
    ///
    /// # Errors
    ///
    /// Returns `memory` if the buffer is not drained.
    pub fn put_memory(&mut self, memory: Vec<u8>) -> Result<(), Vec<u8>> {
        if !self.is_drained() {
            return Err(memory);
        }
        self.storage = Utf8Storage::new(memory);
        self.release();
        Ok(())
    }

    /// Takes the memory out of the buffer. Returns `None` if bytes are still in it.
    pub fn take_memory(&mut self) -> Option<Vec<u8>> {
        if !self.is_drained() {
            return None;
        }
        self.kept = 0..0;
        self.unread = 0..0;
        #[cfg(feature = "deflate")]
        {
            self.inflated = None;
        }
        Some(core::mem::take(&mut self.storage).into_bytes())
    }

    /// Moves the contents of the buffer to other memory, and returns the previous memory. The whole
    /// length of `memory` becomes room. Use this to make room for a large message at once instead
    /// of step by step: [`wanted`](Self::wanted) returns how many more bytes its frame needs.
    ///
    /// # Errors
    ///
    /// Returns `memory` if it has no room for the contents of the buffer.
    pub fn exchange_memory(&mut self, mut memory: Vec<u8>) -> Result<Vec<u8>, Vec<u8>> {
        let live = self.live();
        if memory.len() < live.len() {
            return Err(memory);
        }
        let wanted = usize::try_from(self.wanted).unwrap_or(usize::MAX);
        let needed = live.len().saturating_add(wanted);
        let front = before_middle_of_page(&memory);
        let front = if needed.saturating_add(front) <= memory.len() { front } else { 0 };
        memory[front..front + live.len()].copy_from_slice(self.storage.get(live.clone()));
        let before = core::mem::replace(&mut self.storage, Utf8Storage::new(memory));
        self.rebase(live.start);
        self.kept = self.kept.start + front..self.kept.end + front;
        self.unread = self.unread.start + front..self.unread.end + front;
        Ok(before.into_bytes())
    }

    /// Drops the contents of the buffer and the state of its connection, so that another connection
    /// can use it. The memory stays, except for the memory of decompressed messages.
    #[inline]
    pub fn reset(&mut self) {
        self.kept = 0..0;
        self.unread = 0..0;
        self.wanted = 0;
        #[cfg(feature = "deflate")]
        {
            self.inflated = None;
        }
    }

    pub(super) fn make_room(&mut self, least: usize) {
        // Close the gap first. The bytes after it are the start of a header or a control frame, or
        // frames that were not asked for yet.
        if self.kept.end < self.unread.start && !self.kept.is_empty() {
            self.storage.shift(self.unread.clone(), self.kept.end);
            self.unread = self.kept.end..self.kept.end + self.unread.len();
        }
        let live = self.live();
        if live.start > 0 && self.storage.len() - live.len() >= least.max(live.len() / 2) {
            self.storage.shift(live.clone(), 0);
        } else if self.storage.len() - self.unread.end >= least {
            return;
        } else {
            let used = live.len();
            let announced = usize::try_from(self.wanted).unwrap_or(usize::MAX);
            let enough =
                used.saturating_add(announced.max(least)).saturating_add(PAST_LARGE + PAGE / 2);
            let doubled = used.saturating_mul(2).max(SMALLEST);
            let len = if self.wanted > 0 { doubled.min(enough) } else { doubled };
            self.storage.reallocate(live.clone(), len.max(used + least));
        }
        self.rebase(live.start);
    }

    /// Moves kept and unread bytes to the front, so that one read brings in more. Does nothing if
    /// there are more such bytes than consumed bytes before them, so that no byte is moved
    /// repeatedly.
    pub(super) fn move_to_front(&mut self) {
        let live = self.live();
        if live.start > 0 && live.len() <= live.start {
            self.storage.shift(live.clone(), 0);
            self.rebase(live.start);
        }
    }

    /// Adjusts all positions after the bytes moved `front` positions towards the start.
    fn rebase(&mut self, front: usize) {
        let (kept, unread) = (self.kept.len(), self.unread.len());
        self.kept = if kept == 0 { 0..0 } else { self.kept.start - front..self.kept.end - front };
        self.unread = self.unread.start - front..self.unread.start - front + unread;
    }

    /// Returns the range of the kept and unread bytes, including the gap between them.
    #[inline]
    fn live(&self) -> Range<usize> {
        let start = if self.kept.is_empty() { self.unread.start } else { self.kept.start };
        start..self.unread.end
    }
}

/// Returns how many bytes to leave free in large memory so that the received bytes begin in the
/// middle of a page. Allocators place such memory a few bytes after the start of a page, and so do
/// operating systems with received data. Copies between similar offsets take up to three times as
/// long.
fn before_middle_of_page(memory: &[u8]) -> usize {
    (PAGE / 2).wrapping_sub(memory.as_ptr().addr()) % PAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_leased_and_taken_while_drained() {
        let mut buffer = ReadBuffer::new();
        assert_eq!(buffer.capacity(), 0);
        assert!(buffer.put_memory(alloc::vec![0; 64]).is_ok());
        buffer.extend_from_slice(b"x");
        assert!(buffer.take_memory().is_none());
        assert!(buffer.put_memory(Vec::new()).is_err());
        buffer.keep(1);
        assert!(buffer.take_memory().is_none());
        buffer.release();
        assert_eq!(buffer.take_memory().map(|storage| storage.len()), Some(64));
        assert_eq!(buffer.capacity(), 0);
        assert!(!buffer.spare(1).is_empty());
    }

    #[test]
    fn memory_grows_with_received_bytes_not_announced_ones() {
        let mut buffer = ReadBuffer::new();
        buffer.set_wanted(u64::MAX);
        buffer.extend_from_slice(&[0; 100]);
        assert!(buffer.capacity() <= SMALLEST);
        let mut moves = 0;
        for _ in 0..1000 {
            let before = buffer.capacity();
            buffer.extend_from_slice(&[1; 1000]);
            buffer.keep(usize::MAX);
            moves += usize::from(buffer.capacity() != before);
            assert!(buffer.capacity() <= 2 * buffer.kept_len() + SMALLEST);
        }
        assert!(moves <= 9, "{moves} moves to reach 1 MB");
    }

    #[test]
    fn exchanging_memory_keeps_the_contents() {
        for (wanted, len) in [(0, 5), (0, 9), (0, 20_000), (10_000, 10_005), (10_000, 20_000)] {
            let mut buffer = ReadBuffer::with_memory(alloc::vec![0; 50]);
            buffer.extend_from_slice("..α<bcd".as_bytes());
            buffer.skip(2);
            buffer.keep(2);
            assert_eq!(buffer.validate_kept(), Ok(2));
            buffer.skip(1);
            buffer.set_wanted(wanted);
            assert_eq!(buffer.occupied(), 6);
            let exchanged = buffer.exchange_memory(alloc::vec![7; len]);
            if len < 6 {
                assert_eq!(exchanged, Err(alloc::vec![7; len]));
                assert_eq!(buffer.capacity(), 50);
            } else {
                assert_eq!(exchanged.map(|storage| storage.len()), Ok(50));
                assert_eq!(buffer.capacity(), len);
            }
            assert_eq!((buffer.kept(), buffer.unread()), ("α".as_bytes(), &b"bcd"[..]));
            assert_eq!(buffer.kept_text(2), "α");
            if len == 20_000 {
                assert_eq!(buffer.kept().as_ptr().addr() % PAGE, PAGE / 2);
            }
        }
    }

    #[test]
    fn an_empty_buffer_accepts_any_memory() {
        let mut buffer = ReadBuffer::with_memory(alloc::vec![0; 50]);
        assert_eq!(buffer.exchange_memory(Vec::new()).map(|storage| storage.len()), Ok(50));
        assert_eq!(buffer.exchange_memory(alloc::vec![0; 20]), Ok(Vec::new()));
        assert_eq!(buffer.spare(1).len(), 20);
        buffer.extend_from_slice(b"abc");
        assert_eq!(buffer.unread(), b"abc");
    }

    #[test]
    fn a_reset_keeps_only_the_memory() {
        let mut buffer = ReadBuffer::with_memory(alloc::vec![0; 20_000]);
        buffer.extend_from_slice(b"abcdef");
        buffer.keep(3);
        buffer.set_wanted(10_000);
        buffer.reset();
        assert!(buffer.is_drained());
        assert_eq!((buffer.wanted(), buffer.capacity()), (0, 20_000));
        assert_eq!(buffer.spare(1).len(), 20_000);
    }
}
