//! Which proxies a server believes when they say whose connections they forward.

use super::forwarded::ForwardingHeader;
#[cfg(doc)]
use super::proxy_header::ProxyHeader;
use crate::handshake::Request;
use crate::network::Network;
use alloc::sync::Arc;
use core::net::{IpAddr, SocketAddr};

/// The proxies that forward clients to a server, such as load balancers, and how they say whose
/// connections these are.
///
/// Nothing is believed unless you say so: anyone can send a header field. List the networks of your
/// own proxies alone, because whoever connects from there can claim any address.
///
/// Set them with [`Acceptor::trusted_proxies`](super::Acceptor::trusted_proxies). The address of the
/// client is then that of [`Request::client_address`].
///
/// ```
/// use sansocket::server::{ForwardingHeader, TrustedProxies};
///
/// // A load balancer that forwards TCP, and a reverse proxy that forwards HTTP.
/// let balancer = TrustedProxies::new(["10.0.0.1".parse()?]).proxy_protocol();
/// let reverse_proxy =
///     TrustedProxies::new(["10.0.0.0/8".parse()?, "::1".parse()?]).header(ForwardingHeader::XForwardedFor);
/// # Ok::<(), sansocket::server::NetworkError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Shared, so that each connection can have a copy.
    networks: Arc<[Network]>,
    proxy_protocol: bool,
    header: Option<ForwardingHeader>,
}

impl TrustedProxies {
    /// Names the networks of your proxies. Say with the other methods how they tell about their
    /// clients.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self { networks: networks.into_iter().collect(), proxy_protocol: false, header: None }
    }

    /// Expects each connection from a trusted proxy to begin with a header of the
    /// [PROXY protocol](ProxyHeader), version 1 or 2. A connection without one is ended without an
    /// answer. The header comes before TLS, and counts towards the handshake timeout. Connections
    /// from other addresses can't have one.
    ///
    /// If the client that the header names is a trusted proxy itself, its
    /// [header field](Self::header) counts.
    #[must_use]
    pub const fn proxy_protocol(mut self) -> Self {
        self.proxy_protocol = true;
        self
    }

    /// Reads this header field in requests from trusted proxies. The client is the last address in
    /// it that is not a trusted proxy's. Entries before that may be invented.
    ///
    /// If an entry on the way there is no address (`unknown`, an obfuscated name, or malformed), the
    /// proxy that added it counts as the client. Without the field, so does the peer.
    #[must_use]
    pub const fn header(mut self, header: ForwardingHeader) -> Self {
        self.header = Some(header);
        self
    }

    /// Returns `true` if this is the address of a trusted proxy.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Returns `true` if connections from this address begin with a header of the PROXY protocol.
    #[must_use]
    pub fn expects_proxy_header(&self, peer: IpAddr) -> bool {
        self.proxy_protocol && self.contains(peer)
    }

    /// Returns the address of the client that sent this request. `peer` is the address of the
    /// connection's other end, or the one that its [`ProxyHeader`] names. The port is 0 if the
    /// header field does not tell it.
    #[must_use]
    pub fn client_address(&self, peer: SocketAddr, request: &Request) -> SocketAddr {
        let Some(header) = self.header else { return peer };
        let mut client = peer;
        for address in header.addresses(request.headers_named(header.name())) {
            match address {
                Some(address) if self.contains(client.ip()) => client = address,
                _ => break,
            }
        }
        client
    }

    /// Returns `true` if the header field of requests from this address is read.
    #[cfg(feature = "std")]
    pub(crate) fn reads_header_of(&self, peer: IpAddr) -> bool {
        self.header.is_some() && self.contains(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::HttpVersion;
    use ForwardingHeader::{Forwarded, XForwardedFor};

    fn request(headers: &[(&str, &str)]) -> Request {
        let required = [
            ("Host", "h"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        let headers = required.iter().chain(headers);
        let headers = headers.map(|(name, value)| (*name, value.as_bytes()));
        Request::new("GET", "/", HttpVersion::HTTP_11, headers).unwrap()
    }

    fn proxies() -> TrustedProxies {
        TrustedProxies::new(["10.0.0.0/8", "2001:db8::/64"].map(|text| text.parse().unwrap()))
    }

    #[track_caller]
    fn check(proxies: &TrustedProxies, peer: &str, headers: &[(&str, &str)], client: &str) {
        let found = proxies.client_address(peer.parse().unwrap(), &request(headers));
        assert_eq!(found, client.parse().unwrap(), "{headers:?}");
    }

    const FOR: &str = "X-Forwarded-For";

    #[test]
    fn the_last_address_that_is_not_trusted_is_the_client() {
        let proxies = &proxies().header(XForwardedFor);
        for (peer, value, client) in [
            ("10.0.0.1:1", "192.0.2.1", "192.0.2.1:0"),
            ("10.0.0.1:1", "192.0.2.1:99", "192.0.2.1:99"),
            ("[::ffff:10.0.0.1]:1", "192.0.2.1", "192.0.2.1:0"),
            ("[2001:db8::1]:1", "2001:db8:0:1::1", "[2001:db8:0:1::1]:0"),
            // What the client sent comes first.
            ("10.0.0.1:1", "192.0.2.66, 192.0.2.1", "192.0.2.1:0"),
            ("10.0.0.1:1", "192.0.2.66, 10.0.0.9, 192.0.2.1", "192.0.2.1:0"),
            // Two proxies.
            ("10.0.0.1:1", "192.0.2.66, 192.0.2.1, 10.0.0.2", "192.0.2.1:0"),
            // A client among the proxies.
            ("10.0.0.1:1", "10.0.0.3, 10.0.0.2", "10.0.0.3:0"),
            // No one knows who is behind this.
            ("10.0.0.1:1", "192.0.2.1, unknown", "10.0.0.1:1"),
            ("10.0.0.1:1", "192.0.2.1, unknown, 10.0.0.2", "10.0.0.2:0"),
            ("10.0.0.1:1", "unknown, 192.0.2.1", "192.0.2.1:0"),
            ("10.0.0.1:1", "", "10.0.0.1:1"),
            // Not a proxy.
            ("192.0.2.5:1", "192.0.2.1", "192.0.2.5:1"),
            ("192.0.2.5:1", "10.0.0.1", "192.0.2.5:1"),
        ] {
            check(proxies, peer, &[(FOR, value)], client);
        }
        check(proxies, "10.0.0.1:1", &[], "10.0.0.1:1");
        let lines = [(FOR, "192.0.2.66"), ("X", "y"), ("x-forwarded-for", "192.0.2.1, 10.0.0.2")];
        check(proxies, "10.0.0.1:1", &lines, "192.0.2.1:0");
    }

    #[test]
    fn only_the_chosen_header_is_read() {
        let headers = [("Forwarded", "for=192.0.2.1"), (FOR, "192.0.2.2")];
        let peer = "10.0.0.1:1";
        check(&proxies().header(Forwarded), peer, &headers, "192.0.2.1:0");
        check(&proxies().header(XForwardedFor), peer, &headers, "192.0.2.2:0");
        check(&proxies(), peer, &headers, peer);
        check(&proxies().proxy_protocol(), peer, &headers, peer);
    }

    #[test]
    fn a_proxy_header_is_expected_only_of_trusted_proxies() {
        let [proxy, other] = ["10.0.0.1", "192.0.2.1"].map(|text| text.parse().unwrap());
        assert!(proxies().proxy_protocol().expects_proxy_header(proxy));
        assert!(!proxies().proxy_protocol().expects_proxy_header(other));
        assert!(!proxies().header(Forwarded).expects_proxy_header(proxy));
    }
}
