//! How connections end: with the closing handshake, with the end of a stream, and with a reset.

use crate::server::{BOTH, Body, Server, Version, on_both, run};
use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansocket::{
    CloseCode, Closed, Config, Message,
    client::Connector,
    connection::{Cause, Initiator, Keepalive, Role, TransportEnd},
    on_tokio::{self, ServerWebSocket},
    server::Acceptor,
};
use sansocket_hyper::{Upgraded, connect};
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

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

/// A client of HTTP/2 has to close: hyper resets its stream when it is dropped, and discards what waits.
#[test]
fn what_was_sent_before_a_drop_arrives() {
    on_both(|version| async move {
        let server = Server::new(Acceptor::new());
        let message = Message::from(vec![7; 50_000]);
        let (mut client, mut peer) = server.open(version, &Connector::new()).await.unwrap();
        peer.send(&message).await.unwrap();
        drop(peer);
        assert_eq!(client.next().await.unwrap().unwrap(), message);
        assert!(client.next().await.unwrap().is_err());

        let (mut client, mut peer) = server.open(version, &Connector::new()).await.unwrap();
        client.send(&message).await.unwrap();
        if version == Version::Http2 {
            let receiving = tokio::spawn(async move {
                let received = peer.next().await.unwrap().unwrap();
                assert!(peer.next().await.is_none());
                received
            });
            client.close(CloseCode::NORMAL, "").await.unwrap();
            assert!(client.wait_closed().await.clean);
            drop(client);
            assert_eq!(receiving.await.unwrap(), message);
        } else {
            drop(client);
            assert_eq!(peer.next().await.unwrap().unwrap(), message);
        }
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
        // Large enough for every write to be one frame of HTTP/2.
        let mut client = h2::client::Builder::new();
        client.initial_window_size(1 << 19).initial_connection_window_size(1 << 19);
        client.max_frame_size(1 << 18);
        let (requests, connection) = client.handshake(server.connection().0).await.unwrap();
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

/// Each write costs a wakeup and a frame of HTTP/2, so it should not be for a few bytes.
#[test]
fn a_fragment_leaves_in_one_write_with_its_header() {
    run(async {
        let Raw { mut websocket, mut receive, send: _send, _requests } =
            Raw::open(&Server::new(Acceptor::new())).await;
        websocket.send(vec![0; 200_000]).await.unwrap();
        let mut sizes = Vec::new();
        while sizes.iter().sum::<usize>() < 200_000 {
            sizes.push(receive.data().await.unwrap().unwrap().len());
        }
        assert_eq!(sizes, [65_546, 65_546, 65_546, 3396]);
    });
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

/// The task that writes learns of the reset too.
#[test]
fn a_reset_ends_a_send_that_waits() {
    for reason in [Reason::CANCEL, Reason::INTERNAL_ERROR] {
        run(async move {
            let Raw { mut websocket, mut send, receive: _unread, _requests } =
                Raw::open(&Server::new(Acceptor::new())).await;
            let sending = tokio::spawn(async move {
                let outcome = websocket.send(vec![0; 4_000_000]).await;
                (outcome, websocket.wait_closed().await)
            });
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(!sending.is_finished());
            send.send_reset(reason);
            let (outcome, closed) = sending.await.unwrap();
            assert!(outcome.is_err());
            assert_eq!(closed.cause, Cause::Transport(TransportEnd::Reset), "{reason}");
        });
    }
}

/// A stream has the time limits of any connection, although its peer can stop it with its window.
#[test]
fn time_limits_apply_to_a_stream_whose_peer_takes_nothing() {
    run(async {
        let Raw { mut websocket, send: _send, mut receive, _requests } =
            Raw::open(&Server::new(Acceptor::new())).await;
        let second = Duration::from_secs(1);
        assert!(timeout(second, websocket.send(vec![0; 4_000_000])).await.is_err());
        assert!(websocket.close(CloseCode::NORMAL, "").await.is_err());
        let closed = websocket.wait_closed().await;
        assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
        drop(websocket);
        // hyper ends the stream once the peer takes what was written to it.
        while let Some(data) = receive.data().await {
            receive.flow_control().release_capacity(data.unwrap().len()).unwrap();
        }
    });
}

#[test]
fn keepalive_ends_a_stream_whose_peer_does_not_answer() {
    run(async {
        let keepalive = Keepalive::new(Duration::from_secs(20), Duration::from_secs(5));
        let config = Config::default().keepalive(keepalive);
        let mut raw = Raw::open(&Server::new(Acceptor::new().config(config))).await;
        assert!(raw.websocket.next().await.unwrap().is_err());
        let closed = raw.websocket.wait_closed().await;
        assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
        drop(raw.websocket);
        let ping = raw.receive.data().await.unwrap().unwrap();
        assert_eq!(ping[0], 0x89);
    });
}

#[test]
fn a_dropped_upgrade_ends_the_connection() {
    on_both(|version| async move {
        let server = Server::new(Acceptor::new());
        let (stream, _) = server.connection();
        let client = crate::server::client(version, stream, &Connector::new(), "ws://h/").await;
        let mut client = client.unwrap();
        drop(server.upgrade());
        assert!(client.next().await.unwrap().is_err());
        assert_eq!(client.wait_closed().await.code, CloseCode::ABNORMAL);
    });
}

/// GOAWAY (RFC 9113 §6.8) refuses new streams alone.
#[test]
fn a_graceful_shutdown_of_http2_waits_for_its_websockets() {
    run(async {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (upgrades, mut upgrade) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let service = service_fn(move |mut request| {
                let (response, upgrade) =
                    sansocket_hyper::upgrade::<Incoming, Body>(&mut request).unwrap();
                upgrades.send(upgrade).unwrap();
                async { Ok::<_, Infallible>(response) }
            });
            let mut builder = conn::http2::Builder::new(TokioExecutor::new());
            let connection =
                builder.enable_connect_protocol().serve_connection(TokioIo::new(far), service);
            let mut connection = pin!(connection);
            tokio::select! {
                outcome = connection.as_mut() => return outcome,
                _ = stopped => connection.as_mut().graceful_shutdown(),
            }
            connection.await
        });
        let mut http2 = crate::server::http2(near).await;
        let connector = Connector::new();
        let (mut client, _) = connect(&connector, &mut http2, "ws://h/").await.unwrap();
        let mut peer = upgrade.recv().await.unwrap().await.unwrap();
        stop.send(()).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(connect(&connector, &mut http2, "ws://h/").await.unwrap_err().is_transient());
        client.send("still open").await.unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::from("still open"));
        assert!(!serving.is_finished());
        peer.close(CloseCode::GOING_AWAY, "").await.unwrap();
        let (at_client, at_server) =
            tokio::join!(until_closed(&mut client), until_closed(&mut peer));
        assert!(at_client.clean && at_server.clean);
        drop((client, peer));
        serving.await.unwrap().unwrap();
    });
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
