//! How a connection comes to its end: which Closes went, who ends the transport, by when, and when
//! the application is told (RFC 6455 §7).
//!
//! ```text
//!        the peer's Close               all written (server: and its FIN is out)
//!   open ─────────────────▶ finishing ───────────────────▶ told ──▶ lingering ──▶ over
//!     ├──── the peer's fault ───────────────────────────────▶                      ▲
//!     └──── the transport ended, or the peer took too long ────────────────────────┘
//! ```
//!
//! The *server* ends TCP (§7.1.1): behind its last frame it sends FIN, and drops what still comes
//! until the client ends too. A socket that is closed with unread bytes resets the connection, and a
//! reset can overtake the Close in the peer's receive queue. The *client* waits for the server's
//! end and never ends first.

use super::closed::{Cause, Closed, Initiator, TransportEnd};
use super::error::ProtocolError;
use crate::frame::CloseCode;
use crate::timers::{Deadline, Late};
use crate::transport::{Fin, IoFailure, Wants, earliest};
use alloc::string::String;
use core::time::Duration;

/// Bytes that are read and dropped behind the last frame, so that the peer comes to read this end's
/// Close.
const MOST_DRAINED: usize = 64 << 20;

/// Bytes that are read and dropped by an end that does not wait.
const MOST_DRAINED_LEAVING: usize = 256 << 10;

/// How long a client waits for the server to end TCP before it is told of a clean end. A server whose
/// transport has no half-close waits as long for a peer that it has failed.
const LINGER: Duration = Duration::from_secs(1);

/// What is known of the end of a connection once there is anything to know: a Close was sent or came,
/// the peer broke the protocol, or the transport failed.
#[derive(Debug, Default)]
pub(super) struct Ending {
    sent: Option<(SentClose, CloseCode)>,
    /// Whether all of that Close was written.
    close_written: bool,
    /// The code and the reason of the peer's Close.
    received: Option<(CloseCode, String)>,
    failure: Option<ProtocolError>,
    /// By when the peer has to have done its part.
    deadline: Deadline,
    linger: Deadline,
    late: Option<Late>,
    drained: usize,
    /// How reading ended.
    input_ended: Option<TransportEnd>,
    /// How writing failed.
    output_failed: Option<IoFailure>,
    fin: Fin,
    closed: Option<Closed>,
    leaving: Option<Leaving>,
    /// Nothing more is wanted of the transport, but that its writing side ends.
    over: bool,
}

/// Why the sending half sends nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentClose {
    /// It closed first, as far as it knew.
    First,
    /// It answered the peer's Close.
    Answer,
    /// It failed the connection.
    Failure,
}

/// This end drops the transport: what it does before, as far as that needs no wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Writing,
    /// Dropping what has come, so many bytes so far: unread they would turn the end into a reset.
    Reading(usize),
    Done,
}

/// What the sending half adds to what is known here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    pub(super) is_server: bool,
    pub(super) all_written: bool,
    pub(super) close_timeout: Duration,
    pub(super) now: Duration,
}

impl Leaving {
    fn after_writing(self) -> Self {
        if self == Self::Writing { Self::Reading(0) } else { self }
    }
}

impl Ending {
    pub(super) const fn has_sent(&self) -> bool {
        self.sent.is_some()
    }

    pub(super) const fn closed(&self) -> Option<&Closed> {
        self.closed.as_ref()
    }

    /// Whether writing has failed, or is of no use any more.
    pub(super) const fn is_broken(&self) -> bool {
        self.output_failed.is_some() || self.closed.is_some()
    }

    pub(super) fn sent(&mut self, why: SentClose, code: CloseCode) {
        self.sent = Some((why, code));
        self.deadline.set();
    }

    /// Says that nothing waits to be written but what is queued behind this end's Close, if there is one.
    pub(super) fn wrote_close(&mut self) {
        self.close_written |= self.sent.is_some() && self.output_failed.is_none();
    }

    pub(super) fn received(&mut self, code: CloseCode, reason: &str) {
        self.received = Some((code, reason.into()));
    }

    pub(super) fn failed(&mut self, error: ProtocolError) {
        self.failure = Some(error);
    }

    /// Whether nothing more of what the peer sends is looked at.
    pub(super) const fn is_finishing(&self) -> bool {
        self.received.is_some() || self.failure.is_some()
    }

    pub(super) fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        if let Some(late) = &mut self.late {
            late.did_read(outcome);
        }
        if let Some(Leaving::Reading(dropped)) = self.leaving {
            self.leaving = Some(match outcome {
                Ok(count @ 1..) if dropped + count < MOST_DRAINED_LEAVING => {
                    Leaving::Reading(dropped + count)
                }
                _ => Leaving::Done,
            });
        }
        match outcome {
            Ok(0) => self.end_input(TransportEnd::Eof),
            Ok(count) if self.is_finishing() => self.drained += count,
            Ok(_) => {}
            Err(IoFailure::NotReady) => {}
            Err(IoFailure::TimedOut) => self.end_input(TransportEnd::Timeout),
            Err(IoFailure::TlsTruncated) => self.end_input(TransportEnd::TlsTruncated),
            Err(_) => self.end_input(TransportEnd::Reset),
        }
    }

    fn end_input(&mut self, how: TransportEnd) {
        self.input_ended.get_or_insert(how);
        self.deadline.set();
    }

    /// What the peer sent before may still be there and says why, so reading goes on for a while.
    pub(super) fn failed_to_write(&mut self, failure: IoFailure) {
        if failure == IoFailure::NotReady {
            self.leaving = self.leaving.map(Leaving::after_writing);
            return;
        }
        self.output_failed.get_or_insert(failure);
        self.deadline.set();
    }

    pub(super) fn did_shut_down(&mut self, outcome: Result<(), IoFailure>) {
        self.fin = Fin::after(outcome);
    }

    /// This end drops the transport: from now on nothing is wanted that needs a wait.
    pub(super) fn leave(&mut self) {
        self.leaving = Some(if self.over { Leaving::Done } else { Leaving::Writing });
    }

    /// What is wanted next; `None` once the connection is over.
    pub(super) fn next(&mut self, situation: Situation) -> Option<Wants> {
        if let Some(leaving) = self.leaving {
            return self.leave_next(leaving, situation);
        }
        let overdue = self.deadline.passed(situation.now, situation.close_timeout);
        if !self.over {
            self.conclude(overdue, situation);
        }
        if self.over {
            return self.last_wants(overdue.then_some(situation.now));
        }
        let is_writing = !situation.all_written && self.output_failed.is_none();
        let is_finished = self.is_finishing() && !is_writing;
        let deadline = match &mut self.late {
            Some(late) => Some(late.next(situation.now)),
            None => earliest(self.deadline.next(), self.linger.next()),
        };
        Some(Wants {
            write: is_writing && self.late.is_none(),
            read: self.input_ended.is_none(),
            shut_down_write: is_finished && situation.is_server && self.fin.is_open(),
            deadline,
        })
    }

    /// Ends the connection because its transport ended so, or is dropped.
    pub(super) fn end(&mut self, how: TransportEnd) -> &Closed {
        self.over = true;
        self.note_end(how)
    }

    fn leave_next(&mut self, leaving: Leaving, situation: Situation) -> Option<Wants> {
        let all_written = situation.all_written;
        let is_of_use = self.output_failed.is_none();
        if leaving == Leaving::Writing && !all_written && is_of_use {
            return Some(Wants { write: true, ..Wants::default() });
        }
        self.end(TransportEnd::Dropped);
        let leaving = leaving.after_writing();
        self.leaving = Some(leaving);
        let shut_down_write = is_of_use && self.fin == Fin::Unsent;
        let read = leaving != Leaving::Done && self.input_ended.is_none();
        (shut_down_write || read).then(|| Wants { read, shut_down_write, ..Wants::default() })
    }

    fn conclude(&mut self, overdue: bool, situation: Situation) {
        let written_or_lost = situation.all_written || self.output_failed.is_some();
        match self.input_ended {
            Some(TransportEnd::Eof) | None => {}
            // It did not end in order, so neither does writing lead anywhere.
            Some(how) => {
                self.end(how);
                return;
            }
        }
        if self.is_finishing() {
            self.finish(overdue, situation);
        } else if self.input_ended.is_some() {
            // A peer that has ended its side may read on: what was queued is still written.
            if written_or_lost || overdue {
                self.end(TransportEnd::Eof);
            }
        } else if overdue && self.is_late_over(situation.now) {
            self.end(TransportEnd::Timeout);
        }
    }

    /// Both Closes have come and gone as far as they will, or the connection has failed.
    fn finish(&mut self, overdue: bool, situation: Situation) {
        let Situation { is_server, all_written, now, .. } = situation;
        // The peer's fault is known: nothing that follows adds to it.
        if self.failure.is_some() {
            self.note_end(TransportEnd::Dropped);
        }
        if overdue {
            self.end(TransportEnd::Timeout);
        } else if self.drained > MOST_DRAINED {
            self.end(TransportEnd::Dropped);
        } else if self.output_failed.is_some() {
            self.end(TransportEnd::Eof);
        } else if !all_written || is_server && self.fin.is_open() {
            // That is wanted first.
        } else if self.input_ended.is_some() {
            self.end(TransportEnd::Eof);
        } else {
            self.linger(is_server, now);
        }
    }

    /// All was written, and the peer has not ended its side yet.
    fn linger(&mut self, is_server: bool, now: Duration) {
        let no_half_close = self.fin == Fin::Unsupported;
        if is_server && !no_half_close {
            self.note_end(TransportEnd::Eof);
            return;
        }
        if is_server && self.received.is_some() {
            self.end(TransportEnd::Dropped);
            return;
        }
        self.linger.set();
        if self.linger.passed(now, LINGER) {
            self.note_end(TransportEnd::Timeout);
            self.over |= is_server;
        }
    }

    fn is_late_over(&mut self, now: Duration) -> bool {
        self.late.get_or_insert_with(|| Late::new(now)).is_over(now)
    }

    /// Its user may keep the transport for long, so the last that is wanted is that it ends.
    /// `overdue` is the moment now, if the deadline has passed: then it is tried once more.
    fn last_wants(&self, overdue: Option<Duration>) -> Option<Wants> {
        // However reading ended: if that was for a reason without a name, the peer may still wait.
        let is_of_use = self.output_failed.is_none();
        // A transport that has to wait for it does so no longer than for the rest.
        let may_wait = overdue.is_none() && self.input_ended.is_some();
        let is_wanted = self.fin == Fin::Unsent || self.fin == Fin::Tried && may_wait;
        (is_of_use && is_wanted).then(|| Wants {
            shut_down_write: true,
            deadline: overdue.or(self.deadline.next()),
            ..Wants::default()
        })
    }

    /// Notes how the connection ended, the first time. `how` the transport did is said of an end that is not
    /// clean, unless a failure to write says it better.
    fn note_end(&mut self, how: TransportEnd) -> &Closed {
        let Self { received, close_written, sent, failure, output_failed, closed, .. } = self;
        closed.get_or_insert_with(|| {
            let clean = received.is_some() && *close_written;
            let (code, reason) = match received {
                Some((code, reason)) => (*code, core::mem::take(reason)),
                None => (CloseCode::ABNORMAL, String::new()),
            };
            Closed {
                initiator: match sent {
                    Some((SentClose::First | SentClose::Failure, _)) => Initiator::Local,
                    _ if code != CloseCode::ABNORMAL => Initiator::Peer,
                    Some((SentClose::Answer, _)) | None => Initiator::Transport,
                },
                code,
                reason,
                sent_code: sent.map_or(CloseCode::ABNORMAL, |(_, code)| code),
                clean,
                cause: match failure {
                    Some(error) => Cause::Protocol(*error),
                    None if clean => Cause::ClosingHandshake,
                    None => Cause::Transport(how_it_ended(how, *output_failed)),
                },
            }
        })
    }
}

/// How the transport really ended, if reading came to `how`: the system tells a reset once, and if
/// that was at a write, reading then meets what looks like an end in order.
fn how_it_ended(how: TransportEnd, output_failed: Option<IoFailure>) -> TransportEnd {
    use TransportEnd::{Eof, Reset, Timeout};
    match (how, output_failed) {
        (_, None) => how,
        (Eof | Timeout, Some(IoFailure::TimedOut)) => Timeout,
        // The peer had ended its side, and then heard of more.
        (Eof, Some(IoFailure::Ended)) => Eof,
        (Eof | Timeout, Some(_)) => Reset,
        _ => how,
    }
}
