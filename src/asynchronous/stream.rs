//! The stream of a connection, whatever it consists of.

pub(super) mod sockets;

use super::shell::Shell;
use alloc::{boxed::Box, vec::Vec};
use core::{
    fmt,
    marker::PhantomData,
    net::SocketAddr,
    task::{Context, Poll},
};
use sockets::{Sockets, not_tcp};
use std::io::{self, IoSlice};

#[cfg(feature = "rustls")]
use super::tls::TlsStream;
#[cfg(feature = "rustls")]
use crate::{error::Error, tls::Session};

/// The stream of a connection that a [`Connector`](crate::client::Connector) opened or a server
/// accepted: TCP, TLS, or [a stream of your own](Self::boxed).
///
/// It implements the traits for reading and writing of its runtime.
///
/// ```no_run
/// # #[cfg(feature = "tokio")] {
/// # async fn show() -> Result<(), sansocket::Error> {
/// let websocket = sansocket::on_tokio::connect("wss://example.com/").await?;
/// let stream = websocket.get_ref();
/// println!("{} {}", stream.peer_addr()?, stream.is_secure());
/// # Ok(())
/// # }
/// # }
/// ```
#[doc(alias = "MaybeTlsStream")]
pub struct Stream<M: Sockets>(Kind<M>);

enum Kind<M: Sockets> {
    Tcp(M::Tcp),
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<Stream<M>>>),
    Boxed(Box<dyn AnyStream>),
}

impl<M: Sockets> Stream<M> {
    /// Wraps a TCP stream.
    #[must_use]
    pub const fn from_tcp(stream: M::Tcp) -> Self {
        Self(Kind::Tcp(stream))
    }

    /// Wraps a stream of your own, for example one that a tunnel made.
    #[must_use]
    pub fn boxed<S: Send + Sync + Unpin + 'static>(stream: S) -> Self
    where
        M: Shell<S>,
    {
        Self(Kind::Boxed(Box::new(Foreign::<S, M> { stream, shell: PhantomData })))
    }

    /// Returns the TCP stream, which may be below TLS, for example to set its options. Do not read
    /// from it or write to it. Returns `None` for a stream of your own.
    #[must_use]
    pub fn tcp(&self) -> Option<&M::Tcp> {
        match &self.0 {
            Kind::Tcp(stream) => Some(stream),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.get_ref().tcp(),
            Kind::Boxed(_) => None,
        }
    }

    /// Returns the TCP stream if nothing is on top of it.
    #[cfg(feature = "tokio")]
    #[inline]
    pub(crate) fn plain_tcp(&mut self) -> Option<&mut M::Tcp> {
        match &mut self.0 {
            Kind::Tcp(stream) => Some(stream),
            _ => None,
        }
    }

    /// Returns the address of the peer of the TCP stream. Behind a proxy that is the proxy's.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Unsupported`](io::ErrorKind::Unsupported) for a stream of your own.
    /// Otherwise returns the error of the system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        M::peer_addr(self.tcp().ok_or_else(not_tcp)?)
    }

    /// Returns this endpoint's address of the TCP stream.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`peer_addr`](Self::peer_addr).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        M::local_addr(self.tcp().ok_or_else(not_tcp)?)
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
        let stream = TlsStream::handshake::<M>(self, session).await?;
        Ok(Self(Kind::Tls(Box::new(stream))))
    }
}

/// The methods of [`Shell`], for the implementation of the runtime's own traits.
impl<M: Sockets> Stream<M> {
    /// Works like [`Shell::poll_read`].
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream.
    #[inline]
    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Kind::Tcp(stream) => M::poll_read(stream, cx, into),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.poll_read::<M>(cx, into),
            Kind::Boxed(stream) => stream.poll_read(cx, into),
        }
    }

    /// Works like [`Shell::poll_write`].
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream.
    #[inline]
    pub fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Kind::Tcp(stream) => M::poll_write(stream, cx, from),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.poll_write::<M>(cx, &[IoSlice::new(from)]),
            Kind::Boxed(stream) => stream.poll_write(cx, from),
        }
    }

    /// Works like [`Shell::poll_write_vectored`].
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream.
    pub fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Kind::Tcp(stream) => M::poll_write_vectored(stream, cx, from),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.poll_write::<M>(cx, from),
            Kind::Boxed(stream) => stream.poll_write_vectored(cx, from),
        }
    }

    /// Works like [`Shell::is_write_vectored`].
    #[must_use]
    pub fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Tcp(stream) => M::is_write_vectored(stream),
            #[cfg(feature = "rustls")]
            Kind::Tls(_) => true,
            Kind::Boxed(stream) => stream.is_write_vectored(),
        }
    }

    /// Works like [`Shell::poll_flush`].
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream.
    #[inline]
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Tcp(stream) => M::poll_flush(stream, cx),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.poll_flush::<M>(cx),
            Kind::Boxed(stream) => stream.poll_flush(cx),
        }
    }

    /// Works like [`Shell::poll_shutdown`]. TLS sends its `close_notify` first.
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Tcp(stream) => M::poll_shutdown_tcp(stream, cx),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => stream.poll_shutdown::<M>(cx),
            Kind::Boxed(stream) => stream.poll_shutdown(cx),
        }
    }
}

impl<M: Sockets> fmt::Debug for Stream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp(stream) => f.debug_tuple("Tcp").field(stream).finish(),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => f.debug_tuple("Tls").field(stream.get_ref()).finish(),
            Kind::Boxed(_) => f.debug_tuple("Boxed").finish(),
        }
    }
}

/// A stream whose type is not known, with the methods of [`Shell`].
trait AnyStream: Send + Sync + Unpin {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>>;
    fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>>;
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;
    fn is_write_vectored(&self) -> bool;
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

struct Foreign<S, M> {
    stream: S,
    shell: PhantomData<fn() -> M>,
}

impl<S: Send + Sync + Unpin, M: Shell<S>> AnyStream for Foreign<S, M> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        M::poll_read(&mut self.stream, cx, into)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        M::poll_write(&mut self.stream, cx, from)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        M::poll_write_vectored(&mut self.stream, cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        M::is_write_vectored(&self.stream)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        M::poll_flush(&mut self.stream, cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        M::poll_shutdown(&mut self.stream, cx)
    }
}
