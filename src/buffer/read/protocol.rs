//! The protocol's side of a read buffer, which skips and keeps the received bytes.

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

    /// Returns the number of bytes that wait here: unread, or kept as part of a message, decompressed
    /// ones too.
    pub(crate) fn held(&self) -> usize {
        self.unread.len() + self.kept_len()
    }

    /// Returns the first `count` unread bytes.
    #[inline]
    pub(crate) fn unread_mut(&mut self, count: usize) -> &mut [u8] {
        self.storage.get_mut(self.first(count))
    }

    /// Drops the first `count` unread bytes.
    #[inline]
    pub(crate) fn skip(&mut self, count: usize) {
        self.unread.start = self.first(count).end;
    }

    /// Appends the first `count` unread bytes to the kept bytes.
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

    /// Passes the unread bytes to `find`, which returns how many to skip and how many of the
    /// following to keep. These replace the previously kept bytes.
    ///
    /// Nothing changes if `find` returns `None`, which requires that it left the bytes as they
    /// were. Nothing changes either if the kept bytes are decompressed ones, which must be
    /// [released](Self::release) first.
    // Always inlined; otherwise the result of `find` goes through memory.
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
        debug_assert!(end <= self.unread.end, "kept bytes were not received");
        self.kept = start..end;
        self.unread.start = end;
        Some(found)
    }

    /// Validates the kept bytes as UTF-8, a prefix of which may already be validated. Returns the
    /// length of the complete characters.
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

    /// Returns `true` if the bytes kept by [`keep_behind`](Self::keep_behind) are valid UTF-8.
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

    /// Returns the first `count` kept bytes, which must have been validated, as text.
    #[inline]
    pub(crate) fn kept_text(&self, count: usize) -> &str {
        let (storage, kept) = self.keeper();
        storage.text(kept.start..kept.start + count.min(kept.len()))
    }

    /// Returns the storage and the range of the kept bytes.
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

    /// Drops all kept bytes.
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

    /// Sets how many more bytes the frame in progress needs, as a hint for the size of reads.
    pub(crate) fn set_wanted(&mut self, count: u64) {
        self.wanted = count;
    }
}

/// Decompression, which produces the kept bytes from the unread bytes.
#[cfg(feature = "deflate")]
impl ReadBuffer {
    /// Calls `inflate` with the first `count` unread bytes and with room for at most `now` bytes.
    /// `inflate` returns how many bytes it read and wrote, and any other result. `most` limits all
    /// the bytes that are still to be decompressed.
    ///
    /// Returns the number of bytes read, `true` if there was room left, and the other result.
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
