//! An answer to the opening handshake that is left open, and refusals that do not arrive whole.

use super::{REQUEST, read_head, read_to_end, streams};
use sansocket::{
    Accept, Error, HandshakeError, Message, Reject, RejectError,
    blocking::{Acceptor, Connector},
};
use std::{
    io::Write,
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
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
