//! The options of a client, with all of its limits.

use crate::stomp::{Limits, Version, header::HeartBeat};
use alloc::{string::String, vec::Vec};
use core::{fmt, time::Duration};
use sansocket::client::Backoff;

/// Options of a [`Client`](super::Client).
///
/// ```
/// use sansocket_realtime::stomp::client::{ClientConfig, ConnectOptions};
/// use std::time::Duration;
///
/// let config = ClientConfig::default()
///     .connect(ConnectOptions::default().host("example.com").login("ada", "secret"))
///     .connect_timeout(Duration::from_secs(5));
/// assert!(!format!("{config:?}").contains("secret"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What the client says of itself when it connects.
    pub connect: ConnectOptions,
    /// How long the server may take to answer CONNECT. By default 10 seconds.
    pub connect_timeout: Duration,
    /// How long the server may take to answer DISCONNECT. By default 5 seconds.
    pub disconnect_timeout: Duration,
    /// When to connect again after a connection has ended. By default that of [`Backoff`].
    pub backoff: Backoff,
    /// Whether messages of subscriptions that the client has never made are
    /// [told](super::Event::Unsolicited). By default they are a fault of the server. RabbitMQ sends
    /// such messages for the `reply-to` of a temporary queue.
    pub unsolicited: bool,
    /// What the server, and the application, can make the client hold.
    pub limits: ClientLimits,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect: ConnectOptions::default(),
            connect_timeout: Duration::from_secs(10),
            disconnect_timeout: Duration::from_secs(5),
            backoff: Backoff::new(),
            unsolicited: false,
            limits: ClientLimits::default(),
        }
    }
}

impl ClientConfig {
    setters! {
        connect: ConnectOptions,
        connect_timeout: Duration,
        disconnect_timeout: Duration,
        backoff: Backoff,
        unsolicited: bool,
        limits: ClientLimits,
    }
}

/// What a client says of itself in CONNECT. `Debug` does not show the passcode and the further
/// headers, which may be secret.
#[derive(Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The name of the virtual host, which 1.1 and 1.2 demand. By default `/`, which is the default
    /// virtual host of RabbitMQ. Other servers expect the name that the socket was opened with, or
    /// ignore it.
    pub host: String,
    /// The name of the user. By default there is none.
    pub login: Option<String>,
    /// The password of the user. By default there is none.
    pub passcode: Option<String>,
    /// Further headers. By default there are none.
    pub headers: Vec<(String, String)>,
    /// The accepted versions, in any order. An empty list counts as all, which is the default.
    pub versions: Vec<Version>,
    /// How often the client can send heart-beats, and how often it wants to receive them. By default
    /// every 10 seconds in both directions.
    pub heart_beat: HeartBeat,
    /// Whether to send STOMP instead of CONNECT. By default it is not sent, as 1.1 and 1.2 recommend:
    /// servers of 1.0 do not know it, and they could not even refuse it (1.2 §CONNECT or STOMP Frame).
    /// It tells a server that takes HTTP on the same port which protocol follows.
    pub stomp_frame: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        const INTERVAL: Duration = Duration::from_secs(10);
        Self {
            host: String::from("/"),
            login: None,
            passcode: None,
            headers: Vec::new(),
            versions: Vec::new(),
            heart_beat: HeartBeat::new(INTERVAL, INTERVAL),
            stomp_frame: false,
        }
    }
}

impl ConnectOptions {
    setters! { versions: Vec<Version>, heart_beat: HeartBeat, stomp_frame: bool }

    /// Sets the [`host`](Self::host).
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Sets the [`login`](Self::login) and the [`passcode`](Self::passcode).
    #[must_use]
    pub fn login(mut self, login: impl Into<String>, passcode: impl Into<String>) -> Self {
        self.login = Some(login.into());
        self.passcode = Some(passcode.into());
        self
    }

    /// Adds a [header](Self::headers).
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Returns `true` if the version is offered.
    pub(super) fn accepts(&self, version: Version) -> bool {
        self.versions.is_empty() || self.versions.contains(&version)
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("host", &self.host)
            .field("login", &self.login)
            .field("passcode", &self.passcode.as_ref().map(|_| "…"))
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("versions", &self.versions)
            .field("heart_beat", &self.heart_beat)
            .field("stomp_frame", &self.stomp_frame)
            .finish()
    }
}

/// Bounds on what a client holds. By default it has no more subscriptions, transactions and receipts than
/// this crate's [server](crate::stomp::server::Config) accepts by default.
///
/// | limit | default | when it is exceeded |
/// |---|---|---|
/// | [`frame`](Self::frame) | [those of a decoder](Limits) | the connection fails |
/// | [`output`](Self::output) | 1 MiB | sending is refused |
/// | [`receipts`](Self::receipts) | 8,000 | sending with a receipt is refused |
/// | [`unconfirmed`](Self::unconfirmed) | 16 MiB | sending with a receipt is refused |
/// | [`subscriptions`](Self::subscriptions) | 1,000 | subscribing is refused |
/// | [`transactions`](Self::transactions) | 100 | beginning one is refused |
/// | [`unacknowledged`](Self::unacknowledged) | 65,536 | the connection fails |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// What the server may send in a frame.
    pub frame: Limits,
    /// How many bytes of output may be queued. While as much is queued, nothing more can be sent. The
    /// last frame may exceed the limit, and so may the subscriptions that are made again after CONNECTED.
    pub output: usize,
    /// How many messages may wait for their receipts.
    pub receipts: usize,
    /// How many bytes of messages may wait for their receipts. While there are as many, no message can
    /// be sent with a receipt. The last one may exceed the limit.
    pub unconfirmed: usize,
    /// How many subscriptions there may be.
    pub subscriptions: usize,
    /// How many transactions may be open, or wait for the answer to their COMMIT.
    pub transactions: usize,
    /// How many messages of a subscription may be delivered and not acknowledged. A server keeps to a
    /// lower [`prefetch`](super::SubscribeOptions::prefetch), if it knows that.
    pub unacknowledged: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            frame: Limits::default(),
            output: 1 << 20,
            receipts: 8_000,
            unconfirmed: 16 << 20,
            subscriptions: 1_000,
            transactions: 100,
            unacknowledged: 1 << 16,
        }
    }
}

impl ClientLimits {
    setters! {
        frame: Limits,
        output: usize,
        receipts: usize,
        unconfirmed: usize,
        subscriptions: usize,
        transactions: usize,
        unacknowledged: usize,
    }
}
