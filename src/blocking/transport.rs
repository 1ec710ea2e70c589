//! What the blocking shell needs of a stream beyond reading and writing.

use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};

/// A stream that a [`WebSocket`](super::WebSocket) runs over.
///
/// A stream that can only read and write is wrapped in [`Plain`].
pub trait Transport: Read + Write {
    /// Bounds how long each later read may take; `None` takes the bound away. One that takes longer
    /// fails with [`ErrorKind::WouldBlock`] or [`ErrorKind::TimedOut`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the stream has no timeouts: a deadline of the connection is then
    /// looked at only when the stream returns. Else those of the stream.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Bounds how long each later write may take, as
    /// [`set_read_timeout`](Self::set_read_timeout) does for reads, which it leaves as they are.
    ///
    /// # Errors
    ///
    /// As for [`set_read_timeout`](Self::set_read_timeout).
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// How long a read and a write may take, as their user has set it: the connection sets that again once
    /// it needs no other bounds.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    fn timeouts(&self) -> io::Result<[Option<Duration>; 2]> {
        Ok([None; 2])
    }

    /// Ends the writing side, so that the peer reads an end of file behind what was written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the stream has no such half-close: a server then ends its
    /// connection as soon as both Closes have come and gone (RFC 6455 §7.1.1), for its user to drop the
    /// stream. Else those of the stream.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Makes a second handle on the same stream, for [`WebSocket::split`](super::WebSocket::split):
    /// one thread then reads from one handle while another writes to the other.
    ///
    /// It does not matter whether timeouts hold for one handle or for both.
    /// [`shutdown_write`](Self::shutdown_write) on either should end a write that another thread is
    /// in.
    ///
    /// # Errors
    ///
    /// Those of the stream; [`ErrorKind::Unsupported`] unless this is implemented.
    fn try_clone(&self) -> io::Result<Self>
    where
        Self: Sized,
    {
        let what = "this transport can't be split: it has no second handle on its stream";
        Err(io::Error::new(ErrorKind::Unsupported, what))
    }
}

macro_rules! socket {
    ($socket:ty) => {
        // `Self::name` is the socket's own method, which goes before the trait's.
        impl Transport for $socket {
            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                Self::set_read_timeout(self, timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                Self::set_write_timeout(self, timeout)
            }

            fn timeouts(&self) -> io::Result<[Option<Duration>; 2]> {
                Ok([self.read_timeout()?, self.write_timeout()?])
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }

            fn try_clone(&self) -> io::Result<Self> {
                Self::try_clone(self)
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);

impl<T: Transport + ?Sized> Transport for &mut T {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_write_timeout(timeout)
    }

    fn timeouts(&self) -> io::Result<[Option<Duration>; 2]> {
        (**self).timeouts()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        (**self).shutdown_write()
    }
}

/// Any stream that reads and writes, as a [`Transport`] without deadlines.
///
/// A read or write that blocks for ever is not ended by a deadline of the connection: deadlines are
/// looked at only when the stream returns. So a connection that is dropped before its end writes
/// nothing more. The writing side can be flushed, but not ended by itself: the peer learns of the end
/// when the stream is dropped. It has no second handle, so its connection can't be
/// [split](super::WebSocket::split).
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a wrapper with nothing to add")]
pub struct Plain<S>(pub S);

impl<S: Read> Read for Plain<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl<S: Write> Write for Plain<S> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.write(from)
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Read + Write> Transport for Plain<S> {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.flush()?;
        Err(ErrorKind::Unsupported.into())
    }
}
