//! A scripted transport: how much each write takes, and how reads and flushes fail.

use sansocket::{
    CloseCode, Config, Error, Event, Limits, Message,
    blocking::{Acceptor, Connector, WebSocket},
    connection::{Cause, Role, SendError, Server, TransportEnd},
    frame::OpCode,
    handshake::HandshakeError,
    server::OriginPolicy,
};
use sansocket_testkit::{
    frames::{CLOSE, frame_with, masked},
    opening::REQUEST,
    pair::blocking::streams,
    traffic::{decode_as_peer_of, frames},
    transports::reluctant::Reluctant,
};
use std::{
    io::{ErrorKind, Write},
    time::Duration,
};

/// Returns a client's Close with code 1000, masked with a key of zeros.
fn close_1000() -> Vec<u8> {
    frame_with(CLOSE, &[0x03, 0xe8], Some([0; 4]))
}

/// Decodes the bytes that a server sent: its messages, and the number of its pongs.
fn as_client(bytes: &[u8]) -> (Vec<Message>, usize) {
    let seen = decode_as_peer_of::<Server>(bytes);
    (seen.messages, seen.pongs.len())
}

/// Returns a server that has more pongs to send than fit, and is then asked for a reply.
fn flooded_with_pings(takes: &[usize]) -> Reluctant {
    let transport = Reluctant::new(|script| {
        for number in 0..40 {
            script.incoming.extend(masked(0x89, &[number; 125]));
        }
        script.incoming.extend(masked(0x81, b"hi"));
    });
    let mut server = transport.server(Config::default());
    loop {
        let (event, mut replies) = server.receive().unwrap().unwrap();
        if let Event::Text(_) = event {
            transport.script().takes.extend(takes);
            let sent = replies.send([7; 20_000]);
            assert!(sent.is_ok() || sent.is_err_and(|error| error.is_would_block()));
            break;
        }
    }
    server.flush().unwrap();
    transport
}

#[test]
fn a_held_back_pong_follows_the_frame_that_is_written_directly() {
    // The pongs that fit and the frame's header are written, with the first part of the frame's
    // payload. The rest of the payload is written at once, or would block first.
    let queued = 32 * 127 + 4;
    for takes in [&[queued + 1000][..], &[queued + 1000, 0], &[queued, 0], &[0], &[5, 0]] {
        let (messages, pongs) = as_client(&flooded_with_pings(takes).sent());
        assert_eq!(messages, [Message::binary(vec![7; 20_000])], "{takes:?}");
        assert_eq!(pongs, 33, "those that fit, and the last one: {takes:?}");
    }
}

#[test]
fn a_transport_flush_that_was_not_ready_is_retried() {
    let transport = Reluctant::new(|script| script.flush_errors.push_back(ErrorKind::WouldBlock));
    let mut client = transport.client();
    assert!(client.send("hello").unwrap_err().is_would_block());
    assert!(transport.sent().is_empty());
    client.flush().unwrap();
    assert_eq!(transport.sent().len(), 11);
}

#[test]
fn a_message_is_either_queued_or_refused() {
    for size in [10, 20_000] {
        let transport = Reluctant::new(|script| script.takes.extend([0, 0]));
        let limits = Limits::default().queued_output(0);
        let mut server = transport.server(Config::default().limits(limits));
        assert!(server.send("first").unwrap_err().is_would_block());
        let second = vec![7; size];
        let refused = server.send(&second).unwrap_err();
        assert!(matches!(refused, Error::Send(SendError::QueueFull { .. })), "{refused}");
        server.send(&second).unwrap();
        let expected = [Message::text("first"), Message::binary(second)];
        assert_eq!(as_client(&transport.sent()).0, expected);
    }
}

#[test]
fn an_error_is_reported_once() {
    let kinds = [ErrorKind::HostUnreachable, ErrorKind::Other, ErrorKind::ConnectionReset];
    for kind in kinds {
        let transport = Reluctant::new(|script| script.read_errors.push_back(kind));
        let mut server = transport.server(Config::default());
        assert!(server.next().unwrap().is_err());
        assert!(server.next().is_none());
        assert_eq!(server.closed().unwrap().cause, Cause::Transport(TransportEnd::Reset));
        assert!(transport.script().shut_down);
    }
}

#[test]
fn a_truncated_tls_stream_is_distinguished_from_an_end() {
    let transport = Reluctant::new(|script| script.read_errors.push_back(ErrorKind::UnexpectedEof));
    let mut server = transport.server(Config::default());
    assert!(server.next().unwrap().is_err());
    assert_eq!(server.closed().unwrap().cause, Cause::Transport(TransportEnd::TlsTruncated));
}

/// The system reports a reset to a single call, which may be a write. Later reads then report an
/// orderly end.
#[test]
fn a_reset_first_seen_by_a_write_is_reported_as_a_reset() {
    let transport = Reluctant::new(|script| {
        script.write_error = Some(ErrorKind::ConnectionReset);
        script.ends = true;
    });
    let mut server = transport.server(Config::default());
    assert!(matches!(server.send("x"), Err(Error::Io(_))));
    assert!(server.next().is_some_and(|end| end.is_err()));
    assert_eq!(server.closed().unwrap().cause, Cause::Transport(TransportEnd::Reset));
}

#[test]
fn a_close_that_the_transport_holds_back_is_not_clean() {
    let transport = Reluctant::new(|script| {
        script.incoming.extend(close_1000());
        script.flush_errors.extend([ErrorKind::BrokenPipe]);
        script.ends = true;
    });
    let mut server = transport.server(Config::default());
    assert!(matches!(server.next(), Some(Err(Error::Closed(_)))));
    assert!(!server.closed().unwrap().clean);
    assert_eq!(transport.sent(), []);
}

#[test]
fn failures_after_a_clean_close_are_not_errors() {
    let transport = Reluctant::new(|script| {
        script.incoming.extend(close_1000());
        script.read_errors.push_back(ErrorKind::Other);
    });
    let mut server = transport.server(Config::default());
    assert!(server.next().is_none() && server.closed().unwrap().clean);

    // Some systems refuse to set a timeout once both sides of a socket have ended.
    let transport = Reluctant::new(|script| {
        script.incoming.extend(close_1000());
        script.timeout_error = Some(ErrorKind::InvalidInput);
        script.ends = true;
    });
    let mut server = transport.server(Config::default());
    assert!(server.next().is_none() && server.closed().unwrap().clean);
}

#[test]
fn an_end_without_a_close_is_answered_with_an_end() {
    let transport = Reluctant::new(|script| script.ends = true);
    let mut server = transport.server(Config::default());
    assert!(server.next().unwrap().is_err() && server.next().is_none());
    assert!(transport.script().shut_down);
}

#[test]
fn reading_does_not_wait_for_writing() {
    let transport = Reluctant::new(|script| {
        script.takes.extend([0; 10]);
        script.incoming.extend(masked(0x81, b"come in"));
    });
    let mut server = transport.server(Config::default());
    assert!(server.send("stuck").unwrap_err().is_would_block());
    assert_eq!(server.next().unwrap().unwrap(), Message::text("come in"));
    assert!(server.next().unwrap().unwrap_err().is_would_block());
}

#[test]
fn waiting_for_the_end_continues_after_a_timeout_of_the_transport() {
    let transport = Reluctant::new(|script| {
        script.read_errors.extend([ErrorKind::TimedOut, ErrorKind::WouldBlock]);
    });
    let mut server = transport.server(Config::default().close_timeout(Duration::from_millis(50)));
    assert_eq!(server.wait_closed().cause, Cause::Transport(TransportEnd::Timeout));
}

#[test]
fn waiting_for_the_end_drops_messages_received_whole_or_in_chunks() {
    let transport = Reluctant::new(|script| {
        // Half a message, which `next` begins to receive as a whole.
        script.incoming.extend([0x02, 0x82, 0, 0, 0, 0, 1, 2]);
        script.read_errors.push_back(ErrorKind::WouldBlock);
    });
    let limits = Limits::default().message(100);
    let mut server = transport.server(Config::default().limits(limits));
    assert!(server.next().unwrap().unwrap_err().is_would_block());
    {
        let mut script = transport.script();
        script.incoming.extend(masked(0x80, &[3]));
        // Larger than the limit, which does not apply to dropped messages.
        script.incoming.extend([0x82, 0xfe, 0x01, 0x00, 0, 0, 0, 0]);
        script.incoming.extend([0; 256]);
        script.incoming.extend(close_1000());
        script.ends = true;
    }
    assert!(server.wait_closed().clean);
}

fn request(extra: &str) -> Vec<u8> {
    let head = String::from_utf8(REQUEST.to_vec()).unwrap();
    head.replacen("\r\n", &format!("\r\n{extra}"), 1).into_bytes()
}

#[test]
fn a_refusal_remains_the_error_if_the_client_is_gone() {
    let transport = Reluctant::new(|script| {
        script.incoming.extend(b"PUT / HTTP/1.1\r\nHost: a\r\n\r\n");
        script.takes.push_back(0);
    });
    let refused = Acceptor::new().accept(transport).unwrap_err();
    assert!(matches!(refused, Error::Handshake(HandshakeError::Method { .. })), "{refused:?}");
}

#[test]
fn the_acceptor_checks_the_origin() {
    let foreign = request("Origin: https://evil.example\r\n");
    let accept = |acceptor: Acceptor| {
        let transport = Reluctant::new(|script| script.incoming.extend(&foreign));
        let outcome = acceptor.accept(transport.clone()).map(|_| ());
        (outcome, String::from_utf8(transport.sent()).unwrap())
    };
    let (refused, sent) = accept(Acceptor::new());
    assert!(matches!(refused, Err(Error::Handshake(_))) && sent.starts_with("HTTP/1.1 403 "));
    let (accepted, sent) = accept(Acceptor::new().origin(OriginPolicy::any()));
    assert!(accepted.is_ok() && sent.starts_with("HTTP/1.1 101 "));
}

#[test]
fn accepting_what_was_not_offered_is_a_server_error() {
    let transport = Reluctant::new(|script| script.incoming.extend(request("")));
    let decide = |_: &sansocket::handshake::Request| {
        Ok(sansocket::handshake::Accept::new().subprotocol("never offered"))
    };
    let outcome = Acceptor::new().accept_with(transport.clone(), decide);
    assert!(matches!(outcome, Err(Error::Accept(_))));
    assert!(transport.sent().starts_with(b"HTTP/1.1 500 "));
}

#[test]
fn the_opening_handshake_has_a_default_timeout_and_accepts_any_other() {
    for defaults in [format!("{:?}", Acceptor::new()), format!("{:?}", Connector::new())] {
        assert!(defaults.contains("handshake_timeout: Some(10s)"), "{defaults}");
    }
    let (mut client, server) = streams();
    client.write_all(REQUEST).unwrap();
    let acceptor = Acceptor::new().handshake_timeout(Duration::MAX);
    assert_eq!(acceptor.accept_tcp(server).unwrap().state(), sansocket::State::Open);
    // A transport that would block is not reported as late, but it can't be retried either.
    let not_ready = Acceptor::new().accept(Reluctant::default()).unwrap_err();
    assert!(matches!(not_ready, Error::Io(_)) && !not_ready.is_would_block(), "{not_ready:?}");
    let connector = Connector::new();
    let not_ready = connector.connect_over("ws://localhost/", Reluctant::default()).unwrap_err();
    assert!(matches!(not_ready, Error::Io(_)) && !not_ready.is_would_block(), "{not_ready:?}");
}

#[test]
fn roles_differ_in_who_masks() {
    fn masks<R: Role>(_: &WebSocket<Reluctant, R>) -> bool {
        R::MASKS
    }
    let transport = Reluctant::default();
    assert!(masks(&transport.client()) && !masks(&transport.server(Config::default())));
    let mut client = transport.client();
    client.close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(transport.sent(), close_1000());
}

#[test]
fn a_pong_is_written_between_the_frames_of_a_message_that_could_not_be_written() {
    let transport = Reluctant::new(|script| script.takes.extend([100_000, 0]));
    let mut server = transport.server(Config::default());
    assert!(server.send([7; 1 << 20]).unwrap_err().is_would_block());
    transport.script().takes.push_back(0);
    transport.script().incoming.extend(masked(0x89, b"?"));
    assert!(server.next().unwrap().unwrap_err().is_would_block());
    server.flush().unwrap();
    let sent = transport.sent();
    let pong = frames(&sent).into_iter().find(|(_, opcode)| *opcode == OpCode::Pong);
    assert_eq!(pong, Some((2 * ((64 << 10) + 10), OpCode::Pong)));
    assert_eq!(as_client(&sent), (vec![Message::binary(vec![7; 1 << 20])], 1));
}
