//! One call of `advance` does a bounded amount of work, however much is buffered, so that others
//! get their turn.
#![cfg(feature = "alloc")]

use sansocket::{
    Config, Event, Limits,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Connection, Progress, Role, Server},
    handshake::Negotiated,
};
use sansocket_testkit::{endpoint::client_role, frames::*};

/// The most that one call may do, in consumed bytes.
const MOST: usize = 256 << 10;

fn config() -> Config {
    Config::default().limits(Limits::default().message(u64::MAX).fragments(u32::MAX))
}

/// Advances to the end of the buffered input. Returns the length of each message or chunk, and how
/// often the result was `More`.
fn advance_all<R: Role>(role: R, bytes: &[u8], chunked: bool) -> (Vec<usize>, usize) {
    let mut connection = Connection::new(role, &Negotiated::new(), config());
    let (mut input, mut output) = (ReadBuffer::with_memory(bytes.to_vec()), WriteBuffer::new());
    input.filled(bytes.len());
    let (mut lens, mut mores) = (Vec::new(), 0);
    loop {
        let unread = input.unread().len();
        let progress = if chunked {
            connection.advance_chunk(&mut input, &mut output)
        } else {
            connection.advance(&mut input, &mut output)
        };
        let consumed = unread - input.unread().len();
        assert!(consumed <= MOST + 14, "{consumed} bytes in one advance");
        match progress.unwrap() {
            Progress::Event => {
                let event = if chunked {
                    connection.chunk(&input).unwrap().event
                } else {
                    connection.event(&input).unwrap()
                };
                let (Event::Binary(data), ..) = (event,) else { panic!("{event:?}") };
                lens.push(data.len());
            }
            Progress::More => {
                assert!(connection.event(&input).is_none() && connection.chunk(&input).is_none());
                // The call has done its share.
                assert!(consumed > 0);
                mores += 1;
            }
            Progress::NeedsInput => break,
            Progress::Ended => panic!("the connection has ended"),
        }
    }
    assert!(input.is_drained());
    (lens, mores)
}

#[test]
fn a_large_message_takes_several_advances() {
    fn check<R: Role>(role: fn() -> R) {
        let frame = frame::<R>(BINARY, &vec![7; 10 * MOST]);
        assert_eq!(advance_all(role(), &frame, false), (vec![10 * MOST], 10));
        // Each call produces a chunk.
        let (chunks, mores) = advance_all(role(), &frame, true);
        assert_eq!((chunks.iter().sum(), chunks.len(), mores), (10 * MOST, 11, 0));
    }
    check(Server::new);
    check(client_role);
}

/// Each fragment costs time in addition to its bytes.
#[test]
fn many_fragments_take_several_advances() {
    let mut bytes = masked(0x02, b"");
    for _ in 0..100_000 {
        bytes.extend(masked(0x00, b""));
    }
    bytes.extend(masked(0x80, b"!"));
    for chunked in [false, true] {
        let (lens, mores) = advance_all(Server::new(), &bytes, chunked);
        assert_eq!(lens, [1]);
        assert!(mores >= 100_000 / 4096, "{mores}");
    }
}

#[cfg(feature = "deflate")]
mod deflate {
    use super::*;
    use sansocket::{DeflateConfig, deflate::DeflateParameters};
    use sansocket_testkit::endpoint::Endpoint;

    fn agreed() -> Negotiated {
        Negotiated::new().deflate(DeflateParameters::default())
    }

    /// Advances once. Returns how many bytes that has consumed, and the progress.
    fn advance<R: Role>(
        connection: &mut Connection<R>,
        input: &mut ReadBuffer,
    ) -> (usize, Progress) {
        let unread = input.unread().len();
        let progress = connection.advance(input, &mut WriteBuffer::new()).unwrap();
        (unread - input.unread().len(), progress)
    }

    fn receiver(payload: &[u8]) -> (Connection<Server>, ReadBuffer) {
        let mut input = ReadBuffer::new();
        input.extend_from_slice(&masked(0xc2, payload));
        (Connection::new(Server::new(), &agreed(), config()), input)
    }

    /// Once the first bytes have produced a lot of output, few more bytes are consumed: 16 KiB,
    /// which is one step.
    #[test]
    fn input_and_output_of_the_inflater_count_together() {
        let mut sender = Endpoint::agreed(Server::new(), &agreed(), config().fragment_size(0));
        sender.connection.send_binary(&vec![0; MOST - 5000], &mut sender.output).unwrap();
        let zeros = [&sender.written()[4..], &[0, 0, 0xff, 0xff]].concat();
        let empty = [0, 0, 0, 0xff, 0xff].repeat(200_000);
        let (mut connection, mut input) = receiver(&[&zeros[..], &empty, &[0]].concat());
        let (consumed, progress) = advance(&mut connection, &mut input);
        assert_eq!(progress, Progress::More);
        assert!(consumed <= 17_000, "{consumed}");
        while advance(&mut connection, &mut input).1 == Progress::More {}
        assert_eq!(
            connection
                .event(&input)
                .map(|event| matches!(event, Event::Binary(data) if data.len() == MOST - 5000)),
            Some(true)
        );
    }

    /// Starting over after a final block costs time in addition to the bytes.
    #[test]
    fn last_blocks_count_as_work() {
        // 11 bytes of a stored block, then a final block of 5.
        let record = [&[0, 6, 0, 0xf9, 0xff][..], b"record", &[1, 0, 0, 0xff, 0xff]].concat();
        let (mut connection, mut input) = receiver(&[&record.repeat(16_000)[..], &[0]].concat());
        let mut advances = 1;
        while advance(&mut connection, &mut input).1 == Progress::More {
            advances += 1;
        }
        let len = connection.event(&input).unwrap().to_message().unwrap().as_bytes().len();
        assert_eq!(len, 16_000 * 6);
        assert!(advances >= 16_000 / 257, "{advances}");
    }

    /// Inflating a lot from a few bytes costs time too.
    #[test]
    fn decompressed_bytes_count_as_work() {
        const LEN: usize = 20 * MOST;
        let config = config().deflate(DeflateConfig::new());
        let mut sender = Endpoint::agreed(Server::new(), &agreed(), config.fragment_size(0));
        sender.connection.send_binary(&vec![0; LEN], &mut sender.output).unwrap();
        let bytes = sender.written();
        assert!(bytes.len() < LEN / 500);
        for chunked in [false, true] {
            let mut connection = Connection::new(client_role(), &agreed(), config);
            let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
            input.extend_from_slice(&bytes);
            let (mut advances, mut len) = (0, 0);
            loop {
                advances += 1;
                let progress = if chunked {
                    connection.advance_chunk(&mut input, &mut output)
                } else {
                    connection.advance(&mut input, &mut output)
                };
                if !progress.unwrap().goes_on() {
                    break;
                }
                let chunk = connection.chunk(&input).map(|chunk| chunk.event);
                if let Some(Event::Binary(data)) = connection.event(&input).or(chunk) {
                    len += data.len();
                }
            }
            assert_eq!(len, LEN);
            assert!(advances >= LEN / MOST, "{advances}");
        }
    }
}
