//! Control frames are sent between the frames of queued messages to a peer that reads slowly.

use sansocket::{
    Config, Limits, Message, PreparedMessage,
    connection::{Role, Server},
    frame::OpCode,
};
use sansocket_testkit::{
    endpoint::client_role,
    frames::{PING, TEXT, frame, masked},
    polling::poll_once,
    traffic::{decode_as_peer_of, frames},
    transports::wire::{CLIENT, EAGER, Manner, SERVER, Vectored, Wire, websocket},
};

const LEN: usize = 1 << 20;
/// A frame of 64 KiB.
const FRAME: usize = (64 << 10) + 14;

/// Checks a peer that takes some bytes, then pings, then takes the rest.
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
            _ => (0..LEN / 1024).try_for_each(|_| socket.try_feed([7; 1024])),
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

/// Nothing precedes bytes that were offered to the transport, after which a large message was
/// copied. The wire asserts this.
#[test]
fn a_pong_does_not_precede_offered_bytes_of_a_large_message() {
    let wire = Wire::new();
    let mut socket = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    wire.put(CLIENT, &[masked(TEXT, b"first"), masked(PING, b"?")].concat());
    assert!(matches!(poll_once(socket.next()), std::task::Poll::Ready(Some(Ok(_)))));
    // The transport takes only the first of two frames.
    let message = Message::binary(vec![7; 60_000]);
    wire.set_room(SERVER, 60_004);
    for _ in 0..2 {
        socket.try_feed(&message).unwrap();
    }
    socket.try_feed([8; 100_000]).unwrap();
    assert_eq!(wire.pending(SERVER), 60_004);
    assert!(socket.receive_buffered().is_some());
    wire.set_room(SERVER, usize::MAX);
    assert!(matches!(poll_once(socket.flush()), std::task::Poll::Ready(Ok(()))));
    let seen = decode_as_peer_of::<Server>(&wire.take(SERVER));
    assert_eq!((seen.messages.len(), seen.pongs.len()), (3, 1));
}

#[test]
fn a_pong_waits_for_at_most_one_fragment() {
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
