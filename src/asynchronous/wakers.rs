//! Two tasks that drive one transport, and how each is woken.

use alloc::{sync::Arc, task::Wake};
use core::task::{Context, Waker};
#[cfg(sansocket_loom)]
pub(super) use loom::sync::{Mutex, MutexGuard};
use std::sync::PoisonError;
#[cfg(not(sansocket_loom))]
pub(super) use std::sync::{Mutex, MutexGuard};

/// Locks what no panic leaves in disorder but that of a transport, which has to tell of it itself.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wakers of the two tasks that a connection is shared by.
///
/// A transport remembers one waker a direction, the last; but either task writes what the other
/// has queued. So both poll it with one waker, this, which wakes both.
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
    /// Notes that the task of `half` polls, and returns the waker to poll the transport with.
    pub(super) fn register(self: &Arc<Self>, half: Half, cx: &Context<'_>) -> Waker {
        let mut waiting = lock(&self.waiting);
        let place = &mut waiting[half as usize];
        let is_new = !place.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        let old = if is_new { place.replace(cx.waker().clone()) } else { None };
        drop(waiting);
        // It may be the last to own its task, which then comes back here as it is dropped.
        drop(old);
        Waker::from(Arc::clone(self))
    }

    /// Wakes the task of `half`, if it waits.
    pub(super) fn wake(&self, half: Half) {
        let mut waiting = lock(&self.waiting);
        let waker = waiting[half as usize].take();
        // It may run at once and come back here.
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
