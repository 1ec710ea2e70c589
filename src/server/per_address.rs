//! What the clients of one address may do.

use crate::rate::Rate;
use thiserror::Error;

/// Limits for what the clients of one address may do together. At first there are none.
///
/// All clients of an IPv4 address count as one, and so do all of the /64 network of an IPv6 address:
/// a single machine usually has all of it. An IPv4 address that is mapped to IPv6 counts as IPv4. All
/// link-local addresses (`fe80::/64`) are one network, and so are all IPv4 clients behind a NAT64 prefix.
/// Many people can share an address, for example those of one office or of one mobile network, so
/// leave them room.
///
/// | limit | a client that exceeds it |
/// |---|---|
/// | [`connections`](Self::connections), [`handshakes`](Self::handshakes) | is refused with status 429 (RFC 6585 §4), and `Retry-After` says when a handshake is possible again; if as many are refused as are allowed, the others are dropped without an answer |
/// | [`messages`](Self::messages), [`bytes`](Self::bytes) | is closed with 1008 (RFC 6455 §7.4.1), and its handler gets an error; until some are allowed again, new connections are refused as above |
///
/// Set them with `limits_per_address` of each shell's `Serve`. In an accept loop of your own, use an
/// [`AddressTable`](super::AddressTable).
///
/// ```
/// use sansocket::server::{PerAddress, Rate};
///
/// let limits = PerAddress::new()
///     .connections(100)
///     .handshakes(Rate::per_second(10).burst(50))
///     .messages(Rate::per_second(100).burst(1000))
///     .bytes(Rate::per_second(1 << 20).burst(16 << 20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerAddress {
    pub(super) connections: Option<u32>,
    pub(super) handshakes: Option<Rate>,
    pub(super) messages: Option<Rate>,
    pub(super) bytes: Option<Rate>,
    pub(super) remembered: usize,
}

impl PerAddress {
    /// Creates options without any limit.
    #[must_use]
    pub const fn new() -> Self {
        let remembered = 1 << 16;
        Self { connections: None, handshakes: None, messages: None, bytes: None, remembered }
    }

    /// Sets how many connections an address can have at a time, including those in their opening
    /// handshake.
    #[must_use]
    pub const fn connections(mut self, most: u32) -> Self {
        self.connections = Some(most);
        self
    }

    /// Sets how often an address can begin a connection. Connections count whether or not they are
    /// accepted later. If a [header field](super::TrustedProxies::header) tells the address, only
    /// those with a valid request count, since nobody else has an address.
    #[must_use]
    pub const fn handshakes(mut self, rate: Rate) -> Self {
        self.handshakes = Some(rate);
        self
    }

    /// Sets how many messages an address can send. Pings, pongs and Closes count as messages; the
    /// fragments of a message count once.
    ///
    /// The connection counts the messages of each read together. A client therefore sees the last
    /// messages before the Close answered, although they exceed the limit.
    #[must_use]
    pub const fn messages(mut self, rate: Rate) -> Self {
        self.messages = Some(rate);
        self
    }

    /// Sets how many bytes an address can send on open connections, with the headers of frames, but
    /// without TLS. Choose a [burst](Rate::burst) that is larger than the largest message: a
    /// connection reads as much as has arrived, and does not slow a client down.
    #[must_use]
    pub const fn bytes(mut self, rate: Rate) -> Self {
        self.bytes = Some(rate);
        self
    }

    /// Sets how many addresses without a connection to remember, 65,536 by default. Each takes about
    /// 250 bytes. An address is forgotten once it could do everything again that the limits allow.
    /// If there are more, the one for which that is soonest is forgotten early.
    ///
    /// An address with a connection is always remembered. To bound those, bound the connections:
    /// `max_connections` of each shell's `Serve`.
    #[must_use]
    pub const fn remembered(mut self, most: usize) -> Self {
        self.remembered = most;
        self
    }

    pub(super) fn most_connections(&self) -> u32 {
        self.connections.unwrap_or(u32::MAX)
    }

    /// Returns `true` if messages or bytes are limited, so that it matters what was received.
    #[cfg(feature = "std")]
    pub(crate) const fn limits_traffic(&self) -> bool {
        self.messages.is_some() || self.bytes.is_some()
    }

    /// Returns `true` if messages are limited.
    #[cfg(feature = "std")]
    pub(crate) const fn limits_messages(&self) -> bool {
        self.messages.is_some()
    }
}

/// A limit of [`PerAddress`] that allows an address no further connection. The fault is that of the
/// clients at the address. Trying again helps once the time of `Retry-After` has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressLimit {
    /// The address has as many [connections](PerAddress::connections) as it may have at a time.
    #[error("its address has {0} connections already")]
    Connections(u32),
    /// The address begins connections more often than [allowed](PerAddress::handshakes).
    #[error("its address connects more often than {0}")]
    Handshakes(Rate),
    /// The address has sent as many [messages](PerAddress::messages) as it may, or more.
    #[error("its address sends more messages than {0}")]
    Messages(Rate),
    /// The address has sent as many [bytes](PerAddress::bytes) as it may, or more.
    #[error("its address sends more bytes than {0}")]
    Bytes(Rate),
}

impl Default for PerAddress {
    fn default() -> Self {
        Self::new()
    }
}
