//! A peer that does not read: the queue for it is bounded and stays in order.
#![cfg(feature = "std")]

use sansocket::{
    CloseCode, Config, Event, Limits, Message, PreparedMessage,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Progress, Role, SendError, Server, TransportEnd},
    frame::FrameError,
    handshake::Negotiated,
    mask::MaskKey,
};
use sansocket_testkit::{endpoint::*, frames::*};

/// The memory that pongs may take in addition to the user's data.
const ROOM: usize = 4096;

/// Parses `bytes`, which consist of unmasked pongs, and returns their payloads.
fn pongs(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let [0x8a, len, rest @ ..] = bytes {
        let (payload, rest) = rest.split_at(usize::from(*len));
        payloads.push(payload.to_vec());
        bytes = rest;
    }
    assert!(bytes.is_empty(), "not a pong: {bytes:02x?}");
    payloads
}

fn ping<R: Role>(end: &mut Endpoint<R>, payload: &[u8]) {
    end.fill(&frame::<R>(PING, payload));
    assert_eq!(end.advance(), Ok(Progress::Event));
    assert_eq!(end.event(), Some(Event::Ping(payload)));
}

#[test]
fn pings_of_a_peer_that_does_not_read_are_bounded() {
    let mut end = server(Config::default());
    for number in 0..100_000_u32 {
        ping(&mut end, &number.to_be_bytes());
        assert!(end.output.len() <= ROOM);
    }
    // The oldest pongs wait, in order and without a gap.
    let first = pongs(&end.written());
    assert_eq!(first.len(), ROOM / 6);
    for (number, payload) in (0_u32..).zip(&first) {
        assert_eq!(*payload, number.to_be_bytes());
    }
    // Once there is room, the newest ping is answered (RFC 6455 §5.5.3), once, and then the next.
    end.connection.queue_pending_pong(&mut end.output);
    end.connection.queue_pending_pong(&mut end.output);
    assert_eq!(pongs(&end.written()), [99_999_u32.to_be_bytes().to_vec()]);
    end.connection.queue_pending_pong(&mut end.output);
    ping(&mut end, b"again");
    assert_eq!(pongs(&end.written()), [b"again"]);
}

/// A pong that was held back precedes the answers to later pings.
#[test]
fn pongs_keep_their_order_through_partial_writes() {
    let mut end = server(Config::default());
    let mut written = Vec::new();
    for number in 0..50_000_u32 {
        ping(&mut end, &number.to_be_bytes());
        if number % 7 == 0 {
            let bytes = contents(&end.output);
            let count = bytes.len().min(1 + (number as usize * 31) % 97);
            written.extend_from_slice(&bytes[..count]);
            end.output.consume(count);
            if number % 2 == 0 {
                end.connection.queue_pending_pong(&mut end.output);
            }
        }
        assert!(end.output.len() <= ROOM);
    }
    loop {
        written.extend(end.written());
        end.connection.queue_pending_pong(&mut end.output);
        if end.output.is_empty() {
            break;
        }
    }
    let numbers: Vec<_> = pongs(&written)
        .iter()
        .map(|payload| u32::from_be_bytes(payload[..].try_into().unwrap()))
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "out of order or repeated");
    assert_eq!(numbers.last(), Some(&49_999), "the newest is always answered");
    assert!(numbers.len() > 1000);
}

/// A short pong does not overtake a longer one that waits for room: it replaces it.
#[test]
fn a_shorter_pong_does_not_overtake_a_waiting_one() {
    let mut end = server(Config::default());
    for number in 0..32_u8 {
        ping(&mut end, &[number; 125]);
    }
    // 32 bytes are left (4096 - 32 * 127): too few for the next pong, enough for the one after it.
    assert_eq!(end.output.len(), 4064);
    ping(&mut end, &[32; 125]);
    ping(&mut end, b"short");
    end.connection.queue_pending_pong(&mut end.output);
    ping(&mut end, &[33; 125]);
    ping(&mut end, b"last");
    let mut payloads = pongs(&end.written());
    end.connection.queue_pending_pong(&mut end.output);
    payloads.extend(pongs(&end.written()));
    let newest: Vec<_> = payloads.split_off(32);
    assert!(payloads.iter().zip(0..).all(|(payload, number)| *payload == [number; 125]));
    // Some of the pongs for which there is no room are left out, but never the newest, and the
    // order is kept.
    let sent = [vec![32; 125], b"short".to_vec(), vec![33; 125], b"last".to_vec()];
    let mut order = sent.iter();
    assert!(newest.iter().all(|payload| order.any(|other| other == payload)), "{newest:?}");
    assert_eq!(newest.last().unwrap(), b"last");
}

/// Pongs have room of their own: a queue full of the user's data does not use it up.
#[test]
fn pongs_have_room_beside_user_data() {
    let mut end = server(Config::default());
    end.connection.send_binary(&vec![0; 1 << 20], &mut end.output).unwrap();
    let before = end.output.len();
    for number in 0..10_000_u32 {
        ping(&mut end, &number.to_be_bytes());
        let full = end.connection.send_text("between", &mut end.output);
        assert!(matches!(full, Err(SendError::QueueFull { .. })));
        assert!(end.output.len() <= before + ROOM);
    }
    assert_eq!(end.output.len(), before + ROOM / 6 * 6);
}

#[test]
fn masked_pongs_are_bounded() {
    let mut end = client(Config::default());
    for number in 0..10_000_u32 {
        ping(&mut end, &number.to_be_bytes());
        assert!(end.output.len() <= ROOM);
    }
    assert_eq!(end.written().len(), ROOM / 10 * 10);
    end.connection.queue_pending_pong(&mut end.output);
    assert_eq!(end.written().len(), 10);
}

/// A pong that waits for room does not follow a Close that ends the connection.
#[test]
fn the_answer_to_a_close_drops_a_held_back_pong() {
    for bad in [false, true] {
        let mut end = server(Config::default());
        for number in 0..1000_u32 {
            ping(&mut end, &number.to_be_bytes());
        }
        end.fill(&if bad { vec![0x83] } else { frame::<Server>(CLOSE, &[3, 0xe8]) });
        assert_eq!(end.messages().is_err(), bad);
        let bytes = end.written();
        let close = if bad {
            failure_close(FrameError::ReservedOpCode(3))
        } else {
            plain(CLOSE, &[3, 0xe8])
        };
        assert!(bytes.ends_with(&close));
        end.connection.queue_pending_pong(&mut end.output);
        assert!(end.output.is_empty());
    }
}

/// After this endpoint's own Close the peer's pings are still answered, within the same bound.
#[test]
fn pings_after_a_close_are_bounded() {
    let mut end = server(Config::default());
    end.connection.close(CloseCode::NORMAL, "", &mut end.output).unwrap();
    for number in 0..10_000_u32 {
        ping(&mut end, &number.to_be_bytes());
        assert!(end.output.len() <= ROOM + 4);
    }
    assert_eq!(pongs(&end.written()[4..]).len(), ROOM / 6);
    end.connection.queue_pending_pong(&mut end.output);
    assert_eq!(pongs(&end.written()), [9_999_u32.to_be_bytes().to_vec()]);
}

#[test]
fn a_peer_that_never_reads_fills_the_queue() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        const LIMIT: usize = 10_000;
        let message = Message::binary(vec![0; 999]);
        let prepared = PreparedMessage::new(message.clone());
        let (connection, output) = (&mut end.connection, &mut end.output);
        let mut sent = 0;
        let full = loop {
            let result = match sent % 4 {
                0 => connection.send_text(&"x".repeat(999), output),
                1 => connection.send_binary(&[0; 999], output),
                2 => connection.send(&message, output),
                _ => connection.send_prepared(&prepared, output),
            };
            match result {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
            assert!(sent < 100, "the queue never fills");
        };
        let queued = output.len();
        assert_eq!(full, SendError::QueueFull { queued, limit: LIMIT });
        assert!(queued > LIMIT && queued <= LIMIT + 999 + 14);
        // No other method of sending data succeeds either.
        assert_eq!(connection.send_text("", output), Err(full));
        assert_eq!(connection.send_binary(b"", output), Err(full));
        assert_eq!(connection.send(&message, output), Err(full));
        assert_eq!(connection.send_prepared(&prepared, output), Err(full));
        assert_eq!(connection.send_fragment("", true, output), Err(full));
        assert_eq!(connection.ping(b"", output), Err(full));
        assert_eq!(connection.pong(b"", output), Err(full));
        assert_eq!(output.len(), queued);
        // A refused fragment has not begun a message.
        output.consume(queued - LIMIT);
        connection.send_text("fits", output).unwrap();
        // A Close is always accepted.
        connection.close(CloseCode::NORMAL, "", output).unwrap();
        assert!(output.len() > LIMIT);
    }
    let config = Config::default().limits(Limits::default().queued_output(10_000));
    check(server(config));
    check(client(config));
}

/// A transport that takes few bytes at a time costs no more than one that takes many.
#[test]
fn a_partial_write_does_not_move_the_queue() {
    const STEP: usize = 100;
    let mut end = server(Config::default());
    end.connection.send_binary(&vec![0; 1 << 20], &mut end.output).unwrap();
    let mut moves = 0;
    while end.output.len() > STEP {
        let count = end.output.front().len().min(STEP);
        let expected = end.output.front()[count..].as_ptr();
        end.output.consume(count);
        moves += usize::from(end.output.front().as_ptr() != expected);
    }
    assert!(moves <= 10, "moved {moves} times");
}

/// §5.5.3: the pong has the payload of its ping, whatever its length and content, on either path.
#[test]
fn a_pong_has_the_payload_of_its_ping() {
    let key = [9, 8, 7, 6];
    let mut client = Endpoint::new(Client::new(move || MaskKey::new(key)), Config::default());
    let mut server = server(Config::default());
    let (mut sender, mut receiver) =
        Connection::new(Server::new(), &Negotiated::new(), Config::default()).split();
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    for len in 0..=125_u8 {
        let payload: Vec<_> = (0..len).map(|at| at.wrapping_mul(167) ^ len).collect();
        let plain = [&[0x8a, len][..], &payload].concat();
        ping(&mut server, &payload);
        assert_eq!(server.written(), plain);

        input.extend_from_slice(&frame::<Server>(PING, &payload));
        assert_eq!(receiver.advance(&mut input), Ok(Progress::Event));
        let reply = receiver.reply(&input).unwrap();
        assert_eq!(receiver.advance(&mut input), Ok(Progress::NeedsInput));
        sender.reply(&reply, &mut output);
        assert_eq!(contents(&output), plain);
        output.consume(usize::MAX);

        ping(&mut client, &payload);
        let masked: Vec<_> =
            payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(client.written(), [&[0x8a, 0x80 | len][..], &key, &masked].concat());
    }
}

/// Pongs have room of their own: they don't use up that of messages.
#[test]
fn pongs_do_not_fill_the_queue_of_messages() {
    let mut server = server(Config::default().limits(Limits::default().queued_output(10)));
    for _ in 0..10 {
        ping(&mut server, b"a ping");
    }
    assert_eq!(server.output.len(), 80);
    assert_eq!(server.connection.send_binary(&[1; 8], &mut server.output), Ok(()));
    assert_eq!(server.connection.send_binary(&[1; 8], &mut server.output), Ok(()));
    let full = server.connection.send_binary(&[1; 8], &mut server.output);
    assert_eq!(full, Err(SendError::QueueFull { queued: 20, limit: 10 }));
    // Bytes that were written no longer count.
    server.output.consume(79);
    assert!(server.connection.send_binary(&[1; 8], &mut server.output).is_err());
    server.output.consume(11);
    assert_eq!(server.connection.send_binary(&[1; 8], &mut server.output), Ok(()));
}

/// Two endpoints only send: neither depends on the other's reading.
#[test]
fn two_endpoints_that_flood_each_other_have_to_wait() {
    let (mut a, mut b) = (server(Config::default()), client(Config::default()));
    let data = vec![1; 50_000];
    let mut sent = [0, 0];
    while a.connection.send_binary(&data, &mut a.output).is_ok() {
        sent[0] += 1;
    }
    while b.connection.send_binary(&data, &mut b.output).is_ok() {
        sent[1] += 1;
    }
    b.fill(&a.written());
    a.fill(&b.written());
    assert_eq!([b.messages().unwrap().len(), a.messages().unwrap().len()], sent);
    assert!(a.connection.send_binary(&data, &mut a.output).is_ok());
    a.transport_ended(TransportEnd::Dropped);
}
