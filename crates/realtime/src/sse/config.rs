//! The options of event streams.

use core::time::Duration;

/// Options of an [`EventStream`](super::EventStream). They bound what a client can make it keep.
///
/// | option | default | when it is exceeded |
/// |---|---|---|
/// | [`topics`](Self::topics) | 100 a request | the request is refused with 400 |
/// | [`queued`](Self::queued) | 4 MiB | the stream ends, and the client resumes it |
///
/// ```
/// use sansocket_realtime::sse::EventStreamConfig;
/// use std::time::Duration;
///
/// let config = EventStreamConfig::default().retry(Duration::from_secs(1)).queued(1 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventStreamConfig {
    /// How many topics a request can name. By default 100.
    pub topics: usize,
    /// How many bytes can wait for the client, unless they are one message that has more. By default
    /// 4 MiB.
    pub queued: usize,
    /// How long the client waits before it reconnects. By default 3 seconds.
    pub retry: Duration,
    /// How much longer a client waits at most that reconnects after a shutdown, or since there is too
    /// much to do. Each stream has its own random part of it, so that the clients don't come back all at
    /// once. By default 30 seconds.
    pub spread: Duration,
    /// After how much silence the client is sent something. By default 15 seconds (WHATWG HTML §9.2.7).
    pub heart_beat: Duration,
    /// How long the head of the response waits for the hub to begin the subscription, so that a refusal
    /// can still have its status. By default 5 seconds. A hub without a bridge answers at once.
    pub begin: Duration,
}

impl Default for EventStreamConfig {
    fn default() -> Self {
        Self {
            topics: 100,
            queued: 4 << 20,
            retry: Duration::from_secs(3),
            spread: Duration::from_secs(30),
            heart_beat: Duration::from_secs(15),
            begin: Duration::from_secs(5),
        }
    }
}

impl EventStreamConfig {
    setters! {
        topics: usize,
        queued: usize,
        retry: Duration,
        spread: Duration,
        heart_beat: Duration,
        begin: Duration,
    }
}
