//! When a client connects, connects again, or gives up, and what waits for it meanwhile.

use super::backoff::Backoff;
use super::message_queue::{EnqueueError, MessageQueue};
use super::reconnect_config::ReconnectConfig;
use crate::connection::Message;
use core::time::Duration;
use thiserror::Error;

/// The decisions of a client that reconnects. You do the IO; the client over tokio,
/// `on_tokio::ReconnectingWebSocket`, does it for you.
///
/// Ask [`next`](Self::next) what to do, do it, and report the outcome with
/// [`connected`](Self::connected) or [`failed`](Self::failed). There is one attempt or one
/// connection at a time (RFC 6455 §4.1).
///
/// - The first attempt starts at once. Each later one follows a pause of the [`Backoff`]: a random
///   time, whose bound doubles from attempt to attempt.
/// - A connection that does not last leaves the bound where it is. Only after a stable connection do
///   the pauses, the number of attempts and the [time limit](ReconnectConfig::time_limit) start
///   again.
/// - A server that asks for a pause gets it, up to a
///   [bound](ReconnectConfig::longest_retry_after). The pause of the backoff comes on top: the
///   server has asked all of its clients for the same time, and they should not return at the same
///   moment.
/// - While there is no connection, messages wait in a [queue](ReconnectConfig::queue).
///
/// Times are those since a moment that stays the same for this client.
///
/// ```
/// use sansocket::client::{ReconnectConfig, ReconnectNext, Reconnecting, Retry};
/// use std::time::Duration;
///
/// let mut client = Reconnecting::new(ReconnectConfig::new());
/// let now = Duration::from_secs(100); // Since any fixed moment.
/// assert_eq!(client.next(now), ReconnectNext::Connect);
/// // Nobody listens. A random number decides when the next attempt starts.
/// let next = client.failed(now, Retry::Yes, u64::MAX / 2)?;
/// assert_eq!((next.number, next.pause), (1, Duration::from_millis(250)));
/// assert_eq!(client.next(now), ReconnectNext::Wait(Some(now + next.pause)));
/// assert_eq!(client.next(now + next.pause), ReconnectNext::Connect);
/// client.connected(now + next.pause);
/// assert_eq!(client.next(now + next.pause), ReconnectNext::Wait(None));
/// # Ok::<(), sansocket::client::GiveUp>(())
/// ```
#[derive(Debug)]
pub struct Reconnecting {
    config: ReconnectConfig,
    phase: Phase,
    /// How long the client was without a connection since the last stable one, up to the connection
    /// that is open or the one that ended last.
    away: Duration,
    queue: MessageQueue,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Nothing was asked yet.
    New,
    /// Without a connection since `away_since`; the next attempt starts at `until`.
    Paused { away_since: Duration, until: Duration },
    /// Without a connection since `away_since`; an attempt is running since `started`.
    Attempting { away_since: Duration, started: Duration },
    /// There is a connection.
    Connected { since: Duration },
    /// The client has given up, or was closed.
    Over,
}

/// What a client that reconnects does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a client starts, waits, stops, or is over")]
pub enum ReconnectNext {
    /// Start an attempt to connect, and ask again.
    Connect,
    /// Wait until the attempt or the connection has an outcome to report, but at most until this
    /// time. Then ask again.
    Wait(Option<Duration>),
    /// Stop the attempt, which has taken this long, and report that it has failed.
    Abandon(Duration),
    /// Nothing: the client has given up or was closed.
    Over,
}

/// Whether another attempt can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an attempt is useless, useful, or useful later")]
pub enum Retry {
    /// It can't.
    No,
    /// It can.
    Yes,
    /// It can, but not before this time has passed, as the server said: see
    /// [`Refusal::retry_after`](crate::handshake::Refusal::retry_after).
    After(Duration),
}

impl Retry {
    /// Returns whether another attempt can help, given whether the failure may pass, and how long the
    /// server asks to be left alone, if it does. A failure that does not pass is not tried again,
    /// whatever the server asks for.
    #[must_use]
    pub const fn new(is_transient: bool, retry_after: Option<Duration>) -> Self {
        match retry_after {
            _ if !is_transient => Self::No,
            Some(time) => Self::After(time),
            None => Self::Yes,
        }
    }
}

/// The next attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextAttempt {
    /// Its number since the last stable connection. The first attempt after that is number 1. Before
    /// the first stable connection, the attempt with which the client began does not count. The
    /// last is number [`Backoff::attempts`], if that is set.
    pub number: u32,
    /// How long the client pauses before it.
    pub pause: Duration,
}

/// Why a client does not try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GiveUp {
    /// Another attempt would fail in the same way.
    #[error("another attempt would not help")]
    Useless,
    /// As many attempts as the [`Backoff`] allows were made without a stable connection.
    #[error("no stable connection in {attempts} more attempts")]
    Attempts {
        /// Their number, without the attempt or connection that came first.
        attempts: u32,
    },
    /// The next attempt would start only after the [time limit](ReconnectConfig::time_limit).
    #[error("no stable connection within {limit:?}")]
    TimeLimit {
        /// The limit.
        limit: Duration,
    },
}

impl Reconnecting {
    /// Creates a client that starts its first attempt at once.
    #[must_use]
    pub const fn new(config: ReconnectConfig) -> Self {
        let queue = MessageQueue::new(config.queued_messages, config.queued_bytes);
        Self { config, phase: Phase::New, away: Duration::ZERO, queue }
    }

    /// Returns what to do at `now`.
    pub fn next(&mut self, now: Duration) -> ReconnectNext {
        match self.phase {
            Phase::New => self.start(now, now),
            Phase::Paused { away_since, until } if until <= now => self.start(away_since, now),
            Phase::Paused { until, .. } => ReconnectNext::Wait(Some(until)),
            Phase::Attempting { away_since, started } => match self.deadline(away_since, started) {
                Some(deadline) if deadline <= now => {
                    ReconnectNext::Abandon(now.saturating_sub(started))
                }
                deadline => ReconnectNext::Wait(deadline),
            },
            Phase::Connected { .. } => ReconnectNext::Wait(None),
            Phase::Over => ReconnectNext::Over,
        }
    }

    /// Reports that the attempt has succeeded: the connection is open and set up.
    pub fn connected(&mut self, now: Duration) {
        if let Phase::Attempting { away_since, .. } = self.phase {
            self.away = self.away_for(away_since, now);
            self.phase = Phase::Connected { since: now };
        }
    }

    /// Reports that the attempt has failed, or that the connection has ended, and whether another
    /// attempt can help. `random` is a random number, as for [`Backoff::next`].
    ///
    /// # Errors
    ///
    /// Returns why the client gives up. It is then [over](ReconnectNext::Over).
    pub fn failed(
        &mut self,
        now: Duration,
        retry: Retry,
        random: u64,
    ) -> Result<NextAttempt, GiveUp> {
        let next = self.plan(now, retry, random);
        if next.is_err() {
            self.phase = Phase::Over;
        }
        next
    }

    /// Ends the client for good. What is queued stays there.
    pub fn close(&mut self) {
        self.phase = Phase::Over;
    }

    /// Returns `true` if there is a connection.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected { .. })
    }

    /// Returns `true` once the client has given up or was closed.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Queues a message for the next connection, or for this one if others wait before it.
    ///
    /// # Errors
    ///
    /// Returns an error with the message if there is no queue, if the queue has no room for it, or if
    /// the client is over.
    pub fn enqueue(&mut self, message: Message) -> Result<(), EnqueueError> {
        if self.is_over() { Err(EnqueueError::Over(message)) } else { self.queue.push(message) }
    }

    /// Returns the message that waits the longest.
    ///
    /// While there is a connection, send it there, and then [take](Self::dequeue) it. Send one after
    /// the other, each once the transport has taken the one before: if the connection ends, only one
    /// of them is lost before it reaches the transport, and the others wait for the next connection.
    /// A message that comes meanwhile goes to the end of the queue.
    #[must_use]
    pub fn first_queued(&self) -> Option<&Message> {
        self.queue.front()
    }

    /// Takes the message that waits the longest.
    pub fn dequeue(&mut self) -> Option<Message> {
        self.queue.pop()
    }

    /// Returns the number of queued messages.
    #[must_use]
    pub fn queued_messages(&self) -> usize {
        self.queue.len()
    }

    /// Returns the bytes of payload that are queued.
    #[must_use]
    pub const fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    fn start(&mut self, away_since: Duration, now: Duration) -> ReconnectNext {
        self.phase = Phase::Attempting { away_since, started: now };
        ReconnectNext::Connect
    }

    /// Returns when an attempt must be over.
    fn deadline(&self, away_since: Duration, started: Duration) -> Option<Duration> {
        let timeout = self.config.attempt_timeout.map(|timeout| started.saturating_add(timeout));
        let limit = self
            .config
            .time_limit
            .map(|limit| away_since.saturating_add(limit.saturating_sub(self.away)));
        match (timeout, limit) {
            (Some(timeout), Some(limit)) => Some(timeout.min(limit)),
            (timeout, limit) => timeout.or(limit),
        }
    }

    fn away_for(&self, away_since: Duration, now: Duration) -> Duration {
        self.away.saturating_add(now.saturating_sub(away_since))
    }

    /// Plans the next attempt.
    fn plan(&mut self, now: Duration, retry: Retry, random: u64) -> Result<NextAttempt, GiveUp> {
        let away_since = match self.phase {
            Phase::Connected { since } => {
                let lasted = now.saturating_sub(since);
                if self.backoff().is_stable(lasted) {
                    self.away = Duration::ZERO;
                }
                self.config.backoff.lasted(lasted);
                now
            }
            Phase::Attempting { away_since, .. } | Phase::Paused { away_since, .. } => away_since,
            Phase::New => now,
            Phase::Over => return Err(GiveUp::Useless),
        };
        let least = match retry {
            Retry::No => return Err(GiveUp::Useless),
            Retry::Yes => Duration::ZERO,
            Retry::After(time) => time.min(self.config.longest_retry_after),
        };
        let attempts = self.backoff().attempts_made();
        let Some(pause) = self.config.backoff.next(random) else {
            return Err(GiveUp::Attempts { attempts });
        };
        let pause = least.saturating_add(pause);
        let until = now.saturating_add(pause);
        match self.config.time_limit {
            Some(limit) if self.away_for(away_since, until) >= limit => {
                return Err(GiveUp::TimeLimit { limit });
            }
            _ => {}
        }
        self.phase = Phase::Paused { away_since, until };
        Ok(NextAttempt { number: self.backoff().attempts_made(), pause })
    }

    const fn backoff(&self) -> &Backoff {
        &self.config.backoff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff() -> Backoff {
        Backoff::new().base(SECOND).cap(60 * SECOND).stable_after(100 * SECOND)
    }

    fn config() -> ReconnectConfig {
        ReconnectConfig::new().backoff(backoff())
    }

    /// A client on virtual time, with a seeded source of random numbers (SplitMix64).
    struct Run {
        client: Reconnecting,
        now: Duration,
        seed: u64,
    }

    impl Run {
        fn new(config: ReconnectConfig) -> Self {
            let mut run = Self { client: Reconnecting::new(config), now: 1000 * SECOND, seed: 7 };
            assert_eq!(run.next(), ReconnectNext::Connect);
            run
        }

        fn next(&mut self) -> ReconnectNext {
            self.client.next(self.now)
        }

        fn random(&mut self) -> u64 {
            self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }

        /// Fails, waits for the next attempt, and starts it. Returns the pause in milliseconds.
        fn retry(&mut self, retry: Retry, random: u64) -> u128 {
            let next = self.client.failed(self.now, retry, random).unwrap();
            let until = self.now + next.pause;
            if next.pause > Duration::ZERO {
                assert_eq!(self.next(), ReconnectNext::Wait(Some(until)));
                assert_eq!(
                    self.client.next(until - Duration::from_nanos(1)),
                    ReconnectNext::Wait(Some(until))
                );
            }
            self.now = until;
            assert_eq!(self.next(), ReconnectNext::Connect);
            next.pause.as_millis()
        }

        /// Connects, and stays connected for some time.
        fn connect_for(&mut self, time: Duration) {
            self.client.connected(self.now);
            assert_eq!(self.next(), ReconnectNext::Wait(None));
            self.now += time;
        }

        fn give_up(&mut self, retry: Retry) -> GiveUp {
            let why = self.client.failed(self.now, retry, u64::MAX).unwrap_err();
            assert_eq!(self.next(), ReconnectNext::Over);
            assert!(self.client.is_over() && !self.client.is_connected());
            why
        }
    }

    const LONGEST: u64 = u64::MAX;

    #[test]
    fn pauses_grow_while_nobody_answers() {
        let mut run = Run::new(config());
        let pauses: [u128; 8] = core::array::from_fn(|_| run.retry(Retry::Yes, LONGEST));
        assert_eq!(pauses, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    }

    #[test]
    fn a_report_that_fits_nothing_changes_nothing() {
        let mut run = Run::new(config());
        let next = run.client.failed(run.now, Retry::Yes, LONGEST).unwrap();
        run.client.connected(run.now);
        assert!(!run.client.is_connected());
        assert_eq!(run.next(), ReconnectNext::Wait(Some(run.now + next.pause)));
    }

    #[test]
    fn clients_of_one_server_do_not_return_together() {
        let mut returns: alloc::vec::Vec<u128> = (0..1000)
            .map(|seed| {
                let mut run = Run::new(config());
                run.seed = seed;
                run.connect_for(1000 * SECOND);
                let random = run.random();
                run.retry(Retry::Yes, random)
            })
            .collect();
        returns.sort_unstable();
        // A tenth of the clients in each tenth of the first second, give or take.
        for tenth in 0..10 {
            let span = tenth * 100..(tenth + 1) * 100;
            let count = returns.iter().filter(|pause| span.contains(*pause)).count();
            assert!((50..200).contains(&count), "{count} in {span:?}");
        }
    }

    #[test]
    fn a_server_that_accepts_and_closes_at_once_is_tried_less_and_less() {
        let mut run = Run::new(config());
        for expected in [1000, 2000, 4000, 8000] {
            run.connect_for(SECOND);
            assert_eq!(run.retry(Retry::Yes, LONGEST), expected);
        }
        run.connect_for(99 * SECOND);
        assert_eq!(run.retry(Retry::Yes, LONGEST), 16_000);
        run.connect_for(100 * SECOND);
        assert_eq!(run.retry(Retry::Yes, LONGEST), 1000);
    }

    #[test]
    fn what_no_attempt_can_help_is_given_up_at_once() {
        assert_eq!(Run::new(config()).give_up(Retry::No), GiveUp::Useless);
        let mut run = Run::new(config());
        run.connect_for(1000 * SECOND);
        assert_eq!(run.give_up(Retry::No), GiveUp::Useless);
        // Whatever is reported afterwards.
        assert_eq!(run.give_up(Retry::Yes), GiveUp::Useless);
        run.client.connected(run.now);
        assert_eq!(run.next(), ReconnectNext::Over);
    }

    #[test]
    fn attempts_are_counted_from_the_last_stable_connection() {
        let mut run = Run::new(ReconnectConfig::new().backoff(backoff().attempts(2)));
        run.retry(Retry::Yes, 0);
        run.connect_for(SECOND);
        let next = run.client.failed(run.now, Retry::Yes, 0).unwrap();
        assert_eq!(next.number, 2);
        assert_eq!(run.next(), ReconnectNext::Connect);
        run.connect_for(100 * SECOND);
        run.retry(Retry::Yes, 0);
        run.retry(Retry::Yes, 0);
        assert_eq!(run.give_up(Retry::Yes), GiveUp::Attempts { attempts: 2 });
    }

    #[test]
    fn only_time_without_a_connection_counts_for_the_limit() {
        let limit = 14 * SECOND;
        let mut run = Run::new(config().time_limit(limit));
        assert_eq!(run.retry(Retry::Yes, LONGEST), 1000);
        assert_eq!(run.retry(Retry::Yes, LONGEST), 2000);
        run.connect_for(50 * SECOND);
        assert_eq!(run.retry(Retry::Yes, LONGEST), 4000);
        // Half of the time is over, so a pause of 8 seconds would end too late.
        assert_eq!(run.next(), ReconnectNext::Wait(Some(run.now + 7 * SECOND)));
        assert_eq!(run.give_up(Retry::Yes), GiveUp::TimeLimit { limit });

        let mut run = Run::new(config().time_limit(limit));
        run.retry(Retry::Yes, LONGEST);
        run.retry(Retry::Yes, LONGEST);
        run.connect_for(100 * SECOND);
        // A stable connection: it starts again.
        assert_eq!(run.retry(Retry::Yes, LONGEST), 1000);
        assert_eq!(run.retry(Retry::Yes, LONGEST), 2000);
        assert_eq!(run.retry(Retry::Yes, LONGEST), 4000);
    }

    #[test]
    fn an_attempt_has_a_deadline() {
        let mut run = Run::new(config().attempt_timeout(5 * SECOND).time_limit(8 * SECOND));
        assert_eq!(run.next(), ReconnectNext::Wait(Some(1005 * SECOND)));
        run.now += 5 * SECOND;
        assert_eq!(run.next(), ReconnectNext::Abandon(5 * SECOND));
        assert_eq!(run.retry(Retry::Yes, LONGEST), 1000);
        // The limit of all attempts comes first.
        assert_eq!(run.next(), ReconnectNext::Wait(Some(1008 * SECOND)));
        run.now += 2 * SECOND;
        assert_eq!(run.next(), ReconnectNext::Abandon(2 * SECOND));
        assert_eq!(run.give_up(Retry::Yes), GiveUp::TimeLimit { limit: 8 * SECOND });

        let mut run = Run::new(config().attempt_timeout(None));
        assert_eq!(run.next(), ReconnectNext::Wait(None));
    }

    #[test]
    fn a_pause_does_not_make_a_failure_pass() {
        assert_eq!(Retry::new(true, Some(SECOND)), Retry::After(SECOND));
        assert_eq!(Retry::new(true, None), Retry::Yes);
        assert_eq!(Retry::new(false, Some(SECOND)), Retry::No);
        assert_eq!(Retry::new(false, None), Retry::No);
    }

    #[test]
    fn a_server_can_ask_for_a_pause_but_not_for_a_year() {
        let mut run = Run::new(config().longest_retry_after(300 * SECOND));
        assert_eq!(run.retry(Retry::After(20 * SECOND), 0), 20_000);
        // The random pause comes on top.
        assert_eq!(run.retry(Retry::After(20 * SECOND), LONGEST), 22_000);
        assert_eq!(run.retry(Retry::After(300 * SECOND), 0), 300_000);
        assert_eq!(run.retry(Retry::After(365 * 86_400 * SECOND), 0), 300_000);
        assert_eq!(run.retry(Retry::After(Duration::MAX), LONGEST), 316_000);
    }

    #[test]
    fn an_end_on_purpose_is_the_last() {
        for connected in [false, true] {
            let mut run = Run::new(config().queue(1, 100));
            if connected {
                run.connect_for(SECOND);
            }
            run.client.enqueue(Message::from("kept")).unwrap();
            run.client.close();
            assert_eq!(run.next(), ReconnectNext::Over);
            run.client.connected(run.now);
            assert_eq!(run.client.failed(run.now, Retry::Yes, 0), Err(GiveUp::Useless));
            assert_eq!(run.next(), ReconnectNext::Over);
            let late = run.client.enqueue(Message::from("late"));
            assert_eq!(late, Err(EnqueueError::Over(Message::from("late"))));
            assert_eq!(run.client.dequeue(), Some(Message::from("kept")));
        }
    }

    #[test]
    fn the_queue_outlives_connections() {
        let mut run = Run::new(config().queue(2, 100));
        run.client.enqueue(Message::from("one")).unwrap();
        run.client.enqueue(Message::from("two")).unwrap();
        let refused = run.client.enqueue(Message::from("three")).unwrap_err();
        assert!(matches!(refused, EnqueueError::Full { messages: 2, bytes: 6, .. }));
        run.connect_for(SECOND);
        assert_eq!(run.client.first_queued(), Some(&Message::from("one")));
        assert_eq!(run.client.dequeue(), Some(Message::from("one")));
        run.retry(Retry::Yes, 0);
        assert_eq!((run.client.queued_messages(), run.client.queued_bytes()), (1, 3));
        assert_eq!(run.client.dequeue(), Some(Message::from("two")));
        assert_eq!(run.client.dequeue(), None);
    }

    #[test]
    fn the_longest_times_do_not_overflow() {
        let backoff = Backoff::new().base(Duration::MAX).cap(Duration::MAX);
        let config = ReconnectConfig::new()
            .backoff(backoff)
            .time_limit(Duration::MAX)
            .attempt_timeout(Duration::MAX)
            .longest_retry_after(Duration::MAX);
        let mut client = Reconnecting::new(config);
        assert_eq!(client.next(Duration::MAX), ReconnectNext::Connect);
        client.connected(Duration::MAX);
        let failed = client.failed(Duration::MAX, Retry::After(Duration::MAX), LONGEST);
        assert_eq!(failed.map(|next| next.pause), Ok(Duration::MAX));
        // A clock that goes back is no reason to panic.
        assert_eq!(client.next(Duration::ZERO), ReconnectNext::Wait(Some(Duration::MAX)));
    }
}
