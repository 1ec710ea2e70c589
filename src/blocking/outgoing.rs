//! The sending side of a blocking connection: all of it but the read buffer, so that a reply can be
//! sent while a received event borrows that.

use super::Transport;
use super::access::{Access, Sending};
use super::incoming::Line;
use super::timed::{BRIEF, LEAST, Stopped, Timed};
use crate::buffer::{LEAST_UNBROKEN, WriteBuffer};
use crate::connection::{Compressing, LargeMessage, Payload, Role, SendError, Sender, State};
use crate::error::Error;
use crate::transport::{IoFailure, Wants, earliest};
use core::time::Duration;
use std::io::ErrorKind;

/// The transport and what is being written to it.
#[derive(Debug)]
pub(super) struct Outgoing<S, A> {
    pub(super) sending: A,
    pub(super) transport: Timed<S>,
    /// What is being written. The queue, which it was lent by, counts it until it is.
    lent: WriteBuffer,
}

/// How long a write of a split connection lasts before the writer looks at what the other half did.
const STEP: Duration = Duration::from_millis(200);

impl<S: Transport, A: Access> Outgoing<S, A> {
    pub(super) fn new(transport: Timed<S>, sending: A) -> Self {
        Self { sending, transport, lent: WriteBuffer::new() }
    }

    /// The same, with the sending half in another place.
    pub(super) fn place<B>(self, place: impl FnOnce(A) -> B) -> Outgoing<S, B> {
        let Self { sending, transport, lent } = self;
        Outgoing { sending: place(sending), transport, lent }
    }

    /// Queues a message.
    pub(super) fn feed(&mut self, payload: Payload<'_>) -> Result<(), Error> {
        match self.compress(payload)? {
            Some(mut message) => {
                self.queue(|sender, queue| sender.send_compressed(&mut message, queue))
            }
            None => self.queue(|sender, queue| sender.send(payload, queue)),
        }
    }

    pub(super) fn send(&mut self, payload: Payload<'_>) -> Result<(), Error> {
        if let Some(mut message) = self.compress(payload)? {
            self.queue(|sender, queue| sender.send_compressed(&mut message, queue))?;
            return self.flush();
        }
        let start = |sender: &mut Sender<A::Role>, queue: &mut WriteBuffer| {
            // In a split connection the other half may have replies to go between.
            sender.start_message(payload, A::IS_SHARED, queue)
        };
        let Some(mut message) = self.queue(start)? else {
            return self.queue_and_flush(|sender, queue| sender.send(payload, queue));
        };
        // What is being written is to be out of the way first.
        let little_before = self.lent.is_empty()
            && self.sending.with(|sending| sending.queue.len() <= LEAST_UNBROKEN);
        let mut written = if little_before { Ok(()) } else { self.write(None, None) };
        while written.is_ok() && !message.is_written() {
            let Self { sending, lent, .. } = self;
            sending.queue(|sender, queue| {
                sender.start_frames(&mut message, 1, queue)?;
                queue.lend_all(lent, message.len());
                Ok(())
            })?;
            written = self.write(Some(&mut message), None);
        }
        if let Err(Stopped::NotReady(_)) = written {
            message.copy_to(&mut self.lent);
            // Unless the connection was closed between two frames: then nothing more of it is sent.
            self.sending.queue(|sender, queue| {
                sender.start_frames(&mut message, usize::MAX, queue)?;
                message.copy_to(queue);
                Ok(())
            })?;
        }
        self.checked(written)
    }

    /// Compresses a message, if it is large and to be compressed, without holding the lock of a split connection. Between
    /// steps it writes the replies that the other half has queued.
    fn compress<'p>(&mut self, payload: Payload<'p>) -> Result<Option<Compressing<'p>>, Error> {
        if !Compressing::is_for(payload) {
            return Ok(None);
        }
        let Some(mut message) = self.queue(|sender, queue| {
            let mut message = sender.start_compressing(payload, queue)?;
            message.iter_mut().for_each(|message| sender.lend_compressor(message));
            Ok(message)
        })?
        else {
            return Ok(None);
        };
        while !message.step() {
            let (is_open, has_replies) = self.sending.with(|Sending { sender, queue }| {
                (sender.state() == State::Open, queue.control_len() > 0)
            });
            if !is_open {
                // It is refused, and the Close goes out at once.
                break;
            }
            if A::IS_SHARED && (has_replies || !self.lent.is_empty()) {
                // What fails is known to the connection, which refuses the message then.
                let _ = self.write_briefly();
            }
        }
        Ok(Some(message))
    }

    /// Writes all that is queued, at the latest until the deadline.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let written = self.write(None, None);
        self.checked(written)
    }

    pub(super) fn queue_and_flush(
        &mut self,
        act: impl FnMut(&mut Sender<A::Role>, &mut WriteBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.queue(act)?;
        self.flush()
    }

    /// Queues something; writes first if there is too much to queue more.
    pub(super) fn queue<T>(
        &mut self,
        mut act: impl FnMut(&mut Sender<A::Role>, &mut WriteBuffer) -> Result<T, SendError>,
    ) -> Result<T, Error> {
        match self.sending.queue(&mut act) {
            Err(full @ Error::Send(SendError::QueueFull { .. })) => {
                // If that would block, nothing is queued, which is another error than that it was and
                // could not be written yet.
                self.flush().map_err(|error| if error.is_would_block() { full } else { error })?;
                self.sending.queue(&mut act)
            }
            outcome => outcome,
        }
    }

    /// Writes what is queued, then what is started of a message, and ends the writing side, as far as the
    /// connection wants that, and until this moment at most.
    fn write(
        &mut self,
        mut message: Option<&mut LargeMessage<'_>>,
        until: Option<Duration>,
    ) -> Result<(), Stopped> {
        loop {
            let behind = message.as_ref().map_or(0, |message| message.len());
            let Self { sending, transport, lent, .. } = self;
            let (wants, is_written) = sending.with(|sending| {
                let wants = sending.next(|| transport.now()).unwrap_or_default();
                if wants.write && lent.is_empty() && behind == 0 {
                    sending.queue.lend(lent);
                }
                (wants, sending.check_written())
            });
            let step = A::IS_SHARED.then_some(STEP);
            let timeout = earliest(transport.left(earliest(wants.deadline, until)), step);
            let acted = if wants.write {
                self.write_once(message.as_deref_mut(), timeout)
            } else if wants.shut_down_write {
                // It is tried at least.
                self.shut_down(timeout.map(|timeout| timeout.max(LEAST)))
            } else {
                return is_written.map_err(Stopped::Failed);
            };
            match acted {
                // Time is for the connection to judge, unless it is the caller's.
                Err(Stopped::Over) if until.is_none() => {}
                outcome => outcome?,
            }
        }
    }

    /// Writes some of what is lent and of the message behind it; has the transport write what it holds, if
    /// that is nothing.
    fn write_once(
        &mut self,
        message: Option<&mut LargeMessage<'_>>,
        timeout: Option<Duration>,
    ) -> Result<(), Stopped> {
        let Self { sending, transport, lent, .. } = self;
        let outcome = transport.write(lent, message.as_deref(), timeout);
        if let Ok(count) = outcome {
            let of_lent = count.min(lent.len());
            lent.consume(of_lent);
            if let Some(message) = message {
                message.advance(count - of_lent);
            }
        }
        sending.with(|Sending { sender, queue }| match &outcome {
            Ok(0) => sender.unflushed = false,
            Ok(count) => {
                sender.did_write(Ok(*count), queue);
                sender.unflushed = true;
                queue.take_back(lent);
            }
            Err(stopped) => sender.failed_to_write(stopped.failure()),
        });
        outcome.map(|_| ())
    }

    /// Ends the writing side.
    fn shut_down(&mut self, timeout: Option<Duration>) -> Result<(), Stopped> {
        let outcome = self.transport.shut_down(timeout);
        let told = outcome.as_ref().copied().map_err(Stopped::failure);
        self.sending.with(|sending| sending.sender.did_shut_down(told));
        // What fails has been told; only what is to be tried again is of interest here.
        match outcome {
            Err(stopped) if stopped.failure() == IoFailure::NotReady => Err(stopped),
            _ => Ok(()),
        }
    }

    /// Writes and ends the writing side as far as is wanted and as the transport takes it without a
    /// wait.
    pub(super) fn write_briefly(&mut self) -> Result<(), Stopped> {
        let until = self.transport.now().saturating_add(BRIEF);
        self.write(None, Some(until))
    }

    /// The outcome of a write for the user.
    fn checked(&mut self, written: Result<(), Stopped>) -> Result<(), Error> {
        let error = match written {
            Ok(()) => return Ok(()),
            Err(Stopped::NotReady(error)) => error.into(),
            Err(Stopped::Over) => std::io::Error::from(ErrorKind::WouldBlock).into(),
            Err(Stopped::Failed(error)) => Error::final_io(error),
        };
        Err(self.sending.with(|sending| sending.closed_error()).unwrap_or(error))
    }
}

/// The line of a connection that is not split: reading waits for writing as long as the transport does.
impl<S: Transport, R: Role> Line for Outgoing<S, Sending<R>> {
    type Transport = S;
    type Sending = Sending<R>;

    fn parts(&mut self) -> (&mut Sending<R>, &mut Timed<S>) {
        (&mut self.sending, &mut self.transport)
    }

    fn write(&mut self, wants: &Wants, waits: bool) -> Result<(), Stopped> {
        match wants {
            Wants { write: false, shut_down_write: false, .. } => Ok(()),
            _ if waits => Self::write(self, None, None),
            _ => self.write_briefly(),
        }
    }

    fn patience(&self) -> Option<Duration> {
        None
    }
}
