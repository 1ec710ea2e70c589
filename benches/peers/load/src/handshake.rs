//! The client side of the opening handshake.

use crate::{
    Result,
    arguments::{Arguments, Deflate},
    random::Random,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha1::{Digest, Sha1};

/// The result of the negotiation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The server's extension response, if messages may be compressed.
    pub(crate) deflate: Option<String>,
    pub(crate) client_no_context_takeover: bool,
    pub(crate) server_no_context_takeover: bool,
    /// The client's window, if the server limits it.
    pub(crate) client_max_window_bits: Option<u8>,
}

pub(crate) fn new_key(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    BASE64_STANDARD.encode((u128::from(high) << 64 | u128::from(low)).to_ne_bytes())
}

pub(crate) fn request(arguments: &Arguments, key: &str) -> String {
    let Arguments { host, port, path, .. } = arguments;
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let offer = match arguments.deflate {
        Deflate::Off => "",
        Deflate::Takeover => {
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        }
        Deflate::NoTakeover => {
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
             client_no_context_takeover; client_max_window_bits\r\n"
        }
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\
         {offer}\r\n"
    )
}

/// Returns the length of the head of a response, or `None` if it is incomplete.
pub(crate) fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Checks the head of a response and returns what was negotiated.
pub(crate) fn check(head: &[u8], key: &str, offered: Deflate) -> Result<Agreed> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 101") {
        return Err(format!(
            "the server answered {status:?} instead of 101 Switching Protocols; are --host, \
             --port and --path right?"
        ));
    }
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let values = |wanted: &str| -> Vec<&str> {
        let named = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.flat_map(|(_, value)| value.split(',')).map(str::trim).collect()
    };
    let has = |name: &str, token: &str| values(name).iter().any(|v| v.eq_ignore_ascii_case(token));
    if !has("upgrade", "websocket") || !has("connection", "upgrade") {
        return Err("the server's 101 has no 'Upgrade: websocket' or 'Connection: Upgrade'".into());
    }
    let accept = accept(key);
    if values("sec-websocket-accept") != [accept.as_str()] {
        let got = values("sec-websocket-accept").join(", ");
        return Err(format!("the server's Sec-WebSocket-Accept is {got:?} instead of {accept:?}"));
    }
    if !values("sec-websocket-protocol").is_empty() {
        return Err("the server chose a subprotocol, but none was offered".into());
    }
    extensions(&values("sec-websocket-extensions"), offered)
}

fn accept(key: &str) -> String {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(sha1.finalize())
}

fn extensions(extensions: &[&str], offered: Deflate) -> Result<Agreed> {
    let mut agreed = Agreed::default();
    let chosen = match (extensions, offered) {
        ([], Deflate::Off) => return Ok(agreed),
        ([], _) => {
            return Err("the server did not agree to permessage-deflate; turn it on there, or \
                        pass --deflate off"
                .into());
        }
        ([one], Deflate::Takeover | Deflate::NoTakeover) => *one,
        _ => return Err(format!("the server chose {:?}: not offered", extensions.join(", "))),
    };
    let mut words = chosen.split(';').map(str::trim);
    if words.next() != Some("permessage-deflate") {
        return Err(format!("the server chose {chosen:?}: not offered"));
    }
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name.trim() {
            "server_no_context_takeover" => agreed.server_no_context_takeover = true,
            "client_no_context_takeover" => agreed.client_no_context_takeover = true,
            "client_max_window_bits" => match value.trim_matches('"').parse() {
                // zlib can't compress a raw stream with a window of 8 bits.
                Ok(bits @ 9..=15) => agreed.client_max_window_bits = Some(bits),
                _ => return Err(format!("the server chose {chosen:?}: not 9 to 15 bits")),
            },
            // A window of 15 bits can read all of these. The results show the cost in size.
            "server_max_window_bits"
                if (8..=15).contains(&value.trim_matches('"').parse().unwrap_or(0)) => {}
            _ => return Err(format!("the server chose {chosen:?}: {word:?} was not offered")),
        }
    }
    if offered == Deflate::NoTakeover && !agreed.server_no_context_takeover {
        return Err(format!("the server chose {chosen:?}, which lacks server_no_context_takeover"));
    }
    agreed.deflate = Some(chosen.to_owned());
    Ok(agreed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn response(extra: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\
             Connection: keep-alive, Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{extra}\r\n"
        )
        .into()
    }

    fn with_extension(value: &str, offered: Deflate) -> Result<Agreed> {
        check(&response(&format!("Sec-WebSocket-Extensions: {value}\r\n")), KEY, offered)
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        assert_eq!(accept(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(check(&response(""), KEY, Deflate::Off), Ok(Agreed::default()));
    }

    #[test]
    fn invalid_responses_are_refused() {
        assert!(check(&response(""), "another key", Deflate::Off).is_err());
        assert!(check(b"HTTP/1.1 200 OK\r\n\r\n", KEY, Deflate::Off).is_err());
        let protocol = response("Sec-WebSocket-Protocol: chat\r\n");
        assert!(check(&protocol, KEY, Deflate::Off).is_err());
        assert!(check(&response(""), KEY, Deflate::Takeover).is_err());
        let no_upgrade = String::from_utf8_lossy(&response("")).replace("WebSocket\r", "h2c\r");
        assert!(check(no_upgrade.as_bytes(), KEY, Deflate::Off).is_err());
    }

    #[test]
    fn agreed_compression_matches_the_response() {
        let agreed =
            with_extension("permessage-deflate", Deflate::Takeover).expect("the response is valid");
        assert_eq!(agreed.deflate.as_deref(), Some("permessage-deflate"));
        assert!(!agreed.client_no_context_takeover && !agreed.server_no_context_takeover);

        let all = "permessage-deflate; server_no_context_takeover; \
                   client_no_context_takeover; server_max_window_bits=\"12\"";
        let agreed = with_extension(all, Deflate::NoTakeover).expect("the response is valid");
        assert!(agreed.client_no_context_takeover && agreed.server_no_context_takeover);

        for (value, offered) in [
            ("permessage-deflate", Deflate::Off),
            ("permessage-deflate", Deflate::NoTakeover),
            ("permessage-deflate; client_max_window_bits=8", Deflate::Takeover),
            ("permessage-deflate; client_max_window_bits", Deflate::Takeover),
            ("permessage-deflate; server_max_window_bits=16", Deflate::Takeover),
            ("permessage-deflate, permessage-deflate", Deflate::Takeover),
            ("x-webkit-deflate-frame", Deflate::Takeover),
        ] {
            assert!(with_extension(value, offered).is_err(), "{value} {offered:?}");
        }
    }

    #[test]
    fn a_head_ends_at_its_empty_line() {
        assert_eq!(head_length(b"HTTP/1.1 101\r\nA: b\r\n\r"), None);
        assert_eq!(head_length(b"HTTP/1.1 101\r\n\r\n\x81\x00"), Some(16));
    }
}
