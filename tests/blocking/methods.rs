//! Methods of a connection besides sending and receiving messages: control frames, the transport,
//! `into_parts`, halves, and what works after a Close.

use sansocket::{
    CloseCode, Error, Event, Message, State,
    blocking::{Acceptor, ClientWebSocket, Connector, connect},
    connection::SendError,
};
use sansocket_testkit::{
    frames::{CLOSE_AWAY, PING, PONG, masked, plain},
    pair::blocking::{pair, read_to_end, server_and_stream},
};
use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

#[test]
fn pings_and_pongs_can_be_sent() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    server.pong("alive").unwrap();
    server.try_ping("there?").unwrap();
    server.ping(b"there?").unwrap();
    let expected = [plain(PONG, b"alive"), plain(PING, b"there?"), plain(PING, b"there?")].concat();
    let mut read = vec![0; expected.len()];
    client.read_exact(&mut read).unwrap();
    assert_eq!(read, expected);
    let too_long = server.try_ping([0; 126]).unwrap_err();
    assert!(matches!(too_long, Error::Send(SendError::ControlTooLong { len: 126 })));
}

#[test]
fn try_feed_only_queues() {
    let (mut server, _client) = server_and_stream(Acceptor::new());
    server.try_feed(vec![0; 2 << 20]).unwrap();
    assert!(server.buffered_amount() > 2 << 20);
    let full = server.try_feed("more").unwrap_err();
    assert!(matches!(full, Error::Send(SendError::QueueFull { .. })), "{full}");
}

#[test]
fn a_loop_with_replies_continues_after_its_own_close() {
    let (mut client, mut server) = pair();
    let server = thread::spawn(move || {
        let mut seen = 0;
        server.receive_with(|event, replies| {
            if let Event::Text(text) = event {
                seen += 1;
                if seen == 1 {
                    replies.close(CloseCode::GOING_AWAY, "maintenance")?;
                }
                replies.send(text)?;
                replies.feed(text)?;
                replies.try_feed(text)?;
                replies.feed_fragment(text, true)?;
                replies.ping(text)?;
                replies.try_ping(text)?;
                replies.pong(text)?;
            }
            Ok::<_, Error>(())
        })?;
        Ok::<_, Error>(seen)
    });
    client.feed("one").unwrap();
    client.feed("two").unwrap();
    client.flush().unwrap();
    assert!(client.next().is_none());
    let closed = client.closed().unwrap();
    assert!(closed.clean && closed.code == CloseCode::GOING_AWAY, "{closed}");
    client.wait_closed();
    assert_eq!(server.join().unwrap().unwrap(), 2);
}

#[test]
fn an_error_from_the_closure_ends_the_loop_but_not_the_connection() {
    let (mut client, mut server) = pair();
    client.feed("one").unwrap();
    client.send("two").unwrap();
    let stopped = server.receive_with(|_, _| Err(Error::HandshakeTimeout));
    assert!(matches!(stopped, Err(Error::HandshakeTimeout)));
    assert_eq!(server.next().unwrap().unwrap(), Message::from("two"));
}

#[test]
fn buffered_messages_are_received_without_waiting() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    assert!(server.receive_buffered().is_none());
    client.write_all(b"\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b").unwrap();
    let (event, mut replies) = server.receive().unwrap().unwrap();
    assert_eq!(event, Event::Text("a"));
    replies.feed("A").unwrap();
    let (event, mut replies) = server.receive_buffered().unwrap();
    assert_eq!(event, Event::Text("b"));
    replies.send("B").unwrap();
    assert!(server.receive_buffered().is_none());
    let mut read = [0; 6];
    client.read_exact(&mut read).unwrap();
    assert_eq!(read, *b"\x81\x01A\x81\x01B");
}

#[test]
fn sending_after_a_close_is_an_error_but_closing_again_is_not() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    server.close(CloseCode::GOING_AWAY, "").unwrap();
    assert_eq!(server.state(), State::Closing);
    let error = server.send("late").unwrap_err();
    assert!(error.is_closed() && matches!(error, Error::Send(SendError::Closed { .. })));
    server.close(CloseCode::NORMAL, "again").unwrap();
    client.write_all(&masked(0x88, &[3, 0xe9])).unwrap();
    assert!(server.next().is_none());
    server.close(CloseCode::NORMAL, "again").unwrap();
    assert!(server.send("late").unwrap_err().is_closed());
    assert_eq!(read_to_end(&mut client), CLOSE_AWAY);
}

#[test]
fn an_invalid_request_is_found_before_anything_is_connected() {
    // Nobody listens there.
    let connector = Connector::new().header("Host", "example.com");
    let error = connector.connect("ws://127.0.0.1:1/").unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
}

#[cfg(not(feature = "rustls"))]
#[test]
fn without_tls_a_secure_url_is_refused_before_anything_is_connected() {
    let error = Connector::new().connect("wss://127.0.0.1:1/").unwrap_err();
    assert!(matches!(error, Error::TlsUnsupported), "{error}");
    assert!(error.to_string().contains("the feature `rustls`"), "{error}");
}

#[test]
fn halves_can_be_reunited() {
    let (client, mut server) = pair();
    let (mut sender, receiver) = client.split().unwrap();
    sender.feed("queued by a half").unwrap();
    assert!(sender.with_transport(|stream| stream.peer_addr()).is_ok());
    assert!(receiver.with_transport(|stream| stream.peer_addr()).is_ok());
    let mut client = sender.reunite(receiver).unwrap();
    client.send("whole again").unwrap();
    assert_eq!(server.next().unwrap().unwrap(), Message::from("queued by a half"));
    assert_eq!(server.next().unwrap().unwrap(), Message::from("whole again"));
    server.send("and back").unwrap();
    assert_eq!(client.next().unwrap().unwrap(), Message::from("and back"));
}

#[test]
fn reunite_returns_halves_of_different_connections() {
    let ((one, mut peer), (two, _)) = (pair(), pair());
    let ((sender, _receiver), (_, other)) = (one.split().unwrap(), two.split().unwrap());
    let error = sender.reunite(other).unwrap_err();
    let mut sender = error.0;
    sender.send("still whole").unwrap();
    assert_eq!(peer.next().unwrap().unwrap(), Message::from("still whole"));
}

#[test]
fn into_parts_loses_nothing() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    client.write_all(b"\x81\x82\0\0\0\0hi\x81\x82\0\0\0\0ho").unwrap();
    assert_eq!(server.next().unwrap().unwrap(), Message::from("hi"));
    server.feed("unwritten").unwrap();
    let mut parts = server.into_parts();
    assert_eq!(parts.unread, b"\x81\x82\0\0\0\0ho");
    assert_eq!(parts.unwritten, b"\x81\x09unwritten");
    // The stream is still open and usable.
    parts.transport.write_all(b"\x88\0").unwrap();
    let mut read = [0; 2];
    client.read_exact(&mut read).unwrap();
    assert_eq!(read, *b"\x88\0");
}

#[test]
fn connect_takes_owned_and_borrowed_urls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for _ in 0..2 {
            Acceptor::new().accept_tcp(listener.accept().unwrap().0).unwrap();
        }
    });
    let url = format!("ws://{address}/");
    let mut client: ClientWebSocket = connect(&url).unwrap();
    assert_eq!(client.get_ref().peer_addr().unwrap(), address);
    assert!(client.get_mut().tcp().unwrap().nodelay().unwrap());
    drop(connect(url).unwrap());
    server.join().unwrap();
}
