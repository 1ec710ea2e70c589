//! The least data rate: how slowly a frame or a message may arrive.

use super::config::MinDataRate;
use super::error::ProtocolError;
use super::period::{Elapsed, Period};
use super::reply::Received;
use crate::transport::IoFailure;
use core::time::Duration;

/// The state of the least data rate.
///
/// A period begins with the first look at the clock after something unfinished was seen. It stops at
/// its end if nothing is unfinished then. Quiet reads and, rarely, a number of calls make it ask the
/// clock. So traffic does not ask once a read, even if each read ends in the middle of a frame.
#[derive(Debug)]
pub(super) struct DataRate {
    least: MinDataRate,
    period: Period,
    /// The calls of [`needs_clock`](Self::needs_clock) since the clock was asked.
    calls: u8,
    /// The bytes that were read in this period.
    received: u32,
    is_unfinished: bool,
    /// Whether there was a time in this period when nothing was unfinished.
    was_finished: bool,
}

/// The shortest period: without time between them, checks would be a busy loop.
const LEAST: Duration = Duration::from_millis(1);

/// After so many calls, the clock is asked although reads find something. Otherwise a peer whose every
/// byte is read alone, as by a thread that waits for it, would never be too slow.
const MOST_CALLS: u8 = 128;

impl DataRate {
    pub(super) fn new(least: MinDataRate) -> Self {
        Self {
            least: MinDataRate { period: least.period.max(LEAST), ..least },
            period: Period::default(),
            calls: 0,
            received: 0,
            is_unfinished: false,
            was_finished: false,
        }
    }

    /// Notes whether everything that has arrived is finished.
    pub(super) fn received(&mut self, received: Received) {
        self.period.was_told();
        self.is_unfinished = received.is_unfinished;
        self.was_finished |= received.was_finished;
    }

    /// Notes the outcome of a read.
    #[inline]
    pub(super) fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.period.did_read(outcome);
        let count = u32::try_from(outcome.unwrap_or(0)).unwrap_or(u32::MAX);
        self.received = self.received.saturating_add(count);
    }

    /// Returns `true` if [`next`](Self::next) has to be called.
    #[inline]
    pub(super) fn needs_clock(&mut self) -> bool {
        if !self.period.has_begun() {
            return self.is_unfinished;
        }
        self.calls = self.calls.saturating_add(1);
        self.period.needs_clock() || self.calls >= MOST_CALLS
    }

    /// Returns an error if too few bytes have arrived in the period.
    pub(super) fn next(&mut self, now: Duration) -> Option<ProtocolError> {
        self.calls = 0;
        let elapsed = self.period.elapsed(now);
        if self.period.has_begun() && elapsed == Elapsed::Part {
            return None;
        }
        if !self.is_unfinished {
            self.period.stop();
            return None;
        }
        let is_enough = self.was_finished || self.received >= self.least.bytes;
        if is_enough || !self.period.has_begun() {
            self.was_finished = false;
            self.received = 0;
            self.period.begin(now, self.least.period);
            return None;
        }
        self.period.wait_for_reads(now, self.least.period);
        (elapsed == Elapsed::WholeAndRead).then(|| self.too_slow())
    }

    fn too_slow(&self) -> ProtocolError {
        let Self { received, least: MinDataRate { bytes, period }, .. } = *self;
        let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
        ProtocolError::TooSlow { received, least: bytes, millis }
    }

    /// Returns when to ask again.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.period.deadline()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IoFailure::NotReady;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Wants 100 bytes in 10 seconds.
    fn rate() -> DataRate {
        DataRate::new(MinDataRate::new(100, seconds(10)))
    }

    fn read(rate: &mut DataRate, count: usize, is_unfinished: bool) {
        rate.did_read(Ok(count));
        let was_finished = !is_unfinished;
        rate.received(Received { has_progressed: true, was_finished, is_unfinished });
    }

    /// Two reads find nothing.
    fn decide(rate: &mut DataRate, now: u64) -> Option<ProtocolError> {
        assert_eq!(rate.next(seconds(now)), None);
        (0..2).for_each(|_| rate.did_read(Err(NotReady)));
        rate.next(seconds(now))
    }

    #[test]
    fn too_little_in_a_period_is_too_slow() {
        let mut rate = rate();
        assert!(!rate.needs_clock());
        read(&mut rate, 1000, true);
        assert!(rate.needs_clock());
        assert_eq!((rate.next(seconds(5)), rate.deadline()), (None, Some(seconds(15))));
        read(&mut rate, 100, true);
        assert_eq!((decide(&mut rate, 15), rate.deadline()), (None, Some(seconds(25))));
        read(&mut rate, 99, true);
        let too_slow = ProtocolError::TooSlow { received: 99, least: 100, millis: 10_000 };
        assert_eq!(decide(&mut rate, 25), Some(too_slow));
    }

    #[test]
    fn what_was_unread_at_the_end_of_the_period_counts() {
        let mut rate = rate();
        read(&mut rate, 1, true);
        assert_eq!(rate.next(seconds(5)), None);
        for now in 15..100 {
            // Nobody reads.
            assert_eq!(rate.next(seconds(now)), None);
        }
        rate.did_read(Err(NotReady));
        read(&mut rate, 100, true);
        assert_eq!((decide(&mut rate, 100), rate.deadline()), (None, Some(seconds(110))));
    }

    #[test]
    fn a_peer_that_finishes_may_pause() {
        let mut rate = rate();
        read(&mut rate, 1, true);
        assert_eq!(rate.next(seconds(5)), None);
        read(&mut rate, 1, false);
        read(&mut rate, 1, true);
        // The next message began in this period, so it has another.
        assert_eq!((rate.next(seconds(15)), rate.deadline()), (None, Some(seconds(25))));
        read(&mut rate, 1, false);
        assert_eq!((rate.next(seconds(25)), rate.deadline()), (None, None));
        assert!(!rate.needs_clock());
    }

    #[test]
    fn a_peer_that_finishes_in_the_middle_of_a_read_has_finished() {
        let mut rate = rate();
        read(&mut rate, 1, true);
        assert_eq!(rate.next(seconds(5)), None);
        rate.did_read(Ok(1));
        let received = Received { has_progressed: true, was_finished: true, is_unfinished: true };
        rate.received(received);
        assert_eq!((decide(&mut rate, 15), rate.deadline()), (None, Some(seconds(25))));
        assert!(decide(&mut rate, 25).is_some());
    }

    #[test]
    fn traffic_seldom_asks_the_clock() {
        let mut rate = rate();
        read(&mut rate, 1, true);
        assert!(rate.needs_clock());
        assert_eq!(rate.next(seconds(5)), None);
        let asked = (0..1000).filter(|number| {
            read(&mut rate, 1, number % 2 == 0);
            let is_needed = rate.needs_clock();
            if is_needed {
                assert_eq!(rate.next(seconds(6)), None);
            }
            is_needed
        });
        assert_eq!(asked.count(), 1000 / usize::from(MOST_CALLS));
    }

    #[test]
    fn a_peer_is_too_slow_although_each_read_finds_a_byte() {
        // However much it has sent before.
        for before in [1, 1_000_000] {
            let mut rate = DataRate::new(MinDataRate::new(20_000, seconds(10)));
            read(&mut rate, before, true);
            let failed = (1..).map(Duration::from_millis).find(|now| {
                read(&mut rate, 1, true);
                rate.needs_clock() && rate.next(*now).is_some()
            });
            // The first period may have had enough.
            assert!(failed.is_some_and(|now| now < 2 * seconds(10) + seconds(2)), "{failed:?}");
        }
    }
}
