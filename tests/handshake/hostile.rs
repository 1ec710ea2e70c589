//! Hostile input: a response or an error, in linear time, and never a panic.

use crate::{ask, however_cut, serve};
use sansocket::{
    Limits,
    buffer::ReadBuffer,
    handshake::{ClientRequest, HandshakeError, HeadPart, ServerHandshake, Url},
    server::OriginPolicy,
};

fn client() -> ClientRequest {
    ClientRequest::from_parts("h", "/")
}

/// Returns both roles' errors.
fn errors(bytes: &[u8], limits: &Limits) -> (HandshakeError, HandshakeError) {
    let server = however_cut(bytes, |pieces| serve(pieces, limits).0);
    let client = however_cut(bytes, |pieces| ask(&client(), pieces, limits).0);
    (server.expect_err("no request"), client.expect_err("no response"))
}

#[test]
fn parsing_after_each_read_is_linear() {
    let mut bytes = b"GET / HTTP/1.1\r\nX: ".to_vec();
    bytes.resize(1 << 20, b'x');
    // Byte by byte: refused at the limit, and nothing after it is read.
    let mut handshake = ServerHandshake::new(&Limits::default());
    let mut input = ReadBuffer::new();
    let mut error = None;
    let mut taken = 0;
    for byte in bytes.chunks(1) {
        input.extend_from_slice(byte);
        taken += 1;
        if let Err(found) = handshake.receive(&mut input) {
            error = Some(found);
            break;
        }
    }
    let limit = 16 << 10;
    assert_eq!((error, taken), (Some(HandshakeError::HeadTooLong { limit }), limit));
    assert!(input.capacity() <= 4 * limit);

    // The work is linear even without that limit: quadratic work would take hours.
    let limits = Limits::default().handshake_bytes(2 << 20);
    assert_eq!(serve(bytes.chunks(1), &limits).0, Ok(None));
    bytes.splice(..15, *b"HTTP/1.1 200 OK\r");
    let (error, _) = ask(&client(), bytes.chunks(1), &limits);
    assert_eq!(error, Err(HandshakeError::TransportEnded { received: bytes.len() }));
}

#[test]
fn garbage_is_refused_at_once() {
    let hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[0xa5; 500]].concat();
    let alert = b"\x15\x03\x01\x00\x02\x02\x28";
    for bytes in [&hello[..], alert, b"\0", b"\xff\xff", b"\x05\x01\0", b"\x81\x05hello"] {
        let limits = Limits::default();
        let at_first_byte = serve([&bytes[..1]], &limits).0;
        let expected = HandshakeError::Malformed(HeadPart::RequestLine);
        assert_eq!(at_first_byte, Err(expected));
        let at_first_byte = ask(&client(), [&bytes[..1], b""], &limits).0;
        let expected = HandshakeError::Malformed(HeadPart::StatusLine);
        assert_eq!(at_first_byte, Err(expected));
        errors(bytes, &limits);
    }
}

#[test]
fn too_many_headers_are_refused() {
    for count in (0..5000).step_by(500).chain([99, 100, 101]) {
        let bytes = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
        let limits = Limits::default().handshake_bytes(1 << 20);
        let error = serve([bytes.as_bytes()], &limits).0.unwrap_err();
        let expected = match count {
            ..=100 => HandshakeError::MissingHeader("Host"),
            _ => HandshakeError::TooManyHeaders { limit: 100 },
        };
        assert_eq!(error, expected, "{count}");
        let error = serve([bytes.as_bytes()], &limits.handshake_headers(5000)).0.unwrap_err();
        assert_eq!(error, HandshakeError::MissingHeader("Host"), "{count}");
    }
}

#[test]
fn a_header_of_four_mebibytes_is_refused() {
    for filler in [b'x', b'\n', b'\r', b' ', b',', 0, 0xff] {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: ".to_vec();
        bytes.resize(4 << 20, filler);
        let error = serve([&bytes[..]], &Limits::default()).0.unwrap_err();
        assert!(matches!(error.status(), 400 | 431), "{filler}: {error}");
        bytes.splice(..14, *b"HTTP/1.1 101");
        assert!(ask(&client(), [&bytes[..]], &Limits::default()).0.is_err());
    }
}

#[test]
fn parsing_long_header_values_is_linear() {
    // A long value of each header that is a list or is otherwise parsed.
    let names = [
        "Host",
        "Origin",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
    ];
    let limits = Limits::default().handshake_bytes(4 << 20);
    for name in names {
        for filler in [
            ",",
            ";",
            " ",
            "\t",
            "\"",
            "\\",
            "=",
            ":",
            "a,",
            "a;",
            "a; b=\"",
            "a; b=\"\\",
            "a ",
            "a=",
            "[:",
            "0,",
        ] {
            let head = "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
            // The header in question replaces the valid one, if there is one.
            let head: String =
                head.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect();
            let host = if name == "Host" { "" } else { "Host: h\r\n" };
            let value = filler.repeat((1 << 18) / filler.len());
            let bytes = format!("{head}{host}{name}: {value}\r\n\r\n");
            match serve([bytes.as_bytes()], &limits).0 {
                Ok(request) => {
                    drop(OriginPolicy::default().check(&request.expect("it is complete")))
                }
                Err(error) => {
                    assert!(matches!(error.status(), 400 | 413 | 426), "{name} {filler}: {error}")
                }
            }
        }
    }
}

#[test]
fn unusual_request_targets_are_handled() {
    let fillers = [
        "/",
        "?",
        "%",
        ":",
        "@",
        "[",
        "]",
        "\\",
        "..",
        "://",
        "http://",
        "\"",
        "{",
        "[::",
        "/%00",
        "http://[::1",
    ];
    let (mut accepted, mut refused) = (0, 0);
    for start in ["", "/", "http://", "ws://h", "*", "//", "http://h:"] {
        for filler in fillers {
            for count in [0, 1, 2, 500] {
                let target = format!("{start}{}", filler.repeat(count));
                let bytes = format!(
                    "GET {target} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                    Sec-WebSocket-Version: 13\r\n\r\n"
                );
                match serve([bytes.as_bytes()], &Limits::default()).0 {
                    Ok(request) => {
                        accepted += 1;
                        let request = request.expect("complete");
                        let (path, query) = (request.path(), request.raw_query());
                        assert!(path.starts_with('/') && !path.contains('?'), "{target}: {path}");
                        let end = query.map_or(path.to_owned(), |query| format!("{path}?{query}"));
                        // An absolute target may have no path, which means `/`.
                        let whole = target.ends_with(&end) || target.ends_with(&end[1..]);
                        assert!(whole, "{target}: {end}");
                        assert!(!request.host().is_empty(), "{target}");
                    }
                    Err(error) => {
                        refused += 1;
                        assert_eq!(error.status(), 400, "{target}");
                    }
                }
                drop(Url::parse(&target));
                drop(Url::parse(&format!("ws://{target}")));
                drop(OriginPolicy::allow([&target]));
            }
        }
    }
    assert!(accepted > 100 && refused > 100, "{accepted} accepted, {refused} refused");
}

#[test]
fn requests_with_an_extra_or_missing_byte_have_one_outcome() {
    let good = b"GET /a?b HTTP/1.1\r\nHost: h:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Extensions: a; b=\"c\", d\r\nOrigin: http://h:1\r\n\r\n";
    let limits = Limits::default();
    for at in 0..good.len() {
        for byte in [b"\0"[0], b'\r', b'\n', b' ', b'\t', b':', b'"', b',', b';', 0x7f, 0xff] {
            for replaced in 0..2 {
                let bytes = [&good[..at], &[byte], &good[at + replaced..]].concat();
                let whole = serve([&bytes[..]], &limits);
                assert_eq!(serve(bytes.chunks(1), &limits), whole, "{byte} at {at}");
                if let Ok(Some(request)) = whole.0 {
                    assert!(request.path().starts_with('/') && request.raw_query() != Some("#"));
                    assert_eq!(request.subprotocols().count(), 0);
                    drop(OriginPolicy::default().check(&request));
                }
            }
        }
        let bytes = [&good[..at], &good[at + 1..]].concat();
        assert_eq!(serve(bytes.chunks(1), &limits), serve([&bytes[..]], &limits), "without {at}");
    }
}
