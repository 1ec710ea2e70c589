//! How a connection ends: which Closes were sent, which endpoint ends the transport, by when, and
//! when the application learns of it (RFC 6455 §7).
//!
//! ```text
//!        the peer's Close               all written (server: and its FIN is out)
//!   open ─────────────────▶ finishing ───────────────────▶ reported ──▶ lingering ──▶ over
//!     ├──── a fault of the peer ────────────────────────────▶                          ▲
//!     └──── the transport ended, or the peer took too long ────────────────────────────┘
//! ```
//!
//! The *server* ends TCP (§7.1.1): it sends FIN after its last frame, and drops further input until
//! the client ends TCP as well. A socket that is closed with unread bytes resets the connection,
//! and a reset can overtake the Close in the peer's receive queue. The *client* waits for the
//! server's end and never ends TCP first.

use super::closed::{Cause, Closed, TransportEnd};
use super::error::{ProtocolError, SendError};
use super::initiator::Initiator;
use crate::frame::CloseCode;
use crate::timers::{Deadline, Late};
use crate::transport::{Fin, IoFailure, Wants, earliest};
use alloc::string::String;
use core::time::Duration;

/// How many bytes to read and drop after the last frame, to give the peer time to read this
/// endpoint's Close.
const MOST_DRAINED: usize = 64 << 20;

/// How many bytes to read and drop when this endpoint drops the transport without waiting.
const MOST_DRAINED_LEAVING: usize = 256 << 10;

/// How long a client waits for the server to end TCP before it reports a clean end. If a server's
/// transport has no half-close, the server waits as long for a peer that it has failed.
const LINGER: Duration = Duration::from_secs(1);

/// The state that exists only once a connection approaches its end: a Close was sent or received,
/// the peer broke the protocol, or the transport failed.
#[derive(Debug, Default)]
pub(super) struct Ending {
    sent: Option<(SentClose, CloseCode)>,
    /// Whether the whole of that Close was written.
    close_written: bool,
    /// The code and reason of the peer's Close.
    received: Option<(CloseCode, String)>,
    /// What made this endpoint close, unless the application asked for it.
    own_cause: Option<Cause>,
    /// Whether the time has passed in which the peer had to do something.
    timed_out: bool,
    /// By when the peer must have done its part.
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
    /// The transport is no longer needed, except that its writing side may still have to end.
    over: bool,
}

/// Why this endpoint sent its Close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentClose {
    /// This endpoint closed first, as far as it knew.
    First,
    /// The Close answers the peer's Close.
    Answer,
    /// This endpoint failed the connection.
    Failure,
}

/// What this endpoint still does, without waiting, before it drops the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Writing,
    /// Drops input, so many bytes so far: left unread, it would turn the end into a reset.
    Reading(usize),
    Done,
}

/// What the sending half contributes to decisions about the end.
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

    /// Returns the error for a message that comes too late, with what is known of the end so far.
    pub(super) fn refusal(&self) -> SendError {
        let initiator = self.initiator();
        let received = self.received.as_ref().map(|(code, _)| *code);
        let code = received.or(self.sent.map(|(_, code)| code)).unwrap_or(CloseCode::ABNORMAL);
        let is_transient = match (&self.closed, self.own_cause) {
            (Some(closed), _) => closed.is_transient(),
            (None, Some(Cause::Protocol(error))) => error.is_transient(),
            (None, None) if initiator == Initiator::Local => false,
            (None, _) => received.is_none_or(|code| !code.blames_recipient()),
        };
        SendError::Closed { code, initiator, is_transient }
    }

    fn initiator(&self) -> Initiator {
        match self.sent {
            Some((SentClose::First | SentClose::Failure, _)) => Initiator::Local,
            _ if self.received.is_some() => Initiator::Peer,
            Some((SentClose::Answer, _)) | None => Initiator::Transport,
        }
    }

    /// Returns `true` if writing has failed or has become pointless.
    pub(super) const fn is_broken(&self) -> bool {
        self.output_failed.is_some() || self.closed.is_some()
    }

    pub(super) fn sent(&mut self, why: SentClose, code: CloseCode) {
        self.sent = Some((why, code));
        self.deadline.set();
    }

    /// Notes that everything up to and including this endpoint's Close is written, if it has sent
    /// one.
    pub(super) fn wrote_close(&mut self) {
        self.close_written |= self.sent.is_some() && self.output_failed.is_none();
    }

    pub(super) fn received(&mut self, code: CloseCode, reason: &str) {
        self.received = Some((code, reason.into()));
    }

    /// Notes a fault of the peer, which counts more than what made this endpoint close before.
    pub(super) fn failed(&mut self, error: ProtocolError) {
        self.own_cause = Some(Cause::Protocol(error));
    }

    /// Notes that this endpoint closes because of its idle timeout.
    pub(super) fn idle_timeout_passed(&mut self, timeout: Duration) {
        self.own_cause.get_or_insert(Cause::IdleTimeout(timeout));
    }

    /// Notes that this endpoint closes because its outbox is full.
    pub(super) fn outbox_full(&mut self) {
        self.own_cause.get_or_insert(Cause::OutboxFull);
    }

    const fn has_failed(&self) -> bool {
        matches!(self.own_cause, Some(Cause::Protocol(_)))
    }

    /// Returns `true` if this endpoint ignores everything else that the peer sends.
    pub(super) const fn is_finishing(&self) -> bool {
        self.received.is_some() || self.has_failed()
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

    /// Notes that a write failed. Reading goes on for a while: what the peer sent before may still
    /// arrive and explain the failure.
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

    /// Notes that this endpoint drops the transport: from now on, [`next`](Self::next) asks for
    /// nothing that has to wait.
    pub(super) fn leave(&mut self) {
        self.leaving = Some(if self.over { Leaving::Done } else { Leaving::Writing });
    }

    /// Returns `true` if the transport still accepts output, or if it is still worth waiting for
    /// the peer.
    #[cfg(feature = "std")]
    pub(super) fn needs_lingering(&self, all_written: bool) -> bool {
        match self.input_ended {
            _ if self.output_failed.is_some() => false,
            None => !self.timed_out,
            Some(TransportEnd::Eof) => !all_written,
            Some(_) => false,
        }
    }

    /// Returns what to do next, or `None` once the connection is over.
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

    /// Ends the connection because its transport ended in this way or is dropped.
    pub(super) fn end(&mut self, how: TransportEnd) -> &Closed {
        self.over = true;
        self.timed_out |= how == TransportEnd::Timeout;
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
            // The end was not orderly, so writing is pointless as well.
            Some(how) => {
                self.end(how);
                return;
            }
        }
        if self.is_finishing() {
            self.finish(overdue, situation);
        } else if self.input_ended.is_some() {
            // A peer that has ended its side may still read, so the queue is written first.
            if written_or_lost || overdue {
                self.end(TransportEnd::Eof);
            }
        } else if overdue && self.is_late_over(situation.now) {
            self.end(TransportEnd::Timeout);
        }
    }

    /// Continues after the peer's Close, or after a fault of the peer.
    fn finish(&mut self, overdue: bool, situation: Situation) {
        let Situation { is_server, all_written, now, .. } = situation;
        // The fault is the cause of the end, whatever follows.
        if self.has_failed() {
            self.note_end(TransportEnd::Dropped);
        }
        if overdue {
            self.end(TransportEnd::Timeout);
        } else if self.drained > MOST_DRAINED {
            self.end(TransportEnd::Dropped);
        } else if self.output_failed.is_some() {
            self.end(TransportEnd::Eof);
        } else if !all_written || is_server && self.fin.is_open() {
            // Writing the rest and sending FIN come first.
        } else if self.input_ended.is_some() {
            self.end(TransportEnd::Eof);
        } else {
            self.linger(is_server, now);
        }
    }

    /// Handles the time after everything was written and before the peer ends its side.
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

    /// Returns the last thing to do: to end the writing side, because the application may keep the
    /// transport for long. `overdue` is the current time if the deadline has passed; then this is
    /// tried only once more.
    fn last_wants(&self, overdue: Option<Duration>) -> Option<Wants> {
        // How reading ended does not matter here: after an unknown read error, the peer may still
        // be waiting.
        let is_of_use = self.output_failed.is_none();
        // A transport that is not ready to send FIN gets no more time than the deadline.
        let may_wait = overdue.is_none() && self.input_ended.is_some();
        let is_wanted = self.fin == Fin::Unsent || self.fin == Fin::Tried && may_wait;
        (is_of_use && is_wanted).then(|| Wants {
            shut_down_write: true,
            deadline: overdue.or(self.deadline.next()),
            ..Wants::default()
        })
    }

    /// Records how the connection ended; only the first call counts. If the end is not clean, `how`
    /// is its cause, unless a failed write tells more.
    fn note_end(&mut self, how: TransportEnd) -> &Closed {
        let initiator = self.initiator();
        let Self { received, close_written, sent, own_cause, output_failed, closed, .. } = self;
        closed.get_or_insert_with(|| {
            let clean = received.is_some() && *close_written;
            let (code, reason) = match received {
                Some((code, reason)) => (*code, core::mem::take(reason)),
                None => (CloseCode::ABNORMAL, String::new()),
            };
            Closed {
                initiator,
                code,
                reason,
                sent_code: sent.map_or(CloseCode::ABNORMAL, |(_, code)| code),
                clean,
                cause: match own_cause {
                    Some(cause) => *cause,
                    None if clean => Cause::ClosingHandshake,
                    None => Cause::Transport(how_it_ended(how, *output_failed)),
                },
            }
        })
    }
}

/// Returns how the transport really ended, given that reading ended with `how`. The system reports
/// a reset only once: if a write gets that report, a later read sees what looks like an orderly
/// end.
fn how_it_ended(how: TransportEnd, output_failed: Option<IoFailure>) -> TransportEnd {
    use TransportEnd::{Eof, Reset, Timeout};
    match (how, output_failed) {
        (_, None) => how,
        (Eof | Timeout, Some(IoFailure::TimedOut)) => Timeout,
        // The peer had ended its side and then received more.
        (Eof, Some(IoFailure::Ended)) => Eof,
        (Eof | Timeout, Some(_)) => Reset,
        _ => how,
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::buffer::WriteBuffer;
    use crate::connection::sender::Next;
    use crate::connection::{Config, Connection, Server};
    use crate::negotiated::Negotiated;

    /// Its peer had the close timeout to read, so waiting for it once more is of no use.
    #[test]
    fn a_peer_that_was_given_up_gets_no_more_time() {
        let config = Config::default().close_timeout(Duration::from_secs(5));
        let connection = Connection::new(Server::new(), &Negotiated::new(), config);
        let (mut sender, _receiver) = connection.split();
        let mut output = WriteBuffer::new();
        sender.send_text("a message", &mut output).unwrap();
        sender.close(CloseCode::NORMAL, "", &mut output).unwrap();
        for (seconds, waits) in [(0, true), (4, true), (6, false), (7, false)] {
            let _: Next<'_> = sender.next(&mut output, || Duration::from_secs(seconds));
            sender.did_read(Err(IoFailure::NotReady));
            sender.did_read(Err(IoFailure::NotReady));
            let _: Next<'_> = sender.next(&mut output, || Duration::from_secs(seconds));
            assert_eq!(sender.needs_lingering(&output), waits, "{seconds}");
        }
    }
}
