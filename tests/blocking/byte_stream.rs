//! Connections as streams of bytes.

use sansocket::{
    CloseCode, Error, Message,
    blocking::{Acceptor, Connector, Transport, WebSocket},
    connection::Role,
};
use sansocket_testkit::{
    frames::*,
    noise::noise,
    pair::blocking::{client_and_stream, pair, read_to_end, server_and_stream},
    traffic::decode_as_peer_of,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

fn inner(error: &std::io::Error) -> &Error {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

/// What the messages contain is read without their borders, whole and split.
#[test]
fn bytes_are_read_without_the_borders_of_messages() {
    fn check<S: Transport, R: Role>(open: impl Fn() -> (WebSocket<S, R>, TcpStream)) {
        let bytes = [
            frame::<R>(BINARY, b"one"),
            frame::<R>(BINARY, b""),
            frame::<R>(PING, b"ping"),
            frame::<R>(BINARY_START, b"two"),
            frame::<R>(PING, b"inside"),
            frame::<R>(LAST, b"three"),
            frame::<R>(BINARY, &[b'x'; 100_000]),
            frame::<R>(CLOSE, &[0x03, 0xe8]),
        ]
        .concat();
        let expected = [&b"onetwothree"[..], &[b'x'; 100_000]].concat();
        for is_split in [false, true] {
            let (websocket, mut peer) = open();
            let sends = bytes.clone();
            let peer = thread::spawn(move || {
                peer.write_all(&sends).unwrap();
                peer.shutdown(Shutdown::Write).unwrap();
                read_to_end(&mut peer)
            });
            let mut read = Vec::new();
            if is_split {
                let (sender, receiver) = websocket.split().unwrap();
                let mut reader = receiver.into_byte_reader();
                reader.read_to_end(&mut read).unwrap();
                assert_eq!(reader.read(&mut [0]).unwrap(), 0);
                assert!(reader.get_ref().closed().unwrap().clean);
                drop(sender);
            } else {
                let mut stream = websocket.into_byte_stream();
                stream.read_to_end(&mut read).unwrap();
                assert_eq!(stream.read(&mut [0]).unwrap(), 0);
                assert!(stream.get_ref().closed().unwrap().clean);
            }
            assert!(read == expected);
            let seen = decode_as_peer_of::<R>(&peer.join().unwrap());
            assert_eq!((seen.pongs, seen.closes), (vec![b"ping".to_vec(), b"inside".to_vec()], 1));
        }
    }
    check(|| server_and_stream(Acceptor::new()));
    check(|| client_and_stream(Connector::new()));
}

#[test]
fn a_write_is_a_message_of_at_most_a_fragment() {
    fn check<R: Role + Send + 'static>(open: impl Fn() -> (WebSocket<TcpStream, R>, TcpStream)) {
        for is_split in [false, true] {
            let (websocket, mut peer) = open();
            let sends = thread::spawn(move || {
                macro_rules! write {
                    ($writer:ident) => {{
                        assert_eq!($writer.write(&[]).unwrap(), 0);
                        assert_eq!($writer.write(&[7; 70_000]).unwrap(), 65_536);
                        $writer.write_all(b"end").unwrap();
                        $writer.flush().unwrap();
                        $writer.shutdown().unwrap();
                        $writer.shutdown().unwrap();
                        let late = $writer.write(b"late").unwrap_err();
                        assert_eq!(late.kind(), ErrorKind::BrokenPipe);
                    }};
                }
                if is_split {
                    let (sender, receiver) = websocket.split().unwrap();
                    let mut writer = sender.into_byte_writer();
                    write!(writer);
                    drop((writer.get_ref().closed(), receiver));
                } else {
                    let mut stream = websocket.into_byte_stream();
                    write!(stream);
                }
            });
            let seen = decode_as_peer_of::<R>(&read_to_end(&mut peer));
            let messages = vec![Message::binary(vec![7; 65_536]), Message::binary(&b"end"[..])];
            assert!(seen.messages == messages && seen.closes == 1);
            sends.join().unwrap();
        }
    }
    check(|| server_and_stream(Acceptor::new()));
    check(|| client_and_stream(Connector::new()));
}

/// Two threads at each end, and both directions at once.
#[test]
fn both_directions_work_at_once_in_two_threads() {
    const LEN: usize = 8 << 20;
    let (client, server) = pair();
    let (sender, receiver) = client.split().unwrap();
    let (mut writer, mut reader) = (sender.into_byte_writer(), receiver.into_byte_reader());
    let client_writes = thread::spawn(move || {
        writer.write_all(&noise(LEN, 1)).unwrap();
        writer
    });
    let client_reads = thread::spawn(move || {
        let mut bytes = vec![0; LEN];
        reader.read_exact(&mut bytes).unwrap();
        assert!(bytes == noise(LEN, 2));
        reader
    });
    let (sender, receiver) = server.split().unwrap();
    let (mut writer, mut reader) = (sender.into_byte_writer(), receiver.into_byte_reader());
    let server_writes = thread::spawn(move || {
        writer.write_all(&noise(LEN, 2)).unwrap();
        writer
    });
    let mut bytes = vec![0; LEN];
    reader.read_exact(&mut bytes).unwrap();
    assert!(bytes == noise(LEN, 1));
    let _writer = server_writes.join().unwrap();
    client_writes.join().unwrap().shutdown().unwrap();
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    assert_eq!(client_reads.join().unwrap().read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_shutdown_ends_both_directions_and_what_the_peer_sent_before_is_read() {
    let (client, server) = pair();
    let (mut client, mut server) = (client.into_byte_stream(), server.into_byte_stream());
    server.write_all(b"before").unwrap();
    client.shutdown().unwrap();
    let mut rest = Vec::new();
    assert_eq!(server.read_to_end(&mut rest).unwrap(), 0);
    assert_eq!(server.write(b"after").unwrap_err().kind(), ErrorKind::BrokenPipe);
    server.flush().unwrap();
    server.shutdown().unwrap();
    let server = thread::spawn(move || server.wait_closed());
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"before");
    assert!(client.wait_closed().clean && server.join().unwrap().clean);
}

/// Only a clean end is an end of the stream.
#[test]
fn a_stream_that_is_cut_short_is_an_error() {
    fn check<S: Transport, R: Role>(open: impl Fn() -> (WebSocket<S, R>, TcpStream)) {
        let close = |code: u16| frame::<R>(CLOSE, &code.to_be_bytes());
        for (end, kind) in [
            (vec![], Some(ErrorKind::ConnectionAborted)),
            (header::<R>(BINARY, 5), Some(ErrorKind::ConnectionAborted)),
            (frame::<R>(BINARY_START, b""), Some(ErrorKind::ConnectionAborted)),
            // The peer has closed before the end of a message.
            (
                [frame::<R>(BINARY_START, b""), close(1000)].concat(),
                Some(ErrorKind::ConnectionAborted),
            ),
            (close(1001), Some(ErrorKind::ConnectionAborted)),
            (close(1011), Some(ErrorKind::ConnectionAborted)),
            (frame::<R>(0x83, b""), Some(ErrorKind::InvalidData)),
            (close(1000), None),
            (frame::<R>(CLOSE, b""), None),
        ] {
            let (websocket, mut peer) = open();
            peer.write_all(&[frame::<R>(BINARY, b"begun"), end].concat()).unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            let mut stream = websocket.into_byte_stream();
            let mut bytes = Vec::new();
            let read = stream.read_to_end(&mut bytes);
            assert_eq!(bytes, b"begun");
            assert_eq!(read.as_ref().err().map(std::io::Error::kind), kind, "{read:?}");
            if let Err(error) = read {
                assert!(matches!(inner(&error), Error::Closed(_) | Error::Protocol(_)));
                assert!(stream.read(&mut [0]).is_err(), "it stays an error");
            }
        }
    }
    check(|| server_and_stream(Acceptor::new()));
    check(|| client_and_stream(Connector::new()));
}

#[test]
fn a_text_message_is_an_error_and_closes_with_1003() {
    fn check<S: Transport, R: Role>(open: impl Fn() -> (WebSocket<S, R>, TcpStream)) {
        for is_split in [false, true] {
            let (websocket, mut peer) = open();
            peer.write_all(&[frame::<R>(BINARY, b"data"), frame::<R>(TEXT, b"text")].concat())
                .unwrap();
            let mut bytes = Vec::new();
            if is_split {
                let (_sender, receiver) = websocket.split().unwrap();
                let mut reader = receiver.into_byte_reader();
                let error = reader.read_to_end(&mut bytes).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidData);
            } else {
                let mut stream = websocket.into_byte_stream();
                for _ in 0..2 {
                    let error = stream.read_to_end(&mut bytes).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::InvalidData);
                }
            }
            assert_eq!(bytes, b"data");
            let sent = read_to_end(&mut peer);
            let key = if R::MASKS { [sent[2], sent[3]] } else { [0, 0] };
            let at = if R::MASKS { 6 } else { 2 };
            let code = u16::from_be_bytes([sent[at] ^ key[0], sent[at + 1] ^ key[1]]);
            assert_eq!((sent[0], code), (CLOSE, 1003));
        }
    }
    check(|| server_and_stream(Acceptor::new()));
    check(|| client_and_stream(Connector::new()));
}

#[test]
fn a_timeout_loses_nothing() {
    let (server, mut client) = server_and_stream(Acceptor::new());
    let mut stream = server.into_byte_stream();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    assert_eq!(stream.read_timeout().unwrap(), Some(Duration::from_millis(20)));
    let frame = masked(BINARY, b"data");
    client.write_all(&frame[..3]).unwrap();
    let error = stream.read(&mut [0; 4]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    client.write_all(&frame[3..]).unwrap();
    stream.set_read_timeout(None).unwrap();
    let mut data = [0; 4];
    stream.read_exact(&mut data).unwrap();
    assert_eq!(&data, b"data");
    // The message is queued, although the transport does not take all of it.
    stream.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    assert_eq!(stream.write_timeout().unwrap(), Some(Duration::from_millis(20)));
    let mut taken = 0;
    let error = loop {
        match stream.write(&[7; 65_536]) {
            Ok(count) => taken += count,
            Err(error) => break error,
        }
        assert!(taken < 1 << 30);
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    stream.set_write_timeout(None).unwrap();
    let reads = thread::spawn(move || read_to_end(&mut client));
    stream.shutdown().unwrap();
    drop(stream);
    let bytes = reads.join().unwrap();
    let frames = sansocket_testkit::traffic::frames(&bytes).len();
    assert_eq!(frames, taken / 65_536 + 1);
}

/// A WebSocket inside a WebSocket.
#[test]
fn a_websocket_runs_through_a_stream() {
    let (client, server) = pair();
    let echo = thread::spawn(move || {
        let mut server = Acceptor::new().accept(server.into_byte_stream()).unwrap();
        while let Some(message) = server.next() {
            server.send(message.unwrap()).unwrap();
        }
        server.wait_closed()
    });
    let (mut client, _) =
        Connector::new().connect_over("ws://inside/", client.into_byte_stream()).unwrap();
    for message in [Message::text("hello"), Message::binary(noise(100_000, 1))] {
        client.send(&message).unwrap();
        assert_eq!(client.next().unwrap().unwrap(), message);
    }
    client.close(CloseCode::NORMAL, "").unwrap();
    let closed = client.wait_closed();
    let served = echo.join().unwrap();
    assert!(served.clean && closed.clean, "{served}; {closed}");
}
