//! Control frames go between the frames of what waits for a peer that reads slowly.

use sansocket::{Config, Limits, Message, OpCode, PreparedMessage, Role, Server};
use sansocket_testkit::{
    endpoint::client_role,
    frames::{PING, frame},
    polling::poll_once,
    traffic::{decode_as_peer_of, frames},
    transports::wire::{CLIENT, EAGER, Manner, SERVER, Vectored, Wire, websocket},
};

const LEN: usize = 1 << 20;
/// A frame of 64 KiB.
const FRAME: usize = (64 << 10) + 14;

/// The peer takes so much, then pings, then takes the rest.
fn check<R: Role>(role: R, taken: usize, manner: Manner) {
    let side = if R::MASKS { CLIENT } else { SERVER };
    let message = Message::binary(vec![7; LEN]);
    let prepared = PreparedMessage::new(message.clone());
    let wire = Wire::new();
    wire.set_room(side, 0);
    let config = Config::default().limits(Limits::default().queued_output(8 * LEN));
    let mut socket = websocket(wire.end(side, manner), role, config);
    for way in 0..5 {
        wire.set_room(side, taken);
        let fed = match way {
            0 => socket.try_feed(message.as_bytes()),
            1 => socket.try_feed(&message),
            2 => socket.try_feed(&prepared),
            3 => {
                assert!(poll_once(socket.send(&prepared)).is_pending());
                Ok(())
            }
            _ => (0..LEN / 1024).try_for_each(|_| socket.try_feed(&[7; 1024])),
        };
        fed.unwrap();
        assert!(poll_once(socket.flush()).is_pending());
        wire.put(1 - side, &frame::<R>(PING, b"?"));
        assert!(poll_once(socket.next()).is_pending());
        wire.set_room(side, usize::MAX);
        assert!(matches!(poll_once(socket.flush()), std::task::Poll::Ready(Ok(()))));
        let bytes = wire.take(side);
        let pong = frames(&bytes).into_iter().find(|(_, opcode)| *opcode == OpCode::Pong);
        let is_soon = pong.is_some_and(|(at, _)| (taken..=taken + FRAME).contains(&at));
        assert!(is_soon, "way {way}, {taken}: {pong:?}");
        let messages = decode_as_peer_of::<R>(&bytes).messages;
        assert_eq!(messages.iter().map(|message| message.as_bytes().len()).sum::<usize>(), LEN);
    }
}

#[test]
fn a_pong_does_not_wait_behind_more_than_a_fragment() {
    for (most, vectored) in
        [(usize::MAX, Vectored::All), (10_000, Vectored::All), (usize::MAX, Vectored::No)]
    {
        for taken in [0, 1, 10, FRAME - 4, 100_000, 500_000] {
            let manner = Manner { most, vectored, ..EAGER };
            check(Server::new(), taken, manner);
            check(client_role(), taken, manner);
        }
    }
}
