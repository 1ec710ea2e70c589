//! Handshakes whose HTTP is done by a library: on HTTP/1.1 and on streams of HTTP/2.

use sansocket::{
    Config, Limits,
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{
        Accept, AcceptError, ClientHandshake, ClientRequest, ExtendedConnect, HandshakeError,
        HttpVersion, PlainResponse, Request, ServerHandshake, Url,
    },
    server::{Acceptor, ForwardingHeader, OriginPolicy, TrustedProxies},
};
use std::net::SocketAddr;

const NONCE: [u8; 16] = *b"the sample nonce";

fn upgrade<'a>(fields: &[(&'a str, &'a str)]) -> Request {
    let fixed = [
        ("Host", "h"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];
    let fields = fixed.iter().chain(fields).map(|(name, value)| (*name, value.as_bytes()));
    Request::new("GET", "/", HttpVersion::HTTP_11, fields).unwrap()
}

fn connect<'a>(fields: &[(&'a str, &'a str)]) -> Request {
    let connect =
        ExtendedConnect { protocol: "websocket", scheme: "https", authority: "h", path: "/" };
    let fixed = [("sec-websocket-version", "13")];
    let fields = fixed.iter().chain(fields).map(|(name, value)| (*name, value.as_bytes()));
    Request::extended_connect(connect, fields).unwrap()
}

/// Runs a test with both forms of a request.
fn both(test: impl Fn(&dyn Fn(&[(&'static str, &'static str)]) -> Request)) {
    test(&|fields| upgrade(fields));
    test(&|fields| connect(fields));
}

/// The same bytes are within the limits, or not, whoever reads them.
#[test]
fn the_limits_of_the_head_apply_to_requests_of_libraries() {
    let whole = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let check = |limits| {
        let acceptor: Acceptor = Acceptor::new().config(Config::default().limits(limits));
        let by_library = acceptor.check(&mut upgrade(&[]), None);
        let mut input = ReadBuffer::new();
        input.extend_from_slice(whole.as_bytes());
        let read = ServerHandshake::new(&limits)
            .receive(&mut input)
            .map(|request| assert!(request.is_some()));
        assert_eq!(by_library, read, "{limits:?}");
        by_library
    };
    let limits = Limits::default();
    let (line, bytes, fields) = ("GET / HTTP/1.1\r\n".len(), whole.len(), 5);
    let exact = limits.handshake_line(line).handshake_bytes(bytes).handshake_headers(fields);
    assert_eq!(check(exact), Ok(()));
    let limit = line - 1;
    assert_eq!(
        check(exact.handshake_line(limit)),
        Err(HandshakeError::RequestLineTooLong { limit })
    );
    let limit = bytes - 1;
    assert_eq!(check(exact.handshake_bytes(limit)), Err(HandshakeError::HeadTooLong { limit }));
    let limit = fields - 1;
    assert_eq!(
        check(exact.handshake_headers(limit)),
        Err(HandshakeError::TooManyHeaders { limit })
    );
    let acceptor: Acceptor = Acceptor::new().config(Config::default().limits(exact));
    let long = connect(&[("x", Box::leak("y".repeat(bytes).into_boxed_str()))]);
    let limit = bytes;
    let refused = acceptor.check(&mut long.clone(), None);
    assert_eq!(refused, Err(HandshakeError::HeadTooLong { limit }));
}

fn names(headers: &[(String, String)]) -> Vec<&str> {
    headers.iter().map(|(name, _)| name.as_str()).collect()
}

/// RFC 8441 §5: what proves in HTTP/1.1 that both endpoints mean WebSocket does not exist on a stream.
#[test]
fn a_stream_has_no_fields_of_the_upgrade() {
    let answer = Accept::new().subprotocol("a").header("Set-Cookie", "b=c");
    let offer = [("Sec-WebSocket-Protocol", "a")];
    let acceptance = upgrade(&offer).acceptance(&answer).unwrap();
    assert_eq!(acceptance.status, 101);
    assert_eq!(
        names(&acceptance.headers),
        ["Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Set-Cookie"]
    );
    let acceptance = connect(&offer).acceptance(&answer).unwrap();
    assert_eq!(acceptance.status, 200);
    assert_eq!(names(&acceptance.headers), ["Sec-WebSocket-Protocol", "Set-Cookie"]);
    assert_eq!(acceptance.negotiated.subprotocol.as_deref(), Some("a"));
}

#[test]
fn a_response_to_a_stream_is_not_written_as_http_1() {
    let mut output = WriteBuffer::new();
    assert!(connect(&[]).is_extended_connect() && !upgrade(&[]).is_extended_connect());
    assert_eq!(connect(&[]).accept(&Accept::new(), &mut output), Err(AcceptError::NotHttp1));
    assert!(output.is_empty());
}

#[test]
fn an_acceptor_checks_the_origin() {
    both(|request| {
        let of_h = [("Origin", "https://h")];
        let of_another = [("Origin", "https://other")];
        let acceptor: Acceptor = Acceptor::new();
        assert_eq!(acceptor.check(&mut request(&of_h), None), Ok(()));
        let refused = acceptor.check(&mut request(&of_another), None).unwrap_err();
        assert_eq!(refused, HandshakeError::OriginNotAllowed("https://other".into()));
        let acceptor = acceptor.origin(OriginPolicy::any());
        assert_eq!(acceptor.check(&mut request(&of_another), None), Ok(()));
    });
}

#[test]
fn an_acceptor_tells_the_address_of_the_client() {
    both(|request| {
        let forwarded = [("X-Forwarded-For", "203.0.113.9")];
        let peer = SocketAddr::from(([10, 0, 0, 1], 80));
        let address = |acceptor: &Acceptor, peer| {
            let mut request = request(&forwarded);
            acceptor.check(&mut request, peer).unwrap();
            request.client_address()
        };
        let acceptor: Acceptor = Acceptor::new();
        assert_eq!(address(&acceptor, None), None);
        assert_eq!(address(&acceptor, Some(peer)), Some(peer));
        let proxies = TrustedProxies::new()
            .header(ForwardingHeader::XForwardedFor, ["10.0.0.0/8".parse().unwrap()]);
        let acceptor = acceptor.trusted_proxies(proxies);
        let client = SocketAddr::from(([203, 0, 113, 9], 0));
        assert_eq!(address(&acceptor, Some(peer)), Some(client));

        let mut refused = request(&[("Origin", "https://other")]);
        acceptor.check(&mut refused, Some(peer)).unwrap_err();
        assert_eq!(refused.client_address(), Some(peer));
    });
}

#[test]
fn an_acceptor_answers_as_its_shells_do() {
    both(|request| {
        let acceptor: Acceptor = Acceptor::new();
        let request = request(&[("Sec-WebSocket-Extensions", "permessage-deflate")]);
        let error = acceptor.acceptance(&request, &Accept::new().extension("permessage-deflate"));
        let refused = AcceptError::ExtensionNotImplemented("permessage-deflate".into());
        assert_eq!(error.unwrap_err(), refused);
        let (acceptance, config) = acceptor.acceptance(&request, &Accept::new()).unwrap();
        assert!(acceptance.negotiated.extensions.is_empty());
        assert_eq!(config.limits, Limits::default());
        #[cfg(feature = "deflate")]
        {
            use sansocket::{Config, deflate::DeflateConfig};

            let compressing = Config::default().deflate(DeflateConfig::default());
            let acceptor = acceptor.config(compressing);
            let (acceptance, config) = acceptor.acceptance(&request, &Accept::new()).unwrap();
            assert_eq!(acceptance.negotiated.extensions[0].name, "permessage-deflate");
            assert!(config.deflate.is_some());
            let (acceptance, config) =
                acceptor.acceptance(&request, &Accept::new().deflate(None)).unwrap();
            assert!(acceptance.negotiated.extensions.is_empty() && config.deflate.is_none());
        }
    });
}

/// RFC 9113 §8.2.2.
#[test]
fn a_refusal_of_a_stream_has_no_fields_of_connections() {
    let wrong_version = HandshakeError::WebSocketVersion(Some(8)).response();
    assert_eq!(wrong_version.status(), 426);
    let response = wrong_version.for_stream();
    assert_eq!(response.status(), 400);
    let headers: Vec<_> = response.headers().collect();
    let text = ("Content-Type", "text/plain; charset=utf-8");
    assert_eq!(headers, [text, ("Sec-WebSocket-Version", "13")]);
    let response = PlainResponse::new(403).header("keep-alive", "a").header("X-Y", "z");
    assert!(response.for_stream().headers().eq([text, ("X-Y", "z")]));
}

#[test]
fn a_library_sends_what_the_shells_send() {
    let url: Url = "wss://user:secret@example.com/chat?a=b".parse().unwrap();
    let request = ClientRequest::new(&url)
        .subprotocols(["x", "y"])
        .extension("x-a; b=c")
        .header("Cookie", "d=e");
    let mut output = WriteBuffer::new();
    ClientHandshake::start(&request, NONCE, &mut output, &Limits::default()).unwrap();
    let (parts, _) = request.upgrade(NONCE).unwrap();
    let mut text = format!("{} {} HTTP/1.1\r\n", parts.method, parts.target);
    for (name, value) in &parts.headers {
        text += &format!("{name}: {value}\r\n");
    }
    assert_eq!(crate::written(&output), text + "\r\n");
    assert_eq!(parts.protocol, None);

    let (stream, _) = request.extended_connect().unwrap();
    assert_eq!((stream.method, stream.protocol), ("CONNECT", Some("websocket")));
    assert_eq!((&*stream.authority, &*stream.target), ("example.com", "/chat?a=b"));
    let of_http_1 = ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key"];
    let rest = parts.headers.iter().filter(|(name, _)| !of_http_1.contains(&name.as_str()));
    assert!(stream.headers.iter().eq(rest));
    let debug = format!("{parts:?} {stream:?}");
    assert!(!debug.contains("d=e") && !debug.contains("Basic"), "{debug}");
}

#[test]
fn an_invalid_request_is_not_sent() {
    let request = ClientRequest::from_parts("h", "/").header("Upgrade", "h2c");
    assert_eq!(request.upgrade(NONCE).unwrap_err(), request.extended_connect().unwrap_err());
    let request = ClientRequest::from_parts("h", "no path");
    assert!(request.upgrade(NONCE).is_err() && request.extended_connect().is_err());
}

#[test]
fn a_response_in_another_version_is_no_upgrade() {
    let (_, expected) = ClientRequest::from_parts("h", "/").upgrade(NONCE).unwrap();
    let fields: [(&str, &[u8]); 3] = [
        ("Upgrade", b"websocket"),
        ("Connection", b"Upgrade"),
        ("Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ];
    assert_eq!(expected.check(101, HttpVersion::HTTP_11, fields).unwrap().status(), 101);
    let old = HttpVersion { major: 1, minor: 0 };
    let refused = expected.check(101, old, fields).unwrap_err();
    assert_eq!(refused, HandshakeError::HttpVersion(old));
    assert!(matches!(
        expected.check(200, HttpVersion::HTTP_11, fields),
        Err(HandshakeError::Refused(refusal)) if refusal.status() == 200
    ));
}

#[test]
fn a_refusal_gets_the_beginning_of_its_body() {
    let (_, expected) = ClientRequest::from_parts("h", "/").upgrade(NONCE).unwrap();
    let fields: [(&str, &[u8]); 1] = [("Retry-After", b"5")];
    let Err(HandshakeError::Refused(refusal)) = expected.check(503, HttpVersion::HTTP_11, fields)
    else {
        panic!("not refused")
    };
    assert!(!refusal.is_complete() && refusal.is_transient());
    let whole = refusal.clone().with_body("later", true);
    assert_eq!((whole.body(), whole.is_complete()), (&b"later"[..], true));
    let long = refusal.with_body(vec![b'x'; 5000], true);
    assert_eq!((long.body().len(), long.is_complete()), (4096, false));
}

/// RFC 9113 §8.2.3: what reads the request as one of HTTP/1.1 sees one field.
#[test]
fn the_pieces_of_a_cookie_are_put_together_on_http2() {
    let pieces = [("cookie", "a=1"), ("x", "y"), ("Cookie", " b=2 "), ("cookie", "c=3")];
    let request = connect(&pieces);
    assert_eq!(request.header_text("Cookie"), Some("a=1; b=2; c=3"));
    assert_eq!(request.headers_named("cookie").count(), 1);
    assert_eq!(request.header_text("x"), Some("y"));
    assert_eq!(connect(&[("cookie", "a=1; b=2")]).header_text("cookie"), Some("a=1; b=2"));
    assert_eq!(connect(&[]).header("cookie"), None);
    // HTTP/1.1 has no such rule: the fields are what the client sent.
    assert_eq!(upgrade(&pieces).header_text("cookie"), Some("a=1"));

    // So a browser with many cookies is within the limits of the head on both versions.
    let acceptor: Acceptor = Acceptor::new();
    let mut many = connect(&[("cookie", "a=1"); 500]);
    assert_eq!(acceptor.check(&mut many, None), Ok(()));
}
