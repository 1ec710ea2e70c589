//! Requests and responses that the vectors don't cover: what a server does with them.

use crate::{however_cut, serve, written};
use sansocket::{
    Limits,
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{
        Accept, AcceptError, ExtensionError, HandshakeError, HeadPart, HeaderError, HttpVersion,
        Negotiated, Request, ServerHandshake,
    },
};
use sansocket_testkit::opening::{Header, head, head_with};

const HEADERS: [Header<'static>; 5] = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

/// Returns the valid request with other lines for some of its headers.
fn with(changed: &str, values: &[&str]) -> Vec<u8> {
    head_with("GET /chat HTTP/1.1", &HEADERS, changed, values)
}

fn line(first_line: &str) -> Vec<u8> {
    head(first_line, &HEADERS)
}

fn receive(bytes: &[u8]) -> Result<Option<Request>, HandshakeError> {
    however_cut(bytes, |pieces| serve(pieces, &Limits::default())).0
}

#[track_caller]
fn accepted(bytes: &[u8]) -> Request {
    receive(bytes).expect("a valid request").expect("a complete one")
}

#[test]
fn the_example_of_the_rfc_is_reproduced() {
    let bytes = b"GET /chat HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://example.com\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";
    let request = accepted(bytes);
    assert_eq!(request.target(), "/chat");
    assert_eq!((request.path(), request.raw_query()), ("/chat", None));
    assert_eq!(
        (request.host(), request.origin()),
        ("server.example.com", Some("http://example.com"))
    );
    assert!(request.subprotocols().eq(["chat", "superchat"]));
    assert_eq!(request.headers().count(), 7);
    assert_eq!(request.headers().next(), Some(("Host", &b"server.example.com"[..])));
    assert_eq!(request.header("HOST"), Some(&b"server.example.com"[..]));
    assert_eq!(request.header("Cookie"), None);
    assert!(request.headers_named("connection").eq([b"Upgrade"]));

    let mut output = WriteBuffer::new();
    let negotiated = request.accept(&Accept::new().subprotocol("chat"), &mut output).unwrap();
    assert_eq!(negotiated.subprotocol.as_deref(), Some("chat"));
    assert_eq!(
        written(&output),
        "HTTP/1.1 101 Switching Protocols\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: chat\r\n\r\n",
    );
}

#[test]
fn a_handshake_is_used_once() {
    for bytes in [line("GET / HTTP/1.1"), line("PUT / HTTP/1.1")] {
        let mut handshake = ServerHandshake::new(&Limits::default());
        let mut input = ReadBuffer::new();
        input.extend_from_slice(&bytes);
        let first = handshake.receive(&mut input);
        assert_ne!(first, Err(HandshakeError::Over));
        input.extend_from_slice(&line("GET / HTTP/1.1"));
        assert_eq!(handshake.receive(&mut input), Err(HandshakeError::Over));
    }
}

#[test]
fn a_response_to_head_has_no_body_and_no_length() {
    // Whatever else is wrong with the request (RFC 9110 §8.6, §9.3.2).
    for rest in ["/ HTTP/1.1", "/ HTTP/1.0", "/ HTTP/2.0", "* HTTP/1.1"] {
        let error = receive(&line(&format!("HEAD {rest}"))).unwrap_err();
        let mut output = WriteBuffer::new();
        error.response().write(&mut output).unwrap();
        let expected = "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nAllow: GET\r\n\r\n";
        assert_eq!(written(&output), expected, "{rest}");
    }
}

#[test]
fn an_early_end_of_the_transport_is_an_error() {
    let bytes = line("GET / HTTP/1.1");
    for received in [0, 1, bytes.len() - 1] {
        let mut handshake = ServerHandshake::new(&Limits::default());
        let mut input = ReadBuffer::new();
        input.extend_from_slice(&bytes[..received / 2]);
        assert_eq!(handshake.receive(&mut input), Ok(None));
        input.extend_from_slice(&bytes[received / 2..received]);
        let expected = HandshakeError::TransportEnded { received };
        assert_eq!(handshake.receive_eof(&mut input), expected);
        assert_eq!(handshake.receive(&mut input), Err(HandshakeError::Over));
        assert_eq!(handshake.receive_eof(&mut input), HandshakeError::Over);
    }
    // An error that was found before takes precedence.
    let mut input = ReadBuffer::new();
    input.extend_from_slice(b"\x16");
    let error = ServerHandshake::new(&Limits::default()).receive_eof(&mut input);
    assert_eq!(error, HandshakeError::Malformed(HeadPart::RequestLine));
}

#[test]
fn requests_parsed_elsewhere_are_checked_the_same() {
    let headers = || HEADERS.iter().map(|(name, value)| (*name, value.as_bytes()));
    let request = Request::new("GET", "/chat", HttpVersion::HTTP_11, headers());
    assert_eq!(request, Ok(accepted(&line("GET /chat HTTP/1.1"))));
    let two = HttpVersion { major: 2, minor: 0 };
    assert_eq!(Request::new("GET", "/", two, headers()), Err(HandshakeError::HttpVersion(two)),);
    for target in ["", "/ ", "/\n", "/\u{e4}"] {
        let request = Request::new("GET", target, HttpVersion::HTTP_11, headers());
        assert_eq!(request, Err(HandshakeError::InvalidTarget), "{target:?}");
    }
    // White space around a value may not have been removed.
    let padded = HEADERS.map(|(name, value)| (name, format!(" \t{value} ")));
    let padded = padded.iter().map(|(name, value)| (*name, value.as_bytes()));
    assert!(Request::new("GET", "/", HttpVersion::HTTP_11, padded).is_ok());
}

#[test]
fn invalid_responses_are_not_sent() {
    let offers = b"Sec-WebSocket-Protocol: chat, Superchat\r\n\
        Sec-WebSocket-Extensions: deflate; x, foo\r\nSec-WebSocket-Extensions: deflate\r\n\r\n";
    let bytes = line("GET / HTTP/1.1");
    let request = accepted(&[&bytes[..bytes.len() - 2], offers].concat());
    let mut output = WriteBuffer::new();
    let mut error = |accept: &Accept| {
        let error = request.accept(accept, &mut output).expect_err("not allowed");
        assert!(output.is_empty(), "nothing is written");
        error
    };
    for name in ["mux", "Deflate", "deflate-stream", "deflat"] {
        let expected = AcceptError::ExtensionNotOffered(name.into());
        assert_eq!(error(&Accept::new().extension(format!("{name}; x=1"))), expected);
    }
    for accept in [
        Accept::new().extension("deflate").extension("foo").extension("deflate; x=1"),
        Accept::new().extension("deflate; x=1, deflate"),
    ] {
        assert_eq!(error(&accept), AcceptError::RepeatedExtension("deflate".into()));
    }
    for (text, expected) in [
        ("", ExtensionError::Empty),
        (" ,", ExtensionError::Empty),
        ("deflate; x=\r\nY: z", ExtensionError::NoToken { at: 11 }),
        ("deflate\r\n", ExtensionError::NoDelimiter { at: 7 }),
        ("deflate, foo bar", ExtensionError::NoDelimiter { at: 13 }),
    ] {
        assert_eq!(error(&Accept::new().extension(text)), expected.into(), "{text:?}");
    }
    for name in ["", "superchat", "chat, Superchat", "cha"] {
        let expected = AcceptError::SubprotocolNotOffered(name.into());
        assert_eq!(error(&Accept::new().subprotocol(name)), expected);
    }
    for name in [
        "Upgrade",
        "connection",
        "SEC-WEBSOCKET-ACCEPT",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Key",
        "Content-Length",
        "Transfer-Encoding",
    ] {
        let expected = HeaderError::Reserved(name.into());
        assert_eq!(error(&Accept::new().header(name, "x")), expected.into());
    }
    let expected = HeaderError::InvalidName("a b".into());
    assert_eq!(error(&Accept::new().header("a b", "x")), expected.into());
    let expected = HeaderError::InvalidValue { name: "a".into(), byte: b'\n' };
    assert_eq!(error(&Accept::new().header("a", "x\ny: z")), expected.into());
}

#[test]
fn a_response_can_have_more_headers() {
    let request = accepted(&line("GET / HTTP/1.1"));
    let mut output = WriteBuffer::new();
    let accept =
        Accept::new().header("Set-Cookie", "a=b").header("set-cookie", format!("{}=d", 'c'));
    request.accept(&accept, &mut output).unwrap();
    let answer = written(&output);
    assert!(answer.ends_with("\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n\r\n"), "{answer}");
    assert!(!answer.contains("Protocol: "));
}

#[test]
fn extensions_are_offered_and_accepted() {
    let request = accepted(&with(
        "Sec-WebSocket-Extensions",
        &["deflate; window=10; x, mux", "", "deflate; y=\"1\\2\", ,deflate"],
    ));
    let offers: Vec<_> = request.extensions().map(|offer| offer.to_string()).collect();
    assert_eq!(offers, ["deflate; window=10; x", "mux", "deflate; y=12", "deflate"]);
    let mut output = WriteBuffer::new();
    let accept = Accept::new().extension("mux").extension("deflate; window=9;z");
    let agreed = request.accept(&accept, &mut output).unwrap();
    assert_eq!(agreed, Negotiated::new().extension("mux, deflate; window=9; z").unwrap());
    let deflate = &agreed.extensions[1];
    assert_eq!(deflate.name, "deflate");
    assert_eq!(deflate.parameters, [("window".into(), Some("9".into())), ("z".into(), None)]);
    let answer = written(&output);
    let end = "\r\nSec-WebSocket-Extensions: mux, deflate; window=9; z\r\n\r\n";
    assert!(answer.ends_with(end), "{answer}");

    assert_eq!(accepted(&line("GET / HTTP/1.1")).extensions().count(), 0);
    let none = Negotiated::new();
    assert_eq!(none.extensions.capacity(), 0);
    assert_eq!(none.extension(" "), Err(ExtensionError::Empty));
}

// Bugs of other implementations.

#[test]
fn old_drafts_are_refused() {
    for version in (0..=255).filter(|version| *version != 13) {
        let request = receive(&with("Sec-WebSocket-Version", &[&version.to_string()]));
        assert_eq!(request, Err(HandshakeError::WebSocketVersion(Some(version))));
        let response = request.unwrap_err().response();
        assert_eq!(response.status(), 426);
        let mut answer = WriteBuffer::new();
        response.write(&mut answer).unwrap();
        let answer = String::from_utf8(answer.front().to_vec()).unwrap();
        assert!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{answer}");
    }
}

#[test]
fn upgrades_can_not_be_smuggled() {
    for (name, value) in
        [("Content-Length", "5"), ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c")]
    {
        let error = receive(&with(name, &[value])).unwrap_err();
        let mut output = WriteBuffer::new();
        error.response().write(&mut output).unwrap();
        let answer = written(&output);
        let closes = answer.lines().any(|line| {
            line.strip_prefix("Connection: ").is_some_and(|list| list.ends_with("close"))
        });
        assert!(closes, "{answer}");
    }
}

#[test]
fn crlf_can_not_be_injected() {
    let request = accepted(&line("GET / HTTP/1.1"));
    for byte in (0..=31).chain([127]).filter(|byte| *byte != b'\t') {
        let value = format!("a{}b", char::from(byte));
        let accept = Accept::new().header("X", &*value);
        let expected = HeaderError::InvalidValue { name: "X".into(), byte };
        let mut output = WriteBuffer::new();
        assert_eq!(request.accept(&accept, &mut output), Err(expected.into()));
        assert!(output.is_empty());
    }
}
