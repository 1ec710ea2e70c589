//! The sending half of a connection with what it has queued, as the shells have it.

use crate::buffer::WriteBuffer;
use crate::connection::{Closed, Next, Role, Sender, TransportEnd};
use crate::error::Error;
use crate::transport::Wants;
use alloc::boxed::Box;
use core::{borrow::Borrow, time::Duration};
use std::io::{self, ErrorKind};

/// Nothing is waited for in here.
#[derive(Debug)]
pub(crate) struct Sending<R, Q> {
    pub(crate) sender: Sender<R>,
    /// What waits to be written.
    pub(crate) queue: Q,
    /// Whether something was written that the transport itself may still hold.
    pub(crate) unflushed: bool,
}

impl<R: Role, Q: Borrow<WriteBuffer>> Sending<R, Q> {
    pub(crate) fn new(sender: Sender<R>, queue: Q) -> Self {
        Self { sender, queue, unflushed: false }
    }

    /// What the transport is to do next; `None` once that is nothing more.
    #[inline]
    pub(crate) fn next(&mut self, clock: impl FnOnce() -> Duration) -> Option<Wants> {
        match self.sender.next_with(self.is_all_written(), clock) {
            Next::Wants(wants) => Some(wants),
            Next::Ended(_) => None,
        }
    }

    #[inline]
    pub(crate) fn is_all_written(&self) -> bool {
        self.queue.borrow().is_empty() && !self.unflushed
    }

    /// Fails if nothing can be written any more: that says more than that nothing can be sent.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.sender.is_broken() { Err(self.why_broken()) } else { Ok(()) }
    }

    #[cold]
    fn why_broken(&self) -> Error {
        self.closed_error().unwrap_or_else(|| io::Error::from(ErrorKind::BrokenPipe).into())
    }

    /// That the connection has ended, if it has.
    pub(crate) fn closed_error(&self) -> Option<Error> {
        Some(Error::Closed(Box::new(self.sender.closed()?.clone())))
    }

    /// Ends the connection because this end drops the transport.
    pub(crate) fn end(&mut self) -> &Closed {
        let all_written = self.is_all_written();
        self.sender.transport_ended_with(TransportEnd::Dropped, all_written)
    }
}
