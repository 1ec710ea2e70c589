//! Permits to use large memory for bytes that a peer has announced but not yet sent.

use core::sync::atomic::{AtomicUsize, Ordering};

/// A permit to use large memory for bytes that a peer has announced but not yet sent. Only a few
/// exist at a time, for all threads of the process together. This bounds the memory for peers that
/// announce much and send little.
#[derive(Debug)]
pub(super) struct LargeMemoryPermit(());

/// How many permits can exist at a time.
pub(super) const PERMITS: usize = 16;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

impl LargeMemoryPermit {
    pub(super) fn take() -> Option<Self> {
        let next = |taken| (taken < PERMITS).then_some(taken + 1);
        TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok().map(|_| Self(()))
    }
}

impl Drop for LargeMemoryPermit {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}
