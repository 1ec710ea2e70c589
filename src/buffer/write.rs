//! Bytes to send that the transport has not taken yet.
//!
//! Small pieces are copied one after another into one run of memory, so that many frames leave as
//! one piece. Large payloads in shared memory are linked in between without a copy. So are control
//! frames, which need not wait behind everything that was queued before them.

mod control;
mod copy;
#[cfg(feature = "std")]
mod lend;
mod link;
mod memory;

#[cfg(feature = "std")]
pub(crate) use self::control::LEAST_UNBROKEN;
pub(crate) use self::control::MOST_UNBROKEN;
use self::link::{Control, Link, Linked};
use super::RETAINED;
use alloc::{collections::VecDeque, vec::Vec};
use bytes::Bytes;
use core::fmt;

/// A buffer of bytes to send, which wait here until the transport has taken them.
///
/// You write the [`slices`](Self::slices) to the transport, ideally in one vectored write, and
/// report with [`consume`](Self::consume) how many bytes it took.
#[derive(Default)]
pub struct WriteBuffer {
    run: Vec<u8>,
    /// The number of consumed bytes at the start of `run`.
    head: usize,
    /// The pieces between the bytes of `run`, in order.
    links: VecDeque<Link>,
    /// The control frames at the position of [`Linked::Control`]. If this is not empty, there is
    /// exactly one such link.
    control: Control,
    len: usize,
    /// The number of bytes at the front, included in `len`, that [`lend`](Self::lend) moved to
    /// another buffer.
    lent: usize,
    /// How many of them, at most, a budget counts for all connections together.
    lent_shared: usize,
    /// The number of bytes ever consumed.
    consumed: u64,
    /// The position of the last [boundary](Linked::Boundary), counted like `consumed`.
    last_boundary: u64,
}

/// The capacity for links that an empty buffer may retain.
const FEW_LINKS: usize = 4;

impl WriteBuffer {
    /// Creates an empty buffer without memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            run: Vec::new(),
            head: 0,
            links: VecDeque::new(),
            control: Control::new(),
            len: 0,
            lent: 0,
            lent_shared: 0,
            consumed: 0,
            last_boundary: 0,
        }
    }

    /// Returns the number of bytes that wait to be written.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of bytes that wait and that no budget counts for all connections together.
    pub(crate) fn own_len(&self) -> usize {
        self.len.saturating_sub(self.shared_len() + self.lent_shared.min(self.lent))
    }

    /// Returns how many of the bytes that are not lent a budget counts for all connections together.
    fn shared_len(&self) -> usize {
        self.links.iter().map(Link::shared_len).sum()
    }

    /// Returns `true` if no bytes wait to be written.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `into` with the waiting bytes, in order, and returns how many of its slots were used.
    ///
    /// No slice is empty. If `into` has too few slots, it receives only the first pieces.
    pub fn slices<'a>(&'a self, into: &mut [&'a [u8]]) -> usize {
        let mut count = 0;
        for (place, piece) in into.iter_mut().zip(self.pieces()) {
            *place = piece;
            count += 1;
        }
        count
    }

    /// Returns an upper bound on the number of pieces. This many slots suffice for
    /// [`slices`](Self::slices).
    #[must_use]
    pub fn most_pieces(&self) -> usize {
        2 * self.links.len() + 1
    }

    /// Returns the contiguous piece at the front, up to the first place where a control frame may
    /// be inserted. It is empty only if nothing waits.
    ///
    /// Suppose that a write was not ready, and you reported that to the connection with
    /// [`did_write`](crate::connection::Connection::did_write). The front then keeps its bytes
    /// until you [consume](Self::consume) some of them, although more bytes may be appended after
    /// them. TLS libraries may require this.
    #[inline]
    #[must_use]
    pub fn front(&self) -> &[u8] {
        // Usually nothing is linked.
        if self.links.is_empty() {
            return &self.run[self.head..];
        }
        let piece = self.pieces().next().unwrap_or_default();
        &piece[..piece.len().min(self.unbroken_len())]
    }

    /// Records that the first `count` bytes were written. If you report a write to a connection or
    /// a handshake with its `did_write`, that method consumes the bytes: do not call `consume` as
    /// well.
    ///
    /// A `count` larger than [`len`](Self::len) counts as all bytes. Once all bytes are written,
    /// memory of more than 64 KiB is released: the process retains four pieces of at most slightly
    /// more than 1 MiB for the next large message or long queue, and frees the rest. Without `std`,
    /// all of it is freed.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        self.consume_and_reclaim(count, RETAINED);
    }

    /// Like [`consume`](Self::consume), but keeps the memory, for an owner that takes it out with
    /// [`take_memory`](Self::take_memory).
    #[inline]
    pub fn consume_keeping_memory(&mut self, count: usize) {
        self.consume_and_reclaim(count, usize::MAX);
    }

    /// Consumes `count` bytes. Once nothing waits, retains at most `memory` bytes of memory.
    // Called once per write. If inlined, it takes registers from the loop that queues messages.
    #[inline(never)]
    fn consume_and_reclaim(&mut self, count: usize, memory: usize) {
        let count = count.min(self.len);
        self.len -= count;
        self.consumed += count as u64;
        let count = self.consume_lent(count);
        // Usually all bytes are consumed.
        if self.len > 0 || self.links.capacity() > 0 {
            self.consume_pieces(count);
        }
        if self.len > 0 {
            return self.reclaim();
        }
        self.head = 0;
        self.run.clear();
        // Links without bytes may be left.
        self.links.clear();
        if self.run.capacity() > memory {
            self.give_up_memory();
        }
        if self.links.capacity() > FEW_LINKS {
            self.links = VecDeque::new();
        }
    }

    /// Consumes the bytes moved away by [`lend`](Self::lend) first. Returns how many of `count` are
    /// left to consume.
    #[inline]
    fn consume_lent(&mut self, count: usize) -> usize {
        let of_lent = count.min(self.lent);
        self.lent -= of_lent;
        count - of_lent
    }

    fn consume_pieces(&mut self, mut count: usize) {
        while count > 0 {
            let run_end = self.links.front().map_or(self.run.len(), |link| link.before);
            let from_run = count.min(run_end - self.head);
            self.head += from_run;
            count -= from_run;
            if count == 0 {
                break;
            }
            let Some(link) = self.links.front_mut() else { break };
            let from_link = count.min(link.len(&self.control));
            count -= from_link;
            if link.consume(from_link, &mut self.control) {
                self.links.pop_front();
            }
        }
    }

    /// Appends `bytes` without a copy.
    pub fn link(&mut self, bytes: Bytes) {
        self.link_frames(bytes, usize::MAX, usize::MAX, false);
    }

    /// Appends frames without a copy. The first frame ends after `to_boundary` bytes, and each of
    /// the others after another `frame_len`. `is_shared` tells whether they count
    /// [elsewhere](Self::own_len).
    pub(crate) fn link_frames(
        &mut self,
        bytes: Bytes,
        to_boundary: usize,
        frame_len: usize,
        is_shared: bool,
    ) {
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len();
        let linked = Linked::Bytes { bytes, to_boundary, frame_len, is_shared };
        self.links.push_back(Link { before: self.run.len(), linked });
    }

    /// Gives an empty buffer memory to start with. The contents of `memory` are dropped.
    ///
    /// # Errors
    ///
    /// Returns `memory` if the buffer is not empty.
    pub fn put_memory(&mut self, mut memory: Vec<u8>) -> Result<(), Vec<u8>> {
        if !self.is_empty() {
            return Err(memory);
        }
        memory.clear();
        self.run = memory;
        Ok(())
    }

    /// Takes the memory out of the buffer. Returns `None` if bytes are still in it.
    pub fn take_memory(&mut self) -> Option<Vec<u8>> {
        self.is_empty().then(|| core::mem::take(&mut self.run))
    }

    /// Moves the copied bytes to other memory and returns the previous memory.
    pub fn exchange_memory(&mut self, mut memory: Vec<u8>) -> Vec<u8> {
        memory.clear();
        memory.extend_from_slice(&self.run[self.head..]);
        self.head_is_gone();
        let mut before = core::mem::replace(&mut self.run, memory);
        before.clear();
        before
    }

    /// Returns the size in bytes of the memory for copied bytes, used or not.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.run.capacity()
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = self.head;
        let runs_and_links = self.links.iter().flat_map(move |link| {
            let run = &self.run[from..link.before];
            from = link.before;
            [run, link.bytes(&self.control)]
        });
        let last = self.links.back().map_or(self.head, |link| link.before);
        let last = core::iter::once(&self.run[last..]);
        runs_and_links.chain(last).filter(|piece| !piece.is_empty())
    }

    /// Adjusts all positions after the consumed bytes were removed from the run.
    fn head_is_gone(&mut self) {
        for link in &mut self.links {
            link.before -= self.head;
        }
        self.head = 0;
    }
}

impl fmt::Debug for WriteBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBuffer")
            .field("len", &self.len)
            .field("linked_pieces", &self.links.len())
            .field("capacity", &self.run.capacity())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(buffer: &WriteBuffer) -> Vec<u8> {
        let mut slices = [&[][..]; 16];
        let count = buffer.slices(&mut slices);
        slices[..count].concat()
    }

    fn mixed() -> WriteBuffer {
        let mut buffer = WriteBuffer::new();
        buffer.link(Bytes::from_static(b"ab"));
        buffer.make_room(16);
        buffer.extend_behind(u128::from_le_bytes(*b"cd but not this."), 2, b"e");
        buffer.link(Bytes::from_static(b"f"));
        buffer.link(Bytes::from_static(b"gh"));
        buffer.link(Bytes::new());
        buffer.extend_from_slice(b"i");
        buffer
    }

    #[test]
    fn pieces_keep_their_order() {
        let buffer = mixed();
        assert_eq!(contents(&buffer), b"abcdefghi");
        assert_eq!(buffer.len(), 9);
        let mut two = [&[][..]; 2];
        assert_eq!(buffer.slices(&mut two), 2);
        assert_eq!(two, [&b"ab"[..], b"cde"]);
        assert_eq!(WriteBuffer::new().slices(&mut two), 0);
    }

    #[test]
    fn consumes_at_every_cut() {
        for first in 0..=9 {
            for second in 0..=9 - first {
                let mut buffer = mixed();
                buffer.consume(first);
                assert_eq!(contents(&buffer), &b"abcdefghi"[first..]);
                buffer.extend_from_slice(b"jk");
                buffer.consume(second);
                assert_eq!(contents(&buffer), &b"abcdefghijk"[first + second..]);
                assert_eq!(buffer.len(), 11 - first - second);
            }
        }
    }

    #[test]
    fn memory_is_leased_and_taken_while_empty() {
        let mut buffer = WriteBuffer::new();
        assert_eq!(buffer.put_memory(alloc::vec![7; 100]), Ok(()));
        buffer.extend_from_slice(b"ab");
        assert_eq!((contents(&buffer).as_slice(), buffer.capacity()), (&b"ab"[..], 100));
        assert_eq!(buffer.take_memory(), None);
        assert_eq!(buffer.put_memory(Vec::new()), Err(Vec::new()));
        buffer.consume(2);
        assert_eq!(buffer.take_memory().map(|storage| storage.capacity()), Some(100));
        assert_eq!(buffer.capacity(), 0);
    }

    #[cfg(feature = "std")]
    #[test]
    fn shared_bytes_count_elsewhere_also_while_another_buffer_has_them() {
        for all in [false, true] {
            let (mut buffer, mut lent) = (WriteBuffer::new(), WriteBuffer::new());
            buffer.extend_from_slice(b"abc");
            buffer.link_frames(Bytes::from_static(&[7; 1000]), 400, 400, true);
            buffer.extend_from_slice(b"de");
            assert_eq!((buffer.len(), buffer.own_len()), (1005, 5));
            if all {
                buffer.lend_all(&mut lent, 0);
            } else {
                buffer.lend(&mut lent);
            }
            assert_eq!((buffer.len(), buffer.own_len()), (1005, 5));
            let count = lent.len();
            assert!(count > 400, "{count}");
            buffer.consume(count);
            lent.consume(count);
            assert_eq!(buffer.own_len(), buffer.len().min(2));
            buffer.extend_from_slice(b"f");
            assert_eq!(buffer.own_len(), buffer.len().min(3));
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn bytes_moved_to_another_buffer_wait_until_both_buffers_consume_them() {
        for count in 0..=16 {
            let (mut buffer, mut lent) = (mixed(), WriteBuffer::new());
            buffer.consume(1);
            buffer.lend_all(&mut lent, 5);
            buffer.extend_from_slice(b"jk");
            assert_eq!(
                (contents(&lent).as_slice(), contents(&buffer).as_slice()),
                (&b"bcdefghi"[..], &b"jk"[..])
            );
            assert_eq!(buffer.len(), 15);
            buffer.consume(count);
            assert_eq!(buffer.len(), 15_usize.saturating_sub(count));
            assert_eq!(buffer.is_empty(), count >= 15);
            let rest = &b"jk"[count.saturating_sub(13).min(2)..];
            assert_eq!(contents(&buffer), rest, "{count}");
        }
        let (mut buffer, mut lent) = (WriteBuffer::new(), WriteBuffer::new());
        buffer.lend(&mut lent);
        assert!(lent.is_empty());
        buffer.extend_from_slice(b"ab");
        buffer.lend(&mut lent);
        buffer.consume(2);
        lent.consume(2);
        buffer.take_back(&mut lent);
        assert!(buffer.capacity() > 0 && lent.capacity() == 0);
    }

    #[test]
    fn exchanging_memory_keeps_the_copied_bytes() {
        for consumed in 0..=9 {
            for capacity in [0, 100] {
                let mut buffer = mixed();
                buffer.consume(consumed);
                let before = buffer.capacity();
                let memory = buffer.exchange_memory(alloc::vec![7; capacity]);
                assert_eq!((memory.len(), memory.capacity()), (0, before));
                assert!(buffer.capacity() >= capacity);
                buffer.extend_from_slice(b"jk");
                assert_eq!(contents(&buffer), &b"abcdefghijk"[consumed..]);
            }
        }
    }

    #[test]
    fn keeps_large_memory_if_asked_to() {
        let large = [1; RETAINED + 1];
        let mut buffer = WriteBuffer::new();
        buffer.extend_from_slice(&large);
        buffer.consume_keeping_memory(usize::MAX);
        assert!(buffer.is_empty() && buffer.capacity() > RETAINED);
        buffer.extend_from_slice(&large);
        buffer.consume(usize::MAX);
        assert_eq!(buffer.capacity(), 0);
    }

    #[test]
    fn a_queue_that_is_never_empty_does_not_grow() {
        for waiting in [1000, 50_000, 1 << 20] {
            for by_connection in [false, true] {
                let mut buffer = WriteBuffer::new();
                buffer.extend_from_slice(&alloc::vec![0; waiting]);
                for _ in 0..10_000 {
                    if by_connection {
                        buffer.begin_frame(1000, 1 << 16);
                        buffer.make_room(1016);
                        buffer.extend_behind(1, 0, &[1; 1000]);
                    } else {
                        buffer.extend_from_slice(&[1; 1000]);
                    }
                    buffer.link(Bytes::from_static(b"link"));
                    buffer.consume(1004);
                }
                assert_eq!(buffer.len(), waiting);
                assert!(buffer.capacity() < 4 * waiting + 8 * RETAINED, "{waiting}: {buffer:?}");
                buffer.consume(usize::MAX);
                assert!(buffer.is_empty() && buffer.capacity() <= RETAINED);
            }
        }
    }

    #[test]
    fn partial_writes_do_not_move_the_rest() {
        let mut buffer = WriteBuffer::new();
        buffer.extend_from_slice(&alloc::vec![0; 1 << 20]);
        let mut moves = 0;
        while buffer.len() > RETAINED {
            let behind = buffer.front()[RETAINED..].as_ptr();
            buffer.consume(RETAINED);
            moves += usize::from(buffer.front().as_ptr() != behind);
        }
        assert!(moves <= 1, "{moves}");
    }
}
