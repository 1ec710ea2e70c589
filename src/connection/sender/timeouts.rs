//! What time makes a connection send: pings, and the Close of a timeout.

use super::rare::Passed;
use super::{MaySend, Sender};
use crate::buffer::WriteBuffer;
use crate::connection::closed::TransportEnd;
use crate::connection::heartbeat::{Beat, Heartbeat};
use crate::connection::queue::Queue;
use crate::connection::reply::Received;
use crate::connection::role::Role;
use crate::connection::round_trip::{RoundTrip, RoundTripTime};
use core::time::Duration;

/// What has to be queued now.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// A ping of keepalive, at this time.
    Ping(Duration),
    /// The Close of a timeout.
    Close(Passed),
}

/// How many bytes of waiting control frames leave room for a ping. Pongs have the rest to themselves.
const MOST_BEFORE_PING: usize = 2048;

impl<R: Role> Sender<R> {
    /// Returns what a timeout has to send now.
    #[inline]
    pub(crate) fn due(
        &mut self,
        output: &WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> Option<Due> {
        // Usually there is no timeout, or there is traffic.
        self.rare.as_ref()?;
        self.count_held(output);
        if self.ending.is_some() {
            return None;
        }
        let unflushed = self.unflushed;
        if !self.rare.as_mut()?.needs_clock(|| Queue::of(output, unflushed)) {
            return None;
        }
        self.look_at_timeouts(clock(), self.queue_of(output))
    }

    #[inline(never)]
    fn look_at_timeouts(&mut self, now: Duration, queue: Queue) -> Option<Due> {
        let rare = self.rare.as_mut()?;
        if let Some(passed) = rare.messages.as_mut().and_then(|messages| messages.next(now)) {
            return Some(Due::Close(passed));
        }
        match rare.heartbeat.as_mut()?.next(now, queue) {
            Beat::Wait => None,
            Beat::Ping => Some(Due::Ping(now)),
            Beat::Silent => {
                self.may_send = MaySend::Nothing;
                self.ending().end(TransportEnd::Timeout);
                None
            }
        }
    }

    /// Queues what [is due](Self::due).
    #[cold]
    pub(crate) fn queue_due(&mut self, due: Due, output: &mut WriteBuffer) {
        match due {
            Due::Ping(now) => self.queue_keepalive_ping(now, output),
            Due::Close(Passed::Idle(timeout)) => self.close_idle(timeout, output),
            Due::Close(Passed::TooSlow(error)) => self.fail(error, output),
        }
    }

    fn queue_keepalive_ping(&mut self, now: Duration, output: &mut WriteBuffer) {
        // Behind a write that is stuck, one ping more is of no use.
        let has_room = output.control_len() < MOST_BEFORE_PING;
        let payload = RoundTrip::payload(now);
        if has_room {
            self.insert_ping(&payload, output);
        }
        let (end, queue) = (output.control_end(), self.queue_of(output));
        if let Some(heartbeat) = self.heartbeat_mut() {
            heartbeat.pinging(has_room.then_some(payload), end, now, queue);
        }
    }

    /// Takes the time of a ping that was just written or answered. A shell calls this if its next call
    /// of [`next`](Self::next) may be much later: the time in between would count.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn take_time(&mut self, output: &WriteBuffer, clock: impl FnOnce() -> Duration) {
        if self.rare.is_some() {
            self.take_time_of_ping(output, clock);
        }
    }

    #[cfg(feature = "std")]
    #[cold]
    fn take_time_of_ping(&mut self, output: &WriteBuffer, clock: impl FnOnce() -> Duration) {
        let queue = self.queue_of(output);
        if let Some(heartbeat) = self.heartbeat_mut() {
            if heartbeat.measures(|| queue) {
                // Whatever else is due stays so until `due` is called.
                let _ = heartbeat.next(clock(), queue);
            }
        }
    }

    pub(super) fn received_pong(&mut self, payload: &[u8]) {
        if let Some(heartbeat) = self.heartbeat_mut() {
            heartbeat.round_trip.received_pong(payload);
        }
    }

    pub(super) fn received(&mut self, received: Received) {
        let Some(rare) = &mut self.rare else { return };
        if let Some(messages) = &mut rare.messages {
            messages.received(received);
        }
    }

    /// Returns how long the peer takes to answer pings, or `None` before the first answer to a ping of
    /// [keepalive](crate::Config::keepalive).
    #[must_use]
    pub fn round_trip_time(&self) -> Option<RoundTripTime> {
        self.rare.as_ref()?.heartbeat.as_ref()?.round_trip.time()
    }

    /// Returns `true` while a ping of keepalive waits to be written.
    #[cfg(feature = "std")]
    #[inline]
    pub(super) fn is_pinging(&self) -> bool {
        self.rare
            .as_ref()
            .and_then(|rare| rare.heartbeat.as_ref())
            .is_some_and(Heartbeat::is_pinging)
    }

    #[inline]
    fn heartbeat_mut(&mut self) -> Option<&mut Heartbeat> {
        self.rare.as_mut()?.heartbeat.as_mut()
    }

    #[inline]
    fn queue_of(&self, output: &WriteBuffer) -> Queue {
        Queue::of(output, self.unflushed)
    }
}
