//! Opening handshakes on a virtual clock, without a transport.

use super::*;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::Config;
use crate::handshake::{
    Accept, AcceptError, HandshakeError, HandshakeNext, OpeningError, PlainResponse,
    PlainResponseError, Request,
};
use crate::negotiated::Negotiated;
use crate::transport::{IoFailure, Wants};
use alloc::{boxed::Box, string::String};
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Extensions: x\r\n\r\n";

/// The server side and its current time.
struct Server {
    accepting: Accepting,
    input: ReadBuffer,
    output: WriteBuffer,
    now: Duration,
}

impl Server {
    fn new() -> Self {
        Self::of(&Acceptor::new())
    }

    fn of(acceptor: &Acceptor) -> Self {
        let (input, output) = (ReadBuffer::new(), WriteBuffer::new());
        Self { accepting: acceptor.begin(), input, output, now: 7 * SECOND }
    }

    /// Returns a server that has received a request.
    fn asked() -> (Self, Request) {
        let mut server = Self::new();
        server.receive(REQUEST);
        let request = server.request();
        (server, request)
    }

    fn next(&mut self) -> HandshakeNext<Step> {
        let Self { accepting, input, output, now } = self;
        accepting.next(input, output, || *now)
    }

    #[track_caller]
    fn wants(&mut self) -> Wants {
        match self.next() {
            HandshakeNext::Wants(wants) => wants,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn request(&mut self) -> Request {
        match self.next() {
            HandshakeNext::Ready(Step::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn open(&mut self) -> (Box<Negotiated>, Config) {
        match self.next() {
            HandshakeNext::Ready(Step::Open(negotiated, config)) => (negotiated, config),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn ended(&mut self) -> OpeningError {
        match self.next() {
            HandshakeNext::Ended(error) => error,
            other => panic!("{other:?}"),
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.accepting.did_read(Ok(bytes.len()));
    }

    /// Writes everything that is queued, and returns it.
    fn write(&mut self) -> String {
        let sent = String::from_utf8(self.output.front().to_vec()).unwrap();
        self.accepting.did_write(Ok(sent.len()), &mut self.output);
        sent
    }
}

fn reading(deadline: Duration) -> Wants {
    Wants { read: true, deadline: Some(deadline), ..Wants::default() }
}

#[test]
fn a_request_is_received_and_answered() {
    let mut server = Server::new();
    assert_eq!(server.wants(), reading(17 * SECOND));
    server.receive(&REQUEST[..50]);
    server.now += SECOND;
    assert_eq!(server.wants(), reading(17 * SECOND));
    server.receive(&REQUEST[50..]);
    let request = server.request();
    // The decision may take any time.
    server.now += 100 * SECOND;
    assert_eq!(server.wants(), Wants::default());
    server.accepting.accept(&request, &Accept::new(), &mut server.output).unwrap();
    let wants = server.wants();
    assert_eq!((wants.write, wants.read, wants.deadline), (true, false, Some(118 * SECOND)));
    server.receive(b"behind");
    assert!(server.write().starts_with("HTTP/1.1 101 "));
    assert_eq!(server.open(), (Box::default(), Config::default()));
    assert_eq!(server.input.unread(), b"behind");
    assert_eq!(server.ended(), HandshakeError::Over.into());
}

#[test]
fn a_silent_client_times_out_but_an_unread_request_counts() {
    let mut server = Server::new();
    server.wants();
    server.now = 17 * SECOND;
    // The server reads twice more, without waiting.
    for _ in 0..2 {
        assert_eq!(server.wants(), reading(server.now));
        server.accepting.did_read(Err(IoFailure::NotReady));
    }
    assert_eq!(server.ended(), OpeningError::TimedOut);

    // The request came in time, but nobody read it before the deadline.
    let mut server = Server::new();
    server.wants();
    server.now = 20 * SECOND;
    server.wants();
    server.receive(&REQUEST[..9]);
    assert_eq!(server.wants(), reading(server.now));
    server.receive(&REQUEST[9..]);
    server.request();
}

#[test]
fn a_client_that_sends_single_bytes_times_out() {
    let mut server = Server::new();
    let started = server.now;
    while let HandshakeNext::Wants(wants) = server.next() {
        assert!(wants.read);
        server.receive(b"G");
        server.now += SECOND / 100;
        assert!(server.now - started <= 11 * SECOND);
    }
    assert!(server.now - started > 10 * SECOND);
}

#[test]
fn timeouts_follow_the_configuration() {
    let mut server = Server::of(&Acceptor::new().handshake_timeout(SECOND));
    assert_eq!(server.wants().deadline, Some(8 * SECOND));
    let mut server = Server::of(&Acceptor::new().handshake_timeout(Duration::MAX));
    assert_eq!(server.wants().deadline, Some(Duration::MAX));
    let mut server = Server::of(&Acceptor::new().handshake_timeout(None));
    assert_eq!(server.wants().deadline, None);
    server.now += 1_000_000 * SECOND;
    server.receive(REQUEST);
    let request = server.request();
    server.accepting.accept(&request, &Accept::new(), &mut server.output).unwrap();
    assert_eq!(server.wants(), Wants { write: true, ..Wants::default() });
}

#[test]
fn time_that_tls_took_does_not_shorten_the_time_for_the_answer() {
    let acceptor: Acceptor = Acceptor::new().handshake_timeout(10 * SECOND);
    let mut server = Server::of(&acceptor);
    server.accepting = acceptor.accepting_within(Some(SECOND));
    assert_eq!(server.wants().deadline, Some(8 * SECOND));
    server.receive(REQUEST);
    let request = server.request();
    server.accepting.accept(&request, &Accept::new(), &mut server.output).unwrap();
    assert_eq!(server.wants().deadline, Some(17 * SECOND));
}

#[test]
fn the_handshake_ends_if_the_answer_can_not_be_written() {
    let (mut server, request) = Server::asked();
    server.accepting.accept(&request, &Accept::new(), &mut server.output).unwrap();
    server.wants();
    server.accepting.did_write(Ok(5), &mut server.output);
    server.now += 9 * SECOND;
    assert!(server.wants().write);
    server.accepting.did_write(Err(IoFailure::NotReady), &mut server.output);
    server.now += SECOND;
    assert_eq!(server.ended(), OpeningError::TimedOut);

    for (outcome, failure) in [
        (Ok(0), IoFailure::Ended),
        (Err(IoFailure::Reset), IoFailure::Reset),
        (Err(IoFailure::TimedOut), IoFailure::TimedOut),
    ] {
        let (mut server, request) = Server::asked();
        server.accepting.accept(&request, &Accept::new(), &mut server.output).unwrap();
        server.accepting.did_write(outcome, &mut server.output);
        assert_eq!(server.ended(), OpeningError::Transport(failure));
    }
}

#[test]
fn the_answer_must_be_flushed() {
    let (mut server, request) = Server::asked();
    server.accepting.accept(&request, &Accept::new(), &mut server.output).unwrap();
    let len = server.output.len();
    server.accepting.did_write(Ok(len), &mut server.output);
    // The bytes are in the transport's own buffer, which can't be flushed yet.
    server.accepting.did_write(Err(IoFailure::NotReady), &mut server.output);
    assert!(server.output.is_empty() && server.wants().write);
    server.accepting.did_write(Ok(0), &mut server.output);
    server.open();
}

#[test]
fn an_incomplete_request_is_not_answered() {
    let mut server = Server::new();
    server.receive(&REQUEST[..20]);
    server.accepting.did_read(Ok(0));
    assert_eq!(server.ended(), HandshakeError::TransportEnded { received: 20 }.into());
    assert!(server.output.is_empty());

    let mut server = Server::new();
    server.accepting.did_read(Err(IoFailure::Reset));
    assert_eq!(server.ended(), OpeningError::Transport(IoFailure::Reset));
    assert!(server.output.is_empty());
    // A client that has ended its side after its request still gets an answer.
    let mut server = Server::new();
    server.receive(REQUEST);
    server.accepting.did_read(Ok(0));
    server.request();
}

#[test]
fn the_writing_side_ends_after_a_refusal() {
    let mut server = Server::new();
    server.receive(b"PUT / HTTP/1.1\r\n\r\n");
    let refusing = Wants { write: true, ..reading(9 * SECOND) };
    assert_eq!(server.wants(), refusing);
    server.receive(&[b'x'; 1000]);
    assert_eq!(server.wants(), refusing);
    assert!(server.input.unread().is_empty());
    assert!(server.write().starts_with("HTTP/1.1 405 "));
    assert_eq!(server.wants(), Wants { shut_down_write: true, ..reading(9 * SECOND) });
    server.accepting.did_shut_down(Err(IoFailure::NotReady));
    assert_eq!(server.wants(), Wants { shut_down_write: true, ..reading(9 * SECOND) });
    server.accepting.did_shut_down(Ok(()));
    assert_eq!(server.wants(), reading(9 * SECOND));
    server.accepting.did_read(Ok(0));
    assert_eq!(server.ended(), HandshakeError::Method("PUT".into()).into());
}

/// Returns a server that has refused its client, after the refusal was written and the half-close
/// had this outcome.
fn refused(fin: Result<(), IoFailure>) -> Server {
    let (mut server, _) = Server::asked();
    server.accepting.refuse(&PlainResponse::new(404), &mut server.output).unwrap();
    server.wants();
    assert!(server.write().starts_with("HTTP/1.1 404 "));
    assert!(server.wants().shut_down_write);
    server.accepting.did_shut_down(fin);
    server
}

#[test]
fn a_refused_client_has_two_seconds_and_one_mebibyte() {
    let mut server = refused(Ok(()));
    server.now += 2 * SECOND - Duration::from_millis(1);
    assert_eq!(server.wants(), reading(9 * SECOND));
    server.now = 9 * SECOND;
    assert_eq!(server.ended(), OpeningError::Refused(404));

    let mut server = refused(Ok(()));
    for _ in 0..256 {
        server.receive(&[0; 4096]);
        server.wants();
    }
    server.receive(&[0]);
    assert_eq!(server.ended(), OpeningError::Refused(404));
    assert!(server.input.capacity() <= 16 << 10, "dropped bytes must not take up memory");
}

#[test]
fn without_a_half_close_a_refused_client_has_one_second() {
    let mut server = refused(Err(IoFailure::Unsupported));
    server.now += SECOND / 2;
    assert_eq!(server.wants(), reading(server.now + SECOND));
    server.now += SECOND;
    assert_eq!(server.ended(), OpeningError::Refused(404));
}

#[test]
fn a_refusal_ends_at_once_if_the_client_is_gone() {
    let mut server = refused(Ok(()));
    server.accepting.did_read(Err(IoFailure::Reset));
    assert_eq!(server.ended(), OpeningError::Refused(404));

    let (mut server, _) = Server::asked();
    server.accepting.refuse(&PlainResponse::new(404), &mut server.output).unwrap();
    server.accepting.did_write(Err(IoFailure::Reset), &mut server.output);
    assert_eq!(server.ended(), OpeningError::Refused(404));
}

#[test]
fn a_client_that_has_ended_its_side_still_gets_a_refusal() {
    let mut server = Server::new();
    server.receive(REQUEST);
    server.accepting.did_read(Ok(0));
    server.request();
    server.accepting.refuse(&PlainResponse::new(404), &mut server.output).unwrap();
    let wants = server.wants();
    assert_eq!((wants.write, wants.read), (true, false));
    server.write();
    assert!(server.wants().shut_down_write);
    server.accepting.did_shut_down(Ok(()));
    assert_eq!(server.ended(), OpeningError::Refused(404));
}

#[test]
fn a_plain_response_is_delivered_like_a_refusal() {
    let acceptor: Acceptor =
        Acceptor::new().plain_response(|_| Some(PlainResponse::new(200).body("x")));
    let mut server = Server::of(&acceptor);
    server.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(server.wants(), Wants { write: true, ..reading(9 * SECOND) });
    server.receive(&[b'x'; 1000]);
    assert!(server.wants().write && server.input.unread().is_empty());
    assert!(server.write().ends_with("\r\n\r\nx"));
    assert_eq!(server.wants(), Wants { shut_down_write: true, ..reading(9 * SECOND) });
    server.accepting.did_shut_down(Ok(()));
    assert_eq!(server.wants(), reading(9 * SECOND));
    server.now = 9 * SECOND;
    assert_eq!(server.ended(), OpeningError::Answered(200));
    // A client that sends the head of its request too slowly gets no answer.
    let mut server = Server::of(&acceptor);
    server.receive(b"HEAD / HTTP/1.1\r\n");
    server.wants();
    server.now = 17 * SECOND;
    for _ in 0..2 {
        server.wants();
        server.accepting.did_read(Err(IoFailure::NotReady));
    }
    assert_eq!(server.ended(), OpeningError::TimedOut);
}

#[test]
fn the_origin_is_checked() {
    let from_elsewhere = String::from_utf8(REQUEST.to_vec()).unwrap();
    let from_elsewhere =
        from_elsewhere.replace("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n");
    let mut server = Server::new();
    server.receive(from_elsewhere.as_bytes());
    server.wants();
    assert!(server.write().starts_with("HTTP/1.1 403 "));
    let mut server = Server::of(&Acceptor::new().origin(OriginPolicy::any()));
    server.receive(from_elsewhere.as_bytes());
    server.request();
}

#[track_caller]
fn assert_status_500(server: &mut Server) {
    assert!(server.wants().write);
    let sent = server.write();
    assert!(sent.starts_with("HTTP/1.1 500 "), "{sent}");
    assert!(sent.ends_with("\r\n\r\nthe server failed to answer\n"), "{sent}");
    assert_eq!(sent.matches("HTTP/1.1").count(), 1, "{sent}");
    server.accepting.did_shut_down(Ok(()));
    server.accepting.did_read(Ok(0));
    assert_eq!(server.ended(), OpeningError::Refused(500));
}

#[test]
fn invalid_answers_are_errors_and_send_status_500() {
    let (mut server, _) = Server::asked();
    let refused = server.accepting.refuse(&PlainResponse::new(101), &mut server.output);
    assert_eq!(refused, Err(PlainResponseError::Status { status: 101 }));
    assert_status_500(&mut server);

    let (mut server, request) = Server::asked();
    let answer = Accept::new().subprotocol("y");
    let accepted = server.accepting.accept(&request, &answer, &mut server.output);
    assert_eq!(accepted, Err(AcceptError::SubprotocolNotOffered("y".into())));
    assert_status_500(&mut server);
}

#[test]
fn unimplemented_extensions_are_errors() {
    let (mut server, request) = Server::asked();
    let answer = Accept::new().extension("x");
    let accepted = server.accepting.accept(&request, &answer, &mut server.output);
    assert_eq!(accepted, Err(AcceptError::ExtensionNotImplemented("x".into())));
    assert_status_500(&mut server);
}

#[test]
fn a_request_can_be_answered_only_once() {
    let (mut server, request) = Server::asked();
    let Server { accepting, output, .. } = &mut server;
    accepting.refuse(&PlainResponse::new(404), output).unwrap();
    let queued = output.len();
    assert_eq!(accepting.refuse(&PlainResponse::new(404), output), Err(PlainResponseError::Over));
    assert_eq!(accepting.accept(&request, &Accept::new(), output), Err(AcceptError::Over));
    assert_eq!(output.len(), queued);
    let mut early = Acceptor::new().begin();
    assert_eq!(early.accept(&request, &Accept::new(), output), Err(AcceptError::Over));
}

#[test]
fn a_request_has_the_address_of_its_client() {
    let peer = "10.0.0.1:1".parse().unwrap();
    let networks = ["10.0.0.0/8".parse().unwrap()];
    let proxies = TrustedProxies::new().header(ForwardingHeader::XForwardedFor, networks);
    let mut forwarded = REQUEST[..REQUEST.len() - 2].to_vec();
    forwarded.extend_from_slice(b"X-Forwarded-For: 192.0.2.1\r\n\r\n");
    for (acceptor, told, client) in [
        (Acceptor::new(), None, None),
        (Acceptor::new(), Some(peer), Some(peer)),
        (Acceptor::new().trusted_proxies(proxies.clone()), None, None),
        (
            Acceptor::new().trusted_proxies(proxies),
            Some(peer),
            Some("192.0.2.1:0".parse().unwrap()),
        ),
    ] {
        let mut server = Server::of(&acceptor);
        if let Some(peer) = told {
            server.accepting = server.accepting.peer(peer);
        }
        server.receive(&forwarded);
        assert_eq!(server.request().client_address(), client);
    }
}
