//! The options of a client that reconnects.

use super::backoff::Backoff;
use core::time::Duration;

/// How a client reconnects: how long it pauses, when it gives up, and what it keeps meanwhile.
///
/// ```
/// use sansocket::client::{Backoff, ReconnectConfig};
/// use std::time::Duration;
///
/// let config = ReconnectConfig::new()
///     .backoff(Backoff::new().base(Duration::from_secs(1)).attempts(20))
///     .time_limit(Duration::from_secs(60 * 60))
///     .queue(100, 64 * 1024);
/// ```
#[derive(Clone, Debug)]
pub struct ReconnectConfig {
    pub(super) backoff: Backoff,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) time_limit: Option<Duration>,
    pub(super) longest_retry_after: Duration,
    pub(super) queued_messages: usize,
    pub(super) queued_bytes: usize,
}

impl ReconnectConfig {
    /// Creates the default: a [`Backoff`] without a limit of attempts, 30 seconds for an attempt, no
    /// limit of time, a `Retry-After` of at most 5 minutes, and no queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            backoff: Backoff::new(),
            attempt_timeout: Some(Duration::from_secs(30)),
            time_limit: None,
            longest_retry_after: Duration::from_secs(5 * 60),
            queued_messages: 0,
            queued_bytes: 0,
        }
    }

    /// Sets the pauses between attempts, their number, and how long a connection must last to count
    /// as stable.
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets how long one attempt may take, from its start until the connection is open and set up;
    /// `None` means without limit. The connector may have a shorter timeout of its own.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.attempt_timeout = timeout.into();
        self
    }

    /// Sets how long the client may be without a connection before it gives up; `None` means
    /// without limit. The time is counted over all attempts, and from zero again after a stable
    /// connection. An attempt in progress is abandoned when the time is over.
    #[must_use]
    pub fn time_limit(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.time_limit = limit.into();
        self
    }

    /// Sets the longest `Retry-After` of a server that is respected. A longer one counts as this
    /// one, so that no server can keep the client away for a year.
    #[must_use]
    pub const fn longest_retry_after(mut self, longest: Duration) -> Self {
        self.longest_retry_after = longest;
        self
    }

    /// Sets how many messages, and how many bytes of payload in all, wait in the queue while there is
    /// no connection. With 0 messages, which is the default, a message that can't be sent now is
    /// refused. `usize::MAX` means without limit.
    ///
    /// Only messages that no connection has taken are here. What was sent before the end of a
    /// connection is noticed may be lost.
    #[must_use]
    pub const fn queue(mut self, messages: usize, bytes: usize) -> Self {
        self.queued_messages = messages;
        self.queued_bytes = bytes;
        self
    }
}

impl Default for ReconnectConfig {
    fn default() -> Self {
        Self::new()
    }
}
