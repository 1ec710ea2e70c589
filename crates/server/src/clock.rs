//! The clock that all machines share, and timers on it.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// Tells the time since it was created.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn now(self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the moment on tokio's clock.
    pub(crate) fn instant(self, at: Duration) -> Instant {
        // A moment that the clock can't tell never comes.
        self.started.checked_add(at).unwrap_or_else(|| self.started + Duration::from_secs(1 << 30))
    }
}

/// Wakes its task at a deadline that moves. It is only set anew if the deadline comes earlier, since
/// most deadlines move on with everything that happens.
#[derive(Debug)]
pub(crate) struct Timer {
    clock: Clock,
    sleep: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Timer {
    pub(crate) const fn new(clock: Clock) -> Self {
        Self { clock, sleep: None }
    }

    /// Waits for the deadline. Call it after each time that it was ready, with the next deadline.
    pub(crate) fn poll(&mut self, deadline: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        if deadline <= self.clock.now() {
            return Poll::Ready(());
        }
        match &mut self.sleep {
            Some((at, sleep)) if *at > deadline => {
                sleep.as_mut().reset(self.clock.instant(deadline));
                *at = deadline;
            }
            Some(_) => {}
            None => {
                let sleep = tokio::time::sleep_until(self.clock.instant(deadline));
                self.sleep = Some((deadline, Box::pin(sleep)));
            }
        }
        loop {
            let Some((at, sleep)) = &mut self.sleep else { return Poll::Pending };
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if deadline <= self.clock.now() {
                return Poll::Ready(());
            }
            // The deadline has moved on since this was set.
            sleep.as_mut().reset(self.clock.instant(deadline));
            *at = deadline;
        }
    }
}
