//! The idle timeout: how long a peer may go without sending any of a message.

use super::period::{Elapsed, Period};
use super::reads::MANY_CALLS;
use super::reply::Received;
use crate::transport::IoFailure;
use core::time::Duration;

/// The state of the idle timeout.
///
/// The timeout is checked in parts, and each part in which some of a message arrived makes it start
/// again. So it is exact to one part, without a look at the clock for any message.
#[derive(Debug)]
pub(super) struct Idle {
    timeout: Duration,
    period: Period,
    /// Whether the time is not known yet.
    is_new: bool,
    /// Whether any of a message arrived in this part.
    is_active: bool,
    /// The calls of [`needs_clock`](Self::needs_clock) since any of a message arrived.
    calls: u8,
    /// The parts in a row without any of a message.
    quiet_parts: u32,
}

/// The number of parts.
const PARTS: u32 = 4;

/// The shortest part: without time between them, checks would be a busy loop.
const LEAST: Duration = Duration::from_millis(1);

impl Idle {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            period: Period::default(),
            is_new: true,
            is_active: false,
            calls: 0,
            quiet_parts: 0,
        }
    }

    /// Notes whether any of a message arrived.
    pub(super) fn received(&mut self, received: Received) {
        self.period.was_told();
        if received.has_progressed {
            self.is_active = true;
            self.calls = 0;
        }
    }

    /// Notes the outcome of a read.
    #[inline]
    pub(super) fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.period.did_read(outcome);
    }

    /// Returns `true` if [`passed`](Self::passed) has to be called.
    #[inline]
    pub(super) fn needs_clock(&mut self) -> bool {
        self.calls = self.calls.saturating_add(1);
        // A peer that sends control frames without a pause must not keep the clock from being asked.
        self.period.needs_clock() || self.is_new || self.calls >= MANY_CALLS
    }

    /// Returns the timeout if the peer has sent nothing of a message for so long.
    pub(super) fn passed(&mut self, now: Duration) -> Option<Duration> {
        let part = (self.timeout / PARTS).max(LEAST);
        if core::mem::take(&mut self.is_new) {
            self.period.begin(now, part);
            return None;
        }
        let elapsed = self.period.elapsed(now);
        if elapsed == Elapsed::Part {
            return None;
        }
        if core::mem::take(&mut self.is_active) {
            self.quiet_parts = 0;
        } else if self.quiet_parts + 1 < PARTS {
            self.quiet_parts += 1;
        } else {
            self.period.wait_for_reads(now, part);
            return (elapsed == Elapsed::WholeAndRead).then_some(self.timeout);
        }
        self.period.begin(now, part);
        None
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

    const MESSAGE: Received =
        Received { has_progressed: true, was_finished: true, is_unfinished: false };

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Asks whenever a deadline passes, with reads that find nothing. Returns when the timeout has
    /// passed.
    fn run(idle: &mut Idle, mut now: Duration) -> Duration {
        for _ in 0..100 {
            if idle.needs_clock() && idle.passed(now).is_some() {
                return now;
            }
            now = now.max(idle.deadline().unwrap_or(now));
            idle.did_read(Err(NotReady));
        }
        panic!("never")
    }

    #[test]
    fn a_peer_that_sends_no_messages_is_idle_after_the_timeout() {
        let mut idle = Idle::new(seconds(40));
        assert_eq!(run(&mut idle, seconds(100)), seconds(140));
    }

    #[test]
    fn a_message_starts_the_timeout_again() {
        let mut idle = Idle::new(seconds(40));
        assert_eq!(idle.passed(seconds(100)), None);
        for now in 0..10 {
            idle.received(MESSAGE);
            assert_eq!(idle.passed(seconds(130 + 40 * now)), None, "{now}");
        }
        assert_eq!(run(&mut idle, seconds(500)), seconds(530));
    }

    #[test]
    fn a_message_that_was_unread_at_the_timeout_counts() {
        let mut idle = Idle::new(seconds(4));
        for now in 100..110 {
            // Nobody reads.
            assert_eq!(idle.passed(seconds(now)), None, "{now}");
        }
        idle.did_read(Ok(10));
        idle.received(MESSAGE);
        idle.did_read(Err(NotReady));
        idle.did_read(Err(NotReady));
        assert_eq!(idle.passed(seconds(110)), None);
        assert_eq!(run(&mut idle, seconds(110)), seconds(114));
    }

    #[test]
    fn a_peer_that_sends_other_things_without_a_pause_is_idle_too() {
        for is_told_before in [false, true] {
            let mut idle = Idle::new(seconds(40));
            let control = Received { has_progressed: false, ..MESSAGE };
            let closes = (0..).map(Duration::from_millis).find(|now| {
                if is_told_before {
                    idle.received(control);
                }
                idle.did_read(Ok(10));
                if !is_told_before {
                    idle.received(control);
                }
                idle.needs_clock() && idle.passed(*now).is_some()
            });
            // The reads that empty the buffers of the system take about a second.
            assert!(closes.is_some_and(|now| now > seconds(40) && now < seconds(42)), "{closes:?}");
        }
    }

    #[test]
    fn the_longest_and_the_shortest_timeout_work() {
        assert_eq!(Idle::new(Duration::MAX).passed(Duration::MAX), None);
        let mut idle = Idle::new(Duration::ZERO);
        assert_eq!(run(&mut idle, seconds(1)), seconds(1) + PARTS * LEAST);
    }
}
