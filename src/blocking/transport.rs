//! What the blocking shell needs of a stream besides reading and writing.

use alloc::boxed::Box;
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};

/// A stream that a [`WebSocket`](super::WebSocket) can run over.
///
/// If your stream can only read and write, wrap it in [`Plain`].
///
/// ```
/// use sansocket::blocking::Transport;
/// use std::io::{self, Read, Write};
/// use std::net::{Shutdown, TcpStream};
/// use std::time::Duration;
///
/// /// A stream that counts what it reads.
/// struct Counting {
///     stream: TcpStream,
///     count: usize,
/// }
///
/// impl Read for Counting {
///     fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
///         let count = self.stream.read(into)?;
///         self.count += count;
///         Ok(count)
///     }
/// }
///
/// impl Write for Counting {
///     fn write(&mut self, from: &[u8]) -> io::Result<usize> {
///         self.stream.write(from)
///     }
///
///     fn flush(&mut self) -> io::Result<()> {
///         self.stream.flush()
///     }
/// }
///
/// impl Transport for Counting {
///     fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
///         self.stream.set_read_timeout(timeout)
///     }
///
///     fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
///         self.stream.set_write_timeout(timeout)
///     }
///
///     fn shutdown_write(&mut self) -> io::Result<()> {
///         self.stream.shutdown(Shutdown::Write)
///     }
/// }
/// ```
pub trait Transport: Read + Write {
    /// Limits how long each later read may take; `None` removes the limit. A read that takes longer
    /// fails with [`ErrorKind::WouldBlock`] or [`ErrorKind::TimedOut`].
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Unsupported`] if the stream has no timeouts: the connection then checks
    /// its deadlines only when the stream returns. Otherwise returns the errors of the stream.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Limits how long each later write may take, as [`set_read_timeout`](Self::set_read_timeout)
    /// does for reads. Does not change the limit for reads.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`set_read_timeout`](Self::set_read_timeout).
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Returns the limit for reads that the user has set. The connection restores it when it no
    /// longer needs its own. The default implementation returns `None`.
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream.
    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }

    /// Returns the limit for writes that the user has set, as
    /// [`read_timeout`](Self::read_timeout) does for reads.
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream.
    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }

    /// Ends the writing side, so that the peer reads an end of file after the bytes written so far.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Unsupported`] if the stream has no such half-close. A server then ends
    /// its connection as soon as both Closes have been exchanged (RFC 6455 §7.1.1), and the user
    /// must drop the stream. Otherwise returns the errors of the stream.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Makes a second handle on the same stream, for [`WebSocket::split`](super::WebSocket::split).
    /// One thread then reads from one handle while another writes to the other.
    ///
    /// A timeout may apply to one handle or to both. [`shutdown_write`](Self::shutdown_write) on
    /// either handle should end a write that another thread is in.
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream. The default implementation returns
    /// [`ErrorKind::Unsupported`].
    fn try_clone(&self) -> io::Result<Self>
    where
        Self: Sized,
    {
        let message = "this transport can't be split: it can't make a second handle on its stream";
        Err(io::Error::new(ErrorKind::Unsupported, message))
    }
}

macro_rules! socket {
    ($socket:ty) => {
        // `Self::name` is the socket's own method, which takes precedence over the trait's.
        impl Transport for $socket {
            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                Self::set_read_timeout(self, timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                Self::set_write_timeout(self, timeout)
            }

            fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Self::read_timeout(self)
            }

            fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Self::write_timeout(self)
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

macro_rules! forward {
    ($pointer:ty) => {
        impl<T: Transport + ?Sized> Transport for $pointer {
            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                (**self).set_read_timeout(timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                (**self).set_write_timeout(timeout)
            }

            fn read_timeout(&self) -> io::Result<Option<Duration>> {
                (**self).read_timeout()
            }

            fn write_timeout(&self) -> io::Result<Option<Duration>> {
                (**self).write_timeout()
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                (**self).shutdown_write()
            }
        }
    };
}

// Neither can be split: a second handle on a `dyn Transport` would have no known size.
forward!(&mut T);
forward!(Box<T>);

/// A wrapper that turns any stream that reads and writes into a [`Transport`] without timeouts.
///
/// The deadlines of the connection can't interrupt a read or write that blocks: they are checked
/// only when the stream returns. For that reason, a connection that you drop before it has ended
/// writes nothing more.
///
/// The writing side can be flushed but not ended separately: the peer learns of the end when you
/// drop the stream. There is no second handle, so the connection can't be
/// [split](super::WebSocket::split).
///
/// ```no_run
/// use sansocket::blocking::{Connector, Plain};
/// use std::net::TcpStream;
///
/// # fn with_tls(stream: TcpStream) -> TcpStream { stream }
/// let stream = TcpStream::connect("example.com:443")?;
/// // `with_tls` stands for your TLS library, such as native-tls.
/// let stream = Plain(with_tls(stream));
/// let (websocket, _) = Connector::new().connect_over("wss://example.com/", stream)?;
/// # Ok::<(), sansocket::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a transparent wrapper")]
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
