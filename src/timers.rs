//! Deadlines as pure functions of `now`.
//!
//! The protocol has no clock. Whoever has one says what time it is, as a [`Duration`] since any
//! epoch of its own that stays the same for one connection.

use crate::transport::IoFailure;
use core::time::Duration;

/// A moment by which something must have happened: some time after it was set.
///
/// It can be set where no clock is at hand: it then begins to run when it next hears the time, and
/// asks for that by being due at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deadline {
    #[default]
    Unset,
    /// Set, and not told the time yet.
    Waiting,
    At(Duration),
    Passed,
}

impl Deadline {
    /// Lets the time run from when it next hears it, if it was not set before.
    pub(crate) fn set(&mut self) {
        if *self == Self::Unset {
            *self = Self::Waiting;
        }
    }

    /// When to call [`passed`](Self::passed) next.
    pub(crate) fn next(&self) -> Option<Duration> {
        match *self {
            Self::Unset | Self::Passed => None,
            Self::Waiting => Some(Duration::ZERO),
            Self::At(moment) => Some(moment),
        }
    }

    /// Says what time it is, and how long the time is that runs; true if the deadline has passed.
    pub(crate) fn passed(&mut self, now: Duration, timeout: Duration) -> bool {
        match *self {
            Self::Unset => return false,
            // Zero asks for the time.
            Self::Waiting => {
                let moment = now.saturating_add(timeout).max(Duration::from_nanos(1));
                *self = Self::At(moment);
            }
            Self::At(moment) if moment <= now => *self = Self::Passed,
            Self::At(_) | Self::Passed => {}
        }
        *self == Self::Passed
    }
}

/// Reading after a deadline.
///
/// What lies in the transport then came in time, if this end was busy elsewhere. So it is read, up to this
/// much and for so long. A read that finds nothing ends that the second time: a runtime that is to be fair
/// to other tasks may say so though there is something.
#[derive(Debug)]
pub(crate) struct Late {
    until: Duration,
    empty_reads: u8,
    read: usize,
    /// Whether it was asked for in vain: nobody reads.
    is_asked: bool,
}

const MOST_LATE_TIME: Duration = Duration::from_millis(500);
const MOST_LATE: usize = 4 << 20;
const MOST_EMPTY_READS: u8 = 2;

impl Late {
    pub(crate) fn new(now: Duration) -> Self {
        Self { until: now.saturating_add(MOST_LATE_TIME), empty_reads: 0, read: 0, is_asked: false }
    }

    pub(crate) fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.is_asked = false;
        match outcome {
            Ok(count) => {
                self.empty_reads = 0;
                self.read += count;
            }
            Err(_) => self.empty_reads = self.empty_reads.saturating_add(1),
        }
    }

    /// When to ask again: at once, as soon as others had their turn.
    pub(crate) fn next(&mut self, now: Duration) -> Duration {
        if core::mem::replace(&mut self.is_asked, true) { self.until } else { now }
    }

    pub(crate) fn is_over(&self, now: Duration) -> bool {
        self.empty_reads >= MOST_EMPTY_READS || self.until <= now || self.read > MOST_LATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn runs_from_when_it_first_hears_the_time() {
        let mut deadline = Deadline::default();
        let timeout = 5 * SECOND;
        assert_eq!((deadline.next(), deadline.passed(SECOND, timeout)), (None, false));
        deadline.set();
        assert_eq!(deadline.next(), Some(Duration::ZERO));
        assert!(!deadline.passed(100 * SECOND, timeout));
        assert_eq!(deadline.next(), Some(105 * SECOND));
        deadline.set();
        assert_eq!(deadline.next(), Some(105 * SECOND));
        assert!(!deadline.passed(104 * SECOND, timeout));
        assert!(deadline.passed(105 * SECOND, timeout));
        assert!(deadline.passed(105 * SECOND, timeout) && deadline.next().is_none());
    }

    #[test]
    fn a_moment_is_never_the_zero_that_asks_for_the_time() {
        let mut deadline = Deadline::default();
        deadline.set();
        assert!(!deadline.passed(Duration::ZERO, Duration::ZERO));
        assert!(deadline.next().is_some_and(|moment| !moment.is_zero()));
        assert!(deadline.passed(SECOND, Duration::ZERO));
    }

    #[test]
    fn a_timeout_without_end_does_not_overflow() {
        let mut deadline = Deadline::default();
        deadline.set();
        assert!(!deadline.passed(SECOND, Duration::MAX));
        assert!(!deadline.passed(Duration::MAX - SECOND, Duration::MAX));
    }
}
