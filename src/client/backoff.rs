//! When a client that has lost its connection tries again.

use core::time::Duration;

/// The pauses between attempts to connect: exponential backoff with full jitter.
///
/// Each pause is a random time up to a bound, and the bound doubles with each attempt, from the
/// [base](Self::base) to the [cap](Self::cap). The whole pause is random, because the clients of a
/// server that restarts lose their connections at the same moment: without jitter they would all
/// come back at the same moments, too. The bound returns to the base only after a connection that
/// [lasted](Self::lasted) for some time. A server that accepts connections and closes them at once
/// would otherwise be tried again without end at the shortest pauses.
///
/// ```
/// use sansocket::client::Backoff;
/// use std::time::Duration;
///
/// let mut backoff = Backoff::new().base(Duration::from_secs(1)).attempts(3);
/// // Pass random numbers instead.
/// assert_eq!(backoff.next(u64::MAX / 2), Some(Duration::from_millis(500)));
/// assert_eq!(backoff.next(u64::MAX / 2), Some(Duration::from_secs(1)));
/// assert_eq!(backoff.next(u64::MAX / 2), Some(Duration::from_secs(2)));
/// assert_eq!(backoff.next(u64::MAX / 2), None);
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    stable_after: Duration,
    most_attempts: Option<u32>,
    attempts: u32,
}

impl Backoff {
    /// Creates a backoff with a base of 500 milliseconds, a cap of 30 seconds, and no limit of
    /// attempts. A connection is stable after 60 seconds.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            stable_after: Duration::from_secs(60),
            most_attempts: None,
            attempts: 0,
        }
    }

    /// Sets the bound of the first pause.
    #[must_use]
    pub const fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// Sets the bound of all pauses.
    #[must_use]
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Sets how many attempts there are before a connection is stable; `None` means without limit.
    #[must_use]
    pub fn attempts(mut self, most: impl Into<Option<u32>>) -> Self {
        self.most_attempts = most.into();
        self
    }

    /// Sets how long a connection must last to count as stable.
    #[must_use]
    pub const fn stable_after(mut self, time: Duration) -> Self {
        self.stable_after = time;
        self
    }

    /// Returns how long to wait before the next attempt, or `None` if there is no attempt left.
    ///
    /// `random` is a random number, uniformly distributed over its whole range, such as that of
    /// `random::number`.
    pub fn next(&mut self, random: u64) -> Option<Duration> {
        if self.most_attempts.is_some_and(|most| self.attempts >= most) {
            return None;
        }
        let times = 1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        let bound = self.base.saturating_mul(times).min(self.cap);
        self.attempts = self.attempts.saturating_add(1);
        Some(part(bound, random))
    }

    /// Tells the backoff how long a connection has lasted, once it has ended. If it was stable, the
    /// next pause is as short as the first, and all attempts are left.
    pub fn lasted(&mut self, time: Duration) {
        if self.is_stable(time) {
            self.attempts = 0;
        }
    }

    /// Returns `true` if a connection that lasted this long was stable.
    pub(super) fn is_stable(&self, time: Duration) -> bool {
        time >= self.stable_after
    }

    /// Returns the number of attempts since the last stable connection.
    pub(super) const fn attempts_made(&self) -> u32 {
        self.attempts
    }
}

/// Returns `bound` × `random` / 2⁶⁴.
fn part(bound: Duration, random: u64) -> Duration {
    // Longer than 500 years, so nobody waits for the difference.
    let nanoseconds = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
    let product = u128::from(nanoseconds) * (u128::from(random) + 1);
    Duration::from_nanos((product >> 64) as u64)
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const SECOND: Duration = Duration::from_secs(1);

    fn bounds(backoff: &mut Backoff, count: usize) -> Vec<u64> {
        (0..count).map(|_| backoff.next(u64::MAX).unwrap().as_secs()).collect()
    }

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let mut backoff = Backoff::new().base(SECOND).cap(30 * SECOND);
        assert_eq!(bounds(&mut backoff, 8), [1, 2, 4, 8, 16, 30, 30, 30]);
        for _ in 0..100 {
            assert_eq!(backoff.next(u64::MAX), Some(30 * SECOND));
        }
        let mut none = Backoff::new().base(Duration::ZERO);
        assert!((0..100).all(|_| none.next(u64::MAX) == Some(Duration::ZERO)));
        let mut longest = Backoff::new().base(Duration::MAX).cap(Duration::MAX);
        assert!(longest.next(u64::MAX).is_some_and(|pause| pause > 1_000_000 * SECOND));
        assert!(longest.next(0).is_some_and(|pause| pause < SECOND * 2));
    }

    #[test]
    fn the_whole_pause_is_random() {
        let pause = |random| Backoff::new().base(SECOND).next(random).unwrap();
        assert_eq!(pause(0), Duration::ZERO);
        assert_eq!(pause(u64::MAX / 4), SECOND / 4);
        assert_eq!(pause(u64::MAX), SECOND);
    }

    #[test]
    fn only_a_stable_connection_resets_it() {
        let mut backoff = Backoff::new().base(SECOND).stable_after(60 * SECOND);
        assert_eq!(bounds(&mut backoff, 3), [1, 2, 4]);
        backoff.lasted(59 * SECOND);
        assert_eq!(bounds(&mut backoff, 1), [8]);
        backoff.lasted(60 * SECOND);
        assert_eq!(bounds(&mut backoff, 2), [1, 2]);
    }

    #[test]
    fn attempts_can_be_limited() {
        let mut backoff = Backoff::new().attempts(2);
        assert!(backoff.next(0).is_some() && backoff.next(0).is_some());
        assert_eq!(backoff.next(0), None);
        backoff.lasted(60 * SECOND);
        assert!(backoff.next(0).is_some());
        assert_eq!(Backoff::new().attempts(0).next(0), None);
        let mut unlimited = Backoff::new().attempts(2).attempts(None);
        assert!((0..1000).all(|_| unlimited.next(0).is_some()));
    }
}
