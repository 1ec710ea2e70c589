//! What the blocking shell needs of a stream beyond reading and writing, and the clock it is read by.

use crate::{
    WriteBuffer,
    io::{LATE_LIMIT, SLICES, gather, is_timeout},
};
use core::time::Duration;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{Shutdown, TcpStream},
    time::Instant,
};

/// A stream that a [`WebSocket`](super::WebSocket) runs over.
///
/// A stream that can only read and write is wrapped in [`Plain`].
pub trait Transport: Read + Write {
    /// Bounds how long each later read may take; `None` takes the bound away. One that takes longer
    /// fails with [`ErrorKind::WouldBlock`] or [`ErrorKind::TimedOut`].
    ///
    /// # Errors
    ///
    /// Those of the stream.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Bounds how long each later write may take, as
    /// [`set_read_timeout`](Self::set_read_timeout) does for reads, which it leaves as they are.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Ends the writing side, so that the peer reads an end of file behind what was written.
    ///
    /// # Errors
    ///
    /// Those of the stream.
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

// `Self::name` is the stream's own method, which goes before the trait's.
impl Transport for TcpStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_write_timeout(self, timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn try_clone(&self) -> io::Result<Self> {
        Self::try_clone(self)
    }
}

#[cfg(unix)]
impl Transport for UnixStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_write_timeout(self, timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn try_clone(&self) -> io::Result<Self> {
        Self::try_clone(self)
    }
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        (**self).shutdown_write()
    }
}

/// Any stream that reads and writes, as a [`Transport`] without deadlines.
///
/// A read or write that blocks for ever is not ended by a deadline of the connection: deadlines are
/// looked at only when the stream returns. And its writing side is only flushed, not shut down, so
/// that the peer learns of the end when the stream is dropped. It has no second handle, so its
/// connection can't be [split](super::WebSocket::split).
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
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// How long reading or writing may wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// The moment at which it ends, however much was done until then.
    pub(super) deadline: Option<Duration>,
    /// How long a single call of the transport may take, about. A transport that does not block
    /// shows if this is longer than a tick.
    pub(super) step: Option<Duration>,
}

impl From<Option<Duration>> for Patience {
    fn from(deadline: Option<Duration>) -> Self {
        Self { deadline, step: None }
    }
}

/// By how much a timeout of a transport may end early: systems count in ticks, the coarsest of which
/// are this long.
const TICK: Duration = Duration::from_millis(10);

/// For how long what is there is still read after the deadline.
const LATE_TIME: Duration = Duration::from_millis(500);

/// How long a read takes at most that is to find what is there already.
const BRIEF: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
enum Direction {
    Read,
    Write,
}

/// A transport with a clock: reads and writes end when patience does.
#[derive(Debug)]
pub(super) struct Timed<S> {
    pub(super) transport: S,
    epoch: Instant,
    /// The timeouts that were set on the transport, if any is.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// Whether something was written that the transport itself may still hold.
    unflushed: bool,
    /// Bytes that were read after the deadline, and until when that goes on.
    late: usize,
    late_until: Option<Duration>,
}

impl<S: Transport> Timed<S> {
    pub(super) fn new(transport: S) -> Self {
        Self {
            transport,
            epoch: Instant::now(),
            read_timeout: None,
            write_timeout: None,
            unflushed: false,
            late: 0,
            late_until: None,
        }
    }

    /// A second handle with the same clock. From now on one of them is to read, the other to write.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { transport: self.transport.try_clone()?, ..*self })
    }

    /// The time since this transport was taken up: the `now` of the connection's deadlines.
    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Reads once. Fails with `TimedOut` when the deadline has passed and not before, or when the
    /// step is over; `WouldBlock` comes from the transport itself.
    pub(super) fn read(
        &mut self,
        into: &mut [u8],
        patience: impl Into<Patience>,
    ) -> io::Result<usize> {
        self.bounded(Direction::Read, patience.into(), |transport| transport.read(into))
    }

    /// As [`read`](Self::read), but what is there already is read after the deadline too: it came in
    /// time, if this end was busy elsewhere. Within bounds of time and size.
    pub(super) fn read_late(
        &mut self,
        into: &mut [u8],
        patience: impl Into<Patience>,
    ) -> io::Result<usize> {
        let (patience, now) = (patience.into(), self.now());
        if patience.deadline.is_none_or(|deadline| now < deadline) {
            return self.read(into, patience);
        }
        let until = *self.late_until.get_or_insert(now.saturating_add(LATE_TIME));
        if until <= now || self.late > LATE_LIMIT {
            return Err(ErrorKind::TimedOut.into());
        }
        let brief = Patience { deadline: Some(now.saturating_add(BRIEF)), step: None };
        let count = self.read(into, brief).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
            _ => error,
        })?;
        self.late += count;
        Ok(count)
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
        patience: impl Into<Patience>,
        mut written: impl FnMut(&mut WriteBuffer),
    ) -> io::Result<()> {
        let patience = patience.into();
        while !output.is_empty() || !behind.is_empty() {
            let front = output.front();
            let count = if front.len() == output.len() && behind.is_empty() {
                self.bounded(Direction::Write, patience, |transport| transport.write(front))?
            } else {
                self.write_pieces(output, behind, patience)?
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
            self.bounded(Direction::Write, patience, Write::flush)?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// One vectored write of what is queued, and of what is behind if all of that goes along.
    fn write_pieces(
        &mut self,
        output: &WriteBuffer,
        behind: &[u8],
        patience: Patience,
    ) -> io::Result<usize> {
        let mut slices = [&[][..]; SLICES];
        let used = gather(output, behind, &mut slices);
        let vectors = slices.map(IoSlice::new);
        self.bounded(Direction::Write, patience, |transport| {
            transport.write_vectored(&vectors[..used])
        })
    }

    /// Ends the writing side, bounded as [`read`](Self::read) is.
    pub(super) fn shut_down(&mut self, patience: impl Into<Patience>) -> io::Result<()> {
        self.bounded(Direction::Write, patience.into(), Transport::shutdown_write)
    }

    /// Ends the writing side of a transport of which nothing is expected any more.
    pub(super) fn end(&mut self) {
        // It can only fail if it has ended anyway.
        let _ = self.transport.shutdown_write();
    }

    /// Takes away the bounds of the last deadlines, and with them any that the transport had
    /// before.
    pub(super) fn unbound(&mut self) -> io::Result<()> {
        self.bound(Direction::Read, None)?;
        self.bound(Direction::Write, None)
    }

    fn bounded<T>(
        &mut self,
        direction: Direction,
        patience: Patience,
        mut operation: impl FnMut(&mut S) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            let started = self.now();
            let left = patience.deadline.map(|deadline| deadline.saturating_sub(started));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(ErrorKind::TimedOut.into());
            }
            let timeout = earliest(left.map(|left| left.saturating_add(TICK)), patience.step);
            self.bound(direction, timeout)?;
            match operation(&mut self.transport) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => {
                    let waited = self.now().saturating_sub(started);
                    let is_over = left.is_some_and(|left| left <= waited)
                        || patience.step.is_some_and(|step| step <= waited.saturating_add(TICK));
                    return Err(match patience.step {
                        _ if is_over => ErrorKind::TimedOut.into(),
                        Some(_) => ErrorKind::WouldBlock.into(),
                        None => error,
                    });
                }
                outcome => return outcome,
            }
        }
    }

    /// Sets a timeout of the transport, unless it is set already. One that was not set here is left
    /// alone until there is another to set.
    fn bound(&mut self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        match direction {
            Direction::Read if self.read_timeout != timeout => {
                self.transport.set_read_timeout(timeout)?;
                self.read_timeout = timeout;
            }
            Direction::Write if self.write_timeout != timeout => {
                self.transport.set_write_timeout(timeout)?;
                self.write_timeout = timeout;
            }
            Direction::Read | Direction::Write => {}
        }
        Ok(())
    }
}

/// The earlier of two moments, or the shorter of two durations; `None` is never.
pub(super) fn earliest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}
