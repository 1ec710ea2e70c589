//! Keepalive of the blocking shell.

use sansocket::{
    CloseCode, Config, Error, Event,
    blocking::{Acceptor, Connector},
    connection::{Cause, Keepalive, TransportEnd},
};
use sansocket_testkit::{
    frames::masked,
    pair::blocking::{ServerSocket, client_and_stream, pair_with, server_and_stream},
};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

fn keepalive() -> Config {
    let short = Duration::from_millis(50);
    Config::default().keepalive(Keepalive::new(short, short))
}

/// Pings often, and gives up only after longer than a busy machine takes to schedule a thread.
fn lenient() -> Config {
    Config::default().keepalive(Keepalive::new(Duration::from_millis(20), Duration::from_secs(20)))
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
    let mut ping = [0; 10];
    peer.read_exact(&mut ping).unwrap();
    assert_eq!(ping[..2], [0x89, 8]);

    // Halves do so too.
    let (client, mut peer) = client_and_stream(Connector::new().config(keepalive()));
    let (mut sender, mut receiver) = client.split().unwrap();
    assert_given_up(&receiver.next().unwrap().unwrap_err());
    assert!(sender.send("late").unwrap_err().is_closed());
    let mut ping = [0; 14];
    peer.read_exact(&mut ping).unwrap();
    assert_eq!(ping[..2], [0x89, 0x88]);
}

#[test]
fn two_endpoints_keep_each_other() {
    let config = lenient();
    let connector = Connector::new().config(config);
    let (mut client, mut server) = pair_with(connector, Acceptor::new().config(config));
    let serving = thread::spawn(move || server.next().is_none());
    for _ in 0..10 {
        let (event, _) = client.receive().unwrap().unwrap();
        assert!(matches!(event, Event::Ping(_) | Event::Pong(_)), "{event:?}");
    }
    client.close(CloseCode::NORMAL, "").unwrap();
    let closed = client.wait_closed();
    assert!(closed.clean, "{closed:?}");
    assert!(serving.join().unwrap());
}

/// Returns a server whose first ping has arrived, with a timeout of 200 ms, and its peer.
fn server_that_has_pinged() -> (ServerSocket, TcpStream) {
    let config = Config::default()
        .keepalive(Keepalive::new(Duration::from_millis(50), Duration::from_millis(200)));
    let (mut server, mut peer) = server_and_stream(Acceptor::new().config(config));
    server.get_ref().set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    peer.set_nonblocking(true).unwrap();
    while peer.read(&mut [0; 10]).is_err() {
        assert!(server.next().unwrap().unwrap_err().is_would_block());
    }
    peer.set_nonblocking(false).unwrap();
    server.get_ref().set_read_timeout(None).unwrap();
    (server, peer)
}

#[test]
fn what_arrived_while_this_endpoint_was_busy_counts() {
    let (mut server, mut peer) = server_that_has_pinged();
    peer.write_all(&masked(0x81, b"in time")).unwrap();
    thread::sleep(Duration::from_millis(400));
    assert_eq!(server.next().unwrap().unwrap().as_text(), Some("in time"));
    assert_given_up(&server.next().unwrap().unwrap_err());
}

#[test]
fn a_dead_peer_is_given_up_after_sends_that_nobody_answers() {
    let (mut server, _peer) = server_that_has_pinged();
    thread::sleep(Duration::from_millis(400));
    for _ in 0..8 {
        server.send("hello").unwrap();
    }
    assert_given_up(&server.next().unwrap().unwrap_err());
}

#[test]
fn a_deadline_that_has_passed_does_not_keep_pongs_from_a_peer_that_floods() {
    let interval = Duration::from_millis(100);
    let config = Config::default().keepalive(Keepalive::new(interval, Duration::from_secs(20)));
    let (server, mut peer) = server_and_stream(Acceptor::new().config(config));
    let (_sender, mut receiver) = server.split().unwrap();
    let receiving = thread::spawn(move || while let Some(Ok(_)) = receiver.next() {});
    let mut reader = peer.try_clone().unwrap();
    let (tell, told) = mpsc::channel();
    let reading = thread::spawn(move || {
        let mut received = [0; 4096];
        while let Ok(1..) = reader.read(&mut received) {
            let _ = tell.send(Instant::now());
        }
    });
    let flood = [masked(0x82, &[1; 100]).repeat(200), masked(0x89, b"")].concat();
    let began = Instant::now();
    // The flood goes on until there are pongs long after the deadline.
    while told.try_iter().all(|pong| pong < began + 5 * interval) {
        assert!(began.elapsed() < Duration::from_secs(20), "no pongs after the deadline");
        peer.write_all(&flood).unwrap();
    }
    peer.shutdown(Shutdown::Both).unwrap();
    reading.join().unwrap();
    receiving.join().unwrap();
}

#[test]
fn the_round_trip_time_of_pings_is_measured() {
    let (mut server, mut peer) = server_and_stream(Acceptor::new().config(lenient()));
    let answering = thread::spawn(move || {
        for _ in 0..2 {
            let mut ping = [0; 10];
            peer.read_exact(&mut ping).unwrap();
            peer.write_all(&masked(0x8a, b"answers nothing")).unwrap();
            thread::sleep(Duration::from_millis(20));
            peer.write_all(&masked(0x8a, &ping[2..])).unwrap();
        }
        peer
    });
    assert_eq!(server.round_trip_time(), None);
    for is_answer in [false, true] {
        let (event, _) = server.receive().unwrap().unwrap();
        assert!(matches!(event, Event::Pong(_)), "{event:?}");
        assert_eq!(server.round_trip_time().is_some(), is_answer);
    }
    let first = server.round_trip_time().unwrap();
    assert!(first.latest >= Duration::from_millis(20), "{first:?}");
    assert_eq!(first.latest, first.smoothed);
    // Halves measure too, and both know of it.
    let (sender, mut receiver) = server.split().unwrap();
    for _ in 0..2 {
        receiver.receive().unwrap().unwrap();
    }
    let second = receiver.round_trip_time().unwrap();
    assert_ne!(second, first);
    assert_eq!(sender.round_trip_time(), Some(second));
    answering.join().unwrap();
}
