//! The stream of a connection, whatever it consists of.

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::TcpStream;
use alloc::{boxed::Box, vec::Vec};
use core::{
    fmt,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use std::io::{self, ErrorKind, IoSlice};

#[cfg(feature = "rustls")]
use super::Tokio;
#[cfg(feature = "rustls")]
use crate::{asynchronous::TlsStream, error::Error, tls::Session};

/// The stream of a connection that a [`Connector`](super::Connector) opened or a server accepted:
/// TCP, TLS, or [a stream of your own](Self::boxed).
///
/// ```no_run
/// # async fn show() -> Result<(), sansocket::Error> {
/// let websocket = sansocket::on_tokio::connect("wss://example.com/").await?;
/// let stream = websocket.get_ref();
/// println!("{} {}", stream.peer_addr()?, stream.is_secure());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "MaybeTlsStream")]
pub struct Stream(Kind);

enum Kind {
    Tcp(TcpStream),
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<Stream>>),
    Boxed(Box<dyn AnyStream>),
}

trait AnyStream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> AnyStream for T {}

impl Stream {
    /// Wraps a stream of your own, for example one that a tunnel made.
    #[must_use]
    pub fn boxed(stream: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static) -> Self {
        Self(Kind::Boxed(Box::new(stream)))
    }

    /// Returns the TCP stream, which may be below TLS, for example to set its options. Do not read
    /// from it or write to it. Returns `None` for a stream of your own.
    #[must_use]
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            Kind::Tcp(stream) => Some(stream),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.get_ref().tcp(),
            Kind::Boxed(_) => None,
        }
    }

    /// Returns the address of the peer of the TCP stream. Behind a proxy that is the proxy's.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Unsupported`] for a stream of your own. Otherwise returns the errors of
    /// [`TcpStream::peer_addr`].
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().ok_or_else(not_tcp)?.peer_addr()
    }

    /// Returns this endpoint's address of the TCP stream.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`peer_addr`](Self::peer_addr).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().ok_or_else(not_tcp)?.local_addr()
    }

    /// Returns `true` if the connection uses TLS that this crate provides. It says nothing of a
    /// stream of your own, or of a proxy in front of a server.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "rustls")]
            Kind::Tls(_) => true,
            Kind::Tcp(_) | Kind::Boxed(_) => false,
        }
    }

    /// Returns the certificates that the peer presented for TLS, in DER, its own first. A client
    /// presents one only to a server that requires it. Without TLS, and without the feature `rustls`,
    /// there are none.
    #[must_use]
    pub fn peer_certificates(&self) -> Vec<Vec<u8>> {
        match &self.0 {
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.peer_certificates(),
            Kind::Tcp(_) | Kind::Boxed(_) => Vec::new(),
        }
    }

    /// Performs a TLS handshake over this stream.
    #[cfg(feature = "rustls")]
    pub(super) async fn secured(self, session: Session) -> Result<Self, Error> {
        let stream = TlsStream::handshake::<Tokio>(self, session).await?;
        Ok(Self(Kind::Tls(Box::new(stream))))
    }
}

fn not_tcp() -> io::Error {
    io::Error::new(
        ErrorKind::Unsupported,
        "this works only over TCP, and not for a stream of your own",
    )
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self(Kind::Tcp(stream))
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Tcp(stream) => Pin::new(stream).poll_read(cx, into),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => {
                let read = stream.poll_read::<Tokio>(cx, into.initialize_unfilled());
                read.map_ok(|count| into.advance(count))
            }
            Kind::Boxed(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Kind::Tcp(stream) => Pin::new(stream).poll_write(cx, from),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.poll_write::<Tokio>(cx, &[IoSlice::new(from)]),
            Kind::Boxed(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Kind::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, from),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.poll_write::<Tokio>(cx, from),
            Kind::Boxed(stream) => Pin::new(stream).poll_write_vectored(cx, from),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(feature = "rustls")]
            Kind::Tls(_) => true,
            Kind::Boxed(stream) => stream.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.poll_flush::<Tokio>(cx),
            Kind::Boxed(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Ends the writing side. TLS sends its `close_notify` first.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.poll_shutdown::<Tokio>(cx),
            Kind::Boxed(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp(stream) => f.debug_tuple("Tcp").field(stream).finish(),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => f.debug_tuple("Tls").field(stream.get_ref()).finish(),
            Kind::Boxed(_) => f.debug_tuple("Boxed").finish(),
        }
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
