//! The PROXY protocol, versions 1 and 2: what a proxy sends before the bytes of its client
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use thiserror::Error;

/// The header of the PROXY protocol, with which a proxy says whose connection it forwards.
///
/// [`TrustedProxies::proxy_protocol`](super::TrustedProxies::proxy_protocol) has a server expect one.
/// If you read from the transport yourself, read exactly as many bytes as are missing: what follows
/// the header belongs to TLS or to the opening handshake.
///
/// ```
/// use sansocket::server::{ProxyHeader, ProxyHeaderError};
/// use std::{io::{self, Read}, net::SocketAddr};
///
/// /// Returns the address of the client, if the proxy forwards the connection of one.
/// fn client(transport: &mut impl Read) -> io::Result<Option<SocketAddr>> {
///     let mut received = Vec::new();
///     loop {
///         match ProxyHeader::parse(&received).map_err(io::Error::other)? {
///             ProxyHeader::Complete { client, .. } => return Ok(client),
///             ProxyHeader::Incomplete { missing } => {
///                 let start = received.len();
///                 received.resize(start + missing, 0);
///                 transport.read_exact(&mut received[start..])?;
///             }
///         }
///     }
/// }
///
/// let mut stream = &b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\nGET / HTTP/1.1\r\n"[..];
/// assert_eq!(client(&mut stream)?, Some("192.0.2.1:40000".parse().unwrap()));
/// assert!(stream.starts_with(b"GET / "));
/// # Ok::<(), io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a header is complete or not")]
pub enum ProxyHeader {
    /// More of the header has to arrive.
    Incomplete {
        /// How many bytes belong to the header at least, beyond those that have arrived.
        missing: usize,
    },
    /// The header has arrived.
    Complete {
        /// The address of the client. `None` means that the connection is the proxy's own, such as a
        /// health check, or that the proxy does not know the address: the peer of the connection
        /// then counts as the client ([`Accepting::client`](super::Accepting::client)).
        client: Option<SocketAddr>,
        /// The length of the header in bytes.
        len: usize,
    },
}

/// The reason why received bytes are no header of the PROXY protocol. The fault is the proxy's, or
/// that of the configuration which says that it speaks this protocol. End the connection without an
/// answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// The bytes do not begin a header.
    #[error("a trusted proxy sent no PROXY header")]
    Missing,
    /// A line of version 1 does not have the syntax of one.
    #[error("malformed PROXY header of version 1")]
    Malformed,
    /// The header is longer than any valid one, or than this crate accepts.
    #[error("PROXY header is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes: 107 for version 1, and 4096 for version 2.
        limit: usize,
    },
    /// The version is neither 1 nor 2.
    #[error("PROXY header of version {0}")]
    Version(u8),
    /// The command is neither `LOCAL` nor `PROXY`.
    #[error("PROXY header with the unknown command {0}")]
    Command(u8),
    /// The address is not that of a stream.
    #[error("PROXY header with the unknown address family and protocol {0:#04x}")]
    Family(u8),
    /// The header is too short for the addresses that it announces.
    #[error("PROXY header with {len} bytes of addresses, which need {least}")]
    TooShort {
        /// The length in bytes.
        len: usize,
        /// The length that the addresses need.
        least: usize,
    },
}

/// The longest line of version 1, with its end.
const LONGEST_LINE: usize = 107;
/// The shortest line of version 1. A header of version 2 is one byte longer at least.
const SHORTEST_LINE: usize = b"PROXY UNKNOWN\r\n".len();
const LINE_START: &[u8] = b"PROXY ";
/// The spaces of a line with addresses.
const SPACES: usize = 5;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The bytes of version 2 before the addresses.
const FIXED: usize = 16;
/// The longest header of version 2. One with all that is known of TLS takes some hundred bytes.
const LONGEST: usize = 4096;

impl ProxyHeader {
    /// Parses what has arrived on a connection so far. The length of what this looks at is bounded.
    ///
    /// # Errors
    ///
    /// Returns an error as soon as the bytes can't become a valid header.
    pub fn parse(received: &[u8]) -> Result<Self, ProxyHeaderError> {
        if begins(received, SIGNATURE) {
            if received.len() < SIGNATURE.len() {
                return Ok(Self::Incomplete { missing: SHORTEST_LINE - received.len() });
            }
            return Self::parse_binary(received);
        }
        if begins(received, LINE_START) {
            return Self::parse_line(received);
        }
        Err(ProxyHeaderError::Missing)
    }

    /// Parses a header of version 1 (§2.1).
    fn parse_line(received: &[u8]) -> Result<Self, ProxyHeaderError> {
        let start = &received[..received.len().min(LONGEST_LINE)];
        let Some(end) = start.windows(2).position(|pair| pair == b"\r\n") else {
            if received.len() >= LONGEST_LINE {
                return Err(ProxyHeaderError::TooLong { limit: LONGEST_LINE });
            }
            let of_end = if received.ends_with(b"\r") { 1 } else { 2 };
            // Fewer reads: each word that is missing takes a space and a character at least.
            let spaces = received.iter().filter(|&&byte| byte == b' ').count();
            let of_words = match received.starts_with(b"PROXY TCP") {
                true => 2 * SPACES.saturating_sub(spaces),
                false => 0,
            };
            let missing = SHORTEST_LINE.saturating_sub(received.len()).max(of_words + of_end);
            return Ok(Self::Incomplete { missing });
        };
        let client = line_client(&start[..end]).ok_or(ProxyHeaderError::Malformed)?;
        Ok(Self::Complete { client, len: end + 2 })
    }

    /// Parses a header of version 2 (§2.2).
    fn parse_binary(received: &[u8]) -> Result<Self, ProxyHeaderError> {
        if let Some(&byte) = received.get(SIGNATURE.len()) {
            match (byte >> 4, byte & 0xF) {
                (2, 0 | 1) => {}
                (2, command) => return Err(ProxyHeaderError::Command(command)),
                (version, _) => return Err(ProxyHeaderError::Version(version)),
            }
        }
        let Some((fixed, rest)) = received.split_first_chunk::<FIXED>() else {
            return Ok(Self::Incomplete { missing: FIXED - received.len() });
        };
        let is_local = fixed[12] & 0xF == 0;
        let family = fixed[13];
        let len = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
        if FIXED + len > LONGEST {
            return Err(ProxyHeaderError::TooLong { limit: LONGEST });
        }
        let least = match family {
            // The connection is the proxy's own, whatever else the header says.
            _ if is_local => 0,
            0x11 => 12,
            0x21 => 36,
            // Unspecified, or the path of a Unix socket.
            0x00 | 0x01 | 0x02 | 0x10 | 0x20 | 0x30 | 0x31 => 0,
            _ => return Err(ProxyHeaderError::Family(family)),
        };
        if len < least {
            return Err(ProxyHeaderError::TooShort { len, least });
        }
        // What follows the addresses says more of the connection (TLV), and is skipped.
        let Some(addresses) = rest.get(..len) else {
            return Ok(Self::Incomplete { missing: len - rest.len() });
        };
        let client = if least == 0 { None } else { binary_client(addresses, family == 0x21) };
        Ok(Self::Complete { client, len: FIXED + len })
    }
}

/// Returns `true` if `received` begins with `start`, as far as it has arrived.
fn begins(received: &[u8], start: &[u8]) -> bool {
    received.iter().zip(start).all(|(one, other)| one == other)
}

/// Returns the source of a line of version 1, or `None` if the line is malformed.
fn line_client(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = core::str::from_utf8(line).ok()?.strip_prefix("PROXY ")?;
    // Whatever follows this word is to be ignored.
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Some(None);
    }
    let mut words = line.split(' ');
    let family = words.next()?;
    let [source, destination] = [words.next()?, words.next()?];
    let [source_port, destination_port] = [port(words.next()?)?, port(words.next()?)?];
    let _ = destination_port;
    let source = match family {
        "TCP4" => {
            destination.parse::<Ipv4Addr>().ok()?;
            source.parse::<Ipv4Addr>().ok()?.into()
        }
        "TCP6" => {
            destination.parse::<Ipv6Addr>().ok()?;
            source.parse::<Ipv6Addr>().ok()?.into()
        }
        _ => return None,
    };
    words.next().is_none().then(|| Some(SocketAddr::new(source, source_port)))
}

/// Parses a port, which has no sign and no leading zeros.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    if is_plain && is_short { text.parse().ok() } else { None }
}

/// Returns the source of the addresses of version 2: source, destination, and their ports.
fn binary_client(addresses: &[u8], is_ipv6: bool) -> Option<SocketAddr> {
    if is_ipv6 {
        let source: [u8; 16] = *addresses.first_chunk()?;
        let port = u16::from_be_bytes(*addresses.get(32..)?.first_chunk()?);
        return Some(SocketAddr::new(source.into(), port));
    }
    let source: [u8; 4] = *addresses.first_chunk()?;
    let port = u16::from_be_bytes(*addresses.get(8..)?.first_chunk()?);
    Some(SocketAddr::new(source.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec, vec::Vec};
    use proptest::prelude::*;

    fn complete(client: Option<&str>, len: usize) -> Result<ProxyHeader, ProxyHeaderError> {
        Ok(ProxyHeader::Complete { client: client.map(|client| client.parse().unwrap()), len })
    }

    fn binary(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let len = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &len, addresses].concat()
    }

    fn ipv4() -> Vec<u8> {
        vec![192, 0, 2, 1, 198, 51, 100, 1, 0x9c, 0x40, 1, 187]
    }

    fn ipv6() -> Vec<u8> {
        let source = "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets();
        [&source[..], &[0; 16], &[0x9c, 0x40, 1, 187]].concat()
    }

    /// Checks a header at each cut: the bytes that are missing are never more than there are.
    #[track_caller]
    fn check(header: &[u8], client: Option<&str>) {
        let behind = [header, b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(ProxyHeader::parse(&behind), complete(client, header.len()));
        for end in 0..header.len() {
            match ProxyHeader::parse(&header[..end]) {
                Ok(ProxyHeader::Incomplete { missing }) => {
                    assert!(missing > 0 && end + missing <= header.len(), "{missing} at {end}");
                }
                other => panic!("{other:?} at {end}"),
            }
        }
    }

    #[test]
    fn version_1() {
        check(b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\n", Some("192.0.2.1:40000"));
        check(b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", Some("0.0.0.0:0"));
        check(b"PROXY TCP6 2001:db8::1 ::1 40000 443\r\n", Some("[2001:db8::1]:40000"));
        check(b"PROXY UNKNOWN\r\n", None);
        check(b"PROXY UNKNOWN ffff::1 what 7\r\n", None);
        let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let longest = format!("PROXY UNKNOWN {full} {full} 65535 65535\r\n");
        assert_eq!(longest.len(), LONGEST_LINE);
        check(longest.as_bytes(), None);
    }

    #[test]
    fn malformed_lines() {
        for line in [
            "PROXY TCP4 192.0.2.1 198.51.100.1 40000\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 40000 443 \r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 40000 443 1\r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.1 40000 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 40000 65536\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +4000 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 040 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1  443\r\n",
            "PROXY TCP4 192.0.2.01 198.51.100.1 1 443\r\n",
            "PROXY TCP4 192.0.2.1 host 1 443\r\n",
            "PROXY TCP4 ::1 ::1 1 443\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.1 1 443\r\n",
            "PROXY TCP6 [::1] ::1 1 443\r\n",
            "PROXY TCP5 192.0.2.1 198.51.100.1 1 443\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n",
            "PROXY tcp4 192.0.2.1 198.51.100.1 1 443\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY \r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 44\u{e9}\r\n",
        ] {
            let error = Err(ProxyHeaderError::Malformed);
            assert_eq!(ProxyHeader::parse(line.as_bytes()), error, "{line}");
        }
        // A line ends with CR and LF.
        let open = b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\n\r";
        assert_eq!(ProxyHeader::parse(open), Ok(ProxyHeader::Incomplete { missing: 1 }));
        let too_long = [b"PROXY UNKNOWN ", &[b'x'; 100][..]].concat();
        let error = Err(ProxyHeaderError::TooLong { limit: 107 });
        assert_eq!(ProxyHeader::parse(&too_long[..107]), error);
        assert!(ProxyHeader::parse(&too_long[..106]).is_ok());
        assert_eq!(ProxyHeader::parse(&[&too_long[..106], b"\r\n"].concat()), error);
    }

    #[test]
    fn version_2() {
        check(&binary(0x21, 0x11, &ipv4()), Some("192.0.2.1:40000"));
        check(&binary(0x21, 0x21, &ipv6()), Some("[2001:db8::1]:40000"));
        // More about the connection.
        let more = [&ipv4()[..], &[3, 0, 4, 1, 2, 3, 4], &[4; 300]].concat();
        check(&binary(0x21, 0x11, &more), Some("192.0.2.1:40000"));
        // A health check of the proxy, which may say anything else.
        for addresses in [&[][..], &[0xff], &ipv4()] {
            check(&binary(0x20, 0x00, addresses), None);
            check(&binary(0x20, 0x11, addresses), None);
            check(&binary(0x20, 0xff, addresses), None);
        }
        // Unknown to the proxy, or no address of IP.
        for family in [0x00, 0x01, 0x10, 0x20, 0x30, 0x31] {
            check(&binary(0x21, family, &[7; 216]), None);
        }
        check(&binary(0x21, 0x00, &[0; LONGEST - FIXED]), None);
    }

    #[test]
    fn malformed_binary_headers() {
        use ProxyHeaderError::{Command, Family, TooLong, TooShort, Version};
        for (header, error) in [
            (binary(0x11, 0x11, &ipv4()), Version(1)),
            (binary(0x31, 0x11, &ipv4()), Version(3)),
            (binary(0x01, 0x11, &ipv4()), Version(0)),
            (binary(0x22, 0x11, &ipv4()), Command(2)),
            (binary(0x21, 0x12, &ipv4()), Family(0x12)),
            (binary(0x21, 0x13, &ipv4()), Family(0x13)),
            (binary(0x21, 0x41, &ipv4()), Family(0x41)),
            (binary(0x21, 0x11, &ipv4()[..11]), TooShort { len: 11, least: 12 }),
            (binary(0x21, 0x21, &ipv6()[..35]), TooShort { len: 35, least: 36 }),
            (binary(0x21, 0x00, &[0; LONGEST - FIXED + 1]), TooLong { limit: 4096 }),
            (binary(0x20, 0x00, &[0; LONGEST - FIXED + 1]), TooLong { limit: 4096 }),
        ] {
            assert_eq!(ProxyHeader::parse(&header), Err(error));
            // The fixed part tells, whether or not the rest has arrived.
            assert_eq!(ProxyHeader::parse(&header[..FIXED]), Err(error));
        }
    }

    #[test]
    fn anything_else_is_no_header() {
        for bytes in ["G", "GET / HTTP/1.1\r\n", "proxy ", "PROXX", "\r\n\r\nGET", "\x16\x03\x01"] {
            let error = Err(ProxyHeaderError::Missing);
            assert_eq!(ProxyHeader::parse(bytes.as_bytes()), error, "{bytes}");
        }
        assert!(matches!(ProxyHeader::parse(b""), Ok(ProxyHeader::Incomplete { missing: 15 })));
        let mut other = binary(0x21, 0x11, &ipv4());
        for index in 0..SIGNATURE.len() {
            other[index] ^= 1;
            assert_eq!(ProxyHeader::parse(&other), Err(ProxyHeaderError::Missing), "{index}");
            other[index] ^= 1;
        }
    }

    proptest! {
        /// Whatever arrives, and however it is cut: the outcome does not change once it is known,
        /// and the missing bytes of a valid header are bytes of the header.
        #[test]
        fn more_bytes_do_not_change_the_outcome(
            start in prop::sample::select(vec![
                b"".to_vec(),
                b"PROXY ".to_vec(),
                b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\n".to_vec(),
                b"PROXY UNKNOWN ".to_vec(),
                binary(0x21, 0x11, &ipv4()),
                binary(0x21, 0x21, &[ipv6(), vec![0; 60]].concat()),
                binary(0x20, 0, &[]),
            ]),
            changed: prop::sample::Index,
            with: u8,
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = [start, rest].concat();
            if !bytes.is_empty() {
                let index = changed.index(bytes.len().min(60));
                bytes[index] = with;
            }
            let whole = ProxyHeader::parse(&bytes);
            for end in 0..bytes.len() {
                match ProxyHeader::parse(&bytes[..end]) {
                    Ok(ProxyHeader::Incomplete { missing }) => {
                        prop_assert!(missing > 0 && end + missing <= LONGEST);
                        if let Ok(ProxyHeader::Complete { len, .. }) = whole {
                            prop_assert!(end + missing <= len);
                        }
                    }
                    known => prop_assert_eq!(known, whole),
                }
            }
        }
    }
}
