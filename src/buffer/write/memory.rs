//! Memory for long queues: that of what was consumed is used again, and what an empty buffer gives up goes to the next
//! of the thread that has none, or too little. To make it anew, by doubling, copies all that waits several times.

use super::WriteBuffer;
use crate::buffer::RETAINED;
use crate::thread_cache::thread_cache;
use alloc::vec::Vec;

/// How large is what a thread keeps at most: what a queue of 1 MiB and its headers grows to.
const LARGEST: usize = 2 << 20;

/// How much is made at least: small frames would grow it several times.
const SMALLEST: usize = 64;

thread_cache! {
    static MEMORY: ThreadCache<Vec<u8>>;
}

impl WriteBuffer {
    /// Sees to memory for so many bytes more, at a cost in proportion to what is queued or was consumed.
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
        let needed = (self.run.len() - self.head).saturating_add(count);
        let has_none = self.run.capacity() == 0;
        if has_none || needed > RETAINED && needed > self.run.capacity() {
            if let Some(kept) = MEMORY.take() {
                if kept.capacity() >= needed {
                    self.exchange_memory(kept);
                } else {
                    MEMORY.give_back(kept);
                }
            }
        }
        self.run.reserve(count.max(SMALLEST));
    }

    /// Reuses the consumed front of the run once little is left behind it. What is only written, a piece at a time,
    /// is not moved for that.
    pub(super) fn reclaim(&mut self) {
        let rest = self.run.len() - self.head;
        if self.head > RETAINED && rest <= (self.head / 4).min(RETAINED) {
            self.drop_front();
        }
    }

    /// Gives up the memory of an empty buffer.
    pub(super) fn give_up_memory(&mut self) {
        let memory = core::mem::take(&mut self.run);
        let capacity = memory.capacity();
        if capacity <= LARGEST {
            MEMORY.give_back_unless(memory, |kept| kept.capacity() > capacity);
        }
    }

    fn drop_front(&mut self) {
        self.run.drain(..self.head);
        self.head_is_gone();
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn what_a_buffer_gives_up_the_next_long_queue_takes() {
        let mut first = WriteBuffer::new();
        first.extend_from_slice(&[7; 300_000]);
        let place = first.front().as_ptr();
        first.consume(usize::MAX);
        assert_eq!(first.capacity(), 0);

        // Not one for which it is too little.
        let mut second = WriteBuffer::new();
        second.extend_from_slice(&[8; 400_000]);
        assert_ne!(second.front().as_ptr(), place);
        let mut third = WriteBuffer::new();
        third.extend_from_slice(b"first");
        third.extend_from_slice(&[9; 200_000]);
        assert_eq!((&third.front()[..6], third.front().as_ptr()), (&b"first\x09"[..], place));
        // One that has memory takes other memory once the queue is long.
        let memory = third.run.capacity();
        third.consume(usize::MAX);
        let mut fourth = WriteBuffer::new();
        fourth.run = Vec::with_capacity(100);
        fourth.extend_from_slice(b"first");
        assert_eq!(fourth.capacity(), 100);
        fourth.extend_from_slice(&[9; 200_000]);
        assert_eq!((fourth.front().as_ptr(), fourth.capacity()), (place, memory));

        // The larger one stays; the largest are freed.
        second.consume(usize::MAX);
        fourth.consume(usize::MAX);
        let mut huge = WriteBuffer::new();
        huge.extend_from_slice(&alloc::vec![0; LARGEST + 1]);
        huge.consume(usize::MAX);
        assert!(MEMORY.take().is_some_and(|kept| (400_000..LARGEST).contains(&kept.capacity())));
    }
}
