//! Keepalive: when to ping a silent peer, and when to give up on it.
//!
//! ```text
//!            silent for the interval            written           silent for the timeout
//!   waiting ────────────────────────▶ pinging ─────────▶ pinged ────────────────────────▶ overdue
//!      ▲                                 │                 │                                 │
//!      └──────────── anything read ──────┴─────────────────┴─────────────────────────────────┤
//!                                                    two reads that find nothing ▶ the end ◀─┘
//! ```
//!
//! Reads only leave a mark. The clock is asked once two reads in a row found nothing, or once a few
//! calls went by without a read. That is so when a deadline wakes the connection, and not while there
//! is traffic.

use super::config::Keepalive;
use super::queue::Queue;
use super::reads::Reads;
use super::round_trip::RoundTrip;
use crate::timers::ShortDuration;
use crate::transport::IoFailure;
use core::time::Duration;

/// The state of keepalive.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: ShortDuration,
    timeout: ShortDuration,
    /// When the phase ends, if it ends by itself.
    until: Option<ShortDuration>,
    /// When to ask again.
    deadline: Option<ShortDuration>,
    /// The latest ping is written once the queue has reached this position.
    end_of_ping: u64,
    /// The number of bytes ever written, when the deadline was last set. While a ping waits to be
    /// written, a peer that takes bytes is alive.
    written: u64,
    phase: Phase,
    /// What was read since the phase began.
    reads: Reads,
    pub(super) round_trip: RoundTrip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The time is not known yet.
    New,
    /// A ping is due at the end, if nothing is read before.
    Waiting,
    /// A ping waits to be written, by the end.
    Pinging,
    /// The ping is written. The peer has until the end to send anything.
    Pinged,
    /// The time for writing the ping has passed. This endpoint may have been busy, and may not have
    /// tried. What has arrived in time may still be unread, so reads decide.
    OverdueUnwritten,
    /// The time for an answer has passed. Again, reads decide.
    Overdue,
}

/// What a connection does for keepalive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing until the [deadline](Heartbeat::deadline).
    Wait,
    /// Queue a ping, and report its [position](Heartbeat::pinging).
    Ping,
    /// The peer is gone.
    Silent,
}

/// The shortest interval and timeout: without time between them, pings would be a busy loop.
const LEAST: Duration = Duration::from_millis(1);

impl Heartbeat {
    pub(super) fn new(Keepalive { interval, timeout }: Keepalive) -> Self {
        Self {
            interval: interval.max(LEAST).into(),
            timeout: timeout.max(LEAST).into(),
            until: None,
            deadline: None,
            end_of_ping: 0,
            written: 0,
            phase: Phase::New,
            reads: Reads::default(),
            round_trip: RoundTrip::default(),
        }
    }

    /// Notes the outcome of a read.
    #[inline]
    pub(super) fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.reads.did_read(outcome);
    }

    /// Notes that a ping with this payload was queued, and that it is written once the queue has
    /// reached `end`. Without a payload, what is queued up to there stands for a ping.
    pub(super) fn pinging(
        &mut self,
        payload: Option<[u8; 8]>,
        end: u64,
        now: Duration,
        queue: Queue,
    ) {
        match payload {
            Some(payload) => self.round_trip.pinging(payload),
            None => self.round_trip.forget(),
        }
        self.written = queue.written;
        self.end_of_ping = end;
        let now = now.into();
        self.enter(Phase::Pinging, self.timeout.saturating_add(now));
        self.set_deadline(now);
    }

    /// Returns `true` if [`next`](Self::next) has to be called.
    #[inline]
    pub(super) fn needs_clock(&mut self, queue: impl FnOnce() -> Queue) -> bool {
        let is_needed = match self.phase {
            Phase::Waiting | Phase::Pinged => self.reads.are_quiet(),
            Phase::New | Phase::Pinging | Phase::OverdueUnwritten | Phase::Overdue => true,
        };
        is_needed || self.measures(queue)
    }

    /// Returns `true` if a round-trip time begins or ends now.
    #[inline]
    pub(super) fn measures(&self, queue: impl FnOnce() -> Queue) -> bool {
        self.round_trip.needs_clock(|| queue().has_written(self.end_of_ping))
    }

    /// Returns `true` while a ping waits to be written.
    #[cfg(feature = "std")]
    #[inline]
    pub(super) fn is_pinging(&self) -> bool {
        matches!(self.phase, Phase::Pinging | Phase::OverdueUnwritten)
            || self.round_trip.is_queued()
    }

    /// Returns when to ask again.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline.map(Duration::from)
    }

    pub(super) fn next(&mut self, now: Duration, queue: Queue) -> Beat {
        let is_written = queue.has_written(self.end_of_ping);
        self.round_trip.next(now, is_written);
        let now = ShortDuration::from(now);
        let is_over = self.until.is_some_and(|until| until <= now);
        let (wait, answer) = (now.saturating_add(self.interval), now.saturating_add(self.timeout));
        match self.phase {
            Phase::New => self.enter(Phase::Waiting, wait),
            Phase::Waiting if !is_over => {}
            Phase::Waiting if self.reads.have_read() => self.enter(Phase::Waiting, wait),
            Phase::Waiting => return Beat::Ping,
            // From here on, anything that was read shows that the peer is there.
            _ if self.reads.have_read() => self.enter(Phase::Waiting, wait),
            Phase::Pinging | Phase::OverdueUnwritten if is_written => {
                self.enter(Phase::Pinged, answer);
            }
            Phase::Pinging | Phase::OverdueUnwritten if queue.written != self.written => {
                self.written = queue.written;
                (self.phase, self.until) = (Phase::Pinging, Some(answer));
            }
            Phase::Pinging if is_over => self.enter(Phase::OverdueUnwritten, None),
            Phase::Pinged if is_over => self.enter(Phase::Overdue, None),
            Phase::Pinging | Phase::Pinged => {}
            Phase::OverdueUnwritten | Phase::Overdue if self.reads.have_found_nothing() => {
                return Beat::Silent;
            }
            Phase::OverdueUnwritten | Phase::Overdue => {}
        }
        self.set_deadline(now);
        Beat::Wait
    }

    fn set_deadline(&mut self, now: ShortDuration) {
        self.deadline = match self.phase {
            Phase::New | Phase::Waiting | Phase::Pinging => self.until,
            // A peer that is there is pinged again after an interval, however long the timeout is.
            Phase::Pinged => self.until.map(|until| until.min(now.saturating_add(self.interval))),
            Phase::OverdueUnwritten | Phase::Overdue => {
                let last = self.deadline.map(Duration::from);
                Some(self.reads.ask(now.into(), last, self.timeout.into()).into())
            }
        };
    }

    fn enter(&mut self, phase: Phase, until: impl Into<Option<ShortDuration>>) {
        self.phase = phase;
        self.until = until.into();
        self.reads = Reads::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IoFailure::NotReady;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Asks, and returns when to ask again.
    #[track_caller]
    fn deadline(heartbeat: &mut Heartbeat, now: u64, queue: Queue) -> Option<u64> {
        assert_eq!(heartbeat.next(seconds(now), queue), Beat::Wait);
        heartbeat.deadline().map(|deadline| deadline.as_secs())
    }

    #[track_caller]
    fn ping(heartbeat: &mut Heartbeat, now: u64, end: u64, queue: Queue) {
        assert_eq!(heartbeat.next(seconds(now), queue), Beat::Ping);
        heartbeat.pinging(None, end, seconds(now), queue);
    }

    const IDLE: Queue = Queue { written: 0, is_all_written: true };

    /// Pings after 10 seconds, and gives up after 4.
    fn begun_at(now: u64) -> Heartbeat {
        let mut heartbeat = Heartbeat::new(Keepalive::new(seconds(10), seconds(4)));
        assert!(heartbeat.needs_clock(|| IDLE));
        assert_eq!(deadline(&mut heartbeat, now, IDLE), Some(now + 10));
        heartbeat
    }

    #[test]
    fn a_silent_peer_is_pinged_and_then_given_up() {
        let mut heartbeat = begun_at(100);
        assert_eq!(deadline(&mut heartbeat, 109, IDLE), Some(110));
        ping(&mut heartbeat, 110, 6, IDLE);
        assert_eq!(deadline(&mut heartbeat, 110, IDLE), Some(114));
        assert_eq!(deadline(&mut heartbeat, 114, IDLE), Some(114));
        // One read that finds nothing is not enough.
        heartbeat.did_read(Err(NotReady));
        assert_eq!(deadline(&mut heartbeat, 114, IDLE), Some(114));
        heartbeat.did_read(Err(NotReady));
        assert_eq!(heartbeat.next(seconds(114), IDLE), Beat::Silent);
    }

    #[test]
    fn anything_read_keeps_the_connection() {
        let mut heartbeat = begun_at(0);
        heartbeat.did_read(Ok(1));
        assert_eq!(deadline(&mut heartbeat, 10, IDLE), Some(20));
        ping(&mut heartbeat, 20, 6, IDLE);
        assert_eq!(deadline(&mut heartbeat, 20, IDLE), Some(24));
        heartbeat.did_read(Ok(2));
        assert_eq!(deadline(&mut heartbeat, 24, IDLE), Some(34));
        ping(&mut heartbeat, 34, 12, IDLE);
        heartbeat.next(seconds(34), IDLE);
        heartbeat.next(seconds(38), IDLE);
        // It had arrived in time, but this endpoint was busy.
        heartbeat.did_read(Err(NotReady));
        heartbeat.did_read(Ok(2));
        assert_eq!(deadline(&mut heartbeat, 60, IDLE), Some(70));
    }

    #[test]
    fn a_timeout_longer_than_the_interval_does_not_delay_the_next_ping() {
        let mut heartbeat = Heartbeat::new(Keepalive::new(seconds(10), seconds(25)));
        assert_eq!(deadline(&mut heartbeat, 0, IDLE), Some(10));
        ping(&mut heartbeat, 10, 6, IDLE);
        assert_eq!(deadline(&mut heartbeat, 10, IDLE), Some(20));
        // Something arrives, but not the pong.
        heartbeat.did_read(Ok(1));
        assert_eq!(deadline(&mut heartbeat, 20, IDLE), Some(30));
        ping(&mut heartbeat, 30, 12, IDLE);
        assert_eq!(deadline(&mut heartbeat, 30, IDLE), Some(40));
        assert_eq!(deadline(&mut heartbeat, 40, IDLE), Some(50));
        assert_eq!(deadline(&mut heartbeat, 50, IDLE), Some(55));
        assert_eq!(deadline(&mut heartbeat, 55, IDLE), Some(55));
    }

    #[test]
    fn while_nobody_reads_the_peer_is_not_given_up() {
        let mut heartbeat = begun_at(0);
        ping(&mut heartbeat, 10, 6, IDLE);
        heartbeat.next(seconds(10), IDLE);
        assert_eq!(deadline(&mut heartbeat, 14, IDLE), Some(14));
        let mut wakes = 0;
        while let Some(now) = heartbeat.deadline().filter(|now| *now < seconds(100)) {
            assert_eq!(heartbeat.next(now, IDLE), Beat::Wait);
            wakes += 1;
        }
        // Soon at first, in case that somebody reads now, and then every four seconds.
        assert!((21..35).contains(&wakes), "{wakes}");
        heartbeat.did_read(Ok(2));
        assert_eq!(deadline(&mut heartbeat, 100, IDLE), Some(110));
    }

    #[test]
    fn the_timeout_starts_once_the_ping_is_written() {
        let mut heartbeat = begun_at(0);
        let queue = |written| Queue { written, is_all_written: false };
        ping(&mut heartbeat, 10, 1000, queue(5));
        assert_eq!(deadline(&mut heartbeat, 13, queue(5)), Some(14));
        // A slow peer takes some bytes at a time.
        assert_eq!(deadline(&mut heartbeat, 14, queue(6)), Some(18));
        assert_eq!(deadline(&mut heartbeat, 17, queue(900)), Some(21));
        assert_eq!(deadline(&mut heartbeat, 20, queue(1000)), Some(24));
        // From now on, what the system takes does not show that the peer is there.
        heartbeat.did_read(Err(NotReady));
        heartbeat.did_read(Err(NotReady));
        assert_eq!(deadline(&mut heartbeat, 24, queue(5000)), Some(24));
        heartbeat.did_read(Err(NotReady));
        heartbeat.did_read(Err(NotReady));
        assert_eq!(heartbeat.next(seconds(24), queue(5000)), Beat::Silent);
    }

    #[test]
    fn a_peer_that_takes_nothing_is_given_up() {
        let mut heartbeat = begun_at(0);
        let queue = Queue { written: 5, is_all_written: false };
        ping(&mut heartbeat, 10, 1000, queue);
        assert_eq!(deadline(&mut heartbeat, 14, queue), Some(14));
        heartbeat.did_read(Err(NotReady));
        heartbeat.did_read(Err(NotReady));
        assert_eq!(heartbeat.next(seconds(14), queue), Beat::Silent);
    }
}
