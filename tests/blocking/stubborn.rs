//! A transport that blocks, is interrupted or moves a single byte at every step loses nothing.

use sansocket::{
    CloseCode, Config, Error, Event, Message,
    blocking::{Plain, WebSocket},
    buffer::ReadBuffer,
    connection::{Client, Connection, Role, Server},
    handshake::Negotiated,
    mask::MaskKey,
};
use sansocket_testkit::transports::stubborn::{Manner, Stubborn};
use std::io::{ErrorKind, Write};

fn websocket<R: Role>(stream: Stubborn, role: R) -> WebSocket<Plain<Stubborn>, R> {
    // Small fragments make for many steps.
    let config = Config::default().fragment_size(7000);
    WebSocket::new(Plain(stream), role, Negotiated::new(), ReadBuffer::new(), config)
}

fn messages() -> Vec<Message> {
    let mut messages: Vec<_> =
        [0, 1, 125, 126, 30_000].iter().map(|&size| Message::binary(vec![9; size])).collect();
    messages.push(Message::text("κόσμε 🌍".repeat(500)));
    messages
}

/// Runs a conversation in which both endpoints alternate in one thread. Returns how many calls
/// could not proceed.
fn converse(manner: Manner) -> usize {
    let (client, server) = Stubborn::pair(manner);
    let mut client = websocket(client, Client::new(|| MaskKey::new([1, 2, 3, 4])));
    let mut server = websocket(server, Server::new());
    let (mut waits, mut received) = (0, Vec::new());
    let messages = messages();
    for message in &messages {
        retry_flush(client.send(message), || client.flush(), &mut waits);
    }
    retry_flush(client.close(CloseCode::NORMAL, "bye"), || client.flush(), &mut waits);

    // The server echoes from borrowed events, so that large messages are written directly.
    let mut echoed = 0;
    while echoed < messages.len() {
        let outcome = match server.receive().unwrap() {
            Ok((event, mut replies)) => {
                echoed += usize::from(event.to_message().is_some());
                match event {
                    Event::Text(text) => replies.send(text),
                    Event::Binary(data) => replies.send(data),
                    _ => Ok(()),
                }
            }
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            assert!(error.is_would_block(), "{error}");
            waits += 1;
        }
    }
    let server_ends = |server: &mut WebSocket<Plain<Stubborn>, Server>| match server.next() {
        None => true,
        Some(Err(error)) if error.is_would_block() => false,
        other => panic!("{other:?}"),
    };
    let mut server_ended = false;
    loop {
        server_ended = server_ended || server_ends(&mut server);
        match client.next() {
            Some(Ok(message)) => received.push(message),
            Some(Err(error)) if error.is_would_block() => waits += 1,
            None => break,
            other => panic!("{other:?}"),
        }
        if received.len() == messages.len() {
            // Everything has arrived; now both have to see the other's Close. The server's stream
            // has no half-close, so it is dropped then.
            while client.state() != sansocket::State::Closed {
                assert!(client.next().is_none_or(|next| next.is_err()));
                server_ended = server_ended || server_ends(&mut server);
            }
            assert!(server_ended && server.closed().unwrap().clean);
            drop(server);
            for next in client.by_ref() {
                assert!(next.is_err_and(|error| error.is_would_block()));
            }
            break;
        }
    }
    assert_eq!(received, messages);
    assert!(client.closed().unwrap().clean);
    waits
}

fn retry_flush(
    mut outcome: Result<(), Error>,
    mut flush: impl FnMut() -> Result<(), Error>,
    waits: &mut usize,
) {
    while let Err(error) = outcome {
        assert!(error.is_would_block(), "{error}");
        *waits += 1;
        outcome = flush();
    }
}

#[test]
fn nothing_is_lost_one_byte_at_a_time() {
    converse(Manner { most: 1, one_of: 1, kinds: &[] });
}

#[test]
fn nothing_is_lost_when_every_byte_blocks_first() {
    let waits = converse(Manner { most: 1, one_of: 2, kinds: &[ErrorKind::WouldBlock] });
    assert!(waits > 50_000, "only {waits} waits");
}

#[test]
fn nothing_is_lost_with_short_writes_timeouts_and_interruptions() {
    let kinds = &[ErrorKind::Interrupted, ErrorKind::TimedOut, ErrorKind::WouldBlock];
    for most in [5, 17, 200, 1000, 7003, 7004, 7005, 100_000] {
        converse(Manner { most, one_of: 4, kinds });
    }
}

#[test]
fn a_write_of_zero_bytes_is_an_error_not_a_loop() {
    let (client, _server) = Stubborn::pair(Manner { most: 0, one_of: 1, kinds: &[] });
    let mut client = websocket(client, Client::new(|| MaskKey::new([0; 4])));
    let error = client.send("x").unwrap_err();
    assert!(matches!(&error, Error::Io(io) if io.kind() == ErrorKind::WriteZero), "{error}");
    assert!(matches!(client.send("y"), Err(Error::Io(_))));
}

#[test]
fn a_connection_can_be_made_from_the_bytes_after_a_handshake() {
    let (mut peer, server) = Stubborn::pair(Manner { most: 100, one_of: 1, kinds: &[] });
    let mut input = ReadBuffer::new();
    input.extend_from_slice(&[0x81, 0x82, 0, 0, 0, 0, b'h']);
    peer.write_all(b"i").unwrap();
    let negotiated = Negotiated::new().subprotocol("chat");
    let mut server =
        WebSocket::new(Plain(server), Server::new(), negotiated, input, Config::default());
    assert_eq!(server.negotiated().subprotocol.as_deref(), Some("chat"));
    assert_eq!(server.next().unwrap().unwrap(), Message::text("hi"));
    // The connection equals one made by hand.
    let by_hand = Connection::new(Server::new(), server.negotiated(), Config::default());
    assert_eq!(by_hand.state(), server.state());
}
