//! Deadlines as pure functions of `now`.
//!
//! The protocol has no clock. Whoever has one says what time it is, as a [`Duration`] since any
//! epoch of its own that stays the same for one connection.

use core::time::Duration;

/// A moment by which something must have happened.
///
/// It can be set where no clock is at hand: it then begins to run when it next hears the time, and
/// asks for that by being due at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deadline {
    #[default]
    Unset,
    /// Set, and not told the time yet.
    Waiting(Duration),
    At(Duration),
    Passed,
}

impl Deadline {
    /// Sets it to `timeout` from when it next hears the time, if it was not set before.
    pub(crate) fn set(&mut self, timeout: Duration) {
        if *self == Self::Unset {
            *self = Self::Waiting(timeout);
        }
    }

    /// When to call [`passed`](Self::passed) next.
    pub(crate) fn next(&self) -> Option<Duration> {
        match *self {
            Self::Unset | Self::Passed => None,
            Self::Waiting(_) => Some(Duration::ZERO),
            Self::At(moment) => Some(moment),
        }
    }

    /// Says what time it is; true if the deadline has passed by now.
    pub(crate) fn passed(&mut self, now: Duration) -> bool {
        match *self {
            Self::Unset => return false,
            // Zero asks for the time.
            Self::Waiting(timeout) => {
                let moment = now.saturating_add(timeout).max(Duration::from_nanos(1));
                *self = Self::At(moment);
            }
            Self::At(moment) if moment <= now => *self = Self::Passed,
            Self::At(_) | Self::Passed => {}
        }
        *self == Self::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn runs_from_when_it_first_hears_the_time() {
        let mut deadline = Deadline::default();
        assert_eq!((deadline.next(), deadline.passed(SECOND)), (None, false));
        deadline.set(5 * SECOND);
        assert_eq!(deadline.next(), Some(Duration::ZERO));
        assert!(!deadline.passed(100 * SECOND));
        assert_eq!(deadline.next(), Some(105 * SECOND));
        deadline.set(50 * SECOND);
        assert_eq!(deadline.next(), Some(105 * SECOND));
        assert!(!deadline.passed(104 * SECOND));
        assert!(deadline.passed(105 * SECOND));
        assert!(deadline.passed(105 * SECOND) && deadline.next().is_none());
    }

    #[test]
    fn a_moment_is_never_the_zero_that_asks_for_the_time() {
        let mut deadline = Deadline::default();
        deadline.set(Duration::ZERO);
        assert!(!deadline.passed(Duration::ZERO));
        assert!(deadline.next().is_some_and(|moment| !moment.is_zero()));
        assert!(deadline.passed(SECOND));
    }

    #[test]
    fn a_timeout_without_end_does_not_overflow() {
        let mut deadline = Deadline::default();
        deadline.set(Duration::MAX);
        assert!(!deadline.passed(SECOND));
        assert!(!deadline.passed(Duration::MAX - SECOND));
    }
}
