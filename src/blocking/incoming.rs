//! The receiving side of a blocking connection, whole or split: it finds events in what it reads, and
//! has done with the transport what the connection wants.

use super::Transport;
use super::access::{Access, Sending};
use super::timed::{LEAST, PAUSE, Stopped, Timed};
use crate::buffer::{READ_ROOM, RETAINED, ReadBuffer};
use crate::connection::{Message, Progress, ReceiveError, Receiver, Role};
use crate::error::{Error, Misuse};
use crate::io::SCRAP;
use crate::transport::{IoFailure, Wants, earliest};
use core::time::Duration;
use std::{io, thread};

/// The transport and the sending half, as the receiving side sees them.
pub(super) trait Line {
    type Transport: Transport;
    type Sending: Access;

    /// The sending half, and the transport to read from.
    fn parts(&mut self) -> (&mut Self::Sending, &mut Timed<Self::Transport>);

    /// Writes and ends the writing side as it is wanted, with a wait or as far as that needs none. After each
    /// step it asks anew: `wants` says only whether there is anything to do.
    fn write(&mut self, wants: &Wants, waits: bool) -> Result<(), Stopped>;

    /// How long a read may last before what is wanted is asked for again.
    fn patience(&self) -> Option<Duration>;
}

#[derive(Debug)]
pub(super) struct Incoming<R> {
    receiver: Receiver<R>,
    input: ReadBuffer,
    /// Whether the end was told to the user.
    reported: bool,
    misuse: Misuse,
}

type Advance<R> = fn(&mut Receiver<R>, &mut ReadBuffer) -> Result<Progress, ReceiveError>;

/// What [`Incoming::drive`] came to.
#[derive(Debug)]
enum Driven {
    /// Something was read.
    Read,
    /// The end is to be told. Reading failed so, if it did.
    Ended(Option<io::Error>),
}

impl<R: Role> Incoming<R> {
    pub(super) fn new(receiver: Receiver<R>, input: ReadBuffer) -> Self {
        Self { receiver, input, reported: false, misuse: Misuse::default() }
    }

    /// Waits for what `advance` finds, and lends it as `look` sees it; `None` once the connection has ended
    /// and that was reported.
    pub(super) fn receive<'a, T>(
        &'a mut self,
        line: &mut impl Line<Sending: Access<Role = R>>,
        advance: Advance<R>,
        look: fn(&Receiver<R>, &'a ReadBuffer) -> Option<T>,
    ) -> Option<Result<T, Error>> {
        match self.wait(line, advance)? {
            Ok(()) => {
                let found = look(&self.receiver, &self.input);
                Some(Ok(found.expect("what was found stays until it is advanced again")))
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn wait(
        &mut self,
        line: &mut impl Line<Sending: Access<Role = R>>,
        advance: Advance<R>,
    ) -> Option<Result<(), Error>> {
        if self.reported {
            return None;
        }
        loop {
            match self.advance(line, advance) {
                Ok(Progress::Event) => return Some(Ok(())),
                Ok(Progress::More) => continue,
                Ok(Progress::NeedsInput | Progress::Ended) | Err(ReceiveError::Protocol(_)) => {}
                Err(misuse) => return Some(Err(misuse.into())),
            }
            match self.drive(line, false) {
                Ok(Driven::Read) => {}
                Ok(Driven::Ended(failed)) => return self.report(line, failed).map(Err),
                Err(not_ready) => return Some(Err(not_ready.into())),
            }
        }
    }

    /// Waits for a whole message. Misuse is told once, then there is none.
    pub(super) fn next(
        &mut self,
        line: &mut impl Line<Sending: Access<Role = R>>,
    ) -> Option<Result<Message, Error>> {
        loop {
            let event = self.wait(line, Receiver::advance);
            if let Err(error) = self.misuse.once(event)? {
                return Some(Err(error));
            }
            if let Some(message) = self.receiver.take_message(&mut self.input) {
                return Some(Ok(message));
            }
        }
    }

    /// Waits until nothing more is wanted of the transport, and drops what is received.
    pub(super) fn wait_ended(&mut self, line: &mut impl Line<Sending: Access<Role = R>>) {
        loop {
            if self.advance(line, Receiver::advance_unseen).is_ok_and(Progress::goes_on) {
                continue;
            }
            match self.drive(line, true) {
                Ok(Driven::Read) => {}
                Ok(Driven::Ended(_)) => break,
                // A transport that does not wait: the close deadline is what ends this.
                Err(_) => thread::sleep(LEAST),
            }
        }
        self.report(line, None);
    }

    /// Uses what is buffered up to the next event, and replies to it.
    fn advance(
        &mut self,
        line: &mut impl Line<Sending: Access<Role = R>>,
        advance: Advance<R>,
    ) -> Result<Progress, ReceiveError> {
        let progress = advance(&mut self.receiver, &mut self.input);
        if let Some(reply) = self.receiver.reply(&self.input) {
            line.parts().0.with(|Sending { sender, queue, .. }| sender.reply(&reply, queue));
        }
        progress
    }

    /// Does what the connection wants until something was read, or the end is to be told: as soon as
    /// it is known or, if this `lingers`, once nothing more is wanted. Fails if the transport is not
    /// ready. An end that is known already is offered to the transport, and not waited for.
    fn drive(&mut self, line: &mut impl Line, lingers: bool) -> io::Result<Driven> {
        let mut failed = None;
        loop {
            let (sending, transport) = line.parts();
            let (wants, is_known) = sending.with(|sending| {
                let wants = sending.next(|| transport.now());
                (wants, sending.sender.closed().is_some())
            });
            let Some(wants) = wants else { return Ok(Driven::Ended(failed)) };
            let waits = lingers || !is_known;
            let written = line.write(&wants, waits);
            if !waits {
                return Ok(Driven::Ended(failed));
            }
            let not_written = match written {
                Err(Stopped::NotReady(error)) => Some(error),
                Err(Stopped::Over) => None,
                Ok(()) | Err(Stopped::Failed(_)) => {
                    let has_acted = wants.write || wants.shut_down_write;
                    // What is wanted may be another thing now.
                    if has_acted && line.parts().0.with(|sending| sending.sender.is_near_end()) {
                        continue;
                    }
                    None
                }
            };
            if !wants.read {
                not_written.map_or(Ok(()), Err)?;
                let left = line.parts().1.left(wants.deadline);
                thread::sleep(left.unwrap_or(PAUSE).clamp(LEAST, PAUSE));
                continue;
            }
            // What the peer waits for may be what was not written.
            let patience = earliest(line.patience(), not_written.as_ref().map(|_| PAUSE));
            match self.read(line, wants.deadline, patience) {
                Ok(0) => {}
                Ok(_) => return Ok(Driven::Read),
                // Its user has bounded how long a write takes, and so wants to be told.
                Err(Stopped::Over) => not_written.map_or(Ok(()), Err)?,
                Err(Stopped::NotReady(error)) => return Err(not_written.unwrap_or(error)),
                Err(Stopped::Failed(error)) => failed = Some(error),
            }
        }
    }

    /// Reads once, until the deadline or for so long; 0 is the end of the transport.
    fn read(
        &mut self,
        line: &mut impl Line,
        deadline: Option<Duration>,
        patience: Option<Duration>,
    ) -> Result<usize, Stopped> {
        if self.input.is_drained() && self.input.capacity() > RETAINED {
            self.input.take();
        }
        if self.input.capacity() == 0 {
            // It can't be refused: without memory the buffer is drained.
            let _ = self.input.lease(alloc::vec![0; READ_ROOM]);
        }
        let (sending, transport) = line.parts();
        let left = transport.left(deadline).map(|left| left.max(LEAST));
        let outcome = transport.read(self.input.spare(1), earliest(left, patience));
        if let Ok(count) = outcome {
            self.input.filled(count);
        }
        let told = outcome.as_ref().copied().map_err(Stopped::failure);
        sending.with(|sending| sending.sender.did_read(told));
        outcome
    }

    /// Reports the end, once, unless it is clean.
    fn report(&mut self, line: &mut impl Line, failed: Option<io::Error>) -> Option<Error> {
        self.reported = true;
        self.input = ReadBuffer::new();
        let (sending, _) = line.parts();
        sending.with(|sending| Error::of_end(sending.sender.closed()?, failed))
    }
}

/// Does what is wanted of a transport that is dropped: nothing of it waits.
pub(super) fn leave(line: &mut impl Line) {
    let (sending, transport) = line.parts();
    // A transport that has panicked is not used again, since a second panic would abort the process. One
    // without timeouts could block without bound.
    if thread::panicking() || !transport.has_timeouts() {
        sending.with(|sending| {
            sending.end();
        });
        return;
    }
    sending.with(|sending| sending.sender.leave());
    loop {
        let (sending, transport) = line.parts();
        let Some(wants) = sending.with(|sending| sending.next(|| transport.now())) else { return };
        if line.write(&wants, false).is_err() {
            line.parts().0.with(|sending| sending.sender.failed_to_write(IoFailure::NotReady));
        }
        if wants.read {
            let (sending, transport) = line.parts();
            let outcome = transport.read(&mut [0; SCRAP], Some(LEAST));
            sending.with(|sending| {
                sending.sender.did_read(outcome.map_err(|stopped| stopped.failure()));
            });
        }
    }
}
