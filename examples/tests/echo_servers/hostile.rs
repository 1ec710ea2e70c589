//! Input that no client should send.

use super::{
    client::{Client, REQUEST},
    server::Server,
};
use sansocket_testkit::frames::{BINARY, CLOSE, KEY, PING, TEXT, header_with, masked, plain};
use std::{thread, time::Duration};

pub(crate) fn each_fault_of_the_peer_is_answered_with_its_code(name: &str) {
    let server = Server::start(name);
    let too_large = header_with(BINARY, (64 << 20) + 1, Some(KEY));
    let inside_message = [masked(0x01, b"a"), masked(TEXT, b"b")].concat();
    let cases: &[(&str, &[u8], u16)] = &[
        ("a reserved opcode", &masked(0x83, b""), 1002),
        ("a reserved control opcode", &masked(0x8b, b""), 1002),
        ("a reserved bit", &masked(0xa1, b"x"), 1002),
        ("compression without agreement", &masked(0xc1, b"x"), 1002),
        ("an unmasked frame", &plain(TEXT, b"hi"), 1002),
        ("a ping in fragments", &masked(0x09, b"x"), 1002),
        ("a ping of 126 bytes", &masked(PING, &[0; 126]), 1002),
        ("nothing to continue", &masked(0x80, b"x"), 1002),
        ("a message inside another", &inside_message, 1002),
        ("a length that is not minimal", &[BINARY, 0xfe, 0, 1, 0, 0, 0, 0, 0], 1002),
        ("a length of 2^63", &header_with(BINARY, 1 << 63, Some(KEY))[..10], 1002),
        ("a message that is too large", &too_large, 1009),
        ("invalid UTF-8", &masked(TEXT, b"a\xff"), 1007),
        ("a Close of one byte", &masked(CLOSE, b"x"), 1002),
        ("a Close with an invalid code", &masked(CLOSE, &[0x03, 0xee]), 1002),
        ("a Close whose reason is invalid UTF-8", &masked(CLOSE, b"\x03\xe8\xff"), 1007),
    ];
    for (what, bytes, code) in cases {
        println!("{what}");
        let mut client = Client::open(&server);
        client.send(bytes);
        client.expect_end(*code);
        // Sent byte by byte, after a message, and with more to come.
        let mut client = Client::open(&server);
        client.echo("good until now");
        for byte in *bytes {
            client.send(&[*byte]);
        }
        client.send(&masked(TEXT, b"ignored"));
        client.expect_end(*code);
    }
    Client::open(&server).echo("still there?");
}

pub(crate) fn an_invalid_request_is_refused(name: &str) {
    let server = Server::start(name);
    let with = |from: &str, to: &str| {
        assert!(REQUEST.contains(from));
        REQUEST.replace(from, to)
    };
    let long_line = with("GET / ", &format!("GET /{} ", "x".repeat(10_000)));
    let long_head = with("Host:", &format!("{}Host:", "X-Filler: abcdefghijkl\r\n".repeat(1000)));
    let cases = [
        (with("GET", "PUT"), 405),
        (with("HTTP/1.1", "HTTP/1.0"), 426),
        (with("Version: 13", "Version: 8"), 426),
        (with("Host: localhost\r\n", ""), 400),
        (with("Upgrade: websocket\r\n", ""), 426),
        (with("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400),
        (long_line, 414),
        (long_head, 431),
        (String::from("\x16\x03\x01\x02 no HTTP at all\r\n\r\n"), 400),
    ];
    for (request, status) in cases {
        let mut client = Client::connect(&server);
        client.send(request.as_bytes());
        let head = client.read_head();
        assert_eq!(head.split(' ').nth(1), Some(&*status.to_string()), "{head}");
        client.read_to_end().unwrap();
    }
    Client::open(&server).echo("still there?");
}

pub(crate) fn a_refusal_arrives_while_the_client_still_sends(name: &str) {
    let server = Server::start(name);
    let mut client = Client::connect(&server);
    client.send(REQUEST.replace("GET", "PUT").as_bytes());
    client.send(&[b'x'; 500_000]);
    thread::sleep(Duration::from_millis(100));
    let head = client.read_head();
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    client.read_to_end().unwrap();
}

/// Frames that arrive together with the request belong to the connection.
pub(crate) fn a_request_may_come_byte_by_byte(name: &str) {
    let server = Server::start(name);
    let mut client = Client::connect(&server);
    for byte in REQUEST.bytes() {
        client.send(&[byte]);
    }
    assert!(client.read_head().starts_with("HTTP/1.1 101 "));
    client.echo("hello");

    let mut client = Client::connect(&server);
    client.send(&[REQUEST.as_bytes(), &masked(TEXT, b"too early")].concat());
    assert!(client.read_head().starts_with("HTTP/1.1 101 "));
    assert_eq!(client.read_frame(), (TEXT, b"too early".to_vec()));
}
