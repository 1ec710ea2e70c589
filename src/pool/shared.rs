//! Memory of large messages that were dropped in threads that do not read, for those that do.

use alloc::vec::Vec;
use std::sync::Mutex;

/// A store that all threads of the process share. Nobody waits for its lock: if it is taken, memory is freed or made
/// anew.
pub(super) struct Store(Mutex<Vec<Vec<u8>>>);

pub(super) static STORE: Store = Store::new();

/// How many pieces are kept at most: for messages of 1 MiB that several threads handle at a time.
const KEPT: usize = 4;

impl Store {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Keeps memory, or frees it if there are as many pieces, none of them smaller.
    pub(super) fn give_back(&self, memory: Vec<u8>) {
        // It is freed when the lock is free again.
        let _unwanted = if let Ok(mut kept) = self.0.try_lock() {
            if kept.len() < KEPT {
                kept.push(memory);
                return;
            }
            match kept.iter_mut().min_by_key(|other| other.len()) {
                Some(smallest) if smallest.len() < memory.len() => {
                    core::mem::replace(smallest, memory)
                }
                _ => memory,
            }
        } else {
            memory
        };
    }

    /// Takes the least of at least so many bytes, if there is any.
    pub(super) fn take(&self, least: usize) -> Option<Vec<u8>> {
        let mut kept = self.0.try_lock().ok()?;
        let places = (0..kept.len()).filter(|&place| kept[place].len() >= least);
        let place = places.min_by_key(|&place| kept[place].len())?;
        Some(kept.swap_remove(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_kept_the_larger_ones_and_the_least_that_is_enough_is_taken() {
        let store = Store::new();
        for len in [300, 100, 500, 200, 400, 50, 600] {
            store.give_back(alloc::vec![0; len]);
        }
        assert_eq!(store.take(601), None);
        let lens: Vec<_> = [450, 0, 0, 0].map(|least| store.take(least).unwrap().len()).into();
        assert_eq!(lens, [500, 300, 400, 600]);
        assert_eq!(store.take(0), None);
    }

    #[test]
    fn nobody_waits_for_it() {
        let store = Store::new();
        store.give_back(alloc::vec![0; 100]);
        let lock = store.0.lock().unwrap();
        store.give_back(alloc::vec![0; 200]);
        assert_eq!(store.take(0), None);
        drop(lock);
        assert_eq!(store.take(0).unwrap().len(), 100);
    }
}
