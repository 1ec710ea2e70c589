//! Unused memory of large messages and long queues, kept for the next one that needs it.

use super::RETAINED;
use alloc::vec::Vec;
use std::sync::Mutex;

/// A store that all threads of the process share. No thread waits for its lock: if the lock is
/// taken, memory is freed or newly allocated instead.
pub(crate) struct Store(Mutex<Vec<Vec<u8>>>);

pub(crate) static STORE: Store = Store::new();

/// The largest number of pieces: enough for several threads that handle messages of 1 MiB at a
/// time.
const KEPT: usize = 4;

/// The largest size of a piece: enough for a message of 1 MiB and its headers.
pub(crate) const LARGEST: usize = (1 << 20) + 4096;

impl Store {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Stores memory whose size is within the limits. If the store is full, frees the smallest
    /// piece.
    pub(crate) fn give_back(&self, memory: Vec<u8>) {
        if !(RETAINED + 1..=LARGEST).contains(&memory.capacity()) {
            return;
        }
        // The unwanted memory is freed after the lock is released.
        let _unwanted = if let Ok(mut kept) = self.0.try_lock() {
            if kept.len() < KEPT {
                kept.push(memory);
                return;
            }
            match kept.iter_mut().min_by_key(|other| other.capacity()) {
                Some(smallest) if smallest.capacity() < memory.capacity() => {
                    core::mem::replace(smallest, memory)
                }
                _ => memory,
            }
        } else {
            memory
        };
    }

    /// Takes the smallest piece with a capacity of at least `least` bytes, if there is one. The
    /// piece has at most four times that capacity, because it may be held for a long time. Its
    /// contents are unspecified.
    pub(crate) fn take(&self, least: usize) -> Option<Vec<u8>> {
        let suits = least..=least.saturating_mul(4);
        let mut kept = self.0.try_lock().ok()?;
        let places = (0..kept.len()).filter(|&place| suits.contains(&kept[place].capacity()));
        let place = places.min_by_key(|&place| kept[place].capacity())?;
        Some(kept.swap_remove(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(kib: usize) -> Vec<u8> {
        Vec::with_capacity(kib << 10)
    }

    #[test]
    fn keeps_the_largest_pieces_and_returns_the_smallest_sufficient_one() {
        let store = Store::new();
        for kib in [300, 100, 500, 200, 400, 70, 600] {
            store.give_back(piece(kib));
        }
        assert_eq!(store.take(601 << 10), None);
        let taken: Vec<_> =
            [450, 150, 150, 150].map(|kib| store.take(kib << 10).unwrap().capacity() >> 10).into();
        assert_eq!(taken, [500, 300, 400, 600]);
        assert_eq!(store.take(150 << 10), None);
    }

    #[test]
    fn rejects_memory_that_is_too_small_or_too_large() {
        let store = Store::new();
        for capacity in [RETAINED, LARGEST + 1] {
            store.give_back(Vec::with_capacity(capacity));
            assert_eq!(store.take(capacity), None, "{capacity}");
        }
        for capacity in [RETAINED + 1, LARGEST] {
            store.give_back(Vec::with_capacity(capacity));
            assert!(store.take(capacity).is_some(), "{capacity}");
        }
    }

    #[test]
    fn a_small_request_does_not_get_a_large_piece() {
        let store = Store::new();
        store.give_back(piece(400));
        assert_eq!(store.take(99 << 10), None);
        assert!(store.take(100 << 10).is_some());
    }

    #[test]
    fn no_thread_waits_for_the_lock() {
        let store = Store::new();
        store.give_back(piece(100));
        let lock = store.0.lock().unwrap();
        store.give_back(piece(200));
        assert_eq!(store.take(100 << 10), None);
        drop(lock);
        assert_eq!(store.take(100 << 10).unwrap().capacity() >> 10, 100);
    }
}
