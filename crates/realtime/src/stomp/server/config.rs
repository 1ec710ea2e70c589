//! The options of a session, with all of its limits.

use crate::stomp::{Limits, header::HeartBeat};
use alloc::{borrow::Cow, string::String};
use core::time::Duration;

/// Options of a [`Session`](super::Session). They bound what a client can make it hold, and for how long.
///
/// | option | default | when it is exceeded |
/// |---|---|---|
/// | [`connect_timeout`](Self::connect_timeout) | 10 s | ERROR |
/// | [`disconnect_timeout`](Self::disconnect_timeout) | 10 s | ERROR |
/// | [`heart_beat`](Self::heart_beat) | 25 s in both directions | ERROR, if a client is silent for twice as long and the [margin](Self::heart_beat_margin) |
/// | [`limits_before_login`](Self::limits_before_login) | [`Limits::before_login`] | ERROR |
/// | [`limits`](Self::limits) | [`Limits::default`] | ERROR |
/// | [`waiting_input`](Self::waiting_input) | 64 KiB | ERROR |
/// | [`identifier`](Self::identifier) | 255 bytes | ERROR |
/// | [`receipts`](Self::receipts) | 10,000 | ERROR |
/// | [`transactions`](Self::transactions) | 100 | ERROR |
/// | [`transaction_operations`](Self::transaction_operations) | 1,000 | ERROR |
/// | [`transaction_bytes`](Self::transaction_bytes) | 4 MiB | ERROR |
/// | [`queued_output`](Self::queued_output) | 4 MiB | what is queued is dropped, then ERROR |
///
/// How many subscriptions a connection can have is a limit of the
/// [hub](crate::hub::Config::subscriptions).
///
/// ```
/// use core::time::Duration;
/// use sansocket_realtime::stomp::{header::HeartBeat, server::Config};
///
/// let beat = Duration::from_secs(10);
/// let config = Config::default().heart_beat(HeartBeat::new(beat, beat)).receipts(100);
/// assert_eq!(config.receipts, 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long a client has for its CONNECT, counted from the start of the session.
    pub connect_timeout: Duration,
    /// How long a DISCONNECT waits for the answers to the frames before it.
    pub disconnect_timeout: Duration,
    /// How often the server can send something, and how often it wants to receive something. A client
    /// can ask for less, not for more (1.2 §Heart-beating). What was agreed is the longest time that may
    /// pass, so a heart-beat is sent a tenth earlier.
    pub heart_beat: HeartBeat,
    /// What a client may be late with its heart-beat, on top of twice the agreed time. By default 5
    /// seconds.
    pub heart_beat_margin: Duration,
    /// Whether a CONNECT of STOMP 1.1 or 1.2 without a `host` is refused. By default it is not, although
    /// the specification demands the header, because widespread clients leave it out.
    pub require_host: bool,
    /// Whether a CONNECT is accepted without an [`Event::Connect`](super::Event::Connect) if the user was
    /// authenticated before the session. By default it is not, so the application is always asked.
    pub accept_authenticated: bool,
    /// The `server` header of CONNECTED: a name, and after a slash a version. `None` leaves the header
    /// out. By default it names this crate.
    pub server: Option<Cow<'static, str>>,
    /// The bounds of a frame until a CONNECT is accepted.
    pub limits_before_login: Limits,
    /// The bounds of a frame afterwards.
    pub limits: Limits,
    /// How many bytes can wait behind a CONNECT that the application has not answered.
    pub waiting_input: usize,
    /// The longest text in bytes by which a client names a subscription, a transaction or a receipt.
    pub identifier: usize,
    /// How many receipts can be unanswered at a time. A client that waits for none of them has many while
    /// a broker behind a [bridge](crate::bridge) answers slowly.
    pub receipts: usize,
    /// How many transactions can be open at a time.
    pub transactions: usize,
    /// How many frames can wait in all open transactions together.
    pub transaction_operations: usize,
    /// How many bytes of destinations and messages can wait in all open transactions together.
    pub transaction_bytes: usize,
    /// How many bytes can be queued for the client, each frame counted with some 60 bytes more for its
    /// place in the queue. The last accepted frame may exceed the limit.
    pub queued_output: usize,
}

impl Default for Config {
    fn default() -> Self {
        let beat = Duration::from_secs(25);
        Self {
            connect_timeout: Duration::from_secs(10),
            disconnect_timeout: Duration::from_secs(10),
            heart_beat: HeartBeat::new(beat, beat),
            heart_beat_margin: Duration::from_secs(5),
            require_host: false,
            accept_authenticated: false,
            server: Some(Cow::Borrowed(concat!("sansocket/", env!("CARGO_PKG_VERSION")))),
            limits_before_login: Limits::before_login(),
            limits: Limits::default(),
            waiting_input: 64 << 10,
            identifier: 255,
            receipts: 10_000,
            transactions: 100,
            transaction_operations: 1_000,
            transaction_bytes: 4 << 20,
            queued_output: 4 << 20,
        }
    }
}

impl Config {
    setters! {
        connect_timeout: Duration,
        disconnect_timeout: Duration,
        heart_beat: HeartBeat,
        heart_beat_margin: Duration,
        require_host: bool,
        accept_authenticated: bool,
        limits_before_login: Limits,
        limits: Limits,
        waiting_input: usize,
        identifier: usize,
        receipts: usize,
        transactions: usize,
        transaction_operations: usize,
        transaction_bytes: usize,
        queued_output: usize,
    }

    /// Sets [`server`](Self::server). An empty text leaves the header out.
    #[must_use]
    pub fn server(mut self, server: impl Into<String>) -> Self {
        let server = server.into();
        self.server = (!server.is_empty()).then_some(Cow::Owned(server));
        self
    }
}
