//! The requests that a client sends, and responses that the vectors don't cover.

use crate::{NONCE, ask, however_cut, written};
use sansocket::{
    Limits,
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{
        ClientHandshake, ClientRequest, ExtensionError, HandshakeError, HeaderError, Refusal,
        RequestError, Response, Url,
    },
};
use sansocket_testkit::opening::{Header, head, head_with};
use std::time::Duration;

const HEADERS: [Header<'static>; 3] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
];

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols";

fn request() -> ClientRequest {
    let url = Url::parse("ws://server.example.com/chat").unwrap();
    ClientRequest::new(&url).subprotocols(["chat", "superchat"])
}

/// Returns the valid response with other lines for one of its headers.
fn with(changed: &str, values: &[&str]) -> Vec<u8> {
    head_with(SWITCHING, &HEADERS, changed, values)
}

fn receive(bytes: &[u8]) -> Result<Response, HandshakeError> {
    however_cut(bytes, |pieces| ask(&request(), pieces, &Limits::default())).0
}

#[track_caller]
fn refusal(bytes: &[u8]) -> Refusal {
    match receive(bytes) {
        Err(HandshakeError::Refused(refusal)) => *refusal,
        other => panic!("{other:?}"),
    }
}

fn sent(request: &ClientRequest) -> Result<String, RequestError> {
    let mut output = WriteBuffer::new();
    let started = ClientHandshake::start(request, NONCE, &mut output, &Limits::default());
    if started.is_err() {
        assert!(output.is_empty(), "nothing is written");
    }
    started.map(|_| written(&output))
}

#[test]
fn a_refusal_for_now_is_transient() {
    let is_transient = |status: u16| {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        HandshakeError::Refused(Box::new(refusal(head.as_bytes()))).is_transient()
    };
    for status in [408, 425, 429, 500, 502, 503, 504, 521, 529, 599] {
        assert!(is_transient(status), "{status}");
    }
    for status in [200, 301, 400, 401, 403, 404, 409, 426, 501, 505, 511] {
        assert!(!is_transient(status), "{status}");
    }
}

#[test]
fn a_request_is_sent_as_configured() {
    let url = Url::parse("wss://user:pass@example.com:8443/chat?room=1").unwrap();
    let request = ClientRequest::new(&url)
        .subprotocol("a")
        .subprotocols(["b", "c"])
        .header("Origin", "https://example.com")
        .header("Cookie", "d=e");
    assert_eq!(
        sent(&request).unwrap(),
        "GET /chat?room=1 HTTP/1.1\r\n\
        Host: example.com:8443\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: a, b, c\r\n\
        Authorization: Basic dXNlcjpwYXNz\r\n\
        Origin: https://example.com\r\n\
        Cookie: d=e\r\n\r\n",
    );
    let offers = request.clone().extension("x; a=1").extension("x, y");
    let text = sent(&offers).unwrap();
    assert!(text.contains("\r\nSec-WebSocket-Extensions: x; a=1, x, y\r\n"), "{text}");
    let plain = sent(&ClientRequest::from_parts("[::1]:80", "/")).unwrap();
    assert!(plain.starts_with("GET / HTTP/1.1\r\nHost: [::1]:80\r\n"), "{plain}");
    assert!(!plain.contains("Protocol: ") && !plain.contains("Authorization"), "{plain}");
    let own = sent(&request.header("authorization", "Bearer x")).unwrap();
    assert!(own.contains("authorization: Bearer x\r\n") && !own.contains("Basic"), "{own}");
    let text = format!("{:?}", ClientRequest::new(&url).header("Cookie", "secret"));
    assert!(
        text.contains("Cookie") && !text.contains("secret") && !text.contains("Basic"),
        "{text}"
    );
}

#[test]
fn invalid_requests_are_not_sent() {
    for name in [
        "Host",
        "host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Accept",
        "Content-Length",
        "Transfer-Encoding",
    ] {
        let expected = HeaderError::Reserved(name.into());
        assert_eq!(sent(&request().header(name, "x")), Err(expected.into()));
    }
    let expected = HeaderError::InvalidName("".into());
    assert_eq!(sent(&request().header("", "x")), Err(expected.into()));
    for name in ["", "a b", "a,b", "a\r\nb", "\u{e4}"] {
        let expected = RequestError::InvalidSubprotocol(name.into());
        assert_eq!(sent(&request().subprotocol(name)), Err(expected));
    }
    let expected = RequestError::RepeatedSubprotocol("chat".into());
    assert_eq!(sent(&request().subprotocol("chat")), Err(expected));
    assert!(sent(&request().subprotocol("Chat")).is_ok());
    for (text, expected) in [
        ("", ExtensionError::Empty),
        ("a b", ExtensionError::NoDelimiter { at: 2 }),
        ("a; b=\r\nX: y", ExtensionError::NoToken { at: 5 }),
        ("a\r\n", ExtensionError::NoDelimiter { at: 1 }),
        ("a, b;", ExtensionError::NoToken { at: 5 }),
    ] {
        assert_eq!(sent(&request().extension(text)), Err(expected.into()), "{text:?}");
    }
    for authority in ["", "a b", "h:x", "u@h", "h/", "h\r\nX: y"] {
        let expected = RequestError::InvalidAuthority(authority.into());
        assert_eq!(sent(&ClientRequest::from_parts(authority, "/")), Err(expected));
    }
    for target in ["", "x", "*", "/a b", "/#", "/\r\n", "/\0", "/\u{e4}", "http://h/"] {
        let expected = RequestError::InvalidTarget(target.into());
        assert_eq!(sent(&ClientRequest::from_parts("h", target)), Err(expected));
    }
}

#[test]
fn crlf_can_not_be_injected() {
    for byte in ['\r', '\n', '\0', '\u{1}', '\u{7f}'] {
        let text = format!("/a{byte}b");
        let error = sent(&ClientRequest::from_parts("h", &*text)).unwrap_err();
        assert_eq!(error, RequestError::InvalidTarget(text.as_str().into()));
        let error = sent(&request().header("X", &*text)).unwrap_err();
        let name = "X".into();
        assert_eq!(error, HeaderError::InvalidValue { name, byte: byte as u8 }.into());
        let error = sent(&request().header(&*text, "x")).unwrap_err();
        assert_eq!(error, HeaderError::InvalidName(text.as_str().into()).into());
        assert!(Url::parse(&format!("ws://h{text}")).is_err());
    }
}

#[test]
fn a_valid_response_opens_the_connection() {
    let response = receive(&with("X", &[])).unwrap();
    assert_eq!((response.status(), response.negotiated().subprotocol.as_deref()), (101, None));
    assert_eq!(response.headers().count(), 3);
    let cookies = receive(&with("Set-Cookie", &["a=b", "c=d"])).unwrap();
    assert!(cookies.headers_named("set-cookie").eq([&b"a=b"[..], b"c=d"]));
    assert_eq!(cookies.header("SET-COOKIE"), Some(&b"a=b"[..]));

    for values in [&["Upgrade"][..], &["keep-alive, UPGRADE"], &["keep-alive", "upgrade"]] {
        assert!(receive(&with("Connection", values)).is_ok(), "{values:?}");
    }
    assert!(receive(&with("Upgrade", &["WebSocket"])).is_ok());
    assert!(receive(&with("Sec-WebSocket-Accept", &["  s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\t"])).is_ok());
    for first_line in ["HTTP/1.1 101", "HTTP/1.1 101 ", "HTTP/1.1 101 \u{e4}\t!", "HTTP/1.2 101 OK"]
    {
        assert!(receive(&head(first_line, &HEADERS)).is_ok(), "{first_line}");
    }
    let text = String::from_utf8(head(SWITCHING, &HEADERS)).unwrap();
    assert!(receive(text.replace("\r\n", "\n").as_bytes()).is_ok());
}

// Bugs of other implementations.

#[test]
fn a_101_response_has_to_match_the_request() {
    let expected = HandshakeError::MissingHeader("Upgrade");
    assert_eq!(receive(&head(SWITCHING, &[])), Err(expected));
    let name = "Sec-WebSocket-Accept";
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(receive(&with(name, &[])), Err(HandshakeError::MissingHeader(name)));
    let expected = HandshakeError::RepeatedHeader { name, count: 2 };
    assert_eq!(receive(&with(name, &[accept, accept])), Err(expected));
    for at in 0..accept.len() {
        let wrong = [&accept[..at], "!", &accept[at + 1..]].concat();
        assert_eq!(receive(&with(name, &[&wrong])), Err(HandshakeError::WrongAccept));
    }
    for (name, value) in [("Sec-WebSocket-Protocol", "x"), ("Sec-WebSocket-Extensions", "x")] {
        let error = receive(&with(name, &[value])).unwrap_err();
        assert!(error.to_string().ends_with("\"x\", which was not offered"), "{error}");
    }
}

#[test]
fn an_overlong_sec_websocket_accept_is_refused() {
    let limits = Limits::default().handshake_bytes(4 << 20);
    for len in [29, 1000, 1 << 20] {
        let bytes = with("Sec-WebSocket-Accept", &[&"x".repeat(len)]);
        let (response, _) = ask(&request(), [&bytes[..]], &limits);
        assert_eq!(response, Err(HandshakeError::WrongAccept));
    }
}

#[test]
fn a_refusal_shows_status_headers_and_body() {
    let refusal = refusal(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nX: y\r\nx: z\r\n\
        Content-Length: 4\r\n\r\nbusymore",
    );
    assert_eq!(
        (refusal.status(), refusal.body(), refusal.is_complete()),
        (503, &b"busy"[..], true)
    );
    assert_eq!(refusal.header("retry-after"), Some(&b"5"[..]));
    assert!(refusal.headers_named("X").eq([b"y", b"z"]));
    assert_eq!(refusal.headers().count(), 4);
    assert_eq!(refusal.to_string(), "the server answered with status 503");
    assert_eq!((refusal.location(), refusal.challenge()), (None, None));
}

#[test]
fn a_refusal_is_reported_once_and_when_complete() {
    let mut output = WriteBuffer::new();
    let mut input = ReadBuffer::new();
    let limits = Limits::default();
    let mut handshake = ClientHandshake::start(&request(), NONCE, &mut output, &limits).unwrap();
    input.extend_from_slice(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nab");
    assert_eq!(handshake.receive(&mut input), Ok(None));
    input.extend_from_slice(b"cde");
    assert!(matches!(handshake.receive(&mut input), Err(HandshakeError::Refused(_))));
    assert_eq!(handshake.receive(&mut input), Err(HandshakeError::Over));
    assert_eq!(handshake.receive_eof(&mut input), HandshakeError::Over);
}

#[test]
fn a_refusal_says_when_to_try_again() {
    let with = |fields: &str| {
        refusal(format!("HTTP/1.1 503 X\r\nContent-Length: 0\r\n{fields}\r\n").as_bytes())
    };
    let epoch = Duration::from_secs(1_000_000_000);
    let wait = |fields: &str| with(fields).retry_after(epoch).map(|wait| wait.as_secs());
    assert_eq!(wait(""), None);
    assert_eq!(wait("Retry-After: 120\r\n"), Some(120));
    assert_eq!(wait("Retry-After: later\r\n"), None);
    assert_eq!(wait("Retry-After: Sun, 09 Sep 2001 01:47:40 GMT\r\n"), Some(60));
    // The server's own clock goes before ours.
    let dates = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n";
    assert_eq!(wait(dates), Some(60));
}

#[test]
fn all_challenges_are_reported() {
    let several = refusal(
        b"HTTP/1.1 401 x\r\nWWW-Authenticate: \xff\r\nWWW-Authenticate: Negotiate, Digest a=b\r\n\
        Proxy-Authenticate: Basic\r\nwww-authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(several.challenges().eq(["Negotiate, Digest a=b", "Basic"]));
    assert_eq!(several.challenge(), Some("Negotiate, Digest a=b"));
    let none = refusal(b"HTTP/1.1 403 x\r\nWWW-Authenticate: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(none.challenges().count(), 0);
}
