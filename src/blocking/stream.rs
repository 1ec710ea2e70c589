//! The stream of a connection, whatever it consists of.

use super::Transport;
use alloc::{boxed::Box, vec::Vec};
use core::{fmt, net::SocketAddr, time::Duration};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;

#[cfg(feature = "rustls")]
use super::tls::TlsStream;
#[cfg(feature = "rustls")]
use crate::{error::Error, tls::Session};
#[cfg(feature = "rustls")]
use std::time::Instant;

/// The stream of a connection that a [`Connector`](super::Connector) opened or a server accepted:
/// TCP, TLS, or [a stream of your own](Self::boxed).
///
/// ```no_run
/// let websocket = sansocket::blocking::connect("wss://example.com/")?;
/// let stream = websocket.get_ref();
/// println!("{} {}", stream.peer_addr()?, stream.is_secure());
/// # Ok::<(), sansocket::Error>(())
/// ```
#[doc(alias = "MaybeTlsStream")]
pub struct Stream(Kind);

enum Kind {
    Tcp(TcpStream),
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<Stream>>),
    Boxed(Box<dyn AnyTransport>),
}

/// A transport of which the type is forgotten, but not how to make a second handle.
trait AnyTransport: Transport + Send + Sync {
    fn try_clone_boxed(&self) -> io::Result<Box<dyn AnyTransport>>;
}

impl<T: Transport + Send + Sync + 'static> AnyTransport for T {
    fn try_clone_boxed(&self) -> io::Result<Box<dyn AnyTransport>> {
        Ok(Box::new(self.try_clone()?))
    }
}

impl Stream {
    /// Wraps a transport of your own, for example one that a tunnel made.
    #[must_use]
    pub fn boxed(transport: impl Transport + Send + Sync + 'static) -> Self {
        Self(Kind::Boxed(Box::new(transport)))
    }

    /// Returns the TCP stream, which may be below TLS, for example to set its options. Don't read
    /// from it or write to it. Returns `None` for a transport of your own.
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
    /// Returns [`ErrorKind::Unsupported`] for a transport of your own. Otherwise returns the errors
    /// of [`TcpStream::peer_addr`].
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

    /// Limits how long each later read from the TCP stream may take; `None` removes the limit.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Unsupported`] for a transport of your own. Otherwise returns the errors
    /// of [`TcpStream::set_read_timeout`].
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp().ok_or_else(not_tcp)?.set_read_timeout(timeout)
    }

    /// Limits how long each later write to the TCP stream may take; `None` removes the limit.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Unsupported`] for a transport of your own. Otherwise returns the errors
    /// of [`TcpStream::set_write_timeout`].
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp().ok_or_else(not_tcp)?.set_write_timeout(timeout)
    }

    /// Returns `true` if the connection uses TLS that this crate provides. It says nothing of a
    /// transport of your own, or of a proxy in front of a server.
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

    /// Performs a TLS handshake over this stream. Returns `None` if it is not finished at `end`.
    #[cfg(feature = "rustls")]
    pub(super) fn secured(
        self,
        session: Session,
        end: Option<Instant>,
    ) -> Result<Option<Self>, Error> {
        let stream = TlsStream::handshake(self, session, end)?;
        Ok(stream.map(|stream| Self(Kind::Tls(Box::new(stream)))))
    }

    fn transport(&self) -> &dyn Transport {
        match &self.0 {
            Kind::Tcp(stream) => stream,
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => &**stream,
            Kind::Boxed(stream) => &**stream,
        }
    }

    fn transport_mut(&mut self) -> &mut dyn Transport {
        match &mut self.0 {
            Kind::Tcp(stream) => stream,
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => &mut **stream,
            Kind::Boxed(stream) => &mut **stream,
        }
    }
}

fn not_tcp() -> io::Error {
    io::Error::new(
        ErrorKind::Unsupported,
        "this works only over TCP, and not for a transport of your own",
    )
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self(Kind::Tcp(stream))
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.transport_mut().read(into)
    }
}

impl Write for Stream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.transport_mut().write(from)
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.transport_mut().write_vectored(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.transport_mut().flush()
    }
}

impl Transport for Stream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.transport_mut().set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.transport_mut().set_write_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.transport().read_timeout()
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.transport().write_timeout()
    }

    /// Ends the writing side. TLS sends its `close_notify` first.
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.transport_mut().shutdown_write()
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(match &self.0 {
            Kind::Tcp(stream) => Kind::Tcp(stream.try_clone()?),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => Kind::Tls(Box::new(TlsStream::try_clone(stream)?)),
            Kind::Boxed(stream) => Kind::Boxed((**stream).try_clone_boxed()?),
        }))
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
    fn assert_traits<T: Send + Sync + Unpin + Debug + 'static>() {}

    #[test]
    fn a_stream_has_the_promised_traits() {
        assert_traits::<Stream>();
    }
}
