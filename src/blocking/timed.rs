//! A transport with a clock: what it is asked to do is bounded in time.

use super::Transport;
use crate::buffer::WriteBuffer;
use crate::connection::LargeMessage;
use crate::io::{SLICES, gather, is_timeout, some_written};
use crate::transport::{IoFailure, earliest};
use core::{mem, time::Duration};
use std::io::{self, ErrorKind, IoSlice};
use std::time::Instant;

/// Why a transport did not do what it was asked to.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The time that it was given is over.
    Over,
    /// It is not ready, and did not wait that long: it does not block, or its user has set a timeout.
    NotReady(io::Error),
    /// It has failed.
    Failed(io::Error),
}

impl Stopped {
    /// What the connection is told of it.
    pub(super) fn failure(&self) -> IoFailure {
        match self {
            Self::Over | Self::NotReady(_) => IoFailure::NotReady,
            Self::Failed(error) => error.into(),
        }
    }
}

/// How long a call takes at least, so that it finds what is there already.
pub(super) const LEAST: Duration = Duration::from_millis(1);

/// How long this end takes where it is not to wait.
pub(super) const BRIEF: Duration = Duration::from_millis(5);

/// How long it waits for what another thread is doing, or for room to write.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// By how much a timeout of a transport may end early: systems count in ticks, the coarsest of which
/// are this long.
const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
enum Direction {
    Read,
    Write,
}

/// A transport that is asked to do things for so long.
#[derive(Debug)]
pub(super) struct Timed<S> {
    pub(super) transport: S,
    epoch: Instant,
    /// What bounds reads and writes from one to the next, if this is one of two handles.
    kept: Option<[Option<Duration>; 2]>,
}

impl<S: Transport> Timed<S> {
    pub(super) fn new(transport: S) -> Self {
        Self { transport, epoch: Instant::now(), kept: None }
    }

    /// A second handle with the same clock. From now on one of them is to read, the other to write, and
    /// timeouts of the transport's user are gone.
    pub(super) fn try_clone(&mut self) -> io::Result<Self> {
        let transport = self.transport.try_clone()?;
        for direction in [Direction::Read, Direction::Write] {
            self.set(direction, None)?;
        }
        self.kept = Some([None; 2]);
        Ok(Self { transport, ..*self })
    }

    /// The time since this transport was taken up: the `now` of the connection's deadlines.
    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// The time that is left until this moment.
    pub(super) fn left(&self, until: Option<Duration>) -> Option<Duration> {
        until.map(|until| until.saturating_sub(self.now()))
    }

    /// Reads once; 0 is the end of the transport.
    pub(super) fn read(
        &mut self,
        into: &mut [u8],
        timeout: Option<Duration>,
    ) -> Result<usize, Stopped> {
        self.bounded(Direction::Read, timeout, |transport| transport.read(into))
    }

    /// Writes once: what is queued, and of the message behind it, if all of the queue goes along. If that
    /// is nothing, the transport writes what it may still hold, and 0 says that it has.
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

    /// Apart, since its slices take room on the stack.
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

    /// Whether a call can be bounded at all. Without timeouts any may wait for ever.
    pub(super) fn has_timeouts(&mut self) -> bool {
        let users = self.transport.timeouts();
        users.and_then(|[reads, _]| self.transport.set_read_timeout(reads)).is_ok()
    }

    /// Does something for so long. A shorter timeout of the transport's user holds too, and stays.
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
        let users = self.transport.timeouts().map_err(Stopped::Failed)?[direction as usize];
        self.set(direction, earliest(timeout, users)).map_err(Stopped::Failed)?;
        let outcome = self.attempt(timeout, operation);
        // What came of it is not lost if this fails.
        let _ = self.set(direction, users);
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

/// Whether a timeout is none that anyone has set: the system has given up on the peer (`ETIMEDOUT`).
/// On Windows one that was set is told so too.
fn is_the_systems(error: &io::Error) -> bool {
    cfg!(unix) && error.kind() == ErrorKind::TimedOut && error.raw_os_error().is_some()
}
