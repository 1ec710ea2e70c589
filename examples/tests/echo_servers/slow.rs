//! Messages of all sizes, and clients that are slow to read or send.

use super::{
    client::{Client, close},
    server::Server,
};
use sansocket_testkit::frames::{BINARY, LAST, MORE, PING, PONG, TEXT, TEXT_START, masked};
use std::{
    io::{ErrorKind, Write},
    thread,
    time::Duration,
};

pub(crate) fn messages_of_all_sizes_come_back(name: &str) {
    let server = Server::start(name);
    let mut client = Client::open(&server);
    for len in [0, 1, 125, 126, 4096, 65_535, 65_536, 65_537, 1 << 20, 5_000_000] {
        let message: Vec<u8> = (0..len).map(|index| (index % 251) as u8).collect();
        client.send(&masked(BINARY, &message));
        assert!(client.read_message() == (BINARY, message), "{len} bytes");
        client.echo(&"é漢".repeat(len / 5));
    }
    client.send(&close(1000));
    client.expect_end(1000);
}

pub(crate) fn pings_are_answered_between_fragments(name: &str) {
    let server = Server::start(name);
    let mut client = Client::open(&server);
    client.send(&masked(TEXT_START, b"one, "));
    for round in 0..100_u8 {
        client.send(&masked(PING, &[round]));
        assert_eq!(client.read_frame(), (PONG, vec![round]));
        client.send(&masked(MORE, b"another, "));
    }
    client.send(&masked(LAST, b"last"));
    let expected = format!("one, {}last", "another, ".repeat(100));
    assert_eq!(client.read_message(), (TEXT, expected.into_bytes()));
}

/// More than the sockets of both endpoints take.
const MOST_UNREAD: usize = 64 << 20;

/// Sends messages and reads none, until the server takes no more for a while. Returns how many
/// messages were sent, and the unsent part of the last one.
fn stuff(client: &mut Client, frame: &[u8]) -> (usize, Vec<u8>) {
    client.0.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    for count in 0..MOST_UNREAD / frame.len() {
        let mut left = frame;
        while !left.is_empty() {
            match client.0.write(left) {
                Ok(written) => left = &left[written..],
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return (count + 1, left.to_vec());
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    panic!("the server took {MOST_UNREAD} bytes whose echo nobody reads")
}

pub(crate) fn a_client_that_does_not_read_is_not_read_from(name: &str) {
    let server = Server::start(name);
    let mut client = Client::open(&server);
    let message = vec![7; 100_000];
    let (count, rest) = stuff(&mut client, &masked(BINARY, &message));
    // The other connections are not affected.
    Client::open(&server).echo("hello");
    // Every echo arrives once the client reads.
    let mut writer = Client(client.0.try_clone().unwrap());
    let writer = thread::spawn(move || writer.send(&rest));
    for _ in 0..count {
        assert!(client.read_message() == (BINARY, message.clone()));
    }
    writer.join().unwrap();
    client.send(&close(1000));
    client.expect_end(1000);
}

pub(crate) fn many_clients_that_do_not_read_use_bounded_memory(name: &str) {
    const CLIENTS: usize = 16;
    let server = Server::start(name);
    let frame = masked(BINARY, &[7; 100_000]);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::open(&server);
                    stuff(&mut client, &frame);
                    client
                })
            })
            .collect();
        let clients: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        // Each connection has 1 MiB queued, plus what one message needs.
        #[cfg(target_os = "linux")]
        {
            let memory = server.memory();
            assert!(memory < CLIENTS * (4 << 20), "{} KiB of memory", memory >> 10);
        }
        Client::open(&server).echo("hello");
        drop(clients);
    });
}
