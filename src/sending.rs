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
}

impl<R: Role, Q: Borrow<WriteBuffer>> Sending<R, Q> {
    pub(crate) fn new(sender: Sender<R>, queue: Q) -> Self {
        Self { sender, queue }
    }

    /// What the transport is to do next; `None` once that is nothing more.
    #[inline]
    pub(crate) fn next(&mut self, clock: impl FnOnce() -> Duration) -> Option<Wants> {
        match self.sender.next(self.queue.borrow(), clock) {
            Next::Wants(wants) => Some(wants),
            Next::Ended(_) => None,
        }
    }

    /// Fails if something waits that is not wanted to be written any more.
    pub(crate) fn check_written(&self) -> io::Result<()> {
        if self.sender.is_all_written(self.queue.borrow()) {
            Ok(())
        } else if self.sender.is_broken() {
            Err(ErrorKind::BrokenPipe.into())
        } else {
            // The time for it is over. What the peer sent in time is still received.
            Err(ErrorKind::TimedOut.into())
        }
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
        self.sender.transport_ended(TransportEnd::Dropped, self.queue.borrow())
    }
}
