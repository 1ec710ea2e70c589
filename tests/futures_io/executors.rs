//! No executor is needed to be of a certain kind: the same conversation on smol's, in tokio, and in a
//! loop that only parks its thread.

use async_io::Async;
use futures_util::future::join;
use sansocket::{
    CloseCode, Config, Error, Message,
    asynchronous::Timer as _,
    connection::{Cause, TransportEnd},
    on_futures_io::{Acceptor, ClientWebSocket, Connector, ServerWebSocket, Timer},
};
use sansocket_testkit::polling::block_on;
use std::{
    future::{Future, poll_fn},
    net::TcpListener,
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

/// Returns two connected endpoints over TCP.
pub(crate) async fn pair(config: Config) -> (ClientWebSocket, ServerWebSocket) {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let port = listener.get_ref().local_addr().unwrap().port();
    let accept = async {
        let (stream, _) = listener.accept().await.unwrap();
        Acceptor::new().config(config).accept_tcp(stream).await.unwrap()
    };
    let connector = Connector::new().config(config);
    let connect = async { connector.connect(format!("ws://localhost:{port}/")).await.unwrap().0 };
    join(connect, accept).await
}

async fn conversation() {
    let (mut client, mut server) = pair(Config::default()).await;
    let serve = async {
        while let Some(message) = server.next().await {
            server.send(message.unwrap()).await.unwrap();
        }
        server.wait_closed().await
    };
    let talk = async {
        for len in [0, 1, 125, 126, 65_536, 1 << 20] {
            client.send(vec![7; len]).await.unwrap();
            let echo = client.next().await.unwrap().unwrap();
            assert!(echo == Message::binary(vec![7; len]), "{len}");
        }
        client.close(CloseCode::NORMAL, "bye").await.unwrap();
        client.wait_closed().await
    };
    let (at_client, at_server) = join(talk, serve).await;
    assert!(at_client.clean && at_server.clean, "{at_client:?} {at_server:?}");
    assert_eq!(at_server.reason, "bye");

    let config = Config::default().close_timeout(Duration::from_millis(50));
    let (client, mut server) = pair(config).await;
    server.close(CloseCode::NORMAL, "").await.unwrap();
    let Some(Err(Error::Closed(closed))) = server.next().await else { panic!() };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    drop(client);
}

#[test]
fn it_runs_on_smol() {
    let executor = async_executor::Executor::new();
    async_io::block_on(executor.run(executor.spawn(conversation())));
}

#[test]
fn it_runs_without_an_executor() {
    block_on(conversation());
}

#[test]
fn it_runs_in_tokio() {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(conversation());
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
    // It is still over, and a later one is waited for.
    block_on(poll_fn(|cx| timer.poll_until(soon, cx)));
    let later = timer.now() + Duration::from_millis(20);
    block_on(poll_fn(|cx| timer.poll_until(later, cx)));
    assert!(timer.now() >= later);
    let never = poll_fn(|cx| timer.poll_until(Duration::MAX, cx));
    assert!(pin!(never).poll(&mut Context::from_waker(Waker::noop())).is_pending());
}
