//! The transport of a WebSocket that was opened by hyper.

use hyper_util::rt::TokioIo;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The largest number of bytes that a stream is given at once. hyper copies them, however many there
/// are, so this is what bounds the memory of a stream whose peer is slow. A fragment of 64 KiB leaves at
/// once, with its header.
const MOST_AT_ONCE: usize = (64 << 10) + 14;

/// What hyper hands over when it upgrades: the rest of an HTTP/1.1 connection, or a stream of an HTTP/2
/// connection.
///
/// On a stream, the end is as RFC 8441 §5 says: END_STREAM is the end of one direction, as FIN is that of
/// TCP, and RST_STREAM with CANCEL is a reset. hyper reports such a reset to its writing side alone. If
/// reads learn of it first, on another thread, it looks like an orderly end.
#[derive(Debug)]
pub struct Upgraded {
    io: TokioIo<hyper::upgrade::Upgraded>,
    is_stream: bool,
    /// Whether hyper has reported a reset. It does so once.
    is_reset: bool,
}

impl Upgraded {
    pub(crate) fn new(io: hyper::upgrade::Upgraded, is_stream: bool) -> Self {
        Self { io: TokioIo::new(io), is_stream, is_reset: false }
    }

    /// Returns `true` if this is a stream of HTTP/2.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// Returns what hyper handed over, for example to downcast it to the type of your connection.
    #[must_use]
    pub fn into_inner(self) -> hyper::upgrade::Upgraded {
        self.io.into_inner()
    }

    /// Tells a reset from an orderly end. hyper reports both as the end when they are read, but only a
    /// reset as an error when they are written to.
    fn end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let _ = self.poll_flush_stream(cx);
        if self.is_reset { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    /// Flushes. A reset is left to the reads: what the peer sent before it, such as its Close, is still to
    /// be read (RFC 9113 §8.1), as after FIN and RST of TCP.
    fn poll_flush_stream(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.io).poll_flush(cx).map(|flushed| self.is_reset |= flushed.is_err())
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = into.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, into))?;
        let has_ended = into.filled().len() == filled && into.remaining() > 0;
        Poll::Ready(if has_ended && self.is_stream { self.end(cx) } else { Ok(()) })
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let most = if self.is_stream { MOST_AT_ONCE } else { from.len() };
        let from = &from[..from.len().min(most)];
        Pin::new(&mut self.io).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_stream {
            let first = from.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |first| first);
            return self.poll_write(cx, first);
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        !self.is_stream && self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_stream {
            return self.poll_flush_stream(cx).map(Ok);
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
