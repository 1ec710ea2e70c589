//! Access to the sending side of a connection.

use crate::buffer::WriteBuffer;
use crate::connection::{Role, SendError, Sender};
use crate::error::Error;
use crate::sending;
use alloc::sync::Arc;
use std::sync::{Mutex, PoisonError};

/// The sending side and its queue, some of which may be [lent](WriteBuffer::lend) to be written.
pub(super) type Sending<R> = sending::Sending<R, WriteBuffer>;

/// Access to the sending side, which is either owned or shared with the other half of a split
/// connection.
pub(super) trait Access {
    type Role: Role;

    /// Whether another thread may use the sending half at the same time.
    const IS_SHARED: bool;

    /// Calls `act` with the sending half. `act` must not wait for anything.
    fn with<T>(&mut self, act: impl FnOnce(&mut Sending<Self::Role>) -> T) -> T;

    /// Queues something. If nothing can be written any more, returns that error instead of the
    /// sender's, because it says more.
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
