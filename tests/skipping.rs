//! The rest of a message that is received in chunks can be skipped. It still has to be valid, and the
//! connection goes on behind it.
#![cfg(feature = "alloc")]

use sansocket::{
    Config, Event, Limits, Message,
    connection::{Progress, ProtocolError, ReceiveError, Role, Server},
};
use sansocket_testkit::{endpoint::*, frames::*};

/// Advances to the first piece of a message.
#[track_caller]
fn first_piece<R: Role>(end: &mut Endpoint<R>) -> Vec<u8> {
    assert_eq!(end.advance_chunk(), Ok(Progress::Event));
    let chunk = end.connection.chunk(&end.input).unwrap();
    assert!(chunk.first && !chunk.last, "{chunk:?}");
    match chunk.event {
        Event::Text(text) => text.as_bytes().to_vec(),
        Event::Binary(data) => data.to_vec(),
        event => panic!("{event:?}"),
    }
}

/// A message in three fragments, with a ping inside, and a message behind it.
fn traffic<R: Role>() -> Vec<u8> {
    [
        frame::<R>(BINARY_START, b"first"),
        frame::<R>(MORE, &[7; 3000]),
        frame::<R>(PING, b"inside"),
        frame::<R>(LAST, b"last"),
        frame::<R>(TEXT, "κόσμε".as_bytes()),
    ]
    .concat()
}

/// The rest arrives in two parts, wherever it is cut.
#[test]
fn the_rest_is_skipped_and_control_frames_inside_are_seen() {
    fn check<R: Role>(end: impl Fn(Config) -> Endpoint<R>) {
        let bytes = traffic::<R>();
        let begun = frame::<R>(BINARY_START, b"first").len();
        for (cut, chunked) in (begun..bytes.len()).flat_map(|cut| [(cut, false), (cut, true)]) {
            let mut end = end(Config::default());
            end.fill(&bytes[..begun]);
            assert_eq!(first_piece(&mut end), b"first");
            end.connection.skip_message();
            let mut seen = Vec::new();
            for part in [&bytes[begun..cut], &bytes[cut..]] {
                end.fill(part);
                loop {
                    let advance = if chunked { Endpoint::advance_chunk } else { Endpoint::advance };
                    if advance(&mut end) == Ok(Progress::NeedsInput) {
                        break;
                    }
                    let chunk = end.connection.chunk(&end.input).map(|chunk| chunk.event);
                    let event = end.event().or(chunk).unwrap();
                    match event {
                        Event::Text(text) => seen.extend_from_slice(text.as_bytes()),
                        Event::Ping(data) => seen.extend_from_slice(data),
                        event => panic!("{event:?}"),
                    }
                }
            }
            assert_eq!(seen, "insideκόσμε".as_bytes(), "cut at {cut}");
            assert_eq!(end.written().len(), frame::<R>(PONG, b"inside").len() + pong_mask::<R>());
        }
    }
    fn pong_mask<R: Role>() -> usize {
        // `frame` makes what `R` receives: masked if `R` is a server.
        if R::MASKS { 4 } else { 0 }
    }
    check(|config| Endpoint::new(client_role(), config));
    // A server's pong is not masked, and the frames it receives are.
    let bytes = traffic::<Server>();
    let mut end = server(Config::default());
    end.fill(&bytes);
    assert_eq!(first_piece(&mut end), b"first");
    end.connection.skip_message();
    assert_eq!(end.messages().unwrap(), [Message::text("κόσμε")]);
    assert_eq!(end.written(), plain(PONG, b"inside"));
}

#[test]
fn only_a_message_of_which_a_piece_was_found_is_skipped() {
    let mut end = server(Config::default());
    // Between messages.
    end.connection.skip_message();
    // A message that is being received whole.
    end.fill(&masked(TEXT_START, b"who"));
    assert_eq!(end.advance(), Ok(Progress::NeedsInput));
    end.connection.skip_message();
    end.fill(&masked(LAST, b"le"));
    assert_eq!(end.messages().unwrap(), [Message::text("whole")]);
    // A message in chunks whose first character is not complete.
    end.fill(&masked(TEXT_START, b"\xc3"));
    assert_eq!(end.advance_chunk(), Ok(Progress::NeedsInput));
    end.connection.skip_message();
    assert_eq!(end.advance(), Err(ReceiveError::MixedModes));
    end.fill(&masked(MORE, b"\xa9"));
    assert_eq!(first_piece(&mut end), "é".as_bytes());
    end.fill(&masked(LAST, b"!"));
    assert_eq!(end.advance_chunk(), Ok(Progress::Event));
    // All its chunks were found. The last one stays until the next call.
    end.connection.skip_message();
    assert_eq!(end.connection.chunk(&end.input).unwrap().event, Event::Text("!"));
    end.fill(&masked(TEXT, b"next"));
    assert_eq!(end.messages().unwrap(), [Message::text("next")]);
}

#[test]
fn the_rest_must_be_valid() {
    let begin = |first, payload: &[u8]| {
        let mut end = server(Config::default());
        end.fill(&masked(first, payload));
        first_piece(&mut end);
        end.connection.skip_message();
        end
    };
    let mut end = begin(TEXT_START, b"text");
    end.fill(&masked(MORE, b"more"));
    assert_eq!(end.advance(), Ok(Progress::NeedsInput));
    end.fill(&masked(LAST, b"\xc3\xa9\xff"));
    let fault = ProtocolError::InvalidUtf8 { at: 10 };
    assert_eq!(end.advance(), Err(fault.into()));
    assert_eq!(end.written(), failure_close(fault));
    // The message ends inside a character.
    let mut end = begin(TEXT_START, b"text");
    end.fill(&masked(LAST, b"\xc3"));
    assert_eq!(end.advance(), Err(ProtocolError::InvalidUtf8 { at: 4 }.into()));
    // A new message inside the one that is skipped.
    let mut end = begin(BINARY_START, b"data");
    end.fill(&masked(TEXT, b"text"));
    assert_eq!(end.advance(), Err(ProtocolError::ExpectedContinuation.into()));
}

#[test]
fn the_end_of_the_connection_ends_what_is_skipped() {
    let mut end = server(Config::default());
    end.fill(&masked(BINARY_START, b"data"));
    first_piece(&mut end);
    end.connection.skip_message();
    end.fill(&[masked(MORE, b"more"), masked(CLOSE, &[0x03, 0xe8])].concat());
    assert_eq!(end.advance(), Ok(Progress::Event));
    assert!(matches!(end.event(), Some(Event::Close(Some(_)))));
    assert_eq!(end.advance(), Ok(Progress::Ended));
}

/// What is skipped takes no memory, however large it is, and has no limits.
#[test]
fn what_is_skipped_takes_no_memory() {
    let mut end = server(Config::default().limits(Limits::default().message(100).fragments(3)));
    end.fill(&masked(BINARY_START, b"data"));
    first_piece(&mut end);
    end.connection.skip_message();
    let piece = masked(MORE, &[7; 8000]);
    for _ in 0..1000 {
        end.fill(&piece);
        assert_eq!(end.advance(), Ok(Progress::NeedsInput));
        assert!(end.input.is_drained());
    }
    assert!(end.input.capacity() < 20_000, "{}", end.input.capacity());
    end.fill(&masked(LAST, b""));
    end.fill(&masked(BINARY, &[1; 101]));
    let fault = ProtocolError::MessageTooLarge { len: 101, limit: 100 };
    assert_eq!(end.advance(), Err(fault.into()));
}
