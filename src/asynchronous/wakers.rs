//! The wakers of two tasks that share one transport.

use alloc::{sync::Arc, task::Wake};
use core::task::{Context, Waker};
#[cfg(sansocket_loom)]
pub(super) use loom::sync::{Mutex, MutexGuard};
use std::sync::PoisonError;
#[cfg(not(sansocket_loom))]
pub(super) use std::sync::{Mutex, MutexGuard};

/// Locks a mutex and ignores poisoning. Only a panic of the transport can leave the data
/// inconsistent, and reporting that is up to the transport.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wakers of the two tasks that share a connection.
///
/// A transport remembers only the last waker for each direction, but each task also writes what the
/// other has queued. So both tasks poll the transport with this one waker, which wakes both.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    waiting: Mutex<[Option<Waker>; 2]>,
}

/// One of the two tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Receive,
    Send,
}

impl Wakers {
    /// Stores the waker of the task of `half`, and returns the waker with which to poll the
    /// transport.
    pub(super) fn register(self: &Arc<Self>, half: Half, cx: &Context<'_>) -> Waker {
        let mut waiting = lock(&self.waiting);
        let place = &mut waiting[half as usize];
        let is_new = !place.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        let old = if is_new { place.replace(cx.waker().clone()) } else { None };
        drop(waiting);
        // Drop the old waker after unlocking: this can drop its task, whose destructor may take
        // this lock.
        drop(old);
        Waker::from(Arc::clone(self))
    }

    /// Wakes the task of `half`, if it waits.
    pub(super) fn wake(&self, half: Half) {
        let mut waiting = lock(&self.waiting);
        let waker = waiting[half as usize].take();
        // The task may run at once and call back into this module.
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Half {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Receive => Self::Send,
            Self::Send => Self::Receive,
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Self::wake(self, Half::Receive);
        Self::wake(self, Half::Send);
    }
}
