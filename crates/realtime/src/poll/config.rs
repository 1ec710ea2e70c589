//! The options of polls.

use core::{num::NonZeroU32, time::Duration};

/// Options of [`Polls`](super::Polls). They bound what clients can make it keep and do.
///
/// | option | default | when it is exceeded |
/// |---|---|---|
/// | [`topics`](Self::topics) | 100 a request | the request is refused with 400 |
/// | [`longest_wait`](Self::longest_wait) | 55 s | the poll waits for so long |
/// | [`parked`](Self::parked) | 100,000 polls | the poll is refused with 503 |
/// | [`events`](Self::events) | 100 an answer | the next poll gets the rest |
/// | [`bytes`](Self::bytes) | 1 MiB an answer | the next poll gets the rest |
///
/// ```
/// use sansocket_realtime::poll::Config;
/// use std::time::Duration;
///
/// let config = Config::default().wait(Duration::from_secs(10)).parked(1_000_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How many topics a request can name. By default 100.
    pub topics: usize,
    /// How long a poll waits for an event if it does not say so. By default 25 seconds: many proxies
    /// give up after 30 (RFC 6202 §5.5).
    pub wait: Duration,
    /// How long a poll can wait at most. By default 55 seconds.
    pub longest_wait: Duration,
    /// How long a poll that waits for less waits until the hub has begun its subscription. By default
    /// 5 seconds. A hub without a bridge begins at once.
    pub begin: Duration,
    /// How many polls there can be at a time. By default 100,000.
    pub parked: usize,
    /// How many events an answer contains at most. By default 100. A replay also has at most as many as
    /// the [window](crate::hub::Config::window) of the hub. Events without a cursor always have room,
    /// because no later poll could get them: replies, and [who is
    /// present](crate::hub::TopicConfig::presence).
    pub events: NonZeroU32,
    /// How many bytes of events an answer contains at most, unless it is one event that has more, or
    /// events without a cursor have. By default 1 MiB.
    pub bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        const EVENTS: NonZeroU32 = NonZeroU32::new(100).unwrap();
        Self {
            topics: 100,
            wait: Duration::from_secs(25),
            longest_wait: Duration::from_secs(55),
            begin: Duration::from_secs(5),
            parked: 100_000,
            events: EVENTS,
            bytes: 1 << 20,
        }
    }
}

impl Config {
    setters! {
        topics: usize,
        wait: Duration,
        longest_wait: Duration,
        begin: Duration,
        parked: usize,
        events: NonZeroU32,
        bytes: usize,
    }
}
