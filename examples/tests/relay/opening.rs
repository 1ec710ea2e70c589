//! The opening handshakes on both sides.

use crate::peers::{Bare, acceptor, bare_server, connector, echo_server, serve};
use crate::process::Relay;
use sansocket::{
    Error,
    handshake::{Accept, HandshakeError, PlainResponse, Refusal},
};
use std::{net::TcpListener, thread, time::Duration};

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
    for (option, name, values) in [
        ("x-forwarded", "X-Forwarded-For", &["192.0.2.7", "127.0.0.1"][..]),
        ("x-forwarded", "X-Forwarded-Host", &["relay.test"]),
        ("forwarded", "Forwarded", &["for=127.0.0.1;host=\"relay.test\";proto=http"]),
    ] {
        let (url, servers) = bare_server(Accept::new());
        let relay = Relay::start(&url, &["--forward", option]);
        let fields = "X-Forwarded-For: 192.0.2.7\r\n";
        let _client = Bare::connect_with(relay.address(), fields);
        let (_, request) = servers.recv().unwrap();
        let got: Vec<_> = request.headers_named(name).map(<[u8]>::to_vec).collect();
        assert_eq!(got, values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>());
    }
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
