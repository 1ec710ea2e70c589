//! A read buffer whose memory is that of a pool.

use super::{PAGE, ReadBuffer};
use crate::buffer::pool::Promise;
use alloc::vec::Vec;

impl ReadBuffer {
    pub(in crate::buffer) fn with_pooled_storage(storage: Vec<u8>) -> Self {
        Self { is_pooled: true, ..Self::with_storage(storage) }
    }

    /// How many bytes of memory the frame in progress needs, if that is more than there is; else 0.
    pub(in crate::buffer) fn lacking(&self) -> usize {
        let wanted = usize::try_from(self.wanted).unwrap_or(usize::MAX);
        let needed = self.live().len().saturating_add(wanted);
        if wanted > 0 && needed > self.storage.len() { needed } else { 0 }
    }

    /// Bytes that are kept or unread.
    pub(in crate::buffer) fn live_len(&self) -> usize {
        self.live().len()
    }

    pub(in crate::buffer) fn note_promise(&mut self, promise: Promise) {
        self.promise = Some(promise);
    }

    /// Of a drained one: drops what it knows of its connection, and all memory but the first.
    pub(in crate::buffer) fn forget(&mut self) {
        #[cfg(feature = "deflate")]
        {
            self.inflated = None;
        }
        self.release();
        self.wanted = 0;
        self.promise = None;
        self.is_pooled = true;
    }

    pub(in crate::buffer) fn wants_more_than(&self, count: usize) -> bool {
        self.wanted > count as u64
    }

    /// Goes on in the memory of an unused one, in which what is kept or unread has room; that one
    /// gets the memory of this.
    pub(in crate::buffer) fn exchange_memory(&mut self, unused: &mut Self) {
        let live = self.live();
        let wanted = usize::try_from(self.wanted).unwrap_or(usize::MAX);
        let needed = live.len().saturating_add(wanted);
        let front = before_middle_of_page(unused.storage.get(0..1));
        let front = if needed.saturating_add(front) <= unused.storage.len() { front } else { 0 };
        let place = front..front + live.len();
        unused.storage.get_mut(place).copy_from_slice(self.storage.get(live.clone()));
        core::mem::swap(&mut self.storage, &mut unused.storage);
        self.rebase(live.start);
        self.kept = self.kept.start + front..self.kept.end + front;
        self.unread = self.unread.start + front..self.unread.end + front;
        unused.release();
    }
}

/// How much to leave free in large memory, so that what is read begins in the middle of a page.
/// Allocators put such memory a few bytes behind the start of one, and so lies what a system has
/// received: copies between places that are so alike take up to three times as long.
fn before_middle_of_page(memory: &[u8]) -> usize {
    (PAGE / 2).wrapping_sub(memory.as_ptr().addr()) % PAGE
}
