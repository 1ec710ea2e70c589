//! Explores all interleavings, up to a bound, of two halves on two threads and a peer on a third.
//!
//! The model checks that nobody waits forever, which it reports as a deadlock, and that each byte
//! arrives once. `./test` runs it; to run it alone:
//!
//! ```text
//! RUSTFLAGS="--cfg sansocket_loom" cargo test --release --features tokio --test split_model
//! ```
#![cfg(all(sansocket_loom, feature = "tokio"))]

use futures_util::StreamExt;
use loom::{
    future::block_on,
    sync::{Arc, Mutex},
    thread,
};
use sansocket::{
    Config, Error, Limits, Message,
    buffer::ReadBuffer,
    connection::{OutboxConfig, Server},
    handshake::Negotiated,
    on_tokio::WebSocket,
};
use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A transport that takes only as much as there is room for, and remembers one waker per direction.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    incoming: VecDeque<u8>,
    ended: bool,
    room: usize,
    written: Vec<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    peer: Option<Waker>,
}

impl Wire {
    fn new(incoming: &[u8], room: usize) -> Self {
        let state =
            State { incoming: incoming.iter().copied().collect(), room, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    fn websocket(&self) -> WebSocket<Self, Server> {
        self.websocket_with(Config::default())
    }

    fn websocket_with(&self, config: Config) -> WebSocket<Self, Server> {
        // No deadline, since the model has no clock.
        let config = config.close_timeout(Duration::MAX);
        WebSocket::new(self.clone(), Server::new(), Negotiated::new(), ReadBuffer::new(), config)
    }

    /// Makes room for more bytes, as the peer.
    fn give_room(&self, room: usize) {
        let mut state = self.0.lock().unwrap();
        state.room += room;
        let waker = state.writer.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until `count` bytes have arrived, as the peer.
    fn wait_for(&self, count: usize) -> Vec<u8> {
        block_on(poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if state.written.len() >= count {
                return Poll::Ready(state.written.clone());
            }
            state.peer = Some(cx.waker().clone());
            Poll::Pending
        }))
    }

    /// Sends the last bytes and ends the input, as the peer.
    fn end(&self, last: &[u8]) {
        let mut state = self.0.lock().unwrap();
        state.incoming.extend(last);
        state.ended = true;
        let waker = state.reader.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock().unwrap();
        if state.incoming.is_empty() && !state.ended {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let bytes: Vec<u8> = state.incoming.drain(..).collect();
        into.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock().unwrap();
        let count = from.len().min(state.room);
        if count == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.room -= count;
        state.written.extend(&from[..count]);
        let waker = state.peer.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];
const PONG: [u8; 2] = [0x8a, 0];
const TEXT: [u8; 3] = [0x81, 1, b'x'];
/// A reserved opcode.
const FAULT: [u8; 2] = [0x83, 0];
const CLOSE: [u8; 4] = [0x88, 2, 0x03, 0xe8];
const MASKED_CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

#[test]
fn a_pong_and_a_message_are_both_written_by_either_half() {
    check(|| {
        let wire = Wire::new(&PING, 1);
        let (mut sender, mut receiver) = wire.websocket().split();
        let reading = thread::spawn(move || {
            let end = block_on(receiver.next());
            assert!(matches!(end, Some(Err(Error::Closed(_)))), "{end:?}");
        });
        let writing = thread::spawn(move || {
            block_on(sender.send("x")).unwrap();
            sender
        });
        wire.give_room(2);
        wire.give_room(2);
        let written = wire.wait_for(5);
        let either = [[&TEXT[..], &PONG].concat(), [&PONG[..], &TEXT].concat()];
        assert!(either.contains(&written), "{written:?}");
        let sender = writing.join().unwrap();
        wire.end(&[]);
        reading.join().unwrap();
        drop(sender);
    });
}

#[test]
fn a_waiting_receiver_writes_the_queue_of_a_dropped_sender() {
    check(|| {
        let wire = Wire::new(&[], 1);
        let (mut sender, mut receiver) = wire.websocket().split();
        let reading = thread::spawn(move || {
            assert!(block_on(receiver.next()).is_none());
            assert!(receiver.closed().unwrap().clean);
        });
        let writing = thread::spawn(move || {
            sender.try_feed("x").unwrap();
            drop(sender);
        });
        wire.give_room(6);
        assert_eq!(wire.wait_for(3), TEXT);
        wire.end(&MASKED_CLOSE);
        assert_eq!(wire.wait_for(7)[3..], CLOSE);
        reading.join().unwrap();
        writing.join().unwrap();
    });
}

#[test]
fn a_waiting_sender_learns_that_the_receiver_is_dropped() {
    check(|| {
        let wire = Wire::new(&[], 1);
        let (mut sender, receiver) = wire.websocket().split();
        let writing = thread::spawn(move || {
            let sent = block_on(sender.send("x"));
            assert!(matches!(sent, Err(Error::Closed(_))), "{sent:?}");
        });
        drop(receiver);
        writing.join().unwrap();
    });
}

#[test]
fn a_waiting_sender_learns_of_the_end_that_the_receiver_sees() {
    check(|| {
        let wire = Wire::new(&[], 1);
        let (mut sender, mut receiver) = wire.websocket().split();
        let reading = thread::spawn(move || {
            assert!(block_on(receiver.next()).is_some_and(|end| end.is_err()));
            receiver
        });
        let writing = thread::spawn(move || {
            let sent = block_on(sender.feed(&Message::text("x")));
            sent.and_then(|()| block_on(sender.flush()))
        });
        wire.end(&FAULT);
        let sent = writing.join().unwrap();
        assert!(matches!(sent, Err(Error::Closed(_))), "{sent:?}");
        drop(reading.join().unwrap());
    });
}

#[test]
fn a_sender_is_woken_although_the_receiver_polled_last_and_no_longer_waits() {
    check(|| {
        let wire = Wire::new(&[], 1);
        let (mut sender, mut receiver) = wire.websocket().split();
        let reading = thread::spawn(move || {
            block_on(poll_fn(|cx| {
                assert!(receiver.poll_next_unpin(cx).is_pending());
                Poll::Ready(())
            }));
            receiver
        });
        let writing = thread::spawn(move || {
            block_on(sender.send("x")).unwrap();
            sender
        });
        wire.give_room(2);
        assert_eq!(wire.wait_for(3), TEXT);
        let (receiver, sender) = (reading.join().unwrap(), writing.join().unwrap());
        drop((receiver, sender));
    });
}

/// Nobody flushes: what the transport does not take at once is written by the half that waits.
#[test]
fn a_waiting_receiver_writes_what_was_pushed() {
    check(|| {
        let wire = Wire::new(&[], 1);
        let (mut sender, mut receiver) = wire.websocket().split();
        let reading = thread::spawn(move || {
            let end = block_on(receiver.next());
            assert!(matches!(end, Some(Err(Error::Closed(_)))), "{end:?}");
        });
        let writing = thread::spawn(move || {
            for _ in 0..2 {
                assert!(sender.push("x").unwrap().is_queued());
            }
            sender
        });
        wire.give_room(5);
        assert_eq!(wire.wait_for(6), [TEXT, TEXT].concat());
        let sender = writing.join().unwrap();
        wire.end(&[]);
        reading.join().unwrap();
        drop(sender);
    });
}

#[test]
fn a_sender_that_waits_for_room_is_woken_whichever_half_writes() {
    check(|| {
        let wire = Wire::new(&[], 0);
        // A message goes to the queue if that is empty, and otherwise waits.
        let limits = Limits::default().queued_output(0);
        let outbox = OutboxConfig::default().messages(1);
        let config = Config::default().limits(limits).outbox(outbox);
        let (mut sender, mut receiver) = wire.websocket_with(config).split();
        for _ in 0..2 {
            assert!(sender.push("x").unwrap().is_queued());
        }
        assert!(sender.push("x").unwrap_err().is_full());
        let reading = thread::spawn(move || {
            let end = block_on(receiver.next());
            assert!(matches!(end, Some(Err(Error::Closed(_)))), "{end:?}");
        });
        let writing = thread::spawn(move || {
            block_on(sender.wait_for_room()).unwrap();
            sender
        });
        wire.give_room(3);
        let sender = writing.join().unwrap();
        wire.give_room(3);
        assert_eq!(wire.wait_for(6), [TEXT, TEXT].concat());
        wire.end(&[]);
        reading.join().unwrap();
        drop(sender);
    });
}
