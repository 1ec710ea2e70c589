//! Transports that fail in one direction only, or in ways that sockets on loopback don't.

use sansocket::{
    CloseCode, Config, Error,
    connection::{Cause, Initiator, TransportEnd},
    on_tokio::Connector,
};
use sansocket_testkit::{
    clock::{run, run_paused},
    frames::{CLOSE_NORMAL, plain},
    pair::tokio::{ClientSocket, client_over},
    receiving::{By, WAYS, only_end, receive_all},
    transports::faulty::{Faults, Faulty},
};
use std::{cell::Cell, io::ErrorKind, rc::Rc, time::Duration};
use tokio::{
    io::{AsyncWriteExt, DuplexStream, duplex},
    time::Instant,
};

const CLOSE: Duration = Duration::from_secs(5);

/// Returns a client, the other end of its transport, and the faults of the transport.
async fn a_client(config: Config) -> (ClientSocket<Faulty>, DuplexStream, Rc<Cell<Faults>>) {
    let (inner, mut server) = duplex(4096);
    let (transport, faults) = Faulty::new(inner);
    let client = client_over(transport, &mut server, Connector::new().config(config)).await;
    (client, server, faults)
}

#[test]
fn a_failed_write_is_reported_and_reading_continues_for_the_close_timeout() {
    run_paused(async {
        for by in WAYS {
            let (mut client, mut server, faults) = a_client(Config::default()).await;
            faults.set(Faults { write: Some(ErrorKind::BrokenPipe), ..Faults::default() });
            for _ in 0..2 {
                let sent = client.send("lost").await;
                let Err(Error::Io(error)) = sent else { panic!("{sent:?}") };
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            }
            server.write_all(&plain(0x81, b"last")).await.unwrap();
            let started = Instant::now();
            let (messages, errors) = receive_all(&mut client, by).await;
            assert_eq!((messages, started.elapsed()), (vec![b"last".to_vec()], CLOSE), "{by:?}");
            let closed = only_end(errors);
            assert_eq!(closed.cause, Cause::Transport(TransportEnd::Reset));
            assert_eq!(closed.code, CloseCode::ABNORMAL);
        }
    });
}

#[test]
fn a_failed_write_while_receiving_loses_no_input() {
    run_paused(async {
        for by in WAYS {
            let (mut client, mut server, faults) = a_client(Config::default()).await;
            faults.set(Faults { write: Some(ErrorKind::BrokenPipe), ..Faults::default() });
            // The answer to this ping can't be written.
            server.write_all(&plain(0x89, b"?")).await.unwrap();
            server.write_all(&plain(0x81, b"last")).await.unwrap();
            server.write_all(&plain(0x88, b"\x03\xe9busy")).await.unwrap();
            server.shutdown().await.unwrap();
            let (messages, errors) = receive_all(&mut client, by).await;
            assert_eq!(messages, [b"last"], "{by:?}");
            let closed = only_end(errors);
            assert_eq!((closed.code, &*closed.reason), (CloseCode::GOING_AWAY, "busy"));
            assert_eq!(closed.cause, Cause::Transport(TransportEnd::Eof));
            assert!(!closed.clean && closed.initiator == Initiator::Peer);
        }
    });
}

#[test]
fn each_error_of_reading_is_reported_as_one_end() {
    use TransportEnd::{Reset, Timeout, TlsTruncated};
    let kinds = [
        (ErrorKind::ConnectionReset, Reset),
        (ErrorKind::ConnectionAborted, Reset),
        (ErrorKind::BrokenPipe, Reset),
        (ErrorKind::NotConnected, Reset),
        (ErrorKind::UnexpectedEof, TlsTruncated),
        // The system gave up on a peer that was silent for too long.
        (ErrorKind::TimedOut, Timeout),
    ];
    run_paused(async {
        for ((kind, how), by) in kinds.into_iter().flat_map(|kind| WAYS.map(|by| (kind, by))) {
            let (mut client, mut server, faults) = a_client(Config::default()).await;
            server.write_all(&plain(0x81, b"last")).await.unwrap();
            faults.set(Faults { read: Some(kind), ..Faults::default() });
            let (messages, errors) = receive_all(&mut client, by).await;
            assert_eq!(messages, [b"last"], "{kind:?}");
            let closed = only_end(errors);
            assert_eq!(closed.cause, Cause::Transport(how), "{kind:?} {by:?}");
            assert_eq!(client.closed(), Some(&closed));
        }
    });
}

#[test]
fn the_error_of_a_write_is_kept_when_reading_ends() {
    let kinds = [
        (ErrorKind::ConnectionReset, TransportEnd::Reset),
        (ErrorKind::TimedOut, TransportEnd::Timeout),
        // The peer ended its side in order, and then received more.
        (ErrorKind::BrokenPipe, TransportEnd::Eof),
    ];
    run_paused(async {
        for (kind, how) in kinds {
            let (mut client, mut server, faults) = a_client(Config::default()).await;
            server.shutdown().await.unwrap();
            faults.set(Faults { write: Some(kind), ..Faults::default() });
            assert!(client.send("lost").await.is_err());
            let (_, errors) = receive_all(&mut client, By::Next).await;
            assert_eq!(only_end(errors).cause, Cause::Transport(how), "{kind:?}");
        }
    });
}

#[test]
fn an_unclassified_error_is_passed_through() {
    run_paused(async {
        for by in WAYS {
            let (mut client, _server, faults) = a_client(Config::default()).await;
            faults.set(Faults { read: Some(ErrorKind::HostUnreachable), ..Faults::default() });
            let (_, errors) = receive_all(&mut client, by).await;
            let [Error::Io(error)] = &errors[..] else { panic!("{errors:?}") };
            assert_eq!(error.kind(), ErrorKind::HostUnreachable, "{by:?}");
            let closed = client.closed().unwrap();
            assert_eq!(closed.cause, Cause::Transport(TransportEnd::Reset));
        }
    });
}

#[test]
fn failures_after_both_closes_do_not_matter() {
    run_paused(async {
        for kind in [ErrorKind::ConnectionReset, ErrorKind::HostUnreachable] {
            let (mut client, mut server, faults) = a_client(Config::default()).await;
            server.write_all(&CLOSE_NORMAL).await.unwrap();
            faults.set(Faults { read: Some(kind), ..Faults::default() });
            let (_, errors) = receive_all(&mut client, By::Next).await;
            assert!(errors.is_empty(), "{errors:?}");
            assert!(client.closed().unwrap().clean);
        }
    });
}

#[test]
fn no_end_of_a_transport_looks_retryable() {
    run_paused(async {
        for kind in [ErrorKind::WouldBlock, ErrorKind::TimedOut] {
            let (mut client, _server, faults) = a_client(Config::default()).await;
            faults.set(Faults { read: Some(kind), ..Faults::default() });
            let (_, errors) = receive_all(&mut client, By::Next).await;
            assert!(errors.len() == 1 && !errors[0].is_would_block(), "{errors:?}");

            let (mut client, _server, faults) = a_client(Config::default()).await;
            faults.set(Faults { write: Some(kind), ..Faults::default() });
            let error = client.send("lost").await.unwrap_err();
            assert!(!error.is_would_block(), "{error:?}");
        }
    });
}

#[test]
fn a_peer_that_never_lets_this_task_wait_is_abandoned() {
    // With the real clock: a paused clock would not advance, since nothing waits.
    run(async {
        let config = Config::default().close_timeout(Duration::from_millis(100));
        let (mut client, _server, faults) = a_client(config).await;
        let flood = [plain(0x82, &[0; 4000]), plain(0x89, b"?")].concat().leak();
        faults.set(Faults { flood, ..Faults::default() });
        let closed = client.wait_closed().await;
        assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    });
}
