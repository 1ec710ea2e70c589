//! The header fields in which proxies note whose requests they forward: `Forwarded` (RFC 7239) and
//! `X-Forwarded-For`.

use crate::headers::{is_token, trim};
use alloc::{borrow::Cow, vec::Vec};
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A header field in which a proxy notes the address of its client. A request that passes several
/// proxies has a list, to which each of them adds one at the end.
///
/// Choose the one that your proxy sets. It is the only one that is read: a proxy that sets one of
/// them usually passes on the other as the client sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardingHeader {
    /// `Forwarded: for=192.0.2.1;proto=https` (RFC 7239). Only `for` is read.
    Forwarded,
    /// `X-Forwarded-For: 192.0.2.1`, which most proxies set.
    XForwardedFor,
}

impl ForwardingHeader {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "Forwarded",
            Self::XForwardedFor => "X-Forwarded-For",
        }
    }

    /// Returns the addresses that the proxies noted, the nearest first. An entry is `None` if it is
    /// no address: malformed, or hidden on purpose (RFC 7239 §6.3).
    pub(super) fn addresses<'a>(
        self,
        lines: impl Iterator<Item = &'a [u8]>,
    ) -> impl Iterator<Item = Option<SocketAddr>> {
        // Several lines are one list (RFC 9110 §5.3), whose empty elements are skipped (§5.6.1.2).
        let lines: Vec<_> = lines.collect();
        lines
            .into_iter()
            .rev()
            .flat_map(move |line| self.split(line).into_iter().rev())
            .map(trim)
            .filter(|element| !element.is_empty())
            .map(move |element| match self {
                Self::XForwardedFor => node(element),
                Self::Forwarded => element_node(element),
            })
    }

    /// Splits a line into the elements of its list.
    fn split(self, line: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::XForwardedFor => line.split(|&byte| byte == b',').collect(),
            // Only the start of a line tells where its quoted strings are.
            Self::Forwarded => split_unquoted(line, b',').collect(),
        }
    }
}

/// Splits a list, or an element of one, at each `delimiter` that is not in a quoted string.
fn split_unquoted(text: &[u8], delimiter: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |&byte| {
        let ends = byte == delimiter && !is_quoted;
        is_quoted ^= byte == b'"' && !is_escaped;
        is_escaped = is_quoted && byte == b'\\' && !is_escaped;
        ends
    })
}

/// Returns the node of the one `for` of an element (RFC 7239 §4).
///
/// An element with anything malformed in it has no node. Otherwise a client could open a quoted
/// string in the last value that it sends: what its proxy adds would then be a part of that string,
/// and the client's own `for` would count.
fn element_node(element: &[u8]) -> Option<SocketAddr> {
    let mut found = None;
    for pair in split_unquoted(element, b';').map(trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_at_checked(pair.iter().position(|&byte| byte == b'=')?)?;
        let (name, value) = (trim(name), unquoted(trim(&value[1..]))?);
        if !is_token(name) {
            return None;
        }
        // Each parameter occurs once. If it does not, no one knows which of them counts.
        if name.eq_ignore_ascii_case(b"for") && found.replace(value).is_some() {
            return None;
        }
    }
    node(&found?)
}

/// Returns a token as it is, and a quoted string without its quotes (RFC 9110 §5.6.4). Many proxies
/// don't quote ports and IPv6 addresses, so this allows their delimiters in tokens.
fn unquoted(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(inside) = value.strip_prefix(b"\"") else {
        let mut parts = value.split(|byte| b":[]".contains(byte));
        let is_token = parts.all(|part| part.is_empty() || is_token(part));
        return is_token.then(|| value.into());
    };
    let mut text = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter().copied();
    loop {
        match bytes.next()? {
            b'"' => return bytes.next().is_none().then_some(text.into()),
            b'\\' => text.push(bytes.next()?),
            byte => text.push(byte),
        }
    }
}

/// Parses an address with an optional port (RFC 7239 §6). `X-Forwarded-For` has the same forms, and
/// IPv6 also without brackets. Without a port, or with a hidden one, the port is 0.
fn node(text: &[u8]) -> Option<SocketAddr> {
    let text = core::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
            (address.parse::<Ipv6Addr>().ok()?.into(), port)
        }
        None => {
            let (address, port) = text.split_once(':')?;
            (IpAddr::V4(address.parse().ok()?), Some(port))
        }
    };
    let port = match port {
        None => 0,
        // RFC 7239 §6.3: the start of a port that is hidden.
        Some(port) if port.starts_with('_') => 0,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
        Some(_) => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ForwardingHeader::{Forwarded, XForwardedFor};

    #[track_caller]
    fn check(header: ForwardingHeader, lines: &[&str], addresses: &[&str]) {
        let expected: Vec<_> = addresses.iter().map(|address| address.parse().ok()).collect();
        let found: Vec<_> = header.addresses(lines.iter().map(|line| line.as_bytes())).collect();
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn x_forwarded_for() {
        check(XForwardedFor, &[], &[]);
        check(XForwardedFor, &["", " , "], &[]);
        check(XForwardedFor, &["192.0.2.1"], &["192.0.2.1:0"]);
        check(XForwardedFor, &["192.0.2.1, 192.0.2.2"], &["192.0.2.2:0", "192.0.2.1:0"]);
        check(
            XForwardedFor,
            &["192.0.2.1,\t192.0.2.2:80 ,", "2001:db8::1,[2001:db8::2],[2001:db8::3]:443"],
            &[
                "[2001:db8::3]:443",
                "[2001:db8::2]:0",
                "[2001:db8::1]:0",
                "192.0.2.2:80",
                "192.0.2.1:0",
            ],
        );
        for garbage in [
            "unknown",
            "_hidden",
            "192.0.2",
            "192.0.2.01",
            "192.0.2.1:",
            "192.0.2.1:65536",
            "192.0.2.1:+1",
            "192.0.2.1:80x",
            "192.0.2.1 192.0.2.2",
            "[192.0.2.1]",
            "[2001:db8::1",
            "[2001:db8::1]80",
            "[2001:db8::1]:",
            "2001:db8::1]",
            "[fe80::1%eth0]",
            "\"192.0.2.1\"",
            "for=192.0.2.1",
            "\u{e9}",
        ] {
            check(XForwardedFor, &[&["192.0.2.9,", garbage].concat()], &["", "192.0.2.9:0"]);
        }
    }

    #[test]
    fn forwarded() {
        check(Forwarded, &["for=192.0.2.1"], &["192.0.2.1:0"]);
        check(Forwarded, &["For=\"192.0.2.1:4711\""], &["192.0.2.1:4711"]);
        check(
            Forwarded,
            &["proto=https;for=\"[2001:db8::1]:80\" ; by=203.0.113.43", ", for=192.0.2.2,,"],
            &["192.0.2.2:0", "[2001:db8::1]:80"],
        );
        check(Forwarded, &["for=\"[2001:db8::1]:_port\""], &["[2001:db8::1]:0"]);
        check(Forwarded, &[r#"for="192.0.\2.1""#], &["192.0.2.1:0"]);
        // Delimiters in quotes are none.
        check(Forwarded, &[r#"host="a,for=192.0.2.8;\",b";for=192.0.2.1"#], &["192.0.2.1:0"]);
        check(
            Forwarded,
            &[r#"for=192.0.2.1;ext="\\",for=192.0.2.2"#],
            &["192.0.2.2:0", "192.0.2.1:0"],
        );
        for garbage in [
            "for=unknown",
            "for=_hidden",
            "for=",
            "for",
            "for=\"192.0.2.1",
            "for=\"192.0.2.1\"x",
            "for=\"192.0.2.1\\",
            "for=192.0.2.1;for=192.0.2.2",
            "by=192.0.2.1",
            "xfor=192.0.2.1",
            "192.0.2.1",
            "for:192.0.2.1",
            "for=192.0.2.1;secure",
            "for=192.0.2.1;=x",
            "for=192.0.2.1;a b=c",
            "for=192.0.2.1;a=b c",
            "for=192.0.2.1;a=\"b\"\"c\"",
        ] {
            check(Forwarded, &["for=192.0.2.9", garbage], &["", "192.0.2.9:0"]);
        }
        // A quote that does not end takes the rest of the line with it, and no more.
        check(
            Forwarded,
            &["for=\"192.0.2.1, for=192.0.2.2", "for=192.0.2.3"],
            &["192.0.2.3:0", ""],
        );
    }

    /// A proxy adds an element to a line in which the client left a quoted string open.
    #[test]
    fn an_open_quote_does_not_hide_what_the_proxy_adds() {
        let of_client = [
            r#"for=6.6.6.6;x=""#,
            r#"for=6.6.6.6;x="y"#,
            r#"for=6.6.6.6;x="\"#,
            r#"for=6.6.6.6;x=y""#,
            r#"for=6.6.6.6;x="y"""#,
            r#"for=6.6.6.6;""#,
            r#"for=6.6.6.6;"="#,
            r#"for=6.6.6.6;x"=y"#,
            r#"for=6.6.6.6;x="y";""#,
        ];
        for of_client in of_client {
            for of_proxy in ["192.0.2.1", "\"192.0.2.1:80\"", "\"[2001:db8::1]\";proto=http"] {
                let line = [of_client, ", for=", of_proxy].concat();
                let nearest = Forwarded.addresses([line.as_bytes()].into_iter()).next();
                let claimed = "6.6.6.6:0".parse().unwrap();
                assert_ne!(nearest, Some(Some(claimed)), "{line}");
            }
        }
    }
}
