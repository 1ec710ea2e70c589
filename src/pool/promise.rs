//! Permission to use large memory for bytes that a peer has announced but not yet sent.

use core::sync::atomic::{AtomicUsize, Ordering};

/// Permission to use large memory for bytes that a peer has announced but not yet sent. Only a few
/// exist at a time, for all threads of the process together. This bounds the memory for peers that
/// announce much and send little.
#[derive(Debug)]
pub(super) struct Promise(());

/// How many promises can exist at a time.
pub(super) const PROMISES: usize = 16;

static PROMISED: AtomicUsize = AtomicUsize::new(0);

impl Promise {
    pub(super) fn take() -> Option<Self> {
        let next = |promised| (promised < PROMISES).then_some(promised + 1);
        PROMISED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok().map(|_| Self(()))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        PROMISED.fetch_sub(1, Ordering::Relaxed);
    }
}
