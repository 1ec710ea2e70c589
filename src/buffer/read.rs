//! What was received and is not yet used up.
//!
//! ```text
//!   used │ kept: joined payload │ gap │ unread │ spare
//!        └──────── lent ────────┘     └────────┴──▶ the transport writes here
//! ```
//!
//! The protocol works from the front of `unread`: it *skips* what it has used (headers) and
//! *keeps* what belongs to the message in progress, which so becomes one contiguous slice, however
//! many pieces it came in. Only kept bytes move at that, never what lies behind them; the gap that
//! this leaves is closed when room is wanted, and by then there is little left to move.

mod owned;
#[cfg(feature = "tokio")]
mod pooled;

#[cfg(feature = "deflate")]
use super::inflated::Inflated;
use crate::{utf8::Utf8Error, utf8::Utf8Storage};
#[cfg(feature = "deflate")]
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{
    fmt,
    ops::Range,
    sync::atomic::{AtomicU32, Ordering},
};

/// Where received bytes wait until the protocol has used them.
///
/// Its user lends [`spare`](Self::spare) room to the transport and says with
/// [`filled`](Self::filled) how much of it was written. An empty buffer has no memory. Memory can
/// be given to it by [`lease`](Self::lease) and taken back by [`take`](Self::take) whenever it is
/// [drained](Self::is_drained), so that an idle connection need not hold any.
pub struct ReadBuffer {
    id: u32,
    storage: Utf8Storage,
    kept: Range<usize>,
    unread: Range<usize>,
    wanted: u64,
    #[cfg(feature = "deflate")]
    inflated: Option<Box<Inflated>>,
    /// While its memory is more than what came would have made it grow to.
    #[cfg(feature = "tokio")]
    promise: Option<super::pool::Promise>,
    /// Whether its memory comes from the pool of a thread and is to go back to one.
    #[cfg(feature = "tokio")]
    is_pooled: bool,
}

/// The least memory that is made when there is none. A message that the end of it cuts in two costs
/// about twice as much; with half of it, a quarter of those of 1 KiB are cut.
const SMALLEST: usize = 8192;

/// From this many wanted bytes on, a read is not to reach far past them.
const LARGE: u64 = 4096;

/// How much of what follows a large payload may be read together with it: a header and a bit.
const PAST_LARGE: usize = 32;

/// What copies are slowed down by if their two places lie alike in it. Memory has room for half of
/// one more than it needs, so that a pool can place what is read elsewhere.
const PAGE: usize = 4096;

impl ReadBuffer {
    /// One that no connection has come to know.
    pub(super) const NEVER_USED: Self = Self {
        id: 0,
        storage: Utf8Storage::new(Vec::new()),
        kept: 0..0,
        unread: 0..0,
        wanted: 0,
        #[cfg(feature = "deflate")]
        inflated: None,
        #[cfg(feature = "tokio")]
        promise: None,
        #[cfg(feature = "tokio")]
        is_pooled: false,
    };

    /// An empty buffer that holds no memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_storage(Vec::new())
    }

    /// An empty buffer on `storage`, all of whose length becomes room.
    #[must_use]
    pub fn with_storage(storage: Vec<u8>) -> Self {
        // Lets a connection notice that it is called with a buffer other than its own, mostly: they
        // come again after 2³² buffers.
        static NEXT_ID: AtomicU32 = AtomicU32::new(1);
        // 0 is none.
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed).max(1);
        Self { id, storage: Utf8Storage::new(storage), ..Self::NEVER_USED }
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

    /// Whether nothing is left in it, neither unread bytes nor a message that is lent or growing.
    #[inline]
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.unread.is_empty() && self.kept.is_empty() && self.kept_len() == 0
    }

    /// Room for the transport to write to: at least `least` bytes, and at least one.
    ///
    /// Usually all there is; but amid a large frame not much more than that frame still needs, so
    /// that the next one starts near the front. Memory grows with the bytes received, at most to
    /// twice as many, never with what a header promises.
    #[inline]
    pub fn spare(&mut self, least: usize) -> &mut [u8] {
        let least = least.max(1);
        if self.kept.is_empty() && self.unread.is_empty() {
            self.kept = 0..0;
            self.unread = 0..0;
        }
        if self.storage.len() - self.unread.end < least {
            self.make_room(least);
        }
        if self.wanted < LARGE {
            return self.storage.get_mut(self.unread.end..self.storage.len());
        }
        let wanted = usize::try_from(self.wanted).unwrap_or(usize::MAX);
        let most = wanted.saturating_add(PAST_LARGE).max(least);
        if self.storage.len() - self.unread.end < wanted {
            self.move_to_front();
        }
        let end = self.storage.len().min(self.unread.end.saturating_add(most));
        self.storage.get_mut(self.unread.end..end)
    }

    /// Says that the transport wrote `count` bytes to the front of [`spare`](Self::spare).
    ///
    /// A count larger than the room there is counts as all of it.
    #[inline]
    pub fn filled(&mut self, count: usize) {
        let count = count.min(self.storage.len() - self.unread.end);
        self.unread.end += count;
        self.wanted = self.wanted.saturating_sub(count as u64);
    }

    /// Appends a copy of `bytes`, as if the transport had written them.
    pub fn extend_from_slice(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let spare = self.spare(1);
            let count = spare.len().min(bytes.len());
            let (now, later) = bytes.split_at(count);
            spare[..count].copy_from_slice(now);
            self.filled(count);
            bytes = later;
        }
    }

    /// What was received and not used yet.
    #[inline]
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.storage.get(self.unread.clone())
    }

    /// Bytes of memory held, used or not.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.len()
    }

    fn make_room(&mut self, least: usize) {
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
    fn move_to_front(&mut self) {
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

    /// Kept and unread, with no gap between.
    fn live(&self) -> Range<usize> {
        let start = if self.kept.is_empty() { self.unread.start } else { self.kept.start };
        start..self.unread.end
    }
}

/// For the protocol's side.
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
    /// Calls `inflate` with the first `count` unread bytes and with room for at most `most` bytes,
    /// and takes over what it says that it has read and written. True if there was room left; the
    /// rest is what `inflate` says beside.
    pub(crate) fn inflate<T>(
        &mut self,
        count: usize,
        most: usize,
        inflate: impl FnOnce(&[u8], &mut [u8]) -> (usize, usize, T),
    ) -> (usize, bool, T) {
        let input = self.storage.get(self.first(count));
        let inflated = self.inflated.get_or_insert_default();
        inflated.in_use = true;
        let spare = inflated.spare(most);
        let room = spare.len();
        let (read, written, outcome) = inflate(input, spare);
        inflated.kept.end += written.min(room);
        self.skip(read);
        (read, written < room, outcome)
    }

    fn inflated_mut(&mut self) -> Option<&mut Inflated> {
        self.inflated.as_deref_mut().filter(|inflated| inflated.in_use)
    }
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ReadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuffer")
            .field("kept", &self.kept.len())
            .field("unread", &self.unread.len())
            .field("capacity", &self.storage.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_what_is_kept_and_drops_what_is_skipped() {
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(b"<one><two>!");
        for _ in 0..2 {
            buffer.skip(1);
            buffer.keep(3);
            buffer.skip(1);
        }
        assert_eq!(buffer.kept(), b"onetwo");
        assert_eq!(buffer.unread(), b"!");
        assert!(!buffer.is_drained());
        buffer.release();
        buffer.skip(1);
        assert!(buffer.is_drained());
    }

    #[test]
    fn nothing_is_lost_whatever_room_is_asked_for() {
        for least in [1, 2, 7, 100, 5000] {
            let mut buffer = ReadBuffer::with_storage(alloc::vec![0; 16]);
            let (mut sent, mut kept, mut total) = (0_u8, Vec::new(), 0);
            while total < 20_000 {
                let spare = buffer.spare(least);
                assert!(spare.len() >= least);
                let count = spare.len().min(11);
                for byte in &mut spare[..count] {
                    *byte = sent;
                    sent = sent.wrapping_add(1);
                }
                buffer.filled(count);
                total += count;
                // Every third byte is a header, one byte is always left unread.
                while buffer.unread_len() > 3 {
                    buffer.skip(1);
                    kept.extend_from_slice(&buffer.unread()[..2]);
                    buffer.keep(2);
                }
                assert_eq!(buffer.kept(), kept);
            }
        }
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
    fn a_read_amid_a_large_frame_stops_near_its_end() {
        let mut buffer = ReadBuffer::with_storage(alloc::vec![0; 65536]);
        buffer.set_wanted(10_000);
        assert_eq!(buffer.spare(1).len(), 10_032);
        buffer.filled(9_999);
        assert_eq!(buffer.spare(1).len(), 65536 - 9_999);
    }

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
    fn a_count_beyond_the_room_is_cut() {
        let mut buffer = ReadBuffer::with_storage(alloc::vec![7; 8]);
        buffer.filled(usize::MAX);
        assert_eq!(buffer.unread(), [7; 8]);
        buffer.skip(usize::MAX / 2);
        assert!(buffer.is_drained());
    }

    #[test]
    fn a_large_frame_of_which_little_is_there_gets_room_for_the_rest_at_once() {
        let mut buffer = ReadBuffer::with_storage(alloc::vec![0; 20_000]);
        buffer.extend_from_slice(&[7; 16_000]);
        buffer.skip(15_960);
        buffer.keep(30);
        buffer.set_wanted(16_000);
        assert_eq!(buffer.spare(1).len(), 16_032);
        assert_eq!((buffer.kept(), buffer.unread()), (&[7; 30][..], &[7; 10][..]));
        // At the front already.
        buffer.filled(2_000);
        buffer.keep(2_010);
        buffer.set_wanted(19_000);
        assert_eq!(buffer.spare(1).len(), 20_000 - 2_040);
    }
}
