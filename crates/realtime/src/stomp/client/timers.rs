//! The deadlines of a connection.

use super::{error::ClientError, state::State};
use crate::stomp::header::HeartBeat;
use core::time::Duration;

/// When a connection has to send something, and when it counts as dead.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers {
    /// The agreed heart-beats. Zero means never.
    pub(super) heart_beat: HeartBeat,
    pub(super) last_sent: Duration,
    pub(super) last_received: Duration,
    /// By when the server has to answer CONNECT or DISCONNECT, and how long it has.
    pub(super) answer: Option<(Duration, Duration)>,
}

impl Timers {
    /// A dead server is silent for this many intervals (1.2 §Heart-beating: the receiver takes an error
    /// margin into account).
    const MARGIN: u32 = 2;

    pub(super) fn expect_answer(&mut self, now: Duration, within: Duration) {
        self.answer = Some((now.saturating_add(within), within));
    }

    /// Returns when a heart-beat has to be sent, if nothing else is. That is a tenth earlier than
    /// agreed, since the interval is the longest that may pass (1.2 §Heart-beating), and a timer of
    /// the caller is late, never early.
    pub(super) fn beat_at(&self) -> Option<Duration> {
        let interval = self.heart_beat.outgoing;
        let early = interval - interval / 10;
        (!interval.is_zero()).then(|| self.last_sent.saturating_add(early))
    }

    /// Returns when the server counts as dead, if nothing arrives.
    fn dead_at(&self) -> Option<Duration> {
        let interval = self.heart_beat.incoming;
        let silence = interval.saturating_mul(Self::MARGIN);
        (!interval.is_zero()).then(|| self.last_received.saturating_add(silence))
    }

    /// Returns the next deadline, apart from [`beat_at`](Self::beat_at).
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let answer = self.answer.map(|(deadline, _)| deadline);
        [answer, self.dead_at()].into_iter().flatten().min()
    }

    /// Fails once a deadline has passed.
    pub(super) fn check(&self, state: State, now: Duration) -> Result<(), ClientError> {
        match self.answer {
            Some((deadline, limit)) if deadline <= now => {
                return Err(if state == State::Connecting {
                    ClientError::ConnectTimeout { limit }
                } else {
                    ClientError::DisconnectTimeout { limit }
                });
            }
            _ => {}
        }
        match self.dead_at() {
            Some(deadline) if deadline <= now => Err(ClientError::HeartBeatTimeout {
                silent: now.saturating_sub(self.last_received),
                interval: self.heart_beat.incoming,
            }),
            _ => Ok(()),
        }
    }
}
