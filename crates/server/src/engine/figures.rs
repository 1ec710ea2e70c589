//! What there is to be told of a server: its status, and its figures.

use crate::{mailboxes::Transport, tally::Tally};
use sansocket_realtime::bridge;

/// Whether the server can do all that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The broker has not been reached yet.
    Starting,
    Ready,
    /// The broker is away: topics of all nodes wait, local ones go on.
    Degraded,
    ShuttingDown,
}

/// What happened since the server began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Messages that subscriptions got.
    pub(crate) delivered: u64,
    /// Gaps that subscriptions were told.
    pub(crate) gaps: u64,
    /// Commands of clients that were refused.
    pub(crate) refused: u64,
    /// Messages that were given up.
    pub(crate) discarded: Tally,
    /// Messages that clients sent, and those that the application published.
    pub(crate) sent: u64,
    pub(crate) published: u64,
    /// Connections that ended because their clients are too slow.
    pub(crate) too_slow: u64,
    /// Connections that were paused because their clients are slow.
    pub(crate) paused: u64,
    /// Commands.
    pub(crate) handled: u64,
}

/// What there is now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    /// The connections of each transport, by its name.
    pub(crate) connections: [(&'static str, usize); Transport::COUNT],
    /// The messages that wait for the broker, and their bytes.
    pub(crate) outbox: (usize, usize),
    /// The calls that async handlers have not answered, and their bytes.
    pub(crate) calls: (usize, usize),
    pub(crate) subscriptions: usize,
    pub(crate) destinations: usize,
}

impl Status {
    /// Notes whether the broker is there.
    pub(super) fn hear(&mut self, event: &bridge::Event) {
        let heard = match event {
            bridge::Event::Up { .. } => Self::Ready,
            bridge::Event::Down => Self::Degraded,
            _ => return,
        };
        if *self != Self::ShuttingDown && *self != heard {
            *self = heard;
            tracing::info!(status = ?heard, "the broker");
        }
    }
}
