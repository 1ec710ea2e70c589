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
    setters! {
        websocket: bool,
        cookie_needed: bool,
        heartbeat_delay: Duration,
        disconnect_delay: Duration,
        response_limit: usize,
        frame_limit: usize,
        queued_messages: usize,
        queued_bytes: usize,
        payload_bytes: usize,
        payload_messages: usize,
        sessions: usize,
        session_id_bytes: usize,
    }
}
