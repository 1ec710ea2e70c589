//! Messages that are written piece by piece: `message_writer`.

use sansocket::{
    CloseCode, Config, Error, Limits, Message,
    connection::{MessageKind, Role, SendError, Server},
    frame::OpCode,
    on_tokio::{Acceptor, Connector, MessageWriter, WebSocket},
};
use sansocket_testkit::{
    clock,
    endpoint::client_role,
    frames::*,
    noise::noise,
    pair::tokio::{pair, read_to_end, server_and_stream},
    polling::{advance, dropping, poll_once, run},
    traffic::{decode_as_peer_of, frames},
    transports::wire::{CLIENT, DRIP, EAGER, End, SERVER, Wire, websocket},
};
use std::{io::ErrorKind, pin::pin, task::Poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Both roles over a wire, whole and split.
fn both(check: impl Fn(usize, bool)) {
    for side in [CLIENT, SERVER] {
        for is_split in [false, true] {
            check(side, is_split);
        }
    }
}

/// Writes in pieces of `size`, and drops each future that is pending.
async fn write_dropping<R: Role>(
    writer: &mut MessageWriter<'_, End, R>,
    bytes: &[u8],
    size: usize,
    drops: &mut usize,
) {
    for mut piece in bytes.chunks(size) {
        while !piece.is_empty() {
            let count = dropping!(*drops, writer.write(piece)).unwrap();
            piece = &piece[count..];
        }
    }
}

/// A write that is pending has taken nothing, and a flush or a shutdown can be repeated.
#[test]
fn futures_can_be_dropped_before_each_byte() {
    fn check<R: Role + Unpin>(side: usize, role: R, is_split: bool) {
        // So little that writes have to wait for room.
        let config =
            Config::default().fragment_size(100).limits(Limits::default().queued_output(150));
        let wire = Wire::new();
        let mut websocket = websocket(wire.end(side, DRIP), role, config);
        let text = "aé漢🌍".repeat(100);
        let mut drops = 0;
        let user = async {
            macro_rules! write {
                ($owner:ident) => {{
                    let mut writer = $owner.message_writer(MessageKind::Text);
                    write_dropping(&mut writer, text.as_bytes(), 7, &mut drops).await;
                    dropping!(drops, writer.flush()).unwrap();
                    write_dropping(&mut writer, text.as_bytes(), 1000, &mut drops).await;
                    dropping!(drops, writer.shutdown()).unwrap();
                    dropping!(drops, writer.shutdown()).unwrap();
                    assert_eq!(writer.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
                }};
            }
            if is_split {
                let (mut half, _receiver) = websocket.split();
                write!(half);
                // The receiver ends the connection when it is dropped.
                drop(half);
                std::mem::forget(_receiver);
            } else {
                write!(websocket);
                std::mem::forget(websocket);
            }
        };
        run(&wire, &mut [pin!(user)]);
        let bytes = wire.take(side);
        assert!(drops > bytes.len() / 2, "{drops}");
        let lens = frames(&bytes).len();
        assert!((20..30).contains(&lens), "{lens} frames");
        let seen = decode_as_peer_of::<R>(&bytes);
        assert_eq!((seen.messages, seen.closes), (vec![Message::text(text.repeat(2))], 0));
    }
    both(|side, is_split| match side {
        CLIENT => check(side, client_role(), is_split),
        _ => check(side, Server::new(), is_split),
    });
}

/// Small writes are gathered, and a flush sends them.
#[test]
fn nothing_leaves_before_a_fragment_is_full_or_flushed() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let mut writer = server.message_writer(MessageKind::Binary);
    assert_eq!(writer.kind(), MessageKind::Binary);
    let small = [7; 100];
    for _ in 0..655 {
        assert!(matches!(poll_once(writer.write(&small)), Poll::Ready(Ok(100))));
    }
    assert!(wire.take(SERVER).is_empty());
    // 64 KiB are full: the next write sends them at once, before it takes anything.
    assert!(matches!(poll_once(writer.write(&small)), Poll::Ready(Ok(36))));
    assert!(matches!(poll_once(writer.write(&small)), Poll::Ready(Ok(100))));
    assert_eq!(wire.take(SERVER), plain(BINARY_START, &[7; 65_536]));
    assert!(matches!(poll_once(writer.flush()), Poll::Ready(Ok(()))));
    assert_eq!(wire.take(SERVER), plain(MORE, &small));
    // Nothing is gathered, so nothing is sent.
    assert!(matches!(poll_once(writer.flush()), Poll::Ready(Ok(()))));
    assert!(wire.take(SERVER).is_empty());
    assert!(matches!(poll_once(writer.finish()), Poll::Ready(Ok(()))));
    assert_eq!(wire.take(SERVER), plain(LAST, b""));
    // The next message is sent as usual, and a short one is one frame.
    let mut writer = server.message_writer(MessageKind::Text);
    assert!(matches!(poll_once(writer.write(b"short")), Poll::Ready(Ok(5))));
    assert!(matches!(poll_once(writer.finish()), Poll::Ready(Ok(()))));
    assert_eq!(wire.take(SERVER), plain(TEXT, b"short"));
}

#[test]
fn text_may_be_cut_anywhere_and_invalid_text_is_not_sent() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let mut writer = server.message_writer(MessageKind::Text);
    assert!(matches!(poll_once(writer.write(b"a\xc3")), Poll::Ready(Ok(2))));
    assert!(matches!(poll_once(writer.flush()), Poll::Ready(Ok(()))));
    assert_eq!(wire.take(SERVER), plain(TEXT_START, b"a"));
    let Poll::Ready(Err(error)) = poll_once(writer.write(b"x")) else { panic!() };
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let Poll::Ready(Err(error)) = poll_once(writer.shutdown()) else { panic!() };
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(matches!(poll_once(writer.write(b"\xa9")), Poll::Ready(Ok(1))));
    assert!(matches!(poll_once(writer.finish()), Poll::Ready(Ok(()))));
    assert_eq!(wire.take(SERVER), plain(LAST, "é".as_bytes()));
}

/// What the peer sees of a writer that is dropped.
#[test]
fn a_message_that_is_not_finished_is_never_taken_for_a_whole_one() {
    fn check<R: Role + Unpin>(side: usize, role: fn() -> R) {
        // `sent`: whether a part leaves before the writer is dropped. `how`: the way to give up.
        for (sent, how) in [(false, 0), (false, 1), (false, 2), (true, 0), (true, 1), (true, 2)] {
            let wire = Wire::new();
            let mut websocket = websocket(wire.end(side, EAGER), role(), Config::default());
            let user = async {
                let mut writer = websocket.message_writer(MessageKind::Text);
                // Half of a character, so that the message can't end here.
                writer.write_all(b"part\xc3").await.unwrap();
                if sent {
                    writer.flush().await.unwrap();
                }
                match how {
                    0 => drop(writer),
                    1 => writer.abort(),
                    _ => assert!(writer.finish().await.is_err()),
                }
                let next = websocket.send("next").await;
                if sent || how == 1 {
                    assert!(matches!(next, Err(Error::Send(SendError::Closed { .. }))), "{next:?}");
                    websocket.flush().await.unwrap();
                } else {
                    next.unwrap();
                }
            };
            run(&wire, &mut [pin!(user)]);
            let bytes = wire.take(side);
            let seen = decode_as_peer_of::<R>(&bytes);
            let opcodes: Vec<_> = frames(&bytes).into_iter().map(|(_, opcode)| opcode).collect();
            if sent {
                assert_eq!(opcodes, [OpCode::Text, OpCode::Close]);
            }
            if sent || how == 1 {
                assert_eq!((seen.messages, seen.closes), (vec![], 1));
            } else {
                assert_eq!((seen.messages, seen.closes), (vec![Message::text("next")], 0));
            }
        }
    }
    check(CLIENT, client_role);
    check(SERVER, Server::new);
}

/// The same from a half: its other half writes the Close.
#[test]
fn a_half_closes_with_1011_when_its_writer_is_dropped() {
    clock::run(async {
        let (client, mut server) = pair(Connector::new(), Acceptor::new()).await;
        let (mut sender, mut receiver) = client.split();
        let receives = async { assert!(receiver.next().await.is_none()) };
        let sends = async {
            let mut writer = sender.message_writer(MessageKind::Binary);
            writer.write_all(b"part").await.unwrap();
            writer.flush().await.unwrap();
        };
        let server_reads = async {
            let mut reader = server.next_reader().await.unwrap().unwrap();
            let mut bytes = Vec::new();
            let error = reader.read_to_end(&mut bytes).await.unwrap_err();
            assert_eq!((&bytes[..], error.kind()), (&b"part"[..], ErrorKind::UnexpectedEof));
        };
        tokio::join!(receives, sends, server_reads);
        assert_eq!(server.closed().unwrap().code, CloseCode::INTERNAL_ERROR);
        assert!(receiver.closed().unwrap().clean);
    });
}

#[test]
fn no_other_message_goes_between() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    assert!(poll_once(server.feed_fragment("begun", false)).is_ready());
    for kind in [MessageKind::Text, MessageKind::Binary] {
        let mut writer = server.message_writer(kind);
        assert!(poll_once(writer.write(b"other")).is_ready());
        let Poll::Ready(Err(error)) = poll_once(writer.flush()) else { panic!() };
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let Poll::Ready(Err(error)) = poll_once(writer.finish()) else { panic!() };
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert!(poll_once(server.feed_fragment("done", true)).is_ready());
    assert!(poll_once(server.flush()).is_ready());
    assert_eq!(wire.take(SERVER), [plain(TEXT_START, b"begun"), plain(LAST, b"done")].concat());
}

/// A peer that does not read makes writes wait. Its pings are answered between the fragments.
#[test]
fn a_write_waits_while_the_queue_is_full_and_pongs_go_between() {
    let wire = Wire::new();
    wire.set_room(SERVER, 100);
    let config =
        Config::default().fragment_size(1000).limits(Limits::default().queued_output(3000));
    let (mut sender, mut receiver) =
        websocket(wire.end(SERVER, EAGER), Server::new(), config).split();
    let data = noise(100_000, 1);
    let mut is_written = false;
    {
        let writes = async {
            let mut writer = sender.message_writer(MessageKind::Binary);
            writer.write_all(&data).await.unwrap();
            writer.finish().await.unwrap();
            is_written = true;
        };
        let receives = async { assert!(receiver.next().await.is_none()) };
        let (mut writes, mut receives) = (pin!(writes), pin!(receives));
        assert!(!advance(&wire, &mut [writes.as_mut(), receives.as_mut()]));
        wire.put(CLIENT, &masked(PING, b"waiting"));
        assert!(!advance(&wire, &mut [writes.as_mut(), receives.as_mut()]));
        wire.set_room(SERVER, usize::MAX);
        wire.put(CLIENT, &masked(CLOSE, b""));
        run(&wire, &mut [writes.as_mut()]);
        run(&wire, &mut [receives.as_mut()]);
    }
    assert!(is_written);
    let bytes = wire.take(SERVER);
    let opcodes: Vec<_> = frames(&bytes).into_iter().map(|(_, opcode)| opcode).collect();
    let pong = opcodes.iter().position(|opcode| *opcode == OpCode::Pong).unwrap();
    // So small frames count as one fragment up to 4 KiB.
    assert!(pong <= 6, "the pong waited behind {pong} frames");
    assert_eq!(opcodes.len(), 102, "100 fragments, a pong and a Close");
    assert_eq!(decode_as_peer_of::<Server>(&bytes).messages, [Message::binary(data)]);
}

/// A reply to an event can be written like that, too.
#[test]
fn replies_have_a_writer() {
    clock::run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        client.write_all(&masked(TEXT, b"question")).await.unwrap();
        client.write_all(&masked(CLOSE, b"")).await.unwrap();
        {
            let (event, mut replies) = server.receive().await.unwrap().unwrap();
            let mut writer = replies.message_writer(MessageKind::Text);
            let text = event.to_message().unwrap();
            writer.write_all(text.as_bytes()).await.unwrap();
            writer.finish().await.unwrap();
        }
        while server.receive().await.is_some() {}
        let expected = [plain(TEXT, b"question"), plain(CLOSE, b"")].concat();
        assert_eq!(read_to_end(&mut client).await, expected);
    });
}

#[test]
fn writing_fails_once_the_connection_is_closing() {
    async fn check<R: Role + Unpin>(mut websocket: WebSocket<End, R>) {
        websocket.close(CloseCode::NORMAL, "").await.unwrap();
        let mut writer = websocket.message_writer(MessageKind::Binary);
        writer.write_all(b"late").await.unwrap();
        let error = writer.flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let error = writer.finish().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
    let wire = Wire::new();
    let server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    run(&wire, &mut [pin!(check(server))]);
    let wire = Wire::new();
    let client = websocket(wire.end(CLIENT, EAGER), client_role(), Config::default());
    run(&wire, &mut [pin!(check(client))]);
}

#[cfg(feature = "deflate")]
#[test]
fn a_written_message_is_compressed() {
    use sansocket::DeflateConfig;
    clock::run(async {
        let config = Config::default().deflate(DeflateConfig::new());
        let (connector, acceptor) =
            (Connector::new().config(config), Acceptor::new().config(config));
        let (mut client, mut server) = pair(connector, acceptor).await;
        let text = "a line that repeats\n".repeat(20_000);
        let mut writer = client.message_writer(MessageKind::Text);
        writer.write_all(text.as_bytes()).await.unwrap();
        writer.shutdown().await.unwrap();
        drop(writer);
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text(text.as_str()));
        // The contexts agree afterwards.
        client.send(text.as_str()).await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text(text));
    });
}
