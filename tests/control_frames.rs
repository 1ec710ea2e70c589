//! Control frames are sent between the frames of queued messages (RFC 6455 §5.4): with every method
//! of sending, neither a pong nor the Close of a failure waits for more than one fragment.
#![cfg(feature = "std")]

use sansocket::{
    Config, Limits, Message, Payload, PreparedMessage,
    buffer::WriteBuffer,
    connection::{Connection, ProtocolError, Role},
    frame::OpCode,
    transport::IoFailure,
};
use sansocket_testkit::{
    endpoint::*,
    frames::*,
    traffic::{decode_as_peer_of, frames},
};

const FRAGMENT: usize = 64 << 10;
/// The largest header.
const HEADER: usize = 14;
/// The memory that pongs may take.
const PONGS: usize = 4096;
const LEN: usize = 300_000;

fn config() -> Config {
    Config::default().limits(Limits::default().queued_output(16 << 20))
}

fn data(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

type Send<R> = fn(&mut Connection<R>, &mut WriteBuffer);

/// Lists all methods of queueing about `LEN` bytes.
fn ways<R: Role>() -> [(&'static str, Send<R>); 10] {
    [
        ("borrowed", |connection, output| {
            connection.send_binary(&data(LEN), output).unwrap();
        }),
        ("uncompressed", |connection, output| {
            connection.send(Payload::from(&data(LEN)).uncompressed(), output).unwrap();
        }),
        ("owned", |connection, output| {
            connection.send(Message::binary(data(LEN)), output).unwrap();
        }),
        ("owned, of no more than a fragment each", |connection, output| {
            let message = Message::binary(data(40_000));
            (0..LEN / 40_000).for_each(|_| connection.send(&message, output).unwrap());
        }),
        ("prepared", |connection, output| {
            let message = PreparedMessage::new(Message::binary(data(LEN)));
            connection.send_prepared(&message, output).unwrap();
        }),
        ("a piece of a message", |connection, output| {
            connection.send_fragment(&data(LEN)[..], false, output).unwrap();
            connection.send_fragment("".as_bytes(), true, output).unwrap();
        }),
        ("many short messages", |connection, output| {
            let message = data(99);
            (0..LEN / 99).for_each(|_| connection.send_binary(&message, output).unwrap());
        }),
        ("many short prepared messages", |connection, output| {
            let message = PreparedMessage::new(Message::binary(data(3000)));
            (0..LEN / 3000).for_each(|_| connection.send_prepared(&message, output).unwrap());
        }),
        ("written in place", |connection, output| {
            let payload = data(LEN);
            let payload = Payload::from(&payload);
            drop(connection.send_in_place(&payload, output).unwrap());
        }),
        ("pings", |connection, output| {
            (0..LEN / 125).for_each(|_| connection.ping([7; 125], output).unwrap());
        }),
    ]
}

/// Takes the next `count` bytes from the queue, and marks them as written.
fn write<R: Role>(end: &mut Endpoint<R>, mut count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while count > 0 && !end.output.is_empty() {
        let front = end.output.front();
        let front = &front[..front.len().min(count)];
        bytes.extend_from_slice(front);
        count -= front.len();
        let written = front.len();
        end.connection.did_write(Ok(written), &mut end.output);
    }
    bytes
}

fn ping<R: Role>(end: &mut Endpoint<R>, number: u32) {
    end.fill(&frame::<R>(PING, &number.to_be_bytes()));
    assert!(end.messages().unwrap().is_empty());
}

/// Checks the pongs for a peer that reads slowly and pings after every `step` bytes.
fn check_pongs<R: Role>(mut end: Endpoint<R>, send: Send<R>, step: usize, fragment: usize) {
    let expected = {
        let mut output = WriteBuffer::new();
        send(&mut end.connection, &mut output);
        decode_as_peer_of::<R>(&take(&mut output)).messages
    };
    send(&mut end.connection, &mut end.output);
    let (mut bytes, mut asked) = (Vec::new(), Vec::new());
    loop {
        bytes.extend(write(&mut end, step));
        if end.output.is_empty() {
            break;
        }
        ping(&mut end, asked.len() as u32);
        asked.push(bytes.len());
    }
    let pongs = frames(&bytes).into_iter().filter(|(_, opcode)| *opcode == OpCode::Pong);
    let came: Vec<_> = pongs.map(|(at, _)| at).collect();
    assert_eq!(came.len(), asked.len());
    for (asked, came) in asked.iter().zip(came) {
        let most = fragment + HEADER + PONGS;
        assert!((*asked..=asked + most).contains(&came), "asked at {asked}, came at {came}");
    }
    let seen = decode_as_peer_of::<R>(&bytes);
    assert!(seen.messages == expected, "the messages differ");
    let numbers = (0..asked.len() as u32).map(|number| number.to_be_bytes().to_vec());
    assert!(seen.pongs.into_iter().eq(numbers), "pongs stay in order");
}

#[test]
fn a_pong_waits_for_at_most_one_fragment() {
    for step in [5003, 65_537, 150_007] {
        for fragment in [FRAGMENT, 7000, 0] {
            let config = config().fragment_size(fragment);
            // Messages with frames of their own length, or in a single frame, can't be split.
            let most = |name: &str, is_server: bool| match (name, fragment) {
                ("prepared", _) if is_server => FRAGMENT,
                ("headers alone", 7000) => 9000,
                ("headers alone" | "pings", 0) => FRAGMENT,
                (_, 0) if name.starts_with("many short") => FRAGMENT,
                (_, 0) => LEN,
                _ => fragment,
            };
            for (name, send) in ways() {
                println!("server, {name}, {step}, {fragment}");
                check_pongs(server(config), send, step, most(name, true));
            }
            for (name, send) in ways() {
                println!("client, {name}, {step}, {fragment}");
                check_pongs(client(config), send, step, most(name, false));
            }
        }
    }
}

/// Otherwise a pong would be sent only after everything else.
#[test]
fn a_pong_precedes_everything_after_the_first_fragment() {
    let mut end = server(config());
    end.connection.send_binary(&data(LEN), &mut end.output).unwrap();
    ping(&mut end, 7);
    let pong = frames(&end.written())[1];
    assert_eq!(pong, (FRAGMENT + 10, OpCode::Pong));
}

/// TLS may have prepared the bytes that it was offered when it was not ready.
#[test]
fn offered_bytes_are_offered_again() {
    fn check<R: Role>(mut end: Endpoint<R>, send: Send<R>, written: usize) {
        send(&mut end.connection, &mut end.output);
        write(&mut end, written);
        for number in 0..3 {
            let offered = end.output.front().to_vec();
            end.connection.did_write(Err(IoFailure::NotReady), &mut end.output);
            ping(&mut end, number);
            assert!(end.output.front().starts_with(&offered), "{written}, {number}");
            write(&mut end, offered.len() / 2);
        }
    }
    for written in [0, 1, 1000, FRAGMENT, FRAGMENT + 10, FRAGMENT + 14, 200_000] {
        for (_, send) in ways() {
            check(server(config()), send, written);
        }
        for (_, send) in ways() {
            check(client(config()), send, written);
        }
    }
}

/// Queued messages have no use any more, so the peer is told why as soon as a frame ends.
#[test]
fn the_close_of_a_failure_replaces_the_queue() {
    fn check<R: Role>(mut end: Endpoint<R>, send: Send<R>, written: usize, has_pinged: bool) {
        send(&mut end.connection, &mut end.output);
        let mut bytes = write(&mut end, written);
        if has_pinged {
            ping(&mut end, 7);
        }
        // A frame for the wrong role: masked although it must not be, or the other way round.
        let wrong = if R::MASKS { masked(TEXT, b"!") } else { plain(TEXT, b"!") };
        end.fill(&wrong);
        assert!(end.messages().is_err());
        bytes.extend(end.written());
        let why = if R::MASKS { ProtocolError::Masked } else { ProtocolError::Unmasked };
        let close_len = failure_close(why).len() + if R::MASKS { 4 } else { 0 };
        assert!(bytes.len() <= written + FRAGMENT + HEADER + close_len + 10, "{}", bytes.len());
        let frames = frames(&bytes);
        let (at, opcode) = *frames.last().unwrap();
        assert_eq!((at + close_len, opcode), (bytes.len(), OpCode::Close));
        let pongs = frames.iter().filter(|(_, opcode)| *opcode == OpCode::Pong).count();
        assert_eq!(pongs, usize::from(has_pinged));
    }
    for written in [0, 1, 1000, FRAGMENT, FRAGMENT + 10, FRAGMENT + 11, 200_000] {
        for has_pinged in [false, true] {
            for (_, send) in ways() {
                check(server(config()), send, written, has_pinged);
            }
            for (_, send) in ways() {
                check(client(config()), send, written, has_pinged);
            }
        }
    }
}

/// A Close that the user sends, or that answers the peer's Close, follows the whole queue.
#[test]
fn an_orderly_close_comes_last() {
    let mut end = server(config());
    end.connection.send_binary(&data(LEN), &mut end.output).unwrap();
    end.fill(&frame::<sansocket::connection::Server>(CLOSE, &[3, 0xe8]));
    assert!(end.messages().unwrap().is_empty());
    let bytes = end.written();
    assert_eq!(
        decode_as_peer_of::<sansocket::connection::Server>(&bytes).messages,
        [Message::binary(data(LEN))]
    );
    assert!(bytes.ends_with(&[0x88, 2, 3, 0xe8]));
}

#[cfg(feature = "deflate")]
mod deflate {
    use super::*;
    use sansocket::{
        DeflateConfig, Event, connection::Server, deflate::DeflateParameters, handshake::Negotiated,
    };

    /// Returns bytes that compress to about half their length.
    fn digits(len: usize) -> String {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from_digit(state >> 28, 16).unwrap()
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn a_pong_is_sent_between_the_frames_of_a_compressed_message() {
        let mut negotiated = Negotiated::new();
        negotiated.deflate = Some(DeflateParameters::default());
        let config = config().deflate(DeflateConfig::new());
        let text = digits(1 << 20);
        let prepared =
            PreparedMessage::new(Message::text(text.clone())).deflate(&DeflateConfig::new());
        for payload in [Payload::from(&text), Payload::from(&prepared)] {
            let mut end = Endpoint::agreed(Server::new(), &negotiated, config);
            end.connection.send(payload, &mut end.output).unwrap();
            assert!((300_000..900_000).contains(&end.output.len()), "{}", end.output.len());
            let mut bytes = write(&mut end, 100_000);
            ping(&mut end, 7);
            bytes.extend(end.written());
            let pong = frames(&bytes).into_iter().find(|(_, opcode)| *opcode == OpCode::Pong);
            assert_eq!(pong.unwrap().0, 2 * (FRAGMENT + 10));
            let mut peer = Endpoint::agreed(client_role(), &negotiated, config);
            peer.fill(&bytes);
            let mut received = None;
            while peer.advance() == Ok(sansocket::connection::Progress::Event) {
                if let Some(Event::Text(text)) = peer.event() {
                    received = Some(text.to_owned());
                }
            }
            assert!(received.is_some_and(|received| received == text));
        }
    }
}
