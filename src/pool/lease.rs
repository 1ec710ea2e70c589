//! A slot for a buffer, which holds one only while the buffer contains bytes.

use super::{Lent, Pooled, ThreadMemory, permit::LargeMemoryPermit};
use crate::buffer::{Memory, READ_ROOM, RETAINED, ReadBuffer, WriteBuffer};
use alloc::boxed::Box;
use core::borrow::{Borrow, BorrowMut};
use core::ops::{Deref, DerefMut};

/// A slot that holds a buffer only while the buffer contains bytes. The first write leases a buffer
/// from the pool of the thread, and [`give_back`](Self::give_back) releases it. Without a buffer,
/// the slot reads as an empty one.
#[derive(Debug)]
pub struct Leased<B: Pooled>(Option<Box<Lent<B>>>);

/// The bytes of a message that must have arrived before its connection can get a
/// [`LargeMemoryPermit`].
const PERMIT_FROM: usize = READ_ROOM / 2;

impl<B: Pooled> Leased<B> {
    /// Creates a slot without a buffer.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Returns `true` if the slot holds no buffer.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Releases the buffer to the pool of the thread, if it is empty. Returns `true` if the slot
    /// holds no buffer now.
    ///
    /// If a connection reads from the buffer, call
    /// [`unbind`](crate::connection::Receiver::unbind) on the connection first.
    pub fn give_back(&mut self) -> bool {
        if let Some(lent) = self.0.take_if(|lent| lent.buffer.is_unused()) {
            // While the thread exits there is no pool. The memory is then freed.
            let _ = B::pool().try_with(|pool| pool.put(lent));
        }
        self.0.is_none()
    }

    /// Exchanges the buffer's memory for a piece of at least `least` bytes, if the pool has one.
    #[cold]
    fn enlarge(&mut self, least: usize) {
        // This may take a buffer from the pool, so it must come before the pool is borrowed.
        let buffer: &mut B = self;
        let _ = B::pool().try_with(|pool| pool.exchange_memory(buffer, least));
    }
}

impl Leased<ReadBuffer> {
    /// Returns room for one read: at least one byte.
    ///
    /// While the frame in progress needs no more, the room is at most 20 KiB: reads that go far
    /// past the processor's first-level cache slow down small messages.
    ///
    /// If the frame needs more than the buffer can hold, the buffer may lease large memory from the
    /// pool, so that it need not grow in steps. This happens only once 10 KiB have arrived, and for
    /// at most 16 buffers of the process at a time. Peers that announce much and send little
    /// therefore take no more memory than that.
    #[inline]
    pub fn room(&mut self) -> &mut [u8] {
        let most = self.prepare_read();
        let buffer: &mut ReadBuffer = self;
        let room = buffer.spare(1);
        let most = most.min(room.len());
        &mut room[..most]
    }

    /// Prepares memory for the next read, and returns the maximum number of bytes to read.
    #[inline]
    fn prepare_read(&mut self) -> usize {
        let Lent { buffer, permit } = &mut **self.0.get_or_insert_with(lease);
        // Usually no frame is in progress, and the buffer has memory.
        if permit.is_none() && buffer.capacity() >= READ_ROOM && buffer.wanted() == 0 {
            return READ_ROOM;
        }
        self.prepare_read_of_frame()
    }

    #[inline(never)]
    fn prepare_read_of_frame(&mut self) -> usize {
        self.settle();
        let lacking = lacking(self);
        if lacking > READ_ROOM && self.occupied() >= PERMIT_FROM {
            if let Some(permit) = LargeMemoryPermit::take() {
                self.enlarge(lacking);
                if let Some(lent) = &mut self.0 {
                    if lent.buffer.capacity() >= lacking {
                        lent.permit = Some(permit);
                    }
                }
            }
        }
        // Reads that go far past the processor's first-level cache slow down small messages.
        if self.wanted() > READ_ROOM as u64 { usize::MAX } else { READ_ROOM }
    }

    /// Restores the buffer after a message has left with its memory. A buffer without memory gets
    /// memory for reads. A buffer whose memory is no larger than its contents justify gives up its
    /// permit.
    fn settle(&mut self) {
        let Some(lent) = &mut self.0 else { return };
        let Lent { buffer, permit } = &mut **lent;
        if buffer.capacity() <= RETAINED.max(2 * buffer.occupied()) {
            *permit = None;
        }
        if buffer.is_drained() && buffer.capacity() < READ_ROOM {
            let _ = buffer.put_memory(ThreadMemory.take(READ_ROOM));
        }
    }
}

impl Leased<WriteBuffer> {
    /// Leases memory for `count` more bytes, if they need large memory and the pool has it.
    #[inline]
    pub fn reserve(&mut self, count: usize) {
        let needed = self.capacity_for(count);
        if needed > RETAINED && needed > self.capacity() {
            self.enlarge(needed);
        }
    }

    /// Works like [`WriteBuffer::consume`], but keeps large memory, because it belongs to the pool.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        let buffer: &mut WriteBuffer = self;
        buffer.consume_keeping_memory(count);
    }
}

/// Creates a slot without a buffer, as [`none`](Leased::none) does.
impl<B: Pooled> Default for Leased<B> {
    fn default() -> Self {
        Self::none()
    }
}

impl<B: Pooled> Deref for Leased<B> {
    type Target = B;

    #[inline]
    fn deref(&self) -> &B {
        self.0.as_deref().map_or(B::EMPTY, |lent| &lent.buffer)
    }
}

impl<B: Pooled> Borrow<B> for Leased<B> {
    #[inline]
    fn borrow(&self) -> &B {
        self
    }
}

impl<B: Pooled> BorrowMut<B> for Leased<B> {
    #[inline]
    fn borrow_mut(&mut self) -> &mut B {
        self
    }
}

impl<B: Pooled> DerefMut for Leased<B> {
    #[inline]
    fn deref_mut(&mut self) -> &mut B {
        &mut self.0.get_or_insert_with(lease).buffer
    }
}

/// A separate function, so that the common path, a slot that holds a buffer, can be inlined.
#[inline(never)]
fn lease<B: Pooled>() -> Box<Lent<B>> {
    let pooled = B::pool().try_with(|pool| pool.take()).ok().flatten();
    pooled.unwrap_or_else(|| Box::new(B::fresh().into()))
}

/// Creates a slot that holds `buffer`, or none if `buffer` is empty.
impl<B: Pooled> From<B> for Leased<B> {
    fn from(buffer: B) -> Self {
        Self((!buffer.is_unused()).then(|| Box::new(buffer.into())))
    }
}

/// Returns how many bytes of memory the frame in progress needs, or 0 if the buffer has enough.
fn lacking(buffer: &ReadBuffer) -> usize {
    let wanted = usize::try_from(buffer.wanted()).unwrap_or(usize::MAX);
    let needed = buffer.occupied().saturating_add(wanted);
    if wanted > 0 && needed > buffer.capacity() { needed } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::super::{
        permit::PERMITS,
        tests::{drain, filled, kept_sizes, put},
    };
    use super::*;
    use alloc::vec::Vec;
    use core::mem;
    use std::sync::{Mutex, PoisonError};

    /// Serializes the tests that take permits, because all threads share the permits.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    #[test]
    fn a_slot_without_a_buffer_reads_as_empty_and_takes_no_memory() {
        let (mut input, mut output) = (Leased::<ReadBuffer>::none(), Leased::<WriteBuffer>::none());
        assert!(input.unread().is_empty() && output.front().is_empty());
        assert_eq!((input.capacity(), output.capacity()), (0, 0));
        assert_eq!(input.prepare_read(), READ_ROOM);
        assert!(input.give_back() && output.give_back());
        assert_eq!(size_of::<Leased<ReadBuffer>>(), size_of::<usize>());
    }

    #[test]
    fn a_large_message_leases_memory_from_the_pool() {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mut large = filled(500_000);
        let capacity = large.capacity();
        let mut next = filled(100);
        drain(&mut large);
        next.keep(60);
        next.set_wanted(400_000);
        assert_eq!(next.prepare_read(), usize::MAX);
        assert_eq!(next.capacity(), READ_ROOM, "few bytes have arrived");
        next.extend_from_slice(&[7; PERMIT_FROM]);
        next.prepare_read();
        assert_eq!(
            (next.capacity(), next.kept(), next.unread()),
            (capacity, &[7; 60][..], &[7; PERMIT_FROM + 40][..])
        );
        assert_eq!(kept_sizes(), [READ_ROOM], "its old memory is in the pool");
        next.set_wanted(capacity as u64);
        next.prepare_read();
        assert_eq!(next.capacity(), capacity, "the pool has no larger buffer");
        next.set_wanted(10);
        assert_eq!(next.prepare_read(), READ_ROOM);
    }

    #[test]
    fn large_memory_is_leased_neither_for_few_bytes_nor_to_many_connections() {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let refill = || put(500_000);
        refill();
        assert_eq!(filled(1).capacity(), READ_ROOM);
        let mut with_permit = Vec::new();
        for _ in 0..2 * PERMITS {
            refill();
            let mut buffer = filled(PERMIT_FROM);
            buffer.set_wanted(400_000);
            buffer.prepare_read();
            with_permit.push(buffer);
        }
        let count = |of: &[Leased<ReadBuffer>]| {
            of.iter().filter(|buffer| buffer.capacity() > READ_ROOM).count()
        };
        assert_eq!(count(&with_permit), PERMITS);
        // A buffer that is released, dropped, or gives its memory away with a message makes room
        // for another.
        for how in 0..3 {
            let place =
                with_permit.iter().position(|buffer| buffer.capacity() > READ_ROOM).unwrap();
            let mut buffer = with_permit.swap_remove(place);
            match how {
                0 => drain(&mut buffer),
                1 => drop(mem::take(&mut buffer)),
                _ => {
                    buffer.extend_from_slice(&[7; 300_000]);
                    buffer.keep(usize::MAX);
                    buffer.take_kept(&ThreadMemory);
                    buffer.prepare_read();
                }
            }
            refill();
            let another = with_permit.iter_mut().find(|buffer| buffer.capacity() == READ_ROOM);
            another.unwrap().prepare_read();
            assert_eq!(count(&with_permit), PERMITS, "{how}");
        }
    }

    #[test]
    fn a_pooled_buffer_forgets_what_its_last_user_wanted() {
        let mut one = filled(1);
        one.skip(1);
        one.set_wanted(1 << 20);
        assert!(one.give_back());
        let mut next = filled(1);
        assert_eq!(next.prepare_read(), READ_ROOM);
        assert_eq!(next.spare(1).len(), READ_ROOM - 1);
    }

    #[test]
    fn memory_that_left_with_a_message_returns_when_the_message_is_dropped() {
        let mut buffer = filled(300_000);
        let (place, capacity) = (buffer.unread().as_ptr(), buffer.capacity());
        buffer.keep(299_990);
        let message = buffer.take_kept(&ThreadMemory);
        assert_eq!((message.as_ptr(), message.len()), (place, 299_990));
        assert_eq!((buffer.unread(), buffer.capacity()), (&[7; 10][..], READ_ROOM));
        drain(&mut buffer);
        assert_eq!(kept_sizes(), [READ_ROOM]);
        drop(message);
        assert_eq!(kept_sizes(), [READ_ROOM, capacity]);

        let mut small = filled(READ_ROOM);
        small.keep(READ_ROOM);
        let message = small.take_kept(&ThreadMemory);
        assert_eq!(kept_sizes(), [capacity]);
        small.prepare_read();
        assert_eq!(small.spare(1).len(), READ_ROOM);
        drop(message);
        assert_eq!(kept_sizes(), [READ_ROOM, capacity]);
    }

    #[test]
    fn queued_bytes_move_into_large_memory() {
        let mut large = Leased::<WriteBuffer>::none();
        large.extend_from_slice(&alloc::vec![1; 300_000]);
        let capacity = large.capacity();
        let mut output = Leased::<WriteBuffer>::none();
        output.extend_from_slice(b"abc");
        large.consume(usize::MAX);
        assert!(large.give_back());
        output.reserve(RETAINED - 3);
        assert!(output.capacity() < capacity);
        output.reserve(200_000);
        assert_eq!((output.capacity(), output.front()), (capacity, &b"abc"[..]));
        output.consume(3);
        assert_eq!(output.capacity(), capacity, "large memory stays until it is released");
        // A small buffer now lies above the large one in the pool.
        let mut small = Leased::<WriteBuffer>::none();
        small.extend_from_slice(b"a");
        small.consume(1);
        assert!(output.give_back() && small.give_back());
        let mut next = Leased::<WriteBuffer>::none();
        next.reserve(200_000);
        assert_eq!(next.capacity(), capacity);

        // Linked bytes need no memory.
        assert!(next.give_back());
        let mut linked = Leased::<WriteBuffer>::none();
        linked.link(bytes::Bytes::from_static(&[0; 200_000]));
        linked.reserve(100);
        assert!(linked.capacity() < capacity);
    }
}
