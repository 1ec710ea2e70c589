//! Messages that are pushed to a peer that may be slow.

use super::Outgoing;
use crate::asynchronous::shell::Shell;
use crate::connection::{Form, Pushed, Role, SendError};
use crate::error::Error;
use core::task::{Context, Poll, Waker};

impl<S, R: Role, M: Shell<S>> Outgoing<S, R, M> {
    /// Pushes a message, and writes what the transport accepts now. Also returns whether something
    /// now has to be written later that nobody knows of yet.
    ///
    /// This registers no new task with the transport: a task that already waits for it is still
    /// woken.
    pub(in crate::asynchronous) fn push(
        &mut self,
        payload: Form<'_>,
        key: Option<u64>,
    ) -> (Result<Pushed, Error>, bool) {
        let was_written = self.is_all_written();
        let writer = self.rare.take_writer();
        let waker = writer.as_ref().unwrap_or(Waker::noop());
        let pushed = self.push_and_write(payload, key, &mut Context::from_waker(waker));
        self.rare.restore_writer(writer);
        let is_closing = matches!(pushed, Ok(Pushed::Closed));
        let is_new = is_closing || was_written && !self.is_all_written();
        (pushed, is_new)
    }

    fn push_and_write(
        &mut self,
        payload: Form<'_>,
        key: Option<u64>,
        cx: &mut Context<'_>,
    ) -> Result<Pushed, Error> {
        self.sending.check()?;
        let pushed = match payload {
            Form::Prepared(message)
                if self.sending.sender.pushes_at_once(&self.sending.queue)
                    && self.writes_prepared(message) =>
            {
                self.write_prepared(message, cx)?;
                Pushed::Queued
            }
            _ => self.queue(|sender, output| sender.push_payload(payload, key, output))?,
        };
        if pushed == Pushed::Closed {
            // The deadline starts now.
            self.next();
        }
        match self.poll_write_all(cx) {
            Poll::Ready(Ok(())) => {
                self.take_time();
                self.give_back_output();
                Ok(pushed)
            }
            Poll::Ready(Err(error)) => Err(self.failed(error)),
            Poll::Pending => Ok(pushed),
        }
    }

    /// Waits until the outbox has room, and writes meanwhile.
    pub(in crate::asynchronous) fn poll_outbox_room(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.sending.check()?;
        if self.sending.sender.outbox_has_room() {
            return Poll::Ready(Ok(()));
        }
        let flushed = self.poll_flush(cx);
        match flushed {
            _ if self.sending.sender.outbox_has_room() => Poll::Ready(Ok(())),
            Poll::Pending if self.closes_for_shutdown(cx) => Poll::Ready(Ok(())),
            // Only the last fragment of that message makes room.
            Poll::Ready(Ok(())) => Poll::Ready(Err(SendError::MessageInProgress.into())),
            flushed => flushed,
        }
    }

    fn is_all_written(&self) -> bool {
        self.sending.sender.is_all_written(&self.sending.queue)
    }
}
