//! Buffers that the connections of a thread lend each other, so that an idle one holds none.

mod lease;
mod promise;

pub(crate) use self::lease::Leased;
use self::promise::Promise;
use crate::buffer::{Memory, READ_ROOM, RETAINED, ReadBuffer, WriteBuffer};
use alloc::{boxed::Box, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    mem,
};
use std::{thread::LocalKey, thread_local};

/// The buffers of one kind that a thread keeps; the one that came last goes first.
pub(crate) struct Pool<B> {
    kept: RefCell<Vec<Box<Lent<B>>>>,
    /// Whether the thread has taken one: only then will it take another.
    is_used: Cell<bool>,
}

/// A buffer, with what its lease knows of it.
#[derive(Debug)]
pub(crate) struct Lent<B> {
    buffer: B,
    /// While its memory is more than what came would have made it grow to.
    promise: Option<Promise>,
}

/// The memory of messages that leave: it comes from the pool of the thread that reads, and goes to
/// that of whichever thread drops the message, if that one reads too. To make large memory anew takes
/// longer than to fill it.
#[derive(Clone, Copy)]
struct PoolOfThread;

/// A kind of buffer.
pub(crate) trait Pooled: Sized + 'static {
    const EMPTY: &'static Self;
    /// With less memory than this one is not kept.
    const LEAST: usize;
    fn pool() -> &'static LocalKey<Pool<Self>>;
    /// One that nobody has used yet.
    fn fresh() -> Self;
    fn is_unused(&self) -> bool;
    /// Drops what an unused one knows of its user.
    fn forget(&mut self);
    fn capacity(&self) -> usize;
    /// Goes on in the memory of an unused one, which gets that of this one.
    fn exchange_memory_with(&mut self, unused: &mut Self);
}

/// How many buffers of each kind a thread keeps: as many connections as are busy at once, which
/// between two waits is one, and some that wait amid a message.
const KEPT: usize = 16;

/// How many of them may be large, and how large at most: for a message of 1 MiB and a bit.
const KEPT_LARGE: usize = 2;
const LARGEST: usize = (1 << 20) + 4096;

thread_local! {
    static FOR_READS: Pool<ReadBuffer> = const { Pool::new() };
    static FOR_WRITES: Pool<WriteBuffer> = const { Pool::new() };
}

impl<B: Pooled> Pool<B> {
    const fn new() -> Self {
        Self { kept: RefCell::new(Vec::new()), is_used: Cell::new(false) }
    }

    /// None that is large: a connection that waits amid a few bytes would hold it.
    fn take(&self) -> Option<Box<Lent<B>>> {
        self.is_used.set(true);
        let mut kept = self.kept.borrow_mut();
        // Mostly it is the last.
        if kept.last()?.buffer.capacity() <= RETAINED {
            return kept.pop();
        }
        let place = kept.iter().rposition(|lent| lent.buffer.capacity() <= RETAINED)?;
        Some(kept.remove(place))
    }

    fn put(&self, mut lent: Box<Lent<B>>) {
        lent.buffer.forget();
        lent.promise = None;
        let mut kept = self.kept.borrow_mut();
        let capacity = lent.buffer.capacity();
        if !(B::LEAST..=LARGEST).contains(&capacity) {
            return;
        }
        if capacity > RETAINED {
            let is_large = |other: &Lent<B>| other.buffer.capacity() > RETAINED;
            if kept.iter().filter(|other| is_large(other)).count() >= KEPT_LARGE {
                // The larger ones stay: the steps by which one grew don't take its place.
                let others = kept.iter_mut().filter(|other| is_large(other));
                if let Some(smallest) = others.min_by_key(|other| other.buffer.capacity()) {
                    if smallest.buffer.capacity() < capacity {
                        mem::swap(smallest, &mut lent);
                    }
                }
                return;
            }
        }
        if kept.len() < KEPT {
            kept.push(lent);
        }
    }

    /// Exchanges the memory of a buffer for the least of at least so many bytes, if there is any.
    fn exchange_memory(&self, buffer: &mut B, least: usize) {
        let mut kept = self.kept.borrow_mut();
        let places = (0..kept.len()).filter(|&place| kept[place].buffer.capacity() >= least);
        if let Some(place) = places.min_by_key(|&place| kept[place].buffer.capacity()) {
            let unused = &mut kept[place].buffer;
            buffer.exchange_memory_with(unused);
            if unused.capacity() < B::LEAST {
                kept.swap_remove(place);
            }
        }
    }
}

impl Memory for PoolOfThread {
    fn take(&self, least: usize) -> Vec<u8> {
        if least > READ_ROOM {
            return alloc::vec![0; least];
        }
        let pooled = FOR_READS.try_with(Pool::take).ok().flatten();
        let memory = pooled.and_then(|mut lent| lent.buffer.take());
        memory.unwrap_or_else(|| alloc::vec![0; READ_ROOM])
    }

    fn give_back(&self, memory: Vec<u8>) {
        let _ = FOR_READS.try_with(|pool| {
            if pool.is_used.get() {
                pool.put(Box::new(ReadBuffer::with_storage(memory).into()));
            }
        });
    }
}

impl<B> From<B> for Lent<B> {
    fn from(buffer: B) -> Self {
        Self { buffer, promise: None }
    }
}

impl Pooled for ReadBuffer {
    const EMPTY: &'static Self = &Self::NEVER_USED;
    const LEAST: usize = READ_ROOM;

    fn pool() -> &'static LocalKey<Pool<Self>> {
        &FOR_READS
    }

    fn fresh() -> Self {
        Self::with_storage(alloc::vec![0; READ_ROOM])
    }

    fn is_unused(&self) -> bool {
        self.is_drained()
    }

    fn forget(&mut self) {
        self.reset();
    }

    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn exchange_memory_with(&mut self, unused: &mut Self) {
        if let Some(memory) = unused.take() {
            let (Ok(other) | Err(other)) = self.exchange_memory(memory);
            // Nothing is in it, so it refuses none.
            let _ = unused.lease(other);
        }
    }
}

impl Pooled for WriteBuffer {
    const EMPTY: &'static Self = &Self::new();
    const LEAST: usize = 1;

    fn pool() -> &'static LocalKey<Pool<Self>> {
        &FOR_WRITES
    }

    fn fresh() -> Self {
        Self::new()
    }

    fn is_unused(&self) -> bool {
        self.is_empty()
    }

    fn forget(&mut self) {}

    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn exchange_memory_with(&mut self, unused: &mut Self) {
        if let Some(memory) = unused.take() {
            let _ = unused.lease(self.exchange_memory(memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn filled(count: usize) -> Leased<ReadBuffer> {
        let mut buffer = Leased::<ReadBuffer>::none();
        buffer.extend_from_slice(&alloc::vec![7; count]);
        buffer
    }

    pub(super) fn drain(buffer: &mut Leased<ReadBuffer>) {
        buffer.skip(usize::MAX);
        assert!(buffer.give_back());
    }

    /// Puts memory of so many bytes into the pool.
    pub(super) fn put(size: usize) {
        let buffer = ReadBuffer::with_storage(alloc::vec![0; size]);
        FOR_READS.with(|pool| pool.put(Box::new(buffer.into())));
    }

    pub(super) fn kept_sizes() -> Vec<usize> {
        let mut sizes: Vec<_> = FOR_READS
            .with(|pool| pool.kept.borrow().iter().map(|other| other.buffer.capacity()).collect());
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn a_buffer_comes_again_and_only_so_many_are_kept() {
        let mut first = filled(10);
        assert!(!first.give_back(), "something is in it");
        let place = first.unread().as_ptr();
        drain(&mut first);
        let again = filled(10);
        assert_eq!((again.unread().as_ptr(), again.capacity()), (place, READ_ROOM));
        let mut many: Vec<_> = (0..2 * KEPT).map(|_| filled(1)).collect();
        many.iter_mut().for_each(drain);
        assert_eq!(kept_sizes(), [READ_ROOM; KEPT]);
    }

    #[test]
    fn of_large_ones_the_larger_stay_up_to_a_limit() {
        for size in [100_000, 90_000, 80_000, LARGEST + 1, LARGEST, RETAINED, READ_ROOM - 1] {
            put(size);
        }
        assert_eq!(kept_sizes(), [RETAINED, 100_000, LARGEST]);
    }

    #[test]
    fn a_thread_that_does_not_read_keeps_no_memory_of_messages() {
        let mut buffer = filled(100_000);
        buffer.keep(100_000);
        let message = buffer.take_kept(&PoolOfThread);
        let kept = std::thread::spawn(|| {
            drop(message);
            kept_sizes()
        });
        assert_eq!(kept.join().unwrap(), []);
    }
}
