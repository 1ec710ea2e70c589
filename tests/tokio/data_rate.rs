//! The least data rate on paused time, with every way to receive.

use sansocket::{
    CloseCode, Config, Error,
    connection::{Cause, MinDataRate, ProtocolError, Server},
    on_tokio::{Acceptor, WebSocket},
};
use sansocket_testkit::{
    clock::run_paused,
    frames::{failure_close, masked},
    pair::tokio::server_over,
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::spawn,
    time::{Instant, sleep},
};

const SECOND: Duration = Duration::from_secs(1);

type Connection = WebSocket<DuplexStream, Server>;

/// Runs a server with a least rate. Its peer sends a message at 20 bytes a second, and another at 1.
/// `receive` returns the error that it gets.
async fn run(receive: impl AsyncFnOnce(Connection) -> Error) {
    let (mut peer, server) = duplex(1000);
    let config = Config::default().min_data_rate(MinDataRate::new(100, 10 * SECOND));
    let server = server_over(server, &mut peer, Acceptor::new().config(config)).await;
    let began = Instant::now();
    let sending = spawn(async move {
        let message = masked(0x82, &[7; 600]);
        for (chunk_len, seconds) in [(20, 31), (1, 100)] {
            for piece in message.chunks(chunk_len).take(seconds) {
                sleep(SECOND).await;
                if peer.write_all(piece).await.is_err() {
                    break;
                }
            }
        }
        let mut received = Vec::new();
        peer.read_to_end(&mut received).await.unwrap();
        received
    });
    let error = receive(server).await;
    let Error::Protocol(error) = error else { panic!("{error:?}") };
    let ProtocolError::TooSlow { received: 9..=11, least: 100, millis: 10_000 } = error else {
        panic!("{error:?}")
    };
    let elapsed = began.elapsed();
    assert!(elapsed > 41 * SECOND && elapsed < 60 * SECOND, "{elapsed:?}");
    assert_eq!(sending.await.unwrap(), failure_close(error));
}

#[test]
fn owned_messages_must_go_on() {
    run_paused(run(async |mut server: Connection| {
        assert_eq!(server.next().await.unwrap().unwrap().len(), 600);
        let error = server.next().await.unwrap().unwrap_err();
        assert!(error.is_transient() && server.next().await.is_none());
        let closed = server.closed().unwrap();
        assert!(matches!(closed.cause, Cause::Protocol(ProtocolError::TooSlow { .. })));
        assert_eq!(closed.sent_code, CloseCode::POLICY_VIOLATION);
        error
    }));
}

#[test]
fn lent_messages_must_go_on() {
    run_paused(run(async |mut server: Connection| {
        server.receive().await.unwrap().unwrap();
        server.receive().await.unwrap().map(|_| ()).unwrap_err()
    }));
}

#[test]
fn chunks_must_go_on() {
    run_paused(run(async |mut server: Connection| {
        loop {
            if let Err(error) = server.receive_chunk().await.unwrap() {
                return error;
            }
        }
    }));
}

#[test]
fn halves_have_a_least_rate() {
    run_paused(run(async |server: Connection| {
        let (mut sender, mut receiver) = server.split();
        receiver.next().await.unwrap().unwrap();
        let error = receiver.next().await.unwrap().unwrap_err();
        assert!(sender.send("late").await.unwrap_err().is_closed());
        error
    }));
}
