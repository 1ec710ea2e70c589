//! The idle timeout of the blocking shell.

use sansocket::{
    CloseCode, Closed, Config, Error, State,
    blocking::Acceptor,
    connection::{Cause, Keepalive},
};
use sansocket_testkit::{frames::masked, pair::blocking::server_and_stream};
use std::{
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

const TIMEOUT: Duration = Duration::from_millis(100);

fn idle() -> Config {
    Config::default().idle_timeout(TIMEOUT)
}

#[track_caller]
fn assert_idle(timeout: Duration, closed: &Closed) {
    assert_eq!(closed.cause, Cause::IdleTimeout(timeout));
    assert_eq!(closed.sent_code, CloseCode::GOING_AWAY);
}

#[test]
fn a_peer_that_sends_no_messages_is_closed() {
    // Keepalive and pings keep nothing.
    let keepalive = Keepalive::new(Duration::from_millis(10), Duration::from_secs(20));
    let acceptor = Acceptor::new().config(idle().keepalive(keepalive));
    let (mut server, mut peer) = server_and_stream(acceptor);
    let answering = thread::spawn(move || {
        let mut received = Vec::new();
        let mut buffer = [0; 100];
        let close = b"\x88\x0e\x03\xe9idle timeout";
        while !received.windows(close.len()).any(|window| window == close) {
            peer.write_all(&masked(0x89, b"")).unwrap();
            let count = peer.read(&mut buffer).unwrap();
            received.extend_from_slice(&buffer[..count]);
            thread::sleep(Duration::from_millis(1));
        }
        peer.write_all(&masked(0x88, &[0x03, 0xe9])).unwrap();
        peer
    });
    assert!(server.next().is_none());
    let closed = server.closed().unwrap();
    assert_idle(TIMEOUT, closed);
    assert!(closed.clean);
    answering.join().unwrap();
}

#[test]
fn messages_keep_a_split_connection() {
    // Longer than a busy machine takes to schedule a thread.
    let timeout = Duration::from_secs(2);
    let config = Config::default().idle_timeout(timeout).close_timeout(Duration::from_millis(10));
    let (server, mut peer) = server_and_stream(Acceptor::new().config(config));
    let sending = thread::spawn(move || {
        let began = Instant::now();
        while began.elapsed() < timeout + timeout / 2 {
            peer.write_all(&masked(0x81, b"here")).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        (began.elapsed(), peer)
    });
    let (_sender, mut receiver) = server.split().unwrap();
    let began = Instant::now();
    let error = receiver.find_map(Result::err).unwrap();
    let elapsed = began.elapsed();
    let Error::Closed(closed) = error else { panic!("{error:?}") };
    assert_idle(timeout, &closed);
    let (sent_for, _peer) = sending.join().unwrap();
    assert!(elapsed >= sent_for, "closed after {elapsed:?} of {sent_for:?}");
}

#[test]
fn the_users_read_timeout_expires_although_the_connection_has_timeouts() {
    let often = Keepalive::new(Duration::from_millis(20), Duration::from_secs(20));
    // Each looks at the clock several times before the user's timeout expires.
    for config in [Config::default().keepalive(often), idle()] {
        let (mut server, _peer) = server_and_stream(Acceptor::new().config(config));
        server.get_ref().set_read_timeout(Some(Duration::from_millis(70))).unwrap();
        let error = server.next().unwrap().unwrap_err();
        assert!(error.is_would_block(), "{error:?}");
        // The idle timeout has not closed the connection before.
        assert_eq!(server.state(), State::Open, "{config:?}");
    }
}
