//! The decisions of an accept loop, without IO: how many connections to accept, and how to go on
//! after accepting has failed.

use core::time::Duration;

/// The first and the longest pause after accepting fails. The loop waits for another part of the
/// process to close a file, and nothing notifies it of that.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a failure to accept means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptFailure {
    /// The connection that was to be accepted is gone. The next one may work.
    OfOneConnection,
    /// Anything else: no files or memory are left, and an immediate retry would fail again.
    OfThisEndpoint,
}

/// After so many connections in a row that were gone, the cause is rather the system: without a
/// pause, a loop whose `accept` is forbidden would take a whole processor.
const MOST_GONE: u32 = 32;

/// A counter of failures in a row.
#[derive(Debug, Default)]
pub(crate) struct AcceptFailures {
    /// Failures of the system.
    failures: u32,
    /// Connections that were gone.
    gone: u32,
}

impl AcceptFailures {
    pub(crate) fn accepted(&mut self) {
        *self = Self::default();
    }

    /// Returns how long to pause before the next attempt.
    pub(crate) fn failed(&mut self, failure: AcceptFailure) -> Option<Duration> {
        if failure == AcceptFailure::OfOneConnection && self.gone < MOST_GONE {
            self.gone += 1;
            // That connection was there to be accepted, so accepting works again.
            self.failures = 0;
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        Some(pause_after(self.failures))
    }
}

/// Returns the pause after this many failures in a row.
fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

/// The number of connections, and how many there may be.
#[derive(Debug)]
pub(crate) struct Admission {
    most: usize,
    most_handshakes: usize,
    connections: usize,
    /// The number of connections that are in their opening handshake.
    handshakes: usize,
}

impl Admission {
    pub(crate) const fn new(most: usize, most_handshakes: usize) -> Self {
        Self { most, most_handshakes, connections: 0, handshakes: 0 }
    }

    /// Returns `true` if one more connection may be accepted. There is always room for one: a loop
    /// that may accept nothing would wait without limit.
    pub(crate) fn has_room(&self) -> bool {
        self.connections < self.most.max(1) && self.handshakes < self.most_handshakes.max(1)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.connections == 0
    }

    /// Counts an accepted connection, whose handshake begins.
    pub(crate) const fn accepted(&mut self) {
        self.connections += 1;
        self.handshakes += 1;
    }

    /// Counts a handshake that has finished or failed.
    pub(crate) const fn handshake_ended(&mut self) {
        self.handshakes = self.handshakes.saturating_sub(1);
    }

    pub(crate) const fn ended(&mut self) {
        self.connections = self.connections.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_connection_that_is_gone_causes_no_pause() {
        let mut failures = AcceptFailures::default();
        failures.failed(AcceptFailure::OfThisEndpoint);
        failures.failed(AcceptFailure::OfThisEndpoint);
        failures.failed(AcceptFailure::OfOneConnection);
        assert_eq!(failures.failed(AcceptFailure::OfThisEndpoint), Some(FIRST_PAUSE));
        failures.accepted();
        for _ in 0..MOST_GONE {
            assert_eq!(failures.failed(AcceptFailure::OfOneConnection), None);
        }
    }

    /// As if a security policy forbids `accept`.
    #[test]
    fn a_loop_in_which_every_connection_is_gone_pauses() {
        let mut failures = AcceptFailures::default();
        let mut failed = || failures.failed(AcceptFailure::OfOneConnection);
        let at_once = (0..).take_while(|_| failed().is_none()).count();
        assert_eq!(at_once, MOST_GONE as usize);
        assert_eq!(failed(), Some(2 * FIRST_PAUSE));
        failures.accepted();
        assert_eq!(failures.failed(AcceptFailure::OfOneConnection), None);
    }

    #[test]
    fn pauses_double_up_to_a_second() {
        let mut failures = AcceptFailures::default();
        let mut pauses = |count| -> Vec<_> {
            let pause = |_| failures.failed(AcceptFailure::OfThisEndpoint).unwrap().as_millis();
            let pauses = (0..count).map(pause).collect();
            failures.accepted();
            pauses
        };
        assert_eq!(pauses(9), [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(pauses(1), [10]);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn both_limits_apply() {
        let mut admission = Admission::new(3, 2);
        assert!(admission.has_room() && admission.is_empty());
        admission.accepted();
        assert!(admission.has_room() && !admission.is_empty());
        admission.accepted();
        assert!(!admission.has_room(), "two handshakes");
        admission.handshake_ended();
        assert!(admission.has_room());
        admission.accepted();
        admission.handshake_ended();
        assert!(!admission.has_room(), "three connections");
        admission.ended();
        assert!(admission.has_room());
    }

    #[test]
    fn limits_of_zero_leave_room_for_one() {
        let mut admission = Admission::new(0, 0);
        assert!(admission.has_room());
        admission.accepted();
        assert!(!admission.has_room());
    }
}
