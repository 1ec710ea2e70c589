//! Where a stream of events leaves a chunk for the body of its response.

use bytes::Bytes;
use http_body::{Body, Frame};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// One chunk at a time. What waits here counts as not taken by the client.
pub(super) struct Handover(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    chunk: Option<Bytes>,
    /// Whether the client can have everything, once nothing more comes.
    end: Option<bool>,
    has_gone: bool,
    /// The task of the stream.
    stream: Option<Waker>,
    /// The task that writes the response.
    body: Option<Waker>,
}

impl Handover {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    /// Returns how many bytes wait for the client, or `None` if it has gone. The task is woken when that
    /// changes.
    pub(super) fn poll_waiting(&self, cx: &Context<'_>) -> Option<usize> {
        let mut inner = self.lock();
        set(&mut inner.stream, cx);
        (!inner.has_gone).then(|| inner.chunk.as_ref().map_or(0, Bytes::len))
    }

    /// Leaves a chunk. None may be there. Returns its length.
    pub(super) fn put(&self, chunk: Bytes) -> usize {
        let length = chunk.len();
        let mut inner = self.lock();
        inner.chunk = Some(chunk);
        wake(&mut inner.body);
        length
    }

    /// Says that nothing more comes. If it is not whole, the response is cut off.
    pub(super) fn end(&self, is_whole: bool) {
        let mut inner = self.lock();
        inner.end = Some(is_whole);
        if !is_whole {
            inner.chunk = None;
        }
        wake(&mut inner.body);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set(waker: &mut Option<Waker>, cx: &Context<'_>) {
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *waker = Some(cx.waker().clone());
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// The body of the response.
pub(super) struct Streamed {
    pub(super) handover: Arc<Handover>,
}

/// Why a response is cut off: the client does not take it.
#[derive(Debug, thiserror::Error)]
#[error("the client is too slow")]
pub(super) struct TooSlow;

impl Body for Streamed {
    type Data = Bytes;
    type Error = TooSlow;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TooSlow>>> {
        let mut inner = self.handover.lock();
        if let Some(chunk) = inner.chunk.take() {
            wake(&mut inner.stream);
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match inner.end {
            Some(true) => Poll::Ready(None),
            Some(false) => Poll::Ready(Some(Err(TooSlow))),
            None => {
                set(&mut inner.body, cx);
                Poll::Pending
            }
        }
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        let mut inner = self.handover.lock();
        inner.has_gone = true;
        wake(&mut inner.stream);
    }
}
