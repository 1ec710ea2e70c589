//! The transports of the test kit, with the traits of `futures-io`.

use futures_io::{AsyncRead, AsyncWrite};
use sansocket::{
    Config,
    asynchronous::WebSocket,
    buffer::ReadBuffer,
    connection::Role,
    handshake::Negotiated,
    on_futures_io::{FuturesIo, Timer},
};
use sansocket_testkit::transports::wire::End;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::ReadBuf;

/// A stream of tokio as one of `futures-io`.
#[derive(Debug)]
pub(crate) struct Compat<S>(pub(crate) S);

impl<S: tokio::io::AsyncRead + Unpin> AsyncRead for Compat<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(into);
        let read = Pin::new(&mut self.0).poll_read(cx, &mut buffer);
        read.map_ok(|()| buffer.filled().len())
    }
}

impl<S: tokio::io::AsyncWrite + Unpin> AsyncWrite for Compat<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A connection over an end of a wire, whose clock is `T`.
pub(crate) type OverWire<R, T = Timer> = WebSocket<Compat<End>, R, FuturesIo<T>>;

/// Returns a WebSocket over an end, after an opening handshake that agreed on no extension.
pub(crate) fn websocket<R: Role, T: sansocket::asynchronous::Timer + 'static>(
    end: End,
    role: R,
    config: Config,
) -> OverWire<R, T> {
    WebSocket::new(Compat(end), role, Negotiated::new(), ReadBuffer::new(), config)
}
