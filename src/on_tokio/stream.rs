//! The stream of a client's connection.

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::TcpStream;
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::io::{self, IoSlice};

/// The stream of a connection that a [`Connector`](super::Connector) opened.
///
/// It is TCP. Later versions may put TLS or a proxy in between without changing the type.
#[doc(alias = "MaybeTlsStream")]
#[derive(Debug)]
pub struct Stream(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
}

impl Stream {
    /// Returns the TCP stream, for example to get its addresses. Do not read from it or write to
    /// it.
    #[must_use]
    pub const fn tcp(&self) -> &TcpStream {
        let Kind::Tcp(stream) = &self.0;
        stream
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        let Kind::Tcp(stream) = &mut self.get_mut().0;
        Pin::new(stream)
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self(Kind::Tcp(stream))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner().poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, from)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Debug;

    /// The traits that later versions must keep.
    fn check<T: Send + Sync + Unpin + Debug + 'static>() {}

    #[test]
    fn a_stream_can_be_used_anywhere() {
        check::<Stream>();
    }
}
