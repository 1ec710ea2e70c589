//! Messages that are read as they arrive: `next_reader`.

use sansocket::{
    Config, Error, Event, Limits, Message,
    blocking::{Acceptor, Connector, Transport, WebSocket},
    connection::{MessageKind, ProtocolError, ReceiveError, Role},
};
use sansocket_testkit::{
    frames::*,
    noise::noise,
    pair::blocking::{client_and_stream, pair, pair_with, server_and_stream},
};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

fn inner(error: &io::Error) -> &Error {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

#[test]
fn messages_are_read_whole_or_by_a_half() {
    let large = noise(300_000, 1);
    for is_split in [false, true] {
        let (mut client, mut server) = pair();
        let data = large.clone();
        let sends = thread::spawn(move || {
            client.feed("κόσμε").unwrap();
            client.feed_fragment("two ", false).unwrap();
            client.ping("inside").unwrap();
            client.feed_fragment("pieces", true).unwrap();
            client.send(&data).unwrap();
            client.send([]).unwrap();
            // The pong.
            while !matches!(client.receive().unwrap().unwrap().0, Event::Pong(b"inside")) {}
            client
        });
        let mut messages = Vec::new();
        macro_rules! read {
            ($owner:ident) => {
                while messages.len() < 4 {
                    let mut reader = $owner.next_reader().unwrap().unwrap();
                    let mut bytes = Vec::new();
                    reader.read_to_end(&mut bytes).unwrap();
                    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the end stays the end");
                    messages.push((reader.kind(), bytes));
                }
            };
        }
        let _sender;
        if is_split {
            let (sender, mut receiver) = server.split().unwrap();
            read!(receiver);
            sends.join().unwrap();
            _sender = (sender, receiver);
        } else {
            read!(server);
            server.flush().unwrap();
            sends.join().unwrap();
        }
        let expected = [
            (MessageKind::Text, "κόσμε".as_bytes().to_vec()),
            (MessageKind::Text, b"two pieces".to_vec()),
            (MessageKind::Binary, large.clone()),
            (MessageKind::Binary, vec![]),
        ];
        assert!(messages == expected);
    }
}

/// The reader returns what is there. A timeout of the user loses nothing.
#[test]
fn a_reader_works_inside_a_frame_and_after_timeouts() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    // The timeout is off where something arrives, which may take longer.
    let socket = server.get_ref().try_clone().unwrap();
    let set_timeout = |timeout| socket.set_read_timeout(timeout).unwrap();
    let timeout = Some(Duration::from_millis(20));
    set_timeout(timeout);
    let refused = server.next_reader().unwrap().map(|_| ()).unwrap_err();
    assert!(refused.is_would_block());
    set_timeout(None);
    let begin = [&header_with(BINARY_START, 1000, Some([0; 4]))[..], &[1; 10]].concat();
    client.write_all(&begin).unwrap();
    let mut reader = server.next_reader().unwrap().unwrap();
    let mut buffer = [0; 990];
    assert_eq!(reader.read(&mut buffer).unwrap(), 10);
    set_timeout(timeout);
    let error = reader.read(&mut buffer).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    assert_eq!(reader.read(&mut []).unwrap(), 0, "reading nothing does not wait");
    set_timeout(None);
    client.write_all(&[2; 990]).unwrap();
    reader.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, [2; 990]);
}

/// Each way to receive goes on behind a message whose reader was dropped, wherever that was.
#[test]
fn the_rest_of_a_message_is_skipped_when_its_reader_is_dropped() {
    fn check<R: Role>(mut websocket: WebSocket<TcpStream, R>, mut peer: TcpStream) {
        let bytes = [
            frame::<R>(TEXT_START, b"first "),
            frame::<R>(MORE, b"second "),
            frame::<R>(PING, b"inside"),
            frame::<R>(LAST, b"third"),
            frame::<R>(TEXT, b"next"),
        ]
        .concat();
        for read in [0, 1, 6, 13, 18] {
            for way in 0..4 {
                peer.write_all(&bytes).unwrap();
                let mut reader = websocket.next_reader().unwrap().unwrap();
                reader.read_exact(&mut vec![0; read]).unwrap();
                drop(reader);
                let text = match way {
                    0 => websocket.next().unwrap().unwrap(),
                    1 => loop {
                        let (event, _) = websocket.receive().unwrap().unwrap();
                        if let Some(message) = event.to_message() {
                            break message;
                        }
                    },
                    2 => loop {
                        let (chunk, _) = websocket.receive_chunk().unwrap().unwrap();
                        if let Some(message) = chunk.event.to_message() {
                            assert!(chunk.first && chunk.last);
                            break message;
                        }
                    },
                    _ => {
                        let mut text = String::new();
                        let mut reader = websocket.next_reader().unwrap().unwrap();
                        reader.read_to_string(&mut text).unwrap();
                        Message::text(text)
                    }
                };
                assert_eq!(text, Message::text("next"), "way {way} after {read} bytes");
            }
        }
        // The same after a piece of a message.
        peer.write_all(&bytes).unwrap();
        assert!(websocket.receive_chunk().unwrap().unwrap().0.first);
        websocket.skip_message();
        assert_eq!(websocket.next().unwrap().unwrap(), Message::text("next"));
        let (_sender, mut receiver) = websocket.split().unwrap();
        peer.write_all(&bytes).unwrap();
        assert!(receiver.receive_chunk().unwrap().unwrap().first);
        receiver.skip_message();
        assert_eq!(receiver.next().unwrap().unwrap(), Message::text("next"));
        peer.write_all(&bytes).unwrap();
        drop(receiver.next_reader().unwrap().unwrap());
        assert_eq!(receiver.next().unwrap().unwrap(), Message::text("next"));
    }
    let (server, client) = server_and_stream(Acceptor::new());
    check(server, client);
    let (client, server) = client_and_stream(Connector::new());
    check(client, server);
}

#[test]
fn a_connection_that_ends_inside_a_message_is_an_error() {
    fn check<S: Transport, R: Role>(open: impl Fn() -> (WebSocket<S, R>, TcpStream)) {
        let closed = |error: &Error| matches!(error, Error::Closed(_));
        let ends: [(Vec<u8>, ErrorKind, &dyn Fn(&Error) -> bool); 4] = [
            (vec![], ErrorKind::UnexpectedEof, &closed),
            (header::<R>(LAST, 5), ErrorKind::UnexpectedEof, &closed),
            (
                frame::<R>(CLOSE, &[0x03, 0xe8]),
                ErrorKind::UnexpectedEof,
                &|error| matches!(error, Error::Closed(closed) if closed.clean),
            ),
            (frame::<R>(LAST, b"\xff"), ErrorKind::InvalidData, &|error| {
                matches!(error, Error::Protocol(ProtocolError::InvalidUtf8 { at: 5 }))
            }),
        ];
        for (end, kind, is_expected) in ends {
            let (mut websocket, mut peer) = open();
            peer.write_all(&frame::<R>(TEXT_START, b"begun")).unwrap();
            peer.write_all(&end).unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            let mut reader = websocket.next_reader().unwrap().unwrap();
            let mut bytes = Vec::new();
            let error = reader.read_to_end(&mut bytes).unwrap_err();
            assert_eq!((&bytes[..], error.kind()), (&b"begun"[..], kind), "{error}");
            assert!(is_expected(inner(&error)), "{error}");
            let again = reader.read(&mut [0]).unwrap_err();
            assert_eq!(again.kind(), ErrorKind::UnexpectedEof);
            drop(reader);
            assert!(websocket.next_reader().is_none());
        }
    }
    check(|| server_and_stream(Acceptor::new()));
    check(|| client_and_stream(Connector::new()));
}

#[test]
fn a_message_that_is_being_received_whole_has_no_reader() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    client.write_all(&masked(TEXT_START, b"who")).unwrap();
    server.get_ref().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    assert!(server.next().unwrap().unwrap_err().is_would_block());
    let misused = server.next_reader().unwrap().map(|_| ());
    assert!(matches!(misused, Err(Error::Receive(ReceiveError::MixedModes))), "{misused:?}");
    client.write_all(&masked(LAST, b"le")).unwrap();
    assert_eq!(server.next().unwrap().unwrap(), Message::text("whole"));
}

/// The limits on messages and frames are about memory, which a reader does not take.
#[test]
fn a_message_of_any_length_can_be_read() {
    const LEN: u64 = 32 << 20;
    let limits = Limits::default().message(1000).fragments(2);
    let acceptor = Acceptor::new().config(Config::default().limits(limits));
    let (mut client, mut server) = pair_with(Connector::new(), acceptor);
    let sends = thread::spawn(move || {
        let piece = vec![7; 1 << 20];
        for number in 1..=LEN >> 20 {
            client.feed_fragment(&piece, number == LEN >> 20).unwrap();
        }
        client.flush().unwrap();
        client
    });
    let mut reader = server.next_reader().unwrap().unwrap();
    assert_eq!(io::copy(&mut reader, &mut io::sink()).unwrap(), LEN);
    sends.join().unwrap();
}
