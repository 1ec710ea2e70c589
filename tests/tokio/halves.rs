//! A connection that is split into a `Stream` and a `Sink` for two tasks: each is woken when it can
//! proceed, whichever of them polled the transport last.

use futures_util::{SinkExt, StreamExt, stream};
use sansocket::{
    Config, Error, Limits, Message, State,
    buffer::ReadBuffer,
    connection::{Cause, Server, TransportEnd},
    handshake::Negotiated,
    on_tokio::WebSocket,
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::{advance, run},
    traffic::decode_as_peer_of,
    transports::wire::{CLIENT, EAGER, Manner, SERVER, Wire, websocket},
};
use std::{future::poll_fn, io::ErrorKind, pin::pin, task::Poll, time::Duration};
use tokio::{
    io::AsyncReadExt,
    task::{spawn, yield_now},
    time::timeout,
};

/// Polls once as the current task, and continues whatever the result.
macro_rules! touch {
    (|$cx:ident| $poll:expr) => {
        poll_fn(|$cx| Poll::Ready($poll.is_pending())).await
    };
}

/// Returns a sink's message for which the wire has no room, and the length of its frame.
fn stuck() -> (Message, usize) {
    (Message::binary(vec![7; 1000]), 2 + 2 + 4 + 1000)
}

/// The stream's task polled the transport last, and no longer waits.
#[test]
fn a_waiting_sink_is_woken_although_the_stream_was_polled_since() {
    let wire = Wire::new();
    wire.set_room(CLIENT, 10);
    let client = websocket(wire.end(CLIENT, EAGER), client_role(), Config::default());
    let (mut sink, mut stream) = StreamExt::split(client);
    let mut peer = wire.end(SERVER, EAGER);
    let (message, len) = stuck();
    let mut sent = false;
    let sends = async {
        sink.send(message).await.unwrap();
        sent = true;
    };
    let looks = async { assert!(touch!(|cx| stream.poll_next_unpin(cx))) };
    let reads = async {
        peer.read_exact(&mut vec![0; len]).await.unwrap();
    };
    run(&wire, &mut [pin!(sends), pin!(looks), pin!(reads)]);
    assert!(sent);
}

#[test]
fn a_sink_that_waits_for_room_is_woken_although_the_stream_was_polled_since() {
    let wire = Wire::new();
    wire.set_room(CLIENT, 10);
    let config = Config::default().limits(Limits::default().queued_output(500));
    let client = websocket(wire.end(CLIENT, EAGER), client_role(), config);
    let (mut sink, mut stream) = StreamExt::split(client);
    let mut peer = wire.end(SERVER, EAGER);
    let (message, len) = stuck();
    // The sink's half keeps one more message.
    let mut fed = 0;
    let feeds = async {
        for _ in 0..3 {
            sink.feed(message.clone()).await.unwrap();
            fed += 1;
        }
    };
    let looks = async { assert!(touch!(|cx| stream.poll_next_unpin(cx))) };
    let reads = async {
        peer.read_exact(&mut vec![0; len - 500]).await.unwrap();
    };
    run(&wire, &mut [pin!(feeds), pin!(looks), pin!(reads)]);
    assert_eq!(fed, 3);
}

/// A stream that waits for a message is woken by one, whatever the sink did since.
#[test]
fn a_waiting_stream_is_woken_although_the_sink_was_polled_since() {
    let wire = Wire::new();
    let client = websocket(wire.end(CLIENT, EAGER), client_role(), Config::default());
    let (mut sink, mut stream) = StreamExt::split(client);
    let mut received = None;
    let receives = async { received = stream.next().await };
    let sends = async {
        sink.send(Message::text("a")).await.unwrap();
        wire.put(SERVER, &[0x81, 1, b'b']);
    };
    run(&wire, &mut [pin!(receives), pin!(sends)]);
    assert_eq!(received.unwrap().unwrap(), Message::text("b"));
}

#[test]
fn a_waiting_sink_learns_that_the_stream_has_ended() {
    let wire = Wire::new();
    wire.set_room(CLIENT, 10);
    let client = websocket(wire.end(CLIENT, EAGER), client_role(), Config::default());
    let (mut sink, mut stream) = StreamExt::split(client);
    let (mut sent, mut received) = (None, None);
    let sends = async { sent = Some(sink.send(stuck().0).await) };
    let receives = async { received = stream.next().await };
    let ends = async { wire.put(SERVER, &[0x83, 0]) };
    run(&wire, &mut [pin!(sends), pin!(receives), pin!(ends)]);
    assert!(matches!(sent, Some(Err(Error::Closed(_)))), "{sent:?}");
    assert!(matches!(received, Some(Err(Error::Protocol(_)))), "{received:?}");
}

/// The deadline of the close also wakes the stream, whichever of them polled the timer last.
#[tokio::test(start_paused = true)]
async fn a_waiting_stream_ends_at_the_deadline_although_the_sink_was_polled_since() {
    let wire = Wire::new();
    wire.set_room(CLIENT, 0);
    let client = websocket(wire.end(CLIENT, EAGER), client_role(), Config::default());
    let (mut sink, mut stream) = StreamExt::split(client);
    let waits = spawn(async move { stream.next().await });
    yield_now().await;
    assert!(touch!(|cx| sink.poll_close_unpin(cx)));
    for _ in 0..5 {
        yield_now().await;
    }
    let last = spawn(async move {
        assert!(touch!(|cx| sink.poll_close_unpin(cx)));
        sink
    });
    let sink = last.await.unwrap();
    let end = timeout(Duration::from_secs(60), waits).await.expect("the stream hangs").unwrap();
    let Some(Err(Error::Closed(closed))) = end else { panic!("{end:?}") };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    drop(sink);
}

/// From then on, the wait for the peer is bounded.
#[tokio::test(start_paused = true)]
async fn a_waiting_stream_learns_that_the_sink_has_failed() {
    let wire = Wire::new();
    let manner = Manner { write_error: Some(ErrorKind::BrokenPipe), ..EAGER };
    let client = websocket(wire.end(CLIENT, manner), client_role(), Config::default());
    let (mut sink, mut stream) = StreamExt::split(client);
    let waits = spawn(async move { stream.next().await });
    yield_now().await;
    let failed = sink.send(Message::text("a")).await;
    assert!(matches!(failed, Err(Error::Io(_))), "{failed:?}");
    let end = timeout(Duration::from_secs(60), waits).await.expect("the stream hangs").unwrap();
    assert!(matches!(end, Some(Err(Error::Closed(_)))), "{end:?}");
}

#[test]
fn closing_a_sink_sends_one_close_and_leaves_the_end_to_the_stream() {
    let wire = Wire::new();
    let mut client = websocket(wire.end(CLIENT, EAGER), client_role(), Config::default());
    let closes = async {
        SinkExt::feed(&mut client, Message::text("before")).await.unwrap();
        SinkExt::<Message>::close(&mut client).await.unwrap();
        SinkExt::<Message>::close(&mut client).await.unwrap();
        assert_eq!(client.state(), State::Closing);
        let late = SinkExt::feed(&mut client, Message::text("late")).await;
        assert!(matches!(late, Err(Error::Send(_))), "{late:?}");
        wire.put(SERVER, &[0x81, 1, b'b', 0x88, 2, 3, 0xe8]);
        wire.finish(SERVER);
        assert_eq!(StreamExt::next(&mut client).await.unwrap().unwrap(), Message::text("b"));
        assert!(StreamExt::next(&mut client).await.is_none());
        assert!(client.closed().unwrap().clean);
        SinkExt::<Message>::close(&mut client).await.unwrap();
    };
    assert!(advance(&wire, &mut [pin!(closes)]));
    let seen = decode_as_peer_of::<sansocket::connection::Client<fn() -> sansocket::mask::MaskKey>>(
        &wire.take(CLIENT),
    );
    assert_eq!((seen.messages, seen.closes), (vec![Message::text("before")], 1));
}

/// An echo server is a `forward` through a pipe that holds little. The client sends and receives in
/// two tasks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tasks_share_a_connection_and_an_echo_is_a_forward() {
    for (pipe, limit) in [(64, 0), (1000, 1000), (100_000, 1 << 20)] {
        let (client, server) = tokio::io::duplex(pipe);
        let config = Config::default().limits(Limits::default().queued_output(limit));
        let role =
            sansocket::connection::Client::new(sansocket::random::SystemMaskKeys::new().unwrap());
        let client = WebSocket::new(client, role, Negotiated::new(), ReadBuffer::new(), config);
        let server =
            WebSocket::new(server, Server::new(), Negotiated::new(), ReadBuffer::new(), config);
        let expected: Vec<_> = (0..300_u32)
            .map(|number| Message::binary(vec![number as u8; number as usize * 37 % 2000]))
            .collect();
        let echo = spawn(async move {
            let (sink, stream) = StreamExt::split(server);
            stream.forward(sink).await
        });
        let (mut sink, stream) = StreamExt::split(client);
        let sending = expected.clone();
        let (received_all, wait) = tokio::sync::oneshot::channel();
        let sends = spawn(async move {
            sink.send_all(&mut stream::iter(sending.into_iter().map(Ok))).await.unwrap();
            wait.await.unwrap();
            sink.close().await.unwrap();
            sink
        });
        let receives = spawn(async move {
            let mut stream = stream.map(Result::unwrap);
            let received: Vec<_> = stream.by_ref().take(300).collect().await;
            received_all.send(()).unwrap();
            assert!(stream.next().await.is_none());
            received
        });
        let all = async { (receives.await.unwrap(), echo.await.unwrap(), sends.await.unwrap()) };
        let (received, echoed, _sink) =
            timeout(Duration::from_secs(60), all).await.expect("the tasks hang");
        assert!(received == expected, "{} messages", received.len());
        echoed.unwrap();
    }
}
