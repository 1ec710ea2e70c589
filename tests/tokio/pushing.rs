//! Messages that are pushed: they are written at once, or by whoever waits next, and bounded.

use sansocket::{
    CloseCode, Config, Error, Message, PreparedMessage,
    connection::{Cause, OutboxConfig, Pushed, Role, SendError, Server, WhenFull},
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::{advance, dropping, poll_once, run},
    traffic::decode_as_peer_of,
    transports::wire::{CLIENT, DRIP, EAGER, Manner, SERVER, Vectored, Wire, websocket},
};
use std::{pin::pin, task::Poll};
use tokio::io::AsyncReadExt;

fn config(outbox: OutboxConfig) -> Config {
    Config::default().outbox(outbox)
}

/// Returns messages of several sizes and forms.
fn messages() -> Vec<Message> {
    let sizes = [0, 5, 1000, 9000, 70_000, 3, 20_000, 1];
    let mut messages: Vec<_> =
        sizes.iter().map(|&size| Message::binary(vec![size as u8; size])).collect();
    messages.push(Message::text("κόσμε"));
    messages
}

fn check_sent<R: Role>(_: &R, bytes: &[u8], expected: &[Message]) {
    assert!(decode_as_peer_of::<R>(bytes).messages == expected);
}

/// Reads `count` bytes as the peer.
macro_rules! reads {
    ($wire:expr, $side:expr, $bytes:ident) => {{
        let mut peer = $wire.end(1 - $side, EAGER);
        async move {
            let mut bytes = Vec::new();
            while bytes.len() < $bytes {
                let read = peer.read_buf(&mut bytes).await.unwrap();
                assert!(read > 0, "{} of {}", bytes.len(), $bytes);
            }
            bytes
        }
    }};
}

#[test]
fn a_push_is_written_at_once() {
    fn check<R: Role>(role: R, side: usize, manner: Manner, in_halves: bool) {
        let wire = Wire::new();
        let mut websocket = websocket(wire.end(side, manner), role, Config::default());
        let prepared = PreparedMessage::new("prepared");
        if in_halves {
            let (mut sender, mut receiver) = websocket.split();
            assert!(poll_once(receiver.next()).is_pending());
            assert_eq!(sender.push("text").unwrap(), Pushed::Queued);
            assert_eq!(sender.push(&prepared).unwrap(), Pushed::Queued);
            assert_eq!((sender.buffered_amount(), receiver.buffered_amount()), (0, 0));
            assert_eq!((wire.writes(side).len(), wire.flushes(side)), (2, 2));
        } else {
            assert_eq!(websocket.push("text").unwrap(), Pushed::Queued);
            assert_eq!(websocket.push(&prepared).unwrap(), Pushed::Queued);
            assert_eq!(websocket.buffered_amount(), 0);
            assert_eq!((wire.writes(side).len(), wire.flushes(side)), (2, 2));
        }
        let seen = decode_as_peer_of::<R>(&wire.take(side)).messages;
        assert_eq!(seen[..2], [Message::text("text"), Message::text("prepared")]);
    }
    for manner in [EAGER, Manner { vectored: Vectored::No, ..EAGER }] {
        for in_halves in [false, true] {
            check(Server::new(), SERVER, manner, in_halves);
            check(client_role(), CLIENT, manner, in_halves);
        }
    }
}

/// The task that receives waits, and nobody flushes.
#[test]
fn what_a_slow_peer_leaves_is_written_by_the_receiving_task() {
    fn check<R: Role>(role: impl Fn() -> R, side: usize, manner: Manner, room: usize) {
        let wire = Wire::new();
        wire.set_room(side, room);
        let websocket = websocket(wire.end(side, manner), role(), Config::default());
        let (mut sender, mut receiver) = websocket.split();
        let expected = messages();
        let overhead: usize = if R::MASKS { 4 } else { 0 };
        let frames = 2 * 9 + 5 * 2 + 8 + overhead * 10;
        let len = expected.iter().map(Message::len).sum::<usize>() + frames;
        let receives = async {
            let _ = receiver.next().await;
        };
        let pushes = async {
            for (number, message) in expected.iter().enumerate() {
                let pushed = match number % 2 {
                    0 => sender.push(message),
                    _ => sender.push(PreparedMessage::new(message.clone())),
                };
                assert_eq!(pushed.unwrap(), Pushed::Queued);
            }
            assert!(sender.buffered_amount() > 0);
        };
        let mut bytes = Vec::new();
        let reading = reads!(wire, side, len);
        let reads = async { bytes = reading.await };
        advance(&wire, &mut [pin!(receives), pin!(pushes), pin!(reads)]);
        check_sent(&role(), &bytes, &expected);
    }
    for (manner, room) in [(EAGER, 10), (EAGER, 3000), (DRIP, usize::MAX), (DRIP, 5)] {
        check(Server::new, SERVER, manner, room);
        check(client_role, CLIENT, manner, room);
    }
}

#[test]
fn a_connection_that_is_not_split_writes_the_rest_while_it_receives() {
    let wire = Wire::new();
    wire.set_room(SERVER, 10);
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let expected = messages();
    for message in &expected {
        assert_eq!(server.push(message).unwrap(), Pushed::Queued);
    }
    assert!(server.buffered_amount() > 100_000);
    let len = server.buffered_amount();
    let mut bytes = Vec::new();
    let reading = reads!(wire, SERVER, len);
    let reads = async { bytes = reading.await };
    let receives = async {
        let _ = server.next().await;
    };
    advance(&wire, &mut [pin!(receives), pin!(reads)]);
    while !wire.take(SERVER).is_empty() {
        let _ = poll_once(server.flush());
    }
    assert_eq!(server.buffered_amount(), 0);
}

/// Each future that waits for room is dropped at every poll.
#[test]
fn waiting_for_room_can_be_dropped() {
    fn check<R: Role>(role: impl Fn() -> R, side: usize, in_halves: bool) {
        let outbox = OutboxConfig::default().high_water(30_000).low_water(1000);
        let wire = Wire::new();
        let mut websocket = websocket(wire.end(side, DRIP), role(), config(outbox));
        let expected: Vec<_> = messages().into_iter().chain(messages()).collect();
        let mut drops = 0;
        macro_rules! push_all {
            ($sender:expr) => {{
                let mut refused = 0;
                for message in &expected {
                    while let Err(error) = $sender.push(message) {
                        assert!(error.is_full(), "{error}");
                        refused += 1;
                        dropping!(drops, $sender.wait_for_room()).unwrap();
                    }
                }
                assert!(refused > 2);
                dropping!(drops, $sender.flush()).unwrap();
                dropping!(drops, $sender.wait_for_room()).unwrap();
            }};
        }
        if in_halves {
            let (mut sender, mut receiver) = websocket.split();
            let receives = async {
                let _ = receiver.next().await;
            };
            let pushes = async { push_all!(sender) };
            advance(&wire, &mut [pin!(pushes), pin!(receives)]);
        } else {
            let pushes = async { push_all!(websocket) };
            run(&wire, &mut [pin!(pushes)]);
        }
        assert!(drops > 10_000);
        check_sent(&role(), &wire.take(side), &expected);
    }
    for in_halves in [false, true] {
        check(Server::new, SERVER, in_halves);
        check(client_role, CLIENT, in_halves);
    }
}

#[test]
fn a_task_that_waits_for_room_is_woken_when_the_other_task_has_made_some() {
    let outbox = OutboxConfig::default().messages(10);
    let wire = Wire::new();
    wire.set_room(SERVER, 0);
    let server = websocket(wire.end(SERVER, EAGER), Server::new(), config(outbox));
    let (mut sender, mut receiver) = server.split();
    let _ = sender.push(vec![0; 20_000]).unwrap();
    while sender.push("").is_ok() {}
    let waits = async { sender.wait_for_room().await.unwrap() };
    let receives = async {
        let _ = receiver.next().await;
    };
    let mut users = (pin!(waits), pin!(receives));
    advance(&wire, &mut [users.0.as_mut(), users.1.as_mut()]);
    wire.set_room(SERVER, usize::MAX);
    // Only the task that receives is polled.
    advance(&wire, &mut [users.1.as_mut()]);
    assert!(poll_once(users.0.as_mut()).is_ready());
}

#[test]
fn only_the_last_fragment_makes_room_for_what_waits() {
    let wire = Wire::new();
    let outbox = OutboxConfig::default().messages(1);
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), config(outbox));
    assert!(poll_once(server.feed_fragment("a ", false)).is_ready());
    assert_eq!(server.push("pushed").unwrap(), Pushed::Queued);
    assert!(server.push("more").unwrap_err().is_full());
    let waited = poll_once(server.wait_for_room());
    assert!(matches!(waited, Poll::Ready(Err(Error::Send(SendError::MessageInProgress)))));
    assert!(poll_once(server.feed_fragment("message", true)).is_ready());
    assert!(matches!(poll_once(server.wait_for_room()), Poll::Ready(Ok(()))));
    assert!(matches!(poll_once(server.flush()), Poll::Ready(Ok(()))));
    let seen = decode_as_peer_of::<Server>(&wire.take(SERVER)).messages;
    assert_eq!(seen, [Message::text("a message"), Message::text("pushed")]);
}

#[test]
fn a_full_outbox_closes_the_connection() {
    let outbox = OutboxConfig::new(WhenFull::Close(CloseCode::TRY_AGAIN_LATER)).messages(2);
    let wire = Wire::new();
    wire.set_room(SERVER, 100);
    let server = websocket(wire.end(SERVER, EAGER), Server::new(), config(outbox));
    let (mut sender, mut receiver) = server.split();
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.push(sender.push(vec![0; 20_000]).unwrap());
    }
    assert_eq!(outcomes[2..], [Pushed::Queued, Pushed::Closed]);
    assert!(matches!(sender.push("late"), Err(Error::Send(SendError::Closed { .. }))));
    assert_eq!(sender.dropped().total().messages, 3);
    let mut client = websocket(wire.end(CLIENT, EAGER), client_role(), Config::default());
    let mut ends = Vec::new();
    let server_ends = async {
        while receiver.next().await.is_some() {}
        ends.push(receiver.wait_closed().await.cause);
    };
    let mut codes = Vec::new();
    let client_ends = async {
        while client.next().await.is_some() {}
        codes.push(client.closed().unwrap().code);
    };
    advance(&wire, &mut [pin!(server_ends), pin!(client_ends)]);
    assert_eq!(codes, [CloseCode::TRY_AGAIN_LATER]);
    assert_eq!(sender.closed().unwrap().cause, Cause::OutboxFull);
}

#[test]
fn a_reply_that_is_pushed_to_a_closing_peer_is_no_error() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    server.try_close(CloseCode::NORMAL, "").unwrap();
    wire.put(CLIENT, b"\x81\x80\0\0\0\0");
    let Poll::Ready(Some(Ok((_, mut replies)))) = poll_once(server.receive()) else { panic!() };
    assert_eq!(replies.push("late").unwrap(), Pushed::DroppedNewest);
    assert!(matches!(server.push("late"), Err(Error::Send(SendError::Closed { .. }))));
}

#[test]
fn parts_have_what_waits() {
    let wire = Wire::new();
    wire.set_room(SERVER, 10);
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let expected = messages();
    for message in &expected {
        assert!(server.push(message).unwrap().is_queued());
    }
    let bytes = [wire.take(SERVER), server.into_parts().unwritten].concat();
    check_sent(&Server::new(), &bytes, &expected);
}

/// Between the turns in which a large message is compressed, the other half writes pushed messages,
/// which are compressed too.
#[cfg(feature = "deflate")]
#[test]
fn a_message_from_the_outbox_may_come_between_the_turns_of_another() {
    use sansocket::{
        DeflateConfig, buffer::ReadBuffer, deflate::DeflateParameters, handshake::Negotiated,
        on_tokio::WebSocket,
    };
    for receives_between in [false, true] {
        let wire = Wire::new();
        wire.set_room(SERVER, 1);
        let config = Config::default().deflate(DeflateConfig::new());
        let mut negotiated = Negotiated::new();
        negotiated.deflate = Some(DeflateParameters::default());
        let end = wire.end(SERVER, EAGER);
        let server =
            WebSocket::new(end, Server::new(), negotiated.clone(), ReadBuffer::new(), config);
        let (mut sender, mut receiver) = server.split();
        let text = |seed: usize, len: usize| {
            let words =
                (0..len).map(|at| char::from(b'a' + ((at * at + seed * at) >> 5) as u8 % 17));
            Message::text(words.collect::<String>())
        };
        let first = text(1, 40_000);
        let small: Vec<_> = (2..40).map(|seed| text(seed, 3000)).collect();
        let large = text(100, 1 << 20);
        let mut expected = vec![first.clone()];
        let _ = sender.push(&first).unwrap();
        for message in &small {
            assert!(sender.push(message).unwrap().is_queued());
        }
        let feeds = async {
            sender.feed(&large).await.unwrap();
            sender.flush().await.unwrap();
        };
        let receives = async {
            let _ = receiver.next().await;
        };
        let mut bytes = Vec::new();
        let (mut feeds, mut receives) = (pin!(feeds), pin!(receives));
        let mut turn = 0;
        while poll_once(feeds.as_mut()).is_pending() {
            turn += 1;
            wire.set_room(SERVER, if turn > 1 { usize::MAX } else { 1 });
            if receives_between {
                assert!(poll_once(receives.as_mut()).is_pending());
            }
            bytes.extend(wire.take(SERVER));
        }
        assert!(turn > 1, "the message is compressed in {turn} turns");
        bytes.extend(wire.take(SERVER));
        let mut end =
            sansocket_testkit::endpoint::Endpoint::agreed(client_role(), &negotiated, config);
        end.fill(&bytes);
        let seen = end.messages().unwrap();
        expected.extend(small);
        expected.push(large.clone());
        assert_eq!(seen.len(), expected.len());
        assert!(expected.iter().all(|message| seen.contains(message)));
    }
}
