//! What becomes of a transport that this end is done with, and does not wait for.

use sansocket::{
    CloseCode, Config, Error, Negotiated, ReadBuffer, Server,
    tokio::{Acceptor, WebSocket},
};
use sansocket_testkit::{
    clock::{DAY, run_paused},
    frames::{CLOSE_AWAY, CLOSE_NORMAL, plain},
    pair::tokio::server_over,
};
use std::{
    io::{self, IoSlice},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::{Instant, timeout},
};

const CLOSE: Duration = Duration::from_secs(5);

/// A pipe that can't be ended yet, or that panics when it is read.
struct Odd {
    pipe: DuplexStream,
    reads: bool,
    shuts_down: bool,
}

impl AsyncRead for Odd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(self.reads, "this transport panics");
        Pin::new(&mut self.pipe).poll_read(cx, into)
    }
}

impl AsyncWrite for Odd {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write_vectored(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.shuts_down { Pin::new(&mut self.pipe).poll_shutdown(cx) } else { Poll::Pending }
    }
}

fn server(reads: bool, shuts_down: bool) -> (DuplexStream, WebSocket<Odd, Server>) {
    let (near, pipe) = duplex(4096);
    let odd = Odd { pipe, reads, shuts_down };
    let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
    (near, WebSocket::new(odd, Server::new(), negotiated, input, Config::default()))
}

#[test]
fn a_half_close_that_is_never_ready_is_not_waited_for_longer_than_the_peer() {
    run_paused(async {
        // The Close is written, or does not fit behind what is queued before it.
        for queued in [0, 100_000] {
            let (_peer, mut server) = server(true, false);
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
            let (mut peer, server) = server(true, true);
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
        let (_peer, server) = server(false, true);
        let (receiver, mut sender) = server.split();
        // A second panic while this one unwinds would end the process.
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let mut receiver = receiver;
            let mut next = Box::pin(receiver.next());
            let _ = next.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
        }));
        assert!(panicked.is_err());
        assert!(matches!(sender.send("hello").await, Err(Error::Closed(_))));
    });
}
