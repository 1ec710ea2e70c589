//! Memory of large messages that were dropped in threads that do not read, for those that do.

use alloc::vec::Vec;
use std::sync::Mutex;

/// How much is kept at most: for messages of 1 MiB that several threads handle at a time.
pub(super) const KEPT: usize = 4;

/// The store of all threads of the process. Nobody waits for it: while another thread is at it, memory is made
/// anew or freed.
static STORE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Keeps memory of which there is much, but not too much: to make it anew would take longer than to fill it.
pub(super) fn give_back(memory: Vec<u8>) {
    // What is not kept is freed when the store is free again.
    let _freed = if let Ok(mut kept) = STORE.try_lock() {
        if kept.len() < KEPT {
            kept.push(memory);
            None
        } else {
            // The larger ones stay.
            kept.iter_mut()
                .min_by_key(|other| other.len())
                .filter(|smallest| smallest.len() < memory.len())
                .map(|smallest| core::mem::replace(smallest, memory))
        }
    } else {
        None
    };
}

/// Takes the least of at least so many bytes, if there is any.
pub(super) fn take(least: usize) -> Option<Vec<u8>> {
    let mut kept = STORE.try_lock().ok()?;
    let places = (0..kept.len()).filter(|&place| kept[place].len() >= least);
    let place = places.min_by_key(|&place| kept[place].len())?;
    Some(kept.swap_remove(place))
}
