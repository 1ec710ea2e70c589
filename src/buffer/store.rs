//! Memory of large messages and of long queues that is not used now, for whoever needs such memory next.

use super::RETAINED;
use alloc::vec::Vec;
use std::sync::Mutex;

/// A store that all threads of the process share. Nobody waits for its lock: if it is taken, memory is freed or made
/// anew.
pub(crate) struct Store(Mutex<Vec<Vec<u8>>>);

pub(crate) static STORE: Store = Store::new();

/// How many pieces are kept at most: for messages of 1 MiB that several threads handle at a time.
const KEPT: usize = 4;

/// How large a piece is at most: for a message of 1 MiB and its headers.
pub(crate) const LARGEST: usize = (1 << 20) + 4096;

impl Store {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Keeps memory that is large and not too large. If there are as many pieces, the smallest of all is freed.
    pub(crate) fn give_back(&self, memory: Vec<u8>) {
        if !(RETAINED + 1..=LARGEST).contains(&memory.capacity()) {
            return;
        }
        // It is freed when the lock is free again.
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

    /// Takes the smallest piece with a capacity of at least so many bytes, if there is any. It has at most four times as
    /// many, since it may be held for long. What is in it means nothing.
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
    fn some_are_kept_the_larger_ones_and_the_smallest_that_is_enough_is_taken() {
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
    fn what_is_small_or_too_large_is_not_kept() {
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
    fn little_does_not_get_much() {
        let store = Store::new();
        store.give_back(piece(400));
        assert_eq!(store.take(99 << 10), None);
        assert!(store.take(100 << 10).is_some());
    }

    #[test]
    fn nobody_waits_for_it() {
        let store = Store::new();
        store.give_back(piece(100));
        let lock = store.0.lock().unwrap();
        store.give_back(piece(200));
        assert_eq!(store.take(100 << 10), None);
        drop(lock);
        assert_eq!(store.take(100 << 10).unwrap().capacity() >> 10, 100);
    }
}
