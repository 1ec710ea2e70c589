//! How connections and servers end, and when.

use super::{
    client::{Client, REQUEST, close},
    server::Server,
};
use sansocket_testkit::frames::{BINARY, CLOSE, TEXT, masked};
use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn a_close_is_answered_and_the_server_ends_tcp_at_once(name: &str) {
    let server = Server::start(name);
    let started = Instant::now();
    for code in [1000, 1001, 3000, 4999] {
        let mut client = Client::open(&server);
        client.echo("hello");
        client.send(&close(code));
        client.expect_end(code);
    }
    let mut client = Client::open(&server);
    client.send(&masked(CLOSE, b""));
    assert_eq!(client.read_frame(), (CLOSE, vec![]));
    assert_eq!(client.read_to_end().unwrap(), b"");
    assert!(started.elapsed() < 2 * SECOND, "{:?}", started.elapsed());
}

/// The amount is more than the sockets and the server's queue hold, so the server has to stop
/// reading.
pub(crate) fn a_client_that_ends_its_side_still_receives_every_echo(name: &str) {
    let server = Server::start(name);
    let mut client = Client::open(&server);
    let mut reader = Client(client.0.try_clone().unwrap());
    let message = vec![7; 64 << 10];
    let frame = masked(BINARY, &message);
    let writer = thread::spawn(move || {
        for _ in 0..256 {
            client.send(&frame);
        }
        client.finish();
    });
    thread::sleep(SECOND / 2);
    for _ in 0..256 {
        assert!(reader.read_message() == (BINARY, message.clone()));
    }
    assert_eq!(reader.read_to_end().unwrap(), b"", "the client sent no Close");
    writer.join().unwrap();
}

pub(crate) fn a_client_that_ends_its_side_after_its_close_receives_ours(name: &str) {
    let server = Server::start(name);
    let mut client = Client::open(&server);
    client.send(&[masked(TEXT, b"bye"), close(1000)].concat());
    client.finish();
    assert_eq!(client.read_frame(), (TEXT, b"bye".to_vec()));
    client.expect_end(1000);
}

pub(crate) fn a_client_that_ends_its_side_after_an_error_is_told_why(name: &str) {
    let server = Server::start(name);
    let mut client = Client::open(&server);
    client.send(&[masked(TEXT, b"good"), masked(TEXT, &[0xff])].concat());
    client.finish();
    assert_eq!(client.read_frame(), (TEXT, b"good".to_vec()));
    client.expect_end(1007);
}

pub(crate) fn the_close_of_a_failure_arrives_despite_megabytes_of_unread_input(name: &str) {
    let server = Server::start(name);
    let mut client = Client::open(&server);
    client.send(&masked(0x83, b""));
    for _ in 0..16 {
        client.send(&vec![0; 1 << 20]);
    }
    client.finish();
    client.expect_end(1002);
}

pub(crate) fn a_reset_harms_no_other_connection(name: &str) {
    let server = Server::start(name);
    let mut witness = Client::open(&server);
    for _ in 0..20 {
        let mut client = Client::open(&server);
        client.send(&masked(TEXT, b"dropped with its echo unread"));
        client.0.peek(&mut [0]).unwrap();
        drop(client);
        let mut client = Client::connect(&server);
        client.send(&REQUEST.as_bytes()[..30]);
        drop(client);
        witness.echo("still there?");
    }
}

/// By default a server has deadlines: 10 seconds for a handshake, 5 for what follows a Close.
pub(crate) fn every_wait_for_a_client_is_bounded(name: &str) {
    let server = &Server::start(name);
    thread::scope(|scope| {
        scope.spawn(|| {
            let started = Instant::now();
            let mut client = Client::connect(server);
            client.send(&REQUEST.as_bytes()[..30]);
            // The server may or may not tell the client why.
            let _ = client.read_to_end();
            within(started, 10);
        });
        scope.spawn(|| {
            let mut client = Client::open(server);
            client.send(&close(1000));
            client.expect_end(1000);
            let started = Instant::now();
            drip_until_gone(&mut client);
            within(started, 5);
        });
        scope.spawn(|| {
            let mut client = Client::open(server);
            client.send(&masked(0x83, b""));
            client.expect_end(1002);
            let started = Instant::now();
            drip_until_gone(&mut client);
            within(started, 5);
        });
    });
    Client::open(server).echo("still there?");
}

/// Sends bytes until the server is gone.
fn drip_until_gone(client: &mut Client) {
    while client.0.write_all(&[0]).is_ok() {
        thread::sleep(SECOND / 20);
    }
}

#[track_caller]
fn within(started: Instant, seconds: u32) {
    let took = started.elapsed();
    assert!(took > seconds * SECOND * 8 / 10, "it only took {took:?}");
    assert!(took < seconds * SECOND + 3 * SECOND, "it took {took:?}");
}

/// Clients that answer are gone at once; the others when their time is over.
pub(crate) fn an_interrupted_server_says_goodbye(name: &str) {
    let mut server = Server::start(name);
    let mut polite: Vec<Client> = (0..10).map(|_| Client::open(&server)).collect();
    // This client has sent part of its request. It is waited for no longer than the others.
    let _asking = Client::connect(&server);
    let mut busy = Client::open(&server);
    let mut reader = Client(busy.0.try_clone().unwrap());
    let talker = thread::spawn(move || {
        // This client talks until it receives a Close.
        while busy.0.write_all(&masked(TEXT, b"and another thing")).is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    });
    let listener = thread::spawn(move || while reader.read_frame().0 != CLOSE {});
    // This client does not read, so the server can't write to it.
    let mut deaf = Client::open(&server);
    let shouter = thread::spawn(move || {
        let shouts = masked(TEXT, b"can you hear me?").repeat(1000);
        while deaf.0.write_all(&shouts).is_ok() {}
    });
    thread::sleep(SECOND / 5);
    let started = Instant::now();
    server.interrupt();
    for client in &mut polite {
        let (first, payload) = client.read_frame();
        assert_eq!((first, &payload[..2]), (CLOSE, &[0x03, 0xe9][..]));
        client.send(&close(1001));
        assert_eq!(client.read_to_end().unwrap(), b"");
    }
    assert!(started.elapsed() < 2 * SECOND, "{:?}", started.elapsed());
    listener.join().unwrap();
    assert!(server.wait(12 * SECOND), "the server reported a failure or did not end");
    talker.join().unwrap();
    shouter.join().unwrap();
}
