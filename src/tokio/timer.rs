use ::tokio::time::{Instant, Sleep, sleep_until};
use alloc::boxed::Box;
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// The clock of one connection, and what waits by it. Costs nothing until the time is asked for.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Box<Running>>);

#[derive(Debug)]
struct Running {
    epoch: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// The time since it was first asked for: the `now` of the connection's deadlines.
    pub(super) fn now(&mut self) -> Duration {
        self.running().epoch.elapsed()
    }

    /// Waits until `moment`; for ever, if that is farther away than can be told.
    pub(super) fn poll_until(&mut self, moment: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let Running { epoch, sleep } = self.running();
        let Some(moment) = epoch.checked_add(moment) else { return Poll::Pending };
        // A task that never waits keeps the runtime from looking at its timers.
        if moment <= Instant::now() {
            return Poll::Ready(());
        }
        let sleep = sleep.get_or_insert_with(|| Box::pin(sleep_until(moment)));
        if sleep.deadline() != moment {
            sleep.as_mut().reset(moment);
        }
        sleep.as_mut().poll(cx)
    }

    fn running(&mut self) -> &mut Running {
        self.0.get_or_insert_with(|| Box::new(Running { epoch: Instant::now(), sleep: None }))
    }
}
