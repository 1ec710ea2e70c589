//! Which header fields are passed on.

use clap::ValueEnum;
use sansocket::handshake::Request;
use std::net::{IpAddr, SocketAddr};

/// The fields that tell the server who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Forwarding {
    /// X-Forwarded-For, X-Forwarded-Host and X-Forwarded-Proto.
    XForwarded,
    /// Forwarded (RFC 7239).
    Forwarded,
}

/// The fields that concern one connection alone (RFC 9110 §7.6.1), or its framing.
const HOP_BY_HOP: [&str; 11] = [
    "Connection",
    "Content-Length",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authentication-Info",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

const X_FORWARDED: [&str; 3] = ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"];

/// Returns the fields of a request or response that are meant for the other end. `None` stands for a
/// value that is not UTF-8, which can't be passed on.
pub(crate) fn end_to_end<'a>(
    fields: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
) -> Option<Vec<(&'a str, &'a str)>> {
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other.trim());
    // RFC 9110 §7.6.1: what `Connection` names is for this connection as well.
    let connection = fields.clone().filter(|(name, _)| is(name, "Connection"));
    let named: Vec<_> = connection
        .filter_map(|(_, value)| std::str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .collect();
    fields
        .filter(|(name, _)| {
            let of_handshake = is(name, "Host") || starts_with(name, "Sec-WebSocket-");
            let of_hop = HOP_BY_HOP.iter().chain(&named).any(|other| is(name, other));
            !of_handshake && !of_hop
        })
        .map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)))
        .collect()
}

fn starts_with(name: &str, start: &str) -> bool {
    name.get(..start.len()).is_some_and(|front| front.eq_ignore_ascii_case(start))
}

/// Returns the fields that tell the server who the client is. Takes those out of `fields` that they
/// replace: otherwise a server that looks at the first of them would believe the client.
pub(crate) fn forwarding(
    forward: Forwarding,
    request: &Request,
    client: Option<SocketAddr>,
    is_secure: bool,
    fields: &mut Vec<(&str, &str)>,
) -> Vec<(&'static str, String)> {
    let (host, proto) = (request.host(), if is_secure { "https" } else { "http" });
    let client = client.map(|address| address.ip().to_canonical());
    match forward {
        Forwarding::XForwarded => {
            let is_list = |name: &str| name.eq_ignore_ascii_case(X_FORWARDED[0]);
            // Each proxy adds its client at the end of the list.
            let list: Vec<_> = fields
                .iter()
                .filter(|(name, _)| is_list(name))
                .map(|(_, value)| (*value).to_owned())
                .chain(client.map(|address| address.to_string()))
                .collect();
            fields.retain(|(name, _)| !X_FORWARDED.iter().any(|x| name.eq_ignore_ascii_case(x)));
            let values = [list.join(", "), host.to_owned(), proto.to_owned()];
            X_FORWARDED.into_iter().zip(values).filter(|(_, value)| !value.is_empty()).collect()
        }
        Forwarding::Forwarded => {
            // RFC 7239 §6: an IPv6 address stands in brackets, and what is no token in quotes.
            let node = match client {
                Some(IpAddr::V4(address)) => address.to_string(),
                Some(IpAddr::V6(address)) => format!("\"[{address}]\""),
                None => "unknown".to_owned(),
            };
            vec![("Forwarded", format!("for={node};host=\"{host}\";proto={proto}"))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket::handshake::HttpVersion;

    #[test]
    fn fields_of_one_connection_stay() {
        let fields: [(&str, &[u8]); 8] = [
            ("Host", b"h"),
            ("connection", b"Upgrade, X-Mine"),
            ("x-mine", b"1"),
            ("Cookie", b"a=b"),
            ("sec-websocket-key", b"k"),
            ("keep-alive", b"5"),
            ("Sec-Fetch-Mode", b"websocket"),
            ("Cookie", b"c=d"),
        ];
        let passed = end_to_end(fields.into_iter()).unwrap();
        let expected = [("Cookie", "a=b"), ("Sec-Fetch-Mode", "websocket"), ("Cookie", "c=d")];
        assert_eq!(passed, expected);
        assert_eq!(end_to_end([("A", &b"\xff"[..])].into_iter()), None);
    }

    #[test]
    fn the_client_is_named() {
        let fields: [(&str, &[u8]); 5] = [
            ("Host", b"example.com:81"),
            ("Upgrade", b"websocket"),
            ("Connection", b"Upgrade"),
            ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", b"13"),
        ];
        let request = Request::new("GET", "/", HttpVersion::HTTP_11, fields).unwrap();
        let address = |text: &str| Some(text.parse().unwrap());
        let standard = Forwarding::Forwarded;
        for (client, node) in [
            (address("192.0.2.1:5"), "192.0.2.1"),
            (address("[2001:db8::1]:5"), "\"[2001:db8::1]\""),
            (None, "unknown"),
        ] {
            let value = format!("for={node};host=\"example.com:81\";proto=http");
            let mut fields = vec![("Forwarded", "for=192.0.2.9")];
            let added = forwarding(standard, &request, client, false, &mut fields);
            assert_eq!((added, fields.len()), (vec![("Forwarded", value)], 1));
        }
        // What the client says of itself is at most in front of what the relay knows.
        let mut fields = vec![
            ("x-forwarded-for", "192.0.2.8, 192.0.2.9"),
            ("X-FORWARDED-PROTO", "gopher"),
            ("X-Forwarded-For", "localhost"),
            ("X-Forwarded-Host", "bank.test"),
            ("Cookie", "a=b"),
        ];
        let client = address("192.0.2.1:5");
        let added = forwarding(Forwarding::XForwarded, &request, client, true, &mut fields);
        assert_eq!(fields, [("Cookie", "a=b")]);
        let expected = [
            ("X-Forwarded-For", "192.0.2.8, 192.0.2.9, localhost, 192.0.2.1".to_owned()),
            ("X-Forwarded-Host", "example.com:81".to_owned()),
            ("X-Forwarded-Proto", "https".to_owned()),
        ];
        assert_eq!(added, expected);
    }
}
