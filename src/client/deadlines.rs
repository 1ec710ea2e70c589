//! How long each part of connecting may take.

use core::fmt;
use core::time::Duration;

/// A part of connecting to a server, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Looking up the name of the host, or of the proxy.
    Lookup,
    /// Connecting to one of its addresses, whichever answers first.
    Connect,
    /// Opening a tunnel through the proxy.
    Proxy,
    /// The TLS handshake with the server, or with the proxy.
    Tls,
    /// The opening handshake of the WebSocket.
    Handshake,
}

/// The time limits of a connector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// For everything together.
    pub(super) whole: Option<Duration>,
    stages: [Option<Duration>; 5],
}

/// The deadlines of one attempt to connect, in time since a moment that stays the same.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    timeouts: Timeouts,
    end: Option<Duration>,
}

impl Timeouts {
    pub(super) const fn new(whole: Duration) -> Self {
        Self { whole: Some(whole), stages: [None; 5] }
    }

    pub(super) fn set(&mut self, stage: Stage, timeout: Option<Duration>) {
        self.stages[stage as usize] = timeout;
    }

    /// Returns the time for a stage, if nothing came before it.
    pub(super) fn of(&self, stage: Stage) -> Option<Duration> {
        let own = self.stages[stage as usize];
        own.into_iter().chain(self.whole).min()
    }

    #[cfg(feature = "std")]
    pub(super) fn begin(self, now: Duration) -> Deadlines {
        Deadlines { timeouts: self, end: self.whole.map(|whole| now.saturating_add(whole)) }
    }
}

#[cfg(feature = "std")]
impl Deadlines {
    /// Returns by when a stage that begins now must be over.
    pub(crate) fn until(&self, stage: Stage, now: Duration) -> Option<Duration> {
        let own = self.timeouts.stages[stage as usize];
        own.map(|own| now.saturating_add(own)).into_iter().chain(self.end).min()
    }

    /// Returns how long a stage that begins now may take.
    pub(crate) fn left(&self, stage: Stage, now: Duration) -> Option<Duration> {
        self.until(stage, now).map(|until| until.saturating_sub(now))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lookup => "the lookup of the host",
            Self::Connect => "the attempts to connect",
            Self::Proxy => "the handshake with the proxy",
            Self::Tls => "the TLS handshake",
            Self::Handshake => "the opening handshake",
        })
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_earlier_deadline_counts() {
        let mut timeouts = Timeouts::new(10 * SECOND);
        timeouts.set(Stage::Tls, Some(3 * SECOND));
        assert_eq!(timeouts.of(Stage::Tls), Some(3 * SECOND));
        assert_eq!(timeouts.of(Stage::Proxy), Some(10 * SECOND));
        let deadlines = timeouts.begin(100 * SECOND);
        assert_eq!(deadlines.until(Stage::Tls, 101 * SECOND), Some(104 * SECOND));
        assert_eq!(deadlines.until(Stage::Tls, 108 * SECOND), Some(110 * SECOND));
        assert_eq!(deadlines.until(Stage::Proxy, 101 * SECOND), Some(110 * SECOND));
        assert_eq!(deadlines.left(Stage::Tls, 108 * SECOND), Some(2 * SECOND));
        assert_eq!(deadlines.left(Stage::Tls, 200 * SECOND), Some(Duration::ZERO));
    }

    #[test]
    fn without_a_limit_there_is_no_deadline() {
        let mut timeouts = Timeouts::new(SECOND);
        timeouts.whole = None;
        assert_eq!(timeouts.of(Stage::Connect), None);
        assert_eq!(timeouts.begin(SECOND).until(Stage::Connect, SECOND), None);
        timeouts.set(Stage::Connect, Some(Duration::MAX));
        assert_eq!(timeouts.begin(SECOND).until(Stage::Connect, SECOND), Some(Duration::MAX));
    }
}
