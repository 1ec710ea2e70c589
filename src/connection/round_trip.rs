//! The round-trip time of keepalive's pings.
//!
//! A ping carries eight bytes. Only a pong with the same bytes counts, and only for the ping that was
//! sent last: a peer may answer no other (RFC 6455 §5.5.3), and may send pongs that answer nothing.

use crate::timers::ShortDuration;
use core::time::Duration;

/// How long the peer takes to answer the pings of [keepalive](crate::Config::keepalive).
///
/// The time of a ping begins once its last byte is written, and ends once its pong is found in what
/// was read. So it includes how long the peer takes to get to the ping, and how long your code takes
/// to receive what arrived before the pong.
///
/// If you drive a [`Connection`](super::Connection) yourself, it learns both times in the next call of
/// [`next`](super::Connection::next): what your code does before that call counts, too. Call it also
/// after an [`Event::Pong`](super::Event::Pong), before work that takes long.
///
/// Only the connection's own pings are measured: the payload of yours may repeat, and a peer may answer
/// only the latest ping. A ping is sent after a time of silence, so while the peer sends, no new time is
/// measured. To measure then, send a ping of your own with a number, and look for the
/// [`Event::Pong`](super::Event::Pong) with that number, which the methods named `receive` return.
///
/// A peer can delay its answer at will, but hardly give it early: the payload of a ping is
/// the time by your clock in nanoseconds.
#[doc(alias = "rtt")]
#[doc(alias = "latency")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTripTime {
    /// The latest time that was measured.
    pub latest: Duration,
    /// The average in which each new time counts for an eighth (the SRTT of RFC 6298 §2).
    pub smoothed: Duration,
}

/// What is known about the latest ping, and the times of those before.
#[derive(Debug, Default)]
pub(super) struct RoundTrip {
    progress: Progress,
    /// The payload of the latest ping.
    payload: Payload,
    /// When that ping was written.
    written: Option<ShortDuration>,
    latest: Option<ShortDuration>,
    smoothed: Option<ShortDuration>,
}

type Payload = [u8; 8];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    /// No ping waits for its answer.
    #[default]
    None,
    /// The ping waits to be written.
    Queued,
    /// The ping was written.
    Written,
    /// The pong is here, but not the time of it.
    Answered,
}

impl RoundTrip {
    /// Returns the payload of a ping that is queued at this time.
    pub(super) fn payload(now: Duration) -> Payload {
        // Pings are at least a millisecond apart, so no two of a connection are the same.
        (now.as_nanos() as u64).to_be_bytes()
    }

    /// Notes that a ping was queued.
    pub(super) fn pinging(&mut self, payload: Payload) {
        self.payload = payload;
        self.progress = Progress::Queued;
    }

    /// Gives up the latest ping: when it is written will not be noticed.
    pub(super) fn forget(&mut self) {
        self.progress = Progress::None;
    }

    /// Notes that a pong arrived.
    pub(super) fn received_pong(&mut self, payload: &[u8]) {
        if self.payload != payload {
            return;
        }
        self.progress = match self.progress {
            // A lucky guess: the ping is not written yet.
            Progress::Queued | Progress::None => Progress::None,
            Progress::Written | Progress::Answered => Progress::Answered,
        };
    }

    /// Returns `true` if [`next`](Self::next) has to be called: the ping was written, or its pong is
    /// here.
    #[inline]
    pub(super) fn needs_clock(&self, is_written: impl FnOnce() -> bool) -> bool {
        match self.progress {
            // Usually.
            Progress::None | Progress::Written => false,
            Progress::Queued => is_written(),
            Progress::Answered => true,
        }
    }

    /// Returns `true` while a ping waits to be written.
    #[cfg(feature = "std")]
    #[inline]
    pub(super) fn is_queued(&self) -> bool {
        self.progress == Progress::Queued
    }

    /// Takes the time. `is_written` tells whether the latest ping is written.
    pub(super) fn next(&mut self, now: Duration, is_written: bool) {
        match self.progress {
            Progress::Queued if is_written => {
                self.progress = Progress::Written;
                self.written = Some(now.into());
            }
            Progress::None | Progress::Queued | Progress::Written => {}
            Progress::Answered => {
                self.progress = Progress::None;
                if let Some(written) = self.written {
                    self.measured(now.saturating_sub(written.into()));
                }
            }
        }
    }

    pub(super) fn time(&self) -> Option<RoundTripTime> {
        let (latest, smoothed) = (self.latest?.into(), self.smoothed?.into());
        Some(RoundTripTime { latest, smoothed })
    }

    fn measured(&mut self, latest: Duration) {
        // RFC 6298 §2: (1 - 1/8) * SRTT + 1/8 * R.
        let smoothed =
            self.time().map_or(latest, |time| time.smoothed - time.smoothed / 8 + latest / 8);
        self.latest = Some(latest.into());
        self.smoothed = Some(smoothed.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Sends a ping that is written at once, and returns its payload.
    fn ping(trip: &mut RoundTrip, now: Duration) -> Payload {
        let payload = RoundTrip::payload(now);
        trip.pinging(payload);
        assert!(trip.needs_clock(|| true));
        trip.next(now, true);
        assert!(!trip.needs_clock(|| true));
        payload
    }

    fn time(trip: &RoundTrip) -> Option<(Duration, Duration)> {
        trip.time().map(|time| (time.latest, time.smoothed))
    }

    #[test]
    fn the_time_of_a_ping_begins_when_it_is_written_and_ends_with_its_pong() {
        let mut trip = RoundTrip::default();
        let payload = RoundTrip::payload(millis(5));
        trip.pinging(payload);
        assert!(!trip.needs_clock(|| false));
        trip.next(millis(10), false);
        assert!(trip.needs_clock(|| true));
        trip.next(millis(20), true);
        assert_eq!(time(&trip), None);
        trip.received_pong(&payload);
        assert!(trip.needs_clock(|| true));
        trip.next(millis(23), true);
        assert_eq!(time(&trip), Some((millis(3), millis(3))));
        assert!(!trip.needs_clock(|| true));
    }

    #[test]
    fn the_average_takes_an_eighth_of_each_new_time() {
        let mut trip = RoundTrip::default();
        for (latest, smoothed) in [(80, 80), (160, 90), (10, 80), (80, 80)] {
            let payload = ping(&mut trip, millis(1000));
            trip.received_pong(&payload);
            trip.next(millis(1000 + latest), true);
            assert_eq!(time(&trip), Some((millis(latest), millis(smoothed))));
        }
    }

    #[test]
    fn a_pong_that_does_not_answer_the_latest_ping_measures_nothing() {
        let mut trip = RoundTrip::default();
        trip.received_pong(b"");
        let first = ping(&mut trip, millis(1000));
        let second = ping(&mut trip, millis(2000));
        for forged in [&first[..], b"", &[second, second].concat(), &second[..7]] {
            trip.received_pong(forged);
            assert!(!trip.needs_clock(|| true), "{forged:x?}");
        }
        // The second of two pongs has nothing to answer.
        for _ in 0..2 {
            trip.received_pong(&second);
            trip.next(millis(2004), true);
            assert_eq!(time(&trip), Some((millis(4), millis(4))));
        }
    }

    #[test]
    fn a_pong_before_its_ping_was_written_measures_nothing() {
        let mut trip = RoundTrip::default();
        let payload = RoundTrip::payload(millis(5));
        trip.pinging(payload);
        trip.received_pong(&payload);
        trip.next(millis(20), true);
        assert_eq!((time(&trip), trip.needs_clock(|| true)), (None, false));
    }

    #[test]
    fn a_clock_that_goes_back_measures_zero() {
        let mut trip = RoundTrip::default();
        let payload = ping(&mut trip, millis(100));
        trip.received_pong(&payload);
        trip.next(millis(99), true);
        assert_eq!(time(&trip), Some((Duration::ZERO, Duration::ZERO)));
    }
}
