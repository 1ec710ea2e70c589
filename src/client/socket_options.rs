//! What a client sets on its sockets before it connects them.

use alloc::vec::Vec;
#[cfg(feature = "socket2")]
use core::net::IpAddr;
use core::net::SocketAddr;
#[cfg(feature = "socket2")]
use core::time::Duration;

/// TCP's own keepalive: the system probes a silent peer and ends the connection if it does not
/// answer.
///
/// Systems other than Linux, Android, Windows and Apple's refuse an interval and a number of probes.
///
/// It sees only the next TCP endpoint, such as a proxy, and not a peer whose program is stuck. For
/// those, use [`Config::keepalive`](crate::Config::keepalive).
#[cfg(feature = "socket2")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpKeepalive {
    /// How long a connection must be idle before the first probe.
    pub idle: Duration,
    /// The time between probes; `None` means the system's default.
    pub interval: Option<Duration>,
    /// The number of probes without an answer after which the connection ends; `None` means the
    /// system's default.
    pub probes: Option<u32>,
}

#[cfg(feature = "socket2")]
impl TcpKeepalive {
    /// Sends the first probe after this time, and the others as the system does by default.
    #[must_use]
    pub const fn new(idle: Duration) -> Self {
        Self { idle, interval: None, probes: None }
    }

    /// Sets the time between probes.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Sets the number of probes without an answer after which the connection ends.
    #[must_use]
    pub const fn probes(mut self, probes: u32) -> Self {
        self.probes = Some(probes);
        self
    }
}

/// The options of a connector for its sockets. Without the feature, nothing can be set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SocketOptions {
    #[cfg(feature = "socket2")]
    pub(crate) local: Option<IpAddr>,
    #[cfg(feature = "socket2")]
    pub(crate) keepalive: Option<TcpKeepalive>,
}

#[cfg(feature = "socket2")]
impl SocketOptions {
    /// Returns `true` if nothing is set.
    pub(crate) fn is_default(&self) -> bool {
        self.local.is_none() && self.keepalive.is_none()
    }

    /// Returns the addresses that a socket with these options can connect to, or `None` if that is
    /// none of them.
    pub(crate) fn reachable(&self, mut addresses: Vec<SocketAddr>) -> Option<Vec<SocketAddr>> {
        let were_none = addresses.is_empty();
        if let Some(local) = self.local {
            addresses.retain(|address| local.is_ipv6() == address.is_ipv6());
        }
        (were_none || !addresses.is_empty()).then_some(addresses)
    }
}

#[cfg(not(feature = "socket2"))]
impl SocketOptions {
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn reachable(&self, addresses: Vec<SocketAddr>) -> Option<Vec<SocketAddr>> {
        Some(addresses)
    }
}
