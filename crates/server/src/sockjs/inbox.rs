//! What the client of a session has sent, until the session's task takes it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

#[derive(Debug, Default)]
pub(super) struct Inbox {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    messages: VecDeque<String>,
    is_closed: bool,
    waker: Option<Waker>,
}

impl Inbox {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn push(&self, messages: Vec<String>) {
        let mut inner = self.lock();
        inner.messages.extend(messages);
        inner.wake();
    }

    /// Says that nothing more comes.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        inner.wake();
    }

    /// Wakes the task, because the client has taken something.
    pub(super) fn wake(&self) {
        self.lock().wake();
    }

    pub(super) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        let mut inner = self.lock();
        match inner.messages.pop_front() {
            Some(message) => Poll::Ready(Some(message)),
            None if inner.is_closed => Poll::Ready(None),
            None => {
                // A burst leaves no memory behind.
                inner.messages = VecDeque::new();
                inner.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
