//! The sending side of a blocking connection. It has everything except the read buffer, so that you
//! can reply while a received event borrows that buffer.

use super::Transport;
use super::access::{Access, Sending};
use super::incoming::ReceiverIo;
use super::owning_server::ServerHandle;
use super::timed::{BRIEF, LEAST, Stopped, Timed};
use crate::buffer::{LEAST_UNBROKEN, WriteBuffer};
use crate::connection::{Compressing, Form, LargeMessage, Pushed, Role, SendError, Sender};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::sending::to_bytes;
use crate::trace::Trace;
use crate::transport::{IoFailure, Wants, earliest};
use alloc::vec::Vec;
use core::{mem, time::Duration};
use std::io::ErrorKind;

/// The transport, and the bytes that are being written to it.
#[derive(Debug)]
pub(super) struct Outgoing<S, A> {
    pub(super) sending: A,
    pub(super) transport: Timed<S>,
    /// Bytes that are being written. They come from the queue, which still counts them until they
    /// are written.
    lent: WriteBuffer,
    /// The server that runs the connection, if there is one.
    pub(super) server: Option<ServerHandle>,
    /// What is to be told of the connection. If it is split, the receiving half has this.
    pub(super) trace: Trace,
}

/// How long a read lasts before a connection that a server runs checks whether the server is
/// shutting down.
const SHUTDOWN_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// How long a write of a split connection lasts before the writer checks what the other half did.
const STEP: Duration = Duration::from_millis(200);

impl<S: Transport, A: Access> Outgoing<S, A> {
    pub(super) fn new(transport: Timed<S>, sending: A, trace: Trace) -> Self {
        Self { sending, transport, lent: WriteBuffer::new(), server: None, trace }
    }

    /// Moves the sending half to another place.
    pub(super) fn place<B>(self, place: impl FnOnce(A) -> B) -> Outgoing<S, B> {
        let Self { sending, transport, lent, server, trace } = self;
        Outgoing { sending: place(sending), transport, lent, server, trace }
    }

    /// Queues something without writing.
    pub(super) fn try_queue(
        &mut self,
        act: impl FnOnce(&mut Sender<A::Role>, &mut WriteBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.sending.queue(act)
    }

    /// Pushes a message without writing.
    pub(super) fn push(&mut self, payload: Form<'_>, key: Option<u64>) -> Result<Pushed, Error> {
        self.sending.queue(|sender, queue| sender.push_payload(payload, key, queue))
    }

    /// Writes until the outbox has room.
    pub(super) fn wait_for_room(&mut self) -> Result<(), Error> {
        loop {
            self.sending.with(|sending| sending.check())?;
            if self.sending.with(|sending| sending.sender.outbox_has_room()) {
                return Ok(());
            }
            let until = self.transport.now().saturating_add(STEP);
            match self.write(None, Some(until)) {
                Err(Stopped::Over) => {}
                Ok(()) if !self.sending.with(|sending| sending.sender.outbox_has_room()) => {
                    // Only the last fragment of that message makes room.
                    return Err(SendError::MessageInProgress.into());
                }
                outcome => return self.checked(outcome),
            }
        }
    }

    /// Queues a message.
    pub(super) fn feed(&mut self, payload: Form<'_>) -> Result<(), Error> {
        match self.compress(payload)? {
            Some(mut message) => {
                self.queue(|sender, queue| sender.send_compressed(&mut message, queue))
            }
            None => self.queue(|sender, queue| sender.send_payload(payload, queue)),
        }
    }

    /// Sends a Close, unless the connection is closing or closed, and writes what is queued.
    pub(super) fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let is_first = self.queue_close(code, reason)?;
        match self.flush() {
            Err(Error::Closed(closed)) if closed.clean || !is_first => Ok(()),
            outcome => outcome,
        }
    }

    /// Queues a Close, unless the connection is closing or closed. Returns whether it did.
    pub(super) fn queue_close(&mut self, code: CloseCode, reason: &str) -> Result<bool, Error> {
        self.sending.with(|Sending { sender, queue }| {
            let is_first = sender.is_open();
            if is_first {
                sender.close(code, reason, queue)?;
            }
            Ok(is_first)
        })
    }

    pub(super) fn send(&mut self, payload: Form<'_>) -> Result<(), Error> {
        if let Some(mut message) = self.compress(payload)? {
            self.queue(|sender, queue| sender.send_compressed(&mut message, queue))?;
            return self.flush();
        }
        let start = |sender: &mut Sender<A::Role>, queue: &mut WriteBuffer| {
            // In a split connection, the other half may need to send replies between the frames.
            sender.start_message(payload, A::IS_SHARED, queue)
        };
        let Some(mut message) = self.queue(start)? else {
            return self.queue_and_flush(|sender, queue| sender.send_payload(payload, queue));
        };
        // Bytes that are being written already must go first.
        let little_is_queued = self.lent.is_empty()
            && self.sending.with(|sending| sending.queue.len() <= LEAST_UNBROKEN);
        let mut written = if little_is_queued { Ok(()) } else { self.write(None, None) };
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
            // If the connection was closed between two frames, the rest of the message is not sent.
            self.sending.queue(|sender, queue| {
                sender.start_frames(&mut message, usize::MAX, queue)?;
                message.copy_to(queue);
                Ok(())
            })?;
        }
        self.checked(written)
    }

    /// Compresses a message if it is large enough and compression is on. In a split connection, the
    /// lock is not held in the meantime, and replies that the other half has queued are written
    /// between the steps.
    fn compress<'p>(&mut self, payload: Form<'p>) -> Result<Option<Compressing<'p>>, Error> {
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
            let (is_open, has_replies) = self
                .sending
                .with(|Sending { sender, queue }| (sender.is_open(), queue.control_len() > 0));
            if !is_open {
                // Sending the message will fail, and the Close goes out at once.
                break;
            }
            if A::IS_SHARED && (has_replies || !self.lent.is_empty()) {
                // The connection knows of a failure, and will refuse the message.
                let _ = self.write_briefly();
            }
        }
        Ok(Some(message))
    }

    /// Writes everything that is queued, until the connection's deadline at the latest.
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

    /// Queues something. If the queue is full, this writes first.
    pub(super) fn queue<T>(
        &mut self,
        mut act: impl FnMut(&mut Sender<A::Role>, &mut WriteBuffer) -> Result<T, SendError>,
    ) -> Result<T, Error> {
        match self.sending.queue(&mut act) {
            Err(full @ Error::Send(SendError::QueueFull { .. })) => {
                // A would-block error tells the caller that the message is queued. It is not, so
                // return `QueueFull`.
                self.flush().map_err(|error| if error.is_would_block() { full } else { error })?;
                self.sending.queue(&mut act)
            }
            outcome => outcome,
        }
    }

    /// Writes what is queued and then the started frames of `message`, and ends the writing side,
    /// as far as the connection wants that. Stops at `until`.
    fn write(
        &mut self,
        mut message: Option<&mut LargeMessage<'_>>,
        until: Option<Duration>,
    ) -> Result<(), Stopped> {
        loop {
            let message_len = message.as_ref().map_or(0, |message| message.len());
            let Self { sending, transport, lent, .. } = self;
            let (wants, is_written) = sending.with(|sending| {
                let wants = sending.next(|| transport.now()).unwrap_or_default();
                if wants.write && lent.is_empty() && message_len == 0 {
                    sending.queue.lend(lent);
                }
                (wants, sending.check_written())
            });
            let step = A::IS_SHARED.then_some(STEP);
            // A deadline that has passed does not keep the rest from being tried.
            let deadline = transport.left(wants.deadline).map(|left| left.max(LEAST));
            let timeout = earliest(earliest(deadline, transport.left(until)), step);
            let acted = if wants.write {
                self.write_once(message.as_deref_mut(), timeout)
            } else if wants.shut_down_write {
                // Try this at least once, even if no time is left.
                self.shut_down(timeout.map(|timeout| timeout.max(LEAST)))
            } else {
                return is_written.map_err(Stopped::Failed);
            };
            match acted {
                // The connection decides what an expired deadline means, except for the caller's
                // `until`.
                Err(Stopped::Over) if until.is_none() => {}
                outcome => outcome?,
            }
        }
    }

    /// Writes some of the lent bytes and of the message after them. If there are none, flushes the
    /// transport.
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
        let result = outcome.as_ref().copied().map_err(Stopped::failure);
        self.sending.with(|sending| sending.sender.did_shut_down(result));
        // The connection knows of the failure. The caller only needs to know if it should try
        // again.
        match outcome {
            Err(stopped) if stopped.failure() == IoFailure::NotReady => Err(stopped),
            _ => Ok(()),
        }
    }

    /// Writes and ends the writing side, as far as the connection wants that and the transport
    /// takes it without a wait.
    pub(super) fn write_briefly(&mut self) -> Result<(), Stopped> {
        let until = self.transport.now().saturating_add(BRIEF);
        self.write(None, Some(until))
    }

    /// Takes the bytes that have not been written.
    pub(super) fn take_unwritten(&mut self) -> WriteBuffer {
        let mut unwritten = mem::take(&mut self.lent);
        self.sending.with(|sending| {
            // The queue still counts the bytes that it has lent, and those of a large message whose
            // write failed.
            sending.queue.forget_lent();
            sending.empty_outbox();
            unwritten.append(mem::take(&mut sending.queue));
        });
        unwritten
    }

    /// Converts the outcome of a write to the one that the user sees.
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

impl<S: Transport, R: Role> Outgoing<S, Sending<R>> {
    /// Returns to a single handle on the transport.
    pub(super) fn with_one_handle(mut self) -> Self {
        self.transport.forget_clone();
        self
    }

    /// Returns the transport and the bytes that have not been written.
    pub(super) fn into_parts(mut self) -> (S, Vec<u8>) {
        mem::take(&mut self.trace).taken_apart();
        let unwritten = to_bytes(self.take_unwritten());
        (self.transport.transport, unwritten)
    }
}

/// The [`ReceiverIo`] of a connection that is not split: reading waits until writing is done.
impl<S: Transport, R: Role> ReceiverIo for Outgoing<S, Sending<R>> {
    type Transport = S;
    type Sending = Sending<R>;

    fn parts(&mut self) -> (&mut Sending<R>, &mut Timed<S>) {
        (&mut self.sending, &mut self.transport)
    }

    fn trace(&mut self) -> &mut Trace {
        &mut self.trace
    }

    fn write(&mut self, wants: &Wants, waits: bool) -> Result<(), Stopped> {
        match wants {
            Wants { write: false, shut_down_write: false, .. } => Ok(()),
            _ if waits => Self::write(self, None, None),
            _ => self.write_briefly(),
        }
    }

    fn max_read_time(&self) -> Option<Duration> {
        self.server.as_ref().map(|_| SHUTDOWN_CHECK_INTERVAL)
    }

    fn is_shutting_down(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.0.is_shutting_down())
    }
}
