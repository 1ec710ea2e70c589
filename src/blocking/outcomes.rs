//! What threads report to the one that waits for them.
//!
//! std's channels would do, but their code is 20 KB in the program for each type they carry.

use alloc::{collections::VecDeque, sync::Arc};
use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The outcomes of several threads, in the order in which they are reported.
pub(super) struct Outcomes<T>(Arc<Shared<T>>);

struct Shared<T> {
    reported: Mutex<VecDeque<T>>,
    is_new: Condvar,
}

impl<T> Outcomes<T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared { reported: Mutex::default(), is_new: Condvar::new() }))
    }

    pub(super) fn report(&self, outcome: T) {
        self.lock().push_back(outcome);
        self.0.is_new.notify_one();
    }

    /// Waits for the next outcome, and returns it. Returns `None` if there is none within `time`.
    pub(super) fn wait(&self, time: Option<Duration>) -> Option<T> {
        let end = time.and_then(|time| Instant::now().checked_add(time));
        let is_new = &self.0.is_new;
        let mut reported = self.lock();
        loop {
            if let Some(outcome) = reported.pop_front() {
                return Some(outcome);
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            reported = match left {
                Some(Duration::ZERO) => return None,
                Some(left) => {
                    let waited = is_new.wait_timeout(reported, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => is_new.wait(reported).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.0.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Outcomes<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn outcomes_arrive_in_order() {
        let outcomes = Outcomes::new();
        assert_eq!(outcomes.wait(Some(Duration::from_millis(1))), None);
        outcomes.report(1);
        outcomes.report(2);
        assert_eq!(outcomes.wait(Some(Duration::ZERO)), Some(1));
        assert_eq!(outcomes.wait(None), Some(2));
        let report = outcomes.clone();
        let late = thread::spawn(move || report.report(3));
        assert_eq!(outcomes.wait(None), Some(3));
        late.join().unwrap();
    }
}
