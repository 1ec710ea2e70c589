//! How much memory a peer can make this endpoint hold with compression (RFC 7692 §8, RFC 6455
//! §10.4): the message limit and the contexts, however a bomb is cut up, and nothing before the
//! first compressed message.
#![cfg(feature = "deflate")]

use flate2::{Compress, Compression, FlushCompress};
use sansocket::{
    Config, DeflateConfig, Event, Limits, Message, PreparedMessage,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Progress, ProtocolError, Role, Server},
    deflate::{ContextBudget, DeflateParameters},
    handshake::{Accept, HttpVersion, Negotiated, Request},
};
use sansocket_testkit::{
    allocator::{self, Counting, live},
    endpoint::{Endpoint, keys},
    frames::{frame, header},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `action` and returns how many more bytes were held at its peak, and at its peak if growing
/// always moved blocks.
fn peak<T>(action: impl FnOnce() -> T) -> (T, isize, isize) {
    let (result, taken) = allocator::measure(action);
    (result, taken.most, taken.most_if_moved)
}

const LIMIT: usize = 1 << 20;

/// A receiver's context with its history, the smallest buffers and a chunk, each while growing.
const CONSTANT: isize = 160 << 10;

fn end<R: Role>(role: R, agreed: DeflateParameters) -> Endpoint<R> {
    let limits = Limits::default().message(LIMIT as u64).fragments(u32::MAX);
    let config = Config::default().limits(limits).deflate(DeflateConfig::new().threshold(0));
    Endpoint::agreed(role, &Negotiated::new().deflate(agreed), config)
}

/// Returns zeros deflated by zlib, about 1000:1, without the tail.
fn zeros(compress: &mut Compress, len: usize) -> Vec<u8> {
    let (data, mut output) = (vec![0; len], Vec::with_capacity(len / 500 + 100));
    compress.compress_vec(&data, &mut output, FlushCompress::Sync).unwrap();
    output.truncate(output.len() - 4);
    output
}

/// Encodes a message in frames of at most `size` bytes of payload.
fn frames<R: Role>(payload: &[u8], size: usize) -> Vec<u8> {
    let (mut bytes, mut first) = (Vec::new(), 0x42);
    for piece in payload.chunks(size) {
        bytes.extend(frame::<R>(first, piece));
        first = 0;
    }
    bytes.extend(frame::<R>(first | 0x80, b""));
    bytes
}

fn too_large() -> ProtocolError {
    let limit = LIMIT as u64;
    ProtocolError::MessageTooLarge { len: limit + 1, limit }
}

/// Checks a bomb of 64 MiB in frames of `frame_size`, received in pieces of `cut`.
fn check_bomb<R: Role>(mut end: Endpoint<R>, frame_size: usize, cut: usize) {
    let mut compress = Compress::new(Compression::best(), false);
    let bytes = frames::<R>(&zeros(&mut compress, 64 << 20), frame_size);
    let (error, peak, moved) = peak(|| {
        for piece in bytes.chunks(cut) {
            end.fill(piece);
            match end.advance() {
                Ok(Progress::NeedsInput) => {}
                Ok(other) => panic!("{other:?}"),
                Err(error) => return Some(error),
            }
        }
        None
    });
    assert_eq!(error, Some(too_large().into()));
    println!(
        "bomb in frames of {frame_size}, cut at {cut}: {peak} bytes at most, {moved} if moved"
    );
    // The received bytes themselves are in a buffer of at most twice their number.
    let received = 2 * cut.min(bytes.len()) as isize;
    let most = LIMIT as isize + CONSTANT + received;
    assert!(peak <= most, "{peak} bytes, {most} at most");
    // While the memory for the message grows, the old and the new block exist together for a
    // moment.
    let most = most + LIMIT as isize / 2;
    assert!(moved <= most, "{moved} bytes, {most} at most");
}

#[test]
fn a_bomb_takes_no_more_memory_than_the_limit() {
    for (frame_size, cut) in [(1 << 20, 1000), (1 << 20, 1 << 20), (1, 1), (1, 4000), (500, 77)] {
        let agreed = DeflateParameters::default();
        check_bomb(end(Client::new(keys()), agreed), frame_size, cut);
        check_bomb(end(Server::new(), agreed), frame_size, cut);
    }
}

/// Each message is just within the limit; they follow each other with context takeover.
#[test]
fn many_bombs_within_the_limit_take_no_more_memory_than_one() {
    let mut end = end(Server::new(), DeflateParameters::default());
    let mut compress = Compress::new(Compression::best(), false);
    let messages: Vec<_> =
        (0..20).map(|_| frames::<Server>(&zeros(&mut compress, LIMIT), 1 << 20)).collect();
    let (_, peak, moved) = peak(|| {
        for bytes in &messages {
            end.fill(bytes);
            assert_eq!(end.advance(), Ok(Progress::Event));
            let Some(Event::Binary(data)) = end.event() else { panic!() };
            assert_eq!(data.len(), LIMIT);
            assert_eq!(end.advance(), Ok(Progress::NeedsInput));
        }
    });
    println!("20 bombs within the limit: {peak} bytes at most, {moved} if moved");
    assert!(peak <= LIMIT as isize + CONSTANT, "{peak} bytes");
    assert!(moved <= (LIMIT + LIMIT / 2) as isize + CONSTANT, "{moved} bytes");
    let next = frames::<Server>(&zeros(&mut compress, LIMIT + 1), 1 << 20);
    end.fill(&next);
    assert_eq!(end.advance(), Err(too_large().into()));
}

#[test]
fn a_message_in_chunks_takes_constant_memory() {
    for size in [1 << 20, 64 << 20] {
        for (frame_size, cut) in [(1 << 20, 1000), (1, 1000), (300, 7)] {
            let mut end = end(Server::new(), DeflateParameters::default());
            let mut compress = Compress::new(Compression::best(), false);
            let bytes = frames::<Server>(&zeros(&mut compress, size), frame_size);
            let (total, _, peak) = peak(|| {
                let mut total = 0;
                for piece in bytes.chunks(cut) {
                    end.fill(piece);
                    while end.advance_chunk() == Ok(Progress::Event) {
                        let chunk = end.connection.chunk(&end.input).unwrap();
                        let Event::Binary(data) = chunk.event else { panic!() };
                        total += data.len();
                    }
                }
                total
            });
            println!("{size} in chunks, in frames of {frame_size}, cut at {cut}: {peak} at most");
            assert_eq!(total, size);
            assert!(peak <= CONSTANT, "{peak} bytes for {size}");
        }
    }
}

/// Returns how much a connection holds on the heap, with its buffers, after some uncompressed
/// messages.
fn held_after_plain_messages(negotiated: &Negotiated) -> (isize, isize) {
    let config = Config::default().deflate(DeflateConfig::new().threshold(usize::MAX));
    let before = live();
    let mut end = Endpoint::agreed(Server::new(), negotiated, config);
    let fresh = live() - before;
    for _ in 0..3 {
        end.fill(&frame::<Server>(0x82, b"plain"));
        assert_eq!(end.advance(), Ok(Progress::Event));
        end.connection.send_binary(b"plain", &mut end.output).unwrap();
        end.output.consume(usize::MAX);
        assert_eq!(end.advance(), Ok(Progress::NeedsInput));
    }
    (fresh, live() - before)
}

/// Memory of a connection besides buffers and contexts: its configuration and the negotiated
/// parameters.
const STATE: isize = 256;

/// Additional memory near its end: how it failed, and what its transport still has to do.
const END: isize = 256;

/// The most that a thread keeps for its next connection to decompress into.
const SPARE: isize = 64 << 10;

#[test]
fn unused_compression_takes_no_context() {
    let with = Negotiated::new().deflate(DeflateParameters::default());
    let (fresh, used) = held_after_plain_messages(&with);
    let (fresh_without, used_without) = held_after_plain_messages(&Negotiated::new());
    assert_eq!(used - fresh, used_without - fresh_without);
    assert_eq!(fresh_without, 0);
    assert!(fresh <= STATE, "{fresh} bytes");
    println!(
        "Connection<Server>: {} bytes, ReadBuffer: {} bytes",
        size_of::<Connection<Server>>(),
        size_of::<ReadBuffer>()
    );
}

/// Returns how much more is held after messages in both directions, once the buffer's memory is
/// released.
fn held_after_messages(agreed: DeflateParameters, len: usize) -> isize {
    let mut compress = Compress::new(Compression::best(), false);
    let bytes = frames::<Server>(&zeros(&mut compress, len), 1 << 20);
    let data = vec![7; len];
    let before = live();
    let mut end = end(Server::new(), agreed);
    end.fill(&bytes);
    assert_eq!(end.advance(), Ok(Progress::Event));
    assert_eq!(end.advance(), Ok(Progress::NeedsInput));
    drop(end.input.take_memory().unwrap());
    end.connection.send_binary(&data, &mut end.output).unwrap();
    end.output = WriteBuffer::new();
    live() - before
}

#[test]
fn contexts_are_kept_after_a_message_as_agreed() {
    // Runs in its own thread. The thread keeps memory for a message, and a context of each kind for
    // connections that have none; the first connection creates them.
    let held = |agreed, len| {
        let both = move || (held_after_messages(agreed, len), held_after_messages(agreed, len));
        std::thread::spawn(both).join().unwrap()
    };
    for len in [100, LIMIT] {
        let mut agreed = DeflateParameters::default();
        let (_, both) = held(agreed, len);
        agreed.server_no_context_takeover = true;
        let (_, received) = held(agreed, len);
        agreed.client_no_context_takeover = true;
        let (kept, none) = held(agreed, len);
        println!("after {len} bytes: {both} with both, {received} without the sender's, {none}");
        assert!(none <= STATE, "{none} after {len} bytes");
        assert!(received > STATE && received <= CONSTANT, "{received} bytes");
        // The compressor's context at 15 bits: mostly the tables in which it searches for
        // repetitions.
        assert!(both > received && both - received <= 384 << 10, "{} bytes", both - received);
        assert!(kept <= both + SPARE, "{kept} bytes");
    }
}

/// What a [`ContextBudget`] reserves is at least what the contexts take, and not much more.
#[test]
fn a_budget_counts_what_contexts_take() {
    let fields: [(&str, &[u8]); 5] = [
        ("Host", b"h"),
        ("Upgrade", b"websocket"),
        ("Connection", b"Upgrade"),
        ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", b"13"),
    ];
    for offer in [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=12",
        "permessage-deflate; server_max_window_bits=8; client_no_context_takeover",
    ] {
        let offered = [("Sec-WebSocket-Extensions", offer.as_bytes())];
        let fields = fields.into_iter().chain(offered);
        let request = Request::new("GET", "/", HttpVersion::HTTP_11, fields).unwrap();
        let (reserved, held) = std::thread::spawn(move || {
            let budget = ContextBudget::new(1 << 20);
            let accept = Accept::new().deflate(DeflateConfig::new()).context_budget(&budget);
            let acceptance = request.acceptance(&accept).unwrap();
            let (reserved, agreed) = (budget.reserved(), acceptance.negotiated.deflate.unwrap());
            drop(acceptance);
            // What the thread keeps for the next connection is there after the first.
            held_after_messages(agreed, LIMIT);
            (reserved as isize, held_after_messages(agreed, LIMIT))
        })
        .join()
        .unwrap();
        println!("{offer}: {reserved} reserved, {held} held");
        assert!(held <= reserved + STATE && reserved <= held + (16 << 10), "{reserved}, {held}");
    }
}

#[test]
fn a_compressor_takes_bounded_memory() {
    let text = "said again and again ".repeat(1000);
    let negotiated = Negotiated::new().deflate(DeflateParameters::default());
    for memory in [0, 130, 134, 140, 160, 200, 250, 300, 372, 1000] {
        let config = Config::default().deflate(DeflateConfig::new().memory(memory << 10));
        let (len, peak, _) = peak(|| {
            let mut server = Connection::new(Server::new(), &negotiated, config);
            let mut output = WriteBuffer::new();
            server.send_text(&text, &mut output).unwrap();
            output.len()
        });
        assert_eq!(len < text.len(), memory >= 140, "{memory} KiB");
        // In addition there is the message, compressed and queued, or uncompressed.
        let beside = 4 * text.len().min(len * 10) as isize;
        assert!(peak <= (memory << 10) as isize + beside.max(16_384), "{memory} KiB: {peak}");
    }
}

/// Memory follows the bytes received; a header only announces them.
#[test]
fn a_header_alone_allocates_nothing() {
    let held = |first: u8, before: &[u8]| {
        let start = live();
        let mut end = end(Server::new(), DeflateParameters::default());
        end.fill(before);
        end.fill(&header::<Server>(first, 1000));
        while end.advance() == Ok(Progress::Event) {}
        live() - start
    };
    let plain = held(0x02, b"");
    assert_eq!(held(0x42, b""), plain);
    // Empty fragments take no memory either.
    let empty = frame::<Server>(0x42, b"");
    let more = header::<Server>(0x00, 1000);
    let start = live();
    let mut end = end(Server::new(), DeflateParameters::default());
    end.fill(&[empty, more].concat());
    assert_eq!(end.advance(), Ok(Progress::NeedsInput));
    assert!(live() - start <= plain);
    assert!(held(0x42, &frame::<Server>(0xc2, &[0])) > plain);
}

#[test]
fn a_failure_frees_the_contexts() {
    let start = live();
    for payload in [&[0xff][..], &[0x06, 0x00], &[0xf2, 0x48]] {
        let before = live();
        let mut end = end(Server::new(), DeflateParameters::default());
        end.fill(&frame::<Server>(0xc2, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]));
        assert_eq!(end.advance(), Ok(Progress::Event));
        assert_eq!(end.advance(), Ok(Progress::NeedsInput));
        end.fill(&frame::<Server>(0xc2, payload));
        assert!(end.advance().is_err());
        (end.input, end.output) = (ReadBuffer::new(), WriteBuffer::new());
        // The failure itself is remembered. The memory of the first message is kept for the next
        // one.
        let (left, spare) = (live() - before, if before == start { SPARE } else { 0 });
        assert!(left <= STATE + END + spare, "{left}, {payload:?}");
    }
}

#[test]
fn a_prepared_message_has_one_compressed_form_per_window() {
    let text = "said again and again ".repeat(100);
    let before = live();
    let mut prepared = PreparedMessage::new(Message::text(text.as_str()));
    let plain = live() - before;
    let low = DeflateConfig::new().level(1);
    prepared = prepared.deflate(&low);
    let one = live() - before;
    assert!(one > plain);
    for _ in 0..3 {
        prepared = prepared.deflate(&low);
    }
    assert_eq!(live() - before, one);
    let with_one = prepared.clone();
    let with_two = prepared.deflate(&low.server_max_window_bits(9));
    let both = live();
    drop(with_two);
    assert!(live() < both, "it had another form");
    drop(with_one);
}
