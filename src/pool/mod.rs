//! Buffers that the connections of a thread share, so that idle connections hold none.
//!
//! At any moment most connections of a server are idle. The buffers of the others contain bytes
//! only between a read and the write that follows. A [`Leased`] buffer has memory for just that
//! time: it leases a buffer from the pool of the thread when you first write to it, and you
//! [release](Leased::give_back) that buffer when the connection has to wait and the buffer is
//! empty. An empty `Leased` takes the space of a pointer. The next read reuses memory that is still
//! in the processor's cache.
//!
//! A pool keeps 16 buffers of each kind. Each has at most 64 KiB, except for two that may have
//! slightly more than 1 MiB. Large buffers are not leased for a few bytes: see [`Leased::room`] and
//! [`Leased::reserve`].
//!
//! The tokio shell does all this itself. The following example shows one turn of a connection in a
//! loop that does it by hand, over a non-blocking socket:
//!
//! ```
//! use sansocket::pool::Leased;
//! use sansocket::{Event, buffer::{ReadBuffer, WriteBuffer}, connection::{Connection, Next, Progress, Server}, transport::IoFailure};
//! use std::{io::{Read, Write}, net::{Shutdown, TcpStream}, time::Duration};
//!
//! /// Echoes the messages that have arrived. Returns `None` once you can drop the socket, else the
//! /// deadline for the next turn, if there is one.
//! fn turn(
//!     connection: &mut Connection<Server>,
//!     socket: &mut TcpStream,
//!     input: &mut Leased<ReadBuffer>,
//!     output: &mut Leased<WriteBuffer>,
//!     now: Duration,
//! ) -> Option<Option<Duration>> {
//!     loop {
//!         while connection.has_room(output)
//!             && connection.advance(input, output).is_ok_and(Progress::goes_on)
//!         {
//!             if let Some(Event::Binary(data)) = connection.event(input) {
//!                 // There is room, so this fails only if the connection is closing.
//!                 let _ = connection.send_binary(data, output);
//!             }
//!         }
//!         let Next::Wants(wants) = connection.next(output, || now) else { return None };
//!         let mut has_acted = false;
//!         if wants.write {
//!             let written = socket.write(output.front()).map_err(|error| (&error).into());
//!             has_acted |= written != Err(IoFailure::NotReady);
//!             connection.did_write(written, output);
//!         }
//!         if wants.shut_down_write {
//!             let ended = socket.shutdown(Shutdown::Write).map_err(|error| (&error).into());
//!             has_acted |= ended != Err(IoFailure::NotReady);
//!             connection.did_shut_down(ended);
//!         }
//!         if wants.read && connection.has_room(output) {
//!             let read = socket.read(input.room()).map_err(|error| (&error).into());
//!             input.filled(read.unwrap_or(0));
//!             has_acted |= read != Err(IoFailure::NotReady);
//!             connection.did_read(read);
//!         }
//!         if !has_acted {
//!             // The connection has to wait, so it releases its buffers.
//!             if connection.unbind(input) {
//!                 input.give_back();
//!             }
//!             output.give_back();
//!             return Some(wants.deadline);
//!         }
//!     }
//! }
//! # use sansocket::{Config, handshake::Negotiated};
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
//! # let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
//! # let mut socket = listener.accept().unwrap().0;
//! # socket.set_nonblocking(true).unwrap();
//! # let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
//! # let (mut input, mut output) = (Leased::none(), Leased::none());
//! # let mut take = |peer: &mut TcpStream, sends: &[u8], expected: &[u8]| {
//! #     peer.write_all(sends).unwrap();
//! #     let mut received = vec![0; expected.len()];
//! #     peer.set_nonblocking(true).unwrap();
//! #     let mut len = 0;
//! #     while len < received.len() {
//! #         turn(&mut connection, &mut socket, &mut input, &mut output, Duration::ZERO);
//! #         len += peer.read(&mut received[len..]).unwrap_or(0);
//! #     }
//! #     peer.set_nonblocking(false).unwrap();
//! #     turn(&mut connection, &mut socket, &mut input, &mut output, Duration::ZERO);
//! #     assert_eq!(received, expected);
//! #     (input.is_none(), output.is_none())
//! # };
//! # let frames = [0x82, 0x81, 0, 0, 0, 0, 9, 0x82, 0x81, 0, 0, 0];
//! # assert_eq!(take(&mut peer, &frames, &[0x82, 1, 9]), (false, true));
//! # let frames = [0, 7, 0x88, 0x80, 0, 0, 0, 0];
//! # assert_eq!(take(&mut peer, &frames, &[0x82, 1, 7, 0x88, 0]), (true, true));
//! ```

mod lease;
mod permit;

pub use self::lease::Leased;
use self::{permit::LargeMemoryPermit, sealed::Kind};
use crate::buffer::store::{LARGEST, STORE};
use crate::buffer::{Memory, READ_ROOM, RETAINED, ReadBuffer, WriteBuffer};
use alloc::{boxed::Box, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    mem,
};
use std::{thread::LocalKey, thread_local};

/// A kind of buffer that can be leased: [`ReadBuffer`] or [`WriteBuffer`].
pub trait Pooled: sealed::Kind {}

/// A source of memory for messages that take the memory of their read buffer with them. Pass it to
/// [`Connection::take_message_with`](crate::connection::Connection::take_message_with).
///
/// The memory comes from the pool of the thread that reads. When a message is dropped, its memory
/// goes to the pool of the thread that drops it, if that thread reads too. Otherwise, memory of
/// more than 64 KiB and up to 1 MiB goes to a store that all threads share, which keeps four
/// pieces.
///
/// Reuse pays off because large memory takes longer to allocate than to fill.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ThreadMemory;

/// The buffers of one kind that a thread keeps, last in, first out.
#[allow(unnameable_types, reason = "only the sealed trait names this type")]
#[derive(Debug)]
pub struct Pool<B> {
    kept: RefCell<Vec<Box<Lent<B>>>>,
    /// Whether the thread has ever taken a buffer. Only such a thread is expected to take another.
    is_used: Cell<bool>,
}

/// A buffer and the state of its lease.
#[derive(Debug)]
struct Lent<B> {
    buffer: B,
    /// Set while the buffer has more memory than it would have grown to for the bytes received.
    permit: Option<LargeMemoryPermit>,
}

/// How many buffers of each kind a thread keeps. Between two waits only one connection of a thread
/// is busy; the others allow for connections that wait in the middle of a message.
const KEPT: usize = 16;

/// How many of these buffers may be large.
const KEPT_LARGE: usize = 2;

thread_local! {
    static FOR_READS: Pool<ReadBuffer> = const { Pool::new() };
    static FOR_WRITES: Pool<WriteBuffer> = const { Pool::new() };
}

impl<B: Kind> Pool<B> {
    const fn new() -> Self {
        Self { kept: RefCell::new(Vec::new()), is_used: Cell::new(false) }
    }

    /// Takes a buffer that is not large: a connection that waits after a few bytes would hold on to
    /// it.
    fn take(&self) -> Option<Box<Lent<B>>> {
        self.is_used.set(true);
        let mut kept = self.kept.borrow_mut();
        // Usually the last buffer is suitable.
        if kept.last()?.buffer.capacity() <= RETAINED {
            return kept.pop();
        }
        let place = kept.iter().rposition(|lent| lent.buffer.capacity() <= RETAINED)?;
        Some(kept.remove(place))
    }

    fn put(&self, mut lent: Box<Lent<B>>) {
        lent.buffer.forget();
        lent.permit = None;
        let mut kept = self.kept.borrow_mut();
        let capacity = lent.buffer.capacity();
        if !(B::LEAST..=LARGEST).contains(&capacity) {
            return;
        }
        if capacity > RETAINED {
            let is_large = |other: &Lent<B>| other.buffer.capacity() > RETAINED;
            if kept.iter().filter(|other| is_large(other)).count() >= KEPT_LARGE {
                // The larger buffers stay, so that the steps in which a buffer grew do not replace
                // them.
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

    /// Exchanges the memory of a buffer for the smallest that has at least `least` bytes, if there
    /// is any.
    fn exchange_memory(&self, buffer: &mut B, least: usize) {
        let mut kept = self.kept.borrow_mut();
        let places = (0..kept.len()).filter(|&place| kept[place].buffer.capacity() >= least);
        if let Some(place) = places.min_by_key(|&place| kept[place].buffer.capacity()) {
            let unused = &mut kept[place].buffer;
            buffer.exchange_memory_with(unused);
            if unused.capacity() < B::LEAST {
                kept.swap_remove(place);
            }
            return;
        }
        drop(kept);
        if let Some(mut unused) = B::from_shared_store(least) {
            buffer.exchange_memory_with(&mut unused);
            self.put(Box::new(unused.into()));
        }
    }
}

impl Memory for ThreadMemory {
    fn take(&self, least: usize) -> Vec<u8> {
        if least > READ_ROOM {
            return alloc::vec![0; least];
        }
        let pooled = FOR_READS.try_with(Pool::take).ok().flatten();
        let memory = pooled.and_then(|mut lent| lent.buffer.take_memory());
        memory.unwrap_or_else(|| alloc::vec![0; READ_ROOM])
    }

    fn give_back(&self, memory: Vec<u8>) {
        let is_used = FOR_READS.try_with(|pool| pool.is_used.get());
        if is_used != Ok(true) {
            STORE.give_back(memory);
            return;
        }
        let _ = FOR_READS.try_with(|pool| {
            pool.put(Box::new(ReadBuffer::with_memory(memory).into()));
        });
    }
}

impl<B> From<B> for Lent<B> {
    fn from(buffer: B) -> Self {
        Self { buffer, permit: None }
    }
}

impl Pooled for ReadBuffer {}
impl Pooled for WriteBuffer {}

mod sealed {
    use super::{LocalKey, Pool};

    /// The operations of a buffer that a pool needs.
    #[allow(unnameable_types, reason = "this module seals the trait")]
    pub trait Kind: Sized + 'static {
        const EMPTY: &'static Self;
        /// A buffer with less memory than this is not kept.
        const LEAST: usize;
        fn pool() -> &'static LocalKey<Pool<Self>>;
        /// Creates a buffer that has never been used.
        fn fresh() -> Self;
        fn is_unused(&self) -> bool;
        /// Removes what an unused buffer remembers of its last user.
        fn forget(&mut self);
        fn capacity(&self) -> usize;
        /// Returns a buffer with at least `least` bytes of memory from the store that all threads
        /// share.
        fn from_shared_store(least: usize) -> Option<Self>;
        /// Exchanges memory with an unused buffer, and keeps its own contents.
        fn exchange_memory_with(&mut self, unused: &mut Self);
    }
}

impl Kind for ReadBuffer {
    const EMPTY: &'static Self = &Self::NEVER_USED;
    const LEAST: usize = READ_ROOM;

    fn pool() -> &'static LocalKey<Pool<Self>> {
        &FOR_READS
    }

    fn fresh() -> Self {
        Self::with_memory(alloc::vec![0; READ_ROOM])
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

    fn from_shared_store(least: usize) -> Option<Self> {
        let mut memory = STORE.take(least)?;
        memory.resize(memory.capacity(), 0);
        Some(Self::with_memory(memory))
    }

    fn exchange_memory_with(&mut self, unused: &mut Self) {
        if let Some(memory) = unused.take_memory() {
            let (Ok(other) | Err(other)) = self.exchange_memory(memory);
            // This can't fail, because the buffer is empty.
            let _ = unused.put_memory(other);
        }
    }
}

impl Kind for WriteBuffer {
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

    fn from_shared_store(_: usize) -> Option<Self> {
        None
    }

    fn exchange_memory_with(&mut self, unused: &mut Self) {
        if let Some(memory) = unused.take_memory() {
            let _ = unused.put_memory(self.exchange_memory(memory));
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

    /// Puts a buffer with `size` bytes of memory into the pool.
    pub(super) fn put(size: usize) {
        let buffer = ReadBuffer::with_memory(alloc::vec![0; size]);
        FOR_READS.with(|pool| pool.put(Box::new(buffer.into())));
    }

    pub(super) fn kept_sizes() -> Vec<usize> {
        let mut sizes: Vec<_> = FOR_READS
            .with(|pool| pool.kept.borrow().iter().map(|other| other.buffer.capacity()).collect());
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn buffers_are_reused_and_a_limited_number_is_kept() {
        let mut first = filled(10);
        assert!(!first.give_back(), "the buffer is not empty");
        let place = first.unread().as_ptr();
        drain(&mut first);
        let again = filled(10);
        assert_eq!((again.unread().as_ptr(), again.capacity()), (place, READ_ROOM));
        let mut many: Vec<_> = (0..2 * KEPT).map(|_| filled(1)).collect();
        many.iter_mut().for_each(drain);
        assert_eq!(kept_sizes(), [READ_ROOM; KEPT]);
    }

    #[test]
    fn the_largest_buffers_are_kept_up_to_a_limit() {
        for size in [100_000, 90_000, 80_000, LARGEST + 1, LARGEST, RETAINED, READ_ROOM - 1] {
            put(size);
        }
        assert_eq!(kept_sizes(), [RETAINED, 100_000, LARGEST]);
    }

    #[test]
    fn a_thread_that_does_not_read_keeps_no_memory_of_messages() {
        let mut buffer = filled(100_000);
        buffer.keep(100_000);
        let message = buffer.take_kept(&ThreadMemory);
        let kept = std::thread::spawn(|| {
            drop(message);
            kept_sizes()
        });
        assert_eq!(kept.join().unwrap(), [0; 0]);
    }

    #[test]
    fn memory_dropped_by_a_thread_that_does_not_read_returns_to_one_that_does() {
        // The size is one that no other test uses.
        let is_reused = || {
            let mut buffer = filled(600_000);
            buffer.keep(600_000);
            let message = buffer.take_kept(&ThreadMemory);
            let place = message.as_ptr() as usize;
            std::thread::spawn(|| drop(message)).join().unwrap();
            let mut buffer = filled(1);
            FOR_READS.with(|pool| pool.exchange_memory(&mut buffer, 600_000));
            assert_eq!(buffer.unread(), [7]);
            // In large memory the received bytes begin within the first page.
            let is_same = place.abs_diff(buffer.unread().as_ptr() as usize) < 4096;
            drain(&mut buffer);
            is_same
        };
        // Other tests may use the store at the same moment.
        assert!((0..100).any(|_| is_reused()));
    }
}
