//! The opening handshakes on both sides.

use crate::peers::{Bare, acceptor, bare_server, connector, echo_server, serve};
use crate::process::Relay;
use sansocket::{
    Error,
    handshake::{Accept, HandshakeError, PlainResponse, Refusal, accept_key},
};
use sansocket_testkit::frames::*;
use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

fn refusal(relay: &Relay) -> Refusal {
    match connector().connect(&relay.url).unwrap_err() {
        Error::Handshake(HandshakeError::Refused(refusal)) => *refusal,
        other => panic!("{other}"),
    }
}

#[test]
fn headers_and_subprotocols_pass_from_end_to_end() {
    let answer =
        Accept::new().subprotocol("chat.v1").header("Set-Cookie", "a=b").header("X-S", "1");
    let (url, servers) = bare_server(answer);
    let relay = Relay::start(&format!("{url}/base/"), &[]);
    let fields = "Cookie: c=d\r\nOrigin: https://page.test\r\nX-Forwarded-For: 192.0.2.7\r\n\
        Keep-Alive: 5\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\
        Sec-WebSocket-Protocol: chat.v2, chat.v1\r\n";
    let (_client, response) = Bare::connect_with(relay.address(), fields);
    let (_, request) = servers.recv().unwrap();
    assert_eq!(request.target(), "/base/path?query");
    assert_eq!(format!("ws://{}", request.header_text("Host").unwrap()), url);
    for (name, value) in [
        ("Cookie", Some("c=d")),
        ("Origin", Some("https://page.test")),
        // Nothing is added unless it is asked for.
        ("X-Forwarded-For", Some("192.0.2.7")),
        ("Sec-WebSocket-Protocol", Some("chat.v2, chat.v1")),
        ("Keep-Alive", None),
        ("X-Hop", None),
        ("Forwarded", None),
    ] {
        assert_eq!(request.header_text(name), value, "{name}");
    }
    assert_ne!(request.header_text("Sec-WebSocket-Key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    for line in ["Sec-WebSocket-Protocol: chat.v1", "Set-Cookie: a=b", "X-S: 1"] {
        assert!(response.contains(&format!("{line}\r\n")), "{response}");
    }
    assert!(!response.contains("Sec-WebSocket-Extensions"), "{response}");
}

#[test]
fn the_server_learns_who_the_client_is_if_it_is_to() {
    let last = "for=127.0.0.1;host=\"relay.test\";proto=http";
    for (option, name, values) in [
        ("x-forwarded", "X-Forwarded-For", &["192.0.2.7, 127.0.0.1"][..]),
        ("x-forwarded", "X-Forwarded-Host", &["relay.test"]),
        ("x-forwarded", "X-Forwarded-Proto", &["http"]),
        ("forwarded", "Forwarded", &["for=192.0.2.7;x=\"", last]),
    ] {
        let (url, servers) = bare_server(Accept::new());
        let relay = Relay::start(&url, &["--forward", option]);
        // What the client says does not take the place of what the relay knows.
        let fields = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Host: bank.test\r\n\
            X-Forwarded-Proto: https\r\nForwarded: for=192.0.2.7;x=\"\r\n";
        let _client = Bare::connect_with(relay.address(), fields);
        let (_, request) = servers.recv().unwrap();
        let got: Vec<_> = request.headers_named(name).map(<[u8]>::to_vec).collect();
        assert_eq!(got, values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>());
    }
}

/// RFC 9112 §3.2.2: a server has to accept an absolute URI as the target. What host it names does not
/// change where the relay connects.
#[test]
fn the_target_can_be_an_absolute_uri() {
    for (target, expected) in [
        ("http://relay.test/a/b?c=d", "/base/a/b?c=d"),
        ("http://relay.test", "/base/"),
        ("https://127.0.0.1:1?c", "/base/?c"),
        ("//127.0.0.1:1/", "/base//127.0.0.1:1/"),
    ] {
        let (url, servers) = bare_server(Accept::new());
        let relay = Relay::start(&format!("{url}/base"), &[]);
        let (_client, response) = Bare::ask(relay.address(), target, "");
        assert!(response.starts_with("HTTP/1.1 101 "), "{target}: {response}");
        assert_eq!(servers.recv().unwrap().1.target(), expected);
    }
}

/// Whether or not it has sent something behind its request.
#[test]
fn a_client_that_leaves_ends_the_wait_for_the_server() {
    for behind in [&b""[..], &masked(TEXT, b"early")] {
        let (sender, asked) = mpsc::channel();
        let url = serve(move |stream| sender.send(stream).unwrap());
        let relay = Relay::start(&url, &["--timeout", "300"]);
        let mut client = Bare::new(TcpStream::connect(relay.address()).unwrap());
        client.sends([Bare::request("/", "").as_bytes(), behind].concat());
        let mut server = Bare::new(asked.recv().unwrap());
        server.head();
        drop(client);
        // This waits for 30 seconds at most.
        assert!(server.rest().is_empty());
    }
}

/// Frames that come at once behind a request or an answer, in the same piece, are passed on.
#[test]
fn what_comes_right_behind_a_handshake_is_passed_on() {
    let url = serve(|mut stream| {
        let request = Bare::new(stream.try_clone().unwrap()).head();
        let (_, key) = request.split_once("Sec-WebSocket-Key: ").unwrap();
        let key = accept_key(key.split("\r\n").next().unwrap());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {key}\r\n\r\n"
        );
        stream.write_all(&[answer.as_bytes(), &plain(TEXT, b"welcome")].concat()).unwrap();
        let mut server = Bare::new(stream);
        server.expects(masked(TEXT, b"early"));
        server.sends(plain(CLOSE, b""));
        server.rest();
    });
    let relay = Relay::start(&url, &[]);
    let mut client = Bare::new(TcpStream::connect(relay.address()).unwrap());
    client.sends([Bare::request("/", "").as_bytes(), &masked(TEXT, b"early")].concat());
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    client.expects(plain(TEXT, b"welcome"));
    client.expects(plain(CLOSE, b""));
}

#[test]
fn an_answer_that_can_not_be_passed_on_is_a_bad_gateway() {
    for answer in [
        &b"HTTP/1.1 777 What\r\nContent-Length: 0\r\n\r\n"[..],
        b"HTTP/1.1 403 No\r\nX-Name: \xe9\r\nContent-Length: 0\r\n\r\n",
    ] {
        let url = serve(move |mut stream| {
            Bare::new(stream.try_clone().unwrap()).head();
            stream.write_all(answer).unwrap();
        });
        assert_eq!(refusal(&Relay::start(&url, &[])).status(), 502);
    }
}

/// What one server takes for two requests, and another for one.
#[test]
fn requests_with_a_body_or_two_hosts_reach_no_server() {
    let (sender, asked) = mpsc::channel();
    let url = serve(move |_| sender.send(()).unwrap());
    let relay = Relay::start(&url, &[]);
    for fields in [
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\nContent-Length: 0\r\n",
        "Host: other.test\r\n",
        "X-Folded: a\r\n b: c\r\n",
        "X-Bare: a\rY: b\r\n",
        "X-Space : a\r\n",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    ] {
        let (_client, response) = Bare::ask(relay.address(), "/", fields);
        assert!(response.starts_with("HTTP/1.1 4"), "{fields:?}: {response}");
    }
    assert!(asked.try_recv().is_err());
}

#[test]
fn a_refusal_passes_with_its_status_header_and_body() {
    let url = serve(|stream| {
        let refusal = PlainResponse::new(403)
            .header("X-Why", "because")
            .header("Content-Type", "text/html")
            .body("<p>no");
        let _ = acceptor().accept_tcp_with(stream, |_| Err(refusal));
    });
    let relay = Relay::start(&url, &[]);
    let refusal = refusal(&relay);
    assert_eq!((refusal.status(), refusal.body()), (403, &b"<p>no"[..]));
    assert_eq!(refusal.header_text("X-Why"), Some("because"));
    assert_eq!(refusal.header_text("Content-Type"), Some("text/html"));
    assert_eq!(refusal.headers_named("Content-Length").count(), 1);
}

#[test]
fn a_server_that_can_not_be_reached_is_a_bad_gateway() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let relay = Relay::start(&format!("ws://{address}"), &[]);
    assert_eq!(refusal(&relay).status(), 502);
}

#[test]
fn a_server_that_does_not_answer_is_a_gateway_timeout() {
    let url = serve(|stream| {
        thread::sleep(Duration::from_secs(60));
        drop(stream);
    });
    let relay = Relay::start(&url, &["--timeout", "0.3"]);
    assert_eq!(refusal(&relay).status(), 504);
}

#[test]
fn more_clients_than_the_limit_wait() {
    let relay = Relay::start(&echo_server(), &["--connections", "1"]);
    let (mut first, _) = connector().connect(&relay.url).unwrap();
    let url = relay.url.clone();
    let second = thread::spawn(move || connector().connect(&url).unwrap());
    thread::sleep(Duration::from_millis(200));
    assert!(!second.is_finished());
    first.close(sansocket::CloseCode::NORMAL, "").unwrap();
    first.wait_closed();
    drop(first);
    let (mut second, _) = second.join().unwrap();
    second.send("hello").unwrap();
    assert_eq!(second.next().unwrap().unwrap().as_text(), Some("hello"));
}
