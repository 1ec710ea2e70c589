//! The fate of a transport that this endpoint drops.

use sansocket::{
    Config, Error,
    blocking::{Acceptor, WebSocket},
    connection::Server,
};
use sansocket_testkit::{pair::blocking::server_and_stream, transports::reluctant::Reluctant};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Returns a server with a queued message, whose transport panics when read.
fn panicking() -> (Reluctant, WebSocket<Reluctant, Server>) {
    let transport = Reluctant::new(|script| script.read_panics = true);
    let mut server = transport.server(Config::default());
    server.feed("queued").unwrap();
    (transport, server)
}

/// Receives until the transport panics. Unwinding drops the receiver.
fn receive_and_drop<T>(mut receives: impl Iterator<Item = T>) {
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        receives.next();
    }));
    assert!(panicked.is_err());
}

/// A large message is written from where it is. If that fails, none of it is in the queue.
#[test]
fn a_connection_is_taken_apart_after_a_large_write_has_failed() {
    for len in [16 << 10, 100 << 10, 1 << 20] {
        let (mut server, client) = server_and_stream(Acceptor::new());
        drop(client);
        let data = vec![7; len];
        while server.send(&data).is_ok() {}
        assert_eq!(server.into_parts().unwritten, b"", "{len}");
    }
}

#[test]
fn a_transport_that_has_panicked_is_not_used_when_dropped() {
    let (transport, server) = panicking();
    // A second panic while the first unwinds would abort the process.
    receive_and_drop(server);
    assert!(!transport.script().shut_down);
    assert_eq!(transport.sent(), b"\x81\x06queued");
}

#[test]
fn a_half_whose_transport_panics_does_not_use_it_again() {
    let (transport, server) = panicking();
    let (mut sender, receiver) = server.split().unwrap();
    receive_and_drop(receiver);
    assert!(!transport.script().shut_down);
    assert!(matches!(sender.send("hello"), Err(Error::Closed(_))));
}
