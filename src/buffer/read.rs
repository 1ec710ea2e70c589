//! Received bytes that the protocol has not consumed yet.
//!
//! ```text
//!   used │ kept: joined payload │ gap │ unread │ spare
//!        └──────── lent ────────┘     └────────┴──▶ the transport writes here
//! ```
//!
//! The protocol works from the front of `unread`. It *skips* the bytes it is done with (headers)
//! and *keeps* the payload of the message in progress. Kept bytes form one contiguous slice,
//! whatever number of pieces they arrived in. Keeping moves only the kept bytes, never the bytes
//! after them. The gap that this leaves is closed when the buffer needs room, and by then little is
//! left to move.

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

/// A buffer of received bytes, which wait here until the protocol has consumed them.
///
/// You pass [`spare`](Self::spare) room to the transport and report with [`filled`](Self::filled)
/// how much of it was written. A new buffer has no memory. Whenever the buffer is
/// [drained](Self::is_drained), you can give it memory with [`put_memory`](Self::put_memory) and
/// take that memory out with [`take_memory`](Self::take_memory), so an idle connection need not
/// hold any. While the buffer is not drained, you can [exchange](Self::exchange_memory) its memory.
/// You decide where the memory comes from. A large message leaves together with its memory, which
/// can come from a [`Memory`](super::Memory).
pub struct ReadBuffer {
    id: u32,
    storage: Utf8Storage,
    kept: Range<usize>,
    unread: Range<usize>,
    wanted: u64,
    #[cfg(feature = "deflate")]
    inflated: Option<Box<Inflated>>,
}

/// The number of wanted bytes from which a read should not reach far past them.
const LARGE: u64 = 4096;

/// How many bytes after a large payload may be read together with it: a header and a little more.
const PAST_LARGE: usize = 32;

impl ReadBuffer {
    /// A buffer that no connection has used yet.
    pub(crate) const NEVER_USED: Self = Self {
        id: 0,
        storage: Utf8Storage::new(Vec::new()),
        kept: 0..0,
        unread: 0..0,
        wanted: 0,
        #[cfg(feature = "deflate")]
        inflated: None,
    };

    /// Creates an empty buffer without memory.
    #[must_use]
    pub fn new() -> Self {
        Self::with_memory(Vec::new())
    }

    /// Creates an empty buffer that uses all of `memory`, up to its length, as room. The contents of
    /// `memory` are dropped. To create a buffer with received bytes, use [`From`].
    #[must_use]
    pub fn with_memory(memory: Vec<u8>) -> Self {
        // Lets a connection notice that it was called with another connection's buffer. Ids repeat
        // after 2³² buffers.
        static NEXT_ID: AtomicU32 = AtomicU32::new(1);
        // A connection without a buffer has the id 0, so no buffer gets it.
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed).max(1);
        Self { id, storage: Utf8Storage::new(memory), ..Self::NEVER_USED }
    }

    /// Returns `true` if the buffer contains neither unread bytes nor any part of a message.
    #[inline]
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.unread.is_empty() && self.kept.is_empty() && self.kept_len() == 0
    }

    /// Returns room for the transport to write to: at least `least` bytes, and at least one.
    ///
    /// Usually this is all the room there is. Inside a large frame it is little more than the rest
    /// of that frame, so that the next frame starts near the front. Memory grows with the bytes
    /// received, to at most twice as many. It never grows with the length that a header announces.
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

    /// Records that the transport wrote `count` bytes to the front of [`spare`](Self::spare).
    ///
    /// A `count` larger than the room counts as all of the room.
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

    /// Returns the bytes that were received and not consumed yet.
    #[inline]
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.storage.get(self.unread.clone())
    }

    /// Returns how many more bytes the frame in progress needs, according to its header. Returns 0
    /// if no frame is in progress or the connection gave no hint.
    #[inline]
    #[must_use]
    pub fn wanted(&self) -> u64 {
        self.wanted
    }
}

/// Creates a buffer that contains these bytes as received, such as the `unread` bytes of a
/// connection that was taken apart.
impl From<Vec<u8>> for ReadBuffer {
    fn from(received: Vec<u8>) -> Self {
        let count = received.len();
        let mut buffer = Self::with_memory(received);
        buffer.filled(count);
        buffer
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
    fn a_buffer_made_of_bytes_contains_them() {
        let buffer = ReadBuffer::from(b"received".to_vec());
        assert_eq!(buffer.unread(), b"received");
        assert!(ReadBuffer::from(Vec::new()).is_drained());
    }

    #[test]
    fn joins_kept_bytes_and_drops_skipped_ones() {
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
    fn loses_nothing_for_any_requested_room() {
        for least in [1, 2, 7, 100, 5000] {
            let mut buffer = ReadBuffer::with_memory(alloc::vec![0; 16]);
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
                // Every third byte is a header. One byte always stays unread.
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
    fn a_read_inside_a_large_frame_stops_near_its_end() {
        let mut buffer = ReadBuffer::with_memory(alloc::vec![0; 65536]);
        buffer.set_wanted(10_000);
        assert_eq!(buffer.spare(1).len(), 10_032);
        buffer.filled(9_999);
        assert_eq!(buffer.spare(1).len(), 65536 - 9_999);
    }

    #[test]
    fn a_count_beyond_the_room_is_clamped() {
        let mut buffer = ReadBuffer::with_memory(alloc::vec![7; 8]);
        buffer.filled(usize::MAX);
        assert_eq!(buffer.unread(), [7; 8]);
        buffer.skip(usize::MAX / 2);
        assert!(buffer.is_drained());
    }

    #[test]
    fn a_large_frame_that_has_just_begun_gets_room_for_the_rest_at_once() {
        let mut buffer = ReadBuffer::with_memory(alloc::vec![0; 20_000]);
        buffer.extend_from_slice(&[7; 16_000]);
        buffer.skip(15_960);
        buffer.keep(30);
        buffer.set_wanted(16_000);
        assert_eq!(buffer.spare(1).len(), 16_032);
        assert_eq!((buffer.kept(), buffer.unread()), (&[7; 30][..], &[7; 10][..]));
        // The bytes are at the front already.
        buffer.filled(2_000);
        buffer.keep(2_010);
        buffer.set_wanted(19_000);
        assert_eq!(buffer.spare(1).len(), 20_000 - 2_040);
    }
}
