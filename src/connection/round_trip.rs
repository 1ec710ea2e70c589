//! The round-trip time of keepalive's pings.
//!
//! A ping carries eight bytes. Only a pong with the same bytes counts, and only for the ping that was
//! sent last: a peer may answer no other (RFC 6455 §5.5.3), and may send pongs that answer nothing.

use super::queue::Queue;
use crate::timers::Nanoseconds;
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
    outstanding: Option<Outstanding>,
    time: Option<Time>,
}

/// A [`RoundTripTime`] in less memory.
#[derive(Clone, Copy, Debug)]
struct Time {
    latest: Nanoseconds,
    smoothed: Nanoseconds,
}

/// A ping without an answer.
#[derive(Debug)]
struct Outstanding {
    payload: Payload,
    progress: Progress,
}

type Payload = [u8; 8];

#[derive(Clone, Copy, Debug)]
enum Progress {
    /// The ping waits to be written up to this position of the queue.
    Queued(u64),
    /// The ping was written at this time.
    Written(Nanoseconds),
    /// The pong for a ping of this time is here, but not the time of the pong.
    Answered(Nanoseconds),
}

impl RoundTrip {
    /// Returns the payload of a ping that is queued at this time.
    pub(super) fn payload(now: Duration) -> Payload {
        // Pings are at least a millisecond apart, so no two of a connection are the same.
        (now.as_nanos() as u64).to_be_bytes()
    }

    /// Notes that a ping is written once the queue has reached `end`.
    pub(super) fn pinging(&mut self, payload: Payload, end: u64) {
        self.outstanding = Some(Outstanding { payload, progress: Progress::Queued(end) });
    }

    /// Notes that a pong arrived.
    pub(super) fn received_pong(&mut self, payload: &[u8]) {
        let Some(outstanding) = &mut self.outstanding else { return };
        if outstanding.payload != payload {
            return;
        }
        match outstanding.progress {
            Progress::Written(at) => outstanding.progress = Progress::Answered(at),
            // A lucky guess: the ping is not written yet.
            Progress::Queued(_) => self.outstanding = None,
            Progress::Answered(_) => {}
        }
    }

    /// Returns `true` if [`next`](Self::next) has to be called: the ping was written, or its pong is
    /// here.
    #[inline]
    pub(super) fn needs_clock(&self, queue: impl FnOnce() -> Queue) -> bool {
        // Usually no ping is outstanding.
        self.outstanding.as_ref().is_some_and(|outstanding| match outstanding.progress {
            Progress::Queued(end) => queue().has_written(end),
            Progress::Written(_) => false,
            Progress::Answered(_) => true,
        })
    }

    /// Returns `true` while a ping waits to be written.
    #[cfg(feature = "std")]
    #[inline]
    pub(super) fn is_queued(&self) -> bool {
        matches!(&self.outstanding, Some(Outstanding { progress: Progress::Queued(_), .. }))
    }

    pub(super) fn next(&mut self, now: Duration, queue: Queue) {
        let Some(outstanding) = &mut self.outstanding else { return };
        match outstanding.progress {
            Progress::Queued(end) if queue.has_written(end) => {
                outstanding.progress = Progress::Written(now.into());
            }
            Progress::Queued(_) | Progress::Written(_) => {}
            Progress::Answered(written) => {
                self.outstanding = None;
                self.measured(now.saturating_sub(written.into()));
            }
        }
    }

    pub(super) fn time(&self) -> Option<RoundTripTime> {
        let Time { latest, smoothed } = self.time?;
        Some(RoundTripTime { latest: latest.into(), smoothed: smoothed.into() })
    }

    fn measured(&mut self, latest: Duration) {
        // RFC 6298 §2: (1 - 1/8) * SRTT + 1/8 * R.
        let smoothed =
            self.time().map_or(latest, |time| time.smoothed - time.smoothed / 8 + latest / 8);
        self.time = Some(Time { latest: latest.into(), smoothed: smoothed.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const EMPTY: Queue = Queue { written: 0, is_all_written: true };

    /// Sends a ping that is written at once, and returns its payload.
    fn ping(trip: &mut RoundTrip, now: Duration) -> Payload {
        let payload = RoundTrip::payload(now);
        trip.pinging(payload, 10);
        assert!(trip.needs_clock(|| EMPTY));
        trip.next(now, EMPTY);
        assert!(!trip.needs_clock(|| EMPTY));
        payload
    }

    fn time(trip: &RoundTrip) -> Option<(Duration, Duration)> {
        trip.time().map(|time| (time.latest, time.smoothed))
    }

    #[test]
    fn the_time_of_a_ping_begins_when_it_is_written_and_ends_with_its_pong() {
        let mut trip = RoundTrip::default();
        let payload = RoundTrip::payload(millis(5));
        trip.pinging(payload, 1000);
        let queue = |written| Queue { written, is_all_written: false };
        assert!(!trip.needs_clock(|| queue(999)));
        trip.next(millis(10), queue(999));
        assert!(trip.needs_clock(|| queue(1000)));
        trip.next(millis(20), queue(1000));
        assert_eq!(time(&trip), None);
        trip.received_pong(&payload);
        assert!(trip.needs_clock(|| queue(1000)));
        trip.next(millis(23), queue(1000));
        assert_eq!(time(&trip), Some((millis(3), millis(3))));
        assert!(!trip.needs_clock(|| queue(1000)));
    }

    #[test]
    fn the_average_takes_an_eighth_of_each_new_time() {
        let mut trip = RoundTrip::default();
        for (latest, smoothed) in [(80, 80), (160, 90), (10, 80), (80, 80)] {
            let payload = ping(&mut trip, millis(1000));
            trip.received_pong(&payload);
            trip.next(millis(1000 + latest), EMPTY);
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
            assert!(!trip.needs_clock(|| EMPTY), "{forged:x?}");
        }
        // The second of two pongs has nothing to answer.
        for _ in 0..2 {
            trip.received_pong(&second);
            trip.next(millis(2004), EMPTY);
            assert_eq!(time(&trip), Some((millis(4), millis(4))));
        }
    }

    #[test]
    fn a_pong_before_its_ping_was_written_measures_nothing() {
        let mut trip = RoundTrip::default();
        let payload = RoundTrip::payload(millis(5));
        trip.pinging(payload, 10);
        trip.received_pong(&payload);
        trip.next(millis(20), EMPTY);
        assert_eq!((time(&trip), trip.needs_clock(|| EMPTY)), (None, false));
    }

    #[test]
    fn a_clock_that_goes_back_measures_zero() {
        let mut trip = RoundTrip::default();
        let payload = ping(&mut trip, millis(100));
        trip.received_pong(&payload);
        trip.next(millis(99), EMPTY);
        assert_eq!(time(&trip), Some((Duration::ZERO, Duration::ZERO)));
    }
}
