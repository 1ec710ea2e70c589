//! Opening handshakes on a virtual clock, without a transport.

use super::*;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::handshake::{HandshakeError, HandshakeNext, OpeningError, Response, Url};
use crate::transport::{IoFailure, Wants};
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

const SWITCHING: &[u8] = b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The beginning of a refusal.
const STALLING: &[u8] = b"HTTP/1.1 401 Who?\r\nContent-Length: 100\r\n\r\n";

/// The client side and its current time.
struct Client {
    connecting: Connecting,
    input: ReadBuffer,
    output: WriteBuffer,
    now: Duration,
}

impl Client {
    fn of(connector: &Connector) -> Self {
        let (input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        let url = Url::parse("ws://h/").unwrap();
        let connecting = connector.begin(&url, *b"the sample nonce", &mut output).unwrap();
        Self { connecting, input, output, now: 7 * SECOND }
    }

    fn new() -> Self {
        Self::of(&Connector::new())
    }

    /// Returns a client that has written its request.
    fn sent() -> Self {
        let mut client = Self::new();
        assert!(client.wants().write);
        client.write();
        client
    }

    fn next(&mut self) -> HandshakeNext<Response> {
        let Self { connecting, input, output, now } = self;
        connecting.next(input, output, || *now)
    }

    #[track_caller]
    fn wants(&mut self) -> Wants {
        match self.next() {
            HandshakeNext::Wants(wants) => wants,
            other => panic!("{other:?}"),
        }
    }

    /// After the deadline, the client reads what has already arrived, which is nothing. It reads
    /// twice, because the first read may find nothing for another reason.
    #[track_caller]
    fn reads_nothing_late(&mut self) {
        let late = Wants { read: true, deadline: Some(self.now), ..Wants::default() };
        for _ in 0..2 {
            assert_eq!(self.wants(), late);
            self.connecting.did_read(Err(IoFailure::NotReady));
        }
    }

    #[track_caller]
    fn ended(&mut self) -> OpeningError {
        match self.next() {
            HandshakeNext::Ended(error) => error,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn assert_refused(&mut self) {
        let ended = self.ended();
        let OpeningError::Handshake(HandshakeError::Refused(refusal)) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(refusal.status(), 401);
    }

    fn write(&mut self) {
        let count = self.output.len();
        self.connecting.did_write(Ok(count), &mut self.output);
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.connecting.did_read(Ok(bytes.len()));
    }
}

#[test]
fn a_request_is_sent_and_answered() {
    let mut client = Client::new();
    let wants = Wants { write: true, read: true, deadline: Some(17 * SECOND), ..Wants::default() };
    assert_eq!(client.wants(), wants);
    client.write();
    assert_eq!(client.wants(), Wants { write: false, ..wants });
    client.receive(SWITCHING);
    client.receive(b"behind");
    assert!(matches!(client.next(), HandshakeNext::Ready(_)));
    assert_eq!(client.input.unread(), b"behind");
    assert_eq!(client.ended(), HandshakeError::Over.into());
}

#[test]
fn a_silent_server_times_out_but_an_unread_response_counts() {
    let mut client = Client::sent();
    client.wants();
    client.now = 17 * SECOND;
    client.reads_nothing_late();
    assert_eq!(client.ended(), OpeningError::TimedOut);

    let mut client = Client::sent();
    client.wants();
    client.now = 30 * SECOND;
    client.wants();
    client.receive(SWITCHING);
    assert!(matches!(client.next(), HandshakeNext::Ready(_)));
}

#[test]
fn a_refusal_that_does_not_come_to_its_end_is_one() {
    let end: [fn(&mut Client); 3] = [
        |client| {
            client.wants();
            client.now += 10 * SECOND;
            client.reads_nothing_late();
        },
        |client| client.connecting.did_read(Ok(0)),
        |client| client.connecting.did_read(Err(IoFailure::Reset)),
    ];
    for end in end {
        let mut client = Client::sent();
        client.receive(STALLING);
        end(&mut client);
        client.assert_refused();
    }
}

#[test]
fn an_end_without_a_response_reports_its_cause() {
    let mut client = Client::sent();
    client.connecting.did_read(Ok(0));
    assert_eq!(client.ended(), HandshakeError::TransportEnded { received: 0 }.into());
    let mut client = Client::sent();
    client.connecting.did_read(Err(IoFailure::TimedOut));
    assert_eq!(client.ended(), OpeningError::Transport(IoFailure::TimedOut));
}

#[test]
fn after_a_failed_write_the_client_looks_for_a_refusal() {
    let fail = |client: &mut Client| {
        client.wants();
        client.connecting.did_write(Err(IoFailure::Reset), &mut client.output);
    };
    let mut client = Client::new();
    fail(&mut client);
    let wants = client.wants();
    assert_eq!((wants.write, wants.read, wants.deadline), (false, true, Some(8 * SECOND)));
    client.receive(STALLING);
    client.wants();
    client.connecting.did_read(Ok(0));
    client.assert_refused();

    // If the server says nothing, the failed write is reported, however reading ends.
    let broken = OpeningError::Transport(IoFailure::Reset);
    let mut client = Client::new();
    fail(&mut client);
    client.connecting.did_read(Ok(0));
    assert_eq!(client.ended(), broken);
    let mut client = Client::new();
    fail(&mut client);
    client.wants();
    client.now += SECOND;
    client.reads_nothing_late();
    assert_eq!(client.ended(), broken);
    // The wait is never longer than the handshake timeout.
    let mut client = Client::of(&Connector::new().handshake_timeout(SECOND / 2));
    fail(&mut client);
    assert_eq!(client.wants().deadline, Some(7 * SECOND + SECOND / 2));
}

#[test]
fn an_early_refusal_ends_the_handshake() {
    let mut client = Client::new();
    client.wants();
    client.receive(b"HTTP/1.1 401 Who?\r\nContent-Length: 0\r\n\r\n");
    client.assert_refused();
}

#[test]
fn an_early_response_waits_until_the_request_is_written() {
    let mut client = Client::new();
    client.wants();
    client.receive(SWITCHING);
    let wants = client.wants();
    assert_eq!((wants.write, wants.read, wants.deadline), (true, false, Some(17 * SECOND)));
    client.write();
    assert!(matches!(client.next(), HandshakeNext::Ready(_)));

    let mut client = Client::new();
    client.wants();
    client.receive(SWITCHING);
    client.now += 10 * SECOND;
    assert_eq!(client.ended(), OpeningError::TimedOut);
}
