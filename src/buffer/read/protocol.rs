//! The protocol's side of a read buffer: it skips, keeps and lends what was received.

use super::ReadBuffer;
#[cfg(feature = "deflate")]
use crate::buffer::inflated::Inflated;
use crate::utf8::{Utf8Error, Utf8Storage};
use core::ops::Range;

impl ReadBuffer {
    #[inline]
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    #[inline]
    pub(crate) fn unread_len(&self) -> usize {
        self.unread.len()
    }

    /// The first `count` unread bytes.
    #[inline]
    pub(crate) fn unread_mut(&mut self, count: usize) -> &mut [u8] {
        self.storage.get_mut(self.first(count))
    }

    /// Drops the first `count` unread bytes.
    #[inline]
    pub(crate) fn skip(&mut self, count: usize) {
        self.unread.start = self.first(count).end;
    }

    /// Appends the first `count` unread bytes to what is kept.
    pub(crate) fn keep(&mut self, count: usize) {
        let from = self.first(count);
        if self.kept.is_empty() {
            self.kept = from.clone();
        } else {
            if self.kept.end != from.start {
                self.storage.shift(from.clone(), self.kept.end);
            }
            self.kept.end += from.len();
        }
        self.unread.start = from.end;
        if self.unread.is_empty() {
            self.unread = self.kept.end..self.kept.end;
        }
    }

    /// Shows `find` the unread bytes, and keeps as many as it says, behind those that it skips, in place
    /// of what was kept before. Nothing changes if it finds none, which is to leave them as they are, or
    /// if what is kept is elsewhere and has to be [released](Self::release) first.
    // Always, or what is found goes through memory.
    #[inline(always)]
    pub(crate) fn keep_behind<T>(
        &mut self,
        find: impl FnOnce(&mut [u8]) -> Option<(usize, usize, T)>,
    ) -> Option<T> {
        #[cfg(feature = "deflate")]
        if self.inflated_mut().is_some() {
            return None;
        }
        let (skipped, count, found) = find(self.storage.get_mut(self.unread.clone()))?;
        let start = self.unread.start + skipped;
        let end = start + count;
        debug_assert!(end <= self.unread.end, "only what was received is kept");
        self.kept = start..end;
        self.unread.start = end;
        Some(found)
    }

    /// Validates what is kept as UTF-8, of which all but the last may have been validated before;
    /// returns the length of its whole characters.
    #[inline]
    pub(crate) fn validate_kept(&mut self) -> Result<usize, Utf8Error> {
        #[cfg(feature = "deflate")]
        if let Some(inflated) = self.inflated_mut() {
            let end = inflated.storage.validate(inflated.kept.clone())?;
            return Ok(end - inflated.kept.start);
        }
        let end = self.storage.validate(self.kept.clone())?;
        Ok(end - self.kept.start)
    }

    /// Whether all that was [kept from behind](Self::keep_behind) what was skipped is text.
    #[inline]
    pub(crate) fn validate_whole(&mut self) -> bool {
        self.storage.validate_whole(self.kept.clone())
    }

    #[inline]
    pub(crate) fn kept(&self) -> &[u8] {
        let (storage, kept) = self.keeper();
        storage.get(kept.clone())
    }

    #[inline]
    pub(crate) fn kept_len(&self) -> usize {
        self.keeper().1.len()
    }

    /// The first `count` kept bytes, which were validated, as text.
    #[inline]
    pub(crate) fn kept_text(&self, count: usize) -> &str {
        let (storage, kept) = self.keeper();
        storage.text(kept.start..kept.start + count.min(kept.len()))
    }

    /// Where what is kept is.
    #[inline]
    fn keeper(&self) -> (&Utf8Storage, &Range<usize>) {
        #[cfg(feature = "deflate")]
        if let Some(inflated) = self.inflated.as_deref().filter(|inflated| inflated.in_use) {
            return (&inflated.storage, &inflated.kept);
        }
        (&self.storage, &self.kept)
    }

    /// Drops the first `count` kept bytes.
    pub(crate) fn release_front(&mut self, count: usize) {
        #[cfg(feature = "deflate")]
        if let Some(inflated) = self.inflated_mut() {
            inflated.kept.start += count.min(inflated.kept.len());
            if inflated.kept.is_empty() {
                inflated.release();
            }
            return;
        }
        self.kept.start += count.min(self.kept.len());
        if self.kept.is_empty() {
            self.release();
        }
    }

    /// Drops all that is kept.
    #[inline]
    pub(crate) fn release(&mut self) {
        #[cfg(feature = "deflate")]
        if let Some(inflated) = self.inflated_mut() {
            inflated.release();
        }
        if self.unread.is_empty() {
            self.unread = 0..0;
        }
        self.kept = self.unread.start..self.unread.start;
    }

    #[inline]
    fn first(&self, count: usize) -> Range<usize> {
        self.unread.start..self.unread.start + count.min(self.unread.len())
    }

    /// How many more bytes the frame in progress needs: a hint for the size of reads.
    pub(crate) fn set_wanted(&mut self, count: u64) {
        self.wanted = count;
    }
}

/// Decompression: what is kept is then made of the unread bytes.
#[cfg(feature = "deflate")]
impl ReadBuffer {
    /// Calls `inflate` with the first `count` unread bytes and with room for at most `now` bytes, where in all
    /// there will be at most `most`, and takes over what it says that it has read and written. True if there
    /// was room left; the rest is what `inflate` says beside.
    pub(crate) fn inflate<T>(
        &mut self,
        count: usize,
        most: usize,
        now: usize,
        inflate: impl FnOnce(&[u8], &mut [u8]) -> (usize, usize, T),
    ) -> (usize, bool, T) {
        let input = self.storage.get(self.first(count));
        let inflated = self.inflated.get_or_insert_default();
        inflated.in_use = true;
        let spare = inflated.spare(most);
        let room = spare.len().min(now);
        let (read, written, outcome) = inflate(input, &mut spare[..room]);
        inflated.kept.end += written.min(room);
        self.skip(read);
        (read, written < room, outcome)
    }

    pub(super) fn inflated_mut(&mut self) -> Option<&mut Inflated> {
        self.inflated.as_deref_mut().filter(|inflated| inflated.in_use)
    }
}
