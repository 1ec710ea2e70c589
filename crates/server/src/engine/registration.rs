//! What holds a client in the engine, and gives it up when it is dropped.

use super::Engine;
use crate::mailbox::{End, GivenUp, Mailbox};
use sansocket_realtime::{
    guard::{Client, Reaction},
    hub::{Command, ConnectionId},
};
use std::{fmt, sync::Arc, time::Duration};

/// A connection in the engine. The hub forgets it when this is dropped, however its task ends, or earlier if
/// its client is too slow.
pub(crate) struct Registration {
    pub(super) engine: Arc<Engine>,
    pub(crate) connection: ConnectionId,
    pub(crate) mailbox: Arc<Mailbox>,
    /// What the guard counts, until the connection ends.
    pub(crate) client: Option<Client>,
    pub(super) given_up: Option<GivenUp>,
}

impl Registration {
    pub(crate) const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Says how many bytes the connection has and its client has not taken.
    pub(crate) fn report(&self, downstream: usize, now: Duration) {
        let connection = self.connection;
        match self.mailbox.set_downstream(downstream, now) {
            Some(Reaction::Pause) => self.engine.perform(Command::Pause { connection }),
            Some(Reaction::Resume) => self.engine.perform(Command::Resume { connection }),
            // The end is in the mailbox.
            _ => {}
        }
    }

    /// Returns whether the connection ends because its client is too slow.
    fn is_too_slow(&self) -> bool {
        matches!(self.mailbox.end(), Some(End::TooSlow(_)))
            || self.given_up.as_ref().is_some_and(GivenUp::get)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let connection = self.connection;
        self.engine.perform(Command::Disconnect { connection });
        self.engine.remove(connection, self.is_too_slow());
        if let Some(client) = self.client.take() {
            let now = self.engine.now();
            self.engine.guard().disconnect(client, now);
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// A poll that waits. It is given up when this is dropped.
pub(crate) struct Polling {
    pub(super) engine: Arc<Engine>,
    pub(super) connection: ConnectionId,
}

impl Drop for Polling {
    fn drop(&mut self) {
        let now = self.engine.now();
        let mut state = self.engine.state();
        if state.polling.remove(&self.connection).is_some() {
            if let Some(command) = state.polls.abort(self.connection) {
                state.commands.push_back(command);
                state.settle(now);
                self.engine.watch(&mut state);
            }
        }
        drop(state);
        self.engine.remove(self.connection, false);
    }
}
