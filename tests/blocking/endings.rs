//! How connections over real TCP end, and what each endpoint learns.

use sansocket::{
    CloseCode, Config, Error, Limits, Message,
    blocking::{Acceptor, Connector},
    connection::{Cause, Initiator, ProtocolError, TransportEnd},
    frame::FrameError,
    handshake::HandshakeError,
};
use sansocket_testkit::{
    frames::{CLOSE, CLOSE_NORMAL, failure_close, failure_payload, masked},
    opening::REQUEST,
    pair::blocking::{
        client_and_stream, pair_with, read_head, read_to_end, server_and_stream, streams,
    },
};
use std::{
    io::{ErrorKind, Read, Write},
    thread,
    time::{Duration, Instant},
};

const SHORT: Duration = Duration::from_millis(150);

fn short_close() -> Config {
    Config::default().close_timeout(SHORT)
}

#[test]
fn the_server_ends_tcp_and_the_client_waits_for_it() {
    let (mut client, mut server) = client_and_stream(Connector::new());
    client.close(CloseCode::NORMAL, "").unwrap();
    let waiting = thread::spawn(move || {
        client.wait_closed();
        client
    });
    let mut close = [0; 8];
    server.read_exact(&mut close).unwrap();
    assert_eq!(close[..2], [0x88, 0x82]);
    server.write_all(&CLOSE_NORMAL).unwrap();
    // The client has both Closes, and must not end its side before the server does.
    server.set_read_timeout(Some(SHORT)).unwrap();
    let kind = server.read(&mut close).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{kind}");
    server.shutdown(std::net::Shutdown::Write).unwrap();
    // After the server's side, the client's side ends too, even though its user still has it.
    server.set_read_timeout(None).unwrap();
    assert_eq!(server.read(&mut close).unwrap(), 0);
    assert!(waiting.join().unwrap().closed().unwrap().clean);
}

#[test]
fn the_server_ends_its_side_at_once_and_waits_for_the_client() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    client.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).unwrap();
    // The end is reported at once, although the client keeps TCP open. `wait_closed` waits for the
    // client.
    assert!(server.next().is_none() && server.closed().unwrap().clean);
    let server = thread::spawn(move || server.wait_closed());
    assert_eq!(read_to_end(&mut client), CLOSE_NORMAL);
    assert!(!server.is_finished());
    drop(client);
    let closed = server.join().unwrap();
    assert!(closed.clean && closed.initiator == Initiator::Peer);
}

#[test]
fn a_fault_and_a_clean_end_are_reported_while_the_peer_keeps_tcp_open() {
    let long = Config::default().close_timeout(Duration::from_secs(60));
    let started = Instant::now();
    let (mut server, mut bad_client) = server_and_stream(Acceptor::new().config(long));
    bad_client.write_all(&[0x83]).unwrap();
    assert!(matches!(server.next(), Some(Err(Error::Protocol(_)))));
    assert!(server.next().is_none());
    // The Close and the end of the server's side arrive nonetheless.
    assert_eq!(read_to_end(&mut bad_client), failure_close(FrameError::ReservedOpCode(3)));

    let (mut client, mut bad_server) = client_and_stream(Connector::new().config(long));
    bad_server.write_all(&[0x83]).unwrap();
    assert!(matches!(client.next(), Some(Err(Error::Protocol(_)))));
    bad_server.read_exact(&mut [0; 8]).unwrap();

    let (mut client, mut server) = client_and_stream(Connector::new().config(long));
    server.write_all(&CLOSE_NORMAL).unwrap();
    // A client waits for the server's end, but not for long.
    assert!(client.next().is_none() && client.closed().unwrap().clean);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_fault_is_reported_at_once_although_the_peer_does_not_read() {
    let long = Config::default().close_timeout(Duration::from_secs(60));
    let (mut server, mut client) = server_and_stream(Acceptor::new().config(long));
    server.get_ref().set_write_timeout(Some(SHORT)).unwrap();
    assert!(server.send(vec![0; 64 << 20]).unwrap_err().is_would_block());
    client.write_all(&[0x83]).unwrap();
    let started = Instant::now();
    while let Some(Err(error)) = server.next() {
        assert!(error.is_would_block() || matches!(error, Error::Protocol(_)), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_peer_that_only_ends_its_side_still_receives_the_queue() {
    let config = Config::default().limits(Limits::default().queued_output(usize::MAX));
    let (mut server, mut client) = server_and_stream(Acceptor::new().config(config));
    let sent = vec![7; 8 << 20];
    server.feed(&sent).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let server = thread::spawn(move || server.next());
    // More than the sockets hold, so bytes are queued before the first one is read.
    thread::sleep(SHORT);
    assert!(read_to_end(&mut client).len() > sent.len());
    let Some(Err(Error::Closed(closed))) = server.join().unwrap() else { panic!() };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Eof));
}

#[test]
fn a_peer_that_only_ends_its_side_and_does_not_read_is_abandoned() {
    let config = short_close().limits(Limits::default().queued_output(usize::MAX));
    let (mut server, client) = server_and_stream(Acceptor::new().config(config));
    server.feed(vec![7; 64 << 20]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let started = Instant::now();
    // With a write timeout, the server gets to read that the client has ended.
    server.get_ref().set_write_timeout(Some(SHORT)).unwrap();
    while let Some(Err(error)) = server.next() {
        assert!(error.is_would_block() || matches!(error, Error::Closed(_)), "{error}");
    }
    assert_eq!(server.closed().unwrap().cause, Cause::Transport(TransportEnd::Eof));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_dropped_connection_sends_its_queue_and_no_close() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    // The message stays unread, and must not turn the end into a reset.
    client.write_all(&[0x82, 0xfe, 0x40, 0, 0, 0, 0, 0]).unwrap();
    client.write_all(&[0; 0x4000]).unwrap();
    server.feed("queued").unwrap();
    drop(server);
    assert_eq!(read_to_end(&mut client), b"\x81\x06queued");
}

#[test]
fn a_failure_close_arrives_despite_megabytes_of_unread_input() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    let server = thread::spawn(move || {
        let first = server.next();
        (first, server.next().is_none(), server.wait_closed())
    });
    // A reserved opcode, then much more than any socket buffer holds, which the server does not
    // read.
    client.write_all(&[0x83]).unwrap();
    for _ in 0..16 {
        client.write_all(&[0; 1 << 20]).unwrap();
    }
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut client), failure_close(FrameError::ReservedOpCode(3)));
    let (first, then_none, closed) = server.join().unwrap();
    let error = ProtocolError::Frame(FrameError::ReservedOpCode(3));
    assert!(matches!(first, Some(Err(Error::Protocol(got))) if got == error), "{first:?}");
    assert!(then_none);
    assert_eq!(closed.cause, Cause::Protocol(error));
    assert_eq!(closed.code, CloseCode::ABNORMAL);
    assert!(!closed.clean && closed.initiator == Initiator::Local);
}

#[test]
fn a_client_also_tells_the_server_why_it_fails() {
    let (mut client, mut server) = client_and_stream(Connector::new());
    server.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).unwrap();
    let client = thread::spawn(move || client.next());
    let mut close = [0; 8];
    server.read_exact(&mut close).unwrap();
    let code = [close[6] ^ close[2], close[7] ^ close[3]];
    let len = failure_payload(ProtocolError::Masked).len() as u8;
    assert_eq!((close[..2].to_vec(), code), (vec![0x88, 0x80 | len], [0x03, 0xea]));
    drop(server);
    let error = client.join().unwrap();
    assert!(matches!(error, Some(Err(Error::Protocol(ProtocolError::Masked)))), "{error:?}");
}

#[test]
fn an_end_without_a_close_is_reported_as_one_error() {
    let (mut server, mut client) = server_and_stream(Acceptor::new());
    client.write_all(&[0x81, 0x85, 0, 0, 0, 0, b'c', b'u', b't']).unwrap();
    drop(client);
    let Some(Err(Error::Closed(closed))) = server.next() else { panic!() };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Eof));
    assert_eq!((closed.code, closed.initiator), (CloseCode::ABNORMAL, Initiator::Transport));
    assert!(server.next().is_none());
    assert!(server.receive().is_none());
    assert_eq!(server.closed(), Some(&*closed));
    assert!(matches!(server.send("too late"), Err(Error::Closed(_))));
}

#[test]
fn a_reset_is_distinguished_from_an_end() {
    let (mut server, client) = server_and_stream(Acceptor::new());
    server.send("never read by the client, so that its end is a reset").unwrap();
    client.peek(&mut [0]).unwrap();
    drop(client);
    let Some(Err(Error::Closed(closed))) = server.next() else { panic!() };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Reset));
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_abandoned() {
    for server_role in [false, true] {
        let (acceptor, connector) = (Acceptor::new(), Connector::new());
        if server_role {
            let (mut server, _client) = server_and_stream(acceptor.config(short_close()));
            server.close(CloseCode::GOING_AWAY, "").unwrap();
            assert_timeout(server.next(), server.closed());
        } else {
            let (mut client, _server) = client_and_stream(connector.config(short_close()));
            client.close(CloseCode::GOING_AWAY, "").unwrap();
            assert_timeout(client.next(), client.closed());
        }
    }
}

fn assert_timeout(next: Option<Result<Message, Error>>, closed: Option<&sansocket::Closed>) {
    assert!(matches!(next, Some(Err(Error::Closed(_)))), "{next:?}");
    let closed = closed.unwrap();
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    assert_eq!(closed.initiator, Initiator::Local);
}

#[test]
fn a_server_that_does_not_end_tcp_is_abandoned_and_the_close_stays_clean() {
    let (mut client, mut server) = client_and_stream(Connector::new().config(short_close()));
    server.write_all(&CLOSE_NORMAL).unwrap();
    assert!(client.next().is_none());
    assert!(client.closed().unwrap().clean);
}

#[test]
fn an_answer_that_arrived_in_time_counts_although_it_is_read_late() {
    let (mut server, mut client) = server_and_stream(Acceptor::new().config(short_close()));
    server.close(CloseCode::NORMAL, "").unwrap();
    for _ in 0..20 {
        client.write_all(&[&[0x82, 0xfe, 0x40, 0, 0, 0, 0, 0][..], &[0; 0x4000]].concat()).unwrap();
    }
    client.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    thread::sleep(2 * SHORT);
    assert!(server.wait_closed().clean);
}

#[test]
fn a_close_waits_a_bounded_time_for_a_peer_that_does_not_read() {
    let (mut server, client) = server_and_stream(Acceptor::new().config(short_close()));
    server.get_ref().set_write_timeout(Some(SHORT)).unwrap();
    let data = vec![0; 64 << 20];
    let error = server.send(&data).unwrap_err();
    assert!(error.is_would_block(), "{error}");
    let waiting = server.buffered_amount();
    assert!(waiting > 0, "unwritten bytes stay queued");
    // Input that the peer sent in time can still decide how the connection ended.
    let error = server.close(CloseCode::NORMAL, "").unwrap_err();
    assert!(matches!(error, Error::Io(_)) && !error.is_would_block(), "{error}");
    assert_eq!(server.wait_closed().cause, Cause::Transport(TransportEnd::Timeout));
    drop(client);
}

#[test]
fn a_close_that_arrived_in_time_counts_although_this_endpoint_was_writing() {
    let (mut server, mut client) = server_and_stream(Acceptor::new().config(short_close()));
    server.get_ref().set_write_timeout(Some(SHORT)).unwrap();
    assert!(server.send(vec![0; 64 << 20]).unwrap_err().is_would_block());
    client.write_all(&masked(CLOSE, &[0x03, 0xe9])).unwrap();
    assert!(matches!(server.close(CloseCode::NORMAL, ""), Err(Error::Io(_))));
    let closed = server.wait_closed();
    assert_eq!((closed.code, closed.clean), (CloseCode::GOING_AWAY, false));
}

#[test]
fn input_sent_before_the_peers_end_is_read_after_a_write_has_failed() {
    let (mut client, mut server) = client_and_stream(Connector::new());
    server.write_all(b"\x81\x04last").unwrap();
    server.write_all(&[0x88, 2, 0x03, 0xe9]).unwrap();
    drop(server);
    // Writing fails once the reset in response to the first segment has arrived.
    while client.send("is anybody there?").is_ok() {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(client.next().unwrap().unwrap(), Message::text("last"));
    let closed = match client.next() {
        Some(Err(Error::Closed(closed))) => *closed,
        other => panic!("{other:?}"),
    };
    assert_eq!(closed.code, CloseCode::GOING_AWAY);
    assert!(!closed.clean, "the answer to the Close could not be written");
}

#[test]
fn messages_sent_before_the_peers_close_are_received_after_our_close() {
    let (mut client, mut server) = pair_with(Connector::new(), Acceptor::new());
    server.feed("one").unwrap();
    server.flush().unwrap();
    client.close(CloseCode::NORMAL, "").unwrap();
    let server = thread::spawn(move || {
        // The client's Close has arrived, but messages sent before it is read still reach the
        // client.
        server.send("two").unwrap();
        assert!(server.next().is_none());
    });
    assert_eq!(client.next().unwrap().unwrap(), Message::text("one"));
    assert_eq!(client.next().unwrap().unwrap(), Message::text("two"));
    assert!(client.next().is_none() && client.closed().unwrap().clean);
    server.join().unwrap();
}

#[test]
fn a_silent_peer_can_not_stall_the_opening_handshake() {
    let (client, server) = streams();
    let accepted = Acceptor::new().handshake_timeout(SHORT).accept_tcp(server);
    assert!(matches!(accepted, Err(Error::HandshakeTimeout)));
    drop(client);

    let (client, _server) = streams();
    let connected =
        Connector::new().handshake_timeout(SHORT).connect_over("ws://localhost/", client);
    assert!(matches!(connected, Err(Error::HandshakeTimeout)));
}

#[test]
fn a_refusal_arrives_even_if_the_client_sends_more_than_it_should() {
    let (mut client, server) = streams();
    let request = String::from_utf8(REQUEST.to_vec()).unwrap();
    client.write_all(request.replace("GET", "PUT").as_bytes()).unwrap();
    client.write_all(&[b'x'; 200_000]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let accepted = Acceptor::new().accept_tcp(server);
    assert!(matches!(accepted, Err(Error::Handshake(_))));
    let head = String::from_utf8(read_head(&mut client)).unwrap();
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    assert!(!read_to_end(&mut client).is_empty());
}

#[test]
fn a_refused_client_sees_status_headers_and_body() {
    let (client, server) = streams();
    let server = thread::spawn(move || {
        let refuse = |_: &sansocket::handshake::Request| {
            Err(sansocket::handshake::PlainResponse::new(403).body("members only"))
        };
        Acceptor::new().accept_with(server, refuse).err()
    });
    let refused = Connector::new().connect_over("ws://localhost/", client).unwrap_err();
    let Error::Handshake(HandshakeError::Refused(refusal)) = refused else { panic!("{refused}") };
    assert_eq!((refusal.status(), refusal.body()), (403, &b"members only"[..]));
    assert!(matches!(server.join().unwrap(), Some(Error::Refused(403))));
}
