//! Where the memory of messages comes from, and where it goes to.

use alloc::vec::Vec;
use bytes::Bytes;

/// Memory that read buffers take from and give back to, such as that of a pool.
///
/// A message that is made owned leaves its [`ReadBuffer`](super::ReadBuffer) with the memory that it
/// is in, if it is large and fills at least half of that. Without a `Memory` the buffer then makes
/// other memory, and that of the message is freed with it. With one, see
/// [`Connection::take_message_with`](crate::Connection::take_message_with), the buffer asks it for
/// other memory, and it is given the message's once the last clone of that is dropped.
///
/// All else that a buffer does with its memory its owner does by hand: it gives memory by
/// [`lease`](super::ReadBuffer::lease) or
/// [`exchange_memory`](super::ReadBuffer::exchange_memory), and takes it back by
/// [`take`](super::ReadBuffer::take).
///
/// A clone is a handle to the same memory: each message that leaves has one.
///
/// ```
/// use sansocket::{Config, Connection, Memory, Negotiated, ReadBuffer, Server, WriteBuffer};
/// use std::sync::{Arc, Mutex};
///
/// #[derive(Clone, Default)]
/// struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);
///
/// impl Memory for Pool {
///     fn take(&self, least: usize) -> Vec<u8> {
///         let kept = self.0.lock().unwrap().pop();
///         kept.filter(|kept| kept.len() >= least).unwrap_or_else(|| vec![0; least.max(16 * 1024)])
///     }
///
///     fn give_back(&self, memory: Vec<u8>) {
///         self.0.lock().unwrap().push(memory);
///     }
/// }
///
/// let pool = Pool::default();
/// let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
/// let (mut input, mut output) = (ReadBuffer::with_storage(pool.take(0)), WriteBuffer::new());
/// // A binary message of 12 KiB, as a client sends it.
/// input.extend_from_slice(&[0x82, 0xfe, 0x30, 0, 0, 0, 0, 0]);
/// input.extend_from_slice(&[7; 12 * 1024]);
/// connection.advance(&mut input, &mut output)?;
/// let message = connection.take_message_with(&mut input, &pool);
/// assert_eq!(input.capacity(), 0);
/// drop(message);
/// assert_eq!(pool.0.lock().unwrap()[0].len(), 16 * 1024);
/// # Ok::<(), sansocket::ReceiveError>(())
/// ```
pub trait Memory: Clone + Send + 'static {
    /// Memory of at least `least` bytes, all of whose length becomes room. It is asked for when bytes
    /// are unread behind a message that leaves, and shorter memory is made longer.
    fn take(&self, least: usize) -> Vec<u8>;

    /// Takes the memory of a message that was dropped, in whichever thread that happened.
    fn give_back(&self, memory: Vec<u8>);

    /// From how many bytes on a message leaves with its memory. A shorter one is copied.
    ///
    /// It is 10 KiB unless the implementation says otherwise: a copy of fewer costs less than to
    /// exchange memory.
    fn leaves_from(&self) -> usize {
        10 * 1024
    }
}

/// As a read buffer sees it: a [`Memory`], or the [`Heap`].
pub(crate) trait Source {
    fn leaves_from(&self) -> usize;
    /// Memory for so many bytes that are unread behind a message; none if there are none.
    fn take(&self, unread: usize) -> Vec<u8>;
    /// Makes shared bytes of the memory of a message. They are the same bytes: text that was validated
    /// in that memory is not looked at again.
    fn share(&self, memory: Vec<u8>) -> Bytes;
}

/// Memory that is made anew and freed.
pub(crate) struct Heap;

/// The memory of a message, which goes back when that is dropped.
struct Lent<M: Memory> {
    bytes: Vec<u8>,
    memory: M,
}

impl Source for Heap {
    fn leaves_from(&self) -> usize {
        // To make memory costs more than to exchange it.
        64 * 1024
    }

    fn take(&self, unread: usize) -> Vec<u8> {
        alloc::vec![0; unread]
    }

    fn share(&self, memory: Vec<u8>) -> Bytes {
        memory.into()
    }
}

impl<M: Memory> Source for M {
    fn leaves_from(&self) -> usize {
        Memory::leaves_from(self)
    }

    fn take(&self, unread: usize) -> Vec<u8> {
        if unread == 0 {
            return Vec::new();
        }
        let mut memory = Memory::take(self, unread);
        if memory.len() < unread {
            memory.resize(unread, 0);
        }
        memory
    }

    fn share(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { bytes, memory: self.clone() })
    }
}

impl<M: Memory> AsRef<[u8]> for Lent<M> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<M: Memory> Drop for Lent<M> {
    fn drop(&mut self) {
        self.memory.give_back(core::mem::take(&mut self.bytes));
    }
}
