//! Rates, and token buckets as pure functions of `now`.
//!
//! As with [deadlines](crate::timers), a caller with a clock passes the time as a [`Duration`] since
//! any moment that stays the same for one bucket.

use core::{fmt, time::Duration};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// How often something may happen: so often in each second or minute on average, and at most so often
/// at once.
///
/// A limit by rate is a *token bucket*. The bucket holds a [burst](Self::burst) of tokens at first,
/// and gains tokens at the rate until it is full again. Everything that happens takes a token, so in
/// any time `t` no more than `burst + rate × t` can happen.
///
/// ```
/// use sansocket::server::Rate;
///
/// let rate = Rate::per_second(10).burst(50);
/// assert_eq!(rate.to_string(), "10 per second, 50 at once");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    amount: u32,
    burst: u32,
    seconds: u32,
}

impl Rate {
    /// Creates a rate of `amount` per second. As many can happen at once, unless you set the
    /// [burst](Self::burst).
    #[must_use]
    pub const fn per_second(amount: u32) -> Self {
        Self { amount, burst: amount, seconds: 1 }
    }

    /// Creates a rate of `amount` per minute. As many can happen at once, unless you set the
    /// [burst](Self::burst).
    #[must_use]
    pub const fn per_minute(amount: u32) -> Self {
        Self { amount, burst: amount, seconds: 60 }
    }

    /// Sets how much can happen at once after a pause. With 0, nothing can happen at all. At a rate
    /// per minute, a burst counts as 307 million if it is larger.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// Returns how often it may happen on average in each [period](Self::period).
    #[must_use]
    pub const fn amount(self) -> u32 {
        self.amount
    }

    /// Returns the time to which the [amount](Self::amount) refers: a second or a minute.
    #[must_use]
    pub const fn period(self) -> Duration {
        Duration::from_secs(self.seconds as u64)
    }

    /// Returns how much can happen at once: the [burst](Self::burst).
    #[must_use]
    pub const fn at_once(self) -> u32 {
        self.burst
    }

    /// Returns what one token is worth. A bucket counts in parts of a token, of which it gains
    /// `amount` in each nanosecond: so it needs no fractions, and nothing is ever rounded.
    const fn token(self) -> u64 {
        self.seconds as u64 * NANOS_PER_SECOND
    }

    const fn capacity(self) -> u64 {
        self.token().saturating_mul(self.burst as u64)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { amount, burst, seconds } = self;
        let unit = if *seconds == 1 { "second" } else { "minute" };
        write!(f, "{amount} per {unit}, {burst} at once")
    }
}

/// A token bucket, which is full at first. You pass its [`Rate`] to each call, because many buckets
/// have the same.
///
/// `now` is the time since any moment that stays the same for the bucket. A clock that goes back gains
/// nothing. A bucket takes 16 bytes, and nothing is ever rounded.
///
/// ```
/// use core::time::Duration;
/// use sansocket::server::{Rate, TokenBucket};
///
/// let rate = Rate::per_second(2).burst(5);
/// let (mut bucket, now) = (TokenBucket::new(), Duration::ZERO);
/// assert!(bucket.take(5, rate, now));
/// assert!(!bucket.take(1, rate, now));
/// assert_eq!(bucket.time_until(1, rate, now), Some(Duration::from_millis(500)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenBucket {
    /// The parts of tokens that are missing from a full bucket.
    missing: u64,
    /// The time of the last call in nanoseconds.
    at: u64,
}

impl TokenBucket {
    /// Creates a full bucket.
    #[must_use]
    pub const fn new() -> Self {
        Self { missing: 0, at: 0 }
    }

    /// Takes so many tokens. Takes none and returns `false` if there are fewer.
    pub fn take(&mut self, count: u64, rate: Rate, now: Duration) -> bool {
        self.refill(rate, now);
        match self.missing_without(count, rate) {
            Some(missing) if missing <= rate.capacity() => {
                self.missing = missing;
                true
            }
            _ => false,
        }
    }

    /// Takes so many tokens, or all that are left if there are fewer: they stand for something that
    /// has happened already. Returns `false` if there were fewer.
    pub fn charge(&mut self, count: u64, rate: Rate, now: Duration) -> bool {
        let is_covered = self.take(count, rate, now);
        if !is_covered {
            self.missing = rate.capacity();
        }
        is_covered
    }

    /// Returns how long it takes until there are so many tokens, or `None` if there never are: the rate
    /// is 0, or its [burst](Rate::burst) is smaller. This changes nothing that later calls could tell.
    #[must_use]
    pub fn time_until(&mut self, count: u64, rate: Rate, now: Duration) -> Option<Duration> {
        self.refill(rate, now);
        if count > u64::from(rate.burst) {
            return None;
        }
        let over = self.missing_without(count, rate)?.saturating_sub(rate.capacity());
        match (over, rate.amount) {
            (0, _) => Some(Duration::ZERO),
            (_, 0) => None,
            (over, amount) => Some(Duration::from_nanos(over.div_ceil(u64::from(amount)))),
        }
    }

    /// Returns when the bucket is full if nothing more is taken: [`Duration::MAX`] for never, and a
    /// moment that has passed if it is full already.
    #[must_use]
    pub fn full_at(&self, rate: Rate) -> Duration {
        match (self.missing, rate.amount) {
            (0, _) => Duration::ZERO,
            (_, 0) => Duration::MAX,
            (missing, amount) => {
                Duration::from_nanos(self.at.saturating_add(missing.div_ceil(u64::from(amount))))
            }
        }
    }

    /// Returns what is missing from a full bucket once so many tokens more are taken.
    fn missing_without(&self, count: u64, rate: Rate) -> Option<u64> {
        self.missing.checked_add(count.checked_mul(rate.token())?)
    }

    fn refill(&mut self, rate: Rate, now: Duration) {
        // 584 years. A clock that goes back does not refill the bucket twice.
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX).max(self.at);
        let gained = (now - self.at).saturating_mul(u64::from(rate.amount));
        self.missing = self.missing.saturating_sub(gained);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn available(bucket: &mut TokenBucket, rate: Rate, now: Duration) -> u32 {
        let mut bucket = *bucket;
        (0..).take_while(|_| bucket.take(1, rate, now)).count().try_into().unwrap()
    }

    #[test]
    fn a_bucket_holds_a_burst_and_gains_the_rate() {
        let rate = Rate::per_second(2).burst(5);
        let mut bucket = TokenBucket::new();
        assert!(!bucket.take(6, rate, SECOND) && bucket.take(5, rate, SECOND));
        assert!(!bucket.take(1, rate, SECOND));
        assert_eq!(bucket.time_until(1, rate, SECOND), Some(SECOND / 2));
        assert!(!bucket.take(1, rate, SECOND * 3 / 2 - Duration::from_nanos(1)));
        assert!(bucket.take(1, rate, SECOND * 3 / 2));
        assert_eq!(available(&mut bucket, rate, 3 * SECOND), 3);
        assert_eq!(bucket.full_at(rate), 4 * SECOND);
        assert_eq!(available(&mut bucket, rate, 1000 * SECOND), 5);
    }

    #[test]
    fn what_has_happened_empties_the_bucket() {
        let rate = Rate::per_minute(60).burst(10);
        let mut bucket = TokenBucket::new();
        assert!(bucket.charge(7, rate, SECOND));
        assert!(!bucket.charge(7, rate, SECOND));
        assert_eq!(available(&mut bucket, rate, SECOND), 0);
        assert_eq!(available(&mut bucket, rate, 2 * SECOND), 1);
    }

    #[test]
    fn a_rate_that_divides_no_second_does_not_drift() {
        let rate = Rate::per_minute(7).burst(1);
        let mut bucket = TokenBucket::new();
        let mut now = Duration::ZERO;
        let taken = (0..600_000).filter(|_| {
            now += Duration::from_millis(1);
            bucket.take(1, rate, now)
        });
        // In 10 minutes: the burst, and 7 in each minute, the last of which is just complete.
        let taken = taken.count();
        assert!((69..=71).contains(&taken), "{taken}");
    }

    #[test]
    fn extremes_are_no_overflow() {
        for rate in [Rate::per_second(u32::MAX), Rate::per_minute(u32::MAX)] {
            let mut bucket = TokenBucket::new();
            assert!(!bucket.take(u64::MAX, rate, Duration::MAX));
            assert!(bucket.take(1, rate, Duration::MAX));
            assert!(!bucket.charge(u64::MAX, rate, Duration::ZERO));
            assert_eq!(bucket.time_until(u64::MAX, rate, Duration::MAX), None);
            assert_eq!(
                bucket.full_at(rate),
                Duration::from_nanos(u64::MAX),
                "no clock goes further"
            );
        }
        for rate in [Rate::per_second(0), Rate::per_second(9).burst(0)] {
            let mut bucket = TokenBucket::new();
            assert!(!bucket.take(1, rate, Duration::MAX));
            assert_eq!(bucket.time_until(1, rate, Duration::MAX), None);
        }
        let once = Rate::per_second(0).burst(1);
        let mut bucket = TokenBucket::new();
        assert!(bucket.take(1, once, SECOND) && !bucket.take(1, once, Duration::MAX));
        assert_eq!(bucket.time_until(1, once, Duration::MAX), None);
        assert_eq!(bucket.full_at(once), Duration::MAX);
    }

    #[test]
    fn a_clock_that_goes_back_gains_nothing() {
        let rate = Rate::per_second(1);
        let mut bucket = TokenBucket::new();
        assert!(bucket.take(1, rate, 9 * SECOND));
        assert!(!bucket.take(1, rate, SECOND));
        assert!(!bucket.take(1, rate, 9 * SECOND));
        assert!(bucket.take(1, rate, 10 * SECOND));
    }

    #[test]
    fn a_rate_can_be_read() {
        let text = "10 per minute, 2 at once";
        let rate = Rate::per_minute(10).burst(2);
        assert_eq!(rate.to_string(), text);
        assert_eq!((rate.amount(), rate.period(), rate.at_once()), (10, 60 * SECOND, 2));
        assert_eq!(Rate::per_second(3).period(), SECOND);
    }

    proptest! {
        /// In any stretch of time, no more passes than the burst and what the rate gives for it; and
        /// a bucket that refuses says when it will not.
        #[test]
        fn a_bucket_lets_no_more_than_burst_and_rate_through(
            amount in 0..1000_u32,
            burst in 0..50_u32,
            is_per_minute: bool,
            steps in prop::collection::vec((0..2_000_000_000_u64, 0..20_u64), 1..100),
        ) {
            let rate = if is_per_minute { Rate::per_minute(amount) } else { Rate::per_second(amount) };
            let rate = rate.burst(burst);
            let mut bucket = TokenBucket::new();
            let mut passed = alloc::vec::Vec::new();
            let mut now = 0;
            for (pause, count) in steps {
                now += pause;
                let time = Duration::from_nanos(now);
                if bucket.take(count, rate, time) {
                    passed.push((now, count));
                } else if let Some(wait) = bucket.time_until(count, rate, time) {
                    let mut early = bucket;
                    prop_assert!(!early.take(count, rate, time + wait - Duration::from_nanos(1)));
                    prop_assert!(bucket.take(count, rate, time + wait));
                    now += wait.as_nanos() as u64;
                    passed.push((now, count));
                } else {
                    prop_assert!(amount == 0 || count > u64::from(burst));
                }
                // However often it is asked, a bucket is full at the same moment.
                let full_at = bucket.full_at(rate);
                let mut later = bucket;
                let _ = later.time_until(0, rate, Duration::from_nanos(now) + full_at / 2);
                prop_assert!(later.missing == 0 || later.full_at(rate) == full_at);
                let _ = later.time_until(0, rate, full_at);
                prop_assert!(later.missing == 0 || amount == 0);
            }
            let period = u128::from(if is_per_minute { 60 * NANOS_PER_SECOND } else { NANOS_PER_SECOND });
            for first in 0..passed.len() {
                let mut sum = 0;
                for (at, count) in &passed[first..] {
                    sum += u128::from(*count);
                    let gained = u128::from(at - passed[first].0) * u128::from(amount);
                    prop_assert!(sum * period <= u128::from(burst) * period + gained);
                }
            }
        }
    }
}
