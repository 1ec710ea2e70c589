//! The stream of a client's connection.

use super::Transport;
use core::time::Duration;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;

/// The stream of a connection that a [`Connector`](super::Connector) has made.
///
/// Currently this is a TCP stream. Later versions may add TLS or a proxy without changing this
/// type.
#[doc(alias = "MaybeTlsStream")]
#[derive(Debug)]
pub struct Stream(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
}

impl Stream {
    /// Returns the TCP stream, for example to ask for its addresses. Don't read from it or write to
    /// it.
    #[must_use]
    pub const fn tcp(&self) -> &TcpStream {
        let Kind::Tcp(stream) = &self.0;
        stream
    }

    fn inner(&mut self) -> &mut TcpStream {
        let Kind::Tcp(stream) = &mut self.0;
        stream
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self(Kind::Tcp(stream))
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.inner().read(into)
    }
}

impl Write for Stream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.inner().write(from)
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.inner().write_vectored(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

impl Transport for Stream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Transport::set_read_timeout(self.inner(), timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Transport::set_write_timeout(self.inner(), timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.tcp().read_timeout()
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.tcp().write_timeout()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.inner().shutdown_write()
    }

    fn try_clone(&self) -> io::Result<Self> {
        self.tcp().try_clone().map(Self::from)
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
