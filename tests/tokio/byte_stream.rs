//! Connections as streams of bytes.

use sansocket::{
    CloseCode, Config, Error, Limits, Message,
    connection::{Cause, Role, Server},
    on_tokio::{Acceptor, ByteStream, Connector},
};
use sansocket_testkit::{
    clock,
    endpoint::client_role,
    frames::*,
    noise::noise,
    pair::tokio::{client_and_stream, pair, read_to_end, server_and_stream},
    polling::{advance, dropping, poll_once, run},
    traffic::decode_as_peer_of,
    transports::wire::{CLIENT, DRIP, EAGER, SERVER, Wire, websocket},
};
use std::{
    future::{Future, poll_fn},
    io::ErrorKind,
    pin::pin,
    task::Poll,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional, split};

fn inner(error: &std::io::Error) -> &Error {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

/// Both ends of a stream over TCP.
async fn streams() -> (impl AsyncRead + AsyncWrite + Unpin, impl AsyncRead + AsyncWrite + Unpin) {
    let (client, server) = pair(Connector::new(), Acceptor::new()).await;
    (client.into_byte_stream(), server.into_byte_stream())
}

/// What the messages contain is read without their borders, and control frames in between do not
/// matter. Futures are dropped before each byte.
#[test]
fn bytes_are_read_and_futures_can_be_dropped_before_each_byte() {
    fn check<R: Role + Unpin>(side: usize, role: fn() -> R) {
        let bytes = [
            frame::<R>(BINARY, b"one"),
            frame::<R>(BINARY, b""),
            frame::<R>(PING, b"ping"),
            frame::<R>(BINARY_START, b"two"),
            frame::<R>(PING, b"inside"),
            frame::<R>(LAST, b"three"),
            frame::<R>(BINARY, &[b'x'; 1000]),
            frame::<R>(CLOSE, &[0x03, 0xe8]),
        ]
        .concat();
        let expected = [&b"onetwothree"[..], &[b'x'; 1000]].concat();
        for (is_split, size) in [(false, 1), (false, 5000), (true, 3), (true, 1000)] {
            let wire = Wire::new();
            wire.put(1 - side, &bytes);
            wire.finish(1 - side);
            let websocket = websocket(wire.end(side, DRIP), role(), Config::default());
            let (mut read, mut drops) = (Vec::new(), 0);
            let user = async {
                let mut buffer = vec![0; size];
                macro_rules! read {
                    ($reader:ident) => {
                        loop {
                            let count = dropping!(drops, $reader.read(&mut buffer)).unwrap();
                            read.extend_from_slice(&buffer[..count]);
                            if count == 0 {
                                assert_eq!($reader.read(&mut buffer).await.unwrap(), 0);
                                break;
                            }
                        }
                    };
                }
                if is_split {
                    let (sender, receiver) = websocket.split();
                    let mut reader = receiver.into_byte_reader();
                    read!(reader);
                    assert!(reader.get_ref().closed().unwrap().clean);
                    drop(sender);
                } else {
                    let mut stream = websocket.into_byte_stream();
                    read!(stream);
                    assert!(stream.get_ref().closed().unwrap().clean);
                }
            };
            run(&wire, &mut [pin!(user)]);
            assert_eq!(read, expected);
            assert!(drops >= bytes.len(), "{drops}");
            let seen = decode_as_peer_of::<R>(&wire.take(side));
            assert_eq!((seen.pongs, seen.closes), (vec![b"ping".to_vec(), b"inside".to_vec()], 1));
        }
    }
    check(SERVER, Server::new);
    check(CLIENT, client_role);
}

/// A write that is pending has taken nothing.
#[test]
fn bytes_are_written_and_futures_can_be_dropped_before_each_byte() {
    fn check<R: Role + Unpin>(side: usize, role: fn() -> R) {
        let data = noise(3000, 1);
        for is_split in [false, true] {
            let config =
                Config::default().fragment_size(100).limits(Limits::default().queued_output(50));
            let wire = Wire::new();
            let websocket = websocket(wire.end(side, DRIP), role(), config);
            let mut drops = 0;
            let user = async {
                macro_rules! write {
                    ($writer:ident) => {{
                        for mut piece in data.chunks(250) {
                            while !piece.is_empty() {
                                let count = dropping!(drops, $writer.write(piece)).unwrap();
                                assert!(count <= 100, "more than a fragment");
                                piece = &piece[count..];
                            }
                            assert_eq!($writer.write(b"").await.unwrap(), 0);
                        }
                        dropping!(drops, $writer.flush()).unwrap();
                        dropping!(drops, $writer.shutdown()).unwrap();
                        dropping!(drops, $writer.shutdown()).unwrap();
                        assert_eq!(
                            $writer.write(b"x").await.unwrap_err().kind(),
                            ErrorKind::BrokenPipe
                        );
                    }};
                }
                if is_split {
                    let (sender, receiver) = websocket.split();
                    let mut writer = sender.into_byte_writer();
                    write!(writer);
                    assert!(writer.get_ref().closed().is_none());
                    std::mem::forget(receiver);
                } else {
                    let mut stream = websocket.into_byte_stream();
                    write!(stream);
                    std::mem::forget(stream);
                }
            };
            run(&wire, &mut [pin!(user)]);
            let bytes = wire.take(side);
            assert!(drops > bytes.len() / 2, "{drops}");
            let seen = decode_as_peer_of::<R>(&bytes);
            assert_eq!((seen.messages.len(), seen.closes), (36, 1));
            let written: Vec<u8> =
                seen.messages.iter().flat_map(Message::as_bytes).copied().collect();
            assert_eq!(written, data);
        }
    }
    check(SERVER, Server::new);
    check(CLIENT, client_role);
}

/// Like a TCP socket, and unlike a buffered writer.
#[test]
fn a_write_is_offered_to_the_transport_at_once() {
    let wire = Wire::new();
    let mut server =
        websocket(wire.end(SERVER, EAGER), Server::new(), Config::default()).into_byte_stream();
    assert!(matches!(poll_once(server.write(b"now")), Poll::Ready(Ok(3))));
    assert_eq!(wire.take(SERVER), plain(BINARY, b"now"));
}

/// A reading and a writing task, in both directions at once, with little room in between.
#[test]
fn both_directions_work_at_once_in_two_tasks() {
    let wire = Wire::new();
    wire.set_room(CLIENT, 1000);
    wire.set_room(SERVER, 1000);
    let config = Config::default().limits(Limits::default().queued_output(2000));
    let client = websocket(wire.end(CLIENT, EAGER), client_role(), config).into_byte_stream();
    let server = websocket(wire.end(SERVER, EAGER), Server::new(), config).into_byte_stream();
    let (up, down) = (noise(300_000, 1), noise(300_000, 2));
    let (mut client_read, mut client_write) = split(client);
    let (mut server_read, mut server_write) = split(server);
    let writes_up = async { client_write.write_all(&up).await.unwrap() };
    let writes_down = async {
        server_write.write_all(&down).await.unwrap();
        server_write.flush().await.unwrap();
    };
    let mut received_up = vec![0; up.len()];
    let mut received_down = vec![0; down.len()];
    run(
        &wire,
        &mut [
            pin!(writes_up),
            pin!(writes_down),
            pin!(async { assert!(server_read.read_exact(&mut received_up).await.is_ok()) }),
            pin!(async { assert!(client_read.read_exact(&mut received_down).await.is_ok()) }),
        ],
    );
    assert!(received_up == up && received_down == down);
}

#[test]
fn a_write_waits_while_the_peer_does_not_read() {
    let wire = Wire::new();
    wire.set_room(SERVER, 10);
    let config = Config::default().limits(Limits::default().queued_output(1000));
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), config).into_byte_stream();
    let mut taken = 0;
    while let Poll::Ready(written) = poll_once(server.write(&[7; 100])) {
        taken += written.unwrap();
    }
    assert!((1000..1200).contains(&taken), "{taken}");
}

/// One task waits for both directions, as in `copy_bidirectional`. A side that waits must not wake the
/// other one, or the task never sleeps.
#[test]
fn a_task_that_waits_to_read_and_to_write_sleeps() {
    let wire = Wire::new();
    wire.set_room(CLIENT, 10);
    let config = Config::default().limits(Limits::default().queued_output(1000));
    let client = websocket(wire.end(CLIENT, EAGER), client_role(), config).into_byte_stream();
    let (mut reader, mut writer) = split(client);
    let mut polls = 0;
    let user = async {
        let mut buffer = [0; 10];
        let (mut read, mut write) =
            (pin!(reader.read(&mut buffer)), pin!(writer.write_all(&[7; 200_000])));
        poll_fn(|cx| {
            polls += 1;
            assert!(polls < 100, "the task does not sleep");
            assert!(read.as_mut().poll(cx).is_pending());
            write.as_mut().poll(cx).map(Result::unwrap)
        })
        .await;
    };
    assert!(!advance(&wire, &mut [pin!(user)]));
}

#[test]
fn a_shutdown_ends_both_directions_and_what_the_peer_sent_before_is_read() {
    clock::run(async {
        let (mut client, mut server) = streams().await;
        server.write_all(b"before").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        // The server's application learns of it, and can send no more.
        let mut rest = Vec::new();
        assert_eq!(server.read_to_end(&mut rest).await.unwrap(), 0);
        assert_eq!(server.write(b"after").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        server.flush().await.unwrap();
        server.shutdown().await.unwrap();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"before");
        client.shutdown().await.unwrap();
    });
}

/// Only a clean end is an end of the stream.
#[test]
fn a_stream_that_is_cut_short_is_an_error() {
    fn check<R: Role + Unpin>(side: usize, role: fn() -> R) {
        let close = |code: u16| frame::<R>(CLOSE, &code.to_be_bytes());
        let begun = frame::<R>(BINARY, b"begun");
        let ends = [
            (vec![], ErrorKind::ConnectionAborted),
            // Inside a frame, and inside a message.
            (header::<R>(BINARY, 5), ErrorKind::ConnectionAborted),
            ([frame::<R>(BINARY_START, b""), vec![]].concat(), ErrorKind::ConnectionAborted),
            // The peer has closed before the end of a message.
            ([frame::<R>(BINARY_START, b""), close(1000)].concat(), ErrorKind::ConnectionAborted),
            (
                [frame::<R>(BINARY_START, b""), frame::<R>(CLOSE, b"")].concat(),
                ErrorKind::ConnectionAborted,
            ),
            // Clean, but not a normal end.
            (close(1001), ErrorKind::ConnectionAborted),
            (close(1011), ErrorKind::ConnectionAborted),
            (close(4000), ErrorKind::ConnectionAborted),
            (frame::<R>(0x83, b""), ErrorKind::InvalidData),
        ];
        for (end, kind) in ends {
            let wire = Wire::new();
            wire.put(1 - side, &[&begun[..], &end].concat());
            wire.finish(1 - side);
            let mut stream =
                websocket(wire.end(side, EAGER), role(), Config::default()).into_byte_stream();
            let user = async {
                let mut bytes = Vec::new();
                let error = stream.read_to_end(&mut bytes).await.unwrap_err();
                assert_eq!(bytes, b"begun");
                assert_eq!(error.kind(), kind, "{error}");
                assert!(matches!(inner(&error), Error::Closed(_) | Error::Protocol(_)));
                let again = stream.read(&mut [0]).await.unwrap_err();
                assert!(matches!(inner(&again), Error::Closed(_)), "{again}");
                assert!(stream.write(b"x").await.is_err());
            };
            run(&wire, &mut [pin!(user)]);
        }
        for end in [close(1000), frame::<R>(CLOSE, b"")] {
            let wire = Wire::new();
            wire.put(1 - side, &[&begun[..], &end].concat());
            wire.finish(1 - side);
            let mut stream =
                websocket(wire.end(side, EAGER), role(), Config::default()).into_byte_stream();
            let user = async {
                let mut bytes = Vec::new();
                assert_eq!(stream.read_to_end(&mut bytes).await.unwrap(), 5);
                assert_eq!(stream.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            };
            run(&wire, &mut [pin!(user)]);
        }
    }
    check(SERVER, Server::new);
    check(CLIENT, client_role);
}

#[test]
fn a_text_message_is_an_error_and_closes_with_1003() {
    fn check<R: Role + Unpin>(side: usize, role: fn() -> R) {
        let wire = Wire::new();
        wire.put(1 - side, &frame::<R>(BINARY, b"data"));
        wire.put(1 - side, &frame::<R>(TEXT, b"text"));
        let mut stream =
            websocket(wire.end(side, EAGER), role(), Config::default()).into_byte_stream();
        let user = async {
            let mut bytes = Vec::new();
            for _ in 0..2 {
                let error = stream.read_to_end(&mut bytes).await.unwrap_err();
                assert_eq!((&bytes[..], error.kind()), (&b"data"[..], ErrorKind::InvalidData));
            }
        };
        run(&wire, &mut [pin!(user)]);
        let bytes = wire.take(side);
        let code = if R::MASKS {
            u16::from_be_bytes([bytes[6] ^ bytes[2], bytes[7] ^ bytes[3]])
        } else {
            u16::from_be_bytes([bytes[2], bytes[3]])
        };
        assert_eq!((bytes[0], code), (CLOSE, 1003));
    }
    check(SERVER, Server::new);
    check(CLIENT, client_role);
}

/// The bytes of that message would be missing.
#[test]
fn a_message_that_is_being_received_whole_is_no_part_of_a_stream() {
    let wire = Wire::new();
    wire.put(CLIENT, &masked(BINARY_START, b"who"));
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    assert!(poll_once(server.next()).is_pending());
    let mut stream = server.into_byte_stream();
    wire.put(CLIENT, &masked(LAST, b"le"));
    for _ in 0..2 {
        let Poll::Ready(Err(error)) = poll_once(stream.read(&mut [0])) else { panic!() };
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_reader_that_is_dropped_ends_the_connection_and_a_writer_does_not() {
    clock::run(async {
        let (client, server) = pair(Connector::new(), Acceptor::new()).await;
        let (sender, receiver) = client.split();
        let (mut reader, writer) = (receiver.into_byte_reader(), sender.into_byte_writer());
        drop(writer);
        let mut server = server.into_byte_stream();
        server.write_all(b"still there").await.unwrap();
        let mut bytes = [0; 11];
        reader.read_exact(&mut bytes).await.unwrap();
        drop(reader);
        let error = server.read(&mut bytes).await.unwrap_err();
        let Error::Closed(closed) = inner(&error) else { panic!("{error}") };
        assert_eq!((closed.code, closed.clean), (CloseCode::GOING_AWAY, true));
    });
}

/// A peer that does not answer the Close is given up.
#[test]
fn waiting_for_the_end_is_bounded() {
    clock::run_paused(async {
        let (near, _far) = tokio::io::duplex(1000);
        let mut stream = sansocket::on_tokio::WebSocket::<_, Server>::new(
            near,
            Server::new(),
            sansocket::handshake::Negotiated::new(),
            sansocket::buffer::ReadBuffer::new(),
            Config::default(),
        )
        .into_byte_stream();
        stream.shutdown().await.unwrap();
        let error = stream.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        assert!(!stream.wait_closed().await.clean);
    });
}

/// Copying as a tunnel does. The half-close of the TCP side ends both directions.
#[test]
fn a_stream_can_be_copied_to_and_from_tcp() {
    clock::run(async {
        let (mut far, near) = sansocket_testkit::pair::tokio::streams().await;
        let (client, server) = pair(Connector::new(), Acceptor::new()).await;
        let tunnel = async {
            let (mut near, mut client) = (near, client.into_byte_stream());
            copy_bidirectional(&mut near, &mut client).await.unwrap()
        };
        let service = async {
            let mut stream = server.into_byte_stream();
            let mut request = [0; 7];
            stream.read_exact(&mut request).await.unwrap();
            stream.write_all(b"response").await.unwrap();
            assert_eq!(stream.read(&mut request).await.unwrap(), 0);
            stream.wait_closed().await
        };
        let user = async {
            far.write_all(b"request").await.unwrap();
            let mut response = [0; 8];
            far.read_exact(&mut response).await.unwrap();
            far.shutdown().await.unwrap();
            assert_eq!(read_to_end(&mut far).await, b"");
        };
        let (copied, closed, ()) = tokio::join!(tunnel, service, user);
        assert_eq!(copied, (7, 8));
        assert!(closed.clean && closed.cause == Cause::ClosingHandshake);
    });
}

/// A WebSocket inside a WebSocket.
#[test]
fn a_websocket_runs_through_a_stream() {
    clock::run(async {
        let (client, server) = streams().await;
        let (connector, acceptor) = (Connector::new(), Acceptor::new());
        let (client, server) =
            tokio::join!(connector.connect_over("ws://inside/", client), acceptor.accept(server));
        let (mut client, mut server) = (client.unwrap().0, server.unwrap());
        let large = noise(1 << 20, 1);
        let echo = async {
            while let Some(message) = server.next().await {
                server.send(message.unwrap()).await.unwrap();
            }
            server.wait_closed().await
        };
        let user = async {
            for message in [Message::text("hello"), Message::binary(large.clone())] {
                client.send(&message).await.unwrap();
                assert_eq!(client.next().await.unwrap().unwrap(), message);
            }
            client.close(CloseCode::NORMAL, "").await.unwrap();
            client.wait_closed().await
        };
        let (served, closed) = tokio::join!(echo, user);
        assert!(served.clean && closed.clean, "{served}; {closed}");
    });
}

#[test]
fn a_bare_peer_sees_binary_messages_of_at_most_a_fragment() {
    clock::run(async {
        let (client, mut peer) = client_and_stream(Connector::new()).await;
        let mut stream: ByteStream<_, _> = client.into_byte_stream();
        stream.write_all(&[7; 70_000]).await.unwrap();
        let mut header = [0; 14];
        peer.read_exact(&mut header).await.unwrap();
        assert_eq!(header[..10], [BINARY, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
        let (server, mut peer) = server_and_stream(Acceptor::new()).await;
        let mut stream = server.into_byte_stream();
        stream.write_all(&[7; 70_000]).await.unwrap();
        let mut bytes = vec![0; 10 + 65_536 + 4];
        peer.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes[..10], [BINARY, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(bytes[10 + 65_536..], [BINARY, 126, 0x11, 0x70]);
    });
}
