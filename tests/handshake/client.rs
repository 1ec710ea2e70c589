//! Requests that a client sends, and the answers that it takes or not.

use crate::{NONCE, ask, however_cut, written};
use sansocket::{
    ClientHandshake, ClientRequest, ExtensionError, HandshakeError, HeadPart, HeaderError,
    HttpVersion, Limits, Negotiated, ReadBuffer, Refusal, RequestError, Response, Url, WriteBuffer,
};

type Header<'a> = (&'a str, &'a str);

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

fn message(first_line: &str, headers: &[Header<'_>]) -> Vec<u8> {
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first_line}\r\n{lines}\r\n").into_bytes()
}

/// The good response, with other lines for one of its headers.
fn with(changed: &str, values: &[&str]) -> Vec<u8> {
    let mut headers: Vec<_> = HEADERS.into_iter().filter(|(name, _)| *name != changed).collect();
    headers.extend(values.iter().map(|value| (changed, *value)));
    message(SWITCHING, &headers)
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
fn the_request() {
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
fn requests_that_may_not_be_sent() {
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
fn crlf_injection() {
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
fn a_response_that_opens() {
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
        assert!(receive(&message(first_line, &HEADERS)).is_ok(), "{first_line}");
    }
    let text = String::from_utf8(message(SWITCHING, &HEADERS)).unwrap();
    assert!(receive(text.replace("\r\n", "\n").as_bytes()).is_ok());
}

#[test]
fn what_follows_the_response_is_left() {
    let bytes = [&message(SWITCHING, &HEADERS)[..], b"\x81\x05hello"].concat();
    let (response, rest) =
        however_cut(&bytes, |pieces| ask(&request(), pieces, &Limits::default()));
    assert!(response.is_ok());
    assert_eq!(rest, b"\x81\x05hello");
}

// What has gone wrong elsewhere.

#[test]
fn a_client_that_takes_any_101() {
    let missing = |name| Err(HandshakeError::MissingHeader(name));
    let repeated = |name| Err(HandshakeError::RepeatedHeader { name, count: 2 });
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let name = "Sec-WebSocket-Accept";
    assert_eq!(receive(&with(name, &[])), missing(name));
    assert_eq!(receive(&with(name, &[accept, accept])), repeated(name));
    for value in [
        "",
        "x",
        "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo==",
    ] {
        assert_eq!(receive(&with(name, &[value])), Err(HandshakeError::WrongAccept), "{value}");
    }
    assert_eq!(receive(&with("Upgrade", &[])), missing("Upgrade"));
    assert_eq!(receive(&with("Upgrade", &["websocket", "websocket"])), repeated("Upgrade"));
    for value in ["", "h2c", "websocket, h2c", "websockets"] {
        assert_eq!(receive(&with("Upgrade", &[value])), Err(HandshakeError::NoUpgrade), "{value}");
    }
    for values in [&[][..], &["close"], &["upgraded"]] {
        let expected = Err(HandshakeError::NoConnectionUpgrade);
        assert_eq!(receive(&with("Connection", values)), expected, "{values:?}");
    }
    let old = HttpVersion { major: 1, minor: 0 };
    let response = receive(&message("HTTP/1.0 101 Switching Protocols", &HEADERS));
    assert_eq!(response, Err(HandshakeError::HttpVersion(old)));
}

#[test]
fn nothing_that_was_not_offered() {
    let name = "Sec-WebSocket-Protocol";
    let response = receive(&with(name, &["superchat"])).unwrap();
    assert_eq!(response.negotiated().subprotocol.as_deref(), Some("superchat"));
    for value in ["", "Chat", "other", "chat, superchat"] {
        let expected = HandshakeError::SubprotocolNotOffered(value.into());
        assert_eq!(receive(&with(name, &[value])), Err(expected));
    }
    let expected = HandshakeError::RepeatedHeader { name, count: 2 };
    assert_eq!(receive(&with(name, &["chat", "chat"])), Err(expected));
    let none = ClientRequest::from_parts("h", "/");
    let bytes = with(name, &["chat"]);
    let (response, _) = ask(&none, [&bytes[..]], &Limits::default());
    assert_eq!(response, Err(HandshakeError::SubprotocolNotOffered("chat".into())));

    let name = "Sec-WebSocket-Extensions";
    let offers = request().extension("mux").extension("deflate; a=1, deflate");
    let receive_of = |values: &[&str]| {
        however_cut(&with(name, values), |pieces| ask(&offers, pieces, &Limits::default())).0
    };
    let response = receive_of(&["deflate; a=2;b, mux"]).unwrap();
    let expected = Negotiated::new().extension("deflate; a=2; b, mux").unwrap();
    assert_eq!(response.negotiated(), &expected);
    assert_eq!(receive_of(&[]).unwrap().negotiated(), &Negotiated::new());
    let expected = HandshakeError::ExtensionNotOffered("x".into());
    assert_eq!(receive_of(&["mux, x"]), Err(expected));
    let expected = HandshakeError::RepeatedExtension("deflate".into());
    assert_eq!(receive_of(&["deflate, mux, deflate; a=1"]), Err(expected));
    let expected = HandshakeError::RepeatedHeader { name, count: 2 };
    assert_eq!(receive_of(&["mux", "deflate"]), Err(expected));
    let expected = HandshakeError::InvalidExtensions(ExtensionError::NoToken { at: 4 });
    assert_eq!(receive_of(&["mux;"]), Err(expected));
    let response = receive(&with(name, &["permessage-deflate; a=b"]));
    let expected = HandshakeError::ExtensionNotOffered("permessage-deflate".into());
    assert_eq!(response, Err(expected));
    for value in ["", "a b", "=", ";a"] {
        let error = receive(&with(name, &[value])).unwrap_err();
        assert!(matches!(error, HandshakeError::InvalidExtensions(_)), "{value:?}: {error}");
    }
}

#[test]
fn an_over_long_sec_websocket_accept() {
    let limits = Limits::default().handshake_bytes(4 << 20);
    for len in [29, 1000, 1 << 20] {
        let bytes = with("Sec-WebSocket-Accept", &[&"x".repeat(len)]);
        let (response, _) = ask(&request(), [&bytes[..]], &limits);
        assert_eq!(response, Err(HandshakeError::WrongAccept));
    }
}

#[test]
fn status_lines() {
    for first_line in [
        "HTTP/1.1 10",
        "HTTP/1.1 1010",
        "HTTP/1.1  101",
        "HTTP/1.1 099 x",
        "HTTP/1.1 x01",
        "HTTP/11 101 x",
        "HTTP/1.1\t101",
        "HTTP/1.1 101x",
        "HTTP/1.1 101 \0",
        "HTTP/1.1",
        "http/1.1 101 x",
        "SSH-2.0-x",
        " HTTP/1.1 101 x",
        "",
        "HTTP/1.1 101 a\rb",
    ] {
        let expected = HandshakeError::Malformed(HeadPart::StatusLine);
        assert_eq!(receive(&message(first_line, &HEADERS)), Err(expected), "{first_line:?}");
    }
    // Empty lines come before requests only.
    let response = receive(&[b"\n", &message(SWITCHING, &HEADERS)[..]].concat());
    assert_eq!(response, Err(HandshakeError::Malformed(HeadPart::StatusLine)));
    let two = HttpVersion { major: 2, minor: 0 };
    let response = receive(&message("HTTP/2.0 200 OK", &[]));
    assert_eq!(response, Err(HandshakeError::HttpVersion(two)));
}

#[test]
fn interim_responses_are_passed_over() {
    let interim = message("HTTP/1.1 103 Early Hints", &[("Link", "</a>")]);
    let last = message(SWITCHING, &HEADERS);
    let bytes = |count| [interim.repeat(count), last.clone()].concat();
    let response = receive(&bytes(8)).unwrap();
    assert_eq!(response.headers().count(), 3);
    let expected = HandshakeError::TooManyInterimResponses { limit: 8 };
    assert_eq!(receive(&bytes(9)), Err(expected));

    // The limit of bytes is of all of them, the one of headers of each.
    let all = bytes(3).len();
    let receive =
        |limits: Limits| however_cut(&bytes(3), |pieces| ask(&request(), pieces, &limits)).0;
    let limits = Limits::default().handshake_headers(3);
    assert!(receive(limits.handshake_bytes(all)).is_ok());
    let limit = all - 1;
    let expected = HandshakeError::HeadTooLong { limit };
    assert_eq!(receive(limits.handshake_bytes(limit)), Err(expected));
    let expected = HandshakeError::TooManyHeaders { limit: 2 };
    assert_eq!(receive(limits.handshake_headers(2)), Err(expected));
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
fn where_the_body_of_a_refusal_ends() {
    let body = |head: &str, rest: &[u8]| {
        let bytes = [format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), rest].concat();
        let refusal = refusal(&bytes);
        (String::from_utf8(refusal.body().to_vec()).unwrap(), refusal.is_complete())
    };
    let whole = |text: &str| (text.to_owned(), true);
    let part = |text: &str| (text.to_owned(), false);
    // Length.
    assert_eq!(body("404\r\nContent-Length: 0", b"abc"), whole(""));
    assert_eq!(body("404\r\nContent-Length: 3", b"abcdef"), whole("abc"));
    assert_eq!(body("404\r\nContent-Length: 3, 3", b"abcdef"), whole("abc"));
    assert_eq!(body("404\r\nContent-Length: 9", b"abc"), part("abc"));
    assert_eq!(body("404\r\nContent-Length: 18446744073709551615", b"abc"), part("abc"));
    // The transport's end.
    assert_eq!(body("200 OK", b"abc"), whole("abc"));
    assert_eq!(body("200 OK", b""), whole(""));
    assert_eq!(body("404\r\nTransfer-Encoding: gzip", b"abc"), whole("abc"));
    // Chunks, also if a length claims something else.
    let chunked =
        "404\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\nTransfer-Encoding: Chunked";
    let chunks = b"3\r\nabc\r\n0002;x=\"y\"\r\nde\r\nA \n0123456789\n0\r\nTrailer: x\r\n\r\n";
    assert_eq!(body(chunked, chunks), whole("abcde0123456789"));
    assert_eq!(body(chunked, b"0\r\n"), whole(""));
    assert_eq!(body(chunked, b"3\r\nab"), part("ab"));
    assert_eq!(body(chunked, b"3\r\nabc\r\n"), part("abc"));
    for broken in
        ["x", "", "\r\n", "g\r\n", "-1\r\n", " 3\r\nabc", "12345678901234567\r\nabc", "3x\r\nabc"]
    {
        assert_eq!(
            body(chunked, format!("3\r\nabc\r\n{broken}").as_bytes()),
            part("abc"),
            "{broken}"
        );
    }
    assert_eq!(body(chunked, b"3\r\nabcd\r\n"), part("abc"));
    // None at all, or nobody knows.
    assert_eq!(body("204 No Content\r\nContent-Length: 5", b"abcde"), whole(""));
    assert_eq!(body("304 Not Modified\r\nContent-Length: 5", b"abcde"), whole(""));
    assert_eq!(body("404\r\nContent-Length: x", b"abc"), part(""));
    assert_eq!(body("404\r\nContent-Length: 1, 2", b"abc"), part(""));
}

#[test]
fn of_a_long_body_the_first_4_kib_are_kept() {
    let long = "0123456789abcdef".repeat(1000);
    let size = long.len();
    for (head, text) in [
        (format!("Content-Length: {size}"), long.clone()),
        ("X: y".into(), long.clone()),
        ("Transfer-Encoding: chunked".into(), format!("{size:x}\r\n{long}\r\n0\r\n\r\n")),
        ("Transfer-Encoding: chunked".into(), {
            let chunk = format!("10\r\n{}\r\n", &long[..16]);
            chunk.repeat(1000)
        }),
    ] {
        let refusal = refusal(format!("HTTP/1.1 500 x\r\n{head}\r\n\r\n{text}").as_bytes());
        assert!(refusal.body() == &long.as_bytes()[..4096] && !refusal.is_complete());
    }
    let fits = &long[..4096];
    let refusal = refusal(format!("HTTP/1.1 500\r\nContent-Length: 4096\r\n\r\n{fits}").as_bytes());
    assert!(refusal.body() == fits.as_bytes() && refusal.is_complete());
}

#[test]
fn a_refusal_is_told_once_and_when_it_is_complete() {
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
fn all_challenges_are_told() {
    let several = refusal(
        b"HTTP/1.1 401 x\r\nWWW-Authenticate: \xff\r\nWWW-Authenticate: Negotiate, Digest a=b\r\n\
        Proxy-Authenticate: Basic\r\nwww-authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(several.challenges().eq(["Negotiate, Digest a=b", "Basic"]));
    assert_eq!(several.challenge(), Some("Negotiate, Digest a=b"));
    let none = refusal(b"HTTP/1.1 403 x\r\nWWW-Authenticate: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(none.challenges().count(), 0);
}

#[test]
fn what_frames_a_body_is_bounded() {
    let limits = Limits::default().handshake_bytes(100);
    let head = b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for start in ["1;", "1\r", "1\r\nx", "1 ", "1\r\nx\r\n2;"] {
        let filler = if start.ends_with('x') { "\r" } else { "\t" };
        let bytes = [&head[..], start.as_bytes(), filler.repeat(5000).as_bytes()].concat();
        let mut output = WriteBuffer::new();
        let mut handshake =
            ClientHandshake::start(&request(), NONCE, &mut output, &limits).unwrap();
        let mut input = ReadBuffer::new();
        let mut taken = 0;
        for byte in bytes.chunks(1) {
            taken += 1;
            input.extend_from_slice(byte);
            match handshake.receive(&mut input) {
                Ok(None) => {}
                Err(HandshakeError::Refused(refusal)) => {
                    assert!(!refusal.is_complete());
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(taken, head.len() + 4096 + 100, "{start:?}");
        let whole = ask(&request(), [&bytes[..]], &limits).0;
        assert!(matches!(whole, Err(HandshakeError::Refused(refusal)) if !refusal.is_complete()));
    }
}

#[test]
fn folded_headers_of_a_response() {
    // RFC 9112 §5.2: a line end before white space counts as spaces, for a client.
    let refusal =
        refusal(b"HTTP/1.1 404 x\r\nX: a\r\n b\n\tc\r\n \r\nY:\n y\r\nContent-Length: 1\r\n\r\n z");
    assert_eq!(refusal.header("X"), Some(&b"a   b \tc"[..]));
    assert_eq!((refusal.header("Y"), refusal.body()), (Some(&b"y"[..]), &b" "[..]));
    assert!(receive(&with("Sec-WebSocket-Accept", &["\r\n s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])).is_ok());
    // Before the first header it is none.
    let response = receive(&message(&format!("{SWITCHING}\r\n x"), &HEADERS));
    assert_eq!(response, Err(HandshakeError::Malformed(HeadPart::HeaderName)));
    let response = receive(&with("X", &["a\r\r\n b"]));
    assert_eq!(response, Err(HandshakeError::Malformed(HeadPart::HeaderValue)));
}

#[test]
fn a_101_has_no_body() {
    // What follows it is frames, whatever its head says (RFC 9112 §6.3).
    for (name, value) in
        [("Content-Length", "5"), ("Transfer-Encoding", "chunked"), ("Content-Length", "x")]
    {
        let bytes = [&with(name, &[value])[..], b"\x81\x05hello"].concat();
        let (response, rest) =
            however_cut(&bytes, |pieces| ask(&request(), pieces, &Limits::default()));
        assert!(response.is_ok(), "{name}: {value}");
        assert_eq!(rest, b"\x81\x05hello");
    }
}

#[test]
fn redirections_and_challenges() {
    let moved = refusal(b"HTTP/1.1 307 x\r\nLocation: wss://other/\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((moved.location(), moved.challenge()), (Some("wss://other/"), None));
    let text = "the server answered with status 307, location \"wss://other/\"";
    assert_eq!(moved.to_string(), text);
    let authentication = |status: u16, name: &str| {
        let head = format!(
            "HTTP/1.1 {status} x\r\n{name}: Basic realm=\"r\"\r\nContent-Length: 0\r\n\r\n"
        );
        refusal(head.as_bytes()).challenge().map(str::to_owned)
    };
    assert_eq!(authentication(401, "WWW-Authenticate").as_deref(), Some("Basic realm=\"r\""));
    assert_eq!(authentication(407, "Proxy-Authenticate").as_deref(), Some("Basic realm=\"r\""));
    assert_eq!(authentication(401, "Proxy-Authenticate"), None);
    assert_eq!(authentication(403, "WWW-Authenticate"), None);
    let ok = refusal(b"HTTP/1.1 200 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(ok.location(), None);
    let odd = refusal(b"HTTP/1.1 302 x\r\nLocation: \xff\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((odd.location(), odd.header("Location")), (None, Some(&b"\xff"[..])));
}

#[test]
fn the_transport_ends_early() {
    let bytes = message(SWITCHING, &HEADERS);
    for received in [0, 1, bytes.len() - 1] {
        let expected = HandshakeError::TransportEnded { received };
        assert_eq!(receive(&bytes[..received]), Err(expected));
    }
    let interim = message("HTTP/1.1 100 Continue", &[]);
    let expected = HandshakeError::TransportEnded { received: interim.len() };
    assert_eq!(receive(&interim), Err(expected));
}

#[test]
fn errors_say_what_happened() {
    let text = |bytes: &[u8]| receive(bytes).unwrap_err().to_string();
    assert_eq!(text(b""), "the transport ended after 0 bytes of the handshake");
    assert_eq!(
        text(&with("Sec-WebSocket-Protocol", &["a\"b"])),
        "the server chose the subprotocol \"a\\\"b\", which was not offered",
    );
    assert_eq!(text(&with("Connection", &[])), "Connection does not list upgrade");
}
