//! The clock and the deadlines of a connection, on any executor.

use crate::asynchronous;
use alloc::boxed::Box;
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use std::time::Instant;

/// The clock of one connection and its alarm, which is a timer of `async-io`. All timers of a
/// process share one thread, which starts with the first of them.
#[derive(Debug)]
pub struct Timer {
    epoch: Instant,
    /// Boxed, because every waiting connection has room for an alarm.
    alarm: Option<Box<Alarm>>,
}

#[derive(Debug)]
struct Alarm {
    moment: Instant,
    timer: async_io::Timer,
}

impl asynchronous::Timer for Timer {
    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn poll_until(&mut self, moment: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let Some(moment) = self.epoch.checked_add(moment) else { return Poll::Pending };
        // Checked here, because an alarm that went off does not go off again.
        if moment <= Instant::now() {
            return Poll::Ready(());
        }
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::new(Alarm { moment, timer: async_io::Timer::at(moment) }));
        if alarm.moment != moment {
            alarm.moment = moment;
            alarm.timer.set_at(moment);
        }
        Pin::new(&mut alarm.timer).poll(cx).map(drop)
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self { epoch: Instant::now(), alarm: None }
    }
}
