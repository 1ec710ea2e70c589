//! Two tasks that drive one transport, and how each is woken.

use alloc::{sync::Arc, task::Wake};
use core::task::{Context, Waker};
#[cfg(all(test, sansocket_loom))]
use loom::sync::Mutex;
#[cfg(not(all(test, sansocket_loom)))]
use std::sync::Mutex;
use std::sync::PoisonError;

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
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
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
