//! Compression in the shell: negotiated by configuration, seen on the wire.

use sansocket::{
    Accept, Client, CloseCode, Config, Connection, DeflateConfig, DeflateParameters, Error, Limits,
    MaskKey, Message, Negotiated, Payload, PreparedMessage, ProtocolError, Role, Server,
    SystemMaskKeys, WriteBuffer,
    blocking::{Acceptor, Connector, WebSocket},
};
use sansocket_testkit::{
    noise::noise,
    opening::REQUEST,
    pair::blocking::{self, read_head, read_to_end, streams},
    sent::Sent,
    transports::tapped::Tapped,
};
use std::{
    io::Write,
    net::{Shutdown, TcpStream},
    thread,
};

type ClientSocket = WebSocket<Tapped, Client<SystemMaskKeys>>;
type ServerSocket = WebSocket<Tapped, Server>;

/// Two connected ends. What they have written for that is forgotten.
fn pair_with(
    client_config: Config,
    server_config: Config,
    accept: Accept<'static>,
) -> (ClientSocket, ServerSocket) {
    let (client, server) = streams();
    let server = thread::spawn(move || {
        let acceptor = Acceptor::new().config(server_config);
        acceptor.accept_with(Tapped::new(server), |_| Ok(accept)).unwrap()
    });
    let connector = Connector::new().config(client_config);
    let (client, _) = connector.connect_over(Tapped::new(client), "ws://localhost/").unwrap();
    let server = server.join().unwrap();
    client.transport().clear();
    server.transport().clear();
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

/// Sends `payload`, which arrives as `expected`, in one message that is compressed and smaller, or
/// as it is.
#[track_caller]
fn goes<R: Role, Q: Role + Send>(
    from: &mut WebSocket<Tapped, R>,
    to: &mut WebSocket<Tapped, Q>,
    payload: Payload<'_>,
    expected: &Message,
    is_compressed: bool,
) {
    // Read all the while, as sockets take only so much.
    let received = thread::scope(|scope| {
        let reader = scope.spawn(|| to.next().unwrap().unwrap());
        from.send(payload).unwrap();
        reader.join().unwrap()
    });
    assert!(received == *expected);
    let [Sent { compressed, payload }] = &from.transport().messages()[..] else { panic!() };
    assert_eq!(*compressed, is_compressed);
    if is_compressed {
        assert!(payload.len() < expected.as_bytes().len());
    } else {
        assert_eq!(payload, expected.as_bytes());
    }
}

#[test]
fn messages_of_all_forms_go_both_ways() {
    let (mut client, mut server) = pair(compressing());
    assert!(client.negotiated().deflate.is_some());
    assert_eq!(client.negotiated(), server.negotiated());
    // A large one is written from where it is if it is not compressed.
    for count in [1, 100] {
        let text = text().repeat(count);
        let message = Message::text(text.as_str());
        let binary = Message::binary(text.clone().into_bytes());
        let noise = Message::binary(noise(text.len(), 1));
        let plain = PreparedMessage::new(message.clone());
        let prepared = plain.clone().deflate(&DeflateConfig::new());
        // Whether the server compresses it, and whether the client does, which masks anew what it
        // sends.
        for (payload, expected, server_does, client_does) in [
            (Payload::Text(&text), &message, true, true),
            (Payload::Binary(text.as_bytes()), &binary, true, true),
            (Payload::Message(&message), &message, true, true),
            (Payload::Prepared(&prepared), &message, true, true),
            (Payload::Prepared(&plain), &message, false, true),
            (Payload::UncompressedText(&text), &message, false, false),
            (Payload::UncompressedBinary(text.as_bytes()), &binary, false, false),
            // It does not shrink.
            (Payload::Binary(noise.as_bytes()), &noise, false, false),
            (Payload::Text("short"), &Message::text("short"), false, false),
            (Payload::Text(&text), &message, true, true),
        ] {
            goes(&mut server, &mut client, payload, expected, server_does);
            goes(&mut client, &mut server, payload, expected, client_does);
        }
    }
}

#[test]
fn a_message_in_pieces_goes_as_its_first_does() {
    let (mut client, mut server) = pair(compressing());
    let text = text();
    for (piece, is_compressed) in
        [(Payload::Text(&text), true), (Payload::UncompressedText(&text), false)]
    {
        server.feed_fragment(piece, false).unwrap();
        server.feed_fragment(Payload::UncompressedText(&text), false).unwrap();
        server.feed_fragment(&text, true).unwrap();
        server.flush().unwrap();
        let [Sent { compressed, payload }] = &server.transport().messages()[..] else { panic!() };
        assert_eq!((*compressed, payload.len() < text.len()), (is_compressed, is_compressed));
        assert_eq!(client.next().unwrap().unwrap(), Message::text(text.repeat(3)));
    }
}

#[test]
fn halves_compress_and_decompress() {
    let (client, server) = pair(compressing().fragment_size(1000));
    let (to_server, to_client) = (client.transport().clone(), server.transport().clone());
    let (mut client_receives, mut client_sends) = client.split().unwrap();
    let (mut server_receives, mut server_sends) = server.split().unwrap();
    let echo = thread::spawn(move || {
        for message in server_receives.by_ref() {
            server_sends.send(&message.unwrap()).unwrap();
        }
        server_receives.closed().unwrap().clean
    });
    let text = text().repeat(20);
    let noise = noise(10_000, 1);
    for (payload, expected, first, back) in [
        (Payload::Text(&text), Message::text(text.as_str()), true, true),
        // Written frame by frame, as the replies of the other half may go between.
        (Payload::UncompressedText(&text), Message::text(text.as_str()), false, true),
        (Payload::Binary(&noise), Message::binary(noise.clone()), false, false),
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
fn an_answer_can_compress_otherwise_than_is_configured() {
    let high = DeflateConfig::new().threshold(1000);
    let accept = Accept::new().deflate(high);
    let (mut client, mut server) = pair_with(compressing(), compressing(), accept);
    for (len, is_compressed) in [(999, false), (1000, true)] {
        let data = vec![7; len];
        let message = Message::binary(data.clone());
        goes(&mut server, &mut client, Payload::Binary(&data), &message, is_compressed);
        goes(&mut client, &mut server, Payload::Binary(&data), &message, true);
    }
}

#[test]
fn it_is_off_unless_both_ends_want_it() {
    let (text, message) = (text(), Message::text(text()));
    for (client_config, server_config, accept) in [
        (Config::default(), Config::default(), Accept::new()),
        (compressing(), Config::default(), Accept::new()),
        (Config::default(), compressing(), Accept::new()),
        (compressing(), compressing(), Accept::new().no_deflate()),
    ] {
        let (mut client, mut server) = pair_with(client_config, server_config, accept);
        assert!(client.negotiated().deflate.is_none() && server.negotiated().deflate.is_none());
        goes(&mut server, &mut client, Payload::Text(&text), &message, false);
        goes(&mut client, &mut server, Payload::Text(&text), &message, false);
    }
}

/// A server that compresses, and the bare stream of its client.
fn server_and_stream(limits: Limits) -> (blocking::ServerSocket, TcpStream) {
    let (mut client, server) = streams();
    let head = REQUEST.strip_suffix(b"\r\n").unwrap();
    client.write_all(head).unwrap();
    client.write_all(b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n").unwrap();
    let acceptor = Acceptor::new().config(compressing().limits(limits));
    let server = acceptor.accept_tcp(server).unwrap();
    let answer = String::from_utf8(read_head(&mut client)).unwrap();
    assert!(answer.contains("\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"), "{answer}");
    (server, client)
}

#[test]
fn a_peer_that_compresses_wrongly_is_told_so() {
    // A block of the type that is reserved, and a message that ends amid a block.
    for payload in [&[0x06, 0x00][..], &[0xf2, 0x48]] {
        let (mut server, mut client) = server_and_stream(Limits::default());
        client.write_all(&[0xc2, 0x80 | payload.len() as u8, 0, 0, 0, 0]).unwrap();
        client.write_all(payload).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let failure = server.next().unwrap().unwrap_err();
        let Error::Protocol(ProtocolError::InvalidCompression { .. }) = failure else {
            panic!("{failure}");
        };
        drop(server);
        assert_eq!(read_to_end(&mut client), [0x88, 2, 0x03, 0xef], "1007");
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
        let Error::Protocol(ProtocolError::MessageTooLarge { len: 1001, limit: 1000 }) = failure
        else {
            panic!("{failure}");
        };
        drop(server);
        assert_eq!(read_to_end(&mut client), [0x88, 2, 0x03, 0xf1], "1009");
    }
}
