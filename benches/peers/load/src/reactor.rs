//! The event queue, and how long nothing may come of it.

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
        let poll = Poll::new().map_err(|error| format!("no event queue can be had: {error}"))?;
        Ok(Self { poll, timeout, progress: Instant::now() })
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Something that was waited for has come.
    pub(crate) fn progressed(&mut self, now: Instant) {
        self.progress = now;
    }

    /// Waits for events. If there has been no progress for too long, `waiting_for` says of what.
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

    /// Waits for events for as long as it takes.
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
