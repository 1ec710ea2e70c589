//! How long this endpoint waits for peers that don't do their part.
//!
//! The clock is paused: it jumps when every task waits, even while bytes are in a socket. So a pipe
//! in memory connects the endpoints, except where noted.

use sansocket::{
    CloseCode, Closed, Config, Error, Limits, Message,
    connection::{Cause, Initiator, Role, SendError, TransportEnd},
    on_tokio::{Acceptor, Connector, WebSocket},
};
use sansocket_testkit::{
    clock::{DAY, run, run_paused},
    frames::{CLOSE_NORMAL, masked, plain},
    pair::tokio::{
        ClientSocket, ServerSocket, client_over, read_to_end, server_and_stream, server_over,
    },
    receiving::{By, WAYS, assert_ended, only_end, receive_all},
};
use std::{future::Future, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Instant, sleep, timeout},
};

/// The default close timeout.
const CLOSE: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);

/// The capacity of the pipe; a large message does not fit.
const PIPE: usize = 4096;
static LARGE: [u8; 64 << 10] = [0; 64 << 10];

async fn a_server() -> (ServerSocket<DuplexStream>, DuplexStream) {
    let (mut client, server) = duplex(PIPE);
    (server_over(server, &mut client, Acceptor::new()).await, client)
}

async fn a_client() -> (ClientSocket<DuplexStream>, DuplexStream) {
    let (client, mut server) = duplex(PIPE);
    (client_over(client, &mut server, Connector::new()).await, server)
}

async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    (future.await, started.elapsed())
}

#[track_caller]
fn assert_abandoned(closed: &Closed) {
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    assert_eq!((closed.code, closed.initiator), (CloseCode::ABNORMAL, Initiator::Local));
    assert!(!closed.clean);
}

#[test]
fn an_open_connection_has_no_deadline() {
    run_paused(async {
        let (mut server, _client) = a_server().await;
        assert!(timeout(DAY, server.next()).await.is_err());
        let (mut client, _server) = a_client().await;
        assert!(timeout(DAY, client.next()).await.is_err());
    });
}

#[test]
fn a_peer_that_stops_reading_stalls_messages_but_not_a_close() {
    async fn check<R: Role>(mut socket: WebSocket<DuplexStream, R>) {
        assert!(timeout(DAY, socket.send(&LARGE)).await.is_err());
        assert!(timeout(DAY, socket.flush()).await.is_err());
        let waiting = socket.buffered_amount();
        assert!(waiting > 0, "unwritten bytes stay queued");
        let (outcome, took) = timed(socket.close(CloseCode::NORMAL, "")).await;
        // Input that the peer sent in time can still decide how the connection ended.
        let Err(error @ Error::Io(_)) = outcome else { panic!("{outcome:?}") };
        assert!(!error.is_would_block());
        assert_eq!(took, CLOSE);
        assert_ended(socket.next().await, TransportEnd::Timeout);
        assert!(socket.next().await.is_none());
    }
    run_paused(async {
        let (server, _client) = a_server().await;
        check(server).await;
        let (client, _server) = a_client().await;
        check(client).await;
    });
}

#[test]
fn waiting_for_the_end_of_a_peer_that_stops_reading_is_bounded() {
    async fn check<R: Role>(mut socket: WebSocket<DuplexStream, R>) {
        assert!(timeout(DAY, socket.send(&LARGE)).await.is_err());
        let (closed, took) = timed(socket.wait_closed()).await;
        assert_eq!(took, CLOSE);
        assert_abandoned(&closed);
        assert_eq!(timed(socket.wait_closed()).await.1, Duration::ZERO);
    }
    run_paused(async {
        let (server, _client) = a_server().await;
        check(server).await;
        let (client, _server) = a_client().await;
        check(client).await;
    });
}

#[test]
fn a_peer_that_closes_and_does_not_read_is_abandoned() {
    run_paused(async {
        let (mut server, mut client) = a_server().await;
        assert!(timeout(SECOND, server.send(&LARGE)).await.is_err());
        client.write_all(&masked(0x88, b"\x03\xe9busy")).await.unwrap();
        let ((messages, errors), took) = timed(receive_all(&mut server, By::Next)).await;
        assert_eq!((messages.len(), took), (0, CLOSE));
        let closed = only_end(errors);
        assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
        assert_eq!((closed.code, &*closed.reason), (CloseCode::GOING_AWAY, "busy"));
        assert!(!closed.clean && closed.initiator == Initiator::Peer);
    });
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_abandoned_by_every_receiver() {
    async fn check<R: Role + Unpin>(mut socket: WebSocket<DuplexStream, R>, by: By) {
        socket.close(CloseCode::GOING_AWAY, "").await.unwrap();
        let ((messages, errors), took) = timed(receive_all(&mut socket, by)).await;
        assert_eq!((messages.len(), took), (0, CLOSE), "{by:?}");
        let closed = only_end(errors);
        assert_abandoned(&closed);
        assert_eq!(socket.closed(), Some(&closed));
    }
    run_paused(async {
        for by in WAYS {
            let (server, _client) = a_server().await;
            check(server, by).await;
            let (client, _server) = a_client().await;
            check(client, by).await;
        }
    });
}

#[test]
fn the_close_timeout_is_configurable() {
    run_paused(async {
        for limit in [Duration::from_millis(1), 7 * SECOND, DAY] {
            let (mut peer, end) = duplex(PIPE);
            let acceptor = Acceptor::new().config(Config::default().close_timeout(limit));
            let mut server = server_over(end, &mut peer, acceptor).await;
            let (closed, took) = timed(server.wait_closed()).await;
            assert_eq!(took, limit);
            assert_abandoned(&closed);
        }
        let (mut peer, end) = duplex(PIPE);
        let acceptor = Acceptor::new().config(Config::default().close_timeout(Duration::MAX));
        let mut server = server_over(end, &mut peer, acceptor).await;
        assert!(timeout(DAY, server.wait_closed()).await.is_err());
    });
}

#[test]
fn the_deadline_does_not_restart_with_each_call() {
    run_paused(async {
        let (mut server, _client) = a_server().await;
        server.close(CloseCode::NORMAL, "").await.unwrap();
        let wait = async {
            let mut waits = 0;
            while timeout(SECOND / 3, server.next()).await.is_err() && waits < 100 {
                waits += 1;
            }
            server.closed().unwrap()
        };
        let (closed, took) = timed(wait).await;
        assert_abandoned(closed);
        assert!(took >= CLOSE && took < CLOSE + SECOND, "{took:?}");
    });
}

#[test]
fn a_server_that_does_not_end_tcp_is_abandoned_and_the_close_stays_clean() {
    run_paused(async {
        let (mut client, mut server) = a_client().await;
        server.write_all(&CLOSE_NORMAL).await.unwrap();
        let wait = async {
            let told = timed(client.next()).await;
            (told, timed(client.wait_closed()).await.1)
        };
        let look = async {
            let mut close = [0; 8];
            server.read_exact(&mut close).await.unwrap();
            // Until its deadline the client does not end its side before the server does.
            let more = timeout(CLOSE - SECOND / 1000, server.read(&mut close)).await;
            assert!(more.is_err(), "{more:?}");
            // After the deadline it does.
            assert_eq!(server.read(&mut close).await.unwrap(), 0);
        };
        let (((next, told), left), ()) = tokio::join!(wait, look);
        assert!(next.is_none(), "{next:?}");
        assert_eq!((told, told + left), (SECOND, CLOSE));
        assert!(client.closed().unwrap().clean);
    });
}

#[test]
fn a_client_that_does_not_end_tcp_is_abandoned_and_the_close_stays_clean() {
    run_paused(async {
        let (mut server, mut client) = a_server().await;
        client.write_all(&masked(0x88, &[0x03, 0xe8])).await.unwrap();
        let wait = async {
            let told = timed(server.next()).await;
            (told, timed(server.wait_closed()).await.1)
        };
        let (((next, told), left), (received, ended)) =
            tokio::join!(wait, timed(read_to_end(&mut client)));
        assert!(next.is_none(), "{next:?}");
        assert_eq!((told, left, ended), (Duration::ZERO, CLOSE, Duration::ZERO));
        assert_eq!(received, CLOSE_NORMAL);
        assert!(server.closed().unwrap().clean);
    });
}

#[test]
fn a_client_that_drips_during_the_drain_is_abandoned() {
    run_paused(async {
        let (mut server, mut client) = a_server().await;
        client.write_all(&masked(0x88, &[0x03, 0xe8])).await.unwrap();
        let started = Instant::now();
        let drip = async {
            while started.elapsed() < 2 * CLOSE {
                sleep(SECOND / 10).await;
                client.write_all(b".").await.unwrap();
            }
        };
        tokio::select! {
            (closed, took) = timed(server.wait_closed()) => {
                assert!(closed.clean && took == CLOSE, "{closed:?} {took:?}");
            }
            () = drip => panic!("the peer is not abandoned"),
        }
    });
}

#[test]
fn a_client_that_floods_during_the_drain_is_abandoned_at_once() {
    run_paused(async {
        let (mut server, mut client) = a_server().await;
        client.write_all(&masked(0x88, &[0x03, 0xe8])).await.unwrap();
        // Twice as much as is dropped, then silence.
        let flood = async {
            for _ in 0..2048 {
                let _ = client.write_all(&LARGE).await;
            }
            sleep(DAY).await;
        };
        tokio::select! {
            (next, took) = timed(server.next()) => {
                assert!(next.is_none() && took == Duration::ZERO, "{next:?} {took:?}");
                assert!(server.closed().unwrap().clean);
            }
            () = flood => panic!("the peer is not abandoned"),
        }
    });
}

#[test]
fn a_peer_that_keeps_sending_after_our_close_is_abandoned() {
    async fn check<R: Role>(
        mut socket: WebSocket<DuplexStream, R>,
        mut peer: DuplexStream,
        message: &[u8],
        by_wait: bool,
    ) {
        let started = Instant::now();
        let talk = async {
            while started.elapsed() < 2 * CLOSE {
                sleep(SECOND / 100).await;
                peer.write_all(message).await.unwrap();
            }
        };
        let listen = async {
            socket.close(CloseCode::NORMAL, "").await.unwrap();
            if by_wait {
                assert_abandoned(&socket.wait_closed().await);
                return;
            }
            let mut messages = 0;
            let end = loop {
                match socket.next().await {
                    Some(Ok(_)) => messages += 1,
                    end => break end,
                }
            };
            assert_ended(end, TransportEnd::Timeout);
            assert!(messages > 400, "only {messages} were received");
        };
        tokio::select! {
            ((), took) = timed(listen) => assert_eq!(took, CLOSE),
            () = talk => panic!("the peer is not abandoned"),
        }
    }
    run_paused(async {
        for by_wait in [true, false] {
            let (server, client) = a_server().await;
            check(server, client, &masked(0x81, b"and another thing"), by_wait).await;
            let (client, server) = a_client().await;
            check(client, server, &plain(0x81, b"and another thing"), by_wait).await;
        }
    });
}

#[test]
fn a_peer_that_never_pauses_after_our_close_is_abandoned() {
    // Over real TCP and with the real clock: a paused clock would not advance, since nothing waits.
    run(async {
        let config = Config::default().close_timeout(Duration::from_millis(100));
        let (mut server, mut client) = server_and_stream(Acceptor::new().config(config)).await;
        let flood = tokio::spawn(async move {
            let messages = masked(0x82, &[0; 60_000]).repeat(10);
            while client.write_all(&messages).await.is_ok() {}
        });
        assert_abandoned(&server.wait_closed().await);
        drop(server);
        flood.await.unwrap();
    });
}

#[test]
fn an_answer_that_arrived_in_time_counts_although_it_is_read_late() {
    async fn check<R: Role>(
        mut socket: WebSocket<DuplexStream, R>,
        mut peer: DuplexStream,
        said: &[u8],
    ) {
        socket.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(timeout(SECOND, socket.next()).await.is_err());
        peer.write_all(said).await.unwrap();
        peer.shutdown().await.unwrap();
        // This endpoint is busy elsewhere until long after its deadline.
        sleep(2 * CLOSE).await;
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("last"));
        assert!(socket.next().await.is_none());
        assert!(socket.closed().unwrap().clean);
    }
    run_paused(async {
        let (server, peer) = a_server().await;
        let said = [masked(0x81, b"last"), masked(0x88, &[0x03, 0xe8])].concat();
        check(server, peer, &said).await;
        let (client, peer) = a_client().await;
        let said = [plain(0x81, b"last"), CLOSE_NORMAL.to_vec()].concat();
        check(client, peer, &said).await;
    });
}

#[test]
fn reading_after_a_close_does_not_wait_for_room() {
    run_paused(async {
        for by in WAYS {
            let (mut peer, end) = duplex(PIPE);
            let limits = Limits::default().queued_output(1000);
            let acceptor = Acceptor::new().config(Config::default().limits(limits));
            let mut server = server_over(end, &mut peer, acceptor).await;
            server.feed(&LARGE).await.unwrap();
            assert!(server.buffered_amount() > 1000, "the queue is to be full");
            assert!(timeout(SECOND, server.close(CloseCode::NORMAL, "")).await.is_err());
            let (fed, took) = timed(server.feed("more")).await;
            assert!(matches!(fed, Err(Error::Send(SendError::Closed { .. }))), "{fed:?}");
            assert_eq!(took, Duration::ZERO);
            peer.write_all(&masked(0x81, b"last")).await.unwrap();
            peer.write_all(&masked(0x88, b"\x03\xe9busy")).await.unwrap();
            let (messages, errors) = receive_all(&mut server, by).await;
            assert_eq!(messages, [b"last"], "{by:?}");
            let closed = only_end(errors);
            assert_eq!((closed.code, &*closed.reason), (CloseCode::GOING_AWAY, "busy"), "{by:?}");
        }
    });
}

/// A fault of the peer is reported as soon as the Close for it was offered to the transport,
/// whether the peer keeps reading, writing, or neither.
#[test]
fn a_fault_is_reported_at_once_although_the_peer_keeps_the_transport_open() {
    run_paused(async {
        for reads in [true, false] {
            let (mut server, mut client) = a_server().await;
            if !reads {
                // There is no room for the Close either.
                server.try_feed(vec![0; 2 * PIPE]).unwrap();
            }
            client.write_all(&[0x83]).await.unwrap();
            let (next, took) = timed(server.next()).await;
            assert!(matches!(next, Some(Err(Error::Protocol(_)))), "{next:?}");
            assert_eq!(took, Duration::ZERO);
            assert!(server.next().await.is_none());
            // An application that wants the peer to read the Close calls `wait_closed`.
            let (closed, took) = timed(server.wait_closed()).await;
            assert!(matches!(closed.cause, Cause::Protocol(_)) && took == CLOSE, "{closed:?}");
        }
    });
}
