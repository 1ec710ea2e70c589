//! Hosts with an optional port, as in URLs, `Host` and `Origin` (RFC 3986 §3.2).

use core::net::Ipv6Addr;

/// A host with an optional port: `example.com`, `example.com:8080`, `[::1]:8080`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    /// The host. An IPv6 address includes its brackets.
    pub(crate) host: &'a str,
    /// The port, or `None` if it is absent or empty.
    pub(crate) port: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthorityError {
    EmptyHost,
    InvalidHost,
    InvalidPort,
}

impl<'a> Authority<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, AuthorityError> {
        // Colons may occur inside brackets. After the brackets, only the port has one.
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

    pub(crate) fn parse_bytes(text: &'a [u8]) -> Result<Self, AuthorityError> {
        let text = core::str::from_utf8(text).map_err(|_| AuthorityError::InvalidHost)?;
        Self::parse(text)
    }
}

/// Returns a host without the brackets of an IPv6 address.
pub(crate) fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Returns `true` for a registered name or an IPv4 address (RFC 3986 §3.2.2), without
/// percent-encoding: no resolvable name needs it, and it would allow two spellings of one host.
fn is_registered_name(name: &[u8]) -> bool {
    name.iter().copied().all(is_name_byte)
}

/// Returns `true` for the bytes that need no encoding in the name of a host or user: RFC 3986's
/// unreserved characters and sub-delimiters.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

/// Returns the default port of a scheme.
pub(crate) fn default_port(scheme: &str) -> Option<u16> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("http") || is("ws") {
        Some(80)
    } else if is("https") || is("wss") {
        Some(443)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_hosts_and_ports() {
        for (text, host, port) in [
            ("example.com", "example.com", None),
            ("example.com:", "example.com", None),
            ("example.com:0", "example.com", Some(0)),
            ("example.com:00080", "example.com", Some(80)),
            ("127.0.0.1:65535", "127.0.0.1", Some(65535)),
            ("[::1]", "[::1]", None),
            ("[::ffff:1.2.3.4]:1", "[::ffff:1.2.3.4]", Some(1)),
            ("a-._~!$&'()*+,;=b", "a-._~!$&'()*+,;=b", None),
        ] {
            assert_eq!(Authority::parse(text), Ok(Authority { host, port }), "{text}");
        }
    }

    #[test]
    fn reports_errors() {
        use AuthorityError::{EmptyHost, InvalidHost, InvalidPort};
        for (text, error) in [
            ("", EmptyHost),
            (":80", EmptyHost),
            ("::1", InvalidHost),
            ("[::1", InvalidHost),
            ("::1]", InvalidHost),
            ("[]", InvalidHost),
            ("[::1]x", InvalidHost),
            ("[::1]80", InvalidHost),
            ("[x]:80", InvalidHost),
            ("[fe80::1%25eth0]", InvalidHost),
            ("u@h", InvalidHost),
            ("a b", InvalidHost),
            ("a/b", InvalidHost),
            ("a\\b", InvalidHost),
            ("%41", InvalidHost),
            ("\u{e4}", InvalidHost),
            ("h:65536", InvalidPort),
            ("h:+1", InvalidPort),
            ("h:-1", InvalidPort),
            ("h:x", InvalidPort),
            ("h: 1", InvalidPort),
            ("h:99999999999999999999", InvalidPort),
        ] {
            assert_eq!(Authority::parse(text), Err(error), "{text}");
        }
        assert_eq!(Authority::parse_bytes(b"\xff"), Err(InvalidHost));
    }
}
