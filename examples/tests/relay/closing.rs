//! How connections through the relay end.

use crate::peers::{Bare, acceptor, bare_server, connector, serve};
use crate::process::Relay;
use sansocket::{CloseCode, Closed, connection::Initiator, handshake::Accept};
use sansocket_testkit::frames::*;
use std::{
    io::{ErrorKind, Write},
    net::Shutdown,
    sync::mpsc,
    thread,
    time::Duration,
};

/// Returns the payload of a Close from the relay to the client, whose frame is at the front.
fn closed_with(bytes: &[u8]) -> (u16, String) {
    assert_eq!((bytes[0], usize::from(bytes[1])), (CLOSE, bytes.len() - 2), "{bytes:?}");
    let reason = String::from_utf8(bytes[4..].to_vec()).unwrap();
    (u16::from_be_bytes([bytes[2], bytes[3]]), reason)
}

fn pair() -> (Relay, Bare, Bare) {
    let (url, servers) = bare_server(Accept::new());
    let relay = Relay::start(&url, &["--close-timeout", "2"]);
    let client = Bare::connect(relay.address());
    let (server, _) = servers.recv().unwrap();
    (relay, client, server)
}

#[test]
fn a_close_passes_with_code_and_reason_in_both_directions() {
    let (sender, ends) = mpsc::channel::<Closed>();
    let url = serve(move |stream| {
        let mut websocket = acceptor().accept_tcp(stream).unwrap();
        if websocket.next().unwrap().unwrap().as_text() == Some("close") {
            websocket.close(CloseCode::new(4002), "you asked").unwrap();
        }
        while websocket.next().is_some() {}
        let _ = sender.send(websocket.wait_closed().clone());
    });
    let relay = Relay::start(&url, &[]);

    let (mut client, _) = connector().connect(&relay.url).unwrap();
    client.send("I will").unwrap();
    client.close(CloseCode::new(4001), "my own").unwrap();
    let closed = client.wait_closed().clone();
    assert!(closed.clean && closed.initiator == Initiator::Local, "{closed}");
    let closed = ends.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(closed.clean && closed.initiator == Initiator::Peer, "{closed}");
    assert_eq!((closed.code, &*closed.reason), (CloseCode::new(4001), "my own"));

    let (mut client, _) = connector().connect(&relay.url).unwrap();
    client.send("close").unwrap();
    assert!(client.next().is_none());
    let closed = client.wait_closed().clone();
    assert!(closed.clean && closed.initiator == Initiator::Peer, "{closed}");
    assert_eq!((closed.code, &*closed.reason), (CloseCode::new(4002), "you asked"));
    assert!(ends.recv_timeout(Duration::from_secs(30)).unwrap().clean);
}

#[test]
fn an_aborted_server_is_a_bad_gateway() {
    let (_relay, mut client, server) = pair();
    // Unread bytes make it a reset.
    client.sends(masked(TEXT, b"hello"));
    thread::sleep(Duration::from_millis(50));
    drop(server);
    assert_eq!(closed_with(&client.takes(52)).0, 1014);
    client.sends(masked(CLOSE, b"\x03\xf6"));
    assert!(client.rest().is_empty());
}

#[test]
fn a_server_that_ends_amid_a_frame_ends_the_client_without_a_close() {
    let (_relay, mut client, mut server) = pair();
    server.sends(&plain(BINARY, &[1; 100])[..50]);
    drop(server);
    assert_eq!(client.rest(), plain(BINARY, &[1; 100])[..50]);
}

#[test]
fn a_lost_client_is_an_end_without_a_close() {
    let (_relay, mut client, mut server) = pair();
    client.sends(masked(TEXT, b"bye"));
    drop(client);
    assert_eq!(server.rest(), masked(TEXT, b"bye"));
}

/// It does not read, so the relay can't see that the server leaves, or the server that it does.
#[test]
fn a_client_that_never_reads_is_lost() {
    let (url, servers) = bare_server(Accept::new());
    let relay = Relay::start(&url, &["--write-timeout", "0.2", "--close-timeout", "0.2"]);
    let _client = Bare::connect(relay.address());
    let (mut server, _) = servers.recv().unwrap();
    server.sends(header_with(BINARY, 1 << 40, None));
    let error = loop {
        if let Err(error) = server.stream.write_all(&[1; 64 << 10]) {
            break error.kind();
        }
    };
    assert!(matches!(error, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
}

#[test]
fn a_hostile_client_is_failed_and_the_server_told() {
    for (bytes, code) in [
        (plain(TEXT, b"unmasked"), 1002),
        (masked(0x83, b"reserved opcode"), 1002),
        (masked(TEXT | 0x40, b"no extension"), 1002),
        (masked(LAST, b"nothing to continue"), 1002),
        (masked(CLOSE, b"\x03\xee"), 1002),
        (masked(CLOSE, b"\x03\xe8\xff"), 1007),
        (vec![PING, 0xfe, 0, 126], 1002),
    ] {
        let (_relay, mut client, mut server) = pair();
        client.sends([masked(TEXT, b"ok"), bytes].concat());
        let (got, _) = closed_with(&client.rest());
        assert_eq!(got, code);
        drop(client);
        let mut rest = server.takes(masked(TEXT, b"ok").len());
        assert_eq!(rest, masked(TEXT, b"ok"));
        // The server answers and ends TCP.
        server.sends(plain(CLOSE, b"\x03\xe9"));
        server.stream.shutdown(Shutdown::Write).unwrap();
        rest = server.rest();
        let key = rest[2..6].to_vec();
        let payload: Vec<_> =
            rest[6..].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!((rest[0], payload[..2].to_vec()), (CLOSE, vec![0x03, 0xe9]));
        assert!(payload[2..].starts_with(b"the client failed: "));
    }
}

#[test]
fn a_hostile_server_is_failed_and_the_client_told() {
    let (_relay, mut client, mut server) = pair();
    server.sends(masked(TEXT, b"masked"));
    let (code, reason) = closed_with(&client.takes(53));
    assert_eq!((code, &*reason), (1014, "the server behind the relay violated the protocol"));
    let close = server.rest();
    assert_eq!(close[0], CLOSE);
}

#[test]
fn a_relay_that_is_interrupted_closes_both_sides() {
    let (mut relay, mut client, mut server) = pair();
    relay.interrupt();
    let expected = plain(CLOSE, b"\x03\xe9the relay stops");
    client.expects(&expected);
    client.sends(masked(CLOSE, b"\x03\xe9"));
    assert!(client.rest().is_empty());
    assert_eq!(server.takes(expected.len() + 4)[0], CLOSE);
    server.sends(plain(CLOSE, b"\x03\xe9"));
    drop((client, server));
    assert!(relay.wait(Duration::from_secs(30)));
}
