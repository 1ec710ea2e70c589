//! What most connections do without.

use super::counting::Counted;
use crate::budget::Share;
use crate::connection::config::Config;
use crate::connection::data_rate::DataRate;
use crate::connection::error::ProtocolError;
use crate::connection::heartbeat::Heartbeat;
use crate::connection::idle::Idle;
use crate::connection::outbox::Outbox;
use crate::connection::queue::Queue;
use crate::connection::reply::{ControlPayload, Received};
use crate::transport::{IoFailure, earliest};
use alloc::boxed::Box;
use core::time::Duration;

/// What most connections do without. It is in one place, because 8 bytes more in a connection can cost
/// 128 in its task.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// The state of keepalive, if it is configured.
    pub(super) heartbeat: Option<Heartbeat>,
    /// The state of the other timeouts, if one is configured.
    pub(super) messages: Option<Box<MessageTimeouts>>,
    /// What waits for the output to become short, once something does.
    pub(super) backlog: Option<Box<Backlog>>,
    /// What the sender holds of a budget, if there is one.
    pub(super) share: Option<Box<Share>>,
    /// What was received and sent, if that is counted.
    pub(super) counters: Option<Box<Counted>>,
}

/// What waits for the output to become short.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// A pong that has no room in the queue yet.
    pub(super) held_back: Option<Box<ControlPayload>>,
    /// Messages for a slow peer, and what has become of them.
    pub(super) outbox: Outbox,
}

/// The timeouts that depend on what arrives of the peer's messages.
#[derive(Debug)]
pub(super) struct MessageTimeouts {
    idle: Option<Idle>,
    data_rate: Option<DataRate>,
}

/// A timeout that has passed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Passed {
    /// The idle timeout, which is this long.
    Idle(Duration),
    TooSlow(ProtocolError),
}

impl Rare {
    /// Returns what a connection with this configuration has from the beginning. A queue of fewer bytes
    /// than `short_queue` is short.
    pub(super) fn new(config: &Config, short_queue: u32) -> Option<Self> {
        let heartbeat = config.keepalive.map(Heartbeat::new);
        let messages = MessageTimeouts::new(config).map(Box::new);
        let share = config.budget.map(|budget| Box::new(Share::new(budget)));
        let counters = config.counters.then(|| Box::new(Counted::new(short_queue)));
        let is_something =
            heartbeat.is_some() || messages.is_some() || share.is_some() || counters.is_some();
        is_something.then_some(Self { heartbeat, messages, backlog: None, share, counters })
    }

    /// Returns what waits, to which something will be added.
    pub(super) fn backlog(&mut self) -> &mut Backlog {
        self.backlog.get_or_insert_default()
    }

    /// Notes the outcome of a read.
    #[inline]
    pub(super) fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.did_read(outcome);
        }
        if let Some(messages) = &mut self.messages {
            messages.did_read(outcome);
        }
        if let (Some(counted), Ok(count)) = (&mut self.counters, outcome) {
            counted.received.count_bytes(count);
        }
    }

    /// Returns `true` if one of the timeouts needs the time.
    #[inline]
    pub(super) fn needs_clock(&mut self, queue: impl FnOnce() -> Queue) -> bool {
        // Each is asked, because each counts how often.
        let heartbeat =
            self.heartbeat.as_mut().is_some_and(|heartbeat| heartbeat.needs_clock(queue));
        let messages = self.messages.as_mut().is_some_and(|messages| messages.needs_clock());
        heartbeat || messages
    }

    /// Returns when one of the timeouts needs the time next.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Duration> {
        let heartbeat = self.heartbeat.as_ref().and_then(|heartbeat| heartbeat.deadline());
        match &self.messages {
            None => heartbeat,
            Some(messages) => earliest(heartbeat, messages.deadline()),
        }
    }
}

impl MessageTimeouts {
    fn new(config: &Config) -> Option<Self> {
        let idle = config.idle_timeout.map(Idle::new);
        let data_rate = config.min_data_rate.map(DataRate::new);
        (idle.is_some() || data_rate.is_some()).then_some(Self { idle, data_rate })
    }

    fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        if let Some(idle) = &mut self.idle {
            idle.did_read(outcome);
        }
        if let Some(data_rate) = &mut self.data_rate {
            data_rate.did_read(outcome);
        }
    }

    /// Notes what has arrived of the peer's messages.
    pub(super) fn received(&mut self, received: Received) {
        if let Some(idle) = &mut self.idle {
            idle.received(received);
        }
        if let Some(data_rate) = &mut self.data_rate {
            data_rate.received(received);
        }
    }

    fn needs_clock(&mut self) -> bool {
        let idle = self.idle.as_mut().is_some_and(|idle| idle.needs_clock());
        let data_rate = self.data_rate.as_mut().is_some_and(|data_rate| data_rate.needs_clock());
        idle || data_rate
    }

    /// Returns which timeout has passed.
    pub(super) fn next(&mut self, now: Duration) -> Option<Passed> {
        // Each has to know the time.
        let error = self.data_rate.as_mut().and_then(|data_rate| data_rate.next(now));
        let idle = self.idle.as_mut().and_then(|idle| idle.passed(now));
        error.map(Passed::TooSlow).or(idle.map(Passed::Idle))
    }

    fn deadline(&self) -> Option<Duration> {
        let idle = self.idle.as_ref().and_then(|idle| idle.deadline());
        earliest(idle, self.data_rate.as_ref().and_then(|data_rate| data_rate.deadline()))
    }
}
