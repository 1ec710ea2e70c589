//! When heart-beats are due, in both directions and for both ends (1.2 §Heart-beating).

use super::header::HeartBeat;
use core::time::Duration;

/// When a heart-beat has to be sent, and by when something has to come from the peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    /// How often to send something, in milliseconds; 0 is never.
    sends_every: u32,
    /// How often something comes, in milliseconds; 0 is never.
    receives_every: u32,
    sent_at: Duration,
    received_at: Duration,
}

impl Heartbeat {
    /// No heart-beats.
    pub(super) const NONE: Self = Self {
        sends_every: 0,
        receives_every: 0,
        sent_at: Duration::ZERO,
        received_at: Duration::ZERO,
    };

    /// Takes over what both ends have agreed on.
    pub(super) fn agree(&mut self, agreed: HeartBeat) {
        // Sending more often than agreed is allowed.
        self.sends_every = milliseconds(agreed.outgoing).unwrap_or(u32::MAX);
        // Nobody waits for what comes more seldom than every 49 days.
        self.receives_every = milliseconds(agreed.incoming).unwrap_or(0);
    }

    pub(super) const fn start(&mut self, now: Duration) {
        self.sent_at = now;
        self.received_at = now;
    }

    pub(super) const fn sent(&mut self, now: Duration) {
        self.sent_at = now;
    }

    /// Any bytes are a sign of life.
    pub(super) const fn received(&mut self, now: Duration) {
        self.received_at = now;
    }

    /// Returns when a heart-beat has to be sent, if nothing else is. That is a tenth earlier than
    /// agreed: the interval is the longest that may pass, and the caller's timer is late, never early.
    pub(super) fn next_beat(&self) -> Option<Duration> {
        let early = self.sends_every - self.sends_every / 10;
        let every = Duration::from_millis(early.into());
        (self.sends_every > 0).then(|| self.sent_at.saturating_add(every))
    }

    /// Returns how often something comes, or zero for never.
    pub(super) fn receives_every(&self) -> Duration {
        Duration::from_millis(self.receives_every.into())
    }

    /// Returns for how long nothing has come.
    pub(super) const fn silent_for(&self, now: Duration) -> Duration {
        now.saturating_sub(self.received_at)
    }

    /// Returns how long the peer may be silent. The specification asks for a margin, and the timers of
    /// browsers are late when they are throttled.
    pub(super) fn patience(&self, margin: Duration) -> Duration {
        self.receives_every().saturating_mul(2).saturating_add(margin)
    }

    /// Returns when the peer counts as dead, if nothing comes.
    pub(super) fn silent_at(&self, margin: Duration) -> Option<Duration> {
        (self.receives_every > 0).then(|| self.received_at.saturating_add(self.patience(margin)))
    }
}

/// Returns whole milliseconds, and at least one unless it is none, or `None` for more than 49 days.
fn milliseconds(duration: Duration) -> Option<u32> {
    let milliseconds = duration.as_millis().try_into().ok()?;
    Some(if duration.is_zero() { 0 } else { u32::max(milliseconds, 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(outgoing: Duration, incoming: Duration) -> Heartbeat {
        let mut heartbeat = Heartbeat::NONE;
        heartbeat.agree(HeartBeat::new(outgoing, incoming));
        heartbeat.start(Duration::from_secs(1));
        heartbeat
    }

    #[test]
    fn the_extremes_do_no_harm() {
        let none = agreed(Duration::ZERO, Duration::ZERO);
        assert_eq!((none.next_beat(), none.silent_at(Duration::MAX)), (None, None));

        // A beat is never due at once, so nobody sends them in a circle.
        let shortest = agreed(Duration::from_nanos(1), Duration::from_nanos(1));
        assert_eq!(shortest.next_beat(), Some(Duration::from_millis(1_001)));
        assert_eq!(shortest.silent_at(Duration::ZERO), Some(Duration::from_millis(1_002)));
        assert_eq!(shortest.silent_at(Duration::MAX), Some(Duration::MAX));

        let longest = agreed(Duration::MAX, Duration::MAX);
        assert!(longest.next_beat() > Some(Duration::from_secs(44 * 24 * 60 * 60)));
        assert_eq!(longest.silent_at(Duration::ZERO), None);
    }
}
