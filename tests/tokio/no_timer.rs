//! Connections without the time driver of a runtime, or without a runtime.

use sansocket::{
    CloseCode, Config, Error, Message,
    asynchronous::Timer as _,
    buffer::ReadBuffer,
    connection::{Cause, Server, TransportEnd},
    handshake::Negotiated,
    on_tokio::{Acceptor, Connector, Timer, WebSocket},
};
use sansocket_testkit::{
    frames::{BINARY, masked},
    polling::block_on,
};
use std::{future::poll_fn, time::Duration};
use tokio::io::{AsyncWriteExt, duplex};

/// A peer that never answers a Close is abandoned at the deadline.
async fn close_timeout_passes() {
    let (mut peer, end) = duplex(1000);
    let config = Config::default().close_timeout(Duration::from_millis(50));
    let mut server =
        WebSocket::new(end, Server::new(), Negotiated::new(), ReadBuffer::new(), config);
    peer.write_all(&masked(BINARY, b"one")).await.unwrap();
    assert_eq!(server.next().await.unwrap().unwrap(), Message::binary(&b"one"[..]));
    server.close(CloseCode::NORMAL, "").await.unwrap();
    let Some(Err(Error::Closed(closed))) = server.next().await else { panic!() };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    drop(peer);
}

/// A peer that does not finish the opening handshake is abandoned too.
async fn handshake_timeout_passes() {
    let timeout = Duration::from_millis(50);
    let (_peer, end) = duplex(1000);
    let accepted = Acceptor::new().handshake_timeout(timeout).accept(end).await;
    assert!(matches!(accepted, Err(Error::HandshakeTimeout)), "{accepted:?}");
    let (_peer, end) = duplex(1000);
    let connector = Connector::new().handshake_timeout(timeout);
    let connected = connector.connect_over("ws://localhost/", end).await;
    assert!(matches!(connected, Err(Error::HandshakeTimeout)), "{connected:?}");
}

#[test]
fn deadlines_pass_outside_of_a_runtime() {
    block_on(close_timeout_passes());
    block_on(handshake_timeout_passes());
}

#[test]
fn deadlines_pass_in_a_runtime_without_a_time_driver() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(close_timeout_passes());
    runtime.block_on(handshake_timeout_passes());
}

#[test]
fn a_deadline_that_is_earlier_than_another_is_kept() {
    let mut timer = Timer::default();
    let soon = timer.now() + Duration::from_millis(20);
    block_on(poll_fn(|cx| {
        assert!(timer.poll_until(soon + Duration::from_secs(600), cx).is_pending());
        timer.poll_until(soon, cx)
    }));
    assert!(timer.now() >= soon);
}
