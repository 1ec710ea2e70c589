//! What is passed on, and what is refused.

use crate::world::World;
use sansocket::{
    CloseCode,
    connection::ProtocolError,
    frame::{CloseFrameError, Rsv},
    handshake::Negotiated,
    relay::{FrameRelay, Passage, Side},
};
use sansocket_testkit::frames::*;

fn extended(list: &str) -> Negotiated {
    Negotiated::new().extension(list).unwrap()
}

fn first(from: Side, negotiated: &Negotiated, input: &[u8]) -> Result<usize, ProtocolError> {
    let passage = FrameRelay::new(from, negotiated).advance(input)?;
    Ok(passage.map_or(0, |passage| passage.len()))
}

#[test]
fn everything_passes_without_a_change() {
    let client: Vec<_> = [
        frame_with(TEXT, b"hello", Some([9, 8, 7, 6])),
        masked(BINARY_START, &[1; 70_000]),
        masked(PING, b"are you there?"),
        masked(MORE, b""),
        masked(LAST, &[2; 200]),
        masked(PONG, b""),
    ]
    .concat();
    let server: Vec<_> = [
        plain(TEXT_START, b"\xff is not text, and the endpoint says so"),
        plain(PONG, b"I am"),
        plain(LAST, b""),
        plain(BINARY, &[3; 100_000]),
    ]
    .concat();
    let mut world = World::new();
    world.client.sends(&client);
    world.server.sends(&server);
    assert_eq!(world.run(), None);
    assert!(world.server.received == client);
    assert!(world.client.received == server);
}

#[test]
fn a_frame_passes_as_it_arrives() {
    let mut world = World::new();
    let frame = plain(BINARY, &[7; 1000]);
    for (at, byte) in frame.iter().enumerate() {
        world.server.sends([*byte]);
        world.run();
        let expected = if at < 3 { 0 } else { at + 1 };
        assert_eq!(world.client.received.len(), expected);
    }
}

#[test]
fn a_control_frame_passes_as_a_whole() {
    let mut world = World::new();
    let ping = masked(PING, b"hello");
    world.client.sends(&ping[..10]);
    world.run();
    assert!(world.server.received.is_empty());
    world.client.sends(&ping[10..]);
    world.run();
    assert_eq!(world.server.received, ping);
}

#[test]
fn the_relay_sees_the_close() {
    let mut frames = FrameRelay::new(Side::Client, &Negotiated::new());
    let close = [&masked(CLOSE, b"\x0f\xa0later")[..], b"junk"].concat();
    let len = close.len() - 4;
    let passage = frames.advance(&close).unwrap().unwrap();
    let Passage::Close { code, reason, .. } = &passage else { panic!("{passage:?}") };
    assert_eq!((passage.len(), *code, &**reason), (len, Some(CloseCode::new(4000)), "later"));
    assert!(frames.is_closed());
    assert_eq!(frames.advance(&close[len..]), Ok(None));
}

#[test]
fn masks_follow_the_role() {
    let none = Negotiated::new();
    assert_eq!(first(Side::Client, &none, &plain(TEXT, b"x")), Err(ProtocolError::Unmasked));
    assert_eq!(first(Side::Server, &none, &masked(TEXT, b"x")), Err(ProtocolError::Masked));
}

#[test]
fn reserved_bits_are_for_extensions() {
    let (none, deflate) =
        (Negotiated::new(), extended("permessage-deflate; server_max_window_bits=9"));
    let unknown = extended("x-private, permessage-deflate");
    for (first_byte, allowed) in [
        (TEXT | 0x40, [false, true, true]),
        (BINARY_START | 0x40, [false, true, true]),
        (TEXT | 0x20, [false, false, true]),
        (TEXT | 0x50, [false, false, true]),
        (PING | 0x40, [false, false, true]),
    ] {
        for (negotiated, allowed) in [&none, &deflate, &unknown].into_iter().zip(allowed) {
            let result = first(Side::Server, negotiated, &plain(first_byte, b"x"));
            let is_refused = matches!(result, Err(ProtocolError::ReservedBits(_)));
            assert_eq!(is_refused, !allowed, "{first_byte:x} with {negotiated:?}");
        }
    }
    // RFC 7692 §6: not on a later frame of a message.
    let mut frames = FrameRelay::new(Side::Server, &deflate);
    assert!(frames.advance(&plain(TEXT_START | 0x40, b"x")).unwrap().is_some());
    let later = frames.advance(&plain(LAST | 0x40, b"x"));
    assert_eq!(later, Err(ProtocolError::ReservedBits(Rsv::RSV1)));
    // The error stays.
    assert_eq!(frames.advance(&plain(LAST, b"x")), Err(ProtocolError::ReservedBits(Rsv::RSV1)));
}

#[test]
fn fragments_are_in_order() {
    let mut frames = FrameRelay::new(Side::Server, &Negotiated::new());
    let unexpected = frames.clone().advance(&plain(LAST, b""));
    assert_eq!(unexpected, Err(ProtocolError::UnexpectedContinuation));
    frames.advance(&plain(TEXT_START, b"x")).unwrap();
    frames.advance(&plain(PING, b"x")).unwrap();
    assert_eq!(frames.advance(&plain(TEXT, b"x")), Err(ProtocolError::ExpectedContinuation));
}

#[test]
fn closes_are_valid() {
    let none = Negotiated::new();
    for (payload, error) in [
        (&b"\x03"[..], CloseFrameError::HalfCode),
        (b"\x03\xee", CloseFrameError::UnsendableCode(CloseCode::ABNORMAL)),
        (b"\x03\xe8a\xff", CloseFrameError::ReasonNotUtf8(1)),
    ] {
        assert_eq!(first(Side::Client, &none, &masked(CLOSE, payload)), Err(error.into()));
    }
    assert_eq!(first(Side::Client, &none, &masked(CLOSE, b"")), Ok(6));
}

#[test]
fn limits_hold_before_anything_passes() {
    let frames = FrameRelay::new(Side::Server, &Negotiated::new());
    let mut limited = frames.clone().frame_limit(100);
    assert_eq!(limited.advance(&plain(BINARY, &[0; 100])).unwrap().unwrap().len(), 102);
    let error = limited.advance(&header_with(BINARY, 101, None)).unwrap_err();
    assert_eq!(error, ProtocolError::FrameTooLarge { len: 101, limit: 100 });
    assert_eq!(error.close_code(), CloseCode::MESSAGE_TOO_BIG);

    let mut limited = frames.message_limit(100);
    for _ in 0..2 {
        // The next message counts anew.
        limited.advance(&plain(BINARY_START, &[0; 60])).unwrap();
        limited.advance(&plain(LAST, &[0; 40])).unwrap();
    }
    limited.advance(&plain(BINARY_START, &[0; 60])).unwrap();
    let error = limited.advance(&header_with(MORE, 41, None)).unwrap_err();
    assert_eq!(error, ProtocolError::MessageTooLarge { len: 101, limit: 100 });
    let mut world = World::with(|relay| relay.frame_limit(10).message_limit(10));
    world.client.sends(masked(TEXT, &[b'x'; 11]));
    world.run();
    assert!(world.client.received.starts_with(&[CLOSE]));
    assert_eq!(world.client.received[2..4], 1009_u16.to_be_bytes());
}

#[test]
fn a_slow_side_stops_the_other() {
    let mut world = World::new();
    world.client.takes = Some(100);
    let frames = plain(BINARY, &[5; 1 << 20]);
    world.server.sends(&frames);
    assert_eq!(world.run(), None);
    let held = frames.len() - world.server.unread() - 100;
    assert!((64 << 10..80 << 10).contains(&held), "{held} bytes are held");
    // The other direction goes on.
    world.client.sends(masked(TEXT, b"hello"));
    world.run();
    assert_eq!(world.server.take(), masked(TEXT, b"hello"));
    world.client.takes = None;
    world.run();
    assert!(world.client.received == frames);
}
