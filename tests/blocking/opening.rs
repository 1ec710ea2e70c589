//! Responses to an opening handshake that are decided later, and refusals that arrive incomplete.

use sansocket::{
    Error, Message,
    blocking::{Acceptor, Connector},
    handshake::{Accept, HandshakeError, PlainResponse, PlainResponseError},
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
fn a_decision_can_inspect_the_request_and_be_made_later() {
    let (client, server) = streams();
    let client = thread::spawn(move || {
        let connector = Connector::new().subprotocol("chat");
        connector.connect_over(URL, client).unwrap().0
    });
    let opening = Acceptor::new().receive_request(server).unwrap();
    assert_eq!((opening.request().path(), opening.unread()), ("/chat", &b""[..]));
    assert!(opening.get_ref().peer_addr().unwrap().ip().is_loopback());
    let mut server = opening.accept(&Accept::new().subprotocol("chat")).unwrap();
    server.send("welcome").unwrap();
    assert_eq!(client.join().unwrap().next().unwrap().unwrap(), Message::text("welcome"));
}

#[test]
fn a_response_that_can_not_be_sent_is_a_server_error_and_a_500() {
    let (mut client, server) = streams();
    client.write_all(REQUEST).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let opening = Acceptor::new().receive_request(server).unwrap();
    let error = opening.refuse(&PlainResponse::new(101)).unwrap_err();
    assert!(
        matches!(error, Error::PlainResponse(PlainResponseError::Status { status: 101 })),
        "{error:?}"
    );
    assert!(read_to_end(&mut client).starts_with(b"HTTP/1.1 500 "));
}

#[test]
fn a_request_can_be_passed_on_with_the_bytes_after_it() {
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
fn an_incomplete_request_is_reported_as_such() {
    let (mut client, server) = streams();
    client.write_all(&REQUEST[..20]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let error = Acceptor::new().accept(server).unwrap_err();
    let ended = HandshakeError::TransportEnded { received: 20 };
    assert!(matches!(&error, Error::Handshake(error) if *error == ended), "{error:?}");
    assert_eq!(read_to_end(&mut client), b"", "an incomplete request has no response");
}

/// Returns the status that a client learns from a server that answers the request like this.
fn refused_by(answer: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let (client, mut server) = streams();
    let server = thread::spawn(move || {
        read_head(&mut server);
        answer(server);
    });
    let connector = Connector::new().handshake_timeout(Duration::from_millis(300));
    let error = connector.connect_over(URL, client).unwrap_err();
    let Error::Handshake(HandshakeError::Refused(refusal)) = error else { panic!("{error:?}") };
    server.join().unwrap();
    refusal.status()
}

#[test]
fn a_refusal_whose_body_stalls_is_reported_as_a_refusal() {
    let status = refused_by(|mut server| {
        server.write_all(b"HTTP/1.1 401 Who?\r\nContent-Length: 100\r\n\r\n").unwrap();
        // Until the client has left.
        read_to_end(&mut server);
    });
    assert_eq!(status, 401);
}

#[test]
fn a_refusal_cut_short_by_a_reset_is_reported_as_a_refusal() {
    let status = refused_by(|mut server| {
        server.write_all(b"HTTP/1.1 503 Later\r\nContent-Length: 100\r\n\r\n").unwrap();
        // Gives the client time to read it before the reset.
        thread::sleep(Duration::from_millis(50));
        socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
    });
    assert_eq!(status, 503);
}

#[test]
fn a_refused_client_that_never_leaves_is_abandoned() {
    let (mut client, server) = streams();
    client.write_all(b"PUT / HTTP/1.1\r\n\r\n").unwrap();
    let acceptor = Acceptor::new().handshake_timeout(None);
    let error = acceptor.accept(server).unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::Method(_))), "{error:?}");
    assert!(read_to_end(&mut client).starts_with(b"HTTP/1.1 405 "));
}

/// Sends `first`, then a byte every few milliseconds until the other end is gone.
fn drip(mut stream: TcpStream, first: &'static [u8]) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        stream.write_all(first).unwrap();
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(4));
        }
    })
}

#[test]
fn a_peer_that_drips_can_not_stall_an_opening_handshake() {
    let started = Instant::now();
    let short = Duration::from_millis(200);
    let (client, server) = streams();
    let dripping = drip(client, b"GET / HTTP/1.1\r\nX: ");
    let accepted = Acceptor::new().handshake_timeout(short).accept(server);
    assert!(matches!(accepted, Err(Error::HandshakeTimeout)), "{accepted:?}");

    let (client, server) = streams();
    let dripping_too = drip(server, b"HTTP/1.1 101 Yes\r\nX: ");
    let connected = Connector::new().handshake_timeout(short).connect_over(URL, client);
    let error = connected.unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error:?}");

    // A refused client has two seconds.
    let (client, server) = streams();
    let dripping_three = drip(client, b"PUT / HTTP/1.1\r\n\r\n");
    assert!(Acceptor::new().accept(server).is_err());
    // The drip would last for at least a minute.
    assert!(started.elapsed() < Duration::from_secs(30));
    for dripping in [dripping, dripping_too, dripping_three] {
        dripping.join().unwrap();
    }
}

#[test]
fn a_refused_client_that_floods_is_abandoned_at_once() {
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
    // The sockets hold some bytes, too.
    assert!(flood.join().unwrap() < 64 << 20);
}

#[test]
fn a_server_ends_its_side_right_after_a_refusal() {
    let (mut client, server) = streams();
    client.write_all(b"PUT / HTTP/1.1\r\n\r\n").unwrap();
    let accepting = thread::spawn(move || Acceptor::new().accept(server).is_err());
    // The server has ended its side, and waits for the client's end.
    assert!(read_to_end(&mut client).starts_with(b"HTTP/1.1 405 "));
    assert!(!accepting.is_finished(), "the server gives the client time to read");
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
fn a_refusal_sent_before_the_request_was_read_is_reported_as_a_refusal() {
    let (client, mut server) = streams();
    let refusing = thread::spawn(move || {
        server.write_all(b"HTTP/1.1 431 Too much\r\nContent-Length: 0\r\n\r\n").unwrap();
        // The server reads nothing until the client has left.
        thread::sleep(Duration::from_secs(1));
    });
    let connector = Connector::new()
        .handshake_timeout(Duration::from_millis(300))
        .header("X", "x".repeat(20_000_000));
    let error = connector.connect_over(URL, client).unwrap_err();
    let Error::Handshake(HandshakeError::Refused(refusal)) = error else { panic!("{error:?}") };
    assert_eq!(refusal.status(), 431);
    refusing.join().unwrap();
}

#[test]
fn debug_output_hides_possible_secrets() {
    let connector = Connector::new().header("Authorization", "Bearer SECRET");
    let accept = Accept::new().header("Set-Cookie", "SECRET");
    let response = PlainResponse::new(403).header("Set-Cookie", "SECRET");
    for shown in [format!("{connector:?}"), format!("{accept:?}"), format!("{response:?}")] {
        assert!(!shown.contains("SECRET") && shown.contains("headers"), "{shown}");
    }
}
