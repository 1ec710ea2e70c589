//! The transport during an opening handshake: what to do with it next, by when, and the outcome.
//! Both roles use this module. It does not interpret the bytes.

use super::error::HandshakeError;
#[cfg(feature = "std")]
use crate::buffer::ReadBuffer;
use crate::buffer::WriteBuffer;
use crate::timers::{Deadline, Late};
use crate::transport::{Fin, IoFailure, Wants, earliest};
use core::time::Duration;
use thiserror::Error;

/// How long a peer has for its part of the opening handshake, by default.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a refused client has to read the refusal and to end its side.
const REFUSAL_LINGER: Duration = Duration::from_secs(2);

/// The same limit for a transport without half-close. A client may then wait for this endpoint to
/// close first.
const NO_HALF_CLOSE_LINGER: Duration = Duration::from_secs(1);

/// How many bytes are read and dropped during that time. A socket that is closed with unread bytes
/// resets the connection, and a reset can overtake the refusal in the client's receive queue.
const MOST_DRAINED: usize = 1 << 20;

/// How long a client waits for a response after it could not send its request, because the response may
/// be a refusal; and for the rest of a refusal, because its head says the most.
const REFUSED_LINGER: Duration = Duration::from_secs(1);

/// The next step of an opening handshake.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a handshake continues, succeeds or ends")]
pub enum HandshakeNext<T, E = OpeningError> {
    /// Do this with the transport, report the outcome, and ask again.
    Wants(Wants),
    /// The handshake produced this.
    Ready(T),
    /// No WebSocket or tunnel was opened, for this reason. Drop the transport.
    Ended(E),
}

/// The reason why an opening handshake ended without a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// What the peer sent does not open a WebSocket.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// This endpoint refused the client with this status.
    #[error("the client was refused with status {0}")]
    Refused(u16),
    /// The client made a plain HTTP request and received a response with this status: see
    /// [`Acceptor::plain_response`](crate::server::Acceptor::plain_response).
    #[error("the client made a plain HTTP request, which was answered with status {0}")]
    Answered(u16),
    /// The handshake was not finished in time.
    #[error("the opening handshake was not finished in time")]
    TimedOut,
    /// The transport failed.
    #[error("the transport failed during the opening handshake")]
    Transport(IoFailure),
}

/// One role of an opening handshake, or other work on a transport besides a connection. The shells
/// drive all of these in the same way.
#[cfg(feature = "std")]
pub(crate) trait Opens {
    type Step;
    type Error;

    fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<Self::Step, Self::Error>;

    fn exchange(&mut self) -> &mut Exchange;
}

/// The state of the transport, and the deadline for the peer's part.
#[derive(Debug)]
pub(crate) struct Exchange {
    timeout: Duration,
    deadline: Deadline,
    /// An earlier deadline, which is set once there is little left to wait for.
    linger: Deadline,
    /// The reads after the deadline. Set once the deadline has passed.
    late: Option<Late>,
    /// How reading ended: cleanly or with a failure.
    input_ended: Option<Result<(), IoFailure>>,
    /// The failure that ended writing.
    output_failed: Option<IoFailure>,
    /// `true` if the transport may still buffer written bytes.
    unflushed: bool,
    fin: Fin,
    drained: usize,
    /// How many bytes to read at a time, at most.
    #[cfg(feature = "std")]
    most_read: usize,
}

impl Exchange {
    /// Creates an exchange with a time limit, or without one if `timeout` is `None`. The time
    /// starts when the exchange first learns the current time, for example in [`wait`](Self::wait).
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        let mut deadline = Deadline::default();
        if timeout.is_some() {
            deadline.set();
        }
        Self {
            timeout: timeout.unwrap_or(Duration::MAX),
            deadline,
            linger: Deadline::default(),
            late: None,
            input_ended: None,
            output_failed: None,
            unflushed: false,
            fin: Fin::Unsent,
            drained: 0,
            #[cfg(feature = "std")]
            most_read: usize::MAX,
        }
    }

    /// Leaves everything beyond so many bytes in the transport.
    #[cfg(feature = "std")]
    pub(crate) fn read_at_most(&mut self, bytes: usize) {
        self.most_read = bytes;
    }

    /// Returns where to read to.
    #[cfg(feature = "std")]
    pub(crate) fn room<'b>(&self, input: &'b mut ReadBuffer) -> &'b mut [u8] {
        let spare = input.spare(1);
        let len = spare.len().min(self.most_read);
        &mut spare[..len]
    }

    /// Restarts the peer's time for the next step.
    pub(crate) fn restart(&mut self, timeout: Option<Duration>) {
        let Self { input_ended, output_failed, unflushed, .. } = *self;
        *self = Self { input_ended, output_failed, unflushed, ..Self::new(timeout) };
    }

    /// Gives a client time to read a refusal or another final response.
    pub(crate) fn refuse(&mut self) {
        self.restart(Some(REFUSAL_LINGER));
    }

    pub(crate) fn input_ended(&self) -> Option<Result<(), IoFailure>> {
        self.input_ended
    }

    pub(crate) fn output_failed(&self) -> Option<IoFailure> {
        self.output_failed
    }

    pub(crate) fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        if let Some(late) = &mut self.late {
            late.did_read(outcome);
        }
        match outcome {
            Ok(0) => {
                self.input_ended.get_or_insert(Ok(()));
            }
            Ok(count) => {
                self.drained = self.drained.saturating_add(count);
            }
            Err(IoFailure::NotReady) => {}
            Err(failure) => {
                self.input_ended.get_or_insert(Err(failure));
            }
        }
    }

    pub(crate) fn did_write(
        &mut self,
        outcome: Result<usize, IoFailure>,
        output: &mut WriteBuffer,
    ) {
        let failure = match outcome {
            // Treat this as the end of the transport, or writing would be retried without limit.
            Ok(0) if !output.is_empty() => IoFailure::Ended,
            Ok(count) => {
                self.unflushed = false;
                return output.consume(count);
            }
            Err(IoFailure::NotReady) => {
                self.unflushed |= output.is_empty();
                return;
            }
            Err(failure) => failure,
        };
        self.output_failed.get_or_insert(failure);
    }

    /// Like [`did_write`](Self::did_write), for a transport that is flushed after each write. A
    /// flush counts as a write of 0 bytes.
    #[cfg(feature = "std")]
    pub(crate) fn wrote_or_flushed(
        &mut self,
        outcome: Result<usize, IoFailure>,
        output: &mut WriteBuffer,
    ) {
        self.did_write(outcome, output);
        self.unflushed = outcome != Ok(0);
    }

    /// Returns `true` if `output` is empty and the transport buffers nothing either.
    pub(crate) fn is_all_written(&self, output: &WriteBuffer) -> bool {
        output.is_empty() && !self.unflushed
    }

    pub(crate) fn did_shut_down(&mut self, outcome: Result<(), IoFailure>) {
        self.fin = Fin::after(outcome);
    }

    /// Gives the peer a moment for the rest of a refusal.
    pub(crate) fn was_refused(&mut self) {
        self.linger.set();
    }

    /// Returns what to do to write the rest of this endpoint's part and to read the peer's part.
    /// Returns `None` once the time is over.
    ///
    /// After a write failure, this method continues to read for a while: the peer may have sent the
    /// reason before.
    pub(crate) fn wait(&mut self, all_written: bool, now: Duration) -> Option<Wants> {
        if self.output_failed.is_some() {
            self.linger.set();
        }
        if self.is_overdue(now, REFUSED_LINGER) {
            return self.read_late(now);
        }
        Some(Wants {
            write: !all_written && self.output_failed.is_none(),
            read: true,
            deadline: self.next_deadline(),
            ..Wants::default()
        })
    }

    /// Returns what to do to write the rest of this endpoint's part, or `None` once the time is
    /// over.
    pub(crate) fn write_out(&mut self, now: Duration) -> Option<Wants> {
        let overdue = self.is_overdue(now, Duration::MAX);
        let wants = Wants { write: true, deadline: self.next_deadline(), ..Wants::default() };
        (!overdue).then_some(wants)
    }

    /// Returns what to do to make sure that a refusal arrives: end the writing side after it, then
    /// read and drop what the client still sends. Returns `None` once that is done or pointless.
    pub(crate) fn linger(&mut self, all_written: bool, now: Duration) -> Option<Wants> {
        if self.fin == Fin::Unsupported {
            self.linger.set();
        }
        let overdue = self.is_overdue(now, NO_HALF_CLOSE_LINGER);
        let has_failed = self.output_failed.is_some() || matches!(self.input_ended, Some(Err(_)));
        let shut_down_write = all_written && self.fin.is_open();
        let read = self.input_ended.is_none();
        let is_done = all_written && !shut_down_write && !read;
        if overdue || has_failed || is_done || self.drained > MOST_DRAINED {
            return None;
        }
        Some(Wants { write: !all_written, read, shut_down_write, deadline: self.next_deadline() })
    }

    fn is_overdue(&mut self, now: Duration, linger: Duration) -> bool {
        let deadline_passed = self.deadline.passed(now, self.timeout);
        self.linger.passed(now, linger) || deadline_passed
    }

    fn next_deadline(&self) -> Option<Duration> {
        earliest(self.deadline.next(), self.linger.next())
    }

    fn read_late(&mut self, now: Duration) -> Option<Wants> {
        let late = self.late.get_or_insert_with(|| Late::new(now));
        let deadline = Some(late.next(now));
        (!late.is_over(now)).then(|| Wants { read: true, deadline, ..Wants::default() })
    }
}
