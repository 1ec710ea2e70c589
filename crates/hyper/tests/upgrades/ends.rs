//! How connections end: with the closing handshake, with the end of a stream, and with a reset.

use crate::server::{BOTH, Server, Version, on_both, run};
use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use sansocket::{
    CloseCode, Closed, Message,
    client::Connector,
    connection::{Cause, Initiator, Role, TransportEnd},
    on_tokio::{self, ServerWebSocket},
    server::Acceptor,
};
use sansocket_hyper::{Upgraded, connect};
use std::sync::Arc;

#[test]
fn codes_and_reasons_arrive_whoever_closes() {
    for server_closes in [true, false] {
        on_both(|version| async move {
            let server = Server::new(Acceptor::new());
            let (mut client, mut peer) = server.open(version, &Connector::new()).await.unwrap();
            let code = CloseCode::from(4001);
            let (at_client, at_server) = if server_closes {
                peer.close(code, "enough").await.unwrap();
                tokio::join!(until_closed(&mut client), until_closed(&mut peer))
            } else {
                client.close(code, "enough").await.unwrap();
                tokio::join!(until_closed(&mut client), until_closed(&mut peer))
            };
            let (first, second) =
                if server_closes { (at_server, at_client) } else { (at_client, at_server) };
            assert!(first.clean && second.clean, "{first}, {second}");
            assert_eq!((first.initiator, first.sent_code), (Initiator::Local, code));
            assert_eq!((second.initiator, second.code), (Initiator::Peer, code));
            assert_eq!(second.reason, "enough");
        });
    }
}

/// Receives until the end, without a Close of its own.
async fn until_closed<R: Role>(websocket: &mut on_tokio::WebSocket<Upgraded, R>) -> Closed {
    assert!(websocket.next().await.is_none());
    websocket.closed().expect("it has ended").clone()
}

#[test]
fn a_dropped_websocket_is_an_end_without_a_close() {
    on_both(|version| async move {
        let server = Server::new(Acceptor::new());
        let (mut client, peer) = server.open(version, &Connector::new()).await.unwrap();
        drop(peer);
        assert!(client.next().await.unwrap().is_err());
        assert_eq!(client.wait_closed().await.code, CloseCode::ABNORMAL);

        let (client, mut peer) = server.open(version, &Connector::new()).await.unwrap();
        drop(client);
        assert!(peer.next().await.unwrap().is_err());
        assert_eq!(peer.wait_closed().await.code, CloseCode::ABNORMAL);
    });
}

/// What was sent before is read first.
#[test]
fn a_broken_connection_ends_its_websockets() {
    for version in BOTH {
        run(async move {
            let server = Server::new(Acceptor::new());
            let (stream, serving) = server.connection();
            let connector = Connector::new();
            let client = crate::server::client(version, stream, &connector, "ws://h/").await;
            let (mut client, mut peer) = (client.unwrap(), server.websocket().await);
            peer.send("before").await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::from("before"));
            if version == Version::Http1 {
                // hyper has handed the connection over, so it ends with the WebSocket.
                assert!(serving.await.is_ok());
                drop(peer);
            } else {
                serving.abort();
            }
            assert!(client.next().await.unwrap().is_err());
            assert!(!client.wait_closed().await.clean);
        });
    }
}

/// A client of h2 with the stream of a WebSocket on it.
struct Raw {
    websocket: ServerWebSocket<Upgraded>,
    send: SendStream<Bytes>,
    receive: RecvStream,
    // The connection ends if there is no way to make requests any more.
    _requests: h2::client::SendRequest<Bytes>,
}

impl Raw {
    async fn open(server: &Arc<Server>) -> Self {
        let (requests, connection) = h2::client::handshake(server.connection().0).await.unwrap();
        tokio::spawn(connection);
        let mut requests = requests.ready().await.unwrap();
        while !requests.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let request = http::Request::connect("http://h/")
            .version(http::Version::HTTP_2)
            .header("sec-websocket-version", "13")
            .extension(h2::ext::Protocol::from_static("websocket"))
            .body(())
            .unwrap();
        let (response, send) = requests.send_request(request, false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().get("sec-websocket-accept").is_none());
        let websocket = server.websocket().await;
        Self { websocket, send, receive: response.into_body(), _requests: requests }
    }

    /// Sends a frame with an empty mask.
    fn send(&mut self, opcode: u8, payload: &[u8], end: bool) {
        let head = [0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        self.send.send_data([&head[..], payload].concat().into(), end).unwrap();
    }

    /// Receives until END_STREAM, or until the error of a reset.
    async fn rest(&mut self) -> (Vec<u8>, Option<Reason>) {
        let mut bytes = Vec::new();
        while let Some(data) = self.receive.data().await {
            match data {
                Ok(data) => bytes.extend_from_slice(&data),
                Err(error) => return (bytes, error.reason()),
            }
        }
        (bytes, None)
    }
}

/// RFC 8441 §5: END_STREAM is what FIN is for TCP. The server ends first (RFC 6455 §7.1.1).
#[test]
fn a_server_ends_the_stream_after_its_close() {
    run(async {
        let mut raw = Raw::open(&Server::new(Acceptor::new())).await;
        raw.send(8, &1000_u16.to_be_bytes(), false);
        let (closed, rest) = {
            let Raw { websocket, receive, .. } = &mut raw;
            let closing = websocket.wait_closed();
            let reading = async {
                let mut bytes = Vec::new();
                while let Some(data) = receive.data().await {
                    bytes.extend_from_slice(&data.unwrap());
                }
                bytes
            };
            tokio::join!(closing, reading)
        };
        assert!(closed.clean, "{closed}");
        assert_eq!(rest, [0x88, 2, 3, 232]);
    });
}

/// RFC 8441 §5.
#[test]
fn the_end_of_a_stream_without_a_close_is_an_end_of_the_transport() {
    run(async {
        let mut raw = Raw::open(&Server::new(Acceptor::new())).await;
        raw.send(1, b"last", true);
        assert_eq!(raw.websocket.next().await.unwrap().unwrap(), Message::from("last"));
        assert!(raw.websocket.next().await.unwrap().is_err());
        let closed = raw.websocket.wait_closed().await;
        assert_eq!(closed.cause, Cause::Transport(TransportEnd::Eof));
        assert_eq!(raw.rest().await, (Vec::new(), None));
    });
}

/// RFC 8441 §5: RST_STREAM with CANCEL is what RST is for TCP. hyper itself reports it as an orderly end.
#[test]
fn a_reset_stream_is_a_reset_transport() {
    for reason in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
        run(async move {
            let mut raw = Raw::open(&Server::new(Acceptor::new())).await;
            raw.send(1, b"last", false);
            assert_eq!(raw.websocket.next().await.unwrap().unwrap(), Message::from("last"));
            raw.send.send_reset(reason);
            assert!(raw.websocket.next().await.unwrap().is_err(), "{reason}");
            let closed = raw.websocket.wait_closed().await;
            assert_eq!(closed.cause, Cause::Transport(TransportEnd::Reset), "{reason}");
        });
    }
}

/// A peer that violates the protocol gets its Close and the end of the stream, as on TCP.
#[test]
fn a_fault_of_the_peer_is_told_before_the_stream_ends() {
    run(async {
        let mut raw = Raw::open(&Server::new(Acceptor::new())).await;
        raw.send(3, b"", false);
        assert!(raw.websocket.next().await.unwrap().is_err());
        let serving = tokio::spawn(async move { raw.websocket.wait_closed().await });
        let mut bytes = Vec::new();
        while let Some(data) = raw.receive.data().await {
            bytes.extend_from_slice(&data.unwrap());
        }
        assert_eq!(bytes[..4], [0x88, bytes.len() as u8 - 2, 3, 234]);
        raw.send.send_data(Bytes::new(), true).unwrap();
        assert!(matches!(serving.await.unwrap().cause, Cause::Protocol(_)));
    });
}

/// A stream whose peer takes nothing does not hold up the others of its connection.
#[test]
fn a_stuck_stream_leaves_the_others_alone() {
    run(async {
        let server = Server::new(Acceptor::new());
        let mut http2 = crate::server::http2(server.connection().0).await;
        let connector = Connector::new();
        // Nobody reads from this one.
        let (stuck, _) = connect(&connector, &mut http2, "ws://h/stuck").await.unwrap();
        let mut to_stuck = server.websocket().await;
        let sending = tokio::spawn(async move {
            let _ = to_stuck.send(vec![0; 4_000_000]).await;
        });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!sending.is_finished());
        let (mut client, _) = connect(&connector, &mut http2, "ws://h/other").await.unwrap();
        let mut peer = server.websocket().await;
        peer.send("through").await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::from("through"));
        drop(stuck);
        sending.await.unwrap();
    });
}
