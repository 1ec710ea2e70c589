//! Puts large blocks of memory anywhere within their pages.
//!
//! How long a copy of some KiB takes can depend by ten times on how its source and target lie
//! within their pages. An allocator asked for the same blocks gives the same places again and
//! again, so a library would keep its luck through all rounds. Here each block gets a place of its
//! own, and over the rounds the luck evens out.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr::null_mut,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Smaller blocks are copied in other ways, and lie where they happen to.
const LARGE: usize = 2048;
const PAGE: usize = 4096;
/// What the system's allocator aligns to; there is room for a number before each block.
const STEP: usize = 16;

static STATE: AtomicU64 = AtomicU64::new(0);

/// Other places than those of another process.
pub(crate) fn seed(seed: u64) {
    STATE.store(seed, Relaxed);
}

/// 16 to 4096. Programs are of one thread: two that race get the same, no more.
fn next_offset() -> usize {
    let state = STATE.load(Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.store(state, Relaxed);
    let mixed = (state ^ (state >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 56) as usize + 1) * STEP
}

fn is_moved(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= STEP
}

fn with_room(layout: Layout) -> Option<Layout> {
    Layout::from_size_align(layout.size().checked_add(PAGE)?, STEP).ok()
}

/// # Safety
///
/// As for [`GlobalAlloc::alloc`].
pub(crate) unsafe fn alloc(layout: Layout, is_zeroed: bool) -> *mut u8 {
    let from_system = |layout| unsafe {
        if is_zeroed { System.alloc_zeroed(layout) } else { System.alloc(layout) }
    };
    if !is_moved(layout) {
        return from_system(layout);
    }
    let Some(whole) = with_room(layout) else { return null_mut() };
    // SAFETY: the offset is at most the room that was added.
    unsafe { place(from_system(whole), next_offset()) }
}

/// # Safety
///
/// As for [`GlobalAlloc::realloc`].
pub(crate) unsafe fn realloc(old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
    let Ok(new_layout) = Layout::from_size_align(size, layout.align()) else { return null_mut() };
    // SAFETY: what was moved has its offset before it, and is in a block that is larger by a page.
    unsafe {
        match (is_moved(layout), is_moved(new_layout)) {
            (false, false) => System.realloc(old, layout, size),
            (true, true) => {
                let Some((whole, new)) = with_room(layout).zip(with_room(new_layout)) else {
                    return null_mut();
                };
                let offset = offset_of(old);
                place(System.realloc(old.sub(offset), whole, new.size()), offset)
            }
            _ => {
                let new = alloc(new_layout, false);
                if !new.is_null() {
                    new.copy_from_nonoverlapping(old, layout.size().min(size));
                    dealloc(old, layout);
                }
                new
            }
        }
    }
}

/// # Safety
///
/// As for [`GlobalAlloc::dealloc`].
pub(crate) unsafe fn dealloc(old: *mut u8, layout: Layout) {
    // SAFETY: as above.
    unsafe {
        match with_room(layout) {
            Some(whole) if is_moved(layout) => System.dealloc(old.sub(offset_of(old)), whole),
            _ => System.dealloc(old, layout),
        }
    }
}

/// # Safety
///
/// The block is null or longer than `offset`, which is a multiple of [`STEP`] other than 0.
unsafe fn place(block: *mut u8, offset: usize) -> *mut u8 {
    if block.is_null() {
        return block;
    }
    unsafe {
        let placed = block.add(offset);
        placed.cast::<usize>().sub(1).write(offset);
        placed
    }
}

/// # Safety
///
/// It was made by [`place`].
unsafe fn offset_of(placed: *mut u8) -> usize {
    unsafe { placed.cast::<usize>().sub(1).read() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn a_block_asked_for_again_lies_elsewhere_in_its_pages() {
        let place = |block: Vec<u8>| block.as_ptr() as usize % super::PAGE;
        let places: HashSet<_> = (0..1_000).map(|_| place(vec![1; 16 * 1024])).collect();
        assert!(places.len() > 100, "{}", places.len());
    }

    #[test]
    fn what_grows_and_shrinks_is_kept() {
        let mut bytes = Vec::new();
        for number in 0..3_000_000_u32 {
            bytes.push(number as u8);
        }
        for len in [3_000_000, 70_000, 2_049, 2_048, 2_047, 5] {
            bytes.truncate(len);
            bytes.shrink_to_fit();
            assert!((0_u32..).zip(&bytes).all(|(number, byte)| number as u8 == *byte), "{len}");
        }
        assert!(vec![0_u8; 300_000].iter().all(|byte| *byte == 0));
    }
}
