//! Deadlines as pure functions of `now`.
//!
//! The protocol has no clock. A caller with a clock passes the time as a [`Duration`] since any
//! moment that stays the same for one connection.

use crate::transport::IoFailure;
use core::{num::NonZeroU64, time::Duration};

/// A time or a length of time in half the memory of a [`Duration`]. What does not fit, from 544 years
/// on, becomes the longest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShortDuration {
    /// The whole seconds in the upper 34 bits, and the nanoseconds in the lower 30. All of it plus one,
    /// so an `Option` takes no more memory.
    plus_one: NonZeroU64,
}

impl ShortDuration {
    const NANOSECOND_BITS: u32 = 30;
    const MAX_SECONDS: u64 = (1 << 34) - 1;

    pub(crate) fn saturating_add(self, length: Self) -> Self {
        Duration::from(self).saturating_add(length.into()).into()
    }
}

impl From<Duration> for ShortDuration {
    fn from(duration: Duration) -> Self {
        let longest = Duration::new(Self::MAX_SECONDS, 999_999_999);
        let duration = duration.min(longest);
        let nanoseconds = u64::from(duration.subsec_nanos());
        let packed = duration.as_secs() << Self::NANOSECOND_BITS | nanoseconds;
        Self { plus_one: NonZeroU64::MIN.saturating_add(packed) }
    }
}

impl From<ShortDuration> for Duration {
    #[inline]
    fn from(ShortDuration { plus_one }: ShortDuration) -> Self {
        let packed = plus_one.get() - 1;
        let nanoseconds = packed & ((1 << ShortDuration::NANOSECOND_BITS) - 1);
        Self::new(packed >> ShortDuration::NANOSECOND_BITS, nanoseconds as u32)
    }
}

/// A time by which something must have happened, a given timeout after the deadline was set.
///
/// A deadline can be set where no clock is available. It starts to run at the next call of
/// [`passed`](Self::passed). Until then, it is due at once, so that this call comes soon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deadline {
    #[default]
    Unset,
    /// Set, but not running: no call has supplied the time yet.
    Waiting,
    At(Duration),
    Passed,
}

impl Deadline {
    /// Sets the deadline, unless it was set before. It starts to run at the next call of
    /// [`passed`](Self::passed).
    pub(crate) fn set(&mut self) {
        if *self == Self::Unset {
            *self = Self::Waiting;
        }
    }

    /// Returns when to call [`passed`](Self::passed) next.
    pub(crate) fn next(&self) -> Option<Duration> {
        match *self {
            Self::Unset | Self::Passed => None,
            Self::Waiting => Some(Duration::ZERO),
            Self::At(moment) => Some(moment),
        }
    }

    /// Starts the deadline with this timeout if it is set but not running. Returns `true` if the
    /// deadline has passed.
    pub(crate) fn passed(&mut self, now: Duration, timeout: Duration) -> bool {
        match *self {
            Self::Unset => return false,
            // A deadline of zero means that the time is needed.
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
/// If this endpoint was busy elsewhere, input that is already in the transport may have arrived in
/// time. So it is still read, up to a limit in bytes and in time. The second read in a row that
/// finds nothing ends this phase. One such read is not enough: for fairness to other tasks, a
/// runtime may report that there is nothing although there is something.
#[derive(Debug)]
pub(crate) struct Late {
    until: Duration,
    empty_reads: u8,
    read: usize,
    /// Whether a read was requested but not reported: perhaps nobody reads.
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

    /// Returns when to ask again: at once, after others had their turn; or at the end of this
    /// phase, if the previous request was ignored.
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
    fn a_short_duration_is_exact_up_to_the_longest() {
        let there_and_back = |duration| Duration::from(ShortDuration::from(duration));
        let longest = Duration::new(ShortDuration::MAX_SECONDS, 999_999_999);
        for duration in [Duration::ZERO, Duration::from_nanos(1), SECOND, longest] {
            assert_eq!(there_and_back(duration), duration);
        }
        for duration in [longest + Duration::from_nanos(1), Duration::MAX] {
            assert_eq!(there_and_back(duration), longest);
        }
        let sum = |one: Duration, other: Duration| {
            Duration::from(ShortDuration::from(one).saturating_add(other.into()))
        };
        assert_eq!(sum(SECOND, SECOND), 2 * SECOND);
        assert_eq!(sum(longest, SECOND), longest);
        let orders =
            |one: Duration, other: Duration| ShortDuration::from(one) < ShortDuration::from(other);
        assert!(orders(SECOND, SECOND + Duration::from_nanos(1)));
        assert!(orders(SECOND - Duration::from_nanos(1), SECOND));
        assert_eq!(size_of::<Option<ShortDuration>>(), 8);
    }

    #[test]
    fn a_deadline_starts_to_run_at_the_first_check() {
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
    fn a_running_deadline_is_never_zero() {
        let mut deadline = Deadline::default();
        deadline.set();
        assert!(!deadline.passed(Duration::ZERO, Duration::ZERO));
        assert!(deadline.next().is_some_and(|moment| !moment.is_zero()));
        assert!(deadline.passed(SECOND, Duration::ZERO));
    }

    #[test]
    fn the_longest_timeout_does_not_overflow() {
        let mut deadline = Deadline::default();
        deadline.set();
        assert!(!deadline.passed(SECOND, Duration::MAX));
        assert!(!deadline.passed(Duration::MAX - SECOND, Duration::MAX));
    }
}
