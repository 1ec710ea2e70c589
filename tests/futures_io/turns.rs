//! smol does not limit what a task does in one turn: the connection does.

use crate::compat::websocket;
use async_executor::LocalExecutor;
use sansocket::{
    Config, Error,
    connection::Server,
    on_futures_io::{Stream, Timer},
};
use sansocket_testkit::{
    endpoint::client_role,
    traffic::encode,
    transports::wire::{CLIENT, EAGER, SERVER, Wire},
};
use std::{cell::Cell, task::Poll};

/// Many more messages than a turn handles.
const MESSAGES: usize = 50_000;
const MOST_IN_A_TURN: usize = 8_000;

/// Yields once.
async fn yield_now() {
    let mut has_yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_loop_that_receives_leaves_turns_to_other_tasks() {
    let small = encode(client_role(), |client, output| client.send_binary(&[7], output).unwrap());
    let bytes = small.repeat(MESSAGES);
    for with_closure in [false, true] {
        let wire = Wire::new();
        wire.put(CLIENT, &bytes);
        wire.finish(CLIENT);
        let end = wire.end(SERVER, EAGER);
        let mut server = websocket::<_, Timer>(end, Server::new(), Config::default());
        let (received, turns) = (Cell::new(0), Cell::new(0));
        let executor = LocalExecutor::new();
        let receiver = executor.spawn(async {
            if with_closure {
                let visited = server.receive_with(|_, _| {
                    received.set(received.get() + 1);
                    Ok::<(), Error>(())
                });
                assert!(visited.await.is_err(), "the client sent no Close");
            } else {
                while let Some(Ok(_)) = server.receive().await {
                    received.set(received.get() + 1);
                }
            }
        });
        let other = executor.spawn(async {
            loop {
                turns.set(turns.get() + 1);
                yield_now().await;
            }
        });
        async_io::block_on(executor.run(receiver));
        assert_eq!(received.get(), MESSAGES);
        assert!(turns.get() >= MESSAGES / MOST_IN_A_TURN, "{} turns", turns.get());
        drop(other);
    }
}

/// The futures may be spawned on threads.
#[test]
fn what_is_spawned_is_send() {
    fn check<T: Send>(_: T) {}
    let wire = Wire::new();
    let mut server =
        websocket::<_, Timer>(wire.end(SERVER, EAGER), Server::new(), Config::default());
    check(server.next());
    check(server.send("x"));
    check(server.wait_closed());
    check(sansocket::on_futures_io::connect("ws://localhost/"));
    fn all<T: Send + Sync + Unpin + std::fmt::Debug + 'static>() {}
    all::<Stream>();
}
