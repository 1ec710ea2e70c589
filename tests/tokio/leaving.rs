//! What becomes of a transport that this end is done with, and does not wait for.

use sansocket::{
    CloseCode, Config, Error, Negotiated, ReadBuffer, Server,
    tokio::{Acceptor, WebSocket},
};
use sansocket_testkit::{
    clock::{DAY, run_paused},
    frames::{CLOSE_AWAY, CLOSE_NORMAL, plain},
    pair::tokio::server_over,
    transports::faulty::{Faults, Faulty},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Waker},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Instant, timeout},
};

const CLOSE: Duration = Duration::from_secs(5);

fn server(faults: Faults) -> (DuplexStream, WebSocket<Faulty, Server>) {
    let (near, pipe) = duplex(4096);
    let (faulty, its_faults) = Faulty::new(pipe);
    its_faults.set(faults);
    let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
    (near, WebSocket::new(faulty, Server::new(), negotiated, input, Config::default()))
}

#[test]
fn a_half_close_that_is_never_ready_is_not_waited_for_longer_than_the_peer() {
    run_paused(async {
        // The Close is written, or does not fit behind what is queued before it.
        for queued in [0, 100_000] {
            let (_peer, mut server) = server(Faults { shutdown_waits: true, ..Faults::default() });
            let _ = server.try_feed(&vec![0; queued]);
            let started = Instant::now();
            let _ = server.close(CloseCode::NORMAL, "").await;
            let closed = timeout(DAY, server.wait_closed()).await.expect("it ends").clone();
            assert!(!closed.clean);
            // What the peer has sent in time may be read for a while.
            let took = started.elapsed();
            assert!((CLOSE..=CLOSE + Duration::from_millis(500)).contains(&took), "{took:?}");
        }
    });
}

#[test]
fn after_a_fault_the_writing_side_ends_though_the_connection_is_kept() {
    run_paused(async {
        let (mut peer, pipe) = duplex(4096);
        let mut server = server_over(pipe, &mut peer, Acceptor::new()).await;
        // Not masked.
        peer.write_all(&plain(0x81, b"a")).await.unwrap();
        assert!(matches!(server.next().await, Some(Err(Error::Protocol(_)))));
        let mut read = Vec::new();
        timeout(CLOSE, peer.read_to_end(&mut read)).await.expect("it ends").unwrap();
        assert_eq!(read[..4], [0x88, 2, 0x03, 0xea]);
        drop(server);
    });
}

#[test]
fn both_halves_dropped_are_an_end_without_a_close_in_either_order() {
    for receiver_first in [false, true] {
        run_paused(async {
            let (mut peer, server) = server(Faults::default());
            let (receiver, sender) = server.split();
            if receiver_first {
                drop(receiver);
                drop(sender);
            } else {
                drop(sender);
                drop(receiver);
            }
            let mut read = Vec::new();
            peer.read_to_end(&mut read).await.unwrap();
            // The half that sends may have wanted more.
            assert_eq!(read, if receiver_first { &CLOSE_AWAY[..] } else { &[] });
            assert_ne!(read, CLOSE_NORMAL);
        });
    }
}

#[test]
fn a_half_whose_transport_panics_does_not_touch_it_again() {
    run_paused(async {
        let (_peer, server) = server(Faults { read_panics: true, ..Faults::default() });
        let (receiver, mut sender) = server.split();
        // A second panic while this one unwinds would end the process.
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let mut receiver = receiver;
            let mut next = Box::pin(receiver.next());
            let _ = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }));
        assert!(panicked.is_err());
        assert!(matches!(sender.send("hello").await, Err(Error::Closed(_))));
    });
}
