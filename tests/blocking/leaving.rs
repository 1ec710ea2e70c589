//! What becomes of a transport that this end is done with, and does not wait for.

use sansocket::{Config, Error, Server, blocking::WebSocket};
use sansocket_testkit::transports::reluctant::Reluctant;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A server whose transport panics when it reads, with a message that is queued.
fn panicking() -> (Reluctant, WebSocket<Reluctant, Server>) {
    let transport = Reluctant::new(|script| script.read_panics = true);
    let mut server = transport.server(Config::default());
    server.feed("queued").unwrap();
    (transport, server)
}

/// Receives until the transport panics, and drops what receives as that unwinds.
fn receive_and_drop<T>(mut receives: impl Iterator<Item = T>) {
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        receives.next();
    }));
    assert!(panicked.is_err());
}

#[test]
fn a_transport_that_has_panicked_is_not_touched_as_it_is_dropped() {
    let (transport, server) = panicking();
    // A second panic while the first unwinds would end the process.
    receive_and_drop(server);
    assert!(!transport.script().shut_down);
    assert_eq!(transport.sent(), b"\x81\x06queued");
}

#[test]
fn a_half_whose_transport_panics_does_not_touch_it_again() {
    let (transport, server) = panicking();
    let (receiver, mut sender) = server.split().unwrap();
    receive_and_drop(receiver);
    assert!(!transport.script().shut_down);
    assert!(matches!(sender.send("hello"), Err(Error::Closed(_))));
}
