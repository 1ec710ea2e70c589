//! The fate of a transport that this endpoint drops.

use sansocket::{
    CloseCode, Config, Error,
    buffer::ReadBuffer,
    connection::{ProtocolError, Server},
    handshake::Negotiated,
    on_tokio::{Acceptor, WebSocket},
};
use sansocket_testkit::{
    clock::{DAY, run_paused},
    frames::{CLOSE_AWAY, failure_close, plain},
    pair::tokio::server_over,
    transports::faulty::{Faults, Faulty},
};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
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
fn a_half_close_that_is_never_ready_is_bounded_by_the_close_timeout() {
    run_paused(async {
        // The Close is written, or does not fit behind the queue.
        for queued in [0, 100_000] {
            let (_peer, mut server) = server(Faults { shutdown_waits: true, ..Faults::default() });
            let _ = server.try_feed(vec![0; queued]);
            let started = Instant::now();
            let _ = server.close(CloseCode::NORMAL, "").await;
            let closed = timeout(DAY, server.wait_closed()).await.expect("it hangs").clone();
            assert!(!closed.clean);
            // Input that the peer sent in time may be read for a while.
            let took = started.elapsed();
            assert!((CLOSE..=CLOSE + Duration::from_millis(500)).contains(&took), "{took:?}");
        }
    });
}

#[test]
fn the_writing_side_ends_after_a_fault_although_the_connection_is_kept() {
    run_paused(async {
        let (mut peer, pipe) = duplex(4096);
        let mut server = server_over(pipe, &mut peer, Acceptor::new()).await;
        // An unmasked frame.
        peer.write_all(&plain(0x81, b"a")).await.unwrap();
        assert!(matches!(server.next().await, Some(Err(Error::Protocol(_)))));
        let mut read = Vec::new();
        timeout(CLOSE, peer.read_to_end(&mut read)).await.expect("it hangs").unwrap();
        assert_eq!(read, failure_close(ProtocolError::Unmasked));
        drop(server);
    });
}

#[test]
fn dropping_both_halves_in_either_order_tells_the_peer() {
    for receiver_first in [false, true] {
        run_paused(async {
            let (mut peer, server) = server(Faults::default());
            let (sender, receiver) = server.split();
            if receiver_first {
                drop(receiver);
                drop(sender);
            } else {
                drop(sender);
                drop(receiver);
            }
            let mut read = Vec::new();
            peer.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, CLOSE_AWAY);
        });
    }
}

#[test]
fn a_half_whose_transport_panics_does_not_use_it_again() {
    run_paused(async {
        let (_peer, server) = server(Faults { read_panics: true, ..Faults::default() });
        let (mut sender, receiver) = server.split();
        // A second panic while this one unwinds would abort the process.
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let mut receiver = receiver;
            let mut next = Box::pin(receiver.next());
            let _ = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }));
        assert!(panicked.is_err());
        assert!(matches!(sender.send("hello").await, Err(Error::Closed(_))));
    });
}

/// A connection that no server runs, and that a task is to end when it is dropped.
fn dropping() -> (DuplexStream, WebSocket<DuplexStream, Server>) {
    let (near, pipe) = duplex(4096);
    let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
    let server = WebSocket::new(pipe, Server::new(), negotiated, input, Config::default());
    (near, server.linger_on_drop())
}

#[test]
fn a_task_delivers_what_was_queued_when_the_connection_is_dropped() {
    run_paused(async {
        for reads in [true, false] {
            let (mut peer, mut server) = dropping();
            server.feed(vec![7; 50_000]).await.unwrap();
            drop(server);
            if !reads {
                // It gets no more time than a client of `serve`.
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            let mut read = Vec::new();
            timeout(DAY, peer.read_to_end(&mut read)).await.expect("it hangs").unwrap();
            let expected = plain(0x82, &[7; 50_000]);
            let len = if reads { expected.len() } else { 4096 };
            assert!(read == expected[..len], "{} bytes", read.len());
        }
    });
}

/// RFC 6455 §7.1.1: the server ends the connection. The client may still send for a while.
#[test]
fn a_task_that_delivers_reads_what_the_peer_still_sends() {
    run_paused(async {
        let (mut peer, server) = dropping();
        drop(server);
        peer.write_all(&[0; 100_000]).await.unwrap();
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    });
}

/// A program may end with the connection: then no task runs any more.
#[test]
fn what_the_transport_takes_at_once_is_written_although_the_runtime_ends() {
    use std::io::Read;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
        let server = WebSocket::new(stream, Server::new(), negotiated, input, Config::default());
        let mut server = server.linger_on_drop();
        // Until the transport is known to be ready, it takes nothing.
        server.get_mut().writable().await.unwrap();
        server.feed("bye").await.unwrap();
    });
    drop(runtime);
    let mut read = Vec::new();
    peer.read_to_end(&mut read).unwrap();
    assert_eq!(read, plain(0x81, b"bye"));
}

/// Panics at whatever is asked of it.
struct Panicking;

impl AsyncRead for Panicking {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        panic!("a read")
    }
}

impl AsyncWrite for Panicking {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        panic!("a write")
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a flush")
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("a shutdown")
    }
}

/// A second panic while the first unwinds would abort the process.
#[test]
fn a_transport_that_has_panicked_is_not_written_to_for_a_task_either() {
    run_paused(async {
        let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
        let server = WebSocket::new(Panicking, Server::new(), negotiated, input, Config::default());
        let (sender, receiver) = server.linger_on_drop().split();
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let mut receiver = receiver;
            let mut next = Box::pin(receiver.next());
            let _ = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }));
        assert!(panicked.is_err());
        // Dropping the other half would use the transport once more, which panics here.
        std::mem::forget(sender);
    });
}

#[test]
fn without_a_runtime_there_is_no_task_to_deliver() {
    let (_peer, mut server) = dropping();
    let cx = &mut Context::from_waker(Waker::noop());
    let feeding = std::pin::pin!(server.feed("a")).poll(cx);
    assert!(feeding.is_ready());
    drop(server);
}
