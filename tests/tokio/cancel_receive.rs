//! Receiving is cancel safe: its future is dropped before each byte, and nothing is lost,
//! duplicated or reordered.

use futures_util::StreamExt;
use sansocket::{
    CloseCode, Config, Error, Event, Message,
    connection::{Role, Server},
    on_tokio::WebSocket,
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::{dropping, run},
    traffic::{decode_as_peer_of, encode},
    transports::wire::{CLIENT, DRIP, End, SERVER, Wire, websocket},
};
use std::{pin::pin, time::Duration};

/// Returns messages in one frame and in several, with control frames in between: the bytes, the
/// expected messages and the expected payloads of pings. The last byte belongs to a message.
fn traffic<P: Role>(peer: P) -> (Vec<u8>, Vec<Message>, Vec<Vec<u8>>) {
    let large = vec![7; 140_000];
    let bytes = encode(peer, |connection, output| {
        connection.send_text("κόσμε 🌍", output).unwrap();
        connection.ping(b"first", output).unwrap();
        connection.send_fragment("κό", false, output).unwrap();
        connection.ping([9; 125], output).unwrap();
        connection.send_fragment("", false, output).unwrap();
        connection.pong(b"unasked", output).unwrap();
        connection.send_fragment("σμε 🌍", true, output).unwrap();
        // In fragments of 64 KiB.
        connection.send_binary(&large, output).unwrap();
        connection.send_binary(&[], output).unwrap();
        connection.ping(b"", output).unwrap();
        for size in [125, 126, 20_000] {
            connection.send_binary(&large[..size], output).unwrap();
        }
    });
    let mut messages = vec![Message::text("κόσμε 🌍"), Message::text("κόσμε 🌍")];
    let binary = [140_000, 0, 125, 126, 20_000].iter().map(|&size| &large[..size]);
    messages.extend(binary.map(|data| Message::binary(data.to_vec())));
    (bytes, messages, vec![b"first".to_vec(), vec![9; 125], Vec::new()])
}

/// A method of receiving a number of messages, whose futures are dropped whenever they are pending.
trait Way {
    async fn receive<R: Role + Unpin>(
        websocket: &mut WebSocket<End, R>,
        count: usize,
        drops: &mut usize,
    ) -> Vec<Message>;
}

/// Each byte causes one drop: the first poll is pending before any byte arrives, and the last is
/// ready.
fn check_role<W: Way, R: Role + Unpin, P: Role>(side: usize, role: R, peer: P) {
    let (bytes, expected, pings) = traffic(peer);
    let wire = Wire::new();
    wire.put(1 - side, &bytes);
    let mut websocket = websocket(wire.end(side, DRIP), role, Config::default());
    let (mut drops, mut received) = (0, Vec::new());
    let user = async { received = W::receive(&mut websocket, expected.len(), &mut drops).await };
    run(&wire, &mut [pin!(user)]);
    assert!(received == expected, "{} messages", received.len());
    assert_eq!(drops, bytes.len());
    run(&wire, &mut [pin!(async { websocket.flush().await.unwrap() })]);
    assert_eq!(decode_as_peer_of::<R>(&wire.take(side)).pongs, pings);
}

fn check<W: Way>() {
    check_role::<W, _, _>(SERVER, Server::new(), client_role());
    check_role::<W, _, _>(CLIENT, client_role(), Server::new());
}

#[test]
fn next_can_be_dropped_before_each_byte() {
    struct Next;
    impl Way for Next {
        async fn receive<R: Role + Unpin>(
            websocket: &mut WebSocket<End, R>,
            count: usize,
            drops: &mut usize,
        ) -> Vec<Message> {
            let mut messages = Vec::new();
            while messages.len() < count {
                messages.push(dropping!(*drops, websocket.next()).unwrap().unwrap());
            }
            messages
        }
    }
    check::<Next>();
}

#[test]
fn a_stream_can_be_dropped_before_each_byte() {
    struct AsStream;
    impl Way for AsStream {
        async fn receive<R: Role + Unpin>(
            websocket: &mut WebSocket<End, R>,
            count: usize,
            drops: &mut usize,
        ) -> Vec<Message> {
            let mut messages = Vec::new();
            while messages.len() < count {
                messages.push(dropping!(*drops, StreamExt::next(websocket)).unwrap().unwrap());
            }
            messages
        }
    }
    check::<AsStream>();
}

#[test]
fn receive_can_be_dropped_before_each_byte() {
    struct Lent;
    impl Way for Lent {
        async fn receive<R: Role + Unpin>(
            websocket: &mut WebSocket<End, R>,
            count: usize,
            drops: &mut usize,
        ) -> Vec<Message> {
            let (mut messages, mut controls) = (Vec::new(), 0);
            while messages.len() < count {
                let received = dropping!(*drops, async {
                    let (event, _) = websocket.receive().await.unwrap().unwrap();
                    event.to_message()
                });
                controls += usize::from(received.is_none());
                messages.extend(received);
            }
            assert_eq!(controls, 4, "three pings and a pong");
            messages
        }
    }
    check::<Lent>();
}

#[test]
fn receive_with_can_be_dropped_before_each_byte() {
    enum Stop {
        Enough,
        Failed(Error),
    }
    impl From<Error> for Stop {
        fn from(error: Error) -> Self {
            Self::Failed(error)
        }
    }
    struct Visited;
    impl Way for Visited {
        async fn receive<R: Role + Unpin>(
            websocket: &mut WebSocket<End, R>,
            count: usize,
            drops: &mut usize,
        ) -> Vec<Message> {
            let (mut messages, mut controls) = (Vec::new(), 0);
            let outcome = dropping!(
                *drops,
                websocket.receive_with(|event, _| {
                    match event.to_message() {
                        Some(message) => messages.push(message),
                        None => controls += 1,
                    }
                    if messages.len() == count { Err(Stop::Enough) } else { Ok(()) }
                })
            );
            match outcome {
                Err(Stop::Enough) => {}
                Err(Stop::Failed(error)) => panic!("{error}"),
                Ok(()) => panic!("expected the end"),
            }
            assert_eq!(controls, 4, "three pings and a pong");
            messages
        }
    }
    check::<Visited>();
}

#[test]
fn receive_chunk_can_be_dropped_before_each_byte() {
    struct InChunks;
    impl Way for InChunks {
        async fn receive<R: Role + Unpin>(
            websocket: &mut WebSocket<End, R>,
            count: usize,
            drops: &mut usize,
        ) -> Vec<Message> {
            let (mut messages, mut current) = (Vec::new(), None);
            while messages.len() < count {
                dropping!(*drops, async {
                    let (chunk, _) = websocket.receive_chunk().await.unwrap().unwrap();
                    let (is_text, piece) = match chunk.event {
                        Event::Text(text) => (true, text.as_bytes()),
                        Event::Binary(data) => (false, data),
                        _ => return,
                    };
                    assert_eq!(chunk.first, current.is_none());
                    current.get_or_insert_with(Vec::new).extend_from_slice(piece);
                    if chunk.last {
                        let whole = current.take().unwrap();
                        messages.push(match is_text {
                            true => Message::text(String::from_utf8(whole).unwrap()),
                            false => Message::binary(whole),
                        });
                    }
                });
            }
            messages
        }
    }
    check::<InChunks>();
}

#[test]
fn waiting_for_the_end_can_be_dropped_before_each_byte() {
    fn check<R: Role, P: Role>(side: usize, role: R, peer: P) {
        let (mut bytes, _, pings) = traffic(peer);
        bytes.extend(if R::MASKS {
            encode(Server::new(), |end, output| {
                end.close(CloseCode::GOING_AWAY, "", output).unwrap()
            })
        } else {
            encode(client_role(), |end, output| {
                end.close(CloseCode::GOING_AWAY, "", output).unwrap()
            })
        });
        let wire = Wire::new();
        wire.put(1 - side, &bytes);
        wire.finish(1 - side);
        // So many drops take a while on a busy machine.
        let config = Config::default().close_timeout(Duration::from_secs(600));
        let mut websocket = websocket(wire.end(side, DRIP), role, config);
        let (mut drops, mut closed) = (0, None);
        let user = async {
            let waited = dropping!(drops, async { websocket.wait_closed().await });
            closed = Some(waited);
        };
        run(&wire, &mut [pin!(user)]);
        // It also waits before the end of the transport, and when it yields.
        assert!((bytes.len() + 1..bytes.len() + 10).contains(&drops), "{drops}");
        let closed = closed.unwrap();
        assert!(closed.clean && closed.code == CloseCode::GOING_AWAY, "{closed:?}");
        // The Close was queued at once; pings were answered after it until the peer's Close
        // arrived.
        let sent = wire.take(side);
        let close_len = if R::MASKS { 8 } else { 4 };
        assert_eq!(decode_as_peer_of::<R>(&sent[..close_len]).closes, 1);
        assert_eq!(decode_as_peer_of::<R>(&sent[close_len..]).pongs, pings);
    }
    check(SERVER, Server::new(), client_role());
    check(CLIENT, client_role(), Server::new());
}
