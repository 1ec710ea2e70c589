//! The receiving side of a blocking connection, whole or split. It finds events in the bytes that
//! it reads, and carries out what the connection wants from the transport.

use super::Transport;
use super::access::{Access, Sending};
use super::timed::{LEAST, PAUSE, Stopped, TICK, Timed};
use crate::buffer::{READ_ROOM, RETAINED, ReadBuffer};
use crate::connection::{
    Chunk, Counters, Event, Message, Progress, ReceiveError, Receiver, Role, Sender, TrafficLimit,
    counters_of,
};
use crate::error::{Error, Misuse};
use crate::frame::CloseCode;
use crate::io::DISCARD_SIZE;
use crate::trace::Trace;
use crate::transport::{IoFailure, Wants, earliest};
use alloc::{sync::Arc, vec::Vec};
use core::{mem, time::Duration};
use std::{
    io::{self, ErrorKind},
    thread,
};

/// The transport and the sending half, as the receiving side sees them.
pub(super) trait ReceiverIo {
    type Transport: Transport;
    type Sending: Access;

    /// Returns the sending half and the transport to read from.
    fn parts(&mut self) -> (&mut Self::Sending, &mut Timed<Self::Transport>);

    /// Returns what is to be told of the connection.
    fn trace(&mut self) -> &mut Trace;

    /// Writes what is queued and ends the writing side, as far as the connection wants that. If
    /// `waits` is false, this does only as much as the transport takes without a wait. It asks the
    /// connection again after each step: `wants` only tells whether there is anything to do.
    fn write(&mut self, wants: &Wants, waits: bool) -> Result<(), Stopped>;

    /// Returns how long a read may last before the connection is asked again what it wants.
    fn max_read_time(&self) -> Option<Duration>;

    /// Returns `true` if the server is shutting down. The connection must then be told.
    fn is_shutting_down(&self) -> bool;
}

#[derive(Debug)]
pub(super) struct Incoming<R> {
    receiver: Receiver<R>,
    input: ReadBuffer,
    /// Whether the end has been reported to the user.
    reported: bool,
    misuse: Misuse,
}

type Advance<R> = fn(&mut Receiver<R>, &mut ReadBuffer) -> Result<Progress, ReceiveError>;

/// The outcome of [`Incoming::drive`].
#[derive(Debug)]
enum Driven {
    /// Some bytes were read.
    Read,
    /// The end can be reported. Holds the error of the last read, if it failed.
    Ended(Option<io::Error>),
}

impl<R: Role> Incoming<R> {
    pub(super) fn new(receiver: Receiver<R>, input: ReadBuffer) -> Self {
        Self { receiver, input, reported: false, misuse: Misuse::default() }
    }

    /// Returns the bytes that were read but not used.
    pub(super) fn into_unread(self) -> Vec<u8> {
        self.input.unread().to_vec()
    }

    /// Returns the counters of both sides.
    pub(super) fn counters(&self, sender: &Sender<R>) -> Option<Counters> {
        counters_of(sender, &self.receiver)
    }

    /// Counts from now on what is received, for the server that runs the connection.
    pub(super) fn count_traffic(&mut self, limit: Arc<dyn TrafficLimit>) {
        self.receiver.count_traffic(limit, &self.input);
    }

    /// Waits until `advance` finds something and lends it, as extracted by `look`. Returns `None`
    /// once the end of the connection has been reported.
    pub(super) fn receive<'a, T>(
        &'a mut self,
        receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>,
        advance: Advance<R>,
        look: fn(&Receiver<R>, &'a ReadBuffer) -> Option<T>,
    ) -> Option<Result<T, Error>> {
        match self.wait(receiver_io, advance)? {
            Ok(()) => {
                let found = look(&self.receiver, &self.input);
                Some(Ok(found.expect("an event stays available until the next call of `advance`")))
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Lends the next event if all of it has already been read.
    pub(super) fn receive_buffered(
        &mut self,
        receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>,
    ) -> Option<Event<'_>> {
        while !self.reported {
            match self.advance(receiver_io, Receiver::advance) {
                Ok(Progress::Event) => return self.receiver.event(&self.input),
                Ok(Progress::More) => {}
                Ok(Progress::NeedsInput | Progress::Ended) | Err(_) => break,
            }
        }
        None
    }

    /// Returns the chunk that was found last, if there is one.
    pub(super) fn current_chunk(&self) -> Option<Chunk<'_>> {
        self.receiver.chunk(&self.input)
    }

    /// Returns `true` if a message has begun whose end was not found.
    pub(super) fn is_inside_message(&self) -> bool {
        !self.receiver.is_between_messages()
    }

    /// Skips the rest of the message of which a chunk was found.
    pub(super) fn skip_message(&mut self) {
        self.receiver.skip_message();
    }

    /// Waits until `advance` finds something. Returns `None` once the end was reported.
    pub(super) fn wait(
        &mut self,
        receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>,
        advance: Advance<R>,
    ) -> Option<Result<(), Error>> {
        if self.reported {
            return None;
        }
        loop {
            match self.advance(receiver_io, advance) {
                Ok(Progress::Event) => return Some(Ok(())),
                Ok(Progress::More) => continue,
                Ok(Progress::NeedsInput | Progress::Ended) | Err(ReceiveError::Protocol(_)) => {}
                Err(misuse) => return Some(Err(misuse.into())),
            }
            match self.drive(receiver_io, false) {
                Ok(Driven::Read) => {}
                Ok(Driven::Ended(failed)) => return self.report(receiver_io, failed).map(Err),
                Err(not_ready) => return Some(Err(not_ready.into())),
            }
        }
    }

    /// Waits for a whole message. Reports misuse once, and then returns `None`.
    pub(super) fn next(
        &mut self,
        receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>,
    ) -> Option<Result<Message, Error>> {
        loop {
            let event = self.wait(receiver_io, Receiver::advance);
            if let Err(error) = self.misuse.once(event)? {
                return Some(Err(error));
            }
            if let Some(message) = self.receiver.take_message(&mut self.input) {
                return Some(Ok(message));
            }
        }
    }

    /// Drops everything that arrives, and waits until the connection wants nothing more from the
    /// transport.
    pub(super) fn wait_ended(
        &mut self,
        receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>,
    ) {
        loop {
            if self.advance(receiver_io, Receiver::advance_unseen).is_ok_and(Progress::goes_on) {
                continue;
            }
            match self.drive(receiver_io, true) {
                Ok(Driven::Read) => {}
                Ok(Driven::Ended(_)) => break,
                // This transport does not block. The loop ends at the close deadline.
                Err(_) => thread::sleep(LEAST),
            }
        }
        self.report(receiver_io, None);
    }

    /// Processes the buffered bytes up to the next event, and replies to it.
    fn advance(
        &mut self,
        receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>,
        advance: Advance<R>,
    ) -> Result<Progress, ReceiveError> {
        let progress = advance(&mut self.receiver, &mut self.input);
        self.reply(receiver_io);
        progress
    }

    fn reply(&mut self, receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>) {
        if let Some(reply) = self.receiver.reply(&self.input) {
            let (sending, transport) = receiver_io.parts();
            sending.with(|sending| {
                sending.sender.reply(&reply, &mut sending.queue);
                sending.take_time(|| transport.now());
            });
        }
    }

    /// Does what the connection wants until some bytes have been read or the end can be reported.
    /// With `lingers`, that is once the connection wants nothing more; otherwise it is as soon as
    /// the end is known. In the latter case, this still tries to write, but does not wait.
    ///
    /// Returns an error if the transport is not ready.
    fn drive(
        &mut self,
        receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>,
        lingers: bool,
    ) -> io::Result<Driven> {
        self.receiver.report_traffic();
        if let Some(counters) = self.receiver.counters() {
            receiver_io.parts().0.with(|sending| sending.sender.note_received(counters));
        }
        self.reply(receiver_io);
        let mut failed = None;
        // When the reads began, and when the user's timeout for them expires. That timeout is
        // looked up only after a read has waited.
        let (mut began, mut until) = (None, None);
        loop {
            if receiver_io.is_shutting_down() {
                go_away(receiver_io.parts().0);
            }
            let (sending, transport) = receiver_io.parts();
            let (wants, is_known) = sending.with(|sending| {
                let wants = sending.next(|| transport.now());
                (wants, sending.sender.closed().is_some())
            });
            let Some(wants) = wants else { return Ok(Driven::Ended(failed)) };
            let waits = lingers || !is_known;
            let written = receiver_io.write(&wants, waits);
            if !waits {
                return Ok(Driven::Ended(failed));
            }
            let not_written = match written {
                Err(Stopped::NotReady(error)) => Some(error),
                Err(Stopped::Over) => None,
                Ok(()) | Err(Stopped::Failed(_)) => {
                    let has_acted = wants.write || wants.shut_down_write;
                    // After that, the connection may want something else.
                    if has_acted
                        && receiver_io.parts().0.with(|sending| sending.sender.depends_on_writes())
                    {
                        continue;
                    }
                    None
                }
            };
            if !wants.read {
                not_written.map_or(Ok(()), Err)?;
                let left = receiver_io.parts().1.left(wants.deadline);
                thread::sleep(left.unwrap_or(PAUSE).clamp(LEAST, PAUSE));
                continue;
            }
            // Don't block long in the read: the peer may be waiting for the bytes that are not
            // written yet.
            let max_read_time =
                earliest(receiver_io.max_read_time(), not_written.as_ref().map(|_| PAUSE));
            let transport = receiver_io.parts().1;
            let began = *began.get_or_insert_with(|| transport.now());
            let max_read_time = earliest(max_read_time, transport.left(until));
            match self.read(receiver_io, wants.deadline, max_read_time) {
                Ok(0) => {}
                Ok(_) => return Ok(Driven::Read),
                Err(Stopped::Over) => {
                    // If a write timeout of the user expired, report that.
                    not_written.map_or(Ok(()), Err)?;
                    let transport = receiver_io.parts().1;
                    let timeout = transport.user_read_timeout()?;
                    until = timeout.map(|timeout| began.saturating_add(timeout));
                    if transport.left(until).is_some_and(|left| left <= TICK) {
                        return Err(ErrorKind::WouldBlock.into());
                    }
                }
                Err(Stopped::NotReady(error)) => return Err(not_written.unwrap_or(error)),
                Err(Stopped::Failed(error)) => failed = Some(error),
            }
        }
    }

    /// Reads once, until the deadline and no longer than `max_read_time`. Returns 0 at the end of
    /// the transport.
    fn read(
        &mut self,
        receiver_io: &mut impl ReceiverIo,
        deadline: Option<Duration>,
        max_read_time: Option<Duration>,
    ) -> Result<usize, Stopped> {
        if self.input.is_drained() && self.input.capacity() > RETAINED {
            self.input.take_memory();
        }
        if self.input.capacity() == 0 {
            // This can't fail: a buffer without memory holds no unread bytes.
            let _ = self.input.put_memory(alloc::vec![0; READ_ROOM]);
        }
        let (sending, transport) = receiver_io.parts();
        let left = transport.left(deadline).map(|left| left.max(LEAST));
        let outcome = transport.read(self.input.spare(1), earliest(left, max_read_time));
        if let Ok(count) = outcome {
            self.input.filled(count);
            self.receiver.did_read(count);
        }
        let result = outcome.as_ref().copied().map_err(Stopped::failure);
        sending.with(|sending| sending.sender.did_read(result));
        outcome
    }

    /// Marks the end as reported, and returns its error unless the end is clean.
    fn report(
        &mut self,
        receiver_io: &mut impl ReceiverIo,
        failed: Option<io::Error>,
    ) -> Option<Error> {
        self.reported = true;
        self.input = ReadBuffer::new();
        tell_end(receiver_io);
        let (sending, _) = receiver_io.parts();
        sending.with(|sending| Error::of_end(sending.sender.closed()?, failed))
    }
}

/// Tells how the connection ended, once that is known and unless it was told before.
pub(super) fn tell_end(receiver_io: &mut impl ReceiverIo) {
    if receiver_io.trace().is_none() {
        return;
    }
    // Cloned, because the lock of a split connection is not held while a subscriber runs.
    let closed = receiver_io.parts().0.with(|sending| sending.sender.closed().cloned());
    if let Some(closed) = closed {
        mem::take(receiver_io.trace()).ended(&closed);
    }
}

/// Sends a Close because this endpoint is going away (§7.4.1), unless a Close has been sent.
pub(super) fn go_away(sending: &mut impl Access) {
    sending.with(|Sending { sender, queue }| {
        if sender.is_open() {
            // If this fails, it is tried again before the next read.
            let _ = sender.close(CloseCode::GOING_AWAY, "", queue);
        }
    });
}

/// Does what the connection still wants from a transport that is being dropped, without waiting.
pub(super) fn leave(receiver_io: &mut impl ReceiverIo) {
    let (sending, transport) = receiver_io.parts();
    // A transport that has panicked is not used again: a second panic would abort the process. A
    // transport without timeouts could block without limit.
    if thread::panicking() || !transport.has_timeouts() {
        sending.with(|sending| {
            sending.end();
        });
        return;
    }
    sending.with(|sending| sending.sender.leave());
    loop {
        let (sending, transport) = receiver_io.parts();
        let Some(wants) = sending.with(|sending| sending.next(|| transport.now())) else { return };
        if receiver_io.write(&wants, false).is_err() {
            receiver_io
                .parts()
                .0
                .with(|sending| sending.sender.failed_to_write(IoFailure::NotReady));
        }
        if wants.read {
            let (sending, transport) = receiver_io.parts();
            let outcome = transport.read(&mut [0; DISCARD_SIZE], Some(LEAST));
            sending.with(|sending| {
                sending.sender.did_read(outcome.map_err(|stopped| stopped.failure()));
            });
        }
    }
}
