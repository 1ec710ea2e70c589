//! The clock and the deadlines of a connection, with or without a time driver.

use crate::asynchronous;
use ::tokio::{
    runtime::Handle,
    time::{Instant, Sleep, sleep_until},
};
use alloc::{boxed::Box, string::ToString, sync::Arc};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use std::{
    panic::catch_unwind,
    sync::{Mutex, PoisonError},
    thread,
};

/// The clock of one connection and its alarm. The alarm is the time driver of the runtime or, if
/// there is none, a thread for each running deadline.
#[derive(Debug)]
pub struct Timer {
    epoch: Instant,
    alarm: Option<Alarm>,
}

#[derive(Debug)]
enum Alarm {
    Driver(Pin<Box<Sleep>>),
    /// Boxed, because it is rare, and every waiting connection has room for an alarm.
    Thread(Box<ThreadAlarm>),
}

/// A thread that sleeps until `moment` and then wakes the stored task.
#[derive(Debug)]
struct ThreadAlarm {
    moment: Instant,
    waiting: Arc<Mutex<Option<Waker>>>,
}

impl asynchronous::Timer for Timer {
    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn poll_until(&mut self, moment: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let Some(moment) = self.epoch.checked_add(moment) else { return Poll::Pending };
        // Checked here, because a task that never waits keeps the runtime from polling its timers.
        if moment <= Instant::now() {
            return Poll::Ready(());
        }
        match self.alarm.get_or_insert_with(|| Alarm::new(moment)) {
            Alarm::Driver(sleep) => {
                if sleep.deadline() != moment {
                    sleep.as_mut().reset(moment);
                }
                sleep.as_mut().poll(cx)
            }
            Alarm::Thread(alarm) => {
                if alarm.moment != moment {
                    **alarm = ThreadAlarm::new(moment);
                }
                alarm.note(cx.waker());
                Poll::Pending
            }
        }
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self { epoch: Instant::now(), alarm: None }
    }
}

impl Alarm {
    fn new(moment: Instant) -> Self {
        // A panic is the only way in which tokio reports that a runtime has no time driver.
        let sleep = Handle::try_current()
            .ok()
            .and_then(|_| catch_unwind(|| Box::pin(sleep_until(moment))).ok());
        sleep.map_or_else(|| Self::Thread(Box::new(ThreadAlarm::new(moment))), Self::Driver)
    }
}

impl ThreadAlarm {
    fn new(moment: Instant) -> Self {
        let waiting = Arc::new(Mutex::new(None::<Waker>));
        let alarm = Self { moment, waiting: Arc::clone(&waiting) };
        let sleep_and_wake = move || {
            thread::sleep(moment.saturating_duration_since(Instant::now()));
            let waker = waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        let thread = thread::Builder::new().name("sansocket timer".to_string());
        if thread.spawn(sleep_and_wake).is_err() {
            // If no thread can be spawned, the task polls in a loop, which is better than waiting
            // without limit.
            return Self { moment: Instant::now(), ..alarm };
        }
        alarm
    }

    fn note(&self, waker: &Waker) {
        let new = waker.clone();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let old = waiting.replace(new);
        drop(waiting);
        // Drop the old waker after unlocking: this can drop its task, whose destructor may take
        // this lock.
        drop(old);
        // The thread may have finished in the meantime.
        if self.moment <= Instant::now() {
            waker.wake_by_ref();
        }
    }
}
