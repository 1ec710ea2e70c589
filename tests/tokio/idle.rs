//! The idle timeout on paused time, with every way to receive.

use sansocket::{
    CloseCode, Closed, Config, Error, Event,
    connection::{Cause, Initiator, Keepalive, MinDataRate, Server},
    on_tokio::{Acceptor, WebSocket},
};
use sansocket_testkit::{clock::run_paused, frames::masked, pair::tokio::server_over};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::spawn,
    time::{Instant, sleep},
};

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(40);

type Connection = WebSocket<DuplexStream, Server>;

/// Runs a server with an idle timeout. Its peer sends a message after 35 and an empty one after 70
/// seconds, and a ping every 5 otherwise. Returns how the connection ended, and how many messages arrived.
async fn run<F>(receive: impl FnOnce(Connection) -> F) -> Closed
where
    F: Future<Output = (usize, Closed)>,
{
    let (mut peer, server) = duplex(1000);
    let acceptor = Acceptor::new().config(Config::default().idle_timeout(TIMEOUT));
    let server = server_over(server, &mut peer, acceptor).await;
    let began = Instant::now();
    let sending = spawn(async move {
        let (mut reader, mut writer) = tokio::io::split(peer);
        let reading = spawn(async move {
            let mut received = Vec::new();
            reader.read_to_end(&mut received).await.unwrap();
            received
        });
        for number in 1..20 {
            sleep(5 * SECOND).await;
            let frame = match number {
                7 => masked(0x82, b"here"),
                14 => masked(0x82, b""),
                _ => masked(0x89, b""),
            };
            writer.write_all(&frame).await.unwrap();
        }
        sleep(100 * SECOND).await;
        drop(writer);
        reading.await.unwrap()
    });
    let (messages, closed) = receive(server).await;
    assert_eq!(messages, 2);
    let elapsed = began.elapsed();
    // The peer does not answer within the close timeout.
    let closing = 70 * SECOND + TIMEOUT + Config::default().close_timeout;
    assert!(elapsed >= closing && elapsed <= closing + TIMEOUT / 4, "{elapsed:?}");
    let received = sending.await.unwrap();
    assert_eq!(received[received.len() - 16..], *b"\x88\x0e\x03\xe9idle timeout");
    closed
}

#[track_caller]
fn assert_idle(closed: &Closed) {
    assert_eq!(closed.cause, Cause::IdleTimeout(TIMEOUT));
    assert_eq!(closed.sent_code, CloseCode::GOING_AWAY);
    assert_eq!((closed.initiator, closed.clean), (Initiator::Local, false));
    assert!(closed.is_transient());
    let text = closed.to_string();
    assert!(text.contains("because no message arrived for 40s"), "{text}");
}

fn closed_of(error: Error) -> Closed {
    let Error::Closed(closed) = error else { panic!("{error:?}") };
    *closed
}

#[test]
fn owned_messages_count() {
    run_paused(async {
        let closed = run(async |mut server: Connection| {
            let mut messages = 0;
            loop {
                match server.next().await.unwrap() {
                    Ok(_) => messages += 1,
                    Err(error) => return (messages, closed_of(error)),
                }
            }
        });
        assert_idle(&closed.await);
    });
}

#[test]
fn lent_messages_count() {
    run_paused(async {
        let closed = run(async |mut server: Connection| {
            let mut messages = 0;
            loop {
                match server.receive().await.unwrap() {
                    Ok((event, _)) => messages += usize::from(matches!(event, Event::Binary(_))),
                    Err(error) => return (messages, closed_of(error)),
                }
            }
        });
        assert_idle(&closed.await);
    });
}

#[test]
fn visited_messages_count() {
    run_paused(async {
        let closed = run(async |mut server: Connection| {
            let mut messages = 0;
            let visited = server.receive_with(|event, _| {
                messages += usize::from(matches!(event, Event::Binary(_)));
                Ok::<(), Error>(())
            });
            let error = visited.await.unwrap_err();
            (messages, closed_of(error))
        });
        assert_idle(&closed.await);
    });
}

#[test]
fn chunks_count() {
    run_paused(async {
        let closed = run(async |mut server: Connection| {
            let mut messages = 0;
            loop {
                match server.receive_chunk().await.unwrap() {
                    Ok((chunk, _)) => {
                        messages += usize::from(matches!(chunk.event, Event::Binary(_)))
                    }
                    Err(error) => return (messages, closed_of(error)),
                }
            }
        });
        assert_idle(&closed.await);
    });
}

#[test]
fn halves_have_the_timeout() {
    run_paused(async {
        let closed = run(async |server: Connection| {
            let (sender, mut receiver) = server.split();
            let mut messages = 0;
            loop {
                match receiver.next().await.unwrap() {
                    Ok(_) => messages += 1,
                    Err(error) => {
                        assert!(sender.is_closed());
                        return (messages, closed_of(error));
                    }
                }
            }
        });
        assert_idle(&closed.await);
    });
}

#[test]
fn a_peer_that_answers_ends_the_loop_without_an_error() {
    run_paused(async {
        let (mut peer, server) = duplex(1000);
        let acceptor = Acceptor::new().config(Config::default().idle_timeout(TIMEOUT));
        let mut server = server_over(server, &mut peer, acceptor).await;
        let answering = spawn(async move {
            let mut close = [0; 16];
            peer.read_exact(&mut close).await.unwrap();
            peer.write_all(&masked(0x88, &close[2..4])).await.unwrap();
            peer
        });
        assert!(server.next().await.is_none());
        let closed = server.closed().unwrap();
        assert_eq!((closed.cause, closed.clean), (Cause::IdleTimeout(TIMEOUT), true));
        answering.await.unwrap();
    });
}

/// The side that writes asks the connection at the end of each timeout, too, often before the side that
/// reads.
#[test]
fn a_half_that_sends_does_not_delay_timeouts() {
    let config = Config::default().close_timeout(Duration::ZERO);
    let silent = config.keepalive(Keepalive::new(10 * SECOND, 30 * SECOND));
    let slow = config.min_data_rate(MinDataRate::new(100, TIMEOUT));
    // A peer that sends pongs, one that says nothing, and one that begins a message.
    let peers = [
        (config.idle_timeout(TIMEOUT), masked(0x8a, b"").repeat(6)),
        (silent, Vec::new()),
        (slow, vec![0x82]),
    ];
    for (config, bytes) in peers {
        for pause in [1, 10, 100, 1000, 5000].map(Duration::from_millis) {
            run_paused(async {
                let (mut peer, server) = duplex(1000);
                let server = server_over(server, &mut peer, Acceptor::new().config(config)).await;
                let (mut reader, mut writer) = tokio::io::split(peer);
                spawn(
                    async move { while reader.read(&mut [0; 1000]).await.is_ok_and(|n| n > 0) {} },
                );
                let bytes = bytes.clone();
                spawn(async move {
                    for byte in bytes {
                        writer.write_all(&[byte]).await.unwrap();
                        sleep(SECOND).await;
                    }
                    sleep(100 * SECOND).await;
                    drop(writer);
                });
                let (mut sender, mut receiver) = server.split();
                let sending = spawn(async move {
                    while sender.send("busy").await.is_ok() {
                        sleep(pause).await;
                    }
                });
                let began = Instant::now();
                assert!(receiver.next().await.unwrap().is_err());
                let elapsed = began.elapsed();
                assert!(
                    elapsed >= TIMEOUT && elapsed <= TIMEOUT + SECOND / 10,
                    "{elapsed:?} {pause:?}"
                );
                sending.await.unwrap();
            });
        }
    }
}
