//! The connection's sending half with what it has queued, and where that is.

use crate::buffer::WriteBuffer;
use crate::connection::{Closed, Next, Role, SendError, Sender, TransportEnd};
use crate::error::Error;
use crate::transport::Wants;
use alloc::{boxed::Box, sync::Arc};
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::sync::{Mutex, PoisonError};

/// The sending half and its queue. Nothing is waited for in here, so a lock on it is free in a moment.
#[derive(Debug)]
pub(super) struct Sending<R> {
    pub(super) sender: Sender<R>,
    /// What waits, of which some may be [lent](WriteBuffer::lend) to be written.
    pub(super) queue: WriteBuffer,
    /// Whether something was written that the transport itself may still hold.
    pub(super) unflushed: bool,
}

/// Where the sending half is: at hand, or with the other half of a split connection too.
pub(super) trait Access {
    type Role: Role;

    /// Whether another thread may use it at the same time.
    const IS_SHARED: bool;

    /// Does something with it. What is waited for is not waited for in there.
    fn with<T>(&mut self, act: impl FnOnce(&mut Sending<Self::Role>) -> T) -> T;

    /// Queues something, unless nothing can be written any more: that says more than that nothing can be
    /// sent.
    fn queue<T>(
        &mut self,
        act: impl FnOnce(&mut Sender<Self::Role>, &mut WriteBuffer) -> Result<T, SendError>,
    ) -> Result<T, Error> {
        self.with(|sending| {
            if sending.sender.is_broken() {
                let broken = || io::Error::from(ErrorKind::BrokenPipe).into();
                return Err(sending.closed_error().unwrap_or_else(broken));
            }
            Ok(act(&mut sending.sender, &mut sending.queue)?)
        })
    }
}

impl<R: Role> Access for Sending<R> {
    type Role = R;

    const IS_SHARED: bool = false;

    fn with<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        act(self)
    }
}

impl<R: Role> Access for Arc<Mutex<Sending<R>>> {
    type Role = R;

    const IS_SHARED: bool = true;

    fn with<T>(&mut self, act: impl FnOnce(&mut Sending<R>) -> T) -> T {
        act(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<R: Role> Sending<R> {
    pub(super) fn new(sender: Sender<R>) -> Self {
        Self { sender, queue: WriteBuffer::new(), unflushed: false }
    }

    /// What the transport is to do next; `None` once that is nothing more.
    pub(super) fn next(&mut self, clock: impl FnOnce() -> Duration) -> Option<Wants> {
        match self.sender.next_with(self.is_all_written(), clock) {
            Next::Wants(wants) => Some(wants),
            Next::Ended(_) => None,
        }
    }

    pub(super) fn is_all_written(&self) -> bool {
        self.queue.is_empty() && !self.unflushed
    }

    /// That the connection has ended, if it has.
    pub(super) fn closed_error(&self) -> Option<Error> {
        Some(Error::Closed(Box::new(self.sender.closed()?.clone())))
    }

    /// Ends the connection because this end drops the transport.
    pub(super) fn end(&mut self) -> &Closed {
        let all_written = self.is_all_written();
        self.sender.transport_ended_with(TransportEnd::Dropped, all_written)
    }
}
