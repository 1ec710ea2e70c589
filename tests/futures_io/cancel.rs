//! What is documented as cancel safe is, at every poll: the future is dropped before each byte.

use crate::compat::{OverWire, websocket};
use futures_util::StreamExt;
use sansocket::{
    CloseCode, Config, Error, Event, Limits, Message,
    connection::{Role, Server},
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::{dropping, run},
    traffic::{decode_as_peer_of, encode},
    transports::wire::{CLIENT, DRIP, SERVER, Wire},
};
use std::pin::pin;

#[derive(Clone, Copy)]
enum By {
    Next,
    Stream,
    Receive,
    ReceiveWith,
}

/// Receives one message.
async fn receive<R: Role + Unpin>(
    websocket: &mut OverWire<R>,
    by: By,
    drops: &mut usize,
) -> Message {
    match by {
        By::Next => dropping!(*drops, websocket.next()).unwrap().unwrap(),
        By::Stream => dropping!(*drops, StreamExt::next(websocket)).unwrap().unwrap(),
        By::Receive => {
            let mut received = None;
            while received.is_none() {
                received = dropping!(*drops, async {
                    let (event, _) = websocket.receive().await.unwrap().unwrap();
                    message(event)
                });
            }
            received.unwrap()
        }
        By::ReceiveWith => {
            let mut received = None;
            let visited = dropping!(
                *drops,
                websocket.receive_with(|event, _| {
                    received = message(event);
                    if received.is_some() { Err(None) } else { Ok(()) }
                })
            );
            assert!(matches!(visited, Err::<(), Option<Error>>(None)));
            received.unwrap()
        }
    }
}

fn message(event: Event<'_>) -> Option<Message> {
    match event {
        Event::Text(text) => Some(Message::text(text)),
        Event::Binary(data) => Some(Message::binary(data.to_vec())),
        _ => None,
    }
}

fn check_receiving<R: Role + Unpin, P: Role>(
    side: usize,
    role: impl Fn() -> R,
    peer: impl Fn() -> P,
) {
    let sizes = [0, 1, 125, 126, 5000, 70_000];
    let bytes = encode(peer(), |connection, output| {
        for size in sizes {
            connection.ping(b"?", output).unwrap();
            connection.send_binary(&vec![7; size], output).unwrap();
        }
    });
    for by in [By::Next, By::Stream, By::Receive, By::ReceiveWith] {
        let wire = Wire::new();
        wire.put(1 - side, &bytes);
        let mut websocket = websocket(wire.end(side, DRIP), role(), Config::default());
        let mut drops = 0;
        let user = async {
            for size in sizes {
                let received = receive(&mut websocket, by, &mut drops).await;
                assert!(received == Message::binary(vec![7; size]), "{size}");
            }
            websocket.flush().await.unwrap();
        };
        run(&wire, &mut [pin!(user)]);
        assert!(drops >= bytes.len(), "{drops} drops for {} bytes", bytes.len());
        let pongs = decode_as_peer_of::<R>(&wire.take(side)).pongs;
        assert!(!pongs.is_empty() && pongs.iter().all(|pong| pong == b"?"));
    }
}

#[test]
fn receiving_can_be_dropped_before_each_byte() {
    check_receiving(SERVER, Server::new, client_role);
    check_receiving(CLIENT, client_role, Server::new);
}

fn check_sending<R: Role + Unpin>(side: usize, role: R) {
    let wire = Wire::new();
    let config = Config::default().limits(Limits::default().queued_output(5000));
    let mut websocket: OverWire<R> = websocket(wire.end(side, DRIP), role, config);
    let sizes = [0, 1, 125, 126, 4000, 3000, 3000, 70_000];
    let mut drops = 0;
    let user = async {
        for size in sizes {
            let payload = vec![7; size];
            dropping!(drops, websocket.feed(&payload)).unwrap();
        }
        dropping!(drops, websocket.flush()).unwrap();
        dropping!(drops, websocket.close(CloseCode::GOING_AWAY, "bye")).unwrap();
        dropping!(drops, websocket.close(CloseCode::NORMAL, "")).unwrap();
    };
    run(&wire, &mut [pin!(user)]);
    let bytes = wire.take(side);
    assert!(drops >= bytes.len() / 2, "{drops} drops for {} bytes", bytes.len());
    let seen = decode_as_peer_of::<R>(&bytes);
    let sent: Vec<_> = sizes.iter().map(|&size| Message::binary(vec![7; size])).collect();
    assert!(seen.messages == sent, "{} messages", seen.messages.len());
}

#[test]
fn feeding_flushing_and_closing_can_be_dropped_before_each_byte() {
    check_sending(SERVER, Server::new());
    check_sending(CLIENT, client_role());
}
