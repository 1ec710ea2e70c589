//! What the transport is to do next, and what it did (RFC 6455 §7.1).

use super::Sender;
use crate::buffer::WriteBuffer;
use crate::connection::closed::{Closed, State, TransportEnd};
use crate::connection::ending::{Ending, Situation};
use crate::connection::role::Role;
use crate::transport::{IoFailure, Wants};
use core::time::Duration;

/// What is to be done with the transport of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection goes on or has ended")]
pub enum Next<'a> {
    /// Do this, say how it went, and ask again.
    Wants(Wants),
    /// Nothing more: drop the transport. The connection has ended so.
    Ended(&'a Closed),
}

impl<R: Role> Sender<R> {
    /// What the transport is to do next. `output` is what is queued.
    ///
    /// Ask once for each time that the transport was read or written, not for each message. `clock`
    /// tells the time as a duration since any moment that stays the same for this connection. It is
    /// asked only if a deadline runs.
    #[inline]
    pub fn next(&mut self, output: &WriteBuffer, clock: impl FnOnce() -> Duration) -> Next<'_> {
        if self.ending.is_none() {
            let write = !self.is_all_written(output);
            return Next::Wants(Wants { write, read: true, ..Wants::default() });
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
        self.state = State::Closed;
        Next::Ended(self.ending().end(TransportEnd::Dropped))
    }

    /// Says what came of reading: so many bytes, which are in the read buffer already
    /// ([`filled`](crate::ReadBuffer::filled)); 0 is the end of the transport.
    #[inline]
    pub fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        // Mostly there are some, and nothing comes to an end.
        if self.ending.is_none() && matches!(outcome, Ok(1..) | Err(IoFailure::NotReady)) {
            return;
        }
        self.did_read_near_end(outcome);
    }

    #[cold]
    fn did_read_near_end(&mut self, outcome: Result<usize, IoFailure>) {
        self.ending().did_read(outcome);
        if !matches!(outcome, Ok(1..) | Err(IoFailure::NotReady)) {
            self.state = State::Closed;
        }
    }

    /// Says what came of writing: so many bytes from the front of `output`, which are consumed here and
    /// not by you.
    ///
    /// Of a transport that holds bytes back until it is flushed, say [`IoFailure::NotReady`] of a flush that
    /// was not ready: it is then wanted to write once more, although `output` is empty. Say that 0 bytes were
    /// written once the flush is done.
    ///
    /// Taking none of several is a failure: it would be tried for ever.
    pub fn did_write(&mut self, outcome: Result<usize, IoFailure>, output: &mut WriteBuffer) {
        match outcome {
            Ok(0) if !output.is_empty() => self.failed_to_write(IoFailure::Ended),
            Ok(count) => {
                self.unflushed = false;
                output.consume(count);
                self.queue_owed(output);
            }
            Err(failure) => {
                self.unflushed |= failure == IoFailure::NotReady && output.is_empty();
                output.was_offered();
                self.failed_to_write(failure);
            }
        }
    }

    /// Says that writing failed.
    #[cold]
    pub(crate) fn failed_to_write(&mut self, failure: IoFailure) {
        if failure == IoFailure::NotReady && self.ending.is_none() {
            return;
        }
        self.ending().failed_to_write(failure);
        if failure != IoFailure::NotReady {
            // What is queued from now on would never leave.
            self.state = State::Closed;
        }
    }

    /// Says what came of ending the writing side: [`IoFailure::Unsupported`] if the transport has no
    /// half-close.
    pub fn did_shut_down(&mut self, outcome: Result<(), IoFailure>) {
        self.ending().did_shut_down(outcome);
    }

    /// How the connection ended, as soon as that is known. The transport may still be wanted for a
    /// while then, so that the peer reads this end's Close: that [`next`](Self::next) says.
    #[inline]
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.ending.as_ref()?.closed()
    }

    /// Says that this end is about to drop the transport, and learns by [`next`](Self::next) what is to be
    /// done before: to write what is queued, end the writing side and drop what has come, so that it does
    /// not turn the end into a reset. Do each without waiting and say what came of it, until
    /// [`next`](Self::next) has nothing more.
    pub fn leave(&mut self) {
        self.state = State::Closed;
        self.ending().leave();
    }

    /// As [`leave`](Self::leave), because nobody receives any more. The peer is told so (§7.4.1) if `tell`
    /// and no Close was sent.
    #[cfg(feature = "std")]
    pub(crate) fn abandon(&mut self, tell: bool, output: &mut WriteBuffer) {
        if tell {
            // It is refused if the peer knows.
            let _ = self.close(crate::frame::CloseCode::GOING_AWAY, "", output);
        }
        self.leave();
    }

    /// Says that the transport ended so, whatever is still wanted of it, and learns how the
    /// connection did. It is also for you to say if you drop the transport.
    ///
    /// What was received should be advanced through before, and its replies given here. What is left
    /// in `output` was not written: if this end's Close is in it, the end is not clean. Told more
    /// than once, the first stays.
    pub fn transport_ended(&mut self, how: TransportEnd, output: &WriteBuffer) -> &Closed {
        self.look_whether_close_is_written(output);
        self.state = State::Closed;
        self.ending().end(how)
    }

    /// §5.5.2: behind a Close nothing is queued but pongs. Pongs may also stand before it, but then the Close
    /// waits too.
    fn look_whether_close_is_written(&mut self, output: &WriteBuffer) {
        if !self.unflushed && output.len() == output.control_len() {
            self.ending().wrote_close();
        }
    }

    /// Whether `output` is empty and the transport holds nothing back either.
    #[inline]
    pub(crate) fn is_all_written(&self, output: &WriteBuffer) -> bool {
        output.is_empty() && !self.unflushed
    }

    /// Whether [`next`](Self::next) may want another thing than to read and to write: a Close was
    /// sent or came, or something has failed.
    #[inline]
    #[must_use]
    pub const fn is_near_end(&self) -> bool {
        self.ending.is_some()
    }

    /// Whether nothing can be sent any more: writing has failed, or the connection has
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
