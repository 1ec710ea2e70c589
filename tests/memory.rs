//! How much memory a peer can make this endpoint hold: it follows the bytes received and the
//! limits, never what a header announces or the number of frames (RFC 6455 §10.4).
#![cfg(feature = "std")]

use sansocket::{
    Config, Event, Limits, Message,
    connection::{Progress, ProtocolError, Role, Server},
};
use sansocket_testkit::{
    allocator::{self, Counting},
    endpoint::*,
    frames::*,
    transports::reluctant::Reluctant,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `action` and returns how many more bytes were held at its peak, and the number of
/// allocations.
fn measure<T>(action: impl FnOnce() -> T) -> (T, usize, u64) {
    let (result, taken) = allocator::measure(action);
    (result, usize::try_from(taken.most_if_moved).unwrap(), taken.allocations)
}

/// The most that a connection with nothing to keep may hold: the smallest read buffer, and small
/// objects.
const SMALL: usize = 9 * 1024;

/// The size of the shell's reads, and some reserve.
const READ: usize = 80 * 1024;

fn no_limits() -> Config {
    let limits = Limits::default().message(u64::MAX).fragments(u32::MAX);
    Config::default().limits(limits)
}

#[test]
fn allocations_are_measured() {
    let (data, peak, allocations) = measure(|| vec![1_u8; 100_000]);
    assert_eq!((data.len(), peak, allocations), (100_000, 100_000, 1));
    let ((), peak, _) = measure(|| drop(data));
    assert_eq!(peak, 0);
}

#[test]
fn a_header_that_announces_a_huge_payload_allocates_nothing() {
    fn check<R: Role>(mut end: Endpoint<R>, len: u64, fragment: bool) {
        let start = if fragment { frame::<R>(BINARY_START, b"x") } else { Vec::new() };
        let first_byte = if fragment { LAST } else { BINARY };
        let (result, peak, _) = measure(|| {
            end.fill(&start);
            end.fill(&header::<R>(first_byte, len));
            end.fill(&[0; 100]);
            let result = end.messages();
            // The room for the transport follows the same rule.
            assert!(end.input.spare(1).len() <= SMALL);
            result
        });
        assert_eq!(result, Ok(Vec::new()));
        assert!(peak <= SMALL, "{peak} bytes for an announced length of {len}");
    }
    for len in [1 << 20, u64::from(u32::MAX), 1 << 32, 1 << 53, (1 << 63) - 1] {
        for fragment in [false, true] {
            check(server(no_limits()), len, fragment);
            check(client(no_limits()), len, fragment);
        }
    }
}

#[test]
fn memory_is_a_small_multiple_of_the_bytes_received() {
    let mut end = server(no_limits());
    end.fill(&header::<Server>(BINARY, (1 << 63) - 1));
    let piece = vec![7; 10_000];
    for count in 1..200 {
        let (_, peak, _) = measure(|| {
            end.fill(&piece);
            end.messages().unwrap();
        });
        // While the buffer moves to one of twice the size, both exist.
        let received = count * piece.len();
        assert!(peak <= 2 * received + SMALL, "{peak} more bytes at {received} received");
        assert!(end.input.capacity() <= 2 * received + SMALL);
    }
}

#[test]
fn frames_and_messages_beyond_their_limit_take_no_memory() {
    let len = (1 << 63) - 1;
    let message = Limits::default().message;
    for (limits, expected) in [
        (Limits::default(), ProtocolError::MessageTooLarge { len, limit: message }),
        (
            Limits::default().message(u64::MAX).frame(1000),
            ProtocolError::FrameTooLarge { len, limit: 1000 },
        ),
    ] {
        let (error, peak, _) = measure(|| {
            let mut end = server(Config::default().limits(limits));
            end.fill(&header::<Server>(BINARY, len));
            let error = end.messages().unwrap_err();
            end.output.consume(usize::MAX);
            error
        });
        assert_eq!(error, expected.into());
        assert!(peak <= SMALL, "{peak}");
    }
}

/// The number of frames in a flood.
const FLOOD: u32 = 10_000_000;

/// Feeds `count` equal frames after `start`, many per read.
fn flood<R: Role>(
    end: &mut Endpoint<R>,
    start: &[u8],
    one: &[u8],
    count: u32,
) -> Result<(), ProtocolError> {
    const AT_ONCE: u32 = 1000;
    let many = one.repeat(AT_ONCE as usize);
    end.fill(start);
    for _ in 0..count / AT_ONCE {
        end.fill(&many);
        loop {
            match end.advance() {
                Ok(Progress::Event) => end.output.consume(usize::MAX),
                Ok(Progress::NeedsInput) => break,
                Ok(progress) => panic!("{progress:?}"),
                Err(sansocket::connection::ReceiveError::Protocol(error)) => return Err(error),
                Err(error) => panic!("{error}"),
            }
        }
    }
    Ok(())
}

#[test]
fn a_flood_of_fragments_meets_the_limit() {
    fn check<R: Role>(mut end: Endpoint<R>, payload: &[u8]) {
        let limit = Limits::default().fragments;
        let (start, one) = (frame::<R>(BINARY_START, b""), frame::<R>(MORE, payload));
        let (result, peak, _) = measure(|| flood(&mut end, &start, &one, FLOOD));
        assert_eq!(result, Err(ProtocolError::TooManyFragments { limit }));
        let most = 4 * payload.len() * limit as usize + 4 * one.len() * 1000 + SMALL;
        assert!(peak <= most, "{peak} bytes");
    }
    for payload in [&b""[..], b"x"] {
        check(server(Config::default()), payload);
        check(client(Config::default()), payload);
    }
}

#[test]
fn a_flood_of_empty_fragments_takes_constant_memory() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        let (start, one) = (frame::<R>(TEXT_START, b""), frame::<R>(MORE, b""));
        let (result, peak, _) = measure(|| flood(&mut end, &start, &one, FLOOD));
        assert_eq!(result, Ok(()));
        assert!(peak <= 4 * one.len() * 1000 + SMALL, "{peak} bytes");
    }
    check(server(no_limits()));
    check(client(no_limits()));
}

/// Only the payloads are kept, so memory follows their sum, which the message limit bounds.
#[test]
fn a_flood_of_one_byte_fragments_takes_the_memory_of_their_payload() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        let (start, one) = (frame::<R>(TEXT_START, b""), frame::<R>(MORE, b"x"));
        let (result, peak, _) = measure(|| flood(&mut end, &start, &one, FLOOD));
        assert_eq!(result, Ok(()));
        // At most twice that, plus the half that still exists while the buffer moves.
        assert!(peak <= 3 * FLOOD as usize + 4 * one.len() * 1000 + SMALL, "{peak} bytes");
        end.fill(&frame::<R>(LAST, b"."));
        assert_eq!(end.advance(), Ok(Progress::Event));
        let Some(Event::Text(text)) = end.event() else { panic!("no text") };
        assert_eq!(text.len(), FLOOD as usize + 1);
    }
    check(server(no_limits()));
    check(client(no_limits()));
}

#[test]
fn a_flood_of_unsolicited_pongs_takes_constant_memory() {
    fn check<R: Role>(mut end: Endpoint<R>) {
        let one = frame::<R>(PONG, b"unasked");
        let (result, peak, _) = measure(|| flood(&mut end, &[], &one, 1_000_000));
        assert_eq!(result, Ok(()));
        assert!(end.output.is_empty() && end.output.capacity() == 0);
        assert!(peak <= 4 * one.len() * 1000 + SMALL, "{peak} bytes");
    }
    check(server(Config::default()));
    check(client(Config::default()));
}

#[test]
fn an_echo_on_the_borrowed_path_allocates_nothing_once_warm() {
    fn check<R: Role>(mut end: Endpoint<R>, payload: &[u8]) {
        let one = [
            frame::<R>(BINARY, payload),
            frame::<R>(TEXT, payload),
            frame::<R>(TEXT_START, &payload[..payload.len() / 2]),
            frame::<R>(PONG, b"amid"),
            frame::<R>(LAST, &payload[payload.len() / 2..]),
        ]
        .concat();
        let mut echo = || {
            end.input.extend_from_slice(&one);
            let mut count = 0;
            while end.advance() == Ok(Progress::Event) {
                match end.connection.event(&end.input) {
                    Some(Event::Text(text)) => end.connection.send_text(text, &mut end.output),
                    Some(Event::Binary(data)) => end.connection.send_binary(data, &mut end.output),
                    _ => continue,
                }
                .unwrap();
                count += 1;
                end.output.consume(usize::MAX);
            }
            assert_eq!(count, 3);
        };
        for _ in 0..10 {
            echo();
        }
        let ((), _, allocations) = measure(|| (0..100).for_each(|_| echo()));
        assert_eq!(allocations, 0, "for {} bytes", payload.len());
    }
    for len in [0, 1, 16, 125, 126, 1000, 16_000] {
        check(server(Config::default()), &vec![b'a'; len]);
        check(client(Config::default()), &vec![b'a'; len]);
    }
}

/// A small owned message does not keep alive the buffer in which it arrived.
#[test]
fn owned_messages_hold_little_more_than_their_size() {
    for len in [1, 100, 5_000, 70_000, 300_000] {
        let mut end = server(Config::default());
        end.fill(&frame::<Server>(BINARY, &vec![1; 400_000]));
        end.messages().unwrap();
        end.fill(&frame::<Server>(BINARY, &vec![2; len]));
        assert_eq!(end.advance(), Ok(Progress::Event));
        let before = allocator::live();
        let message = end.connection.take_message(&mut end.input).unwrap();
        assert_eq!(message, Message::binary(vec![2; len]));
        drop(end);
        let held = allocator::live() - before;
        // Dropping the endpoint can only have reduced the memory held; the rest is the message's.
        assert!(held <= 2 * len as isize + SMALL as isize, "{held} bytes for {len}");
    }
}

/// Bytes that a peer sends after its Close or its fault are read, so that no reset destroys this
/// endpoint's Close.
#[test]
fn drained_input_is_not_kept() {
    for end in [masked(CLOSE, &[0x03, 0xe8]), plain(TEXT, b"not masked")] {
        let transport = Reluctant::new(|script| {
            script.incoming.extend(end);
            script.incoming.extend(vec![0; 8 << 20]);
            script.ends = true;
        });
        let mut server = transport.server(Config::default());
        assert!(server.next().is_none_or(|last| last.is_err()));
        let (_, peak, _) = measure(|| server.wait_closed().clean);
        assert!(peak <= READ, "{peak} bytes");
        assert!(transport.script().incoming.is_empty());
    }
}
