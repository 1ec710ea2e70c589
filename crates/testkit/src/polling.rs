//! Polls futures by hand in one thread, so that a test sees each poll and a hang fails at once.

use crate::transports::wire::Wire;
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};
use tokio::runtime::{Builder, Runtime};

/// Creates the future anew for each poll, drops it if it is pending, and counts the drops in
/// `$drops`.
#[macro_export]
macro_rules! dropping {
    ($drops:expr, $future:expr) => {
        std::future::poll_fn(|cx| {
            let poll = std::future::Future::poll(std::pin::pin!($future), cx);
            $drops += usize::from(poll.is_pending());
            poll
        })
        .await
    };
}
pub use dropping;

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs the users of a wire until all are done, polling each only after it was woken.
pub fn run(wire: &Wire, users: &mut [Pin<&mut dyn Future<Output = ()>>]) {
    assert!(advance(wire, users), "all users wait, and nothing wakes them");
}

/// Like [`run`], but also stops when all users wait for something that does not come. Returns
/// `true` if all are done.
pub fn advance(wire: &Wire, users: &mut [Pin<&mut dyn Future<Output = ()>>]) -> bool {
    let _entered = stopped_clock().enter();
    let flags: Vec<_> = users.iter().map(|_| Arc::new(Flag(AtomicBool::new(true)))).collect();
    let mut done = vec![false; users.len()];
    loop {
        let mut idle = true;
        for (index, user) in users.iter_mut().enumerate() {
            if done[index] || !flags[index].0.swap(false, Ordering::Relaxed) {
                continue;
            }
            idle = false;
            let waker = Waker::from(Arc::clone(&flags[index]));
            done[index] = user.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        }
        if done.iter().all(|&done| done) {
            return true;
        }
        if idle {
            wire.wake_ready();
            if !flags.iter().zip(&done).any(|(flag, done)| !done && flag.0.load(Ordering::Relaxed))
            {
                return false;
            }
        }
    }
}

/// Returns a runtime that never runs: its clock allows deadlines to be set, and none passes.
fn stopped_clock() -> &'static Runtime {
    static CLOCK: OnceLock<Runtime> = OnceLock::new();
    CLOCK.get_or_init(|| Builder::new_current_thread().enable_time().build().unwrap())
}

/// Polls a future once.
pub fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    let _entered = stopped_clock().enter();
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a future as a program without a runtime does.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
