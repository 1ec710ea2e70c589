//! The memory under a read buffer: how its owner gives, takes and exchanges it, and how it grows.

use super::{PAST_LARGE, ReadBuffer};
use crate::utf8::Utf8Storage;
use alloc::vec::Vec;
use core::ops::Range;

/// The least memory that is made when there is none. A message that the end of it cuts in two costs
/// about twice as much; with half of it, a quarter of those of 1 KiB are cut.
pub(super) const SMALLEST: usize = 8192;

/// What copies are slowed down by if their two places lie alike in it. Memory has room for half of
/// one more than it needs, so that what is read can be placed elsewhere when it is exchanged.
const PAGE: usize = 4096;

impl ReadBuffer {
    /// Bytes of memory held, used or not.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.len()
    }

    /// Bytes of that memory that are in use: from the front of the message that is lent or growing to
    /// the end of what is unread.
    #[inline]
    #[must_use]
    pub fn occupied(&self) -> usize {
        self.live().len()
    }

    /// Gives a drained buffer other memory, all of whose length becomes room.
    ///
    /// # Errors
    ///
    /// The storage comes back if the buffer is not drained.
    pub fn lease(&mut self, storage: Vec<u8>) -> Result<(), Vec<u8>> {
        if !self.is_drained() {
            return Err(storage);
        }
        self.storage = Utf8Storage::new(storage);
        self.release();
        Ok(())
    }

    /// Takes the memory back, unless bytes are still in it.
    pub fn take(&mut self) -> Option<Vec<u8>> {
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

    /// Goes on in other memory, all of whose length becomes room, with what is in the buffer; returns
    /// the memory that it had. So a large message need not make memory grow by steps: how much it
    /// lacks, [`wanted`](Self::wanted) says.
    ///
    /// # Errors
    ///
    /// The storage comes back if what is in the buffer has no room there.
    pub fn exchange_memory(&mut self, mut storage: Vec<u8>) -> Result<Vec<u8>, Vec<u8>> {
        let live = self.live();
        if storage.len() < live.len() {
            return Err(storage);
        }
        let wanted = usize::try_from(self.wanted).unwrap_or(usize::MAX);
        let needed = live.len().saturating_add(wanted);
        let front = before_middle_of_page(&storage);
        let front = if needed.saturating_add(front) <= storage.len() { front } else { 0 };
        storage[front..front + live.len()].copy_from_slice(self.storage.get(live.clone()));
        let before = core::mem::replace(&mut self.storage, Utf8Storage::new(storage));
        self.rebase(live.start);
        self.kept = self.kept.start + front..self.kept.end + front;
        self.unread = self.unread.start + front..self.unread.end + front;
        Ok(before.into_bytes())
    }

    /// Drops what is in the buffer and what it knows of its connection, so that another connection can
    /// use it. Its memory stays, except for that of decompressed messages.
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
        // First the gap: what lies behind it is the start of a header or a control frame, or
        // frames that nobody asked for yet.
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
            let promised = usize::try_from(self.wanted).unwrap_or(usize::MAX);
            let enough =
                used.saturating_add(promised.max(least)).saturating_add(PAST_LARGE + PAGE / 2);
            let doubled = used.saturating_mul(2).max(SMALLEST);
            let len = if self.wanted > 0 { doubled.min(enough) } else { doubled };
            self.storage.reallocate(live.clone(), len.max(used + least));
        }
        self.rebase(live.start);
    }

    /// Moves what is kept or unread to the front, so that one read more brings in, if it takes less
    /// than what was used up before it: so no byte is moved again and again.
    pub(super) fn move_to_front(&mut self) {
        let live = self.live();
        if live.start > 0 && live.len() <= live.start {
            self.storage.shift(live.clone(), 0);
            self.rebase(live.start);
        }
    }

    /// Says that all moved to `front` places before where it was.
    fn rebase(&mut self, front: usize) {
        let (kept, unread) = (self.kept.len(), self.unread.len());
        self.kept = if kept == 0 { 0..0 } else { self.kept.start - front..self.kept.end - front };
        self.unread = self.unread.start - front..self.unread.start - front + unread;
    }

    /// Kept and unread, with what is between.
    #[inline]
    fn live(&self) -> Range<usize> {
        let start = if self.kept.is_empty() { self.unread.start } else { self.kept.start };
        start..self.unread.end
    }
}

/// How much to leave free in large memory, so that what is read begins in the middle of a page.
/// Allocators put such memory a few bytes behind the start of one, and so lies what a system has
/// received: copies between places that are so alike take up to three times as long.
fn before_middle_of_page(memory: &[u8]) -> usize {
    (PAGE / 2).wrapping_sub(memory.as_ptr().addr()) % PAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_and_goes_with_the_bytes() {
        let mut buffer = ReadBuffer::new();
        assert_eq!(buffer.capacity(), 0);
        assert!(buffer.lease(alloc::vec![0; 64]).is_ok());
        buffer.extend_from_slice(b"x");
        assert!(buffer.take().is_none());
        assert!(buffer.lease(Vec::new()).is_err());
        buffer.keep(1);
        assert!(buffer.take().is_none());
        buffer.release();
        assert_eq!(buffer.take().map(|storage| storage.len()), Some(64));
        assert_eq!(buffer.capacity(), 0);
        assert!(!buffer.spare(1).is_empty());
    }

    #[test]
    fn memory_follows_bytes_received_not_promised() {
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
    fn what_is_in_the_buffer_goes_on_in_other_memory() {
        for (wanted, len) in [(0, 5), (0, 9), (0, 20_000), (10_000, 10_005), (10_000, 20_000)] {
            let mut buffer = ReadBuffer::with_storage(alloc::vec![0; 50]);
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
    fn an_empty_buffer_goes_on_in_any_memory() {
        let mut buffer = ReadBuffer::with_storage(alloc::vec![0; 50]);
        assert_eq!(buffer.exchange_memory(Vec::new()).map(|storage| storage.len()), Ok(50));
        assert_eq!(buffer.exchange_memory(alloc::vec![0; 20]), Ok(Vec::new()));
        assert_eq!(buffer.spare(1).len(), 20);
        buffer.extend_from_slice(b"abc");
        assert_eq!(buffer.unread(), b"abc");
    }

    #[test]
    fn after_a_reset_nothing_is_left_but_memory() {
        let mut buffer = ReadBuffer::with_storage(alloc::vec![0; 20_000]);
        buffer.extend_from_slice(b"abcdef");
        buffer.keep(3);
        buffer.set_wanted(10_000);
        buffer.reset();
        assert!(buffer.is_drained());
        assert_eq!((buffer.wanted(), buffer.capacity()), (0, 20_000));
        assert_eq!(buffer.spare(1).len(), 20_000);
    }
}
