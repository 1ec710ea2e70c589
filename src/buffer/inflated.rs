//! Decompressed payload, which is longer than the bytes it came from.

use super::RETAINED;
use crate::{thread_cache::thread_cache, utf8::Utf8Storage};
use alloc::vec::Vec;
use core::ops::Range;

/// Memory in addition to that of the read buffer, for the data decompressed from its unread bytes.
/// While in use, it contains the kept bytes of the buffer.
pub(super) struct Inflated {
    pub(super) storage: Utf8Storage,
    pub(super) kept: Range<usize>,
    pub(super) in_use: bool,
}

/// The least number of bytes to allocate.
const SMALLEST: usize = 4096;

thread_cache! {
    /// Memory from idle connections. Without it, each new message would grow its memory step by
    /// step.
    static MEMORY: ThreadCache<Vec<u8>>;
}

impl Default for Inflated {
    fn default() -> Self {
        Self {
            storage: Utf8Storage::new(MEMORY.take().unwrap_or_default()),
            kept: 0..0,
            in_use: false,
        }
    }
}

impl Drop for Inflated {
    fn drop(&mut self) {
        let memory = core::mem::take(&mut self.storage).into_bytes();
        if !memory.is_empty() && memory.len() <= RETAINED {
            let len = memory.len();
            MEMORY.give_back_unless(memory, |kept| kept.len() > len);
        }
    }
}

impl Inflated {
    /// Returns room for at most `most` more bytes, and for at least one.
    pub(super) fn spare(&mut self, most: usize) -> &mut [u8] {
        if self.kept.end == self.storage.len() && self.kept.start > 0 {
            self.storage.shift(self.kept.clone(), 0);
            self.kept = 0..self.kept.len();
        }
        let most = self.kept.end.saturating_add(most.max(1));
        if self.kept.end == self.storage.len() {
            let doubled = self.storage.len().saturating_mul(2).max(SMALLEST);
            self.storage.grow(doubled.min(most));
        }
        self.storage.get_mut(self.kept.end..self.storage.len().min(most))
    }

    /// Drops all kept bytes, and frees large memory.
    pub(super) fn release(&mut self) {
        self.kept = 0..0;
        self.in_use = false;
        if self.storage.len() > RETAINED {
            self.storage = Utf8Storage::new(Vec::new());
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn memory_is_passed_on_unless_it_is_large() {
        let mut first = Inflated::default();
        first.spare(usize::MAX);
        first.storage.grow(20_000);
        let memory = first.storage.get(0..1).as_ptr();
        drop(first);

        let mut second = Inflated::default();
        let mut third = Inflated::default();
        assert_eq!((second.storage.len(), third.storage.len()), (20_000, 0));
        assert_eq!(second.storage.get(0..1).as_ptr(), memory);
        // The room is never more than requested.
        assert_eq!(second.spare(10).len(), 10);

        // Of two pieces the larger one is cached. A piece over the limit is freed.
        third.storage.grow(RETAINED + 1);
        drop(second);
        drop(third);
        let mut small = Inflated { storage: Utf8Storage::default(), kept: 0..0, in_use: false };
        small.storage.grow(10);
        drop(small);
        assert_eq!(MEMORY.take().map(|memory| memory.len()), Some(20_000));
    }
}
