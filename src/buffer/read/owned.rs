//! Messages that leave the read buffer: with the memory that they are in, or copied.

use super::ReadBuffer;
#[cfg(feature = "tokio")]
use crate::buffer::pool::{give_away, small_memory};
use crate::{Text, utf8::Utf8Storage};
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Range;

/// From this many bytes on, memory to go on in is cheaper than a copy.
const DETACH_FROM: usize = 64 * 1024;

/// The same where memory is that of a pool, and comes back to one.
const DETACH_POOLED_FROM: usize = 10 * 1024;

/// A message with the memory that it is in.
struct Detached {
    storage: Utf8Storage,
    kept: Range<usize>,
    /// How the memory is given away.
    into_bytes: fn(Vec<u8>) -> Bytes,
}

impl ReadBuffer {
    /// What is kept as an owned message; it is still lent afterwards only if it was copied.
    pub(crate) fn take_kept(&mut self) -> Bytes {
        match self.detach() {
            Some(Detached { storage, kept, into_bytes }) => {
                into_bytes(storage.into_bytes()).slice(kept)
            }
            None => {
                let copy = Bytes::copy_from_slice(self.kept());
                self.release();
                copy
            }
        }
    }

    /// As [`take_kept`](Self::take_kept), for kept bytes that were validated as text.
    pub(crate) fn take_kept_text(&mut self) -> Text {
        match self.detach() {
            Some(Detached { storage, kept, into_bytes }) => storage.into_text(kept, into_bytes),
            None => {
                let copy = self.kept_text(self.kept_len()).into();
                self.release();
                copy
            }
        }
    }

    /// Gives the storage away for the message in it, if that is cheaper than a copy and the
    /// message then pins little else.
    fn detach(&mut self) -> Option<Detached> {
        #[cfg(feature = "deflate")]
        if let Some(inflated) = self.inflated_mut() {
            let kept = inflated.kept.clone();
            if kept.len() < DETACH_FROM || kept.len() < inflated.storage.len() / 2 {
                return None;
            }
            let storage = core::mem::take(&mut inflated.storage);
            inflated.release();
            return Some(Detached { storage, kept, into_bytes: Bytes::from });
        }
        let pays_from = if self.is_pooled() { DETACH_POOLED_FROM } else { DETACH_FROM };
        if self.kept.len() < pays_from || self.kept.len() < self.storage.len() / 2 {
            return None;
        }
        let kept = self.kept.clone();
        let rest = self.unread.clone();
        let mut fresh = Utf8Storage::new(self.memory_for(rest.len()));
        fresh.get_mut(0..rest.len()).copy_from_slice(self.storage.get(rest.clone()));
        let storage = core::mem::replace(&mut self.storage, fresh);
        self.unread = 0..rest.len();
        self.kept = 0..0;
        let into_bytes = self.giving_away();
        Some(Detached { storage, kept, into_bytes })
    }
}

#[cfg(feature = "tokio")]
impl ReadBuffer {
    fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// Memory for what is unread; none if that is nothing.
    fn memory_for(&self, unread: usize) -> Vec<u8> {
        if self.is_pooled && unread > 0 { small_memory(unread) } else { alloc::vec![0; unread] }
    }

    /// How memory becomes that of a message, when it is given away.
    fn giving_away(&mut self) -> fn(Vec<u8>) -> Bytes {
        self.promise = None;
        if self.is_pooled { give_away } else { Bytes::from }
    }
}

#[cfg(not(feature = "tokio"))]
impl ReadBuffer {
    fn is_pooled(&self) -> bool {
        false
    }

    fn memory_for(&self, unread: usize) -> Vec<u8> {
        alloc::vec![0; unread]
    }

    fn giving_away(&mut self) -> fn(Vec<u8>) -> Bytes {
        Bytes::from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_message_is_split_off_uncopied_a_small_one_copied() {
        let mut buffer = ReadBuffer::new();
        buffer.extend_from_slice(&[b'a'; 100_000]);
        buffer.keep(99_990);
        let before = buffer.kept().as_ptr();
        let message = buffer.take_kept();
        assert_eq!((message.as_ptr(), message.len()), (before, 99_990));
        assert_eq!(buffer.unread(), [b'a'; 10]);

        buffer.keep(10);
        assert_eq!(buffer.validate_kept(), Ok(10));
        assert_eq!(&buffer.take_kept_text(), "aaaaaaaaaa");
        assert!(buffer.is_drained());
    }
}
