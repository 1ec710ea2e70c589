//! A receiving loop that finds one message after the other lets other tasks run, whatever the
//! transport is. A call that does not wait never replaces the waker of a waiting task.

use futures_util::StreamExt;
use sansocket::{
    Config, Error, Limits, Message,
    buffer::ReadBuffer,
    connection::{SendError, Server},
    handshake::Negotiated,
    on_tokio::WebSocket,
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::poll_once,
    traffic::encode,
    transports::wire::{CLIENT, EAGER, End, Manner, SERVER, Wire, websocket},
};
use std::{
    future::poll_fn,
    io::ErrorKind,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Many more messages than a turn handles.
const MESSAGES: usize = 50_000;
const MOST_IN_A_TURN: usize = 8_000;

fn small_messages() -> Vec<u8> {
    encode(client_role(), |client, output| client.send_binary(&[7], output).unwrap())
        .repeat(MESSAGES)
}

fn server(bytes: &[u8]) -> WebSocket<End, Server> {
    let wire = Wire::new();
    wire.put(CLIENT, bytes);
    websocket(wire.end(SERVER, EAGER), Server::new(), Config::default())
}

/// Counts wakeups.
#[derive(Default)]
struct Counts(AtomicUsize);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn every_receiving_loop_yields_after_a_bounded_amount_of_work() {
    let bytes = small_messages();
    macro_rules! check {
        (|$websocket:ident, $count:ident| $receive:expr) => {{
            #[allow(unused_mut)]
            let mut $websocket = server(&bytes);
            let mut $count = 0;
            let counts = Arc::new(Counts::default());
            let waker = Waker::from(Arc::clone(&counts));
            let turns = {
                let mut receives = pin!(async { $receive });
                let mut turns = 1;
                while receives.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                    // A loop that yields is woken; it really waits once everything was received.
                    if counts.0.swap(0, Ordering::Relaxed) == 0 {
                        break;
                    }
                    turns += 1;
                }
                turns
            };
            assert_eq!($count, MESSAGES);
            assert!(turns >= MESSAGES / MOST_IN_A_TURN, "{turns} turns");
        }};
    }
    check!(|websocket, count| while websocket.next().await.is_some() {
        count += 1;
    });
    check!(|websocket, count| while websocket.receive().await.is_some() {
        count += 1;
    });
    check!(|websocket, count| while let Some(received) = websocket.receive().await {
        received.unwrap();
        count += 1;
        while websocket.receive_buffered().is_some() {
            count += 1;
        }
    });
    check!(|websocket, count| while websocket.receive_chunk().await.is_some() {
        count += 1;
    });
    check!(|websocket, count| {
        let visited = websocket.receive_with(|_, _| {
            count += 1;
            Ok::<(), Error>(())
        });
        visited.await.unwrap();
    });
    check!(|websocket, count| while StreamExt::next(&mut websocket).await.is_some() {
        count += 1;
    });
    check!(|websocket, count| {
        let (_sender, mut receiver) = websocket.split();
        while receiver.next().await.is_some() {
            count += 1;
        }
    });
}

#[test]
fn waiting_for_the_end_yields() {
    let mut server = server(&small_messages());
    let counts = Arc::new(Counts::default());
    let waker = Waker::from(Arc::clone(&counts));
    let mut waits = pin!(server.wait_closed());
    for _ in 0..MESSAGES / MOST_IN_A_TURN {
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(counts.0.swap(0, Ordering::Relaxed) > 0, "there is more to do");
    }
}

/// A loop that skips errors ends nonetheless.
#[test]
fn a_stream_reports_misuse_once_and_then_ends() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    // Once a message was received, the misuse is reported again.
    for _ in 0..2 {
        wire.put(CLIENT, &[0x02, 0x81, 0, 0, 0, 0, b'a']);
        assert!(matches!(poll_once(server.receive_chunk()), Poll::Ready(Some(Ok(_)))));
        let next = poll_once(StreamExt::next(&mut server));
        assert!(matches!(next, Poll::Ready(Some(Err(Error::Receive(_))))), "{next:?}");
        for _ in 0..3 {
            assert!(matches!(poll_once(StreamExt::next(&mut server)), Poll::Ready(None)));
        }
        // The message can still be received in the mode in which it was begun; then there are more.
        wire.put(CLIENT, &[0x80, 0x81, 0, 0, 0, 0, b'b', 0x82, 0x81, 0, 0, 0, 0, b'c']);
        assert!(matches!(poll_once(server.receive_chunk()), Poll::Ready(Some(Ok(_)))));
        let next = poll_once(StreamExt::next(&mut server));
        let Poll::Ready(Some(Ok(message))) = next else { panic!("{next:?}") };
        assert_eq!(message, Message::binary(&b"c"[..]));
    }
}

/// In a hand-written future, which returns the result of the stream.
#[test]
fn a_refused_message_does_not_replace_the_waker_of_a_waiting_task() {
    enum Way {
        AsStream,
        AsFuture,
        ByReplies,
    }
    for way in [Way::AsStream, Way::AsFuture, Way::ByReplies] {
        let wire = Wire::new();
        wire.set_room(SERVER, 10);
        let config = Config::default().limits(Limits::default().queued_output(100));
        let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), config);
        server.try_feed([1; 200]).unwrap();
        let counts = Arc::new(Counts::default());
        let waker = Waker::from(Arc::clone(&counts));
        let mut cx = Context::from_waker(&waker);
        match way {
            Way::AsStream => assert!(server.poll_next_unpin(&mut cx).is_pending()),
            Way::AsFuture => assert!(pin!(server.next()).poll(&mut cx).is_pending()),
            Way::ByReplies => {
                wire.put(CLIENT, &[0x89, 0x80, 0, 0, 0, 0]);
                assert!(pin!(server.next()).poll(&mut cx).is_pending());
                wire.put(CLIENT, &[0x8a, 0x80, 0, 0, 0, 0]);
                {
                    let mut receive = Box::pin(server.receive());
                    let Poll::Ready(Some(Ok((_, mut replies)))) = receive.as_mut().poll(&mut cx)
                    else {
                        panic!("there is a pong")
                    };
                    let refused = replies.try_feed([2; 200]);
                    assert!(matches!(refused, Err(Error::Send(SendError::QueueFull { .. }))));
                }
                assert!(pin!(server.next()).poll(&mut cx).is_pending());
            }
        }
        let refused = server.try_feed([2; 200]);
        assert!(matches!(refused, Err(Error::Send(SendError::QueueFull { .. }))), "{refused:?}");
        counts.0.store(0, Ordering::Relaxed);
        wire.take(SERVER);
        assert!(counts.0.load(Ordering::Relaxed) > 0, "the task that waits is woken");
    }
}

/// A transport whose flush failed is not flushed again.
#[test]
fn a_failed_flush_is_not_retried() {
    let wire = Wire::new();
    let manner = Manner { flush_error: Some(ErrorKind::Other), ..EAGER };
    let mut server = websocket(wire.end(SERVER, manner), Server::new(), Config::default());
    assert!(matches!(poll_once(server.send("x")), Poll::Ready(Err(Error::Io(_)))));
    for _ in 0..10 {
        assert!(poll_once(server.next()).is_pending());
    }
    assert_eq!(wire.flushes(SERVER), 1);
}

/// A waker that is the last owner of its task, which polls the other half when dropped.
struct Owner(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(at_end) = self.0.get_mut().unwrap().take() {
            at_end();
        }
    }
}

#[derive(Debug)]
struct Silent;

impl AsyncRead for Silent {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Silent {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

#[test]
fn the_halves_do_not_keep_a_waker_from_before_the_split() {
    let (input, config) = (ReadBuffer::new(), Config::default());
    let mut server = WebSocket::new(Silent, Server::new(), Negotiated::new(), input, config);
    let owner = Arc::new(Owner(Mutex::new(None)));
    let waker = Waker::from(Arc::clone(&owner));
    assert!(pin!(server.send("hello")).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&owner), 2, "the connection waits for the transport to take more");
    let _halves = server.split();
    // The waker could own a half by now, which locks the shared state when dropped.
    assert_eq!(Arc::strong_count(&owner), 1);
}

#[test]
fn a_waker_that_owns_its_task_can_be_dropped_when_replaced() {
    let config = Config::default();
    let server =
        WebSocket::new(Silent, Server::new(), Negotiated::new(), ReadBuffer::new(), config);
    let (mut sender, mut receiver) = server.split();
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let owner = Owner(Mutex::new(Some(Box::new(move || {
            assert!(poll_once(sender.flush()).is_ready());
            drop(sender);
        }))));
        let waker = Waker::from(Arc::new(owner));
        assert!(pin!(receiver.next()).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        // This drops the first waker.
        assert!(poll_once(receiver.next()).is_pending());
        let last = poll_once(poll_fn(|_| Poll::Ready(())));
        done.send(last.is_ready()).unwrap();
    });
    let waited = is_done.recv_timeout(std::time::Duration::from_secs(60));
    assert_eq!(waited, Ok(true), "dropping the waker deadlocked");
}

#[cfg(feature = "deflate")]
mod with_deflate {
    use super::*;
    use sansocket::Event;
    use sansocket_testkit::{endpoint::Endpoint, frames::masked};

    /// Decompression is work, even if it reads few bytes.
    #[test]
    fn decompressing_yields() {
        const LEN: usize = 1 << 20;
        const COUNT: usize = 40;
        let agreed = Negotiated::new().deflate(sansocket::deflate::DeflateParameters::default());
        let config = Config::default().deflate(sansocket::DeflateConfig::new());
        let mut sender = Endpoint::agreed(client_role(), &agreed, config);
        for _ in 0..COUNT {
            sender.connection.send_binary(&vec![0; LEN], &mut sender.output).unwrap();
        }
        let bytes = sender.written();
        for in_chunks in [false, true] {
            let wire = Wire::new();
            wire.put(CLIENT, &bytes);
            let (end, input) = (wire.end(SERVER, EAGER), ReadBuffer::new());
            let mut server = WebSocket::new(end, Server::new(), agreed.clone(), input, config);
            let counts = Arc::new(Counts::default());
            let waker = Waker::from(Arc::clone(&counts));
            let (mut len, mut turns) = (0, 1);
            let mut receives = pin!(async {
                while len < COUNT * LEN {
                    let event = if in_chunks {
                        server.receive_chunk().await.unwrap().unwrap().0.event
                    } else {
                        server.receive().await.unwrap().unwrap().0
                    };
                    let Event::Binary(data) = event else { panic!("{event:?}") };
                    len += data.len();
                }
            });
            while receives.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                assert!(counts.0.swap(0, Ordering::Relaxed) > 0, "there is more to do");
                turns += 1;
            }
            assert!(turns >= COUNT * LEN / (512 << 10), "{turns} turns");
        }
    }

    /// Starting over after each final block is work, too.
    #[test]
    fn last_blocks_yield() {
        const RECORDS: usize = 100;
        const COUNT: usize = 400;
        let agreed = Negotiated::new().deflate(sansocket::deflate::DeflateParameters::default());
        // 11 bytes of a stored block, then a final block of 5.
        let record = [&[0, 6, 0, 0xf9, 0xff][..], b"record", &[1, 0, 0, 0xff, 0xff]].concat();
        let message = masked(0xc2, &[&record.repeat(RECORDS)[..], &[0]].concat());
        let wire = Wire::new();
        wire.put(CLIENT, &message.repeat(COUNT));
        let (end, input) = (wire.end(SERVER, EAGER), ReadBuffer::new());
        let mut server = WebSocket::new(end, Server::new(), agreed, input, Config::default());
        let counts = Arc::new(Counts::default());
        let waker = Waker::from(Arc::clone(&counts));
        let mut turns = 1;
        let mut receives = pin!(async {
            for _ in 0..COUNT {
                server.next().await.unwrap().unwrap();
            }
        });
        while receives.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            assert!(counts.0.swap(0, Ordering::Relaxed) > 0, "there is more to do");
            turns += 1;
        }
        // Each final block counts as a KiB.
        assert!(turns >= COUNT * RECORDS / 512, "{turns} turns");
    }
}
