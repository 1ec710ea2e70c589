//! Streams of tokio as transports.

use super::timer::Timer;
use crate::asynchronous::{Runtime, Shell};
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::task::unconstrained;
use core::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};
use std::io::{self, IoSlice};

/// The shell over tokio, for every stream that is `AsyncRead` and `AsyncWrite`.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the enum has no variants")]
pub enum Tokio {}

impl Runtime for Tokio {
    type Timer = Timer;

    fn exempt<T>(act: impl FnOnce() -> T) -> T {
        let mut act = Some(act);
        let acting = poll_fn(|_| act.take().map_or(Poll::Pending, |act| Poll::Ready(act())));
        match pin!(unconstrained(acting)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => unreachable!("the first poll acts"),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shell<S> for Tokio {
    #[inline]
    fn poll_read(stream: &mut S, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(into);
        let outcome = Pin::new(stream).poll_read(cx, &mut buffer);
        outcome.map_ok(|()| buffer.filled().len())
    }

    #[inline]
    fn poll_write(stream: &mut S, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(stream).poll_write(cx, from)
    }

    fn poll_write_vectored(
        stream: &mut S,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(stream).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(stream: &S) -> bool {
        stream.is_write_vectored()
    }

    #[inline]
    fn poll_flush(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(stream).poll_flush(cx)
    }

    fn poll_shutdown(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(stream).poll_shutdown(cx)
    }
}
