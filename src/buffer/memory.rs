//! The source of the memory of messages, and where that memory goes afterwards.

use alloc::vec::Vec;
use bytes::Bytes;

/// A source of memory for read buffers, such as a pool.
///
/// When you take an owned message out of a [`ReadBuffer`](super::ReadBuffer), the message leaves
/// with its memory if it is large and fills at least half of that memory. Without a `Memory`, the
/// buffer then allocates other memory, and the memory of the message is freed with the message.
/// With a `Memory` (see
/// [`Connection::take_message_with`](crate::connection::Connection::take_message_with)), the buffer
/// asks it for other memory, and it receives the memory of the message once the last clone of the
/// message is dropped.
///
/// You manage all other memory of a buffer yourself: you give it memory with
/// [`put_memory`](super::ReadBuffer::put_memory) or
/// [`exchange_memory`](super::ReadBuffer::exchange_memory), and take that memory with
/// [`take_memory`](super::ReadBuffer::take_memory).
///
/// A clone must be a handle to the same memory: each message that leaves holds one.
///
/// ```
/// use sansocket::{Config, buffer::{Memory, ReadBuffer, WriteBuffer}, connection::{Connection, Server}, handshake::Negotiated};
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
/// let (mut input, mut output) = (ReadBuffer::with_memory(pool.take(0)), WriteBuffer::new());
/// // A binary message of 12 KiB, as a client sends it.
/// input.extend_from_slice(&[0x82, 0xfe, 0x30, 0, 0, 0, 0, 0]);
/// input.extend_from_slice(&[7; 12 * 1024]);
/// connection.advance(&mut input, &mut output)?;
/// let message = connection.take_message_with(&mut input, &pool);
/// assert_eq!(input.capacity(), 0);
/// drop(message);
/// assert_eq!(pool.0.lock().unwrap()[0].len(), 16 * 1024);
/// # Ok::<(), sansocket::connection::ReceiveError>(())
/// ```
pub trait Memory: Clone + Send + 'static {
    /// Returns memory with a length of at least `least` bytes. All of its length becomes room.
    ///
    /// A read buffer calls this when unread bytes follow a message that leaves. It extends memory
    /// that is too short.
    fn take(&self, least: usize) -> Vec<u8>;

    /// Takes the memory of a message that was dropped, on the thread that dropped it.
    fn give_back(&self, memory: Vec<u8>);

    /// Returns the message size in bytes from which a message leaves with its memory. A shorter
    /// message is copied.
    ///
    /// The default is 10 KiB: copying fewer bytes costs less than exchanging memory.
    fn leaves_from(&self) -> usize {
        10 * 1024
    }
}

/// The read buffer's view of a memory source: a [`Memory`] or the [`Heap`].
pub(crate) trait Source {
    fn leaves_from(&self) -> usize;
    /// Returns memory for `unread` bytes after a message, or empty memory for none.
    fn take(&self, unread: usize) -> Vec<u8>;
    /// Converts the memory of a message into shared bytes without a copy. Text that was validated
    /// in that memory is not validated again.
    fn share(&self, memory: Vec<u8>) -> Bytes;
}

/// The global allocator.
pub(crate) struct Heap;

/// The memory of a message, which returns to its source when the message is dropped.
struct Lent<M: Memory> {
    bytes: Vec<u8>,
    memory: M,
}

impl Source for Heap {
    fn leaves_from(&self) -> usize {
        // Allocating memory costs more than exchanging it.
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
