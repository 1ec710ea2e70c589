//! A counting allocator, for tests that check how much memory something takes.
//!
//! A test binary installs it with:
//!
//! ```
//! use sansocket_testkit::allocator::Counting;
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//! # fn main() {}
//! ```

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
};
use std::alloc::System;

/// The system's allocator, extended to count what each thread, and thus each test, allocates and
/// holds.
#[derive(Debug)]
pub struct Counting;

#[derive(Clone, Copy)]
struct Counts {
    allocations: u64,
    held: isize,
    most: isize,
    most_if_moved: isize,
}

thread_local! {
    static COUNTS: Cell<Counts> = const {
        Cell::new(Counts { allocations: 0, held: 0, most: 0, most_if_moved: 0 })
    };
}

/// Counts an allocation of `more` bytes, followed by a deallocation of `less` bytes.
fn count(more: usize, less: usize) {
    // At the end of a thread its counts may already be destroyed.
    let _ = COUNTS.try_with(|counts| {
        let before = counts.get();
        let moved = before.held + more as isize;
        let held = moved - less as isize;
        counts.set(Counts {
            allocations: before.allocations + u64::from(more > 0),
            held,
            most: before.most.max(held),
            most_if_moved: before.most_if_moved.max(moved),
        });
    });
}

// SAFETY: every call is forwarded to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller upholds the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Returns how many bytes this thread has allocated and not freed. Bytes freed by another thread
/// still count.
pub fn live() -> isize {
    COUNTS.get().held
}

/// The memory that an action took, beyond what was held before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The number of allocations. Growing or shrinking a block counts as another one.
    pub allocations: u64,
    /// The peak number of bytes on a system that grows blocks in place.
    pub most: isize,
    /// The peak number of bytes if growing a block moves it: the old and the new block exist
    /// together for a moment.
    pub most_if_moved: isize,
}

/// Runs `action` and measures the memory it takes.
pub fn measure<T>(action: impl FnOnce() -> T) -> (T, Taken) {
    let before = COUNTS.get();
    COUNTS.set(Counts { most: before.held, most_if_moved: before.held, ..before });
    let result = action();
    let after = COUNTS.get();
    let taken = Taken {
        allocations: after.allocations - before.allocations,
        most: after.most - before.held,
        most_if_moved: after.most_if_moved - before.held,
    };
    (result, taken)
}
