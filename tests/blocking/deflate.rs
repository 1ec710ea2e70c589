//! Compression in the shell: negotiated according to the configuration, visible on the wire.

use sansocket::{
    CloseCode, Config, DeflateConfig, Error, Limits, Message, Payload, PreparedMessage,
    blocking::{Acceptor, Connector, WebSocket},
    buffer::WriteBuffer,
    connection::{Client, Connection, MessageKind, ProtocolError, Role, Server},
    deflate::DeflateParameters,
    handshake::{Accept, Negotiated},
    mask::MaskKey,
    random::SystemMaskKeys,
};
use sansocket_testkit::{
    frames::failure_close,
    noise::noise,
    opening::REQUEST,
    pair::blocking::{self, read_head, read_to_end, streams},
    sent::Sent,
    transports::tapped::Tapped,
};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
};

type ClientSocket = WebSocket<Tapped, Client<SystemMaskKeys>>;
type ServerSocket = WebSocket<Tapped, Server>;

/// Returns two connected endpoints. What they have written for the handshake is discarded.
fn pair_with(
    client_config: Config,
    server_config: Config,
    accept: Accept,
) -> (ClientSocket, ServerSocket) {
    let (client, server) = streams();
    let server = thread::spawn(move || {
        let acceptor = Acceptor::new().config(server_config);
        acceptor.accept_with(Tapped::new(server), |_| Ok(accept)).unwrap()
    });
    let connector = Connector::new().config(client_config);
    let (client, _) = connector.connect_over("ws://localhost/", Tapped::new(client)).unwrap();
    let server = server.join().unwrap();
    client.get_ref().clear();
    server.get_ref().clear();
    (client, server)
}

fn pair(config: Config) -> (ClientSocket, ServerSocket) {
    pair_with(config, config, Accept::new())
}

fn compressing() -> Config {
    Config::default().deflate(DeflateConfig::new())
}

fn text() -> String {
    "said again and again ".repeat(100)
}

/// Sends `payload` and checks that `expected` arrives in one message, either compressed and
/// smaller, or uncompressed.
#[track_caller]
fn goes<R: Role, Q: Role + Send>(
    from: &mut WebSocket<Tapped, R>,
    to: &mut WebSocket<Tapped, Q>,
    payload: Payload<'_>,
    expected: &Message,
    is_compressed: bool,
) {
    // Receives at the same time, since sockets take a limited amount.
    let received = thread::scope(|scope| {
        let reader = scope.spawn(|| to.next().unwrap().unwrap());
        from.send(payload).unwrap();
        reader.join().unwrap()
    });
    assert!(received == *expected);
    let [Sent { compressed, payload }] = &from.get_ref().messages()[..] else { panic!() };
    assert_eq!(*compressed, is_compressed);
    if is_compressed {
        assert!(payload.len() < expected.as_bytes().len());
    } else {
        assert_eq!(payload, expected.as_bytes());
    }
}

#[test]
fn messages_of_all_forms_arrive_in_both_directions() {
    let (mut client, mut server) = pair(compressing());
    assert!(client.negotiated().deflate.is_some());
    assert_eq!(client.negotiated(), server.negotiated());
    // A large message is written without a copy if it is not compressed.
    for count in [1, 100] {
        let text = text().repeat(count);
        let message = Message::text(text.as_str());
        let binary = Message::binary(text.clone().into_bytes());
        let noise = Message::binary(noise(text.len(), 1));
        let plain = PreparedMessage::new(message.clone());
        let prepared = plain.clone().deflate(&DeflateConfig::new());
        // Whether the server compresses the message, and whether the client does. A client masks
        // again whatever it sends.
        for (payload, expected, server_does, client_does) in [
            (Payload::from(&text), &message, true, true),
            (Payload::from(text.as_bytes()), &binary, true, true),
            (Payload::from(&message), &message, true, true),
            (Payload::from(&prepared), &message, true, true),
            (Payload::from(&plain), &message, false, true),
            (Payload::from(&text).uncompressed(), &message, false, false),
            (Payload::from(text.as_bytes()).uncompressed(), &binary, false, false),
            // The noise does not shrink.
            (Payload::from(noise.as_bytes()), &noise, false, false),
            (Payload::from("short"), &Message::text("short"), false, false),
            (Payload::from(&text), &message, true, true),
        ] {
            goes(&mut server, &mut client, (&payload).into(), expected, server_does);
            goes(&mut client, &mut server, payload, expected, client_does);
        }
    }
}

#[test]
fn the_first_piece_decides_whether_a_message_is_compressed() {
    let (mut client, mut server) = pair(compressing());
    let text = text();
    for (piece, is_compressed) in
        [(Payload::from(&text), true), (Payload::from(&text).uncompressed(), false)]
    {
        server.feed_fragment(piece, false).unwrap();
        server.feed_fragment(Payload::from(&text).uncompressed(), false).unwrap();
        server.feed_fragment(&text, true).unwrap();
        server.flush().unwrap();
        let [Sent { compressed, payload }] = &server.get_ref().messages()[..] else { panic!() };
        assert_eq!((*compressed, payload.len() < text.len()), (is_compressed, is_compressed));
        assert_eq!(client.next().unwrap().unwrap(), Message::text(text.repeat(3)));
    }
}

#[test]
fn halves_compress_and_decompress() {
    let (client, server) = pair(compressing().fragment_size(1000));
    let (to_server, to_client) = (client.get_ref().clone(), server.get_ref().clone());
    let (mut client_sends, mut client_receives) = client.split().unwrap();
    let (mut server_sends, mut server_receives) = server.split().unwrap();
    let echo = thread::spawn(move || {
        for message in server_receives.by_ref() {
            server_sends.send(message.unwrap()).unwrap();
        }
        server_receives.closed().unwrap().clean
    });
    let text = text().repeat(20);
    let noise = noise(10_000, 1);
    for (payload, expected, first, back) in [
        (Payload::from(&text), Message::text(text.as_str()), true, true),
        // Written frame by frame, so that replies of the other half can go in between.
        (Payload::from(&text).uncompressed(), Message::text(text.as_str()), false, true),
        (Payload::from(&noise), Message::binary(noise.clone()), false, false),
    ] {
        client_sends.send(payload).unwrap();
        assert_eq!(client_receives.next().unwrap().unwrap(), expected);
        for (tapped, is_compressed) in [(&to_server, first), (&to_client, back)] {
            let [Sent { compressed, payload }] = &tapped.messages()[..] else { panic!() };
            assert_eq!(*compressed, is_compressed);
            assert_eq!(payload.len() < expected.as_bytes().len(), is_compressed);
        }
    }
    for (piece, fin) in [(&text[..900], false), (&text[900..], true)] {
        client_sends.feed_fragment(piece, fin).unwrap();
    }
    client_sends.flush().unwrap();
    assert_eq!(client_receives.next().unwrap().unwrap(), Message::text(text.as_str()));
    assert!(to_server.messages()[0].compressed);
    client_sends.close(CloseCode::NORMAL, "").unwrap();
    assert!(client_receives.next().is_none());
    assert!(echo.join().unwrap());
}

#[test]
fn a_response_can_override_the_configured_compression() {
    let high = DeflateConfig::new().threshold(1000);
    let accept = Accept::new().deflate(high);
    let (mut client, mut server) = pair_with(compressing(), compressing(), accept);
    for (len, is_compressed) in [(999, false), (1000, true)] {
        let data = vec![7; len];
        let message = Message::binary(data.clone());
        goes(&mut server, &mut client, Payload::from(&data), &message, is_compressed);
        goes(&mut client, &mut server, Payload::from(&data), &message, true);
    }
}

#[test]
fn compression_is_off_unless_both_endpoints_want_it() {
    let (text, message) = (text(), Message::text(text()));
    for (client_config, server_config, accept) in [
        (Config::default(), Config::default(), Accept::new()),
        (compressing(), Config::default(), Accept::new()),
        (Config::default(), compressing(), Accept::new()),
        (compressing(), compressing(), Accept::new().deflate(None)),
    ] {
        let (mut client, mut server) = pair_with(client_config, server_config, accept);
        assert!(client.negotiated().deflate.is_none() && server.negotiated().deflate.is_none());
        goes(&mut server, &mut client, Payload::from(&text), &message, false);
        goes(&mut client, &mut server, Payload::from(&text), &message, false);
    }
}

/// Returns a server that compresses, and the bare stream of its client.
fn server_and_stream(limits: Limits) -> (blocking::ServerSocket, TcpStream) {
    let (mut client, server) = streams();
    let head = REQUEST.strip_suffix(b"\r\n").unwrap();
    client.write_all(head).unwrap();
    client.write_all(b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n").unwrap();
    let acceptor = Acceptor::new().config(compressing().limits(limits));
    let server = acceptor.accept(server).unwrap();
    let answer = String::from_utf8(read_head(&mut client)).unwrap();
    assert!(answer.contains("\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"), "{answer}");
    (server, client)
}

#[test]
fn a_peer_that_sends_corrupt_data_is_told_so() {
    // A block of the reserved type, and a message that ends in the middle of a block.
    for payload in [&[0x06, 0x00][..], &[0xf2, 0x48]] {
        let (mut server, mut client) = server_and_stream(Limits::default());
        client.write_all(&[0xc2, 0x80 | payload.len() as u8, 0, 0, 0, 0]).unwrap();
        client.write_all(payload).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let failure = server.next().unwrap().unwrap_err();
        let Error::Protocol(error @ ProtocolError::InvalidCompression { .. }) = failure else {
            panic!("{failure}");
        };
        drop(server);
        assert_eq!(error.close_code().number(), 1007);
        assert_eq!(read_to_end(&mut client), failure_close(error));
    }
}

#[test]
fn inflating_stops_at_the_limit() {
    let agreed = Negotiated::new().deflate(DeflateParameters::default());
    for (len, is_within) in [(1000, true), (1001, false), (100_000, false)] {
        let role = Client::new(|| MaskKey::new([0; 4]));
        let mut sender = Connection::new(role, &agreed, compressing());
        let mut output = WriteBuffer::new();
        sender.send_binary(&vec![0; len], &mut output).unwrap();
        assert_eq!(output.front()[0], 0xc2);
        let (mut server, mut client) = server_and_stream(Limits::default().message(1000));
        client.write_all(output.front()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let received = server.next().unwrap();
        if is_within {
            assert_eq!(received.unwrap(), Message::binary(vec![0; len]));
            continue;
        }
        let failure = received.unwrap_err();
        let Error::Protocol(error) = failure else { panic!("{failure}") };
        assert_eq!(error, ProtocolError::MessageTooLarge { len: 1001, limit: 1000 });
        drop(server);
        assert_eq!(error.close_code().number(), 1009);
        assert_eq!(read_to_end(&mut client), failure_close(error));
    }
}

/// A message of unknown length and a stream of bytes are compressed as messages are.
#[test]
fn streams_are_compressed() {
    let (client, mut server) = pair(compressing());
    let text = text().repeat(100);
    let client = thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut client = client;
            let message = client.next().unwrap().unwrap();
            (client, message)
        });
        let mut writer = server.message_writer(MessageKind::Text);
        for piece in text.as_bytes().chunks(999) {
            writer.write_all(piece).unwrap();
        }
        writer.finish().unwrap();
        let (client, message) = reader.join().unwrap();
        assert_eq!(message, Message::from(&*text));
        client
    });
    let sent = server.get_ref().messages();
    assert!(sent[0].compressed && sent.iter().map(|sent| sent.payload.len()).sum::<usize>() < 2000);

    client.get_ref().clear();
    let mut server = server.into_byte_stream();
    let mut stream = client.into_byte_stream();
    stream.write_all(text.as_bytes()).unwrap();
    stream.flush().unwrap();
    let mut read = vec![0; text.len()];
    server.read_exact(&mut read).unwrap();
    assert_eq!(read, text.as_bytes());
    let sent = stream.get_ref().get_ref().messages();
    assert!(sent.iter().all(|sent| sent.compressed));
    assert!(sent.iter().map(|sent| sent.payload.len()).sum::<usize>() < 2000);
}
