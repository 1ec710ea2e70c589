//! Networks of IP addresses, as `10.0.0.0/8`.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};
use thiserror::Error;

/// A network of IP addresses in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3), or a single address.
///
/// ```
/// use sansocket::server::Network;
///
/// let private: Network = "10.0.0.0/8".parse()?;
/// assert!(private.contains("10.1.2.3".parse()?));
/// assert!(!private.contains("11.1.2.3".parse()?));
/// let loopback: Network = "::1".parse()?;
/// assert_eq!(loopback.to_string(), "::1/128");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// The first address.
    address: IpAddr,
    prefix_len: u8,
}

/// The reason why a text is not a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// What is before the slash is not an IP address.
    #[error("a network begins with an IP address, such as 10.0.0.0/8")]
    Address,
    /// What is after the slash is not the length of a prefix.
    #[error("the length of the prefix is not a number from 0 to {most}")]
    PrefixLength {
        /// The number of bits of the address.
        most: u8,
    },
}

impl Network {
    /// Creates the network of all addresses that have the first `prefix_len` bits in common with
    /// `address`. The other bits of `address` do not matter. An IPv4 address that is mapped to IPv6
    /// counts as IPv4.
    ///
    /// # Errors
    ///
    /// Returns [`NetworkError::PrefixLength`] if `address` has fewer bits.
    pub fn new(address: IpAddr, prefix_len: u8) -> Result<Self, NetworkError> {
        let error = NetworkError::PrefixLength { most: bits(address) };
        // The first 96 bits of a mapped address are those that say so.
        let is_mapped = address.is_ipv6() && address.to_canonical().is_ipv4();
        let prefix_len = match is_mapped {
            true => prefix_len.checked_sub(96).ok_or(error)?,
            false => prefix_len,
        };
        let address = address.to_canonical();
        if prefix_len > bits(address) {
            return Err(error);
        }
        Ok(Self { address: first(address, prefix_len), prefix_len })
    }

    /// Returns `true` if the address is in this network. An IPv4 address that is mapped to IPv6
    /// counts as IPv4, and no other IPv6 network contains it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && first(address, self.prefix_len) == self.address
    }
}

/// Returns the first address of a network.
fn first(address: IpAddr, prefix_len: u8) -> IpAddr {
    let prefix_len = u32::from(prefix_len);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix_len).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix_len).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

const fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl From<IpAddr> for Network {
    /// Creates the network of a single address.
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix_len: bits(address) }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix_len) = match text.split_once('/') {
            Some((address, prefix_len)) => (address, Some(prefix_len)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let Some(prefix_len) = prefix_len else { return Ok(address.into()) };
        let error = NetworkError::PrefixLength { most: bits(address) };
        // `parse` would accept a sign.
        if !prefix_len.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error);
        }
        Self::new(address, prefix_len.parse().map_err(|_| error)?)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_network_contains_its_addresses() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3/8", "10.0.0.0", "9.255.255.255"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.1/32", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "ffff::", "192.0.2.1"),
            ("::1", "::1", "::2"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::/127", "2001:db8::1", "2001:db8::2"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network} {outside}");
            assert_eq!(network.to_string().parse(), Ok(network));
        }
    }

    #[test]
    fn other_texts_are_errors() {
        for text in ["", "/8", "10.0.0/8", "10.0.0.0.0", "host", "10.0.0.0 /8", "[::1]"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Address), "{text}");
        }
        for text in ["10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.0/256"] {
            let error = NetworkError::PrefixLength { most: 32 };
            assert_eq!(text.parse::<Network>(), Err(error), "{text}");
        }
        for text in ["::/129", "::/-1", "::/ 1", "::ffff:10.0.0.0/95"] {
            let error = NetworkError::PrefixLength { most: 128 };
            assert_eq!(text.parse::<Network>(), Err(error), "{text}");
        }
    }
}
