//! What was made of received bytes and is longer than them: decompressed payload.

use super::RETAINED;
use crate::utf8::Utf8Storage;
use alloc::vec::Vec;
use core::ops::Range;

/// Memory beside that of the read buffer, from whose unread bytes it is filled. While it is in use,
/// what the buffer keeps is here.
#[derive(Default)]
pub(super) struct Inflated {
    pub(super) storage: Utf8Storage,
    pub(super) kept: Range<usize>,
    pub(super) in_use: bool,
}

/// The least memory that is made.
const SMALLEST: usize = 4096;

impl Inflated {
    /// Room for more, at most `most` bytes, and at least one.
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

    /// Drops all that is kept; large memory goes back.
    pub(super) fn release(&mut self) {
        self.kept = 0..0;
        self.in_use = false;
        if self.storage.len() > RETAINED {
            self.storage = Utf8Storage::new(Vec::new());
        }
    }
}
