//! Heart-beats in both directions (1.2 §Heart-beating).

use crate::stomp::header::HeartBeat;
use core::time::Duration;

/// When a heart-beat is due, and by when something has to come from the client.
#[derive(Debug)]
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

    /// Starts with what both sides have agreed on.
    pub(super) fn agree(&mut self, agreed: HeartBeat) {
        self.sends_every = milliseconds(agreed.outgoing);
        self.receives_every = milliseconds(agreed.incoming);
    }

    pub(super) fn start(&mut self, now: Duration) {
        self.sent_at = now;
        self.received_at = now;
    }

    pub(super) fn sent(&mut self, now: Duration) {
        self.sent_at = now;
    }

    /// Any bytes are a sign of life.
    pub(super) fn received(&mut self, now: Duration) {
        self.received_at = now;
    }

    /// Returns when something has to be sent.
    pub(super) fn next_beat(&self) -> Option<Duration> {
        let every = Duration::from_millis(self.sends_every.into());
        (self.sends_every > 0).then(|| self.sent_at.saturating_add(every))
    }

    /// Returns how long a client may be silent: the specification asks for a margin, and clients beat
    /// late when their timers are throttled.
    pub(super) fn patience(&self, margin: Duration) -> Duration {
        let every = Duration::from_millis(self.receives_every.into());
        every.saturating_mul(2).saturating_add(margin)
    }

    /// Returns when the client counts as dead.
    pub(super) fn silent_at(&self, margin: Duration) -> Option<Duration> {
        (self.receives_every > 0).then(|| self.received_at.saturating_add(self.patience(margin)))
    }
}

/// Returns whole milliseconds, and at most 49 days.
fn milliseconds(duration: Duration) -> u32 {
    let milliseconds = duration.as_millis().try_into().unwrap_or(u32::MAX);
    if duration.is_zero() { 0 } else { milliseconds.max(1) }
}
