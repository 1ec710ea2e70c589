//! Buffers that the connections of a thread lend each other, so that an idle one holds none.

use super::{READ_ROOM, RETAINED, ReadBuffer, WriteBuffer};
use alloc::{boxed::Box, vec::Vec};
use bytes::Bytes;
use core::{
    cell::{Cell, RefCell},
    mem,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicUsize, Ordering},
};
use std::{thread::LocalKey, thread_local};

/// A buffer that is there while something is in it: it comes from the pool when it is first written
/// to, and is given back when its user waits with nothing in it. Without one it reads as empty.
#[derive(Debug)]
pub(crate) struct Leased<B: Pooled>(Option<Box<B>>);

/// The buffers of one kind that a thread keeps; the one that came last goes first.
pub(crate) struct Pool<B> {
    kept: RefCell<Vec<Box<B>>>,
    /// Whether the thread has taken one: only then will it take another.
    is_used: Cell<bool>,
}

/// Memory that was given away with a message. It comes back to the pool of whichever thread drops
/// the message, if that one reads too: to make large memory anew takes longer than to fill it.
struct GivenAway(Vec<u8>);

/// The right to large memory for what a peer has only promised. Few have it at a time, in all
/// threads, so that many that promise and do not send take no more than those.
#[derive(Debug)]
pub(super) struct Promise(());

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
    fn exchange_memory(&mut self, unused: &mut Self);
}

/// How many buffers of each kind a thread keeps: as many connections as are busy at once, which
/// between two waits is one, and some that wait amid a message.
const KEPT: usize = 16;

/// How many of them may be large, and how large at most: for a message of 1 MiB and a bit.
const KEPT_LARGE: usize = 2;
const LARGEST: usize = (1 << 20) + 4096;

/// How many have a [`Promise`] at a time, and how much must have come for one.
const PROMISES: usize = 16;
const PROMISE_FROM: usize = READ_ROOM / 2;

thread_local! {
    static FOR_READS: Pool<ReadBuffer> = const { Pool::new() };
    static FOR_WRITES: Pool<WriteBuffer> = const { Pool::new() };
}

impl<B: Pooled> Leased<B> {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Gives it back if nothing is in it; whether there is none now.
    pub(crate) fn give_back(&mut self) -> bool {
        if let Some(buffer) = self.0.take_if(|buffer| buffer.is_unused()) {
            // While the thread ends there is no pool: the memory is freed then.
            let _ = B::pool().try_with(|pool| pool.put(buffer));
        }
        self.0.is_none()
    }

    /// Exchanges its memory for some of at least so many bytes, if the pool has it.
    #[cold]
    fn enlarge(&mut self, least: usize) {
        // Before the pool is borrowed, since this may take one from it.
        let buffer: &mut B = self;
        let _ = B::pool().try_with(|pool| {
            let mut kept = pool.kept.borrow_mut();
            let places = (0..kept.len()).filter(|&place| kept[place].capacity() >= least);
            if let Some(place) = places.min_by_key(|&place| kept[place].capacity()) {
                buffer.exchange_memory(&mut kept[place]);
                if kept[place].capacity() < B::LEAST {
                    kept.swap_remove(place);
                }
            }
        });
    }
}

impl Leased<ReadBuffer> {
    /// Takes memory for what the frame in progress needs, if that is more than there is and the
    /// pool has it: it need not grow by steps then. Says how much to read at most.
    #[inline]
    pub(crate) fn prepare_read(&mut self) -> usize {
        let buffer: &mut ReadBuffer = self;
        // Mostly no frame is in progress, and there is memory.
        if buffer.capacity() >= READ_ROOM && !buffer.wants_more_than(0) {
            return READ_ROOM;
        }
        self.prepare_read_of_frame()
    }

    fn prepare_read_of_frame(&mut self) -> usize {
        // Its memory was given away with a message.
        if self.is_drained() && self.capacity() < READ_ROOM {
            self.0 = None;
        }
        let lacking = self.lacking();
        if lacking > READ_ROOM && self.live_len() >= PROMISE_FROM {
            if let Some(promise) = Promise::take() {
                self.enlarge(lacking);
                if self.capacity() >= lacking {
                    self.note_promise(promise);
                }
            }
        }
        // Reads that go far past the processor's first cache make small messages slower.
        if self.wants_more_than(READ_ROOM) { usize::MAX } else { READ_ROOM }
    }
}

impl Leased<WriteBuffer> {
    /// Takes memory for so many bytes more, if they are many and the pool has it.
    #[inline]
    pub(crate) fn reserve(&mut self, count: usize) {
        let needed = self.len() + count;
        if needed > RETAINED && needed > self.capacity() {
            self.enlarge(needed);
        }
    }
}

impl<B: Pooled> Deref for Leased<B> {
    type Target = B;

    #[inline]
    fn deref(&self) -> &B {
        self.0.as_deref().unwrap_or(B::EMPTY)
    }
}

impl<B: Pooled> DerefMut for Leased<B> {
    #[inline]
    fn deref_mut(&mut self) -> &mut B {
        self.0.get_or_insert_with(lease)
    }
}

/// Apart, so that whoever has one already is inlined.
#[inline(never)]
fn lease<B: Pooled>() -> Box<B> {
    let pooled = B::pool().try_with(Pool::take).ok().flatten();
    pooled.unwrap_or_else(|| Box::new(B::fresh()))
}

/// With what is in it.
impl<B: Pooled> From<B> for Leased<B> {
    fn from(buffer: B) -> Self {
        Self((!buffer.is_unused()).then(|| Box::new(buffer)))
    }
}

impl Pooled for ReadBuffer {
    const EMPTY: &'static Self = &Self::NEVER_USED;
    const LEAST: usize = READ_ROOM;

    fn pool() -> &'static LocalKey<Pool<Self>> {
        &FOR_READS
    }

    fn fresh() -> Self {
        Self::with_pooled_storage(alloc::vec![0; READ_ROOM])
    }

    fn is_unused(&self) -> bool {
        self.is_drained()
    }

    fn forget(&mut self) {
        self.forget();
    }

    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn exchange_memory(&mut self, unused: &mut Self) {
        self.exchange_memory(unused);
    }
}

impl Pooled for WriteBuffer {
    const EMPTY: &'static Self = &Self::NEVER_USED;
    const LEAST: usize = 1;

    fn pool() -> &'static LocalKey<Pool<Self>> {
        &FOR_WRITES
    }

    fn fresh() -> Self {
        Self::keeping_memory()
    }

    fn is_unused(&self) -> bool {
        self.is_empty()
    }

    fn forget(&mut self) {}

    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn exchange_memory(&mut self, unused: &mut Self) {
        self.exchange_memory(unused);
    }
}

impl<B: Pooled> Pool<B> {
    const fn new() -> Self {
        Self { kept: RefCell::new(Vec::new()), is_used: Cell::new(false) }
    }

    /// None that is large: a connection that waits amid a few bytes would hold it.
    fn take(&self) -> Option<Box<B>> {
        self.is_used.set(true);
        let mut kept = self.kept.borrow_mut();
        // Mostly it is the last.
        if kept.last()?.capacity() <= RETAINED {
            return kept.pop();
        }
        let place = kept.iter().rposition(|buffer| buffer.capacity() <= RETAINED)?;
        Some(kept.remove(place))
    }

    fn put(&self, mut buffer: Box<B>) {
        buffer.forget();
        let mut kept = self.kept.borrow_mut();
        let capacity = buffer.capacity();
        if !(B::LEAST..=LARGEST).contains(&capacity) {
            return;
        }
        if capacity > RETAINED {
            let large = || kept.iter().filter(|other| other.capacity() > RETAINED).count();
            if large() >= KEPT_LARGE {
                // The larger ones stay: the steps by which one grew don't take its place.
                let others = kept.iter_mut().filter(|other| other.capacity() > RETAINED);
                if let Some(smallest) = others.min_by_key(|other| other.capacity()) {
                    if smallest.capacity() < capacity {
                        mem::swap(smallest, &mut buffer);
                    }
                }
                return;
            }
        }
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    }
}

/// A message in memory that comes back to the pool.
pub(super) fn give_away(storage: Vec<u8>) -> Bytes {
    Bytes::from_owner(GivenAway(storage))
}

/// Memory for at least so many bytes, which came behind a message that was given away.
pub(super) fn small_memory(least: usize) -> Vec<u8> {
    if least > READ_ROOM {
        return alloc::vec![0; least];
    }
    let pooled = FOR_READS.try_with(Pool::take).ok().flatten().and_then(|mut buffer| buffer.take());
    pooled.unwrap_or_else(|| alloc::vec![0; READ_ROOM])
}

impl AsRef<[u8]> for GivenAway {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for GivenAway {
    fn drop(&mut self) {
        let storage = mem::take(&mut self.0);
        let _ = FOR_READS.try_with(|pool| {
            if pool.is_used.get() {
                pool.put(Box::new(ReadBuffer::with_pooled_storage(storage)));
            }
        });
    }
}

static PROMISED: AtomicUsize = AtomicUsize::new(0);

impl Promise {
    fn take() -> Option<Self> {
        let more = |promised| (promised < PROMISES).then_some(promised + 1);
        PROMISED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(()))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        PROMISED.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, PoisonError};

    /// For those that take promises, which are those of all threads.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    fn filled(count: usize) -> Leased<ReadBuffer> {
        let mut buffer = Leased::<ReadBuffer>::none();
        buffer.extend_from_slice(&alloc::vec![7; count]);
        buffer
    }

    fn drain(buffer: &mut Leased<ReadBuffer>) {
        buffer.skip(usize::MAX);
        assert!(buffer.give_back());
    }

    fn kept_sizes() -> Vec<usize> {
        let mut sizes: Vec<_> = FOR_READS
            .with(|pool| pool.kept.borrow().iter().map(|other| other.capacity()).collect());
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn what_is_not_there_reads_as_empty_and_takes_no_memory() {
        let (mut input, mut output) = (Leased::<ReadBuffer>::none(), Leased::<WriteBuffer>::none());
        assert!(input.unread().is_empty() && output.front().is_empty());
        assert_eq!((input.capacity(), output.capacity()), (0, 0));
        assert_eq!(input.prepare_read(), READ_ROOM);
        assert!(input.give_back() && output.give_back());
        assert_eq!(size_of::<Leased<ReadBuffer>>(), size_of::<usize>());
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
    fn memory_of_the_pool_is_put_under_a_large_message() {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mut large = filled(500_000);
        let capacity = large.capacity();
        let mut next = filled(100);
        drain(&mut large);
        next.keep(60);
        next.set_wanted(400_000);
        assert_eq!(next.prepare_read(), usize::MAX);
        assert_eq!(next.capacity(), READ_ROOM, "little has come of it");
        next.extend_from_slice(&[7; PROMISE_FROM]);
        next.prepare_read();
        assert_eq!(
            (next.capacity(), next.kept(), next.unread()),
            (capacity, &[7; 60][..], &[7; PROMISE_FROM + 40][..])
        );
        assert_eq!(kept_sizes(), [READ_ROOM], "what it had is there for another");
        next.set_wanted(capacity as u64);
        next.prepare_read();
        assert_eq!(next.capacity(), capacity, "there is no larger one");
        next.set_wanted(10);
        assert_eq!(next.prepare_read(), READ_ROOM);
    }

    #[test]
    fn a_large_one_is_not_lent_for_little_nor_to_many_that_promise_much() {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let refill = || {
            let buffer = ReadBuffer::with_storage(alloc::vec![0; 500_000]);
            FOR_READS.with(|pool| pool.put(Box::new(buffer)));
        };
        refill();
        assert_eq!(filled(1).capacity(), READ_ROOM);
        let mut promising = Vec::new();
        for _ in 0..2 * PROMISES {
            refill();
            let mut buffer = filled(PROMISE_FROM);
            buffer.set_wanted(400_000);
            buffer.prepare_read();
            promising.push(buffer);
        }
        let count = |of: &[Leased<ReadBuffer>]| {
            of.iter().filter(|buffer| buffer.capacity() > READ_ROOM).count()
        };
        assert_eq!(count(&promising), PROMISES);
        // One that is given back, dropped, or gives its memory away with a message lets another.
        for how in 0..3 {
            let place = promising.iter().position(|buffer| buffer.capacity() > READ_ROOM).unwrap();
            let mut buffer = promising.swap_remove(place);
            match how {
                0 => drain(&mut buffer),
                1 => drop(mem::replace(&mut buffer, Leased::none())),
                _ => {
                    buffer.extend_from_slice(&[7; 300_000]);
                    buffer.keep(usize::MAX);
                    buffer.take_kept();
                }
            }
            refill();
            let another = promising.iter_mut().find(|buffer| buffer.capacity() == READ_ROOM);
            another.unwrap().prepare_read();
            assert_eq!(count(&promising), PROMISES, "{how}");
        }
    }

    #[test]
    fn what_one_wanted_is_nothing_to_the_next() {
        let mut one = filled(1);
        one.skip(1);
        one.set_wanted(1 << 20);
        assert!(one.give_back());
        let mut next = filled(1);
        assert_eq!(next.prepare_read(), READ_ROOM);
        assert_eq!(next.spare(1).len(), READ_ROOM - 1);
    }

    #[test]
    fn of_large_ones_the_larger_stay_up_to_a_limit() {
        let put = |size| {
            let buffer = ReadBuffer::with_storage(alloc::vec![0; size]);
            FOR_READS.with(|pool| pool.put(Box::new(buffer)));
        };
        for size in [100_000, 90_000, 80_000, LARGEST + 1, LARGEST, RETAINED, READ_ROOM - 1] {
            put(size);
        }
        assert_eq!(kept_sizes(), [RETAINED, 100_000, LARGEST]);
    }

    #[test]
    fn memory_that_left_with_a_message_comes_back_once_it_is_dropped() {
        let mut buffer = filled(300_000);
        let (place, capacity) = (buffer.unread().as_ptr(), buffer.capacity());
        buffer.keep(299_990);
        let message = buffer.take_kept();
        assert_eq!((message.as_ptr(), message.len()), (place, 299_990));
        assert_eq!((buffer.unread(), buffer.capacity()), (&[7; 10][..], READ_ROOM));
        drain(&mut buffer);
        assert_eq!(kept_sizes(), [READ_ROOM]);
        drop(message);
        assert_eq!(kept_sizes(), [READ_ROOM, capacity]);

        let mut small = filled(READ_ROOM);
        small.keep(READ_ROOM);
        let message = small.take_kept();
        assert_eq!(kept_sizes(), [capacity]);
        small.prepare_read();
        assert_eq!(small.spare(1).len(), READ_ROOM);
        drop(message);
        assert_eq!(kept_sizes(), [READ_ROOM, capacity]);
    }

    #[test]
    fn a_thread_that_does_not_read_keeps_no_memory_of_messages() {
        let mut buffer = filled(100_000);
        buffer.keep(100_000);
        let message = buffer.take_kept();
        let kept = std::thread::spawn(|| {
            drop(message);
            kept_sizes()
        });
        assert_eq!(kept.join().unwrap(), []);
    }

    #[test]
    fn what_is_queued_moves_into_large_memory() {
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
        assert_eq!(output.capacity(), capacity, "it stays until it is given back");
        // A small one lies above it in the pool.
        let mut small = Leased::<WriteBuffer>::none();
        small.extend_from_slice(b"a");
        small.consume(1);
        assert!(output.give_back() && small.give_back());
        let mut next = Leased::<WriteBuffer>::none();
        next.reserve(200_000);
        assert_eq!(next.capacity(), capacity);
    }
}
