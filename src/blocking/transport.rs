//! What the blocking shell needs of a stream beyond reading and writing, and the clock it is read by.

use crate::{
    WriteBuffer,
    transport::{SLICES, is_timeout},
};
use core::time::Duration;
use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{Shutdown, TcpStream},
    time::Instant,
};

/// A stream that a [`WebSocket`](super::WebSocket) runs over.
///
/// A stream that can only read and write is wrapped in [`Plain`].
pub trait Transport: Read + Write {
    /// Bounds how long each later read or write may take; `None` takes the bound away. One that
    /// takes longer fails with [`ErrorKind::WouldBlock`] or [`ErrorKind::TimedOut`].
    ///
    /// # Errors
    ///
    /// Those of the stream.
    fn set_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Ends the writing side, so that the peer reads an end of file behind what was written.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    fn shutdown_write(&mut self) -> io::Result<()>;
}

impl Transport for TcpStream {
    fn set_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)?;
        self.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[cfg(unix)]
impl Transport for std::os::unix::net::UnixStream {
    fn set_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)?;
        self.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn set_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        (**self).shutdown_write()
    }
}

/// Any stream that reads and writes, as a [`Transport`] without deadlines.
///
/// A read or write that blocks for ever is not ended by a deadline of the connection: deadlines are
/// looked at only when the stream returns. And its writing side is only flushed, not shut down, so
/// that the peer learns of the end when the stream is dropped.
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
    fn set_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A transport with a clock: reads and writes end at a deadline.
#[derive(Debug)]
pub(super) struct Timed<S> {
    pub(super) transport: S,
    epoch: Instant,
    bounded: bool,
    /// Whether something was written that the transport itself may still hold.
    unflushed: bool,
}

impl<S: Transport> Timed<S> {
    pub(super) fn new(transport: S) -> Self {
        Self { transport, epoch: Instant::now(), bounded: false, unflushed: false }
    }

    /// The time since this transport was taken up: the `now` of the connection's deadlines.
    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Reads once. Fails with `TimedOut` at the deadline and not before; `WouldBlock` comes from
    /// the transport itself.
    pub(super) fn read(
        &mut self,
        into: &mut [u8],
        deadline: Option<Duration>,
    ) -> io::Result<usize> {
        self.until(deadline, |transport| transport.read(into))
    }

    /// Whether the transport itself may still hold something that was written to it.
    pub(super) fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// Writes all of `output` and then `behind` it, as [`read`](Self::read) is bounded; calls
    /// `written` after each write. On failure `behind` is what was not written of it.
    pub(super) fn write(
        &mut self,
        output: &mut WriteBuffer,
        behind: &mut &[u8],
        deadline: Option<Duration>,
        mut written: impl FnMut(&mut WriteBuffer),
    ) -> io::Result<()> {
        while !output.is_empty() || !behind.is_empty() {
            let front = output.front();
            let count = if front.len() == output.len() && behind.is_empty() {
                self.until(deadline, |transport| transport.write(front))?
            } else {
                self.write_pieces(output, behind, deadline)?
            };
            if count == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            self.unflushed = true;
            let from_queue = count.min(output.len());
            output.consume(from_queue);
            *behind = behind.get(count - from_queue..).unwrap_or_default();
            // Nothing may be queued amid the frame that `behind` is the payload of.
            if behind.is_empty() {
                written(output);
            }
        }
        if self.unflushed {
            self.until(deadline, Write::flush)?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// One vectored write of what is queued, and of what is behind if all of that goes along.
    fn write_pieces(
        &mut self,
        output: &WriteBuffer,
        behind: &[u8],
        deadline: Option<Duration>,
    ) -> io::Result<usize> {
        let mut slices = [&[][..]; SLICES];
        let mut used = output.slices(&mut slices[..SLICES - 1]);
        let queued: usize = slices[..used].iter().map(|slice| slice.len()).sum();
        if queued == output.len() && !behind.is_empty() {
            slices[used] = behind;
            used += 1;
        }
        let vectors = slices.map(IoSlice::new);
        self.until(deadline, |transport| transport.write_vectored(&vectors[..used]))
    }

    /// Ends the writing side, bounded as [`read`](Self::read) is.
    pub(super) fn shut_down(&mut self, deadline: Option<Duration>) -> io::Result<()> {
        self.until(deadline, Transport::shutdown_write)
    }

    /// Ends the writing side of a transport of which nothing is expected any more.
    pub(super) fn end(&mut self) {
        // It can only fail if it has ended anyway.
        let _ = self.transport.shutdown_write();
    }

    /// Takes away the bound of the last deadline, and with it any that the transport had before.
    pub(super) fn unbound(&mut self) -> io::Result<()> {
        if self.bounded {
            self.transport.set_timeout(None)?;
            self.bounded = false;
        }
        Ok(())
    }

    fn until<T>(
        &mut self,
        deadline: Option<Duration>,
        mut operation: impl FnMut(&mut S) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            if let Some(deadline) = deadline {
                let left = deadline.saturating_sub(self.now());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut.into());
                }
                // A little over, so that the deadline has passed when the system wakes us.
                self.transport.set_timeout(Some(left.saturating_add(Duration::from_millis(1))))?;
                self.bounded = true;
            } else {
                self.unbound()?;
            }
            match operation(&mut self.transport) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) && self.has_passed(deadline) => {
                    return Err(ErrorKind::TimedOut.into());
                }
                outcome => return outcome,
            }
        }
    }

    fn has_passed(&self, deadline: Option<Duration>) -> bool {
        deadline.is_some_and(|deadline| deadline <= self.now())
    }
}
