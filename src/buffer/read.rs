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
mod protocol;
mod storage;

#[cfg(feature = "deflate")]
use super::inflated::Inflated;
use crate::utf8::Utf8Storage;
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
/// [drained](Self::is_drained), so that an idle connection need not hold any. While it is not, the
/// memory can be [exchanged](Self::exchange_memory). Where it comes from is its owner's matter; that of
/// large messages, which leave with it, can be that of a [`Memory`](super::Memory).
pub struct ReadBuffer {
    id: u32,
    storage: Utf8Storage,
    kept: Range<usize>,
    unread: Range<usize>,
    wanted: u64,
    #[cfg(feature = "deflate")]
    inflated: Option<Box<Inflated>>,
}

/// From this many wanted bytes on, a read is not to reach far past them.
const LARGE: u64 = 4096;

/// How much of what follows a large payload may be read together with it: a header and a bit.
const PAST_LARGE: usize = 32;

impl ReadBuffer {
    /// One that no connection has come to know.
    pub(crate) const NEVER_USED: Self = Self {
        id: 0,
        storage: Utf8Storage::new(Vec::new()),
        kept: 0..0,
        unread: 0..0,
        wanted: 0,
        #[cfg(feature = "deflate")]
        inflated: None,
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

    /// How many bytes more the frame in progress needs, as its header promises; 0 if there is none, or
    /// if nothing is to be said.
    #[inline]
    #[must_use]
    pub fn wanted(&self) -> u64 {
        self.wanted
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
    fn a_read_amid_a_large_frame_stops_near_its_end() {
        let mut buffer = ReadBuffer::with_storage(alloc::vec![0; 65536]);
        buffer.set_wanted(10_000);
        assert_eq!(buffer.spare(1).len(), 10_032);
        buffer.filled(9_999);
        assert_eq!(buffer.spare(1).len(), 65536 - 9_999);
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
