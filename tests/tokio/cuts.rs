//! A conversation over real TCP that is cut at each of its bytes, by an end or by a reset.

use sansocket::{
    CloseCode, Error,
    connection::{Cause, Initiator, Role, TransportEnd},
    handshake::HandshakeError,
    on_tokio::{Acceptor, Connector, WebSocket},
};
use sansocket_testkit::{
    clock::run,
    frames::{masked, plain},
    opening::{REQUEST, response_to},
    pair::tokio::{client_and_stream, read_head, reset, server_and_stream, streams},
    receiving::{By, only_end, receive_all},
};
use std::io::ErrorKind;
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// How a conversation is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// An orderly end. The stream is kept, since unread input would turn its end into a reset.
    Eof,
    Reset,
}

const CUTS: [Cut; 2] = [Cut::Eof, Cut::Reset];

impl Cut {
    async fn make(self, mut stream: TcpStream) -> Option<TcpStream> {
        match self {
            Self::Eof => stream.shutdown().await.unwrap(),
            Self::Reset => {
                reset(stream);
                return None;
            }
        }
        Some(stream)
    }
}

/// What one endpoint says from its first frame to its Close.
struct Conversation {
    bytes: Vec<u8>,
    /// Each message, and the number of bytes that have arrived when it is complete.
    messages: Vec<(usize, Vec<u8>)>,
}

impl Conversation {
    fn new(frame: fn(u8, &[u8]) -> Vec<u8>) -> Self {
        let mut this = Self { bytes: Vec::new(), messages: Vec::new() };
        let mut say = |first, payload: &[u8], message: Option<&[u8]>| {
            this.bytes.extend(frame(first, payload));
            this.messages.extend(message.map(|message| (this.bytes.len(), message.to_vec())));
        };
        say(0x81, b"one", Some(b"one"));
        say(0x89, b"are you there?", None);
        say(0x01, b"tw", None);
        say(0x8a, b"", None);
        say(0x80, b"o", Some(b"two"));
        say(0x82, &[7; 130], Some(&[7; 130]));
        say(0x88, b"\x03\xe8bye", None);
        this
    }

    /// Receives the first `cut` bytes, and checks how the connection ends.
    async fn check<R: Role + Unpin>(
        &self,
        socket: &mut WebSocket<TcpStream, R>,
        by: By,
        cut: usize,
        how: Cut,
    ) {
        let (messages, errors) = receive_all(socket, by).await;
        let whole = self.messages.iter().filter(|(end, _)| *end <= cut);
        let whole: Vec<_> = whole.map(|(_, message)| message.clone()).collect();
        let label = format!("{how:?} after {cut} bytes, {by:?}: {messages:?} {errors:?}");
        if how == Cut::Eof {
            assert_eq!(messages, whole, "{label}");
        } else {
            // The system may discard unread input at a reset.
            assert!(whole.starts_with(&messages), "{label}");
        }
        if how == Cut::Eof && cut == self.bytes.len() {
            assert!(errors.is_empty(), "{label}");
            let closed = socket.closed().unwrap();
            assert!(closed.clean && closed.reason == "bye", "{closed:?} {label}");
            return;
        }
        let closed = only_end(errors);
        assert!(!closed.clean, "{label}");
        let end = if how == Cut::Eof { TransportEnd::Eof } else { TransportEnd::Reset };
        assert_eq!(closed.cause, Cause::Transport(end), "{label}");
        if closed.code == CloseCode::NORMAL {
            assert_eq!((cut, closed.initiator), (self.bytes.len(), Initiator::Peer), "{label}");
        } else {
            assert_eq!(closed.code, CloseCode::ABNORMAL, "{label}");
            assert_eq!(closed.initiator, Initiator::Transport, "{label}");
        }
        assert_eq!(socket.closed(), Some(&closed), "{label}");
    }
}

#[test]
fn a_server_reports_a_client_that_is_cut_off_at_any_byte() {
    run(async {
        let said = Conversation::new(masked);
        for (how, by) in [(CUTS[0], By::Next), (CUTS[0], By::ReceiveChunk), (CUTS[1], By::Next)] {
            for cut in 0..=said.bytes.len() {
                let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
                client.write_all(&said.bytes[..cut]).await.unwrap();
                let _client = how.make(client).await;
                said.check(&mut server, by, cut, how).await;
            }
        }
    });
}

#[test]
fn a_client_reports_a_server_that_is_cut_off_at_any_byte() {
    run(async {
        let said = Conversation::new(plain);
        for (how, by) in [(CUTS[0], By::Next), (CUTS[0], By::ReceiveChunk), (CUTS[1], By::Next)] {
            for cut in 0..=said.bytes.len() {
                let (mut client, mut server) = client_and_stream(Connector::new()).await;
                server.write_all(&said.bytes[..cut]).await.unwrap();
                let _server = how.make(server).await;
                said.check(&mut client, by, cut, how).await;
            }
        }
    });
}

#[test]
fn a_client_cut_off_at_any_byte_does_not_stall_a_server() {
    run(async {
        let said = Conversation::new(masked);
        let bytes = [REQUEST, &said.bytes].concat();
        for (how, cut) in
            CUTS.into_iter().flat_map(|how| (0..=bytes.len()).map(move |at| (how, at)))
        {
            let (mut client, server) = streams().await;
            client.write_all(&bytes[..cut]).await.unwrap();
            let _client = how.make(client).await;
            match (Acceptor::new().accept(server).await, cut.checked_sub(REQUEST.len()), how) {
                (Ok(mut server), Some(cut), _) => {
                    said.check(&mut server, By::Next, cut, how).await;
                }
                (Err(Error::Handshake(error)), None, Cut::Eof) => {
                    assert_eq!(error, HandshakeError::TransportEnded { received: cut });
                }
                (Err(Error::Io(error)), None, Cut::Reset) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{cut}");
                }
                // Nobody reads the response.
                (Err(Error::Io(_)), Some(_), Cut::Reset) => {}
                (other, ..) => panic!("{how:?} after {cut} bytes: {other:?}"),
            }
        }
    });
}

#[test]
fn a_server_cut_off_at_any_byte_does_not_stall_a_client() {
    run(async {
        let said = Conversation::new(plain);
        let (connector, response_len) = (Connector::new(), response_to(REQUEST).len());
        let len = response_len + said.bytes.len();
        for (how, cut) in CUTS.into_iter().flat_map(|how| (0..=len).map(move |at| (how, at))) {
            let (client, mut server) = streams().await;
            let answer = async {
                let response = response_to(&read_head(&mut server).await);
                let bytes = [response, said.bytes.clone()].concat();
                server.write_all(&bytes[..cut]).await.unwrap();
                how.make(server).await
            };
            let (connected, _server) =
                tokio::join!(connector.connect_over("ws://localhost/", client), answer);
            match (connected, cut.checked_sub(response_len), how) {
                (Ok((mut client, _)), Some(cut), _) => {
                    said.check(&mut client, By::Next, cut, how).await;
                }
                (Err(Error::Handshake(error)), None, Cut::Eof) => {
                    assert_eq!(error, HandshakeError::TransportEnded { received: cut });
                }
                (Err(Error::Io(error)), _, Cut::Reset) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{cut}");
                }
                (other, ..) => panic!("{how:?} after {cut} bytes: {other:?}"),
            }
        }
    });
}
