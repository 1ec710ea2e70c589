//! A host with or without a port, as in URLs, `Host` and `Origin` (RFC 3986 §3.2).

use core::net::Ipv6Addr;

/// `example.com`, `example.com:8080`, `[::1]:8080`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    /// An IPv6 address with its brackets.
    pub(super) host: &'a str,
    /// `None` if it is absent or empty.
    pub(super) port: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthorityError {
    EmptyHost,
    InvalidHost,
    InvalidPort,
}

impl<'a> Authority<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, AuthorityError> {
        // Colons stand inside brackets too, but none does behind them except the port's.
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (text, ""),
        };
        if host.is_empty() {
            return Err(AuthorityError::EmptyHost);
        }
        let valid = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => is_registered_name(host.as_bytes()),
        };
        if !valid {
            return Err(AuthorityError::InvalidHost);
        }
        let port = match port {
            "" => None,
            _ if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(port.parse().map_err(|_| AuthorityError::InvalidPort)?)
            }
            _ => return Err(AuthorityError::InvalidPort),
        };
        Ok(Self { host, port })
    }

    pub(super) fn parse_bytes(text: &'a [u8]) -> Result<Self, AuthorityError> {
        let text = core::str::from_utf8(text).map_err(|_| AuthorityError::InvalidHost)?;
        Self::parse(text)
    }
}

/// A registered name or an IPv4 address (RFC 3986 §3.2.2), without percent-encoding: no name
/// that can be resolved needs it, and it would be a second spelling of the same host.
fn is_registered_name(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte))
}

/// The port that a scheme stands for.
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("http") || is("ws") {
        Some(80)
    } else if is("https") || is("wss") {
        Some(443)
    } else {
        None
    }
}
