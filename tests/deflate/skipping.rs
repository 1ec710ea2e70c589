//! A compressed message of which the rest is skipped is decompressed all the same.

use super::{agreed, client, eager, end, server};
use sansocket::{
    Event, Message,
    connection::{Progress, ProtocolError, Role, Server},
};
use sansocket_testkit::{cuts::cuts, endpoint::Endpoint, frames::masked, noise::noise};

/// The messages that `skips` receives, after it has skipped all but the first chunk of the first.
fn skip_first<S: Role, R: Role>(mut sends: Endpoint<S>, mut skips: Endpoint<R>) {
    // Two messages with the same content: with context takeover, the second refers to the first.
    // Letters, since noise would not shrink and be sent uncompressed.
    let data: Vec<_> = noise(30_000, 1).iter().map(|byte| b'a' + byte % 16).collect();
    for _ in 0..2 {
        sends.connection.send_binary(&data, &mut sends.output).unwrap();
    }
    let bytes = sends.written();
    assert!(bytes.len() < 20_000, "the second message does not refer to the first");
    let mut has_skipped = false;
    let mut messages = Vec::new();
    for piece in bytes.chunks(1000) {
        skips.fill(piece);
        if !has_skipped && skips.advance_chunk() == Ok(Progress::Event) {
            assert!(skips.connection.chunk(&skips.input).unwrap().first);
            skips.connection.skip_message();
            has_skipped = true;
        }
        if has_skipped {
            messages.extend(skips.messages().unwrap());
        }
    }
    assert_eq!(messages, [Message::binary(data)]);
}

#[test]
fn the_next_message_may_refer_to_what_was_skipped() {
    skip_first(client(agreed()), server(agreed()));
    skip_first(server(agreed()), client(agreed()));
}

/// Any of several messages are skipped, wherever the input is cut. The others arrive unchanged.
#[test]
fn any_choice_of_messages_can_be_skipped() {
    let text = |index: usize| format!("message {index}; ").repeat(1 + index * 400);
    for seed in 0..64_u8 {
        let (mut sends, mut receives) = (client(agreed()), server(agreed()));
        for index in 0..6 {
            let text = text(index);
            let (begin, rest) = text.split_at(text.len() / 3);
            let (connection, output) = (&mut sends.connection, &mut sends.output);
            match index % 2 {
                0 => connection.send_text(&text, output).unwrap(),
                _ => {
                    connection.send_fragment(begin, false, output).unwrap();
                    connection.ping("inside", output).unwrap();
                    connection.send_fragment(rest, true, output).unwrap();
                }
            }
        }
        let bytes = sends.written();
        let is_skipped = |index: usize| seed >> index & 1 == 1;
        let (mut index, mut from, mut received) = (0, 0, Vec::new());
        for cut in cuts(seed, bytes.len()).into_iter().chain([bytes.len()]) {
            receives.fill(&bytes[from..cut]);
            from = cut;
            loop {
                let advance = match is_skipped(index) {
                    true => Endpoint::advance_chunk,
                    false => Endpoint::advance,
                };
                if advance(&mut receives).unwrap() != Progress::Event {
                    break;
                }
                if let Some(chunk) = receives.connection.chunk(&receives.input) {
                    if matches!(chunk.event, Event::Text(_)) {
                        assert!(chunk.first, "a chunk of a message that is skipped");
                        receives.connection.skip_message();
                        index += 1;
                    }
                } else if let Some(message) = receives.event().and_then(|event| event.to_message())
                {
                    received.push(message);
                    index += 1;
                }
            }
        }
        let expected = (0..6).filter(|index| !is_skipped(*index));
        let expected: Vec<_> = expected.map(|index| Message::text(text(index))).collect();
        assert!(received == expected, "seed {seed}: {} messages", received.len());
    }
}

#[test]
fn a_fault_in_what_is_skipped_is_found() {
    let mut end = server(agreed());
    // A stored block of three bytes, then a block of a type that does not exist.
    end.fill(&masked(0x42, b"\x00\x03\x00\xfc\xffabc"));
    assert_eq!(end.advance_chunk(), Ok(Progress::Event));
    end.connection.skip_message();
    end.fill(&masked(0x80, &[0x07]));
    let fault = ProtocolError::InvalidCompression { at: 3 };
    assert_eq!(end.advance(), Err(fault.into()));
}

/// A bomb of 64 MiB is skipped in calls that each do a bounded amount of work.
#[test]
fn a_bomb_is_skipped_with_bounded_work() {
    const LEN: usize = 64 << 20;
    let mut sends = end(Server::new(), agreed(), eager().fragment_size(0));
    sends.connection.send_binary(&vec![0; LEN], &mut sends.output).unwrap();
    sends.connection.send_text("next", &mut sends.output).unwrap();
    let bytes = sends.written();
    assert!(bytes.len() < LEN / 500);
    let mut skips = client(agreed());
    skips.fill(&bytes);
    assert_eq!(skips.advance_chunk(), Ok(Progress::Event));
    skips.connection.skip_message();
    let mut calls = 0;
    while skips.connection.advance(&mut skips.input, &mut skips.output) == Ok(Progress::More) {
        calls += 1;
    }
    assert_eq!(skips.event(), Some(Event::Text("next")));
    assert!((LEN >> 18..LEN >> 15).contains(&calls), "{calls}");
}
