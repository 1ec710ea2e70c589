//! The server, with an allocator that counts.
//!
//! `held` on its input is answered by how many bytes are allocated, and `blocks` by which sizes of blocks
//! take most, as `size*count`.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: [AtomicUsize; 1 << 16] = [const { AtomicUsize::new(0) }; 1 << 16];

// SAFETY: every call is forwarded to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        if let Some(blocks) = BLOCKS.get(layout.size()) {
            blocks.fetch_add(1, Relaxed);
        }
        // SAFETY: the caller upholds the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        if let Some(blocks) = BLOCKS.get(layout.size()) {
            blocks.fetch_sub(1, Relaxed);
        }
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> std::io::Result<()> {
    realtime_serving::run(|line| match line {
        "blocks" => blocks(),
        _ => HELD.load(Relaxed).to_string(),
    })
}

fn blocks() -> String {
    let mut sizes: Vec<_> = BLOCKS.iter().map(|blocks| blocks.load(Relaxed)).enumerate().collect();
    sizes.sort_by_key(|(size, count)| std::cmp::Reverse(size * count));
    let most = sizes.iter().take(20).map(|(size, count)| format!("{size}*{count}"));
    most.collect::<Vec<_>>().join(" ")
}
