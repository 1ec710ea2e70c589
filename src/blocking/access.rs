//! Where the sending half of a connection is.

use crate::buffer::WriteBuffer;
use crate::connection::{Role, SendError, Sender};
use crate::error::Error;
use crate::sending;
use alloc::sync::Arc;
use std::sync::{Mutex, PoisonError};

/// With what waits, of which some may be [lent](WriteBuffer::lend) to be written.
pub(super) type Sending<R> = sending::Sending<R, WriteBuffer>;

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
            sending.check()?;
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
