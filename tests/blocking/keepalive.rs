//! Keepalive of the blocking shell.

use sansocket::{
    CloseCode, Config, Error,
    blocking::{Acceptor, Connector},
    connection::{Cause, Keepalive, TransportEnd},
};
use sansocket_testkit::{
    frames::masked,
    pair::blocking::{client_and_stream, pair_with, server_and_stream},
};
use std::{
    io::{Read, Write},
    thread,
    time::Duration,
};

fn keepalive() -> Config {
    let short = Duration::from_millis(50);
    Config::default().keepalive(Keepalive::new(short, short))
}

#[track_caller]
fn assert_given_up(error: &Error) {
    let Error::Closed(closed) = error else { panic!("{error:?}") };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
}

#[test]
fn a_silent_peer_is_pinged_and_given_up() {
    let (mut server, mut peer) = server_and_stream(Acceptor::new().config(keepalive()));
    assert_given_up(&server.next().unwrap().unwrap_err());
    assert!(server.next().is_none());
    let mut ping = [0; 2];
    peer.read_exact(&mut ping).unwrap();
    assert_eq!(ping, [0x89, 0]);

    // Halves do so too.
    let (client, mut peer) = client_and_stream(Connector::new().config(keepalive()));
    let (mut sender, mut receiver) = client.split().unwrap();
    assert_given_up(&receiver.next().unwrap().unwrap_err());
    assert!(sender.send("late").unwrap_err().is_closed());
    let mut ping = [0; 6];
    peer.read_exact(&mut ping).unwrap();
    assert_eq!(ping[..2], [0x89, 0x80]);
}

#[test]
fn two_endpoints_keep_each_other() {
    let short = Duration::from_millis(20);
    // Longer than a busy machine takes to schedule a thread.
    let keepalive = Keepalive::new(short, Duration::from_secs(20));
    let config = Config::default().keepalive(keepalive);
    let connector = Connector::new().config(config);
    let (mut client, mut server) = pair_with(connector, Acceptor::new().config(config));
    let serving = thread::spawn(move || server.next().is_none());
    client.get_ref().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(client.next().unwrap().unwrap_err().is_would_block());
    client.close(CloseCode::NORMAL, "").unwrap();
    let closed = client.wait_closed();
    assert!(closed.clean, "{closed:?}");
    assert!(serving.join().unwrap());
}

#[test]
fn what_arrived_while_this_endpoint_was_busy_counts() {
    let (mut server, mut peer) = server_and_stream(Acceptor::new().config(keepalive()));
    peer.write_all(&masked(0x81, b"first")).unwrap();
    assert_eq!(server.next().unwrap().unwrap().as_text(), Some("first"));
    peer.write_all(&masked(0x81, b"second")).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(server.next().unwrap().unwrap().as_text(), Some("second"));
    assert_given_up(&server.next().unwrap().unwrap_err());
}
