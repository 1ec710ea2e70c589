//! A period of time in which the peer has to do something.
//!
//! What the peer does leaves marks with the owner of the period. The clock is asked only once the
//! period may be over. If the marks are missing then, reads decide: this endpoint may have been busy,
//! and what the peer did may be unread.

use super::reads::Reads;
use crate::transport::IoFailure;
use core::time::Duration;

/// A period that runs, or has run out.
#[derive(Debug, Default)]
pub(super) struct Period {
    phase: Phase,
    /// What was read since the phase began.
    reads: Reads,
    /// The reads of which the receiving half has not told yet. The connection may be used in such a way
    /// that it only reads for a while.
    untold: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Stopped,
    /// Runs until this time.
    Until(Duration),
    /// Is over, but what has arrived may still be unread. To be looked at again at this time.
    Over(Duration),
}

/// How much of a period is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elapsed {
    /// Not all, or the period does not run.
    Part,
    /// All of it. What has arrived may still be unread: [begin](Period::begin) another period, or
    /// [wait for reads](Period::wait_for_reads).
    Whole,
    /// All of it, and everything that has arrived is read.
    WholeAndRead,
}

impl Period {
    /// Begins a period of this length.
    pub(super) fn begin(&mut self, now: Duration, length: Duration) {
        self.enter(Phase::Until(now.saturating_add(length)));
    }

    pub(super) fn stop(&mut self) {
        self.enter(Phase::Stopped);
    }

    /// Returns `true` if the period runs or is over.
    #[inline]
    pub(super) fn has_begun(&self) -> bool {
        self.phase != Phase::Stopped
    }

    /// Notes the outcome of a read.
    #[inline]
    pub(super) fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.reads.did_read(outcome);
        if matches!(outcome, Ok(1..)) {
            self.untold = self.untold.saturating_add(1);
        }
    }

    /// Notes that the receiving half has told of everything that was read. The outcome of the last
    /// read may be noted afterwards.
    pub(super) fn was_told(&mut self) {
        self.untold = 0;
    }

    /// Returns `true` if the period may be over.
    #[inline]
    pub(super) fn needs_clock(&mut self) -> bool {
        match self.phase {
            Phase::Stopped => false,
            Phase::Until(_) => self.reads.are_quiet(),
            Phase::Over(_) => true,
        }
    }

    pub(super) fn elapsed(&self, now: Duration) -> Elapsed {
        match self.phase {
            Phase::Stopped => Elapsed::Part,
            Phase::Until(end) if now < end => Elapsed::Part,
            Phase::Over(_) if self.is_all_read_and_told() => Elapsed::WholeAndRead,
            Phase::Until(_) | Phase::Over(_) => Elapsed::Whole,
        }
    }

    /// Returns `true` if everything that had arrived by the end of the period is read and told.
    fn is_all_read_and_told(&self) -> bool {
        // An empty read comes after everything that was told of. A full one may be noted before or
        // after that, and one more or less of many decides nothing.
        let untold = if self.reads.have_found_nothing() { 0 } else { 1 };
        self.reads.have_found_all() && self.untold <= untold
    }

    /// Asks for reads after the whole period. While nobody reads, asks again after pauses of at most
    /// `longest`.
    pub(super) fn wait_for_reads(&mut self, now: Duration, longest: Duration) {
        if !matches!(self.phase, Phase::Over(_)) {
            self.reads = Reads::default();
        }
        self.phase = Phase::Over(self.reads.ask(now, self.deadline(), longest));
    }

    /// Returns when to look at the time next.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Stopped => None,
            Phase::Until(moment) | Phase::Over(moment) => Some(moment),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
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

    #[test]
    fn reads_after_the_period_decide() {
        let mut period = Period::default();
        assert_eq!((period.elapsed(seconds(9)), period.deadline()), (Elapsed::Part, None));
        period.begin(seconds(10), seconds(5));
        assert_eq!(
            (period.elapsed(seconds(14)), period.deadline()),
            (Elapsed::Part, Some(seconds(15)))
        );
        // Reads before the end of the period decide nothing.
        (0..2).for_each(|_| period.did_read(Err(NotReady)));
        assert_eq!(period.elapsed(seconds(15)), Elapsed::Whole);
        period.wait_for_reads(seconds(15), seconds(5));
        assert_eq!(
            (period.elapsed(seconds(15)), period.deadline()),
            (Elapsed::Whole, Some(seconds(15)))
        );
        period.did_read(Err(NotReady));
        assert_eq!(period.elapsed(seconds(15)), Elapsed::Whole);
        period.did_read(Err(NotReady));
        assert_eq!(period.elapsed(seconds(15)), Elapsed::WholeAndRead);
    }

    #[test]
    fn what_was_read_and_not_looked_at_decides_nothing() {
        let mut period = Period::default();
        period.begin(seconds(10), seconds(5));
        period.did_read(Ok(1));
        period.wait_for_reads(seconds(15), seconds(5));
        (0..2).for_each(|_| period.did_read(Err(NotReady)));
        assert_eq!(period.elapsed(seconds(15)), Elapsed::Whole);
        period.was_told();
        assert_eq!(period.elapsed(seconds(15)), Elapsed::WholeAndRead);
    }

    #[test]
    fn reads_without_a_pause_decide_too_whether_they_are_told_of_before_or_after() {
        for is_told_before in [false, true] {
            let mut period = Period::default();
            period.begin(seconds(10), seconds(5));
            period.wait_for_reads(seconds(15), seconds(5));
            let decides = (0..100_000).find(|_| {
                if is_told_before {
                    period.was_told();
                }
                period.did_read(Ok(1));
                if !is_told_before {
                    period.was_told();
                }
                period.elapsed(seconds(15)) == Elapsed::WholeAndRead
            });
            assert!(decides.is_some_and(|reads| reads > 1000), "{decides:?}");
        }
    }

    #[test]
    fn reads_without_a_pause_that_nobody_looks_at_decide_nothing() {
        let mut period = Period::default();
        period.begin(seconds(10), seconds(5));
        period.wait_for_reads(seconds(15), seconds(5));
        for _ in 0..100_000 {
            period.did_read(Ok(1));
            assert_eq!(period.elapsed(seconds(15)), Elapsed::Whole);
        }
    }

    #[test]
    fn without_reads_nothing_is_decided_and_nothing_spins() {
        let mut period = Period::default();
        period.begin(seconds(10), seconds(5));
        period.wait_for_reads(seconds(15), seconds(5));
        let mut wakes = 0;
        while let Some(now) = period.deadline().filter(|now| *now < seconds(100)) {
            assert_eq!(period.elapsed(now), Elapsed::Whole);
            period.wait_for_reads(now, seconds(5));
            wakes += 1;
        }
        // Soon after the end, in case that somebody reads now, and then every five seconds.
        assert!((17..30).contains(&wakes), "{wakes}");
    }
}
