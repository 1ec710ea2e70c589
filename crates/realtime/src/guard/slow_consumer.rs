//! What happens to a client that takes what it gets more slowly than it is sent.

use core::time::Duration;

/// When a connection counts as slow, and when it ends for it.
///
/// | option | default | |
/// |---|---|---|
/// | [`high_water`](Self::high_water) | 512 KiB | [`Pause`](Reaction::Pause): the hub sends no more |
/// | [`low_water`](Self::low_water) | 128 KiB | [`Resume`](Reaction::Resume): it goes on from what topics keep |
/// | [`unsent`](Self::unsent) | 4 MiB | [`End`](Reaction::End), because receipts and replies go on while the hub pauses |
/// | [`stalled`](Self::stalled) | 60 seconds | [`End`](Reaction::End) |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowConsumerConfig {
    /// The connection is paused once more bytes are unsent than this.
    pub high_water: usize,
    /// The connection is resumed once no more bytes are unsent than this. A value above
    /// [`high_water`](Self::high_water) counts as that.
    pub low_water: usize,
    /// The connection ends if something more is queued while more bytes are unsent than this. So what is
    /// larger than this by itself can be sent too, and a client that comes back for it gets it.
    ///
    /// Make it larger than the high water and a
    /// [portion](crate::hub::Config::replay_portion) of the hub together: that is queued before the hub
    /// learns of the pause.
    pub unsent: usize,
    /// The connection ends once its client has not taken a single byte for this time, while some were
    /// unsent. At least a millisecond.
    pub stalled: Duration,
}

impl Default for SlowConsumerConfig {
    fn default() -> Self {
        Self {
            high_water: 512 << 10,
            low_water: 128 << 10,
            unsent: 4 << 20,
            stalled: Duration::from_secs(60),
        }
    }
}

impl SlowConsumerConfig {
    setters! { high_water: usize, low_water: usize, unsent: usize, stalled: Duration }
}

/// Decides about a connection by what its client has not taken yet: when the hub
/// [pauses](crate::hub::Command::Pause) and [resumes](crate::hub::Command::Resume) it, and when it ends.
///
/// Each transport has its own unsent output: a WebSocket that of the core
/// ([`buffered_amount`](sansocket::connection::Sender::buffered_amount)), an event stream what its
/// response has not written. Report what is [queued](Self::queued) for it and what the client has
/// [taken](Self::taken), and do what you get back. Bytes count as taken when the transport accepts them:
/// the buffers of the system come on top. A client that takes a little now and then stays connected, and
/// costs no more than the bytes that are unsent.
///
/// This does for subscriptions what the policies of the core (its page `slow_peers`) do for messages
/// that are pushed:
///
/// | policy of the core | here |
/// |---|---|
/// | [`Wait`](sansocket::connection::WhenFull::Wait) | `Pause` and `Resume`: what topics keep waits for the client, once for all clients |
/// | [`DropNewest`](sansocket::connection::WhenFull::DropNewest) | nothing: topics keep their last messages |
/// | [`DropOldest`](sansocket::connection::WhenFull::DropOldest) | what a topic no longer keeps becomes a [gap](crate::hub::Effect::Gap), which the client is told |
/// | [`KeepLatest`](sansocket::connection::WhenFull::KeepLatest) | a topic that keeps one message |
/// | [`Close`](sansocket::connection::WhenFull::Close) | `End`, with 1013: the client comes back with its cursor |
///
/// So set the core's own outbox to `Wait`, and its limits above [`unsent`](SlowConsumerConfig::unsent).
/// This bounds one connection: 10,000 slow clients can hold 10,000 times as much. A
/// [`Budget`](sansocket::Budget) of the core bounds all WebSockets together.
///
/// ```
/// use core::time::Duration;
/// use sansocket_realtime::guard::{Reaction, SlowConsumer, SlowConsumerConfig};
///
/// let config = SlowConsumerConfig::default().high_water(1000).low_water(100);
/// let (mut consumer, now) = (SlowConsumer::new(config), Duration::ZERO);
/// assert_eq!(consumer.queued(1000, now), None);
/// assert_eq!(consumer.queued(1, now), Some(Reaction::Pause));
/// assert_eq!(consumer.taken(900, now), None);
/// assert_eq!(consumer.taken(1, now), Some(Reaction::Resume));
///
/// // The client takes nothing more.
/// let deadline = consumer.next_deadline().expect("something is unsent");
/// assert_eq!(deadline, Duration::from_secs(60));
/// assert!(matches!(consumer.time_passed(deadline), Some(Reaction::End(_))));
/// ```
#[derive(Clone, Debug)]
pub struct SlowConsumer {
    config: SlowConsumerConfig,
    unsent: usize,
    /// When the client last took a byte, or when bytes were queued and none had been; `None` if nothing
    /// is unsent.
    progress: Option<Duration>,
    is_paused: bool,
    has_ended: bool,
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Reaction {
    /// Tell the hub to [pause](crate::hub::Command::Pause) the connection.
    Pause,
    /// Tell the hub to [resume](crate::hub::Command::Resume) the connection.
    Resume,
    /// End the connection. What is unsent will not be taken, so don't wait for it: drop the WebSocket or
    /// the response, or abort the task that waits to write to it. This comes once.
    End(TooSlow),
}

/// Why a connection ends whose client is too slow. It is the fault of the client or its network. Trying
/// again helps, with the last cursor. What the client gets is an [`Answer`](super::Answer), if it can
/// still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TooSlow {
    /// The client has taken nothing for too long.
    #[error("the client has taken none of {unsent} bytes for {limit:?}")]
    Stalled {
        /// How many bytes are unsent.
        unsent: usize,
        /// How long it may take none.
        limit: Duration,
    },
    /// Too much is unsent.
    #[error("{unsent} bytes for the client are unsent, at most {limit} may be")]
    Unsent {
        /// How many bytes are unsent.
        unsent: usize,
        /// How many may be.
        limit: usize,
    },
}

impl SlowConsumer {
    /// Creates the machine for a new connection.
    #[must_use]
    pub const fn new(config: SlowConsumerConfig) -> Self {
        Self { config, unsent: 0, progress: None, is_paused: false, has_ended: false }
    }

    /// Reports that so many bytes were queued for the client.
    #[must_use]
    pub fn queued(&mut self, bytes: usize, now: Duration) -> Option<Reaction> {
        if self.has_ended || bytes == 0 {
            return None;
        }
        let (before, limit) = (self.unsent, self.config.unsent);
        self.unsent = before.saturating_add(bytes);
        self.progress.get_or_insert(now);
        if before > limit {
            return self.end(TooSlow::Unsent { unsent: self.unsent, limit });
        }
        let is_full = !self.is_paused && self.unsent > self.config.high_water;
        self.is_paused |= is_full;
        is_full.then_some(Reaction::Pause)
    }

    /// Reports that the client's transport has taken so many bytes.
    #[must_use]
    pub fn taken(&mut self, bytes: usize, now: Duration) -> Option<Reaction> {
        if self.has_ended || bytes == 0 {
            return None;
        }
        self.unsent = self.unsent.saturating_sub(bytes);
        self.progress = (self.unsent > 0).then_some(now);
        let low_water = self.config.low_water.min(self.config.high_water);
        let has_room = self.is_paused && self.unsent <= low_water;
        self.is_paused &= !has_room;
        has_room.then_some(Reaction::Resume)
    }

    /// Returns when to call [`time_passed`](Self::time_passed), if the client takes nothing until then.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        // Without any time, the first byte would be late.
        let stalled = self.config.stalled.max(Duration::from_millis(1));
        self.progress.map(|progress| progress.saturating_add(stalled))
    }

    /// Ends the connection if its [deadline](Self::next_deadline) has passed.
    #[must_use]
    pub fn time_passed(&mut self, now: Duration) -> Option<Reaction> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.end(TooSlow::Stalled { unsent: self.unsent, limit: self.config.stalled })
    }

    /// Returns how many bytes are unsent.
    #[must_use]
    pub const fn unsent(&self) -> usize {
        self.unsent
    }

    /// Returns whether the hub was told to pause the connection.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.is_paused
    }

    fn end(&mut self, why: TooSlow) -> Option<Reaction> {
        self.has_ended = true;
        self.progress = None;
        Some(Reaction::End(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn consumer() -> SlowConsumer {
        let config = SlowConsumerConfig::default().high_water(100).low_water(20).unsent(200);
        SlowConsumer::new(config.stalled(10 * SECOND))
    }

    #[test]
    fn a_slow_client_is_paused_between_its_marks() {
        let mut consumer = consumer();
        assert_eq!(consumer.queued(100, SECOND), None);
        assert_eq!(consumer.queued(1, SECOND), Some(Reaction::Pause));
        // Neither around the high mark nor above the low one does anything change.
        for _ in 0..3 {
            assert_eq!(consumer.taken(2, SECOND), None);
            assert_eq!(consumer.queued(2, SECOND), None);
        }
        assert_eq!(consumer.taken(80, SECOND), None);
        assert_eq!(consumer.taken(1, SECOND), Some(Reaction::Resume));
        assert_eq!((consumer.unsent(), consumer.is_paused()), (20, false));
        assert_eq!(consumer.queued(80, SECOND), None);
    }

    #[test]
    fn a_low_mark_above_the_high_one_counts_as_that() {
        let config = SlowConsumerConfig::default().high_water(10);
        let mut consumer = SlowConsumer::new(config);
        assert_eq!(consumer.queued(11, SECOND), Some(Reaction::Pause));
        assert_eq!(consumer.taken(1, SECOND), Some(Reaction::Resume));
    }

    #[test]
    fn too_much_unsent_ends_the_connection_once() {
        let mut consumer = consumer();
        assert_eq!(consumer.queued(200, SECOND), Some(Reaction::Pause));
        assert_eq!(consumer.queued(1, SECOND), None);
        let end = Some(Reaction::End(TooSlow::Unsent { unsent: 202, limit: 200 }));
        assert_eq!(consumer.queued(1, SECOND), end);
        assert_eq!(consumer.queued(usize::MAX, SECOND), None);
        assert_eq!(consumer.taken(202, SECOND), None);
        assert_eq!((consumer.next_deadline(), consumer.time_passed(99 * SECOND)), (None, None));
    }

    /// Otherwise the connection would end for this message, and its client would resume at the same message,
    /// again and again.
    #[test]
    fn what_is_larger_than_the_limit_by_itself_is_sent() {
        let mut consumer = consumer();
        assert_eq!(consumer.queued(100, SECOND), None);
        assert_eq!(consumer.queued(500, SECOND), Some(Reaction::Pause));
        assert_eq!(consumer.taken(600, SECOND), Some(Reaction::Resume));
    }

    #[test]
    fn a_client_that_takes_nothing_ends() {
        let mut consumer = consumer();
        assert_eq!(consumer.next_deadline(), None);
        assert_eq!(consumer.queued(10, SECOND), None);
        assert_eq!(consumer.next_deadline(), Some(11 * SECOND));
        // What is queued later does not give the client more time, and what it takes does.
        assert_eq!(consumer.queued(10, 5 * SECOND), None);
        assert_eq!(consumer.next_deadline(), Some(11 * SECOND));
        assert_eq!(consumer.taken(1, 6 * SECOND), None);
        assert_eq!(consumer.time_passed(11 * SECOND), None);
        assert_eq!(consumer.taken(0, 15 * SECOND), None);
        let end = Some(Reaction::End(TooSlow::Stalled { unsent: 19, limit: 10 * SECOND }));
        assert_eq!(consumer.time_passed(16 * SECOND), end);
        assert_eq!(consumer.time_passed(17 * SECOND), None);
    }

    #[test]
    fn a_client_that_has_taken_all_is_not_late() {
        let mut consumer = consumer();
        assert_eq!(consumer.queued(10, SECOND), None);
        assert_eq!(consumer.taken(usize::MAX, 2 * SECOND), None);
        assert_eq!((consumer.unsent(), consumer.next_deadline()), (0, None));
        assert_eq!(consumer.time_passed(Duration::MAX), None);
        assert_eq!(consumer.queued(10, 100 * SECOND), None);
        assert_eq!(consumer.next_deadline(), Some(110 * SECOND));
    }

    #[test]
    fn extremes_are_no_overflow() {
        let config = SlowConsumerConfig::default().unsent(usize::MAX).stalled(Duration::MAX);
        let mut consumer = SlowConsumer::new(config);
        for _ in 0..2 {
            let _ = consumer.queued(usize::MAX, Duration::MAX);
        }
        assert_eq!(consumer.next_deadline(), Some(Duration::MAX));
        let mut consumer = SlowConsumer::new(config.stalled(Duration::ZERO));
        assert_eq!(consumer.queued(1, SECOND), None);
        assert_eq!(consumer.time_passed(SECOND), None);
    }

    proptest! {
        /// Pauses and resumes alternate, and between a pause and its resume the client takes at least
        /// what is between the marks.
        #[test]
        fn pauses_do_not_flap(
            steps in prop::collection::vec((any::<bool>(), 0..50_usize, 0..3_u64), 0..300),
        ) {
            let mut consumer = consumer();
            let (mut now, mut unsent, mut is_paused, mut taken) = (SECOND, 0_usize, false, 0);
            for (is_queued, bytes, pause) in steps {
                now += SECOND * pause as u32;
                let reaction = match consumer.time_passed(now) {
                    None if is_queued => {
                        unsent += bytes;
                        consumer.queued(bytes, now)
                    }
                    None => {
                        taken += bytes.min(unsent);
                        unsent = unsent.saturating_sub(bytes);
                        consumer.taken(bytes, now)
                    }
                    ended => ended,
                };
                match reaction {
                    Some(Reaction::Pause) => {
                        prop_assert!(!is_paused && unsent > 100);
                        (is_paused, taken) = (true, 0);
                    }
                    Some(Reaction::Resume) => {
                        prop_assert!(is_paused && unsent <= 20 && taken > 80);
                        is_paused = false;
                    }
                    Some(Reaction::End(_)) => {
                        let is_late = matches!(reaction, Some(Reaction::End(TooSlow::Stalled { .. })));
                        prop_assert!(is_late || unsent > 200);
                        prop_assert_eq!(consumer.next_deadline(), None);
                        return Ok(());
                    }
                    None if is_paused => prop_assert!(unsent > 20),
                    None => prop_assert!(unsent <= 100),
                }
                prop_assert_eq!((consumer.unsent(), consumer.is_paused()), (unsent, is_paused));
                prop_assert_eq!(consumer.next_deadline().is_some(), unsent > 0);
            }
        }
    }
}
