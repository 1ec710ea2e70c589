use crate::asynchronous;
use ::tokio::{
    time::{Instant, Sleep, sleep_until},
};
use alloc::boxed::Box;
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// The clock of one connection, and what waits by it.
#[derive(Debug)]
pub struct Timer {
    epoch: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl asynchronous::Timer for Timer {
    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn poll_until(&mut self, moment: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let Some(moment) = self.epoch.checked_add(moment) else { return Poll::Pending };
        // A task that never waits keeps the runtime from looking at its timers.
        if moment <= Instant::now() {
            return Poll::Ready(());
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(moment)));
        if sleep.deadline() != moment {
            sleep.as_mut().reset(moment);
        }
        sleep.as_mut().poll(cx)
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self { epoch: Instant::now(), sleep: None }
    }
}
