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
/// // Load balancers that forward TCP, and reverse proxies that forward HTTP.
/// let proxies = TrustedProxies::new()
///     .proxy_protocol(["10.1.0.0/16".parse()?])
///     .header(ForwardingHeader::XForwardedFor, ["10.2.0.0/16".parse()?, "::1".parse()?]);
/// # Ok::<(), sansocket::server::NetworkError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Those that send the PROXY protocol. Shared, as the others, so that each connection can have a
    /// copy.
    proxy_protocol: Arc<[Network]>,
    /// Those that send the header field.
    forwarding: Arc<[Network]>,
    header: ForwardingHeader,
}

impl TrustedProxies {
    /// Trusts no proxy yet. Name the networks of yours with the other methods.
    #[must_use]
    pub fn new() -> Self {
        let (proxy_protocol, forwarding) = (Arc::default(), Arc::default());
        Self { proxy_protocol, forwarding, header: ForwardingHeader::XForwardedFor }
    }

    /// Expects each connection from these networks to begin with a header of the
    /// [PROXY protocol](ProxyHeader), version 1 or 2. A connection without one is ended without an
    /// answer. The header comes before TLS, and counts towards the handshake timeout. Connections
    /// from other addresses can't have one.
    ///
    /// In HAProxy this is `send-proxy` or `send-proxy-v2` for a server, and in the stream module of
    /// nginx `proxy_protocol on`. A health check that connects and ends is a failed handshake with the
    /// proxy, so the function set with `on_error` of `serve` gets to see it.
    ///
    /// If the client that the header names is a proxy with a trusted [header field](Self::header),
    /// that counts. If the header names no client, the proxy is the client, and no field counts:
    /// whoever is behind it may have written that.
    #[must_use]
    pub fn proxy_protocol(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.proxy_protocol = networks.into_iter().collect();
        self
    }

    /// Reads this header field in requests from these networks. The client is the last address in
    /// it that is not in one of them. Entries before that may be invented.
    ///
    /// If an entry on the way there is no address (`unknown`, an obfuscated name, or malformed), the
    /// proxy that added it counts as the client. Without the field, so does the peer.
    #[must_use]
    pub fn header(
        mut self,
        header: ForwardingHeader,
        networks: impl IntoIterator<Item = Network>,
    ) -> Self {
        self.forwarding = networks.into_iter().collect();
        self.header = header;
        self
    }

    /// Returns `true` if this is the address of a trusted proxy of either kind.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.expects_proxy_header(address) || self.forwards(address)
    }

    /// Returns `true` if connections from this address begin with a header of the PROXY protocol.
    #[must_use]
    pub fn expects_proxy_header(&self, peer: IpAddr) -> bool {
        self.proxy_protocol.iter().any(|network| network.contains(peer))
    }

    /// Returns `true` if the header field of requests from this address is read.
    fn forwards(&self, address: IpAddr) -> bool {
        self.forwarding.iter().any(|network| network.contains(address))
    }

    /// Returns the address of the client that sent this request. `peer` is the address of the
    /// connection's other end, or the one that its [`ProxyHeader`] names. Don't ask if there is such
    /// a header that names no client: the proxy is then the client. The port is 0 if the header
    /// field does not tell it.
    #[must_use]
    pub fn client_address(&self, peer: SocketAddr, request: &Request) -> SocketAddr {
        self.find_client(peer, request.headers_named(self.header.name()))
    }

    /// Works like [`client_address`](Self::client_address), for a request that does not open a WebSocket.
    /// `fields` are all of its header fields.
    ///
    /// ```
    /// use sansocket::server::{ForwardingHeader, TrustedProxies};
    ///
    /// let proxies = TrustedProxies::new().header(ForwardingHeader::XForwardedFor, ["::1".parse()?]);
    /// let fields = [("x-forwarded-for", b"192.0.2.1".as_slice())];
    /// let client = proxies.client_address_in("[::1]:4242".parse()?, fields);
    /// assert_eq!(client, "192.0.2.1:0".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn client_address_in<'a>(
        &self,
        peer: SocketAddr,
        fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> SocketAddr {
        let wanted = self.header.name();
        let named = fields.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        self.find_client(peer, named.map(|(_, value)| value))
    }

    fn find_client<'a>(
        &self,
        peer: SocketAddr,
        lines: impl Iterator<Item = &'a [u8]>,
    ) -> SocketAddr {
        let mut client = canonical(peer);
        for address in self.header.addresses(lines) {
            match address {
                Some(address) if self.forwards(client.ip()) => client = canonical(address),
                _ => break,
            }
        }
        client
    }

    /// Returns `true` if the header field of requests from this peer is read.
    #[cfg(feature = "std")]
    pub(crate) fn reads_header_of(&self, peer: Peer) -> bool {
        !peer.is_client && self.forwards(peer.address.ip())
    }
}

impl Default for TrustedProxies {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns an IPv4 address that is mapped to IPv6 as IPv4. A listener on both has such peers, and
/// proxies write either form.
const fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V4(ip), address.port()),
        // As it is, because it can have a scope.
        IpAddr::V6(_) => address,
    }
}

/// The other end of a connection, as far as it is known before the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Whether this is the client, even if the address is that of a proxy.
    is_client: bool,
}

impl Peer {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address: canonical(address), is_client: false }
    }

    /// Creates a peer that is the client, whatever header fields it sends.
    pub(crate) const fn client(address: SocketAddr) -> Self {
        Self { address: canonical(address), is_client: true }
    }

    /// Returns whose connection this is, by the header of the PROXY protocol that this peer has
    /// sent. If that names no client, the proxy forwards bytes of someone it does not know, who may
    /// have written the header fields of the request as well.
    #[cfg(feature = "std")]
    pub(crate) fn naming(self, client: Option<SocketAddr>) -> Self {
        client.map_or(Self::client(self.address), Self::new)
    }

    /// Returns the address of the client that sent this request.
    pub(super) fn client_address(
        self,
        proxies: Option<&TrustedProxies>,
        request: &Request,
    ) -> SocketAddr {
        match proxies {
            Some(proxies) if !self.is_client => proxies.client_address(self.address, request),
            _ => self.address,
        }
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

    fn networks() -> [Network; 2] {
        ["10.0.0.0/8", "2001:db8::/64"].map(|text| text.parse().unwrap())
    }

    fn reading(header: ForwardingHeader) -> TrustedProxies {
        TrustedProxies::new().header(header, networks())
    }

    fn expecting() -> TrustedProxies {
        TrustedProxies::new().proxy_protocol(networks())
    }

    #[track_caller]
    fn check(proxies: &TrustedProxies, peer: &str, headers: &[(&str, &str)], client: &str) {
        let found = proxies.client_address(peer.parse().unwrap(), &request(headers));
        assert_eq!(found, client.parse().unwrap(), "{headers:?}");
    }

    const FOR: &str = "X-Forwarded-For";

    #[test]
    fn the_last_address_that_is_not_trusted_is_the_client() {
        let proxies = &reading(XForwardedFor);
        for (peer, value, client) in [
            ("10.0.0.1:1", "192.0.2.1", "192.0.2.1:0"),
            ("10.0.0.1:1", "192.0.2.1:99", "192.0.2.1:99"),
            ("[::ffff:10.0.0.1]:1", "192.0.2.1", "192.0.2.1:0"),
            ("[2001:db8::1]:1", "2001:db8:0:1::1", "[2001:db8:0:1::1]:0"),
            // One form for each address.
            ("10.0.0.1:1", "::ffff:192.0.2.1", "192.0.2.1:0"),
            ("[::ffff:192.0.2.5]:1", "192.0.2.1", "192.0.2.5:1"),
            ("[fe80::5%3]:1", "192.0.2.1", "[fe80::5%3]:1"),
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
        check(&reading(Forwarded), peer, &headers, "192.0.2.1:0");
        check(&reading(XForwardedFor), peer, &headers, "192.0.2.2:0");
        check(&TrustedProxies::new(), peer, &headers, peer);
        check(&expecting(), peer, &headers, peer);
    }

    #[test]
    fn each_network_has_its_own_way_to_tell() {
        let proxies = reading(XForwardedFor).proxy_protocol(["192.0.2.7".parse().unwrap()]);
        let [balancer, reverse_proxy] = ["192.0.2.7", "10.0.0.1"].map(|ip| ip.parse().unwrap());
        assert!(proxies.contains(balancer) && proxies.contains(reverse_proxy));
        assert!(proxies.expects_proxy_header(balancer));
        assert!(!proxies.expects_proxy_header(reverse_proxy));
        check(&proxies, "192.0.2.7:1", &[(FOR, "192.0.2.1")], "192.0.2.7:1");
        check(&proxies, "10.0.0.1:1", &[(FOR, "192.0.2.1")], "192.0.2.1:0");
    }

    #[test]
    fn a_peer_that_is_the_client_tells_no_other() {
        let proxies = reading(XForwardedFor);
        let request = request(&[(FOR, "192.0.2.1")]);
        let proxy = "10.0.0.1:1".parse().unwrap();
        let claimed = "192.0.2.1:0".parse().unwrap();
        assert_eq!(Peer::new(proxy).client_address(Some(&proxies), &request), claimed);
        assert_eq!(Peer::new(proxy).client_address(None, &request), proxy);
        assert_eq!(Peer::client(proxy).client_address(Some(&proxies), &request), proxy);
    }

    #[test]
    fn a_proxy_header_is_expected_only_of_trusted_proxies() {
        let [proxy, other] = ["10.0.0.1", "192.0.2.1"].map(|text| text.parse().unwrap());
        assert!(expecting().expects_proxy_header(proxy));
        assert!(!expecting().expects_proxy_header(other));
        assert!(!reading(Forwarded).expects_proxy_header(proxy));
    }
}
