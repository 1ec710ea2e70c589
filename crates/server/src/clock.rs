//! The clock that all machines share, and timers on it.

use std::{
    future::pending,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, Sleep, sleep_until},
};

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

/// Something with deadlines, which one task meets for all.
pub(crate) trait KeepsTime {
    /// Returns the clock, and what is notified when a deadline has come nearer or this is dropped.
    fn timer(&self) -> (Clock, Arc<Notify>);

    /// Does what is due. Returns when to do so again.
    fn pass_time(self: &Arc<Self>) -> Option<Duration>;
}

/// Tells something the time, for as long as somebody has it.
pub(crate) async fn keep_time<T: KeepsTime>(owner: Weak<T>) {
    while let Some(strong) = owner.upgrade() {
        let deadline = strong.pass_time();
        let (clock, timer) = strong.timer();
        drop(strong);
        let sleep = async {
            match deadline {
                Some(at) => sleep_until(clock.instant(at)).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            () = timer.notified() => {}
        }
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

    /// Waits for the deadline. Call it after each time that it was ready, with the next deadline. `now` is the
    /// time at which the deadline was computed.
    pub(crate) fn poll(
        &mut self,
        deadline: Option<Duration>,
        now: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        if deadline <= now {
            return Poll::Ready(());
        }
        match &mut self.sleep {
            Some((at, sleep)) if *at > deadline => {
                sleep.as_mut().reset(self.clock.instant(deadline));
                *at = deadline;
            }
            Some(_) => {}
            None => {
                let sleep = sleep_until(self.clock.instant(deadline));
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
