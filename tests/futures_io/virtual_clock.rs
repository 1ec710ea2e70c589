//! A clock that jumps to the next deadline once nothing else is to do, and an executor for it.

use sansocket::asynchronous::Timer;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

thread_local! {
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static LAST: Cell<u64> = const { Cell::new(0) };
    static ALARMS: RefCell<BTreeMap<u64, (Duration, Waker)>> = const { RefCell::new(BTreeMap::new()) };
}

/// A timer on the virtual clock of its thread.
#[derive(Debug)]
pub(crate) struct VirtualTimer(u64);

impl Default for VirtualTimer {
    fn default() -> Self {
        LAST.set(LAST.get() + 1);
        Self(LAST.get())
    }
}

impl Timer for VirtualTimer {
    fn now(&self) -> Duration {
        now()
    }

    fn poll_until(&mut self, moment: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if moment <= now() {
            return Poll::Ready(());
        }
        ALARMS.with_borrow_mut(|alarms| alarms.insert(self.0, (moment, cx.waker().clone())));
        Poll::Pending
    }
}

impl Drop for VirtualTimer {
    fn drop(&mut self) {
        ALARMS.with_borrow_mut(|alarms| alarms.remove(&self.0));
    }
}

/// Returns the time on the virtual clock of this thread.
pub(crate) fn now() -> Duration {
    NOW.get()
}

/// Waits on the virtual clock.
pub(crate) async fn sleep(time: Duration) {
    let (mut timer, end) = (VirtualTimer::default(), now() + time);
    std::future::poll_fn(|cx| timer.poll_until(end, cx)).await;
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a test. When nothing is to do, the clock jumps; when there is no deadline either, the test
/// hangs and fails.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let mut test = pin!(test);
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    loop {
        if let Poll::Ready(outcome) = test.as_mut().poll(&mut Context::from_waker(&waker)) {
            return outcome;
        }
        if flag.0.swap(false, Ordering::Relaxed) {
            continue;
        }
        let next = ALARMS.with_borrow_mut(|alarms| {
            let first = alarms.iter().min_by_key(|(_, (moment, _))| *moment);
            let number = *first.expect("the test hangs: nothing wakes it").0;
            alarms.remove(&number)
        });
        let (moment, waker) = next.expect("it was found");
        NOW.set(moment.max(now()));
        waker.wake();
    }
}
