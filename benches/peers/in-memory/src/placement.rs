//! Gives large blocks of memory random offsets within their pages.
//!
//! The time of a copy of some KiB can vary tenfold with the page offsets of its source and target.
//! An allocator returns the same addresses for the same requests, so a library would be lucky or
//! unlucky in all rounds. Here each block gets its own random offset, and over many rounds the luck
//! evens out.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr::null_mut,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The least size of a block to move. Smaller blocks are copied in other ways.
const LARGE: usize = 2048;
const PAGE: usize = 4096;
/// The alignment of the system's allocator. It leaves room for a number before each block.
const STEP: usize = 16;

static STATE: AtomicU64 = AtomicU64::new(0);

/// Seeds the offsets, so that they differ between processes.
pub(crate) fn seed(seed: u64) {
    STATE.store(seed, Relaxed);
}

/// Returns an offset of 16 to 4096. Racing threads could only get the same offset, which is
/// harmless; the programs have a single thread.
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
/// The caller must meet the conditions of [`GlobalAlloc::alloc`].
pub(crate) unsafe fn alloc(layout: Layout, is_zeroed: bool) -> *mut u8 {
    let from_system = |layout| unsafe {
        if is_zeroed { System.alloc_zeroed(layout) } else { System.alloc(layout) }
    };
    if !is_moved(layout) {
        return from_system(layout);
    }
    let Some(whole) = with_room(layout) else { return null_mut() };
    // SAFETY: the offset is at most `PAGE`, by which the block was enlarged.
    unsafe { place(from_system(whole), next_offset()) }
}

/// # Safety
///
/// The caller must meet the conditions of [`GlobalAlloc::realloc`].
pub(crate) unsafe fn realloc(old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
    let Ok(new_layout) = Layout::from_size_align(size, layout.align()) else { return null_mut() };
    // SAFETY: a moved block has its offset before it, and was allocated a page larger.
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
/// The caller must meet the conditions of [`GlobalAlloc::dealloc`].
pub(crate) unsafe fn dealloc(old: *mut u8, layout: Layout) {
    // SAFETY: a moved block has its offset before it, and was allocated a page larger.
    unsafe {
        match with_room(layout) {
            Some(whole) if is_moved(layout) => System.dealloc(old.sub(offset_of(old)), whole),
            _ => System.dealloc(old, layout),
        }
    }
}

/// # Safety
///
/// `block` must be null or longer than `offset`. `offset` must be a nonzero multiple of [`STEP`].
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
/// `placed` must come from [`place`] and not be null.
unsafe fn offset_of(placed: *mut u8) -> usize {
    unsafe { placed.cast::<usize>().sub(1).read() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn equal_requests_get_different_page_offsets() {
        let place = |block: Vec<u8>| block.as_ptr() as usize % super::PAGE;
        let places: HashSet<_> = (0..1_000).map(|_| place(vec![1; 16 * 1024])).collect();
        assert!(places.len() > 100, "{}", places.len());
    }

    #[test]
    fn contents_survive_growing_and_shrinking() {
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
