//! Mistakes of the caller are reported, and change nothing.
#![cfg(feature = "std")]

use sansocket::{
    CloseCode, Config, Event, Message, State,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Connection, Progress, ReceiveError, Reply, SendError, Server},
    handshake::Negotiated,
};
use sansocket_testkit::{endpoint::*, frames::*};

#[test]
fn a_foreign_read_buffer_is_reported() {
    let mut end = server(Config::default());
    end.fill(&frame::<Server>(TEXT, b"mine"));
    assert_eq!(end.advance(), Ok(Progress::Event));
    let mut foreign = ReadBuffer::new();
    foreign.extend_from_slice(&frame::<Server>(TEXT, b"not mine"));
    let before = foreign.unread().to_vec();
    for _ in 0..2 {
        let result = end.connection.advance(&mut foreign, &mut end.output);
        assert_eq!(result, Err(ReceiveError::ForeignBuffer));
        let result = end.connection.advance_chunk(&mut foreign, &mut end.output);
        assert_eq!(result, Err(ReceiveError::ForeignBuffer));
        assert_eq!(end.connection.event(&foreign), None);
        assert_eq!(end.connection.chunk(&foreign), None);
        assert_eq!(end.connection.take_message(&mut foreign), None);
    }
    assert_eq!(foreign.unread(), before);
    assert_eq!(end.event(), Some(Event::Text("mine")));
    assert_eq!(end.connection.state(), State::Open);
    end.fill(&frame::<Server>(TEXT, b"more"));
    assert_eq!(end.messages().unwrap(), [Message::text("more")]);
    assert!(end.output.is_empty());
}

/// The same inside a frame and inside a message, of which the connection's own buffer holds a part.
#[test]
fn a_foreign_read_buffer_inside_a_message_is_reported() {
    let whole = [frame::<Server>(TEXT_START, b"Hel"), frame::<Server>(LAST, b"lo")].concat();
    for cut in 1..whole.len() {
        let mut end = server(Config::default());
        end.fill(&whole[..cut]);
        assert_eq!(end.advance(), Ok(Progress::NeedsInput));
        let mut foreign = ReadBuffer::new();
        foreign.extend_from_slice(&whole[cut..]);
        let result = end.connection.advance(&mut foreign, &mut end.output);
        assert_eq!(result, Err(ReceiveError::ForeignBuffer));
        end.fill(&whole[cut..]);
        assert_eq!(end.messages().unwrap(), [Message::text("Hello")]);
    }
}

/// A reply stays owed until it is asked for with the buffer that holds the event.
#[test]
fn a_reply_is_not_queued_with_a_foreign_read_buffer() {
    let connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
    let (_sender, mut receiver) = connection.split();
    let (mut input, foreign) = (ReadBuffer::new(), ReadBuffer::new());
    input.extend_from_slice(&frame::<Server>(PING, b"p"));
    assert_eq!(receiver.advance(&mut input), Ok(Progress::Event));
    assert_eq!(receiver.reply(&foreign), None);
    assert_eq!(receiver.reply(&input), Some(Reply::Pong(b"p"[..].into())));
    assert_eq!(receiver.reply(&input), None);
}

#[test]
fn chunks_inside_a_whole_message_are_refused() {
    let mut end = server(Config::default());
    end.fill(&frame::<Server>(TEXT_START, b"Hel"));
    assert_eq!(end.advance(), Ok(Progress::NeedsInput));
    end.fill(&frame::<Server>(PING, b"p"));
    assert_eq!(end.advance_chunk(), Err(ReceiveError::MixedModes));
    assert_eq!(end.connection.chunk(&end.input), None);
    assert_eq!(end.advance(), Ok(Progress::Event));
    assert_eq!(end.event(), Some(Event::Ping(b"p")));
    assert_eq!(end.advance_chunk(), Err(ReceiveError::MixedModes));
    assert_eq!(end.event(), Some(Event::Ping(b"p")));
    end.fill(&frame::<Server>(LAST, b"lo"));
    assert_eq!(end.messages().unwrap(), [Message::text("Hello")]);
    assert_eq!(end.written(), b"\x8a\x01p");
}

#[test]
fn a_whole_message_inside_chunks_is_refused() {
    let mut end = server(Config::default());
    end.fill(&frame::<Server>(TEXT_START, b"Hel"));
    assert_eq!(end.advance_chunk(), Ok(Progress::Event));
    assert_eq!(end.advance(), Err(ReceiveError::MixedModes));
    assert_eq!(end.event(), None);
    let chunk = end.connection.chunk(&end.input).unwrap();
    assert_eq!((chunk.event, chunk.first, chunk.last), (Event::Text("Hel"), true, false));
    assert_eq!(end.connection.take_message(&mut end.input), None, "a chunk is not a message");
    end.fill(&frame::<Server>(LAST, b"lo"));
    assert_eq!(end.advance_chunk(), Ok(Progress::Event));
    let chunk = end.connection.chunk(&end.input).unwrap();
    assert_eq!((chunk.event, chunk.first, chunk.last), (Event::Text("lo"), false, true));
    // Between messages either mode is allowed.
    end.fill(&frame::<Server>(TEXT, b"next"));
    assert_eq!(end.messages().unwrap(), [Message::text("next")]);
}

#[test]
fn invalid_messages_queue_nothing() {
    let mut end = server(Config::default());
    let (connection, output) = (&mut end.connection, &mut end.output);
    let too_long = SendError::ControlTooLong { len: 126 };
    assert_eq!(connection.ping([0; 126], output), Err(too_long));
    assert_eq!(connection.pong([0; 126], output), Err(too_long));
    for code in [0, 999, 1004, 1016, 2999, 5000, u16::MAX] {
        let code = CloseCode::new(code);
        assert_eq!(connection.close(code, "", output), Err(SendError::UnsendableCode(code)));
    }
    assert!(output.is_empty());
    assert_eq!(connection.closed(), None);
    assert_eq!(connection.state(), State::Open);

    connection.send_fragment("a", false, output).unwrap();
    let queued = output.len();
    let in_progress = SendError::MessageInProgress;
    assert_eq!(connection.send_binary(b"b", output), Err(in_progress));
    assert_eq!(connection.send(Message::text("b"), output), Err(in_progress));
    assert_eq!(connection.send_fragment(b"b", true, output), Err(in_progress));
    assert_eq!(connection.send_in_place("b", output).unwrap_err(), in_progress);
    assert_eq!(output.len(), queued);
    connection.send_fragment("b", true, output).unwrap();
    assert_eq!(contents(output), b"\x01\x01a\x80\x01b");
}

/// Returns what `close` queues.
fn closes_with(code: u16, reason: &str) -> Vec<u8> {
    let mut end = server(Config::default());
    end.connection.close(code.into(), reason, &mut end.output).unwrap();
    assert_eq!(end.connection.state(), State::Closing);
    let close = contents(&end.output).to_vec();
    // A second Close is ignored.
    end.connection.close(CloseCode::NORMAL, "again", &mut end.output).unwrap();
    assert_eq!(contents(&end.output), close);
    close
}

/// RFC 6455 §5.5.1: 123 bytes of UTF-8.
#[test]
fn a_long_reason_is_cut_at_a_character() {
    for (reason, expected) in [
        ("r".repeat(124), "r".repeat(123)),
        ("r".repeat(123), "r".repeat(123)),
        ("r".repeat(122) + "ä", "r".repeat(122)),
        ("ä".repeat(100), "ä".repeat(61)),
        ("r".repeat(120) + "🦀", "r".repeat(120)),
    ] {
        let payload = [&[3, 0xe8], expected.as_bytes()].concat();
        assert_eq!(closes_with(1000, &reason), plain(0x88, &payload), "{reason}");
    }
}

/// §7.4.1: 1005, 1006 and 1015 never occur in a frame. A proxy may still pass the end of one
/// connection on to another.
#[test]
fn the_codes_of_another_connections_end_are_passed_on() {
    assert_eq!(closes_with(1005, "no reason without a code"), plain(0x88, b""));
    for code in [1006, 1015] {
        assert_eq!(closes_with(code, "why"), plain(0x88, b"\x03\xf3why"));
    }
    assert_eq!(closes_with(4000, "why"), plain(0x88, b"\x0f\xa0why"));
}

/// A user may pass the full write buffer on to a writer, and continue with an empty one.
#[test]
fn the_write_buffer_may_be_replaced_each_time() {
    let mut end = server(Config::default());
    end.connection.send_binary(&[0; 1000], &mut end.output).unwrap();
    for number in 0..10_000_u32 {
        let payload = number.to_be_bytes();
        if number % 5 == 1 {
            end.connection.send_binary(&[0; 500], &mut end.output).unwrap();
            end.output.consume(501);
        }
        end.fill(&frame::<Server>(PING, &payload));
        assert_eq!(end.messages(), Ok(Vec::new()));
        end.output.consume(1);
        let given_away: WriteBuffer = core::mem::take(&mut end.output);
        let bytes = contents(&given_away);
        assert!(bytes.ends_with(&payload), "no pong to ping {number}: {bytes:02x?}");
    }
}
