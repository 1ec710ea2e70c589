//! Which addresses count as one client.

use core::net::IpAddr;

/// Names the clients that count as one: those of an IPv4 address, or of the /64 network of an IPv6
/// address, which a single machine usually has to itself. An IPv4 address that is mapped to IPv6
/// counts as IPv4.
///
/// [`AddressTable`](super::AddressTable) counts by it. Use it for tables of your own.
///
/// ```
/// use core::net::IpAddr;
/// use sansocket::server::AddressKey;
///
/// let key = |text: &str| text.parse().map(|address: IpAddr| AddressKey::from(address));
/// assert_eq!(key("2001:db8:0:1::1")?, key("2001:db8:0:1:ffff::2")?);
/// assert_eq!(key("192.0.2.1")?, key("::ffff:192.0.2.1")?);
/// assert_ne!(key("192.0.2.1")?, key("192.0.2.2")?);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressKey(u128);

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        const NETWORK: u128 = !(u64::MAX as u128);
        match address.to_canonical() {
            // As ::ffff:0:0/96, which is no /64 network.
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() & NETWORK),
        }
    }
}
