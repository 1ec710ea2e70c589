//! The outbox: messages that are pushed to a peer that reads slowly or not at all.
#![cfg(feature = "std")]

use sansocket::{
    CloseCode, Config, Limits, Message, Payload, PreparedMessage,
    connection::{
        Amount, Cause, Client, Initiator, Next, OutboxConfig, Pushed, Role, SendError, Server,
        TransportEnd, WhenFull,
    },
    mask::MaskKey,
    transport::IoFailure,
};
use sansocket_testkit::{
    endpoint::*,
    frames::*,
    traffic::{Seen, decode_as_peer_of},
};
use std::time::Duration;

/// A message that keeps all later ones out of the output.
const BLOCK: usize = 16_385;

fn config(outbox: OutboxConfig) -> Config {
    Config::default().outbox(outbox)
}

/// Returns endpoints of both roles whose peers have stopped to read.
fn stuck(outbox: OutboxConfig) -> (Endpoint<Server>, Endpoint<Client<impl FnMut() -> MaskKey>>) {
    let (mut server, mut client) = (server(config(outbox)), client(config(outbox)));
    block(&mut server);
    block(&mut client);
    (server, client)
}

fn block<R: Role>(end: &mut Endpoint<R>) {
    let block = vec![0; BLOCK];
    assert_eq!(end.connection.push(&block, &mut end.output), Ok(Pushed::Queued));
}

fn push<R: Role>(end: &mut Endpoint<R>, text: &str) -> Result<Pushed, SendError> {
    end.connection.push(text, &mut end.output)
}

fn push_keyed<R: Role>(end: &mut Endpoint<R>, key: u64, text: &str) -> Pushed {
    end.connection.push_keyed(key, text, &mut end.output).unwrap()
}

/// Writes up to `count` bytes.
fn write<R: Role>(end: &mut Endpoint<R>, count: usize) -> Vec<u8> {
    let bytes: Vec<u8> = contents(&end.output).into_iter().take(count).collect();
    if !bytes.is_empty() {
        end.connection.did_write(Ok(bytes.len()), &mut end.output);
    }
    bytes
}

/// Writes everything, and returns what the peer sees.
fn drain<R: Role>(end: &mut Endpoint<R>) -> Seen {
    let mut bytes = Vec::new();
    while !end.output.is_empty() {
        bytes.extend(write(end, usize::MAX));
    }
    decode_as_peer_of::<R>(&bytes)
}

/// Writes everything, and returns the messages after the block.
fn texts<R: Role>(end: &mut Endpoint<R>) -> Vec<String> {
    let messages = drain(end).messages;
    let messages = messages.iter().filter(|message| message.len() != BLOCK);
    messages.map(|message| message.as_text().unwrap().to_owned()).collect()
}

fn amount(messages: u64, bytes: u64) -> Amount {
    let mut amount = Amount::default();
    (amount.messages, amount.bytes) = (messages, bytes);
    amount
}

#[test]
fn a_peer_that_reads_gets_messages_at_once() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        for number in 0..3000 {
            assert_eq!(push(&mut end, &number.to_string()), Ok(Pushed::Queued));
            if number % 100 == 0 {
                assert!(!end.output.is_empty());
                assert_eq!(
                    drain(&mut end).messages.last(),
                    Some(&Message::text(number.to_string()))
                );
            }
        }
        assert_eq!(end.connection.dropped().total(), Amount::default());
    }
    check(server(Config::default()));
    check(client(Config::default()));
}

#[test]
fn pushed_messages_keep_their_order_whatever_is_written_at_a_time() {
    fn check<R: Role>(mut end: Endpoint<R>, step: usize) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for number in 0..1500 {
            let message = match number % 3 {
                0 => Message::text(number.to_string()),
                1 => Message::binary(vec![number as u8; number * 7 % 300]),
                _ => Message::binary(vec![number as u8; 9000]),
            };
            match number % 4 {
                0 => assert!(push_any(&mut end, &message).is_queued()),
                1 => assert!(push_any(&mut end, PreparedMessage::new(message.clone())).is_queued()),
                2 => assert!(push_any(&mut end, Payload::from(&message)).is_queued()),
                _ => {
                    assert!(push_any(&mut end, Payload::from(&message).uncompressed()).is_queued())
                }
            }
            expected.push(message);
            bytes.extend(write(&mut end, step * (number % 5)));
            let most = 2 * 9000 + BLOCK;
            assert!(end.output.len() <= most, "{}", end.output.len());
            assert!(end.connection.buffered_amount(&end.output) >= end.output.len());
        }
        while !end.output.is_empty() {
            bytes.extend(write(&mut end, step));
        }
        assert_eq!(end.connection.buffered_amount(&end.output), 0);
        assert!(decode_as_peer_of::<R>(&bytes).messages == expected);
    }
    fn push_any<R: Role>(end: &mut Endpoint<R>, message: impl sansocket::AsPayload) -> Pushed {
        end.connection.push(message, &mut end.output).unwrap()
    }
    let large = OutboxConfig::default().high_water(u32::MAX).messages(u32::MAX);
    for step in [1000, 4999, 20_000] {
        check(server(config(large)), step);
        check(client(config(large)), step);
    }
}

#[test]
fn a_full_outbox_that_waits_refuses_messages_until_there_is_room() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        assert_eq!(push(&mut end, &"a".repeat(60)), Ok(Pushed::Queued));
        assert!(end.connection.outbox_has_room());
        let full = push(&mut end, &"b".repeat(41));
        assert_eq!(full, Err(SendError::QueueFull { queued: 60, limit: 100 }));
        assert!(full.unwrap_err().is_full() && !end.connection.outbox_has_room());
        // A smaller message still fits.
        assert_eq!(push(&mut end, &"c".repeat(40)), Ok(Pushed::Queued));
        assert_eq!(
            push(&mut end, "d").unwrap_err(),
            SendError::QueueFull { queued: 100, limit: 100 }
        );
        assert!(!end.connection.outbox_has_room());
        let block = end.output.len();
        let mut bytes = write(&mut end, block - 16_384 - 1);
        assert_eq!(end.connection.buffered_amount(&end.output), end.output.len() + 100);
        // The output is short now, and takes the first message. 40 bytes still wait.
        bytes.extend(write(&mut end, 1));
        assert_eq!(end.connection.buffered_amount(&end.output), end.output.len() + 40);
        assert!(!end.connection.outbox_has_room());
        bytes.extend(write(&mut end, 100));
        assert!(end.connection.outbox_has_room());
        assert_eq!(push(&mut end, &"b".repeat(41)), Ok(Pushed::Queued));
        while !end.output.is_empty() {
            bytes.extend(write(&mut end, usize::MAX));
        }
        let lens = [BLOCK, 60, 40, 41];
        let seen = decode_as_peer_of::<R>(&bytes).messages;
        assert_eq!(seen.iter().map(Message::len).collect::<Vec<_>>(), lens);
    }
    let (server, client) = stuck(OutboxConfig::default().high_water(100).low_water(20));
    check(server);
    check(client);
}

#[test]
fn there_is_room_at_the_low_water_mark_or_when_the_refused_message_fits() {
    for (refused, room_at) in [(500, 3000), (9000, 1000), (20_000, 0)] {
        let outbox = OutboxConfig::default().high_water(10_000).low_water(3000);
        let (mut end, _) = stuck(outbox);
        for _ in 0..20 {
            assert_eq!(push(&mut end, &"x".repeat(500)), Ok(Pushed::Queued));
        }
        assert!(push(&mut end, &"y".repeat(refused)).is_err());
        loop {
            let waiting = end.connection.buffered_amount(&end.output) - end.output.len();
            assert_eq!(end.connection.outbox_has_room(), waiting <= room_at, "{refused} {waiting}");
            if waiting <= room_at {
                break;
            }
            write(&mut end, 100);
        }
        assert_eq!(push(&mut end, &"y".repeat(refused)), Ok(Pushed::Queued));
    }
}

#[test]
fn the_number_of_messages_is_limited() {
    let (mut end, mut client) = stuck(OutboxConfig::default().messages(3));
    for _ in 0..3 {
        assert_eq!(push(&mut end, ""), Ok(Pushed::Queued));
        assert_eq!(push(&mut client, ""), Ok(Pushed::Queued));
    }
    let full = Err(SendError::TooManyQueued { messages: 3, limit: 3 });
    assert_eq!((push(&mut end, ""), push(&mut client, "")), (full, full));
    assert!(!end.connection.outbox_has_room());
    assert_eq!(texts(&mut end).len(), 3);
    assert!(end.connection.outbox_has_room());
    // At least one message always fits, of any length.
    for when_full in [WhenFull::Wait, WhenFull::DropOldest, WhenFull::KeepLatest] {
        let (mut end, _) = stuck(OutboxConfig::new(when_full).messages(0).high_water(0));
        assert_eq!(push_keyed(&mut end, 1, "longer"), Pushed::Queued);
    }
}

#[test]
fn the_newest_messages_are_dropped() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        assert_eq!(push(&mut end, "one"), Ok(Pushed::Queued));
        assert_eq!(push(&mut end, "two"), Ok(Pushed::Queued));
        assert_eq!(push(&mut end, "three"), Ok(Pushed::DroppedNewest));
        assert_eq!(push(&mut end, "4"), Ok(Pushed::DroppedNewest));
        assert!(!end.connection.outbox_has_room());
        assert_eq!(end.connection.dropped().newest, amount(2, 6));
        assert_eq!(end.connection.dropped().total(), amount(2, 6));
        assert_eq!(texts(&mut end), ["one", "two"]);
        assert_eq!(push(&mut end, "five"), Ok(Pushed::Queued));
    }
    let (server, client) = stuck(OutboxConfig::new(WhenFull::DropNewest).messages(2));
    check(server);
    check(client);
}

#[test]
fn the_oldest_messages_are_dropped() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        for text in ["12345", "67", "8"] {
            assert_eq!(push(&mut end, text), Ok(Pushed::Queued));
        }
        assert_eq!(push(&mut end, "abcdef"), Ok(Pushed::DroppedOldest(1)));
        assert_eq!(end.connection.dropped().oldest, amount(1, 5));
        // A message that is larger than the mark waits alone.
        assert_eq!(push(&mut end, "a long message"), Ok(Pushed::DroppedOldest(3)));
        assert_eq!(push(&mut end, "z"), Ok(Pushed::DroppedOldest(1)));
        assert_eq!(end.connection.dropped().oldest, amount(5, 5 + 2 + 1 + 6 + 14));
        assert_eq!(texts(&mut end), ["z"]);
    }
    let (server, client) = stuck(OutboxConfig::new(WhenFull::DropOldest).high_water(10));
    check(server);
    check(client);
}

#[test]
fn only_the_latest_message_of_each_key_stays() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        assert_eq!(push(&mut end, "no key"), Ok(Pushed::Queued));
        assert_eq!(push_keyed(&mut end, 1, "1a"), Pushed::Queued);
        assert_eq!(push_keyed(&mut end, 2, "2a"), Pushed::Queued);
        assert_eq!(push_keyed(&mut end, 1, "1b"), Pushed::Replaced);
        assert_eq!(push_keyed(&mut end, 1, "1c"), Pushed::Replaced);
        assert_eq!(end.connection.dropped().replaced, amount(2, 4));
        // Another key makes room by dropping the oldest.
        assert_eq!(push_keyed(&mut end, 3, "3a"), Pushed::DroppedOldest(1));
        assert_eq!(push_keyed(&mut end, 4, "4a"), Pushed::DroppedOldest(1));
        assert_eq!(push_keyed(&mut end, 2, "2b"), Pushed::Replaced);
        assert_eq!(push_keyed(&mut end, 1, "1d"), Pushed::DroppedOldest(1));
        assert_eq!(end.connection.dropped().oldest, amount(3, 6 + 2 + 2));
        assert_eq!(texts(&mut end), ["3a", "4a", "1d"]);
        // What was written is not replaced.
        block(&mut end);
        assert_eq!(push_keyed(&mut end, 3, "3b"), Pushed::Queued);
        assert_eq!(push_keyed(&mut end, 3, "3c"), Pushed::Replaced);
        assert_eq!(texts(&mut end), ["3c"]);
    }
    let (server, client) = stuck(OutboxConfig::new(WhenFull::KeepLatest).messages(3));
    check(server);
    check(client);
}

#[test]
fn a_longer_message_with_the_same_key_may_drop_others() {
    let outbox = OutboxConfig::new(WhenFull::KeepLatest).high_water(10);
    let (mut end, _) = stuck(outbox);
    for (key, text) in [(1, "111"), (2, "222"), (3, "333")] {
        assert_eq!(push_keyed(&mut end, key, text), Pushed::Queued);
    }
    assert_eq!(push_keyed(&mut end, 2, "22222"), Pushed::DroppedOldest(1));
    assert_eq!(push_keyed(&mut end, 2, "22"), Pushed::Replaced);
    // It is the oldest itself, and goes to the end.
    assert_eq!(push_keyed(&mut end, 2, "22222222"), Pushed::DroppedOldest(1));
    assert_eq!(texts(&mut end), ["22222222"]);
    let dropped = end.connection.dropped();
    assert_eq!((dropped.oldest.messages, dropped.replaced.messages), (2, 3));
    let (mut end, _) = stuck(outbox);
    assert_eq!(push_keyed(&mut end, 1, "1"), Pushed::Queued);
    assert_eq!(push_keyed(&mut end, 1, "longer than the mark"), Pushed::Replaced);
    assert_eq!(texts(&mut end), ["longer than the mark"]);
}

/// Compares the outbox with a simple list.
#[test]
fn any_sequence_of_keys_keeps_the_latest() {
    let outbox = OutboxConfig::new(WhenFull::KeepLatest).messages(8).high_water(40);
    let mut random = 1_u32;
    let mut next = |below: u32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 16) % below
    };
    for _ in 0..200 {
        let (mut end, _) = stuck(outbox);
        let mut expected: Vec<(u32, String)> = Vec::new();
        for number in 0..50 {
            let (key, len) = (next(12), next(12) as usize);
            let text = format!("{number:02}{}", "x".repeat(len));
            let total =
                |list: &[(u32, String)]| list.iter().map(|(_, text)| text.len()).sum::<usize>();
            loop {
                let place = expected.iter().position(|(other, _)| *other == key);
                let old = place.map_or(0, |place| expected[place].1.len());
                let fits = expected.len() <= usize::from(place.is_some())
                    || total(&expected) - old + text.len() <= 40
                        && (place.is_some() || expected.len() < 8);
                match place {
                    Some(place) if fits => expected[place].1 = text,
                    None if fits => expected.push((key, text)),
                    _ => {
                        expected.remove(0);
                        continue;
                    }
                }
                break;
            }
            let text = format!("{number:02}{}", "x".repeat(len));
            assert!(push_keyed(&mut end, key.into(), &text).is_queued());
            let waiting = end.connection.buffered_amount(&end.output) - end.output.len();
            assert_eq!(waiting, total(&expected));
        }
        let expected: Vec<String> = expected.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts(&mut end), expected);
    }
}

#[test]
fn a_full_outbox_can_close() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        assert_eq!(push(&mut end, "waits"), Ok(Pushed::Queued));
        assert_eq!(push(&mut end, "one more"), Ok(Pushed::Closed));
        let closed = push(&mut end, "late").unwrap_err();
        let SendError::Closed { code, initiator, is_transient } = closed else { panic!() };
        assert_eq!(code, CloseCode::TRY_AGAIN_LATER);
        assert_eq!((initiator, is_transient), (Initiator::Local, true));
        let dropped = end.connection.dropped();
        assert_eq!((dropped.newest, dropped.unsent), (amount(1, 8), amount(1, 5)));
        assert!(end.connection.outbox_has_room());
        let seen = drain(&mut end);
        assert_eq!(seen.messages.len(), 1);
        assert_eq!(seen.closes, 1);
        let closed = end.transport_ended(TransportEnd::Eof);
        assert_eq!(
            (closed.cause, closed.sent_code),
            (Cause::OutboxFull, CloseCode::TRY_AGAIN_LATER)
        );
        assert!(closed.is_transient() && closed.to_string().contains("too slowly"), "{closed}");
    }
    let outbox = OutboxConfig::new(WhenFull::Close(CloseCode::TRY_AGAIN_LATER)).messages(1);
    let (server, client) = stuck(outbox);
    check(server);
    check(client);
    let (mut end, _) = stuck(OutboxConfig::new(WhenFull::Close(CloseCode::from(999))).messages(1));
    assert_eq!(push(&mut end, "waits"), Ok(Pushed::Queued));
    let unsendable = SendError::UnsendableCode(CloseCode::from(999));
    assert_eq!(push(&mut end, "one more"), Err(unsendable));
    assert_eq!(texts(&mut end), ["waits"]);
}

#[test]
fn a_close_follows_what_waits() {
    fn check<R: Role>(mut end: Endpoint<R>, is_answer: bool) {
        for number in 0..100 {
            assert_eq!(push(&mut end, &number.to_string()), Ok(Pushed::Queued));
        }
        if is_answer {
            end.fill(&frame::<R>(CLOSE, b"\x03\xe8"));
            end.advance().unwrap();
        } else {
            end.connection.close(CloseCode::NORMAL, "", &mut end.output).unwrap();
        }
        assert!(push(&mut end, "late").is_err());
        let seen = drain(&mut end);
        assert_eq!((seen.messages.len(), seen.closes), (101, 1));
        assert_eq!(end.connection.dropped().total(), Amount::default());
    }
    for is_answer in [false, true] {
        let (server, client) = stuck(OutboxConfig::default());
        check(server, is_answer);
        check(client, is_answer);
    }
}

#[test]
fn a_failure_drops_what_waits() {
    let fail: [fn(&mut Endpoint<Server>); 2] = [
        |end| {
            end.fill(&frame::<Server>(3, b""));
            end.advance().unwrap_err();
        },
        |end| end.connection.did_write(Err(IoFailure::Reset), &mut end.output),
    ];
    for fail in fail {
        let (mut end, _) = stuck(OutboxConfig::default());
        assert_eq!(push(&mut end, "waits"), Ok(Pushed::Queued));
        fail(&mut end);
        assert_eq!(end.connection.dropped().unsent, amount(1, 5));
        assert_eq!(end.connection.buffered_amount(&end.output), end.output.len());
        assert!(texts(&mut end).is_empty());
    }
}

#[test]
fn pushed_messages_wait_for_the_last_fragment() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        end.connection.send_fragment("a ", false, &mut end.output).unwrap();
        assert_eq!(push(&mut end, "pushed"), Ok(Pushed::Queued));
        let mut bytes = write(&mut end, usize::MAX);
        assert!(end.output.is_empty());
        let wants = end.connection.next(&mut end.output, || Duration::ZERO);
        assert!(matches!(wants, Next::Wants(wants) if !wants.write));
        end.connection.send_fragment("message", true, &mut end.output).unwrap();
        while !end.output.is_empty() {
            bytes.extend(write(&mut end, usize::MAX));
        }
        let texts = [Message::text("a message"), Message::text("pushed")];
        assert_eq!(decode_as_peer_of::<R>(&bytes).messages, texts);
        // The rest of a message is never sent after a Close, so nothing may follow its first part.
        end.connection.send_fragment("a ", false, &mut end.output).unwrap();
        assert_eq!(push(&mut end, "pushed"), Ok(Pushed::Queued));
        end.connection.close(CloseCode::NORMAL, "", &mut end.output).unwrap();
        let seen = drain(&mut end);
        assert_eq!((seen.messages.len(), seen.closes), (0, 1));
        assert_eq!(end.connection.dropped().unsent, amount(1, 6));
    }
    check(server(Config::default()));
    check(client(Config::default()));
}

#[test]
fn what_is_sent_overtakes_what_waits() {
    let (mut end, _) = stuck(OutboxConfig::default());
    assert_eq!(push(&mut end, "pushed"), Ok(Pushed::Queued));
    end.connection.send("sent", &mut end.output).unwrap();
    end.connection.ping("", &mut end.output).unwrap();
    assert_eq!(texts(&mut end), ["sent", "pushed"]);
}

/// After the output was consumed without a report, `next` finds what waits.
#[test]
fn messages_leave_the_outbox_when_the_loop_goes_on() {
    let (mut end, _) = stuck(OutboxConfig::default());
    assert_eq!(push(&mut end, "waits"), Ok(Pushed::Queued));
    end.output.consume(usize::MAX);
    let wants = end.connection.next(&mut end.output, || Duration::ZERO);
    assert!(matches!(wants, Next::Wants(wants) if wants.write));
    assert_eq!(texts(&mut end), ["waits"]);
    block(&mut end);
    assert_eq!(push(&mut end, "waits"), Ok(Pushed::Queued));
    end.output.consume(usize::MAX);
    end.connection.refill(&mut end.output);
    assert_eq!(texts(&mut end), ["waits"]);
}

#[test]
fn the_output_stays_short_whatever_the_limit_of_the_queue_is() {
    for limit in [0, 1, 100, 1 << 20] {
        let config = Config::default().limits(Limits::default().queued_output(limit));
        let mut end = server(config);
        for number in 0..1000 {
            assert_eq!(push(&mut end, &number.to_string()), Ok(Pushed::Queued));
            assert!(end.output.len() <= limit.min(16 << 10) + 5);
        }
        assert_eq!(texts(&mut end).len(), 1000);
    }
}

/// Control frames of the peer are answered although everything is full.
#[test]
fn pongs_do_not_wait_for_the_outbox() {
    let (mut end, _) = stuck(OutboxConfig::default().high_water(1 << 20));
    for _ in 0..100 {
        assert_eq!(push(&mut end, &"x".repeat(5000)), Ok(Pushed::Queued));
    }
    end.fill(&frame::<Server>(PING, b"?"));
    end.advance().unwrap();
    let bytes = write(&mut end, BLOCK + 4 + 3);
    assert!(bytes.ends_with(b"\x8a\x01?"));
}

/// A peer that never reads costs no more than the marks, whatever is pushed.
#[test]
fn a_peer_that_never_reads_is_bounded() {
    for when_full in [
        WhenFull::Wait,
        WhenFull::DropNewest,
        WhenFull::DropOldest,
        WhenFull::KeepLatest,
        WhenFull::Close(CloseCode::TRY_AGAIN_LATER),
    ] {
        let outbox = OutboxConfig::new(when_full).high_water(100_000).messages(500);
        let mut end = server(config(outbox));
        let mut pushed = 0;
        for number in 0..20_000_u64 {
            let text = "x".repeat(number as usize * 37 % 3000);
            let outcome = end.connection.push_keyed(number % 700, &text, &mut end.output);
            pushed += usize::from(outcome.is_ok_and(Pushed::is_queued));
            let most = 16_384 + 3008 + 100_000;
            assert!(end.connection.buffered_amount(&end.output) <= most, "{when_full:?}");
        }
        let dropped = end.connection.dropped();
        let sent = drain(&mut end).messages.len();
        let lost = dropped.oldest.messages + dropped.replaced.messages + dropped.unsent.messages;
        assert_eq!(sent + lost as usize, pushed, "{when_full:?}");
    }
}

#[test]
fn connections_can_broadcast_without_a_shell() {
    let outbox = OutboxConfig::new(WhenFull::DropOldest).messages(1);
    let mut ends: Vec<_> = (0..3).map(|_| server(config(outbox))).collect();
    block(&mut ends[1]);
    for text in ["one", "two"] {
        let message = PreparedMessage::new(text);
        for Endpoint { connection, output, .. } in &mut ends {
            let _: Pushed = connection.push(&message, output).unwrap();
        }
    }
    let seen: Vec<_> = ends.iter_mut().map(texts).collect();
    assert_eq!(seen, [vec!["one", "two"], vec!["two"], vec!["one", "two"]]);
}

/// What is dropped makes room as well.
#[test]
fn a_message_that_fits_does_not_make_a_full_outbox_of_one_that_was() {
    let (mut end, _) = stuck(OutboxConfig::new(WhenFull::DropOldest).high_water(100).low_water(20));
    assert_eq!(push(&mut end, &"a".repeat(90)), Ok(Pushed::Queued));
    assert_eq!(push(&mut end, &"b".repeat(15)), Ok(Pushed::DroppedOldest(1)));
    assert!(end.connection.outbox_has_room());
    assert_eq!(push(&mut end, &"c".repeat(50)), Ok(Pushed::Queued));
    assert!(end.connection.outbox_has_room());
    assert_eq!(push(&mut end, &"d".repeat(50)), Ok(Pushed::DroppedOldest(1)));
    assert!(!end.connection.outbox_has_room());
}
