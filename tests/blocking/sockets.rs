//! Conversations over real sockets.

use sansocket::{
    CloseCode, Config, Error, Event, Limits, Message, Payload, PreparedMessage, State,
    blocking::{Acceptor, Connector, WebSocket},
    buffer::ReadBuffer,
    connection::{Initiator, ReceiveError, SendError, Server},
    handshake::Negotiated,
};
use sansocket_testkit::pair::blocking::{
    ServerSocket, pair, pair_with, server_and_stream, streams,
};
use std::{io::Write, thread, time::Duration};

/// Starts a server that echoes until the end. The thread returns the number of messages and how the
/// connection ended.
fn echo(mut server: ServerSocket) -> thread::JoinHandle<(u32, sansocket::Closed)> {
    thread::spawn(move || {
        let mut messages = 0;
        while let Some(received) = server.receive() {
            match received.unwrap() {
                (Event::Text(text), mut replies) => replies.send(text).unwrap(),
                (Event::Binary(data), mut replies) => replies.send(data).unwrap(),
                _ => continue,
            }
            messages += 1;
        }
        (messages, server.closed().unwrap().clone())
    })
}

#[test]
fn messages_of_all_sizes_come_back() {
    let (mut client, server) = pair();
    let server = echo(server);
    let sizes = [0, 1, 125, 126, 4096, 65_535, 65_536, 65_537, 1 << 20, 5_000_000];
    for size in sizes {
        let data: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        client.send(&data).unwrap();
        assert_eq!(client.next().unwrap().unwrap(), Message::binary(data));
        let text = "é漢".repeat(size / 5);
        client.send(&text).unwrap();
        assert_eq!(client.next().unwrap().unwrap(), Message::text(text));
    }
    client.close(CloseCode::NORMAL, "done").unwrap();
    assert!(client.next().is_none());
    let closed = client.closed().unwrap();
    assert!(closed.clean && closed.initiator == Initiator::Local, "{closed:?}");
    assert_eq!(closed.code, CloseCode::NORMAL);

    let (messages, closed) = server.join().unwrap();
    assert_eq!(messages, 2 * sizes.len() as u32);
    assert!(closed.clean && closed.initiator == Initiator::Peer, "{closed:?}");
    assert_eq!((closed.code, closed.reason.as_str()), (CloseCode::NORMAL, "done"));
}

#[test]
fn a_message_is_the_same_in_every_form() {
    let (mut client, mut server) = pair();
    let large = Message::binary(vec![7; 100_000]);
    let sent = large.clone();
    let sender = thread::spawn(move || {
        server.feed(&sent).unwrap();
        server.feed(PreparedMessage::new(sent.clone())).unwrap();
        server.feed(sent.as_bytes()).unwrap();
        server.send(sent.as_bytes()).unwrap();
        server.wait_closed()
    });
    for _ in 0..4 {
        assert_eq!(client.next().unwrap().unwrap(), large);
    }
    assert!(client.wait_closed().clean);
    assert!(sender.join().unwrap().clean);
}

#[test]
fn pings_are_answered_while_the_user_only_reads() {
    let (mut client, mut server) = pair();
    let reader = thread::spawn(move || server.next());
    client.ping(b"are you there").unwrap();
    let (event, _) = client.receive().unwrap().unwrap();
    assert_eq!(event, Event::Pong(b"are you there"));
    assert!(client.wait_closed().clean);
    assert!(reader.join().unwrap().is_none());
}

#[test]
fn a_message_is_received_in_chunks_before_it_is_finished() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    // The first 5 of 100 bytes, unmasked because the key consists of zeros.
    client.write_all(&[0x81, 0x80 | 100, 0, 0, 0, 0]).unwrap();
    client.write_all(b"first").unwrap();
    let (chunk, _) = server.receive_chunk().unwrap().unwrap();
    assert_eq!((chunk.event, chunk.first, chunk.last), (Event::Text("first"), true, false));

    client.write_all(&[b'x'; 95]).unwrap();
    let mut rest = 0;
    loop {
        let (chunk, _) = server.receive_chunk().unwrap().unwrap();
        let Event::Text(text) = chunk.event else { panic!("{chunk:?}") };
        rest += text.len();
        if chunk.last {
            break;
        }
    }
    assert_eq!(rest, 95);
}

#[test]
fn a_message_is_sent_in_pieces_of_every_form() {
    let (mut client, mut server) = pair();
    let owned = Message::text("three, ");
    client.feed_fragment("one, ", false).unwrap();
    let mixed = client.feed_fragment(b"two", false).unwrap_err();
    assert!(matches!(mixed, Error::Send(SendError::MessageInProgress)), "{mixed}");
    client.feed_fragment(&owned, false).unwrap();
    client.feed_fragment(PreparedMessage::new(Message::text("four")), true).unwrap();
    client.send(b"next").unwrap();
    assert_eq!(server.next().unwrap().unwrap(), Message::text("one, three, four"));
    assert_eq!(server.next().unwrap().unwrap(), Message::binary(&b"next"[..]));
}

/// Checks that no message can begin inside another one (RFC 6455 §5.4), whatever the method of
/// sending.
fn refuses_a_second_message(mut send: impl FnMut(Payload<'_>) -> Result<(), Error>) {
    for len in [0, 100, 20_000, 100_000] {
        let text = Message::text("x".repeat(len));
        let data = Message::binary(vec![7; len]);
        let prepared = [PreparedMessage::new(text.clone()), PreparedMessage::new(data.clone())];
        let Message::Text(letters) = &text else { panic!() };
        for payload in [
            Payload::from(letters),
            Payload::from(letters).uncompressed(),
            Payload::from(data.as_bytes()),
            Payload::from(data.as_bytes()).uncompressed(),
            Payload::from(&text),
            Payload::from(&data),
            Payload::from(&prepared[0]),
            Payload::from(&prepared[1]),
        ] {
            let refused = send((&payload).into());
            let in_progress = Err(SendError::MessageInProgress);
            let refused = refused.map_err(|error| match error {
                Error::Send(error) => error,
                other => panic!("{other}"),
            });
            assert_eq!(refused, in_progress, "{len} bytes: {payload:?}");
        }
    }
}

#[test]
fn no_message_begins_inside_another() {
    let (mut client, mut server) = pair();
    client.feed_fragment("begin:", false).unwrap();
    server.feed_fragment("begin:", false).unwrap();
    refuses_a_second_message(|payload| client.send(payload));
    refuses_a_second_message(|payload| server.send(payload));
    refuses_a_second_message(|payload| client.feed(payload));
    let ((mut client, mut receive), (mut server, _keep)) =
        (client.split().unwrap(), server.split().unwrap());
    refuses_a_second_message(|payload| client.send(payload));
    refuses_a_second_message(|payload| server.send(payload));
    server.feed_fragment("end", true).unwrap();
    server.send("next").unwrap();
    assert_eq!(receive.next().unwrap().unwrap(), Message::text("begin:end"));
    assert_eq!(receive.next().unwrap().unwrap(), Message::text("next"));
}

#[test]
fn a_ping_makes_room_as_a_message_does() {
    let config = Config::default().limits(Limits::default().queued_output(100));
    let (mut client, mut server) = pair_with(Connector::new().config(config), Acceptor::new());
    client.feed([7; 200]).unwrap();
    client.ping(b"room?").unwrap();
    assert_eq!(server.next().unwrap().unwrap(), Message::binary(&[7; 200][..]));
    let (event, _) = server.receive().unwrap().unwrap();
    assert_eq!(event, Event::Ping(b"room?"));
}

#[test]
fn thousands_of_queued_frames_leave_in_order() {
    let limits = Limits::default().queued_output(usize::MAX);
    let acceptor = Acceptor::new().config(Config::default().limits(limits));
    let (mut client, mut server) = pair_with(Connector::new(), acceptor);
    let sender = thread::spawn(move || {
        for number in 0..5_000_u32 {
            // Every third message is large enough to be linked instead of copied.
            let size = if number % 3 == 0 { 10_000 } else { 4 };
            let mut data = number.to_be_bytes().to_vec();
            data.resize(size, 0);
            server.feed(Message::binary(data)).unwrap();
        }
        server.flush().unwrap();
        assert_eq!(server.buffered_amount(), 0);
        server.wait_closed().clean
    });
    for number in 0..5_000_u32 {
        let message = client.next().unwrap().unwrap();
        assert_eq!(message.as_bytes()[..4], number.to_be_bytes());
    }
    assert!(client.wait_closed().clean);
    assert!(sender.join().unwrap());
}

#[test]
fn feeding_above_the_limit_writes() {
    let limits = Limits::default().queued_output(1000);
    let config = Config::default().limits(limits);
    let (mut client, server) = pair_with(Connector::new().config(config), Acceptor::new());
    let server = echo(server);
    for _ in 0..100 {
        client.feed([1; 400]).unwrap();
        assert!(client.buffered_amount() <= 1000 + 408);
    }
    for _ in 0..100 {
        assert_eq!(client.next().unwrap().unwrap().as_bytes(), [1; 400]);
    }
    assert!(client.wait_closed().clean);
    assert_eq!(server.join().unwrap().0, 100);
}

#[test]
fn both_endpoints_send_small_segments_at_once() {
    let (_client, server) = pair();
    assert!(server.get_ref().nodelay().unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        sansocket::blocking::accept(listener.accept().unwrap().0).unwrap().wait_closed().clean
    });
    let mut client = sansocket::blocking::connect(&url).unwrap();
    assert!(client.get_ref().tcp().unwrap().nodelay().unwrap());
    assert_eq!(client.state(), State::Open);
    assert!(client.wait_closed().clean);
    assert!(server.join().unwrap());
}

#[cfg(unix)]
#[test]
fn unix_sockets_work() {
    let (client, server) = std::os::unix::net::UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let mut server = Acceptor::new().accept(server).unwrap();
        let message = server.next().unwrap().unwrap();
        server.send(&message).unwrap();
        server.wait_closed().clean
    });
    let (mut client, _) = Connector::new().connect_over("ws://localhost/", client).unwrap();
    client.send("over a file").unwrap();
    assert_eq!(client.next().unwrap().unwrap(), Message::text("over a file"));
    assert!(client.wait_closed().clean);
    assert!(server.join().unwrap());
}

#[test]
fn the_subprotocol_is_negotiated_and_the_request_is_seen() {
    let (client, server) = streams();
    let server = thread::spawn(move || {
        let decide = |request: &sansocket::handshake::Request| {
            assert_eq!(request.path(), "/chat");
            assert_eq!(request.header("X-Token"), Some(&b"secret"[..]));
            Ok(sansocket::handshake::Accept::new().subprotocol("v2"))
        };
        let mut server = Acceptor::new().accept_with(server, decide).unwrap();
        assert_eq!(server.negotiated().subprotocol.as_deref(), Some("v2"));
        server.wait_closed().clean
    });
    let connector =
        Connector::new().header("X-Token", "secret").subprotocol("v1").subprotocol("v2");
    let (mut client, _) = connector.connect_over("ws://localhost/chat?x=1", client).unwrap();
    assert_eq!(client.negotiated().subprotocol.as_deref(), Some("v2"));
    assert!(client.wait_closed().clean);
    assert!(server.join().unwrap());
}

/// The connection sets its own read and write timeouts, and restores the user's.
#[test]
fn timeouts_of_the_user_are_restored() {
    const LONG: Option<Duration> = Some(Duration::from_secs(50));
    const SHORT: Option<Duration> = Some(Duration::from_millis(100));
    let (near, far) = streams();
    near.set_read_timeout(LONG).unwrap();
    near.set_write_timeout(LONG).unwrap();
    let client = thread::spawn(|| Connector::new().connect_over("ws://localhost/", far).unwrap());
    let mut server = Acceptor::new().accept(near).unwrap();
    assert_eq!(server.get_ref().read_timeout().unwrap(), LONG);
    assert_eq!(server.get_ref().write_timeout().unwrap(), LONG);

    // From now on there is a deadline, which is later than the user's timeout.
    server.get_ref().set_read_timeout(SHORT).unwrap();
    server.close(CloseCode::NORMAL, "").unwrap();
    assert!(server.next().is_some_and(|next| next.is_err_and(|error| error.is_would_block())));
    assert_eq!(server.state(), State::Closing);
    assert_eq!(server.get_ref().read_timeout().unwrap(), SHORT);
    // A timeout that is set later stays as well.
    server.get_ref().set_read_timeout(LONG).unwrap();
    server.get_ref().set_write_timeout(SHORT).unwrap();
    let client = client.join().unwrap();
    drop(client);
    assert!(server.next().is_some());
    assert_eq!(server.get_ref().read_timeout().unwrap(), LONG);
    assert_eq!(server.get_ref().write_timeout().unwrap(), SHORT);
}

#[test]
fn a_borrowed_stream_has_its_timeouts_restored() {
    const USERS: Option<Duration> = Some(Duration::from_secs(50));
    let (mut near, _far) = streams();
    near.set_read_timeout(USERS).unwrap();
    let (input, negotiated) = (ReadBuffer::new(), Negotiated::new());
    drop(WebSocket::new(&mut near, Server::new(), negotiated, input, Config::default()));
    assert_eq!(near.read_timeout().unwrap(), USERS);
}

#[test]
fn an_iterator_reports_misuse_once_and_then_ends() {
    let (mut client, mut server) = pair();
    client.feed_fragment("piece", false).unwrap();
    client.flush().unwrap();
    assert!(server.receive_chunk().unwrap().is_ok());
    client.feed_fragment("rest", true).unwrap();
    client.flush().unwrap();
    assert!(matches!(server.next(), Some(Err(Error::Receive(ReceiveError::MixedModes)))));
    assert!(server.next().is_none());
    // The message can still be received in the mode in which it was begun.
    assert!(server.receive_chunk().unwrap().is_ok());
}
