//! A broadcast copies no payload: neither for members that read, nor for those that do not.
#![cfg(feature = "tokio")]

use sansocket::{
    Config, PreparedMessage,
    buffer::ReadBuffer,
    connection::{OutboxConfig, Server, WhenFull},
    handshake::Negotiated,
    on_tokio::{Group, Membership, ReceiveHalf, WebSocket, connect, serve},
};
use sansocket_testkit::allocator::{Counting, live, measure};
use std::{
    future::IntoFuture,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MEMBERS: usize = 10_000;
const LARGE: usize = 1 << 20;

/// A transport that counts what is written, or takes nothing.
#[derive(Debug)]
struct Stream {
    written: Arc<AtomicUsize>,
    is_stuck: bool,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_stuck {
            return Poll::Pending;
        }
        self.written.fetch_add(from.len(), Ordering::Relaxed);
        Poll::Ready(Ok(from.len()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(cx, &from[0])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Members = Vec<(Membership<Stream, Server>, ReceiveHalf<Stream, Server>)>;

/// Returns a group, its members, and what is written to all of them.
fn group(
    outbox: OutboxConfig,
    is_stuck: impl Fn(usize) -> bool,
) -> (Group<Stream, Server>, Members, Arc<AtomicUsize>) {
    let (group, written) = (Group::new(), Arc::new(AtomicUsize::new(0)));
    let members = (0..MEMBERS).map(|number| {
        let stream = Stream { written: written.clone(), is_stuck: is_stuck(number) };
        let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
        let config = Config::default().outbox(outbox);
        let (sender, receiver) =
            WebSocket::new(stream, Server::new(), negotiated, input, config).split();
        (group.join(sender), receiver)
    });
    let members = members.collect();
    (group, members, written)
}

#[test]
fn members_that_read_cost_no_memory_beside_one_that_does_not() {
    let outbox = OutboxConfig::new(WhenFull::DropOldest).messages(4);
    let (group, members, written) = group(outbox, |number| number == 7);
    for len in [16, LARGE] {
        let message = PreparedMessage::new(vec![7; len]);
        // The first message leases a buffer for the member that is stuck.
        group.send(&message);
        let held = live();
        let before = written.swap(0, Ordering::Relaxed);
        let ((), taken) = measure(|| {
            for _ in 0..3 {
                assert_eq!(group.send(&message).queued, MEMBERS);
            }
        });
        assert_eq!(written.swap(0, Ordering::Relaxed), 3 * before);
        assert!(before > (MEMBERS - 1) * len);
        let allocated = taken.allocations;
        assert!(allocated < 20, "{allocated} allocations for 3 messages of {len} bytes");
        let grown = live() - held;
        assert!(grown < 20_000, "{grown} bytes more for 3 messages of {len} bytes");
    }
    assert_eq!(members.len(), MEMBERS);
}

/// The worst case: nobody reads.
#[test]
fn members_that_all_stop_to_read_share_the_payloads() {
    let outbox = OutboxConfig::new(WhenFull::DropOldest).messages(4);
    let (group, members, _) = group(outbox, |_| true);
    let before = live();
    for _ in 0..10 {
        let message = PreparedMessage::new(vec![7; LARGE]);
        assert_eq!(group.send(&message).queued, MEMBERS);
    }
    // One message is in the queue of each member and is shared too, and four are in the outbox.
    let messages = 5 * 2 * LARGE as isize;
    let each = (live() - before - messages) / MEMBERS as isize;
    println!("{each} bytes a member");
    assert!(each < 2000, "{each} bytes for each member");
    drop(members);
    assert!(live() - before < 100_000, "{} bytes are still held", live() - before);
}

/// A server delivers for a while what a handler has left. A payload that many connections share is
/// still not copied.
#[test]
fn what_is_delivered_after_the_handler_is_not_copied() {
    const CLIENTS: usize = 6;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        // The system takes some megabytes of it.
        let message = PreparedMessage::new(vec![7; 32 * LARGE]);
        let (ended, mut has_ended) = tokio::sync::mpsc::unbounded_channel();
        let server = serve(listener, move |mut websocket, _| {
            let (message, ended) = (message.clone(), ended.clone());
            async move {
                assert!(websocket.push(&message)?.is_queued());
                let left = websocket.buffered_amount();
                drop(websocket);
                ended.send(left).unwrap();
                Ok::<_, sansocket::Error>(())
            }
        });
        let server = tokio::spawn(server.into_future());
        let mut clients = Vec::new();
        let before = live();
        for _ in 0..CLIENTS {
            // It never reads.
            clients.push(connect(&url).await.unwrap());
            let left = has_ended.recv().await.unwrap();
            assert!(left > 16 * LARGE, "the system has taken all but {left} bytes");
        }
        let each = (live() - before) / CLIENTS as isize;
        assert!(each < LARGE as isize, "{each} bytes for each client");
        server.abort();
    });
}
