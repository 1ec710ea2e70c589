//! The next operations on the transport, and their outcomes (RFC 6455 §7.1).

use super::{MaySend, Sender};
use crate::buffer::WriteBuffer;
use crate::connection::closed::{Closed, TransportEnd};
use crate::connection::ending::{Ending, Situation};
use crate::connection::role::Role;
use crate::transport::{IoFailure, Wants};
use core::time::Duration;

/// The next step for the transport of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection goes on or has ended")]
pub enum Next<'a> {
    /// Do these operations, report their outcome, and ask again.
    Wants(Wants),
    /// Do nothing more and drop the transport. The connection has ended as described.
    Ended(&'a Closed),
}

impl<R: Role> Sender<R> {
    /// Returns what to do with the transport next. `output` is the queued output, to which this adds
    /// a ping if [keepalive](crate::Config::keepalive) needs one, a Close if a timeout has passed, and
    /// messages that were [pushed](Self::push) while it was too long.
    ///
    /// Call this once per read or write of the transport, not once per message. `clock` returns the
    /// time since a fixed moment that stays the same for this connection. It is called only while a
    /// deadline is running.
    #[inline]
    pub fn next(
        &mut self,
        output: &mut WriteBuffer,
        mut clock: impl FnMut() -> Duration,
    ) -> Next<'_> {
        self.refill(output);
        if let Some(due) = self.due(output, &mut clock) {
            self.queue_due(due, output);
        }
        self.next_of(output, clock)
    }

    /// Works like [`next`](Self::next), but queues nothing: first ask whether
    /// something is [due](Self::due).
    #[inline]
    pub(crate) fn next_of(
        &mut self,
        output: &WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> Next<'_> {
        if self.ending.is_none() {
            let write = !self.is_all_written(output);
            let deadline = self.rare.as_ref().and_then(|rare| rare.deadline());
            return Next::Wants(Wants { write, read: true, deadline, ..Wants::default() });
        }
        self.next_near_end(output, clock())
    }

    #[cold]
    fn next_near_end(&mut self, output: &WriteBuffer, now: Duration) -> Next<'_> {
        self.look_whether_close_is_written(output);
        let all_written = self.is_all_written(output);
        let close_timeout = self.config.close_timeout;
        let situation = Situation { is_server: !R::MASKS, all_written, close_timeout, now };
        if let Some(wants) = self.ending().next(situation) {
            return Next::Wants(wants);
        }
        self.may_send = MaySend::Nothing;
        self.discard_outbox();
        self.count_held(output);
        Next::Ended(self.ending().end(TransportEnd::Dropped))
    }

    /// Reports the outcome of a read. The bytes are already in the read buffer
    /// ([`filled`](crate::buffer::ReadBuffer::filled)); 0 bytes mean the end of the transport.
    #[inline]
    pub fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        if let Some(rare) = &mut self.rare {
            rare.did_read(outcome);
        }
        // Most reads return data, with no end in sight.
        if self.ending.is_none() && matches!(outcome, Ok(1..) | Err(IoFailure::NotReady)) {
            return;
        }
        self.did_read_near_end(outcome);
    }

    #[cold]
    fn did_read_near_end(&mut self, outcome: Result<usize, IoFailure>) {
        self.ending().did_read(outcome);
        if !matches!(outcome, Ok(1..) | Err(IoFailure::NotReady)) {
            self.may_send = MaySend::Nothing;
        }
    }

    /// Reports the outcome of a write. This consumes the written bytes from the front of `output`,
    /// so you must not.
    ///
    /// A transport such as TLS may hold bytes back until it is flushed. First report the write, then
    /// flush. If the flush is not ready, report [`IoFailure::NotReady`] as well: `next` then asks
    /// you to write once more, although `output` is empty. Flush again then, and report 0 written
    /// bytes once it is done.
    ///
    /// While `output` is not empty, a write of 0 bytes counts as a failure: otherwise it would be
    /// retried without limit.
    pub fn did_write(&mut self, outcome: Result<usize, IoFailure>, output: &mut WriteBuffer) {
        match outcome {
            Ok(0) if !output.is_empty() => self.failed_to_write(IoFailure::Ended),
            Ok(count) => {
                self.unflushed = false;
                self.count_written(count);
                output.consume(count);
                self.refill(output);
            }
            Err(failure) => {
                self.unflushed |= failure == IoFailure::NotReady && output.is_empty();
                output.was_offered();
                self.failed_to_write(failure);
            }
        }
    }

    /// Reports that a write failed.
    #[cold]
    pub(crate) fn failed_to_write(&mut self, failure: IoFailure) {
        if failure == IoFailure::NotReady && self.ending.is_none() {
            return;
        }
        self.ending().failed_to_write(failure);
        if failure != IoFailure::NotReady {
            // Anything queued from now on would never be sent.
            self.may_send = MaySend::Nothing;
            self.discard_outbox();
        }
    }

    /// Reports the outcome of shutting down the writing side. Report [`IoFailure::Unsupported`] if
    /// the transport has no half-close.
    pub fn did_shut_down(&mut self, outcome: Result<(), IoFailure>) {
        self.ending().did_shut_down(outcome);
    }

    /// Returns how the connection ended, as soon as that is known: [`next`](Self::next) finds out.
    /// The transport may still be needed for a while, to let the peer read this endpoint's Close.
    #[inline]
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.ending.as_ref()?.closed()
    }

    /// Announces that you are about to drop the transport. From then on, [`next`](Self::next) only
    /// asks for what can be done without waiting: to write the queue, to end the writing side, and
    /// to drop the input that has arrived, because unread input would turn the end into a reset.
    /// Carry out each operation as far as possible without waiting, and report its outcome, until
    /// [`next`](Self::next) returns [`Next::Ended`].
    pub fn leave(&mut self) {
        self.may_send = MaySend::Nothing;
        self.ending().leave();
    }

    /// Returns `true` if dropping the transport now would lose something that could be saved with
    /// more time: unwritten output, or an orderly end.
    #[cfg(feature = "std")]
    pub(crate) fn needs_lingering(&self, output: &WriteBuffer) -> bool {
        let all_written = self.is_all_written(output);
        self.ending.as_ref().is_none_or(|ending| ending.needs_lingering(all_written))
    }

    /// Like [`leave`](Self::leave), for a connection on which nobody receives any more. A Close
    /// informs the peer (§7.4.1), unless one was sent.
    #[cfg(feature = "std")]
    pub(crate) fn abandon(&mut self, output: &mut WriteBuffer) {
        // Closing can't fail here, and does nothing if a Close was sent already.
        let _ = self.close(crate::frame::CloseCode::GOING_AWAY, "", output);
        self.leave();
    }

    /// Reports that the transport has ended, no matter what [`next`](Self::next) still asked for,
    /// and returns how the connection ended. If the transport is not dropped yet, `next` may still
    /// ask once to end its writing side. Before you drop a transport that still works, call
    /// [`leave`](Self::leave) instead.
    ///
    /// Before that, advance through everything that was received, and pass on the replies. The rest
    /// of `output` was not written: if it includes this endpoint's Close, the end is not clean.
    /// Only the first call counts.
    pub fn transport_ended(&mut self, how: TransportEnd, output: &WriteBuffer) -> &Closed {
        self.look_whether_close_is_written(output);
        self.may_send = MaySend::Nothing;
        self.discard_outbox();
        self.count_held(output);
        self.ending().end(how)
    }

    /// Notes when the Close is written. After a Close, only pongs are queued (§5.5.2). Pongs may
    /// also be queued before it, but then the Close is queued as well.
    fn look_whether_close_is_written(&mut self, output: &WriteBuffer) {
        if !self.unflushed && output.len() == output.control_len() {
            self.ending().wrote_close();
        }
    }

    /// Returns `true` if `output` is empty and the transport holds nothing back.
    #[inline]
    pub(crate) fn is_all_written(&self, output: &WriteBuffer) -> bool {
        output.is_empty() && !self.unflushed
    }

    /// Returns `true` if [`next`](Self::next) may ask for more than reading and writing: a Close
    /// was sent or received, or something has failed.
    #[inline]
    #[must_use]
    pub const fn is_near_end(&self) -> bool {
        self.ending.is_some()
    }

    /// Returns `true` if a write can change what [`next`](Self::next) asks for.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn depends_on_writes(&self) -> bool {
        self.is_near_end() || self.is_pinging()
    }

    /// Returns `true` if nothing can be sent any more: a write has failed, or the connection has
    /// [closed](Self::closed).
    #[inline]
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.is_broken())
    }

    pub(super) fn ending(&mut self) -> &mut Ending {
        self.ending.get_or_insert_default()
    }
}
