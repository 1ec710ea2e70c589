//! The sending half of a connection together with its queue, as both shells use it.

use crate::buffer::WriteBuffer;
use crate::connection::{Closed, Next, Role, Sender, TransportEnd};
use crate::error::Error;
use crate::transport::Wants;
use alloc::{boxed::Box, vec::Vec};
use core::{
    borrow::{Borrow, BorrowMut},
    time::Duration,
};
use std::io::{self, ErrorKind};

/// A sender and its queue. No method waits.
#[derive(Debug)]
pub(crate) struct Sending<R, Q> {
    pub(crate) sender: Sender<R>,
    /// The bytes that wait to be written.
    pub(crate) queue: Q,
}

/// Copies all bytes that wait to be written.
pub(crate) fn to_bytes(mut queue: WriteBuffer) -> Vec<u8> {
    let mut unwritten = Vec::with_capacity(queue.len());
    while !queue.is_empty() {
        let front = queue.front();
        unwritten.extend_from_slice(front);
        let len = front.len();
        queue.consume(len);
    }
    unwritten
}

impl<R: Role, Q: Borrow<WriteBuffer>> Sending<R, Q> {
    pub(crate) fn new(sender: Sender<R>, queue: Q) -> Self {
        Self { sender, queue }
    }

    /// Returns what the transport has to do next, or `None` if it has nothing more to do.
    #[inline]
    pub(crate) fn next(&mut self, mut clock: impl FnMut() -> Duration) -> Option<Wants>
    where
        Q: BorrowMut<WriteBuffer>,
    {
        // Without something to queue, no buffer is leased.
        if self.sender.has_to_refill(self.queue.borrow()) {
            self.sender.refill(self.queue.borrow_mut());
        }
        if let Some(due) = self.sender.due(self.queue.borrow(), &mut clock) {
            self.sender.queue_due(due, self.queue.borrow_mut());
        }
        match self.sender.next_of(self.queue.borrow(), clock) {
            Next::Wants(wants) => Some(wants),
            Next::Ended(_) => None,
        }
    }

    /// Queues everything that waits in the outbox.
    pub(crate) fn empty_outbox(&mut self)
    where
        Q: BorrowMut<WriteBuffer>,
    {
        if self.sender.waiting_messages() > 0 {
            self.sender.empty_outbox(self.queue.borrow_mut());
        }
    }

    /// Returns the number of bytes that wait to be written.
    pub(crate) fn buffered_amount(&self) -> usize {
        self.sender.buffered_amount(self.queue.borrow())
    }

    /// Takes the time of a ping that was just written or answered. Call this if [`next`](Self::next)
    /// does not follow at once.
    #[inline]
    pub(crate) fn take_time(&mut self, clock: impl FnOnce() -> Duration) {
        self.sender.take_time(self.queue.borrow(), clock);
    }

    /// Returns an error if the queue still holds bytes that will not be written any more.
    pub(crate) fn check_written(&self) -> io::Result<()> {
        if self.sender.is_all_written(self.queue.borrow()) {
            Ok(())
        } else if self.sender.is_broken() {
            Err(ErrorKind::BrokenPipe.into())
        } else {
            // The deadline for writing has passed. What the peer sent in time is still received.
            Err(ErrorKind::TimedOut.into())
        }
    }

    /// Returns an error if nothing can be written any more. The error tells more than
    /// `SendError::Closed`.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.sender.is_broken() { Err(self.why_broken()) } else { Ok(()) }
    }

    #[cold]
    fn why_broken(&self) -> Error {
        self.closed_error().unwrap_or_else(|| io::Error::from(ErrorKind::BrokenPipe).into())
    }

    /// Returns [`Error::Closed`] if the connection has ended.
    pub(crate) fn closed_error(&self) -> Option<Error> {
        Some(Error::Closed(Box::new(self.sender.closed()?.clone())))
    }

    /// Ends the connection because this endpoint drops the transport.
    pub(crate) fn end(&mut self) -> &Closed {
        self.sender.transport_ended(TransportEnd::Dropped, self.queue.borrow())
    }
}
