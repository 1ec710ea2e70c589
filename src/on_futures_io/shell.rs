//! Streams with the traits of `futures-io` as transports.

use super::timer::Timer;
use crate::asynchronous::{self, Runtime, Shell};
use ::futures_io::{AsyncRead, AsyncWrite};
use core::{
    convert::Infallible,
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};
use std::io::{self, IoSlice};

/// The shell for every stream that is `AsyncRead` and `AsyncWrite` of `futures-io`, on any executor.
///
/// `T` is the clock. To use one of your own, implement [`asynchronous::Timer`] for it and name this
/// shell: `Connector::<FuturesIo<MyTimer>>::new()`, with the [`Connector`](crate::client::Connector)
/// of the module `client`.
pub struct FuturesIo<T = Timer> {
    /// There are no values of this type.
    never: Infallible,
    timer: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for FuturesIo<T> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.never {}
    }
}

impl<T: asynchronous::Timer + 'static> Runtime for FuturesIo<T> {
    type Timer = T;
}

impl<S, T> Shell<S> for FuturesIo<T>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: asynchronous::Timer + 'static,
{
    #[inline]
    fn poll_read(stream: &mut S, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(stream).poll_read(cx, into)
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

    /// The trait does not tell, and its default writes the first slice alone. So what belongs
    /// together is copied together, whatever the stream could do.
    fn is_write_vectored(_: &S) -> bool {
        false
    }

    #[inline]
    fn poll_flush(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(stream).poll_flush(cx)
    }

    fn poll_shutdown(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(stream).poll_close(cx)
    }
}
