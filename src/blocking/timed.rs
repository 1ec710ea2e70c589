//! A transport with a clock, which limits how long each operation may take.

use super::Transport;
use crate::buffer::WriteBuffer;
use crate::connection::{LargeMessage, gather};
use crate::io::{SLICES, is_timeout, some_written};
use crate::transport::{IoFailure, earliest};
use core::{mem, time::Duration};
use std::io::{self, ErrorKind, IoSlice};
use std::time::Instant;

/// Why a transport did not do what it was asked to.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The time for the operation is over.
    Over,
    /// The transport is not ready and did not wait for all of the time: it does not block, or the
    /// user has set a timeout on it.
    NotReady(io::Error),
    /// The transport has failed.
    Failed(io::Error),
}

impl Stopped {
    /// Returns the failure as the connection sees it.
    pub(super) fn failure(&self) -> IoFailure {
        match self {
            Self::Over | Self::NotReady(_) => IoFailure::NotReady,
            Self::Failed(error) => error.into(),
        }
    }
}

/// The least time for an operation, enough to find what is already there.
pub(super) const LEAST: Duration = Duration::from_millis(1);

/// The time for an operation that should not wait.
pub(super) const BRIEF: Duration = Duration::from_millis(5);

/// How long to wait for another thread, or for room to write.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// How much too early a timeout of a transport may expire. Systems count time in ticks, and this is
/// the longest tick.
pub(super) const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
enum Direction {
    Read,
    Write,
}

/// A transport whose operations have a time limit.
#[derive(Debug)]
pub(super) struct Timed<S> {
    pub(super) transport: S,
    epoch: Instant,
    /// If this is one of two handles: the read and write timeouts that are set on it now. They stay
    /// set between calls.
    kept: Option<[Option<Duration>; 2]>,
}

impl<S: Transport> Timed<S> {
    pub(super) fn new(transport: S) -> Self {
        Self { transport, epoch: Instant::now(), kept: None }
    }

    /// Makes a second handle with the same clock. From now on, one handle must only read and the
    /// other only write. Removes the user's timeouts.
    pub(super) fn try_clone(&mut self) -> io::Result<Self> {
        let transport = self.transport.try_clone()?;
        for direction in [Direction::Read, Direction::Write] {
            self.set(direction, None)?;
        }
        self.kept = Some([None; 2]);
        Ok(Self { transport, ..*self })
    }

    /// Returns to a single handle, without timeouts. From now on, the user's timeouts count again.
    pub(super) fn forget_clone(&mut self) {
        for direction in [Direction::Read, Direction::Write] {
            // A transport that fails here fails again when it is next used.
            let _ = self.set(direction, None);
        }
        self.kept = None;
    }

    /// Returns the time since this was created: the `now` for the connection's deadlines.
    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Returns the time left until `until`.
    pub(super) fn left(&self, until: Option<Duration>) -> Option<Duration> {
        until.map(|until| until.saturating_sub(self.now()))
    }

    /// Reads once. Returns 0 at the end of the transport.
    pub(super) fn read(
        &mut self,
        into: &mut [u8],
        timeout: Option<Duration>,
    ) -> Result<usize, Stopped> {
        self.bounded(Direction::Read, timeout, |transport| transport.read(into))
    }

    /// Writes once: from the queue, and from the message after it if the whole queue fits. If there
    /// is nothing to write, flushes the transport and returns 0.
    pub(super) fn write(
        &mut self,
        queued: &WriteBuffer,
        behind: Option<&LargeMessage<'_>>,
        timeout: Option<Duration>,
    ) -> Result<usize, Stopped> {
        let behind = behind.filter(|message| message.most_pieces() > 0);
        let front = queued.front();
        if behind.is_some() || front.len() < queued.len() {
            return self.write_pieces(queued, behind, timeout);
        }
        if front.is_empty() {
            return self.bounded(Direction::Write, timeout, S::flush).map(|()| 0);
        }
        self.bounded(Direction::Write, timeout, |transport| some_written(transport.write(front)))
    }

    /// A function of its own, because the slices take up stack space.
    #[inline(never)]
    fn write_pieces(
        &mut self,
        queued: &WriteBuffer,
        behind: Option<&LargeMessage<'_>>,
        timeout: Option<Duration>,
    ) -> Result<usize, Stopped> {
        let mut slices = [&[][..]; SLICES];
        let used = gather(queued, behind, &mut slices);
        let vectors = slices.map(IoSlice::new);
        self.bounded(Direction::Write, timeout, |transport| {
            some_written(transport.write_vectored(&vectors[..used]))
        })
    }

    /// Ends the writing side.
    pub(super) fn shut_down(&mut self, timeout: Option<Duration>) -> Result<(), Stopped> {
        self.bounded(Direction::Write, timeout, S::shutdown_write)
    }

    /// Returns `true` if the transport has timeouts. Without them, any call may block without
    /// limit.
    pub(super) fn has_timeouts(&mut self) -> bool {
        let timeout = self.transport.read_timeout();
        timeout.and_then(|timeout| self.transport.set_read_timeout(timeout)).is_ok()
    }

    /// Returns the read timeout that the user has set. On one of two handles, the timeout is never
    /// the user's.
    pub(super) fn user_read_timeout(&self) -> io::Result<Option<Duration>> {
        if self.kept.is_some() { Ok(None) } else { self.transport.read_timeout() }
    }

    /// Runs an operation with a time limit. A shorter timeout of the user also applies, and is
    /// restored afterwards.
    fn bounded<T>(
        &mut self,
        direction: Direction,
        timeout: Option<Duration>,
        operation: impl FnMut(&mut S) -> io::Result<T>,
    ) -> Result<T, Stopped> {
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(Stopped::Over);
        }
        if let Some(kept) = &mut self.kept {
            if mem::replace(&mut kept[direction as usize], timeout) != timeout {
                self.set(direction, timeout).map_err(Stopped::Failed)?;
            }
            return self.attempt(timeout, operation);
        }
        if timeout.is_none() {
            return self.attempt(None, operation);
        }
        let user_timeout = match direction {
            Direction::Read => self.transport.read_timeout(),
            Direction::Write => self.transport.write_timeout(),
        }
        .map_err(Stopped::Failed)?;
        let shorter = earliest(timeout, user_timeout);
        if shorter == user_timeout {
            return self.attempt(timeout, operation);
        }
        self.set(direction, shorter).map_err(Stopped::Failed)?;
        let outcome = self.attempt(timeout, operation);
        // A failure here must not discard the outcome.
        let _ = self.set(direction, user_timeout);
        outcome
    }

    fn attempt<T>(
        &mut self,
        timeout: Option<Duration>,
        mut operation: impl FnMut(&mut S) -> io::Result<T>,
    ) -> Result<T, Stopped> {
        let until = timeout.map(|timeout| self.now().saturating_add(timeout));
        loop {
            let error = match operation(&mut self.transport) {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            let is_interrupted = error.kind() == ErrorKind::Interrupted;
            if !is_interrupted && (!is_timeout(&error) || is_the_systems(&error)) {
                return Err(Stopped::Failed(error));
            }
            if self.left(until).is_some_and(|left| left <= TICK) {
                return Err(Stopped::Over);
            }
            if !is_interrupted {
                return Err(Stopped::NotReady(error));
            }
        }
    }

    fn set(&mut self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        let outcome = match direction {
            Direction::Read => self.transport.set_read_timeout(timeout),
            Direction::Write => self.transport.set_write_timeout(timeout),
        };
        outcome.or_else(|error| match error.kind() {
            ErrorKind::Unsupported => Ok(()),
            _ => Err(error),
        })
    }
}

/// Returns `true` if nobody set the timeout that expired: the system gave up on the peer
/// (`ETIMEDOUT`). On Windows, a timeout that was set gives the same error.
fn is_the_systems(error: &io::Error) -> bool {
    cfg!(unix) && error.kind() == ErrorKind::TimedOut && error.raw_os_error().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// A transport with a read timeout, which counts how often that is set.
    struct Counting {
        timeout: Option<Duration>,
        sets: usize,
    }

    impl Read for Counting {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(1)
        }
    }

    impl Write for Counting {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("nothing is written")
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Transport for Counting {
        fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
            self.timeout = timeout;
            self.sets += 1;
            Ok(())
        }

        fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
            panic!("a read does not set the write timeout")
        }

        fn read_timeout(&self) -> io::Result<Option<Duration>> {
            Ok(self.timeout)
        }

        fn write_timeout(&self) -> io::Result<Option<Duration>> {
            panic!("a read does not ask for the write timeout")
        }

        fn shutdown_write(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_read_touches_only_the_timeouts_that_it_needs() {
        let [short, long] = [Some(BRIEF), Some(PAUSE)];
        // The first is the user's timeout, and the second that of the connection.
        for (user, own, sets) in [(None, long, 2), (long, short, 2), (short, long, 0)] {
            let mut timed = Timed::new(Counting { timeout: user, sets: 0 });
            timed.read(&mut [0], own).unwrap();
            let Counting { timeout, sets: done } = timed.transport;
            assert_eq!((timeout, done), (user, sets), "{user:?} {own:?}");
        }
    }
}
