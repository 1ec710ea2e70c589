//! Mistakes of the caller's: they are told, and change nothing.
#![cfg(feature = "std")]

use sansocket::{
    CloseCode, Config, Connection, Event, Kind, Message, Negotiated, Progress, ReadBuffer,
    ReceiveError, Reply, SendError, Server, State, WriteBuffer,
};
use sansocket_testkit::{endpoint::*, frames::*};

#[test]
fn a_foreign_read_buffer() {
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

/// Also amid a frame and amid a message, where a part of it is in the own buffer.
#[test]
fn a_foreign_read_buffer_amid_a_message() {
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

/// What is owed for an event stays owed until it is asked for with the buffer that has the event.
#[test]
fn a_reply_asked_for_with_a_foreign_read_buffer() {
    let connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
    let (mut receiver, _sender) = connection.split();
    let (mut input, foreign) = (ReadBuffer::new(), ReadBuffer::new());
    input.extend_from_slice(&frame::<Server>(PING, b"p"));
    assert_eq!(receiver.advance(&mut input), Ok(Progress::Event));
    assert_eq!(receiver.reply(&foreign), None);
    assert_eq!(receiver.reply(&input), Some(Reply::Pong(b"p"[..].into())));
    assert_eq!(receiver.reply(&input), None);
}

#[test]
fn chunks_amid_a_whole_message() {
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
fn a_whole_message_amid_chunks() {
    let mut end = server(Config::default());
    end.fill(&frame::<Server>(TEXT_START, b"Hel"));
    assert_eq!(end.advance_chunk(), Ok(Progress::Event));
    assert_eq!(end.advance(), Err(ReceiveError::MixedModes));
    assert_eq!(end.event(), None);
    let chunk = end.connection.chunk(&end.input).unwrap();
    assert_eq!((chunk.event, chunk.first, chunk.last), (Event::Text("Hel"), true, false));
    assert_eq!(end.connection.take_message(&mut end.input), None, "a chunk is no message");
    end.fill(&frame::<Server>(LAST, b"lo"));
    assert_eq!(end.advance_chunk(), Ok(Progress::Event));
    let chunk = end.connection.chunk(&end.input).unwrap();
    assert_eq!((chunk.event, chunk.first, chunk.last), (Event::Text("lo"), false, true));
    // Between messages either is right.
    end.fill(&frame::<Server>(TEXT, b"next"));
    assert_eq!(end.messages().unwrap(), [Message::text("next")]);
}

#[test]
fn what_may_not_be_sent_queues_nothing() {
    let mut end = server(Config::default());
    let (connection, output) = (&mut end.connection, &mut end.output);
    let too_long = SendError::ControlTooLong { len: 126 };
    assert_eq!(connection.ping(&[0; 126], output), Err(too_long));
    assert_eq!(connection.pong(&[0; 126], output), Err(too_long));
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
        let code = CloseCode::new(code);
        assert_eq!(connection.close(code, "", output), Err(SendError::UnsendableCode(code)));
    }
    let reason = "r".repeat(124);
    let too_long = SendError::ReasonTooLong { len: 124 };
    assert_eq!(connection.close(CloseCode::NORMAL, &reason, output), Err(too_long));
    assert!(output.is_empty());
    assert_eq!(connection.closed(), None);
    assert_eq!(connection.state(), State::Open);

    connection.send_fragment("a", false, output).unwrap();
    let queued = output.len();
    let in_progress = SendError::MessageInProgress;
    assert_eq!(connection.send_binary(b"b", output), Err(in_progress));
    assert_eq!(connection.send(&Message::text("b"), output), Err(in_progress));
    assert_eq!(connection.send_fragment(b"b", true, output), Err(in_progress));
    assert_eq!(connection.start_frame(Kind::Binary, 1, true, output), Err(in_progress));
    assert_eq!(output.len(), queued);
    connection.send_fragment("b", true, output).unwrap();
    assert_eq!(contents(output), b"\x01\x01a\x80\x01b");
}

/// A user may hand the full write buffer to whoever writes, and go on with an empty one.
#[test]
fn another_write_buffer_each_time() {
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
