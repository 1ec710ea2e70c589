//! Compressed input, valid and invalid.

use super::{agreed, client, eager, end, server};
use sansocket::{
    CloseCode, Event, Limits, Message,
    connection::{Client, Progress, ProtocolError, ReceiveError, Server},
    mask::MaskKey,
};
use sansocket_testkit::frames::plain;

const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// The examples of RFC 7692 §7.2.3, each whole, byte by byte and cut in two at every place.
#[test]
fn the_examples_of_the_rfc_are_received() {
    let one_block = plain(0xc1, &HELLO);
    let fragmented = [plain(0x41, &HELLO[..3]), plain(0x80, &HELLO[3..])].concat();
    let shared_window =
        [plain(0xc1, &HELLO), plain(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00])].concat();
    let stored = plain(0xc1, &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]);
    let last_block = plain(0xc1, &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]);
    let two_blocks = plain(
        0xc1,
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    );
    for (bytes, count) in [
        (one_block, 1),
        (fragmented, 1),
        (shared_window, 2),
        (stored, 1),
        (last_block.clone(), 1),
        ([last_block, plain(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00])].concat(), 2),
        (two_blocks, 1),
    ] {
        for cut in 0..=bytes.len() {
            let mut end = client(agreed());
            let mut messages = Vec::new();
            for piece in [&bytes[..cut], &bytes[cut..]] {
                end.fill(piece);
                messages.extend(end.messages().unwrap());
            }
            assert_eq!(messages, vec![Message::text("Hello"); count], "{bytes:02x?} {cut}");
        }
        let mut end = client(agreed());
        let mut messages = Vec::new();
        for byte in &bytes {
            end.fill(&[*byte]);
            messages.extend(end.messages().unwrap());
        }
        assert_eq!(messages.len(), count);
    }
}

#[test]
fn compressed_and_plain_messages_and_control_frames_can_alternate() {
    let mut end = client(agreed());
    end.fill(&plain(0x41, &HELLO[..2]));
    end.fill(&plain(0x89, b"?"));
    end.fill(&plain(0x80, &HELLO[2..]));
    end.fill(&plain(0x81, b"plain"));
    end.fill(&plain(0xc2, &[0xf2, 0x00, 0x11, 0x00, 0x00]));
    // An empty message, uncompressed and compressed.
    end.fill(&plain(0x81, b""));
    end.fill(&plain(0xc1, &[0]));
    let messages = end.messages().unwrap();
    assert_eq!(
        messages,
        [
            Message::text("Hello"),
            Message::text("plain"),
            Message::binary(&b"Hello"[..]),
            Message::text(""),
            Message::text(""),
        ]
    );
}

fn failure(bytes: &[u8]) -> ProtocolError {
    let mut end = client(agreed());
    end.fill(bytes);
    match end.messages() {
        Err(ReceiveError::Protocol(error)) => error,
        other => panic!("{bytes:02x?}: {other:?}"),
    }
}

/// RFC 7692 §6: the bit is set in the first frame of a message and nowhere else.
#[test]
fn a_misplaced_compression_bit_fails() {
    for (bytes, rsv) in [
        ([plain(0x41, &HELLO), plain(0xc0, &[])].concat(), 0x40),
        (plain(0xc9, b""), 0x40),
        (plain(0xc8, b""), 0x40),
        (plain(0xa1, b""), 0x20),
        (plain(0xd1, b""), 0x10),
        (plain(0xe1, b""), 0x60),
    ] {
        let error = failure(&bytes);
        assert!(matches!(error, ProtocolError::ReservedBits(_)), "{rsv:x} {error:?}");
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    }
    // Without compression it is not allowed anywhere.
    let mut end = sansocket_testkit::endpoint::client(eager());
    end.fill(&plain(0xc1, &HELLO));
    assert!(end.messages().is_err());
}

/// §7.2.2: data that is malformed, or ends in the middle of a block, fails with 1007, however it is
/// cut.
#[test]
fn corrupt_and_truncated_data_fails_with_1007() {
    let long = b"a longer text a longer text with something to look back at, to look back at";
    let mut sender = server(agreed());
    sender.connection.send_binary(long, &mut sender.output).unwrap();
    let bytes = sender.written();
    let payload = &bytes[2..];
    for len in 0..payload.len() {
        let error = failure(&plain(0xc2, &payload[..len]));
        assert!(matches!(error, ProtocolError::InvalidCompression { .. }), "{len} {error:?}");
        assert_eq!(error.close_code(), CloseCode::INVALID_PAYLOAD_DATA);
    }
    for wrong in [
        // A block of the reserved type.
        &[0x06, 0x00][..],
        // A stored block whose lengths disagree.
        &[0x00, 0x05, 0x00, 0x00, 0x00, b'x'],
        // A reference to before the beginning.
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
    ] {
        assert!(matches!(failure(&plain(0xc2, wrong)), ProtocolError::InvalidCompression { .. }));
    }
}

/// RFC 6455 §8.1, applied to the inflated payload as it appears.
#[test]
fn text_is_validated_when_decompressed() {
    for (wrong, after) in
        [(&b"\xff"[..], &b"then more"[..]), (b"\xe2\x82", b""), (b"\xed\xa0\x80", b"")]
    {
        let text = [&b"again ".repeat(20)[..], wrong, after].concat();
        let at = 120;
        let mut sender = server(agreed());
        sender.connection.send_binary(&text, &mut sender.output).unwrap();
        let mut bytes = sender.written();
        bytes[0] = 0xc1;
        assert_eq!(failure(&bytes), ProtocolError::InvalidUtf8 { at });
    }
    // A character cut by fragments and by the pieces of the inflated text.
    let text = "κόσμε 🌍 ".repeat(3000);
    let mut sender = server(agreed());
    for (index, piece) in text.as_bytes().chunks(1001).enumerate() {
        let fin = index == text.len() / 1001;
        sender.connection.send_fragment(piece, fin, &mut sender.output).unwrap();
    }
    let mut bytes = sender.written();
    bytes[0] = 0x41;
    let mut whole = client(agreed());
    whole.fill(&bytes);
    assert_eq!(whole.messages().unwrap(), [Message::text(text.as_str())]);
    let mut chunked = client(agreed());
    let mut joined = String::new();
    for byte in bytes {
        chunked.fill(&[byte]);
        while chunked.advance_chunk().unwrap() == Progress::Event {
            match chunked.connection.chunk(&chunked.input).unwrap().event {
                Event::Text(piece) => joined.push_str(piece),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(joined, text);
}

/// Returns a message of `len` zeros, compressed, in frames of at most `frame` bytes.
fn bomb(len: usize, frame: usize) -> Vec<u8> {
    let mut sender = end(Server::new(), agreed(), eager().fragment_size(frame));
    sender.connection.send_binary(&vec![0; len], &mut sender.output).unwrap();
    sender.written()
}

#[test]
fn inflating_stops_at_the_limit_of_a_message() {
    let limit = 100_000;
    let config = eager().limits(Limits::default().message(limit));
    for frame in [1, 50, 1 << 20] {
        let keys = || Client::new(|| MaskKey::new([0; 4]));
        let mut receiver = end(keys(), agreed(), config);
        receiver.fill(&bomb(limit as usize, frame));
        assert_eq!(receiver.messages().unwrap().len(), 1, "the limit itself is allowed");

        let mut receiver = end(keys(), agreed(), config);
        receiver.fill(&bomb(10_000_000, frame));
        let error = receiver.messages().unwrap_err();
        let len = limit + 1;
        assert_eq!(error, ProtocolError::MessageTooLarge { len, limit }.into());
    }
}

#[test]
fn in_chunks_a_message_has_no_limit_and_takes_little_memory() {
    let config = eager().limits(Limits::default().message(1000));
    let mut receiver = end(Client::new(|| MaskKey::new([0; 4])), agreed(), config);
    receiver.fill(&bomb(3_000_000, 1 << 20));
    let (mut total, mut chunks) = (0, 0);
    while receiver.advance_chunk().unwrap() == Progress::Event {
        let chunk = receiver.connection.chunk(&receiver.input).unwrap();
        let Event::Binary(data) = chunk.event else { panic!() };
        assert!(data.len() <= 16 * 1024);
        assert_eq!((chunk.first, chunk.last), (chunks == 0, total + data.len() == 3_000_000));
        total += data.len();
        chunks += 1;
    }
    assert_eq!(total, 3_000_000);
    assert!(receiver.input.is_drained());
}

/// The last bytes of payload can be consumed before there is room for all of their output.
#[test]
fn output_arrives_in_chunks_after_all_of_the_payload_was_consumed() {
    for len in 16_384..=16_384 + 2 * 258 {
        let mut receiver = client(agreed());
        receiver.fill(&bomb(len, 0));
        let mut total = 0;
        while receiver.advance_chunk() == Ok(Progress::Event) {
            let Some(Event::Binary(data)) =
                receiver.connection.chunk(&receiver.input).map(|c| c.event)
            else {
                panic!()
            };
            total += data.len();
        }
        assert_eq!(total, len);
    }
}
