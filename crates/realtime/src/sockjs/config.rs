//! Options of a SockJS service: what it offers, its timers, and the limits of what clients can make it
//! hold.

use core::time::Duration;

/// Options of a SockJS service, the same for all of its sessions.
///
/// ```
/// use core::time::Duration;
/// use sansocket_realtime::sockjs::Config;
///
/// let config = Config::default().heartbeat_delay(Duration::from_secs(15)).cookie_needed(true);
/// assert_eq!(config.response_limit, 128 << 10);
/// ```
///
/// | option | default |
/// |---|---|
/// | [`websocket`](Self::websocket) | true |
/// | [`cookie_needed`](Self::cookie_needed) | false |
/// | [`heartbeat_delay`](Self::heartbeat_delay) | 25 s |
/// | [`disconnect_delay`](Self::disconnect_delay) | 5 s |
/// | [`response_limit`](Self::response_limit) | 128 KiB |
/// | [`frame_limit`](Self::frame_limit) | 64 KiB |
/// | [`queued_messages`](Self::queued_messages) | 1,024 |
/// | [`queued_bytes`](Self::queued_bytes) | 1 MiB |
/// | [`payload_bytes`](Self::payload_bytes) | 1 MiB |
/// | [`payload_messages`](Self::payload_messages) | 4,096 |
/// | [`sessions`](Self::sessions) | 100,000 |
/// | [`session_id_bytes`](Self::session_id_bytes) | 128 |
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Whether WebSocket is offered. Without it, both of its paths are unknown.
    pub websocket: bool,
    /// Whether a load balancer needs the cookie `JSESSIONID` to send all requests of a session to the
    /// same server. If so, each answer of a session sets it, to the value that the client has already,
    /// if it has one. The protocol demands this, and knows no attributes such as `HttpOnly`. So the
    /// cookie must not be the one that tells you who the client is.
    #[doc(alias = "jsessionid")]
    pub cookie_needed: bool,
    /// How long nothing is sent to a waiting receiver until it gets a heartbeat. A receiver that takes
    /// nothing for as long again is given up.
    ///
    /// Zero is not "never": with it each receiver is given up at once. [`Duration::MAX`] is, and then
    /// a receiver whose client has left without a word stays.
    pub heartbeat_delay: Duration,
    /// How long a session without a receiver lasts. A session that was closed lasts as long, to tell
    /// its client so.
    pub disconnect_delay: Duration,
    /// The bytes of frames after which a streaming response ends, so that the browser can free it.
    pub response_limit: usize,
    /// The bytes after which no further message is added to a frame. A single message may be longer.
    pub frame_limit: usize,
    /// The most messages that wait for a client in a session.
    pub queued_messages: usize,
    /// The most bytes of encoded messages that wait for a client in a session.
    pub queued_bytes: usize,
    /// The longest body of `xhr_send`, and the longest message of a WebSocket, in bytes.
    pub payload_bytes: usize,
    /// The most messages in one of those.
    pub payload_messages: usize,
    /// The most sessions at a time, those over WebSocket not counted.
    pub sessions: usize,
    /// The longest session id in bytes. Clients use 8 or 32.
    pub session_id_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            websocket: true,
            cookie_needed: false,
            heartbeat_delay: Duration::from_secs(25),
            disconnect_delay: Duration::from_secs(5),
            response_limit: 128 << 10,
            frame_limit: 64 << 10,
            queued_messages: 1024,
            queued_bytes: 1 << 20,
            payload_bytes: 1 << 20,
            payload_messages: 4096,
            sessions: 100_000,
            session_id_bytes: 128,
        }
    }
}

impl Config {
    /// Sets whether [`websocket`](Self::websocket) is offered.
    #[must_use]
    pub const fn websocket(mut self, offered: bool) -> Self {
        self.websocket = offered;
        self
    }

    /// Sets [`cookie_needed`](Self::cookie_needed).
    #[must_use]
    pub const fn cookie_needed(mut self, needed: bool) -> Self {
        self.cookie_needed = needed;
        self
    }

    /// Sets the [`heartbeat_delay`](Self::heartbeat_delay).
    #[must_use]
    pub const fn heartbeat_delay(mut self, delay: Duration) -> Self {
        self.heartbeat_delay = delay;
        self
    }

    /// Sets the [`disconnect_delay`](Self::disconnect_delay).
    #[must_use]
    pub const fn disconnect_delay(mut self, delay: Duration) -> Self {
        self.disconnect_delay = delay;
        self
    }

    /// Sets the [`response_limit`](Self::response_limit), in bytes.
    #[must_use]
    pub const fn response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Sets the [`frame_limit`](Self::frame_limit), in bytes.
    #[must_use]
    pub const fn frame_limit(mut self, bytes: usize) -> Self {
        self.frame_limit = bytes;
        self
    }

    /// Sets the limit of [`queued_messages`](Self::queued_messages).
    #[must_use]
    pub const fn queued_messages(mut self, count: usize) -> Self {
        self.queued_messages = count;
        self
    }

    /// Sets the limit of [`queued_bytes`](Self::queued_bytes).
    #[must_use]
    pub const fn queued_bytes(mut self, bytes: usize) -> Self {
        self.queued_bytes = bytes;
        self
    }

    /// Sets the limit of [`payload_bytes`](Self::payload_bytes).
    #[must_use]
    pub const fn payload_bytes(mut self, bytes: usize) -> Self {
        self.payload_bytes = bytes;
        self
    }

    /// Sets the limit of [`payload_messages`](Self::payload_messages).
    #[must_use]
    pub const fn payload_messages(mut self, count: usize) -> Self {
        self.payload_messages = count;
        self
    }

    /// Sets the limit of [`sessions`](Self::sessions).
    #[must_use]
    pub const fn sessions(mut self, count: usize) -> Self {
        self.sessions = count;
        self
    }

    /// Sets the limit of [`session_id_bytes`](Self::session_id_bytes).
    #[must_use]
    pub const fn session_id_bytes(mut self, bytes: usize) -> Self {
        self.session_id_bytes = bytes;
        self
    }
}
