//! The event queue, with a timeout for progress.

use crate::Result;
use mio::{Events, Poll, Registry};
use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

pub(crate) struct Reactor {
    poll: Poll,
    timeout: Duration,
    progress: Instant,
}

impl Reactor {
    pub(crate) fn new(timeout: Duration) -> Result<Self> {
        let poll = Poll::new().map_err(|error| format!("can't create an event queue: {error}"))?;
        Ok(Self { poll, timeout, progress: Instant::now() })
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Restarts the timeout, because something expected has arrived.
    pub(crate) fn progressed(&mut self, now: Instant) {
        self.progress = now;
    }

    /// Waits for events. Fails without progress for too long; `waiting_for` names what is missing.
    pub(crate) fn wait(
        &mut self,
        events: &mut Events,
        waiting_for: impl FnOnce() -> String,
    ) -> Result<()> {
        match self.timeout.checked_sub(self.progress.elapsed()) {
            Some(left) => self.poll(events, Some(left)),
            None => Err(format!(
                "no progress for {} s while waiting for {}",
                self.timeout.as_secs_f64(),
                waiting_for()
            )),
        }
    }

    /// Waits for events without a timeout.
    pub(crate) fn wait_long(&mut self, events: &mut Events) -> Result<()> {
        self.poll(events, None)
    }

    fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> Result<()> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                Err(format!("can't wait for events: {error}"))
            }
            _ => Ok(()),
        }
    }
}
