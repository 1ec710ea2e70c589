//! Counts allocations while counting is enabled.

use crate::placement;
use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static COUNTING: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);

fn count() {
    if COUNTING.load(Relaxed) {
        CALLS.fetch_add(1, Relaxed);
    }
}

// Calls are not inlined, because those of the system's allocator are not either. More code in a
// rarely reached place would change which values a library keeps in registers, which costs up to
// 15 % of the time of a message.
// SAFETY: every call is forwarded unchanged.
unsafe impl GlobalAlloc for Counting {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { placement::alloc(layout, false) }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { placement::alloc(layout, true) }
    }

    #[inline(never)]
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { placement::realloc(old, layout, size) }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { placement::dealloc(old, layout) }
    }
}

/// Runs `work`. Returns its result and the number of allocator calls that it made.
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> (T, u64) {
    CALLS.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    let result = work();
    COUNTING.store(false, Relaxed);
    (result, CALLS.load(Relaxed))
}
