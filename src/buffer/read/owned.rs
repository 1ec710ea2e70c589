//! Messages that leave the read buffer, either with their memory or as a copy.

use super::ReadBuffer;
use crate::buffer::memory::{Heap, Source};
use crate::utf8::{Text, Utf8Storage};
use bytes::Bytes;
use core::ops::Range;

impl ReadBuffer {
    /// Takes the kept bytes as an owned message. A large message leaves with its memory.
    #[inline]
    pub(crate) fn take_kept(&mut self, source: &impl Source) -> Bytes {
        if self.kept_len() >= source.leaves_from() {
            if let Some(large) = self.take_large(source) {
                return large;
            }
        }
        let copy = Bytes::copy_from_slice(self.kept());
        self.release();
        copy
    }

    /// Like [`take_kept`](Self::take_kept), for kept bytes that were validated as text.
    #[inline]
    pub(crate) fn take_kept_text(&mut self, source: &impl Source) -> Text {
        if self.kept_len() >= source.leaves_from() {
            if let Some(large) = self.take_large_text(source) {
                return large;
            }
        }
        let copy = self.kept_text(self.kept_len()).into();
        self.release();
        copy
    }

    // The following functions are separate because most messages are copied.
    #[inline(never)]
    fn take_large(&mut self, source: &impl Source) -> Option<Bytes> {
        let Detached { storage, kept, is_inflated } = self.detach(source)?;
        let memory = storage.into_bytes();
        let memory = if is_inflated { Heap.share(memory) } else { source.share(memory) };
        Some(memory.slice(kept))
    }

    #[inline(never)]
    fn take_large_text(&mut self, source: &impl Source) -> Option<Text> {
        let Detached { storage, kept, is_inflated } = self.detach(source)?;
        let share = |memory| {
            if is_inflated { Heap.share(memory) } else { source.share(memory) }
        };
        Some(storage.into_text(kept, share))
    }

    /// Gives the storage away with the message in it, if that is cheaper than a copy and the
    /// message fills at least half of the storage.
    fn detach(&mut self, source: &impl Source) -> Option<Detached> {
        #[cfg(feature = "deflate")]
        if let Some(inflated) = self.inflated_mut() {
            let kept = inflated.kept.clone();
            if kept.len() < Heap.leaves_from() || kept.len() < inflated.storage.len() / 2 {
                return None;
            }
            let storage = core::mem::take(&mut inflated.storage);
            inflated.release();
            return Some(Detached { storage, kept, is_inflated: true });
        }
        if self.kept.len() < self.storage.len() / 2 {
            return None;
        }
        let kept = self.kept.clone();
        let rest = self.unread.clone();
        let mut fresh = Utf8Storage::new(source.take(rest.len()));
        fresh.get_mut(0..rest.len()).copy_from_slice(self.storage.get(rest.clone()));
        let storage = core::mem::replace(&mut self.storage, fresh);
        self.unread = 0..rest.len();
        self.kept = 0..0;
        Some(Detached { storage, kept, is_inflated: false })
    }
}

/// A message with its memory.
struct Detached {
    storage: Utf8Storage,
    kept: Range<usize>,
    /// Whether the message was decompressed. Its memory is then the buffer's own, not the source's.
    is_inflated: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Memory;
    use alloc::{sync::Arc, vec::Vec};
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// Returns memory of a fixed length, and counts the bytes that come back.
    #[derive(Clone)]
    struct Counting {
        len: usize,
        returned: Arc<AtomicUsize>,
    }

    impl Memory for Counting {
        fn take(&self, _: usize) -> Vec<u8> {
            alloc::vec![0; self.len]
        }

        fn give_back(&self, memory: Vec<u8>) {
            self.returned.fetch_add(memory.len(), Ordering::Relaxed);
        }
    }

    fn filled(count: usize) -> ReadBuffer {
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(&alloc::vec![b'a'; count]);
        buffer
    }

    #[test]
    fn a_large_message_leaves_with_its_memory_and_a_small_one_is_copied() {
        let mut buffer = filled(100_000);
        buffer.keep(99_990);
        let before = buffer.kept().as_ptr();
        let message = buffer.take_kept(&Heap);
        assert_eq!((message.as_ptr(), message.len()), (before, 99_990));
        assert_eq!(buffer.unread(), [b'a'; 10]);

        buffer.keep(10);
        assert_eq!(buffer.validate_kept(), Ok(10));
        assert_eq!(&buffer.take_kept_text(&Heap), "aaaaaaaaaa");
        assert!(buffer.is_drained());
    }

    #[test]
    fn memory_of_a_message_returns_with_its_last_clone() {
        // The buffer extends memory that is too short.
        for len in [0, 9, 10, 50_000] {
            let memory = Counting { len, returned: Arc::default() };
            let returned = || memory.returned.load(Ordering::Relaxed);
            let mut buffer = filled(20_000);
            let (place, capacity) = (buffer.unread().as_ptr(), buffer.capacity());
            buffer.keep(19_990);
            assert_eq!(buffer.validate_kept(), Ok(19_990));
            let message = buffer.take_kept_text(&memory);
            assert_eq!((message.as_ptr(), message.len()), (place, 19_990));
            assert_eq!((buffer.unread(), buffer.capacity()), (&[b'a'; 10][..], len.max(10)));
            let clone = message.clone();
            drop(message);
            assert_eq!(returned(), 0);
            drop(clone);
            assert_eq!(returned(), capacity);

            // No unread bytes follow the message, so the buffer takes no memory.
            let mut buffer = filled(20_000);
            buffer.keep(20_000);
            drop(buffer.take_kept(&memory));
            assert_eq!((buffer.capacity(), returned()), (0, 2 * capacity));
        }
    }

    #[test]
    fn copies_messages_that_are_short_or_fill_little_of_their_memory() {
        let memory = Counting { len: 0, returned: Arc::default() };
        for (len, capacity, leaves) in [
            (10 * 1024 - 1, 10 * 1024, false),
            (10 * 1024, 20 * 1024, true),
            (10 * 1024, 20 * 1024 + 2, false),
        ] {
            let mut buffer = ReadBuffer::with_memory(alloc::vec![0; capacity]);
            buffer.extend_from_slice(&alloc::vec![7; len]);
            buffer.keep(len);
            assert_eq!(buffer.take_kept(&memory).len(), len);
            assert_eq!(buffer.capacity() == 0, leaves, "{len} of {capacity}");
        }
    }
}
