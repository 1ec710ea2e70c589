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
use crate::transport::IoFailure;
use core::time::Duration;

/// The state of keepalive.
#[derive(Debug)]
pub(super) struct Heartbeat {
    keepalive: Keepalive,
    phase: Phase,
    /// Whether anything was read since the phase began.
    has_read: bool,
    /// The reads in a row that found nothing.
    empty_reads: u8,
    /// The calls of [`needs_clock`](Self::needs_clock) since anything was read.
    calls: u8,
    /// The number of bytes ever written, when the deadline was last set. While a ping waits to be
    /// written, a peer that takes bytes is alive.
    written: u64,
    /// When to ask again.
    deadline: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The time is not known yet.
    New,
    /// A ping is due at this time, if nothing is read before.
    Waiting(Duration),
    /// A ping waits to be written up to this position, by this time.
    Pinging(u64, Duration),
    /// The ping is written. The peer has until this time to send anything.
    Pinged(Duration),
    /// The time has passed. What has arrived in time may still be unread, so reads decide.
    Overdue {
        /// The position of a ping that was not written in time. If this endpoint was busy, it may
        /// not have tried.
        unwritten: Option<u64>,
        /// Whether a read was requested and not reported: perhaps nobody reads.
        is_asked: bool,
    },
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

/// What the queue contributes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// The number of bytes ever written from it.
    pub(super) written: u64,
    pub(super) is_all_written: bool,
}

/// The reads that must find nothing before a peer counts as gone. One is not enough: for fairness to
/// other tasks, a runtime may report that there is nothing although there is something.
const EMPTY_READS: u8 = 2;

/// The shortest interval and timeout: without time between them, pings would be a busy loop.
const LEAST: Duration = Duration::from_millis(1);

/// More calls than there are for one message that arrives and is answered. A shell that only writes
/// calls so often without a read, and has to learn that a deadline has passed.
const MANY_CALLS: u8 = 5;

impl Heartbeat {
    pub(super) fn new(Keepalive { interval, timeout }: Keepalive) -> Self {
        let keepalive = Keepalive::new(interval.max(LEAST), timeout.max(LEAST));
        Self {
            keepalive,
            phase: Phase::New,
            has_read: false,
            empty_reads: 0,
            calls: 0,
            written: 0,
            deadline: None,
        }
    }

    /// Notes the outcome of a read.
    #[inline]
    pub(super) fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        if outcome.is_ok() {
            self.has_read = true;
            self.empty_reads = 0;
            self.calls = 0;
        } else {
            self.empty_reads = self.empty_reads.saturating_add(1);
        }
        if let Phase::Overdue { is_asked, .. } = &mut self.phase {
            *is_asked = false;
        }
    }

    /// Notes that a ping was queued, and that it is written once the queue has reached `end`.
    pub(super) fn pinging(&mut self, end: u64, now: Duration, queue: Queue) {
        self.written = queue.written;
        self.enter(Phase::Pinging(end, now.saturating_add(self.keepalive.timeout)));
        self.set_deadline(now);
    }

    /// Returns `true` if [`next`](Self::next) has to be called. It need not be while there is
    /// traffic: nothing can be due then, or was due so recently that a later call is early enough.
    #[inline]
    pub(super) fn needs_clock(&mut self) -> bool {
        self.calls = self.calls.saturating_add(1);
        match self.phase {
            Phase::Waiting(_) | Phase::Pinged(_) => {
                self.empty_reads >= EMPTY_READS || self.calls >= MANY_CALLS
            }
            Phase::New | Phase::Pinging(..) | Phase::Overdue { .. } => true,
        }
    }

    /// Returns `true` while a ping waits to be written.
    #[cfg(feature = "std")]
    #[inline]
    pub(super) fn is_pinging(&self) -> bool {
        matches!(self.phase, Phase::Pinging(..) | Phase::Overdue { unwritten: Some(_), .. })
    }

    /// Returns when to ask again.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    pub(super) fn next(&mut self, now: Duration, queue: Queue) -> Beat {
        let Keepalive { interval, timeout } = self.keepalive;
        let wait = now.saturating_add(interval);
        match self.phase {
            Phase::New => self.enter(Phase::Waiting(wait)),
            Phase::Waiting(until) if now < until => {}
            Phase::Waiting(_) if self.has_read => self.enter(Phase::Waiting(wait)),
            Phase::Waiting(_) => return Beat::Ping,
            // From here on, anything that was read shows that the peer is there.
            _ if self.has_read => self.enter(Phase::Waiting(wait)),
            Phase::Pinging(end, _) | Phase::Overdue { unwritten: Some(end), .. }
                if queue.is_all_written || queue.written >= end =>
            {
                self.enter(Phase::Pinged(now.saturating_add(timeout)));
            }
            Phase::Pinging(end, _) | Phase::Overdue { unwritten: Some(end), .. }
                if queue.written != self.written =>
            {
                self.written = queue.written;
                self.phase = Phase::Pinging(end, now.saturating_add(timeout));
            }
            Phase::Pinging(end, until) if until <= now => {
                self.enter(Phase::Overdue { unwritten: Some(end), is_asked: false });
            }
            Phase::Pinged(until) if until <= now => {
                self.enter(Phase::Overdue { unwritten: None, is_asked: false });
            }
            Phase::Pinging(..) | Phase::Pinged(_) => {}
            Phase::Overdue { .. } if self.empty_reads >= EMPTY_READS => return Beat::Silent,
            Phase::Overdue { .. } => {}
        }
        self.set_deadline(now);
        Beat::Wait
    }

    fn set_deadline(&mut self, now: Duration) {
        self.deadline = match &mut self.phase {
            Phase::New => None,
            Phase::Waiting(until) | Phase::Pinging(_, until) | Phase::Pinged(until) => Some(*until),
            // If nobody reads, asking again at once would be a busy loop.
            Phase::Overdue { is_asked, .. } => Some(match core::mem::replace(is_asked, true) {
                true => now.saturating_add(self.keepalive.timeout),
                false => now,
            }),
        };
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.has_read = false;
        self.empty_reads = 0;
        self.calls = 0;
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
        heartbeat.pinging(end, seconds(now), queue);
    }

    const IDLE: Queue = Queue { written: 0, is_all_written: true };

    /// Pings after 10 seconds, and gives up after 4.
    fn begun_at(now: u64) -> Heartbeat {
        let mut heartbeat = Heartbeat::new(Keepalive::new(seconds(10), seconds(4)));
        assert!(heartbeat.needs_clock());
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
    fn while_nobody_reads_the_peer_is_not_given_up() {
        let mut heartbeat = begun_at(0);
        ping(&mut heartbeat, 10, 6, IDLE);
        heartbeat.next(seconds(10), IDLE);
        assert_eq!(deadline(&mut heartbeat, 14, IDLE), Some(14));
        for now in 14..100 {
            assert_eq!(deadline(&mut heartbeat, now, IDLE), Some(now + 4));
        }
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

    #[test]
    fn traffic_does_not_ask_the_clock() {
        let mut heartbeat = begun_at(0);
        for _ in 0..1000 {
            heartbeat.did_read(Ok(1));
            assert!(!heartbeat.needs_clock());
            heartbeat.did_read(Err(NotReady));
            assert!(!heartbeat.needs_clock());
        }
        // The deadline wakes the connection, and the read finds nothing.
        heartbeat.did_read(Err(NotReady));
        assert!(heartbeat.needs_clock());
    }

    #[test]
    fn a_shell_that_only_writes_learns_that_a_deadline_has_passed() {
        let mut heartbeat = begun_at(0);
        assert_eq!((0..10).filter(|_| heartbeat.needs_clock()).count(), 6);
        heartbeat.did_read(Ok(1));
        assert!(!heartbeat.needs_clock());
    }
}
