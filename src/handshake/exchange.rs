//! The transport during an opening handshake: what it is to do next, by when, and what became of
//! that. Both roles have this; what the bytes mean is not looked at here.

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

/// How long if the transport has no half-close, so that the client may wait for this end instead.
const NO_HALF_CLOSE_LINGER: Duration = Duration::from_secs(1);

/// Bytes that are read and dropped meanwhile. A socket that is closed with unread bytes resets the
/// connection, and a reset can overtake the refusal in the client's receive queue.
const MOST_DRAINED: usize = 1 << 20;

/// How long a client waits for the answer of a server that does not take its request: that may be a
/// refusal.
const UNSENT_LINGER: Duration = Duration::from_secs(1);

/// What is to be done next in an opening handshake.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a handshake goes on, comes to something or ends")]
pub enum HandshakeNext<T> {
    /// Do this with the transport, say how it went, and ask again.
    Wants(Wants),
    /// The handshake has come to this.
    Ready(T),
    /// Nothing more: drop the transport. No WebSocket was opened, and why.
    Ended(OpeningError),
}

/// Why an opening handshake has ended without a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// What the peer sent does not open one.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// This end refused the client, with this status.
    #[error("the client was refused with status {0}")]
    Refused(u16),
    /// The handshake was not finished in time.
    #[error("the opening handshake was not finished in time")]
    TimedOut,
    /// The transport failed.
    #[error("the transport failed during the opening handshake")]
    Transport(IoFailure),
}

/// One end of an opening handshake, for the shells: they drive both in one way.
#[cfg(feature = "std")]
pub(crate) trait Opens {
    type Step;

    fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<Self::Step>;

    fn exchange(&mut self) -> &mut Exchange;
}

/// What is known of the transport, and by when the peer has to have done its part.
#[derive(Debug)]
pub(crate) struct Exchange {
    timeout: Duration,
    deadline: Deadline,
    /// Ends it sooner: there is little to wait for any more.
    linger: Deadline,
    /// How it is read after the deadline, once that has passed.
    late: Option<Late>,
    /// How reading ended: in order, or by a failure.
    input_ended: Option<Result<(), IoFailure>>,
    /// How writing failed.
    output_failed: Option<IoFailure>,
    /// Whether the transport holds back what it was given.
    unflushed: bool,
    fin: Fin,
    drained: usize,
}

impl Exchange {
    /// The time begins when [`wait`](Self::wait) first hears what time it is; `None` has no end.
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
        }
    }

    /// Gives the peer time anew, for the next step.
    pub(crate) fn restart(&mut self, timeout: Option<Duration>) {
        let Self { input_ended, output_failed, unflushed, .. } = *self;
        *self = Self { input_ended, output_failed, unflushed, ..Self::new(timeout) };
    }

    /// Gives a refused client time to read the refusal.
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
            // It would be tried for ever.
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

    /// As [`did_write`](Self::did_write), of a transport that is flushed behind each write: that came to
    /// 0 bytes.
    #[cfg(feature = "std")]
    pub(crate) fn wrote_or_flushed(
        &mut self,
        outcome: Result<usize, IoFailure>,
        output: &mut WriteBuffer,
    ) {
        self.did_write(outcome, output);
        self.unflushed = outcome != Ok(0);
    }

    /// Whether `output` is empty and the transport holds nothing back either.
    pub(crate) fn is_all_written(&self, output: &WriteBuffer) -> bool {
        output.is_empty() && !self.unflushed
    }

    pub(crate) fn did_shut_down(&mut self, outcome: Result<(), IoFailure>) {
        self.fin = Fin::after(outcome);
    }

    /// What is wanted to write this end's part, if that is not done, and to read the peer's; `None`
    /// once the time is over.
    ///
    /// If writing fails, what the peer sent before may still be there and says why: so it is read on
    /// for a while.
    pub(crate) fn wait(&mut self, all_written: bool, now: Duration) -> Option<Wants> {
        if self.output_failed.is_some() {
            self.linger.set();
        }
        if self.is_overdue(now, UNSENT_LINGER) {
            return self.read_late(now);
        }
        Some(Wants {
            write: !all_written && self.output_failed.is_none(),
            read: true,
            deadline: self.next_deadline(),
            ..Wants::default()
        })
    }

    /// What is wanted to write the last of this end's part; `None` once the time is over.
    pub(crate) fn write_out(&mut self, now: Duration) -> Option<Wants> {
        let overdue = self.is_overdue(now, Duration::MAX);
        let wants = Wants { write: true, deadline: self.next_deadline(), ..Wants::default() };
        (!overdue).then_some(wants)
    }

    /// What is wanted so that a refusal arrives: behind it the writing side ends, and what the client
    /// still sends is read, to be dropped. `None` once there is nothing more to do for that.
    pub(crate) fn see_off(&mut self, all_written: bool, now: Duration) -> Option<Wants> {
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
