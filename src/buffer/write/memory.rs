//! Memory for long queues. The buffer reuses the memory of consumed bytes. When a buffer is empty,
//! its large memory is stored for the next long queue of the process: allocating it again would
//! cost page faults, and growing it would copy the whole queue several times.

use super::WriteBuffer;
use crate::buffer::RETAINED;
#[cfg(feature = "std")]
use crate::buffer::store::STORE;
use alloc::vec::Vec;

/// The least number of bytes to allocate. With less, small frames would make memory grow
/// repeatedly.
const SMALLEST: usize = 64;

impl WriteBuffer {
    /// Makes room for `count` more bytes. The cost is proportional to the number of bytes that are
    /// queued or were consumed.
    #[inline]
    pub(crate) fn make_room(&mut self, count: usize) {
        if count > self.run.capacity() - self.run.len() {
            self.make_more_room(count);
        }
    }

    #[cold]
    #[inline(never)]
    fn make_more_room(&mut self, count: usize) {
        if self.head > RETAINED && self.head > self.run.len() / 2 {
            self.drop_front();
        }
        let needed = self.capacity_for(count);
        // A short queue takes no stored memory: a peer that reads nothing would hold on to it.
        if needed > RETAINED && needed > self.run.capacity() {
            if let Some(memory) = unused(needed) {
                give_up(self.exchange_memory(memory));
            }
        }
        self.run.reserve(count.max(SMALLEST));
    }

    /// Returns the capacity that the waiting copied bytes and `count` more bytes need.
    pub(crate) fn capacity_for(&self, count: usize) -> usize {
        (self.run.len() - self.head).saturating_add(count)
    }

    /// Reuses the consumed front of the run once few bytes are left after it. Bytes that are merely
    /// written piece by piece are not moved.
    pub(super) fn reclaim(&mut self) {
        let rest = self.run.len() - self.head;
        if self.head > RETAINED && rest <= (self.head / 4).min(RETAINED) {
            self.drop_front();
        }
    }

    /// Releases the memory of an empty buffer.
    pub(super) fn give_up_memory(&mut self) {
        give_up(core::mem::take(&mut self.run));
    }

    fn drop_front(&mut self) {
        self.run.drain(..self.head);
        self.head_is_gone();
    }
}

#[cfg(feature = "std")]
fn unused(least: usize) -> Option<Vec<u8>> {
    STORE.take(least)
}

#[cfg(not(feature = "std"))]
fn unused(_: usize) -> Option<Vec<u8>> {
    None
}

#[cfg(feature = "std")]
fn give_up(memory: Vec<u8>) {
    STORE.give_back(memory);
}

#[cfg(not(feature = "std"))]
fn give_up(_: Vec<u8>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_queue_takes_no_large_memory() {
        let mut long = WriteBuffer::new();
        long.extend_from_slice(&[7; 300_000]);
        long.consume(usize::MAX);
        assert_eq!(long.capacity(), 0);
        let mut short = WriteBuffer::new();
        short.extend_from_slice(b"first");
        assert!(short.capacity() < 100);
        short.extend_from_slice(&[8; 60_000]);
        assert!(short.capacity() < 2 * RETAINED);
        short.extend_from_slice(&[9; 200_000]);
        assert_eq!(&short.front()[..6], b"first\x08");
        assert_eq!(short.front()[60_000 + 5..], [9; 200_000]);
    }

    #[test]
    fn the_offered_front_stays_the_same_when_memory_grows() {
        let mut buffer = WriteBuffer::new();
        let bytes: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
        buffer.extend_from_slice(&bytes);
        buffer.consume(200_000);
        let offered = buffer.front().to_vec();
        buffer.was_offered();
        let place = buffer.front().as_ptr();
        buffer.extend_from_slice(&alloc::vec![1; 2 << 20]);
        assert_ne!(buffer.front().as_ptr(), place);
        assert!(buffer.front().starts_with(&offered));
        assert_eq!(buffer.len(), 100_000 + (2 << 20));
    }
}
