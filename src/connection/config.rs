//! The configuration of a connection.

use super::outbox::OutboxConfig;
use crate::budget::Budget;
#[cfg(feature = "deflate")]
use crate::deflate::DeflateConfig;
use crate::limits::Limits;
use core::time::Duration;

/// The configuration of a connection.
///
/// ```
/// use sansocket::{Config, Limits};
/// use std::time::Duration;
///
/// let config = Config::default()
///     .limits(Limits::default().message(1 << 20))
///     .close_timeout(Duration::from_secs(2));
/// ```
#[doc(alias = "WebSocketConfig")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Bounds on the memory that the peer can make this endpoint use.
    pub limits: Limits,
    /// The largest payload of an outgoing frame, in bytes. A larger message is split into several
    /// frames, so that pongs and a Close need not wait for all of it. The default is 64 KiB; 0
    /// sends each message in one frame. A [`PreparedMessage`](crate::PreparedMessage) is cut into
    /// frames of 64 KiB regardless.
    pub fragment_size: usize,
    /// How long the peer may take to finish the closing handshake and end its side of the
    /// transport. The time starts when this endpoint queues its Close, when the peer ends its side,
    /// or when a write fails. The default is 5 seconds.
    pub close_timeout: Duration,
    /// When to ping a silent peer, and when to give up on it. `None`, the default, does neither: a
    /// peer that disappears without a Close is then noticed only when something is sent.
    pub keepalive: Option<Keepalive>,
    /// How long the peer may go without sending any of a message. Then the connection closes with
    /// [`CloseCode::GOING_AWAY`](crate::CloseCode::GOING_AWAY), the code that other servers use for
    /// this, and [`Closed::cause`](crate::Closed::cause) is
    /// [`Cause::IdleTimeout`](super::Cause::IdleTimeout). `None`, the default, never does that: many
    /// connections are meant to wait.
    ///
    /// Only text and binary messages count. Pings and pongs don't, nor does what you send. A message
    /// counts while it arrives. Time during which your code does not receive does not count: what
    /// the peer sent in the meantime is read first. The connection closes after the timeout, or up to
    /// a quarter of it later. It does so only while you receive, like
    /// [`keepalive`](Self::keepalive).
    pub idle_timeout: Option<Duration>,
    /// How fast the rest of a message has to arrive once its first byte is here. A peer that is slower
    /// fails with 1008 and [`ProtocolError::TooSlow`](super::ProtocolError::TooSlow). `None`, the
    /// default, waits for as long as it takes.
    pub min_data_rate: Option<MinDataRate>,
    /// How many messages that you [push](super::Sender::push) may wait for a slow peer, and what
    /// happens to more.
    pub outbox: OutboxConfig,
    /// A bound on what all connections of the process buffer together. `None`, the default, sets none.
    pub budget: Option<&'static Budget>,
    /// Whether to count what is received and sent, for [`counters`](super::Connection::counters). This
    /// is off by default: while it is on, a short message costs some 10 nanoseconds more.
    pub counters: bool,
    /// How to compress messages, if the peer agrees. `None`, the default, neither offers nor
    /// accepts compression.
    #[cfg(feature = "deflate")]
    pub deflate: Option<DeflateConfig>,
}

/// When to ping a silent peer, and when to give up on it.
///
/// If nothing was read for the interval, the connection sends a ping. This also keeps proxies and
/// routers from dropping the connection, which many do after 55 to 60 seconds without traffic. If
/// nothing is read for the timeout after the ping is written, the connection ends, with
/// [`TransportEnd::Timeout`](super::TransportEnd::Timeout) as its cause. Anything that the peer sends
/// counts as a sign of life, not just the pong.
///
/// - While a ping waits to be written behind other bytes, a peer that takes bytes is alive, however
///   slow it is.
/// - Time during which your code does not receive does not count: what the peer sent in the meantime
///   is read first.
/// - Keepalive works only while you receive, or wait for the end. A connection that only sends does
///   not notice. Nor does a blocking connection that is not split while it writes: set a timeout for
///   its writes.
/// - Once a ping is in the buffers of the system, its timeout runs, although a slow link may take long
///   to deliver what is before it. So choose a timeout that is longer than that takes.
/// - Pings and pongs are sent while the connection is open. Once a Close was sent or received, the
///   [close timeout](Config::close_timeout) takes their place.
/// - A peer is pinged after one to two intervals of silence: traffic does not ask the clock. So a dead
///   peer is noticed after at most two intervals and the timeout: 70 seconds by default. For 10 seconds,
///   use an interval of 3 seconds and a timeout of 4.
///
/// The pongs that answer these pings are events like others, and an owned message is never one. From
/// them, the connection measures the [round-trip time](super::RoundTripTime). The defaults are an
/// interval of 25 seconds and a timeout of 20 seconds.
///
/// ```
/// use sansocket::{Config, connection::Keepalive};
/// use std::time::Duration;
///
/// let config = Config::default().keepalive(Keepalive::default());
/// let often = Keepalive::new(Duration::from_secs(5), Duration::from_secs(5));
/// assert_eq!(config.keepalive(often).keepalive, Some(often));
/// ```
#[doc(alias = "heartbeat")]
#[doc(alias = "ping_interval")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keepalive {
    /// After how much silence of the peer to ping it.
    pub interval: Duration,
    /// How long the peer may stay silent after a ping.
    pub timeout: Duration,
}

impl Keepalive {
    /// Creates a configuration. Times of less than a millisecond count as one.
    #[must_use]
    pub const fn new(interval: Duration, timeout: Duration) -> Self {
        Self { interval, timeout }
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        Self::new(Duration::from_secs(25), Duration::from_secs(20))
    }
}

/// How fast the rest of a message has to arrive.
///
/// A peer that begins a frame and never finishes it makes a server hold what has arrived. With a least
/// data rate, that many bytes have to arrive in each period in which a frame or a message is
/// unfinished, the pauses between its fragments included.
///
/// - It is off by default. Links of honest peers stall: on the road, for half a minute. And a peer may
///   send a message in fragments as it creates them, with pauses of any length.
/// - All bytes count, also those of pings and pongs, because a peer that sends control frames could as
///   well send data.
/// - Time during which your code does not receive does not count: what the peer sent in the meantime is
///   read first. For that, [`bytes`](Self::bytes) must fit into the receive buffer of the system. Up to
///   64 KiB do everywhere.
/// - A peer is found to be too slow after one to two periods, while you receive, like a silent one with
///   [keepalive](Config::keepalive).
///
/// The default is 4 KiB in 30 seconds.
///
/// ```
/// use sansocket::{Config, connection::MinDataRate};
/// use std::time::Duration;
///
/// let config = Config::default().min_data_rate(MinDataRate::default());
/// let strict = MinDataRate::new(10_000, Duration::from_secs(10));
/// assert_eq!(config.min_data_rate(strict).min_data_rate, Some(strict));
/// ```
#[doc(alias = "slowloris")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MinDataRate {
    /// The least number of bytes that have to arrive in a period. 0 demands nothing.
    pub bytes: u32,
    /// The length of a period.
    pub period: Duration,
}

impl MinDataRate {
    /// Creates a configuration. A period of less than a millisecond counts as one.
    #[must_use]
    pub const fn new(bytes: u32, period: Duration) -> Self {
        Self { bytes, period }
    }
}

impl Default for MinDataRate {
    fn default() -> Self {
        Self::new(4 << 10, Duration::from_secs(30))
    }
}

impl Config {
    pub(super) const DEFAULT: Self = Self {
        limits: Limits::DEFAULT,
        fragment_size: 64 << 10,
        close_timeout: Duration::from_secs(5),
        keepalive: None,
        idle_timeout: None,
        min_data_rate: None,
        outbox: OutboxConfig::DEFAULT,
        budget: None,
        counters: false,
        #[cfg(feature = "deflate")]
        deflate: None,
    };

    /// Sets the [`limits`](Self::limits).
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the [`fragment_size`](Self::fragment_size), in bytes.
    #[must_use]
    pub const fn fragment_size(mut self, bytes: usize) -> Self {
        self.fragment_size = bytes;
        self
    }

    /// Sets the [`close_timeout`](Self::close_timeout).
    #[must_use]
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sets [`keepalive`](Self::keepalive).
    #[must_use]
    pub const fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.keepalive = Some(keepalive);
        self
    }

    /// Sets the [`idle_timeout`](Self::idle_timeout). Times of less than 4 milliseconds count as 4.
    #[must_use]
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Sets the [`min_data_rate`](Self::min_data_rate).
    #[must_use]
    pub const fn min_data_rate(mut self, least: MinDataRate) -> Self {
        self.min_data_rate = Some(least);
        self
    }

    /// Sets the [`outbox`](Self::outbox).
    #[must_use]
    pub const fn outbox(mut self, outbox: OutboxConfig) -> Self {
        self.outbox = outbox;
        self
    }

    /// Sets the [`budget`](Self::budget).
    #[must_use]
    pub const fn budget(mut self, budget: &'static Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Sets whether to count what is received and sent: see [`counters`](Self::counters).
    #[must_use]
    pub const fn counters(mut self, is_on: bool) -> Self {
        self.counters = is_on;
        self
    }

    /// Sets [`deflate`](Self::deflate).
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}
