//! Counts allocations while it is told to.

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

// None is inlined, as no call of the system's allocator is: within what a library does for each message, more code in a
// place that is seldom reached changes which values stay in registers, by up to 15 % of the time of a message.
// SAFETY: every call is passed on as it came.
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

/// Runs `work`; the calls to the allocator meanwhile.
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> (T, u64) {
    CALLS.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    let result = work();
    COUNTING.store(false, Relaxed);
    (result, CALLS.load(Relaxed))
}
