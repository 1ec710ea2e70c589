//! Messages that are written piece by piece: `message_writer`.

use sansocket::{
    CloseCode, Config, Error, Event, Limits, Message,
    blocking::{Acceptor, Connector, MessageWriter, Transport, WebSocket},
    connection::{MessageKind, Role, SendError},
    frame::OpCode,
};
use sansocket_testkit::{
    frames::*,
    noise::noise,
    pair::blocking::{client_and_stream, pair, pair_with, read_to_end, server_and_stream},
    traffic::{decode_as_peer_of, frames},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

/// Small writes are gathered, and a flush sends them.
#[test]
fn nothing_leaves_before_a_fragment_is_full_or_flushed() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    let mut read = |expected: &[u8]| {
        let mut bytes = vec![0; expected.len()];
        client.read_exact(&mut bytes).unwrap();
        assert!(bytes == expected);
    };
    let mut writer = server.message_writer(MessageKind::Binary);
    assert_eq!(writer.kind(), MessageKind::Binary);
    writer.write_all(&[7; 65_536]).unwrap();
    // The next write sends what is full, before it takes anything.
    writer.write_all(b"x").unwrap();
    read(&plain(BINARY_START, &[7; 65_536]));
    writer.flush().unwrap();
    read(&plain(MORE, b"x"));
    writer.flush().unwrap();
    writer.finish().unwrap();
    read(&plain(LAST, b""));
    let mut writer = server.message_writer(MessageKind::Text);
    writer.write_all(b"sh").unwrap();
    writer.write_all(b"ort").unwrap();
    writer.finish().unwrap();
    read(&plain(TEXT, b"short"));
    // What no one reads yet is nothing.
    client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    assert!(client.read(&mut [0]).is_err());
}

#[test]
fn text_may_be_cut_anywhere_and_invalid_text_is_not_sent() {
    fn check<R: Role>(mut writer: MessageWriter<'_, TcpStream, R>) {
        let text = "aé漢🌍";
        for byte in text.as_bytes() {
            assert_eq!(writer.write(&[*byte]).unwrap(), 1);
        }
        for wrong in [&b"\xff"[..], b"\xc3x", b"\x80"] {
            assert_eq!(writer.write(wrong).unwrap_err().kind(), ErrorKind::InvalidData);
        }
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap();
    }
    let (mut client, mut server) = pair();
    check(client.message_writer(MessageKind::Text));
    assert_eq!(server.next().unwrap().unwrap(), Message::text("aé漢🌍aé漢🌍"));
    let (mut sender, _receiver) = server.split().unwrap();
    check(sender.message_writer(MessageKind::Text));
    assert_eq!(client.next().unwrap().unwrap(), Message::text("aé漢🌍aé漢🌍"));
}

/// What the peer sees of a writer that is dropped.
#[test]
fn a_message_that_is_not_finished_is_never_taken_for_a_whole_one() {
    fn check<S: Transport, R: Role>(open: impl Fn() -> (WebSocket<S, R>, TcpStream)) {
        for (sent, how) in [(false, 0), (false, 1), (false, 2), (true, 0), (true, 1), (true, 2)] {
            let (mut websocket, mut peer) = open();
            let mut writer = websocket.message_writer(MessageKind::Text);
            // Half of a character, so that the message can't end here.
            writer.write_all(b"part\xc3").unwrap();
            if sent {
                writer.flush().unwrap();
            }
            match how {
                0 => drop(writer),
                1 => writer.abort(),
                _ => assert!(writer.finish().is_err()),
            }
            let next = websocket.send("next");
            let closes = sent || how == 1;
            if closes {
                assert!(matches!(next, Err(Error::Send(SendError::Closed { .. }))), "{next:?}");
                websocket.flush().unwrap();
            } else {
                next.unwrap();
            }
            drop(websocket);
            let bytes = read_to_end(&mut peer);
            let seen = decode_as_peer_of::<R>(&bytes);
            let messages = if closes { vec![] } else { vec![Message::text("next")] };
            assert_eq!((seen.messages, seen.closes), (messages, usize::from(closes)));
        }
    }
    check(|| server_and_stream(Acceptor::new()));
    check(|| client_and_stream(Connector::new()));
}

#[test]
fn a_half_closes_with_1011_when_its_writer_is_dropped() {
    let (client, mut server) = pair();
    let (mut sender, mut receiver) = client.split().unwrap();
    let receives = thread::spawn(move || {
        assert!(receiver.next().is_none());
        receiver
    });
    let mut writer = sender.message_writer(MessageKind::Binary);
    writer.write_all(b"part").unwrap();
    writer.flush().unwrap();
    drop(writer);
    let mut reader = server.next_reader().unwrap().unwrap();
    let mut bytes = Vec::new();
    let error = reader.read_to_end(&mut bytes).unwrap_err();
    assert_eq!((&bytes[..], error.kind()), (&b"part"[..], ErrorKind::UnexpectedEof));
    drop(reader);
    assert_eq!(server.closed().unwrap().code, CloseCode::INTERNAL_ERROR);
    assert!(receives.join().unwrap().closed().unwrap().clean);
}

#[test]
fn no_other_message_goes_between() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    server.feed_fragment("begun", false).unwrap();
    for kind in [MessageKind::Text, MessageKind::Binary] {
        let mut writer = server.message_writer(kind);
        writer.write_all(b"other").unwrap();
        assert_eq!(writer.flush().unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    server.feed_fragment("done", true).unwrap();
    server.flush().unwrap();
    drop(server);
    let expected = [plain(TEXT_START, b"begun"), plain(LAST, b"done")].concat();
    assert_eq!(read_to_end(&mut client), expected);
}

/// In another thread, the receiving half answers pings between the fragments.
#[test]
fn pongs_go_between_the_fragments_of_a_half() {
    let (server, mut client) = server_and_stream(
        Acceptor::new().config(Config::default().limits(Limits::default().queued_output(1 << 16))),
    );
    let (mut sender, mut receiver) = server.split().unwrap();
    let data = noise(16 << 20, 1);
    let (seen, is_seen) = std::sync::mpsc::channel();
    let receives = thread::spawn(move || {
        while let Some(event) = receiver.receive() {
            if let Event::Ping(_) = event.unwrap() {
                seen.send(()).unwrap();
            }
        }
    });
    let sends = thread::spawn(move || {
        let mut writer = sender.message_writer(MessageKind::Binary);
        writer.write_all(&noise(16 << 20, 1)).unwrap();
        writer.finish().unwrap();
    });
    // The writer is blocked by now, or soon.
    thread::sleep(Duration::from_millis(50));
    client.write_all(&masked(PING, b"waiting")).unwrap();
    // The pong is queued by then, and the message is longer than all buffers.
    is_seen.recv_timeout(Duration::from_secs(30)).unwrap();
    let mut bytes = vec![0; data.len()];
    client.read_exact(&mut bytes).unwrap();
    client.write_all(&masked(CLOSE, b"")).unwrap();
    client.read_to_end(&mut bytes).unwrap();
    sends.join().unwrap();
    receives.join().unwrap();
    let opcodes: Vec<_> = frames(&bytes).into_iter().map(|(_, opcode)| opcode).collect();
    let pong = opcodes.iter().position(|opcode| *opcode == OpCode::Pong).unwrap();
    assert!(pong < 255, "the pong came after the message");
    let sent = sansocket_testkit::traffic::frames(&bytes).len();
    assert!((256..=259).contains(&sent), "{sent} frames");
}

#[test]
fn replies_have_a_writer() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    client.write_all(&masked(TEXT, b"question")).unwrap();
    {
        let (event, mut replies) = server.receive().unwrap().unwrap();
        let message = event.to_message().unwrap();
        let mut writer = replies.message_writer(MessageKind::Text);
        writer.write_all(message.as_bytes()).unwrap();
        writer.finish().unwrap();
    }
    drop(server);
    assert_eq!(read_to_end(&mut client), plain(TEXT, b"question"));
}

/// A transport that does not take everything: a write takes nothing or reports how much it took.
#[test]
fn a_timeout_loses_nothing() {
    let (mut server, mut client) = server_and_stream(
        Acceptor::new().config(Config::default().limits(Limits::default().queued_output(1000))),
    );
    server.get_ref().set_write_timeout(Some(Duration::from_millis(10))).unwrap();
    let data = noise(32 << 20, 1);
    let expected = data.clone();
    let mut writer = server.message_writer(MessageKind::Binary);
    let mut taken = 0;
    let mut reads = None;
    while taken < data.len() {
        match writer.write(&data[taken..]) {
            Ok(count) => taken += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                // From now on, the peer reads.
                let mut client = client.try_clone().unwrap();
                reads.get_or_insert_with(|| {
                    thread::spawn(move || {
                        let mut bytes = Vec::new();
                        client.read_to_end(&mut bytes).unwrap();
                        bytes
                    })
                });
            }
        }
    }
    while writer.flush().is_err() {}
    writer.finish().unwrap();
    server.get_ref().set_write_timeout(None).unwrap();
    server.flush().unwrap();
    drop(server);
    client.flush().unwrap();
    let bytes = reads.expect("the peer did not make a write wait").join().unwrap();
    let mut end = sansocket_testkit::endpoint::client(
        Config::default().limits(Limits::default().message(64 << 20)),
    );
    end.fill(&bytes);
    let messages = end.messages().unwrap();
    assert!(messages == [Message::binary(expected)]);
}

#[test]
fn writing_fails_once_the_connection_is_closing() {
    let (mut client, mut server) = pair_with(Connector::new(), Acceptor::new());
    client.close(CloseCode::NORMAL, "").unwrap();
    let mut writer = client.message_writer(MessageKind::Binary);
    writer.write_all(b"late").unwrap();
    assert_eq!(writer.flush().unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert!(server.next().is_none());
    let mut writer = server.message_writer(MessageKind::Text);
    writer.write_all(b"late").unwrap();
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::BrokenPipe);
}
