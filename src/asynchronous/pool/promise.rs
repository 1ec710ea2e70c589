//! Large memory for what a peer has only promised.

use core::sync::atomic::{AtomicUsize, Ordering};

/// The right to large memory for what a peer has only promised. Few have it at a time, in all
/// threads, so that many that promise and do not send take no more than those.
#[derive(Debug)]
pub(super) struct Promise(());

/// How many there are at a time.
pub(super) const PROMISES: usize = 16;

static PROMISED: AtomicUsize = AtomicUsize::new(0);

impl Promise {
    pub(super) fn take() -> Option<Self> {
        let more = |promised| (promised < PROMISES).then_some(promised + 1);
        PROMISED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(()))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        PROMISED.fetch_sub(1, Ordering::Relaxed);
    }
}
