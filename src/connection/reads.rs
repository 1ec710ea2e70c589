//! What reads have found since a moment, for timeouts that must not ask the clock while there is
//! traffic.
//!
//! Each timeout counts on its own, since it starts again at moments of its own.

use crate::transport::IoFailure;
use core::time::Duration;

/// What reads have found since a moment.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The reads that found something.
    full: u16,
    /// The reads in a row that found nothing.
    empty: u8,
    /// The calls of [`are_quiet`](Self::are_quiet) since anything was read.
    calls: u8,
    /// The requests for reads since one was reported: perhaps nobody reads.
    requests: u8,
}

/// The reads that must find nothing before it counts that nothing has arrived. One is not enough: for
/// fairness to other tasks, a runtime may report that there is nothing although there is something.
const EMPTY: u8 = 2;

/// More reads than it takes to empty the buffers of the system. Otherwise a peer that never pauses would
/// hold off every decision.
const MANY: u16 = 1024;

/// How long to wait for a read after the first request for one was ignored.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// More calls than there are for one message that arrives and is answered. A shell that only writes
/// calls so often without a read, and has to learn that a deadline has passed.
pub(super) const MANY_CALLS: u8 = 5;

impl Reads {
    /// Notes the outcome of a read.
    #[inline]
    pub(super) fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.requests = 0;
        if outcome.is_ok() {
            self.full = self.full.saturating_add(1);
            self.empty = 0;
            self.calls = 0;
        } else {
            self.empty = self.empty.saturating_add(1);
        }
    }

    /// Returns `true` if a deadline may have passed. That need not be looked at while there is traffic:
    /// either the deadline has not passed, or so recently that a later call is early enough.
    #[inline]
    pub(super) fn are_quiet(&mut self) -> bool {
        self.calls = self.calls.saturating_add(1);
        self.have_found_nothing() || self.calls >= MANY_CALLS
    }

    /// Returns `true` if anything was read.
    pub(super) fn have_read(&self) -> bool {
        self.full > 0
    }

    /// Returns `true` if the last reads show that nothing has arrived.
    #[inline]
    pub(super) fn have_found_nothing(&self) -> bool {
        self.empty >= EMPTY
    }

    /// Returns `true` if the reads have brought everything that had arrived before them.
    pub(super) fn have_found_all(&self) -> bool {
        self.have_found_nothing() || self.full >= MANY
    }

    /// Asks for reads, which decide about a deadline that has passed. Returns when to look again: at
    /// first at once, then after a pause that doubles up to `longest` with each request that is
    /// ignored. Without a pause, a connection from which nobody reads would be a busy loop. With a long
    /// one from the beginning, a side that only writes could ask first, and the side that reads would
    /// come back late.
    ///
    /// `last` is what the last call returned. Until then, another call changes nothing.
    pub(super) fn ask(
        &mut self,
        now: Duration,
        last: Option<Duration>,
        longest: Duration,
    ) -> Duration {
        let pause = match (self.requests, last) {
            (0, _) => Duration::ZERO,
            (_, Some(last)) if now < last => return last,
            (requests, _) => SHORTEST_PAUSE.saturating_mul(1 << (requests - 1).min(31)),
        };
        self.requests = self.requests.saturating_add(1);
        now.saturating_add(pause.min(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IoFailure::NotReady;

    #[test]
    fn traffic_is_not_quiet() {
        let mut reads = Reads::default();
        for _ in 0..1000 {
            reads.did_read(Ok(1));
            assert!(!reads.are_quiet());
            reads.did_read(Err(NotReady));
            assert!(!reads.are_quiet());
        }
        // The deadline wakes the connection, and the read finds nothing.
        reads.did_read(Err(NotReady));
        assert!(reads.are_quiet());
    }

    #[test]
    fn many_calls_without_a_read_are_quiet() {
        let mut reads = Reads::default();
        assert_eq!((0..10).filter(|_| reads.are_quiet()).count(), 6);
        reads.did_read(Ok(1));
        assert!(!reads.are_quiet());
    }

    #[test]
    fn many_reads_find_all_that_had_arrived() {
        let mut reads = Reads::default();
        for _ in 0..MANY {
            assert!(!reads.have_found_all());
            reads.did_read(Ok(1));
        }
        assert!(reads.have_found_all());
    }

    #[test]
    fn a_request_that_is_ignored_is_repeated_after_a_pause_that_doubles() {
        let mut reads = Reads::default();
        let (millis, longest) = (Duration::from_millis, Duration::from_millis(50));
        let mut last = reads.ask(millis(1000), None, longest);
        for (now, next) in [(1000, 1010), (1010, 1030), (1030, 1070), (1070, 1120), (1120, 1170)] {
            // A side that only writes asks all the time.
            for now in [millis(now), millis(now + 1), millis(next - 1)] {
                last = reads.ask(now, Some(last), longest);
                assert_eq!(last, millis(next));
            }
        }
        reads.did_read(Err(NotReady));
        assert_eq!(reads.ask(millis(1120), Some(last), longest), millis(1120));
        for _ in 0..1000 {
            last = reads.ask(last, Some(last), Duration::MAX);
        }
    }
}
