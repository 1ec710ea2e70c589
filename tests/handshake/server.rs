//! Requests, and the answers that they get.

use crate::{however_cut, serve, written};
use sansocket::{
    Accept, AcceptError, ExtensionError, HandshakeError, HeadPart, HeaderError, HttpVersion,
    Limits, Negotiated, ReadBuffer, Request, ServerHandshake, WriteBuffer,
};

type Header<'a> = (&'a str, &'a str);

const HEADERS: [Header<'static>; 5] = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

fn message(first_line: &str, headers: &[Header<'_>]) -> Vec<u8> {
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first_line}\r\n{lines}\r\n").into_bytes()
}

/// The good request, with other lines for some of its headers.
fn with(changed: &str, values: &[&str]) -> Vec<u8> {
    let mut headers: Vec<_> = HEADERS.into_iter().filter(|(name, _)| *name != changed).collect();
    headers.extend(values.iter().map(|value| (changed, *value)));
    message("GET /chat HTTP/1.1", &headers)
}

fn line(first_line: &str) -> Vec<u8> {
    message(first_line, &HEADERS)
}

fn receive(bytes: &[u8]) -> Result<Option<Request>, HandshakeError> {
    however_cut(bytes, |pieces| serve(pieces, &Limits::default())).0
}

#[track_caller]
fn accepted(bytes: &[u8]) -> Request {
    receive(bytes).expect("it is a good request").expect("it is complete")
}

/// The error, whose answer is checked to be one that ends the connection, and its status.
#[track_caller]
fn refused(bytes: &[u8]) -> (HandshakeError, u16) {
    let error = receive(bytes).expect_err("it is a bad request");
    let answer = answer(&error);
    let status = answer[9..12].parse().expect("there is a status");
    assert_eq!(status, error.status());
    (error, status)
}

/// The bytes that answer an error: a head that ends the connection, and one line of text.
#[track_caller]
fn answer(error: &HandshakeError) -> String {
    let mut output = WriteBuffer::new();
    error.reject().write(&mut output).expect("the answer is well formed");
    let answer = written(&output);
    let (head, body) = answer.split_once("\r\n\r\n").expect("the head ends");
    let line = |name: &str| {
        let mut values =
            head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there once");
        value
    };
    let status = error.status();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert_eq!(line("Content-Length"), Some(&*body.len().to_string()));
    assert_eq!(line("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(body, format!("{error}\n"));
    assert_eq!(body.lines().count(), 1);
    if status == 426 {
        assert_eq!(line("Upgrade"), Some("websocket"));
        assert_eq!(line("Connection"), Some("Upgrade, close"));
        assert_eq!(line("Sec-WebSocket-Version"), Some("13"));
    } else {
        assert_eq!(line("Upgrade"), None);
        assert_eq!(line("Connection"), Some("close"));
    }
    assert_eq!(line("Allow"), if status == 405 { Some("GET") } else { None });
    answer
}

#[test]
fn the_example_of_the_rfc() {
    let bytes = b"GET /chat HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://example.com\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";
    let request = accepted(bytes);
    assert_eq!((request.method(), request.target()), ("GET", "/chat"));
    assert_eq!((request.path(), request.query()), ("/chat", None));
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
fn what_follows_the_request_is_left() {
    let frames = b"\x81\x85\0\0\0\0hello\r\n\r\n";
    let bytes = [&line("GET / HTTP/1.1")[..], frames].concat();
    let (request, rest) = however_cut(&bytes, |pieces| serve(pieces, &Limits::default()));
    assert_eq!(request.unwrap().unwrap().path(), "/");
    assert_eq!(rest, frames);
}

#[test]
fn an_incomplete_request_needs_more() {
    let bytes = line("GET / HTTP/1.1");
    assert_eq!(receive(&bytes[..bytes.len() - 1]), Ok(None));
    assert_eq!(receive(b"\r\n\r\n"), Ok(None));
    assert_eq!(receive(b""), Ok(None));
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
fn lines_may_end_with_lf_and_empty_ones_come_first() {
    let text = String::from_utf8(line("GET / HTTP/1.1")).unwrap();
    accepted(text.replace("\r\n", "\n").as_bytes());
    accepted(format!("\r\n\n\r\n{text}").as_bytes());
    // One kind here, the other there.
    accepted(text.replacen("\r\n", "\n", 3).as_bytes());
    accepted(text.replace("\r\n\r\n", "\n\r\n").as_bytes());
    accepted(text.replace("\r\n\r\n", "\r\n\n").as_bytes());
}

#[test]
fn targets() {
    let parts = |target: &str| {
        let request = accepted(&line(&format!("GET {target} HTTP/1.1")));
        assert_eq!(request.target(), target);
        let query = request.query().map(str::to_owned);
        (request.path().to_owned(), query, request.host().to_owned())
    };
    let same = |path: &str, query: Option<&str>| {
        (path.to_owned(), query.map(str::to_owned), "server.example.com".to_owned())
    };
    assert_eq!(parts("/"), same("/", None));
    assert_eq!(parts("/a/b%20c?d=/e?f"), same("/a/b%20c", Some("d=/e?f")));
    assert_eq!(parts("/?"), same("/", Some("")));
    assert_eq!(parts("//example.org/x"), same("//example.org/x", None));
    // RFC 9112 §3.2.2: the authority of an absolute target counts, not the Host.
    let other = |path: &str, query: Option<&str>, host: &str| {
        (path.to_owned(), query.map(str::to_owned), host.to_owned())
    };
    assert_eq!(parts("http://other.example"), other("/", None, "other.example"));
    assert_eq!(parts("HTTPS://o:8443/x?y"), other("/x", Some("y"), "o:8443"));
    assert_eq!(parts("ws://[::1]?y"), other("/", Some("y"), "[::1]"));

    for target in [
        "*",
        "x",
        "example.com:80",
        "/a#b",
        "http:/x",
        "http://",
        "http:///x",
        "ftp://h/x",
        "http://user@h/x",
        "http://h:99999/",
        "http://[::1/",
        "://h/",
        "?",
        "http://h#x",
        "http://h\\x",
    ] {
        let (error, status) = refused(&line(&format!("GET {target} HTTP/1.1")));
        assert_eq!((error, status), (HandshakeError::InvalidTarget, 400), "{target}");
    }
}

#[test]
fn request_lines() {
    for malformed in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/11",
        "GET / HTTP/1.1x",
        "GET /\tHTTP/1.1",
        "G(T / HTTP/1.1",
        "GET /\u{e4} HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET /\u{7f} HTTP/1.1",
        "GET",
        "GET /\r HTTP/1.1",
        "GET / HTTP/1.1\r",
        "GET / HTTP/a.1",
        "GET / HTTP/1.b",
        "GET / HTTP/10.1",
        "/ HTTP/1.1",
    ] {
        let (error, status) = refused(&line(malformed));
        let expected = HandshakeError::Malformed(HeadPart::RequestLine);
        assert_eq!((error, status), (expected, 400), "{malformed:?}");
    }
}

#[test]
fn only_get_and_only_http_1_1() {
    let (error, status) = refused(&line("POST /chat HTTP/1.1"));
    assert_eq!((error, status), (HandshakeError::Method("POST".into()), 405));
    assert_eq!(refused(&line("get /chat HTTP/1.1")).1, 405);
    // However long it is, little of it is repeated.
    let (error, _) = refused(&line(&format!("{} / HTTP/1.1", "X".repeat(5000))));
    assert_eq!(error, HandshakeError::Method("X".repeat(64).into()));

    let version = |first_line: &str| match refused(&line(first_line)) {
        (HandshakeError::HttpVersion(HttpVersion { major, minor }), status) => {
            (major, minor, status)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(version("GET / HTTP/1.0"), (1, 0, 426));
    assert_eq!(version("GET / HTTP/2.0"), (2, 0, 505));
    assert_eq!(version("GET / HTTP/0.9"), (0, 9, 505));
    assert_eq!(version("PRI * HTTP/2.0"), (2, 0, 505));
    // RFC 9110 §2.5: a later minor version is understood.
    accepted(&line("GET / HTTP/1.2"));
}

#[test]
fn an_answer_to_head_has_no_body_and_tells_no_length() {
    // Whatever else is wrong with the request (RFC 9110 §8.6, §9.3.2).
    for rest in ["/ HTTP/1.1", "/ HTTP/1.0", "/ HTTP/2.0", "* HTTP/1.1"] {
        let error = receive(&line(&format!("HEAD {rest}"))).unwrap_err();
        let mut output = WriteBuffer::new();
        error.reject().write(&mut output).unwrap();
        let expected = "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nAllow: GET\r\n\r\n";
        assert_eq!(written(&output), expected, "{rest}");
    }
}

#[test]
fn a_request_line_that_is_refused_is_refused_at_its_end() {
    for (first_line, status) in
        [("POST / HTTP/1.1", 405), ("GET / HTTP/1.0", 426), ("PRI * HTTP/2.0", 505)]
    {
        let error = receive(format!("{first_line}\r\n").as_bytes()).unwrap_err();
        assert_eq!(error.status(), status, "{first_line}");
    }
}

#[test]
fn the_transport_ends_early() {
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
    // What was wrong before counts.
    let mut input = ReadBuffer::new();
    input.extend_from_slice(b"\x16");
    let error = ServerHandshake::new(&Limits::default()).receive_eof(&mut input);
    assert_eq!(error, HandshakeError::Malformed(HeadPart::RequestLine));
}

#[test]
fn exactly_one_valid_host() {
    for host in ["h", "h:80", "h:", "127.0.0.1:1", "[::1]", "[::1]:8080", "a_b-c.~d"] {
        assert_eq!(accepted(&with("Host", &[host])).host(), host);
    }
    let error = |values: &[&str]| refused(&with("Host", values));
    assert_eq!(error(&[]), (HandshakeError::MissingHeader("Host"), 400));
    let twice = HandshakeError::RepeatedHeader { name: "Host", count: 2 };
    assert_eq!(error(&["h", "h"]), (twice, 400));
    for host in [
        "", ":80", "a b", "a,b/", "u@h", "h/", "h:x", "h:65536", "[::1", "::1", "[x]", "h%41",
        "\u{e4}",
    ] {
        assert_eq!(error(&[host]), (HandshakeError::InvalidHost, 400), "{host:?}");
    }
    // Also if an absolute target overrides it (RFC 9112 §3.2).
    let absolute = String::from_utf8(with("Host", &["a b"])).unwrap().replace("/chat", "http://h/");
    assert_eq!(refused(absolute.as_bytes()), (HandshakeError::InvalidHost, 400));
}

#[test]
fn upgrade_and_connection_are_lists_over_any_number_of_lines() {
    for values in
        [&["websocket"][..], &["WebSocket"], &["h2c, websocket"], &["h2c", ",, WEBSOCKET\t,"]]
    {
        accepted(&with("Upgrade", values));
    }
    for values in [
        &["keep-alive, Upgrade"][..],
        &["UPGRADE"],
        &["keep-alive", "upgrade"],
        &[",upgrade,close"],
    ] {
        accepted(&with("Connection", values));
    }
    for values in [&[][..], &[""], &["websockets"], &["web socket"], &["h2c"], &["\"websocket\""]] {
        assert_eq!(refused(&with("Upgrade", values)), (HandshakeError::NoUpgrade, 426));
    }
    for values in [&[][..], &[""], &["keep-alive"], &["upgrade2"], &["up", "grade"]] {
        let error = (HandshakeError::NoConnectionUpgrade, 426);
        assert_eq!(refused(&with("Connection", values)), error);
    }
}

#[test]
fn exactly_one_key_of_16_bytes() {
    accepted(&with("Sec-WebSocket-Key", &["AAAAAAAAAAAAAAAAAAAAAA=="]));
    // The example of RFC 6455 §4.1 has bits beyond its 16 bytes.
    accepted(&with("Sec-WebSocket-Key", &["AQIDBAUGBwgJCgsMDQ4PEC=="]));
    let error = |values: &[&str]| refused(&with("Sec-WebSocket-Key", values));
    assert_eq!(error(&[]), (HandshakeError::MissingHeader("Sec-WebSocket-Key"), 400));
    let twice = HandshakeError::RepeatedHeader { name: "Sec-WebSocket-Key", count: 2 };
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    assert_eq!(error(&[key, key]), (twice, 400));
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZWE=",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZWVl",
        "dGhlIHNhbXBsZSBub25jZ!==",
        "====dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25j_Q==",
        "dGhlIHNhbXBsZSBub25jZQ==x",
    ] {
        let expected = HandshakeError::InvalidKey { len: key.len() };
        assert_eq!(error(&[key]), (expected, 400), "{key}");
    }
}

#[test]
fn subprotocols_are_differing_tokens() {
    let offered = |values: &[&str]| -> Vec<String> {
        accepted(&with("Sec-WebSocket-Protocol", values))
            .subprotocols()
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(offered(&[]), [""; 0]);
    assert_eq!(offered(&["a, B", " ,c,,b "]), ["a", "B", "c", "b"]);
    assert_eq!(offered(&["", "a"]), ["a"]);
    for values in
        [&[""][..], &[","], &["", " "], &["a b"], &["a, a"], &["a", "a"], &["a/b"], &["\u{e4}"]]
    {
        let error = (HandshakeError::InvalidSubprotocols, 400);
        assert_eq!(refused(&with("Sec-WebSocket-Protocol", values)), error, "{values:?}");
    }
}

#[test]
fn extensions_are_passed_over_but_well_formed() {
    for values in [&["a"][..], &["a; b; c=1, d;e=\"2\"", ",f"], &["", "x"]] {
        accepted(&with("Sec-WebSocket-Extensions", values));
    }
    for values in
        [&[""][..], &[",", " "], &["a;"], &["a", ";b"], &["a=1"], &["a; b=\"1"], &["a; b=\" \""]]
    {
        let (error, status) = refused(&with("Sec-WebSocket-Extensions", values));
        assert!(matches!(error, HandshakeError::InvalidExtensions(_)), "{values:?}: {error}");
        assert_eq!(status, 400);
    }
}

#[test]
fn malformed_headers() {
    let part = |header: &str| {
        let text = String::from_utf8(line("GET / HTTP/1.1")).unwrap();
        match refused(text.replace("\r\n\r\n", &format!("\r\n{header}\r\n\r\n")).as_bytes()) {
            (HandshakeError::Malformed(part), 400) => part,
            other => panic!("{header:?}: {other:?}"),
        }
    };
    for header in [
        "X : y",
        "X",
        ": y",
        "X\0: y",
        " folded",
        "\tfolded",
        "X\u{e4}: y",
        "X y: z",
        "(: y",
        "X\r: y",
    ] {
        assert_eq!(part(header), HeadPart::HeaderName, "{header:?}");
    }
    for header in ["X: a\0b", "X: a\rb", "X: \u{1}", "X: a\r\r", "X: \u{7f}"] {
        assert_eq!(part(header), HeadPart::HeaderValue, "{header:?}");
    }
    assert_eq!(part("\r"), HeadPart::LineEnd);
    accepted(&with("X", &["\u{e4}\t!", "", " \t "]));
}

#[test]
fn limits_are_exact() {
    let bytes = line("GET / HTTP/1.1");
    let all = bytes.len();
    let receive = |limits: Limits| however_cut(&bytes, |pieces| serve(pieces, &limits)).0;
    assert!(receive(Limits::default().handshake_bytes(all).handshake_headers(5)).is_ok());
    for limit in [all - 1, 20] {
        let error = receive(Limits::default().handshake_bytes(limit)).unwrap_err();
        assert_eq!((error.status(), error), (431, HandshakeError::HeadTooLong { limit }));
    }
    for limit in [4, 0] {
        let error = receive(Limits::default().handshake_headers(limit)).unwrap_err();
        assert_eq!((error.status(), error), (431, HandshakeError::TooManyHeaders { limit }));
    }
    assert!(receive(Limits::default().handshake_bytes(0)).is_err());

    let target = |len: usize| format!("/{}", "x".repeat(len - "GET / HTTP/1.1".len()));
    let longest = line(&format!("GET {} HTTP/1.1", target(8190)));
    assert_eq!(accepted(&longest).target().len(), 8190 - 13);
    let too_long = line(&format!("GET {} HTTP/1.1", target(8191)));
    let (error, status) = refused(&too_long);
    assert_eq!((error, status), (HandshakeError::RequestLineTooLong { limit: 8192 }, 414));
    let receive = |limits: Limits| however_cut(&too_long, |pieces| serve(pieces, &limits)).0;
    assert!(receive(Limits::default().handshake_line(8193)).is_ok());
    // A head that would be too long by its first line alone has a line that is too long.
    for limit in [8192, 20, 1, 0] {
        let expected = HandshakeError::RequestLineTooLong { limit };
        assert_eq!(receive(Limits::default().handshake_bytes(limit)), Err(expected));
    }
}

#[test]
fn what_something_else_has_parsed_is_checked_alike() {
    let headers = || HEADERS.iter().map(|(name, value)| (*name, value.as_bytes()));
    let request = Request::new("GET", "/chat", HttpVersion::HTTP_11, headers());
    assert_eq!(request, Ok(accepted(&line("GET /chat HTTP/1.1"))));
    let two = HttpVersion { major: 2, minor: 0 };
    assert_eq!(Request::new("GET", "/", two, headers()), Err(HandshakeError::HttpVersion(two)),);
    for target in ["", "/ ", "/\n", "/\u{e4}"] {
        let request = Request::new("GET", target, HttpVersion::HTTP_11, headers());
        assert_eq!(request, Err(HandshakeError::InvalidTarget), "{target:?}");
    }
    // White space around a value may not have been taken off.
    let padded = HEADERS.map(|(name, value)| (name, format!(" \t{value} ")));
    let padded = padded.iter().map(|(name, value)| (*name, value.as_bytes()));
    assert!(Request::new("GET", "/", HttpVersion::HTTP_11, padded).is_ok());
}

#[test]
fn answers_that_may_not_be_given() {
    let offers = b"Sec-WebSocket-Protocol: chat, Superchat\r\n\
        Sec-WebSocket-Extensions: deflate; x, foo\r\nSec-WebSocket-Extensions: deflate\r\n\r\n";
    let bytes = line("GET / HTTP/1.1");
    let request = accepted(&[&bytes[..bytes.len() - 2], offers].concat());
    let mut output = WriteBuffer::new();
    let mut error = |accept: &Accept<'_>| {
        let error = request.accept(accept, &mut output).expect_err("it is not allowed");
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
fn an_answer_with_more_headers() {
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
    let end = "\r\nSec-WebSocket-Extensions: mux, deflate; window=9;z\r\n\r\n";
    assert!(answer.ends_with(end), "{answer}");

    assert_eq!(accepted(&line("GET / HTTP/1.1")).extensions().count(), 0);
    let none = Negotiated::new();
    assert_eq!(none.extensions.capacity(), 0);
    assert_eq!(none.extension(" "), Err(ExtensionError::Empty));
}

// What has gone wrong elsewhere.

#[test]
fn old_drafts() {
    let error = |values: &[&str]| refused(&with("Sec-WebSocket-Version", values));
    for (version, number) in [("0", 0), ("8", 8), ("12", 12), ("14", 14), ("255", 255)] {
        assert_eq!(error(&[version]), (HandshakeError::WebSocketVersion(Some(number)), 426));
    }
    for version in
        ["", "013", "+13", "+8", "-8", "008", "00", "13, 13", "8, 13", "1 3", "13;", "256", "x"]
    {
        assert_eq!(error(&[version]), (HandshakeError::WebSocketVersion(None), 426), "{version}");
    }
    assert_eq!(error(&[]), (HandshakeError::WebSocketVersion(None), 426));
    let twice = HandshakeError::RepeatedHeader { name: "Sec-WebSocket-Version", count: 2 };
    assert_eq!(error(&["13", "13"]), (twice, 400));
}

#[test]
fn upgrade_smuggling() {
    let error = |name: &str, values: &[&str]| refused(&with(name, values));
    for values in [&["5"][..], &["5, 5"], &["5", "5"], &["0", "5"], &["05"]] {
        let (error, status) = error("Content-Length", values);
        match error {
            HandshakeError::Body { len: 5 } => assert_eq!(status, 413),
            HandshakeError::InvalidContentLength => assert_eq!((values[0], status), ("0", 400)),
            other => panic!("{other}"),
        }
    }
    let largest = &*u64::MAX.to_string();
    assert_eq!(error("Content-Length", &[largest]).0, HandshakeError::Body { len: u64::MAX });
    for values in [
        &[""][..],
        &["x"],
        &["-1"],
        &["+5"],
        &["0x5"],
        &["5,"],
        &["5, 6"],
        &["0", "00000000000000000000000x"],
        &["18446744073709551616"],
    ] {
        let expected = (HandshakeError::InvalidContentLength, 400);
        assert_eq!(error("content-length", values), expected, "{values:?}");
    }
    for value in ["chunked", "identity", "", "gzip, chunked"] {
        assert_eq!(error("Transfer-Encoding", &[value]), (HandshakeError::TransferEncoding, 400));
    }
    for values in [&["0"][..], &["0, 0"], &["00", "0"]] {
        accepted(&with("Content-Length", values));
    }
}

#[test]
fn crlf_injection() {
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
