//! Memory that the connections of a thread lend each other, so that an idle one holds none.

use super::READ_ROOM;
use alloc::vec::Vec;
use core::cell::RefCell;
use std::thread_local;

/// Pieces of memory of one kind that wait for their next user, a bounded number.
struct Pool(RefCell<Vec<Vec<u8>>>);

/// How many pieces of each kind a thread keeps: as many connections as are busy at once, which
/// between two waits is one, and some that wait amid a message.
const KEPT: usize = 16;

/// Memory for writes that is larger does not come back.
const LARGEST_WRITE: usize = 64 * 1024;

thread_local! {
    static FOR_READS: Pool = const { Pool(RefCell::new(Vec::new())) };
    static FOR_WRITES: Pool = const { Pool(RefCell::new(Vec::new())) };
}

/// Memory for a [`ReadBuffer`](super::ReadBuffer), all of it initialised.
pub(crate) fn lease_for_reads() -> Vec<u8> {
    let pooled = FOR_READS.try_with(Pool::take).ok().flatten();
    pooled.unwrap_or_else(|| alloc::vec![0; READ_ROOM])
}

/// Gives memory of a [`ReadBuffer`](super::ReadBuffer) back.
pub(crate) fn give_back_reads(storage: Vec<u8>) {
    if storage.len() == READ_ROOM {
        // While the thread ends there is no pool: the memory is freed then.
        let _ = FOR_READS.try_with(|pool| pool.put(storage));
    }
}

/// Memory for a [`WriteBuffer`](super::WriteBuffer), empty.
pub(crate) fn lease_for_writes() -> Vec<u8> {
    FOR_WRITES.try_with(Pool::take).ok().flatten().unwrap_or_default()
}

/// Gives memory of a [`WriteBuffer`](super::WriteBuffer) back.
pub(crate) fn give_back_writes(storage: Vec<u8>) {
    if (1..=LARGEST_WRITE).contains(&storage.capacity()) {
        let _ = FOR_WRITES.try_with(|pool| pool.put(storage));
    }
}

impl Pool {
    fn take(&self) -> Option<Vec<u8>> {
        self.0.borrow_mut().pop()
    }

    fn put(&self, storage: Vec<u8>) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < KEPT {
            kept.push(storage);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_again_and_only_so_much_is_kept() {
        let first = lease_for_reads();
        let place = first.as_ptr();
        give_back_reads(first);
        let again = lease_for_reads();
        assert_eq!((again.as_ptr(), again.len()), (place, READ_ROOM));

        give_back_writes(Vec::new());
        FOR_WRITES.with(|pool| assert!(pool.0.borrow().is_empty(), "no memory is none to keep"));
        (0..2 * KEPT).for_each(|_| give_back_reads(alloc::vec![0; READ_ROOM]));
        (0..2 * KEPT).for_each(|_| give_back_writes(Vec::with_capacity(100)));
        give_back_reads(alloc::vec![0; READ_ROOM + 1]);
        give_back_writes(Vec::with_capacity(LARGEST_WRITE + 1));
        for pool in [&FOR_READS, &FOR_WRITES] {
            pool.with(|pool| assert_eq!(pool.0.borrow().len(), KEPT));
        }
        assert_eq!(lease_for_writes().capacity(), 100);
    }
}
