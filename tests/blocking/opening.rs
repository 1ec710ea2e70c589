//! An answer to the opening handshake that is left open, and refusals that do not arrive whole.

use sansocket::{
    Accept, Error, HandshakeError, Message, Reject, RejectError,
    blocking::{Acceptor, Connector},
};
use sansocket_testkit::{
    opening::REQUEST,
    pair::blocking::{read_head, read_to_end, streams},
};
use std::{
    io::Write,
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

const URL: &str = "ws://localhost/chat";

#[test]
fn a_decision_sees_who_asks_and_is_made_later() {
    let (client, server) = streams();
    let client = thread::spawn(move || {
        let connector = Connector::new().subprotocol("chat");
        connector.connect_over(client, URL).unwrap().0
    });
    let opening = Acceptor::new().receive_request(server).unwrap();
    assert_eq!((opening.request().path(), opening.unread()), ("/chat", &b""[..]));
    assert!(opening.transport().peer_addr().unwrap().ip().is_loopback());
    let mut server = opening.accept(&Accept::new().subprotocol("chat")).unwrap();
    server.send("welcome").unwrap();
    assert_eq!(client.join().unwrap().next().unwrap().unwrap(), Message::text("welcome"));
}

#[test]
fn an_answer_that_can_not_be_sent_is_the_servers_error_and_a_500() {
    let (mut client, server) = streams();
    client.write_all(REQUEST).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let opening = Acceptor::new().receive_request(server).unwrap();
    let error = opening.refuse(&Reject::new(101)).unwrap_err();
    assert!(matches!(error, Error::Reject(RejectError::Status { status: 101 })), "{error:?}");
    assert!(read_to_end(&mut client).starts_with(b"HTTP/1.1 500 "));
}

#[test]
fn a_request_can_be_handed_to_someone_else_with_what_came_behind_it() {
    let (mut client, server) = streams();
    client.write_all(&[REQUEST, b"behind"].concat()).unwrap();
    let opening = Acceptor::new().receive_request(server).unwrap();
    let (mut stream, request, input) = opening.into_parts();
    assert_eq!((request.path(), input.unread()), ("/", &b"behind"[..]));
    stream.write_all(b"by someone else").unwrap();
    drop(stream);
    assert_eq!(read_to_end(&mut client), b"by someone else");
}

#[test]
fn a_client_that_goes_amid_its_request_is_told_as_such() {
    let (mut client, server) = streams();
    client.write_all(&REQUEST[..20]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let error = Acceptor::new().accept(server).unwrap_err();
    let ended = HandshakeError::TransportEnded { received: 20 };
    assert!(matches!(&error, Error::Handshake(error) if *error == ended), "{error:?}");
    assert_eq!(read_to_end(&mut client), b"", "nobody asked for an answer");
}

/// What a client is told by a server that does this once it has the request.
fn refused_by(answer: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let (client, mut server) = streams();
    let server = thread::spawn(move || {
        read_head(&mut server);
        answer(server);
    });
    let connector = Connector::new().handshake_timeout(Duration::from_millis(300));
    let error = connector.connect_over(client, URL).unwrap_err();
    let Error::Handshake(HandshakeError::Refused(refusal)) = error else { panic!("{error:?}") };
    server.join().unwrap();
    refusal.status()
}

#[test]
fn a_refusal_whose_body_stalls_is_told_as_a_refusal() {
    let status = refused_by(|mut server| {
        server.write_all(b"HTTP/1.1 401 Who?\r\nContent-Length: 100\r\n\r\n").unwrap();
        // Until the client has left.
        read_to_end(&mut server);
    });
    assert_eq!(status, 401);
}

#[test]
fn a_refusal_that_a_reset_cuts_short_is_told_as_a_refusal() {
    let status = refused_by(|mut server| {
        server.write_all(b"HTTP/1.1 503 Later\r\nContent-Length: 100\r\n\r\n").unwrap();
        // So that the client has read it before the reset.
        thread::sleep(Duration::from_millis(50));
        socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
    });
    assert_eq!(status, 503);
}

#[test]
fn a_refused_client_that_never_goes_is_left() {
    let (mut client, server) = streams();
    client.write_all(b"PUT / HTTP/1.1\r\n\r\n").unwrap();
    let acceptor = Acceptor::new().handshake_timeout(None);
    let error = acceptor.accept(server).unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::Method(_))), "{error:?}");
    assert!(read_to_end(&mut client).starts_with(b"HTTP/1.1 405 "));
}

/// `first`, then a byte every few milliseconds, until the other end is gone.
fn drip(mut stream: TcpStream, first: &'static [u8]) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        stream.write_all(first).unwrap();
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(4));
        }
    })
}

#[test]
fn a_peer_that_drips_does_not_hold_an_opening_handshake() {
    let started = Instant::now();
    let short = Duration::from_millis(200);
    let (client, server) = streams();
    let dripping = drip(client, b"GET / HTTP/1.1\r\nX: ");
    let accepted = Acceptor::new().handshake_timeout(short).accept(server);
    assert!(matches!(accepted, Err(Error::HandshakeTimeout)), "{accepted:?}");

    let (client, server) = streams();
    let dripping_too = drip(server, b"HTTP/1.1 101 Yes\r\nX: ");
    let connected = Connector::new().handshake_timeout(short).connect_over(client, URL);
    let error = connected.unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error:?}");

    // A client that was refused has two seconds.
    let (client, server) = streams();
    let dripping_three = drip(client, b"PUT / HTTP/1.1\r\n\r\n");
    assert!(Acceptor::new().accept(server).is_err());
    // What drips would last for a minute at least.
    assert!(started.elapsed() < Duration::from_secs(30));
    for dripping in [dripping, dripping_too, dripping_three] {
        dripping.join().unwrap();
    }
}

#[test]
fn a_refused_client_that_floods_is_left_at_once() {
    let (mut client, server) = streams();
    client.write_all(b"PUT / HTTP/1.1\r\n\r\n").unwrap();
    let flood = thread::spawn(move || {
        let mut sent = 0_u64;
        while client.write_all(&[0; 65_536]).is_ok() {
            sent += 65_536;
        }
        sent
    });
    assert!(Acceptor::new().accept(server).is_err());
    // Sockets hold some, too.
    assert!(flood.join().unwrap() < 64 << 20);
}

#[test]
fn the_end_of_the_servers_side_comes_right_behind_a_refusal() {
    let (mut client, server) = streams();
    client.write_all(b"PUT / HTTP/1.1\r\n\r\n").unwrap();
    let accepting = thread::spawn(move || Acceptor::new().accept(server).is_err());
    // It waits for this end, and has ended its own.
    assert!(read_to_end(&mut client).starts_with(b"HTTP/1.1 405 "));
    assert!(!accepting.is_finished(), "it gives the client time to read");
    drop(client);
    assert!(accepting.join().unwrap());
}

#[test]
fn a_decision_may_take_longer_than_the_handshake() {
    let (mut client, server) = streams();
    client.write_all(REQUEST).unwrap();
    let short = Duration::from_millis(50);
    let opening = Acceptor::new().handshake_timeout(short).receive_request(server).unwrap();
    thread::sleep(2 * short);
    opening.accept(&Accept::new()).unwrap();
}

#[test]
fn a_refusal_that_comes_before_the_request_was_taken_is_told_as_a_refusal() {
    let (client, mut server) = streams();
    let refusing = thread::spawn(move || {
        server.write_all(b"HTTP/1.1 431 Too much\r\nContent-Length: 0\r\n\r\n").unwrap();
        // It reads nothing, until the client has left.
        thread::sleep(Duration::from_secs(1));
    });
    let connector = Connector::new()
        .handshake_timeout(Duration::from_millis(300))
        .header("X", "x".repeat(20_000_000));
    let error = connector.connect_over(client, URL).unwrap_err();
    let Error::Handshake(HandshakeError::Refused(refusal)) = error else { panic!("{error:?}") };
    assert_eq!(refusal.status(), 431);
    refusing.join().unwrap();
}

#[test]
fn what_may_be_secret_is_not_shown() {
    let connector = Connector::new().header("Authorization", "Bearer SECRET");
    let accept = Accept::new().header("Set-Cookie", "SECRET");
    let reject = Reject::new(403).header("Set-Cookie", "SECRET");
    for shown in [format!("{connector:?}"), format!("{accept:?}"), format!("{reject:?}")] {
        assert!(!shown.contains("SECRET") && shown.contains("headers"), "{shown}");
    }
}
