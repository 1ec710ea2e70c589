//! The example that passes on whole messages.

use crate::peers::{Bare, bare_server, connector, echo_server, serve};
use crate::process::Relay;
use sansocket::{CloseCode, Message, connection::Initiator, handshake::Accept};
use sansocket_testkit::frames::*;
use std::{io::Write, net::Shutdown, thread};

fn start(server: &str) -> Relay {
    Relay::run("relay_by_message", &[server, "127.0.0.1:0"])
}

#[test]
fn messages_come_back_and_a_close_passes() {
    let relay = start(&echo_server());
    let (mut client, _) = connector().connect(&relay.url).unwrap();
    for len in [0, 1, 1000, 1 << 20] {
        for message in [Message::from("x".repeat(len)), Message::from(vec![7_u8; len])] {
            client.send(&message).unwrap();
            assert!(client.next().unwrap().unwrap() == message);
        }
    }
    client.close(CloseCode::new(4001), "done").unwrap();
    assert!(client.wait_closed().clean);
}

#[test]
fn each_side_learns_of_the_end_of_the_other() {
    let (url, servers) = bare_server(Accept::new());
    let relay = start(&url);
    let (mut client, _) = connector().connect(&relay.url).unwrap();
    let (mut server, _) = servers.recv().unwrap();
    server.sends([plain(TEXT_START, b"in "), plain(LAST, b"two")].concat());
    assert_eq!(client.next().unwrap().unwrap().as_text(), Some("in two"));
    server.sends(plain(CLOSE, b"\x0f\xa2you asked"));
    drop(server);
    assert!(client.next().is_none());
    let closed = client.wait_closed();
    assert_eq!((closed.code, &*closed.reason), (CloseCode::new(4002), "you asked"));
    assert_eq!(closed.initiator, Initiator::Peer);

    // A server that is lost, and one that is not there.
    let mut client = Bare::connect(relay.address());
    drop(servers.recv().unwrap());
    client.expects(plain(CLOSE, b"\x03\xf3"));
    let relay = start(&serve(drop));
    let (mut client, _) = connector().connect(&relay.url).unwrap();
    assert!(client.next().is_none());
    assert_eq!(client.wait_closed().code, CloseCode::BAD_GATEWAY);
}

/// A reset would take the Close from a client that has sent what nobody reads any more.
#[test]
fn a_client_that_sends_much_learns_of_the_close() {
    let (url, servers) = bare_server(Accept::new());
    let relay = start(&url);
    let mut client = Bare::connect(relay.address());
    let (mut server, _) = servers.recv().unwrap();
    let mut sender = client.stream.try_clone().unwrap();
    let sending = thread::spawn(move || {
        let frame = masked(BINARY, &[1; 64 << 10]);
        (0..512).try_for_each(|_| sender.write_all(&frame))
    });
    server.takes(1 << 20);
    server.sends(plain(CLOSE, b"\x0f\xa2you asked"));
    server.stream.shutdown(Shutdown::Write).unwrap();
    server.rest();
    client.expects(plain(CLOSE, b"\x0f\xa2you asked"));
    sending.join().unwrap().unwrap();
    client.sends(masked(CLOSE, b"\x0f\xa2"));
    assert!(client.rest().is_empty());
}
