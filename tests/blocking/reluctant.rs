//! A transport with a script: what each write takes, and how reads and flushes fail.

use super::streams;
use sansocket::{
    Cause, Client, CloseCode, Config, Connection, Error, Event, HandshakeError, Limits, MaskKey,
    MaskKeys, Message, Negotiated, OriginPolicy, Progress, ReadBuffer, Role, SendError, Server,
    TransportEnd, WriteBuffer,
    blocking::{Acceptor, Connector, Transport, WebSocket},
};
use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice, Read, Write},
    rc::Rc,
    time::Duration,
};

#[derive(Debug, Default)]
struct Script {
    incoming: VecDeque<u8>,
    /// How reads fail once `incoming` is used up; after that they would block, or end.
    read_errors: VecDeque<ErrorKind>,
    ends: bool,
    /// How many bytes each write takes, 0 for one that would block; after that all.
    takes: VecDeque<usize>,
    flush_errors: VecDeque<ErrorKind>,
    /// How the first write fails.
    write_error: Option<ErrorKind>,
    /// Written and not flushed, flushed.
    held: Vec<u8>,
    sent: Vec<u8>,
    shut_down: bool,
    /// How timeouts can't be set once the writing side was ended.
    timeout_error: Option<ErrorKind>,
}

#[derive(Clone, Debug, Default)]
struct Reluctant(Rc<RefCell<Script>>);

impl Reluctant {
    fn new(change: impl FnOnce(&mut Script)) -> Self {
        let transport = Self::default();
        change(&mut transport.0.borrow_mut());
        transport
    }

    fn sent(&self) -> Vec<u8> {
        self.0.borrow().sent.clone()
    }

    fn server(&self, config: Config) -> WebSocket<Self, Server> {
        let negotiated = Negotiated::new();
        WebSocket::new(self.clone(), Server::new(), negotiated, ReadBuffer::new(), config)
    }

    fn client(&self) -> WebSocket<Self, Client<impl MaskKeys>> {
        let (role, config) = (Client::new(|| MaskKey::new([0; 4])), Config::default());
        WebSocket::new(self.clone(), role, Negotiated::new(), ReadBuffer::new(), config)
    }
}

impl Read for Reluctant {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut script = self.0.borrow_mut();
        if !script.incoming.is_empty() {
            return script.incoming.read(into);
        }
        match script.read_errors.pop_front() {
            Some(kind) => Err(kind.into()),
            None if script.ends => Ok(0),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Reluctant {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let mut script = self.0.borrow_mut();
        if let Some(kind) = script.write_error.take() {
            return Err(kind.into());
        }
        let count = match script.takes.pop_front() {
            Some(0) => return Err(ErrorKind::WouldBlock.into()),
            Some(most) => most.min(from.len()),
            None => from.len(),
        };
        script.held.extend_from_slice(&from[..count]);
        Ok(count)
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: Vec<u8> = from.iter().flat_map(|slice| slice.to_vec()).collect();
        self.write(&all)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut script = self.0.borrow_mut();
        if let Some(kind) = script.flush_errors.pop_front() {
            return Err(kind.into());
        }
        let held = std::mem::take(&mut script.held);
        script.sent.extend(held);
        Ok(())
    }
}

impl Transport for Reluctant {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        let script = self.0.borrow();
        match script.timeout_error {
            Some(kind) if script.shut_down => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.borrow_mut().shut_down = true;
        Ok(())
    }
}

/// A masked frame by a key of zeros.
fn masked(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let mut frame = vec![first_byte, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

fn close_1000() -> Vec<u8> {
    masked(0x88, &[0x03, 0xe8])
}

/// What a client makes of the bytes that a server sent: its messages and pongs.
fn as_client(bytes: &[u8]) -> (Vec<Message>, usize) {
    let role = Client::new(|| MaskKey::new([0; 4]));
    let mut client = Connection::new(role, &Negotiated::new(), Config::default());
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    input.extend_from_slice(bytes);
    let (mut messages, mut pongs) = (Vec::new(), 0);
    while client.advance(&mut input, &mut output).unwrap() == Progress::Event {
        let event = client.event(&input).unwrap();
        pongs += usize::from(matches!(event, Event::Pong(_)));
        messages.extend(event.to_message());
    }
    (messages, pongs)
}

/// A server that has more pongs to send than there is room for, and is then asked for a reply.
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
            transport.0.borrow_mut().takes.extend(takes);
            let sent = replies.send(&[7; 20_000]);
            assert!(sent.is_ok() || sent.is_err_and(|error| error.is_would_block()));
            break;
        }
    }
    server.flush().unwrap();
    transport
}

#[test]
fn a_pong_that_was_held_back_comes_after_the_frame_that_is_written_through() {
    // The pongs that had room and the frame's header go, with the first part of its payload; then
    // it goes on at once, or would block first.
    let queued = 32 * 127 + 4;
    for takes in [&[queued + 1000][..], &[queued + 1000, 0], &[queued, 0], &[0], &[5, 0]] {
        let (messages, pongs) = as_client(&flooded_with_pings(takes).sent());
        assert_eq!(messages, [Message::binary(vec![7; 20_000])], "{takes:?}");
        assert_eq!(pongs, 33, "those with room, and the last one: {takes:?}");
    }
}

#[test]
fn a_flush_of_the_transport_that_was_not_ready_is_made_up_for() {
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
fn there_is_one_error_and_then_none() {
    let kinds = [ErrorKind::HostUnreachable, ErrorKind::Other, ErrorKind::ConnectionReset];
    for kind in kinds {
        let transport = Reluctant::new(|script| script.read_errors.push_back(kind));
        let mut server = transport.server(Config::default());
        assert!(server.next().unwrap().is_err());
        assert!(server.next().is_none());
        assert_eq!(server.closed().unwrap().cause, Cause::Transport(TransportEnd::Reset));
        assert!(transport.0.borrow().shut_down);
    }
}

#[test]
fn a_truncated_end_of_tls_is_told_from_an_end() {
    let transport = Reluctant::new(|script| script.read_errors.push_back(ErrorKind::UnexpectedEof));
    let mut server = transport.server(Config::default());
    assert!(server.next().unwrap().is_err());
    assert_eq!(server.closed().unwrap().cause, Cause::Transport(TransportEnd::TlsTruncated));
}

/// The system tells a reset to one call, which can be a write; reading then looks like an end.
#[test]
fn a_reset_that_a_write_meets_first_is_told_as_one() {
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
fn what_fails_after_a_clean_close_is_no_error() {
    let transport = Reluctant::new(|script| {
        script.incoming.extend(close_1000());
        script.read_errors.push_back(ErrorKind::Other);
    });
    let mut server = transport.server(Config::default());
    assert!(server.next().is_none() && server.closed().unwrap().clean);

    // Some systems refuse to set a timeout when both sides of a socket have ended.
    let transport = Reluctant::new(|script| {
        script.incoming.extend(close_1000());
        script.timeout_error = Some(ErrorKind::InvalidInput);
        script.ends = true;
    });
    let mut server = transport.server(Config::default());
    assert!(server.next().is_none() && server.closed().unwrap().clean);
}

#[test]
fn an_end_without_a_close_is_answered_by_an_end() {
    let transport = Reluctant::new(|script| script.ends = true);
    let mut server = transport.server(Config::default());
    assert!(server.next().unwrap().is_err() && server.next().is_none());
    assert!(transport.0.borrow().shut_down);
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
fn waiting_for_the_end_does_not_end_at_a_timeout_of_the_transport() {
    let transport = Reluctant::new(|script| {
        script.read_errors.extend([ErrorKind::TimedOut, ErrorKind::WouldBlock]);
    });
    let mut server = transport.server(Config::default().close_timeout(Duration::from_millis(50)));
    assert_eq!(server.wait_closed().cause, Cause::Transport(TransportEnd::Timeout));
}

#[test]
fn waiting_for_the_end_drops_what_comes_whole_and_in_chunks() {
    let transport = Reluctant::new(|script| {
        // Half a message, which `next` begins to receive whole.
        script.incoming.extend([0x02, 0x82, 0, 0, 0, 0, 1, 2]);
        script.read_errors.push_back(ErrorKind::WouldBlock);
    });
    let limits = Limits::default().message(100);
    let mut server = transport.server(Config::default().limits(limits));
    assert!(server.next().unwrap().unwrap_err().is_would_block());
    {
        let mut script = transport.0.borrow_mut();
        script.incoming.extend(masked(0x80, &[3]));
        // Larger than the limit, which dropping does not mind.
        script.incoming.extend([0x82, 0xfe, 0x01, 0x00, 0, 0, 0, 0]);
        script.incoming.extend([0; 256]);
        script.incoming.extend(close_1000());
        script.ends = true;
    }
    assert!(server.wait_closed().clean);
}

fn request(extra: &str) -> Vec<u8> {
    let head = String::from_utf8(super::REQUEST.to_vec()).unwrap();
    head.replacen("\r\n", &format!("\r\n{extra}"), 1).into_bytes()
}

#[test]
fn a_refusal_stays_the_error_when_the_client_is_gone() {
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
fn accepting_with_what_was_not_offered_is_the_servers_error() {
    let transport = Reluctant::new(|script| script.incoming.extend(request("")));
    let decide = |_: &sansocket::Request| Ok(sansocket::Accept::new().subprotocol("never offered"));
    let outcome = Acceptor::new().accept_with(transport.clone(), decide);
    assert!(matches!(outcome, Err(Error::Accept(_))));
    assert!(transport.sent().starts_with(b"HTTP/1.1 500 "));
}

#[test]
fn the_opening_handshake_has_a_timeout_by_default_and_bears_any() {
    for defaults in [format!("{:?}", Acceptor::new()), format!("{:?}", Connector::new())] {
        assert!(defaults.contains("handshake_timeout: Some(10s)"), "{defaults}");
    }
    let (mut client, server) = streams();
    client.write_all(super::REQUEST).unwrap();
    let acceptor = Acceptor::new().handshake_timeout(Duration::MAX);
    assert_eq!(acceptor.accept_tcp(server).unwrap().state(), sansocket::State::Open);
    // A transport that does not block is not one that is late; but it can't be tried again either.
    let not_ready = Acceptor::new().accept(Reluctant::default()).unwrap_err();
    assert!(matches!(not_ready, Error::Io(_)) && !not_ready.is_would_block(), "{not_ready:?}");
    let connector = Connector::new();
    let not_ready = connector.connect_over(Reluctant::default(), "ws://localhost/").unwrap_err();
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
