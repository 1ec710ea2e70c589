//! Messages that are read as they arrive: `next_reader`.

use sansocket::{
    Config, Error, Event, Limits, Message,
    connection::{MessageKind, ProtocolError, ReceiveError, Role, Server},
    on_tokio::{Acceptor, Connector, MessageReader, WebSocket},
};
use sansocket_testkit::{
    clock,
    endpoint::client_role,
    frames::*,
    noise::noise,
    pair::tokio::{client_and_stream, pair, server_and_stream},
    polling::{dropping, poll_once, run},
    traffic::{decode_as_peer_of, encode},
    transports::wire::{CLIENT, DRIP, EAGER, End, SERVER, Wire, websocket},
};
use std::{
    future::{Future, poll_fn},
    io::{self, ErrorKind},
    pin::pin,
    task::Poll,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Messages in one frame and in several, with control frames in between.
fn traffic<P: Role>(peer: P) -> (Vec<u8>, Vec<Message>) {
    let large = noise(70_000, 1);
    let bytes = encode(peer, |connection, output| {
        connection.send_text("κόσμε 🌍", output).unwrap();
        connection.ping(b"first", output).unwrap();
        connection.send_fragment("κό", false, output).unwrap();
        connection.ping(b"second", output).unwrap();
        connection.send_fragment("", false, output).unwrap();
        connection.pong(b"unasked", output).unwrap();
        connection.send_fragment("σμε 🌍", true, output).unwrap();
        connection.send_binary(&large, output).unwrap();
        connection.send_binary(&[], output).unwrap();
        connection.send_text("end", output).unwrap();
    });
    let text = Message::text("κόσμε 🌍");
    let messages = vec![
        text.clone(),
        text,
        Message::binary(large),
        Message::binary(vec![]),
        Message::text("end"),
    ];
    (bytes, messages)
}

fn message(kind: MessageKind, bytes: Vec<u8>) -> Message {
    match kind {
        MessageKind::Text => Message::text(String::from_utf8(bytes).unwrap()),
        MessageKind::Binary => Message::binary(bytes),
    }
}

/// Waits for a reader, with a future that is created anew for each poll. The transport has the waker.
macro_rules! reader {
    ($owner:ident, $drops:ident) => {
        loop {
            let polled = {
                let mut next = pin!($owner.next_reader());
                poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await
            };
            if let Poll::Ready(reader) = polled {
                break reader.unwrap().unwrap();
            }
            $drops += 1;
            let mut has_waited = false;
            poll_fn(|_| match std::mem::replace(&mut has_waited, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
        }
    };
}

/// Reads the rest of a message, and drops each read that is pending.
async fn read_dropping<R: Role>(
    mut reader: MessageReader<'_, End, R>,
    size: usize,
    drops: &mut usize,
) -> Vec<u8> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; size]);
    loop {
        let count = dropping!(*drops, reader.read(&mut buffer)).unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        if count == 0 {
            assert_eq!(reader.read(&mut buffer).await.unwrap(), 0, "the end stays the end");
            return bytes;
        }
    }
}

/// Every future is dropped before each byte. Nothing is lost, duplicated or reordered.
#[test]
fn messages_are_read_and_futures_can_be_dropped_before_each_byte() {
    fn check<R: Role + Unpin, P: Role>(side: usize, role: fn() -> R, peer: P) {
        let (bytes, expected) = traffic(peer);
        for (is_split, size) in [(false, 1), (false, 1000), (true, 7), (true, 100_000)] {
            let wire = Wire::new();
            wire.put(1 - side, &bytes);
            let websocket = websocket(wire.end(side, DRIP), role(), Config::default());
            let (mut drops, mut received) = (0, Vec::new());
            let user = async {
                if is_split {
                    let (sender, mut half) = websocket.split();
                    while received.len() < expected.len() {
                        let reader = reader!(half, drops);
                        let kind = reader.kind();
                        received.push(message(kind, read_dropping(reader, size, &mut drops).await));
                    }
                    sender.reunite(half).ok().unwrap()
                } else {
                    let mut websocket = websocket;
                    while received.len() < expected.len() {
                        let reader = reader!(websocket, drops);
                        let kind = reader.kind();
                        received.push(message(kind, read_dropping(reader, size, &mut drops).await));
                    }
                    websocket
                }
            };
            run(&wire, &mut [pin!(async { user.await.flush().await.unwrap() })]);
            assert!(received == expected, "{} messages", received.len());
            assert_eq!(drops, bytes.len());
            assert_eq!(decode_as_peer_of::<R>(&wire.take(side)).pongs, [&b"first"[..], b"second"]);
        }
    }
    check(SERVER, Server::new, client_role());
    check(CLIENT, client_role, Server::new());
}

/// The reader returns what is there, inside one frame too, and pings are answered meanwhile.
#[test]
fn a_reader_works_inside_a_frame_and_pings_are_answered() {
    clock::run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        client.write_all(&header_with(BINARY_START, 1000, Some([0; 4]))).await.unwrap();
        client.write_all(&[1; 10]).await.unwrap();
        let mut reader = server.next_reader().await.unwrap().unwrap();
        let mut buffer = [0; 990];
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 10);
        client.write_all(&[2; 990]).await.unwrap();
        reader.read_exact(&mut buffer).await.unwrap();
        client.write_all(&masked(PING, b"still there?")).await.unwrap();
        {
            let mut read = pin!(reader.read(&mut buffer));
            let mut pong = vec![0; plain(PONG, b"still there?").len()];
            tokio::select! {
                _ = read.as_mut() => panic!("nothing more has arrived"),
                read = client.read_exact(&mut pong) => assert_eq!(read.unwrap(), pong.len()),
            }
            assert_eq!(pong, plain(PONG, b"still there?"));
        }
        // Reading nothing does not wait.
        assert!(matches!(poll_once(reader.read(&mut [])), Poll::Ready(Ok(0))));
        client.write_all(&masked(LAST, b"!")).await.unwrap();
        let mut rest = String::new();
        assert_eq!(reader.read_to_string(&mut rest).await.unwrap(), 1);
    });
}

/// Each way to receive goes on behind a message whose reader was dropped, wherever that was.
#[test]
fn the_rest_of_a_message_is_skipped_when_its_reader_is_dropped() {
    fn check<R: Role + Unpin, P: Role>(side: usize, role: fn() -> R, peer: fn() -> P) {
        let bytes = encode(peer(), |connection, output| {
            connection.send_fragment("first ", false, output).unwrap();
            connection.send_fragment("second ", false, output).unwrap();
            connection.ping(b"inside", output).unwrap();
            connection.send_fragment("third", true, output).unwrap();
            connection.send_text("next", output).unwrap();
        });
        for read in [0, 1, 6, 7, 13, 18] {
            for way in 0..4 {
                let wire = Wire::new();
                wire.put(1 - side, &bytes);
                let mut websocket = websocket(wire.end(side, DRIP), role(), Config::default());
                let user = async {
                    let mut reader = websocket.next_reader().await.unwrap().unwrap();
                    reader.read_exact(&mut vec![0; read]).await.unwrap();
                    drop(reader);
                    let text = match way {
                        0 => websocket.next().await.unwrap().unwrap(),
                        1 => loop {
                            let (event, _) = websocket.receive().await.unwrap().unwrap();
                            if let Some(message) = event.to_message() {
                                break message;
                            }
                        },
                        2 => loop {
                            let (chunk, _) = websocket.receive_chunk().await.unwrap().unwrap();
                            if let Event::Text(text) = chunk.event {
                                assert!(chunk.first, "{chunk:?}");
                                let mut text = text.to_owned();
                                while text.len() < 4 {
                                    let next = websocket.receive_chunk().await.unwrap().unwrap();
                                    if let Event::Text(more) = next.0.event {
                                        text.push_str(more);
                                    }
                                }
                                break Message::text(text);
                            }
                        },
                        _ => {
                            let mut text = String::new();
                            let mut reader = websocket.next_reader().await.unwrap().unwrap();
                            reader.read_to_string(&mut text).await.unwrap();
                            Message::text(text)
                        }
                    };
                    assert_eq!(text, Message::text("next"), "way {way} after {read} bytes");
                    websocket.flush().await.unwrap();
                };
                run(&wire, &mut [pin!(user)]);
                assert_eq!(decode_as_peer_of::<R>(&wire.take(side)).pongs, [b"inside"]);
            }
        }
    }
    check(SERVER, Server::new, client_role);
    check(CLIENT, client_role, Server::new);
}

/// A reader that is forgotten can't lead the next one into the middle of its message.
#[test]
fn a_reader_begins_at_the_beginning_of_a_message() {
    clock::run(async {
        let (mut client, mut server) = client_and_stream(Connector::new()).await;
        let bytes = [plain(TEXT_START, b"one"), plain(LAST, b"two"), plain(TEXT, b"three")];
        server.write_all(&bytes.concat()).await.unwrap();
        std::mem::forget(client.next_reader().await.unwrap().unwrap());
        let mut text = String::new();
        client.next_reader().await.unwrap().unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "three");
        // The same after a piece of a message.
        let bytes = [plain(TEXT_START, b"one"), plain(LAST, b"two"), plain(TEXT, b"three")];
        server.write_all(&bytes.concat()).await.unwrap();
        assert!(client.receive_chunk().await.unwrap().unwrap().0.first);
        client.skip_message();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("three"));
    });
}

#[test]
fn a_message_that_is_being_received_whole_has_no_reader() {
    clock::run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        client.write_all(&masked(TEXT_START, b"who")).await.unwrap();
        {
            let mut next = pin!(server.next());
            tokio::select! {
                biased;
                _ = next.as_mut() => panic!("the message is not complete"),
                () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {}
            }
        }
        let misused = server.next_reader().await.unwrap().map(|_| ());
        assert!(matches!(misused, Err(Error::Receive(ReceiveError::MixedModes))), "{misused:?}");
        client.write_all(&masked(LAST, b"le")).await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("whole"));
    });
}

/// A whole message that `receive_with` held back because the queue was full is not lost.
#[test]
fn a_message_that_was_held_back_is_read() {
    let wire = Wire::new();
    wire.set_room(SERVER, 0);
    wire.put(CLIENT, &masked(TEXT, b"first"));
    wire.put(CLIENT, &masked(TEXT, b"held"));
    let config = Config::default().limits(Limits::default().queued_output(0));
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), config);
    let visits = server.receive_with(|event, replies| match event {
        Event::Text(text) => replies.try_feed(text),
        _ => Ok::<(), Error>(()),
    });
    assert!(poll_once(visits).is_pending());
    let mut buffer = [0; 10];
    let Poll::Ready(Some(Ok(mut reader))) = poll_once(server.next_reader()) else { panic!() };
    assert!(matches!(poll_once(reader.read(&mut buffer[..2])), Poll::Ready(Ok(2))));
    assert!(matches!(poll_once(reader.read(&mut buffer[2..])), Poll::Ready(Ok(2))));
    assert_eq!(&buffer[..4], b"held");
    assert!(matches!(poll_once(reader.read(&mut buffer)), Poll::Ready(Ok(0))));
}

/// Reads until an error, which stays.
async fn read_error<R: Role>(mut websocket: WebSocket<End, R>) -> (Vec<u8>, io::Error) {
    let mut bytes = Vec::new();
    let mut reader = websocket.next_reader().await.unwrap().unwrap();
    let error = reader.read_to_end(&mut bytes).await.unwrap_err();
    let again = reader.read(&mut [0]).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::UnexpectedEof);
    assert!(matches!(inner(&again), Error::Closed(_)));
    drop(reader);
    assert!(websocket.next_reader().await.is_none());
    (bytes, error)
}

fn inner(error: &io::Error) -> &Error {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

#[test]
fn a_connection_that_ends_inside_a_message_is_an_error() {
    fn check<R: Role + Unpin>(side: usize, role: fn() -> R) {
        let begin = frame::<R>(TEXT_START, "begι".as_bytes());
        let closed = |error: &Error| matches!(error, Error::Closed(_));
        let ends: [(Vec<u8>, ErrorKind, &dyn Fn(&Error) -> bool); 5] = [
            (vec![], ErrorKind::UnexpectedEof, &closed),
            (header::<R>(LAST, 5), ErrorKind::UnexpectedEof, &closed),
            // A clean end: the peer has closed inside its message.
            (
                frame::<R>(CLOSE, &[0x03, 0xe8]),
                ErrorKind::UnexpectedEof,
                &|error| matches!(error, Error::Closed(closed) if closed.clean),
            ),
            (frame::<R>(LAST, b"\xff"), ErrorKind::InvalidData, &|error| {
                matches!(error, Error::Protocol(ProtocolError::InvalidUtf8 { at: 5 }))
            }),
            (frame::<R>(TEXT, b"other"), ErrorKind::InvalidData, &|error| {
                matches!(error, Error::Protocol(ProtocolError::ExpectedContinuation))
            }),
        ];
        for (end, kind, is_expected) in ends {
            let wire = Wire::new();
            wire.put(1 - side, &begin);
            wire.put(1 - side, &end);
            wire.finish(1 - side);
            let websocket = websocket(wire.end(side, EAGER), role(), Config::default());
            let user = async {
                let (bytes, error) = read_error(websocket).await;
                assert_eq!(bytes, "begι".as_bytes());
                assert_eq!(error.kind(), kind, "{error}");
                assert!(is_expected(inner(&error)), "{error}");
            };
            run(&wire, &mut [pin!(user)]);
        }
    }
    check(SERVER, Server::new);
    check(CLIENT, client_role);
}

#[test]
fn no_reader_comes_after_the_end() {
    clock::run(async {
        let (mut client, mut server) = client_and_stream(Connector::new()).await;
        server.write_all(&CLOSE_NORMAL).await.unwrap();
        drop(server);
        assert!(client.next_reader().await.is_none());
        let (mut client, server) = client_and_stream(Connector::new()).await;
        drop(server);
        assert!(matches!(client.next_reader().await, Some(Err(Error::Closed(_)))));
        assert!(client.next_reader().await.is_none());
    });
}

/// The limits on messages and frames are about memory, which a reader does not take.
#[test]
fn a_message_of_any_length_can_be_read() {
    const LEN: u64 = 64 << 20;
    clock::run(async {
        let limits = Limits::default().message(1000).fragments(2);
        let acceptor = Acceptor::new().config(Config::default().limits(limits));
        let (mut client, mut server) = pair(Connector::new(), acceptor).await;
        let send = async {
            let piece = vec![7; 1 << 20];
            for number in 1..=LEN >> 20 {
                client.feed_fragment(&piece, number == LEN >> 20).await.unwrap();
            }
            client.flush().await.unwrap();
        };
        let read = async {
            let mut reader = server.next_reader().await.unwrap().unwrap();
            tokio::io::copy(&mut reader, &mut tokio::io::sink()).await.unwrap()
        };
        let ((), len) = tokio::join!(send, read);
        assert_eq!(len, LEN);
        // A message that is not read like that has its limit.
        client.send(vec![7; 1001]).await.unwrap();
        let refused = server.next().await;
        assert!(matches!(
            refused,
            Some(Err(Error::Protocol(ProtocolError::MessageTooLarge { .. })))
        ));
    });
}

#[cfg(feature = "deflate")]
mod deflate {
    use super::*;
    use sansocket::{
        DeflateConfig, buffer::ReadBuffer, deflate::DeflateParameters, handshake::Negotiated,
    };
    use sansocket_testkit::{endpoint::Endpoint, transports::wire::Manner};
    use std::task::Context;

    fn agreed() -> Negotiated {
        Negotiated::new().deflate(DeflateParameters::default())
    }

    /// Everything has arrived, so only the end of a turn makes a reader wait, however few bytes a read
    /// returns.
    #[test]
    fn a_bomb_is_read_or_skipped_in_turns() {
        const LEN: usize = 64 << 20;
        const TURN: usize = 256 << 10;
        let config = Config::default().deflate(DeflateConfig::new());
        let mut sender = Endpoint::agreed(Server::new(), &agreed(), config.fragment_size(0));
        sender.connection.send_binary(&vec![0; LEN], &mut sender.output).unwrap();
        sender.connection.send_text("next", &mut sender.output).unwrap();
        let bytes = sender.written();
        assert!(bytes.len() < LEN / 500);
        for (skips, most) in [(false, usize::MAX), (true, usize::MAX), (false, 100), (true, 100)] {
            let wire = Wire::new();
            wire.put(SERVER, &bytes);
            let end = wire.end(CLIENT, Manner { most, ..EAGER });
            let mut client =
                WebSocket::new(end, client_role(), agreed(), ReadBuffer::new(), config);
            let (mut len, mut turns) = (0, 0);
            let user = async {
                let mut reader = client.next_reader().await.unwrap().unwrap();
                let mut buffer = vec![0; 1 << 20];
                let mut is_done = skips;
                while !is_done {
                    let count = reader.read(&mut buffer).await.unwrap();
                    assert!(count <= TURN, "{count} bytes in one poll");
                    len += count;
                    is_done = count == 0;
                }
                drop(reader);
                assert_eq!(client.next().await.unwrap().unwrap(), Message::text("next"));
            };
            {
                let mut user = pin!(user);
                let counted = poll_fn(|cx: &mut Context<'_>| {
                    turns += 1;
                    user.as_mut().poll(cx)
                });
                run(&wire, &mut [pin!(counted)]);
            }
            assert_eq!(len, if skips { 0 } else { LEN });
            assert!(turns >= LEN / TURN / 2, "{turns} turns");
        }
    }

    /// With context takeover, the second message refers to the first, which is not read to its end.
    #[test]
    fn a_compressed_message_can_be_skipped() {
        clock::run(async {
            let config = Config::default().deflate(DeflateConfig::new());
            let connector = Connector::new().config(config);
            let acceptor = Acceptor::new().config(config);
            let (mut client, mut server) = pair(connector, acceptor).await;
            let text: String =
                noise(60_000, 1).iter().map(|byte| char::from(b'a' + byte % 16)).collect();
            for _ in 0..2 {
                client.feed(text.as_str()).await.unwrap();
                server.feed(text.as_str()).await.unwrap();
            }
            client.flush().await.unwrap();
            server.flush().await.unwrap();
            let mut buffer = [0; 10];
            server.next_reader().await.unwrap().unwrap().read_exact(&mut buffer).await.unwrap();
            assert_eq!(server.next().await.unwrap().unwrap(), Message::text(text.as_str()));
            client.next_reader().await.unwrap().unwrap().read_exact(&mut buffer).await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text(text));
        });
    }
}
