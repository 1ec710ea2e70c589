//! For arbitrary parameters, messages and cuts: zlib inflates what is sent, and what zlib deflates
//! is received.

use super::{agreed, client, eager, end, server};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use proptest::{collection, prelude::*};
use sansocket::{
    Config, DeflateConfig, Event, Message, Payload, PreparedMessage,
    connection::{Client, Progress, Role, Server},
    deflate::DeflateParameters,
};
use sansocket_testkit::{
    endpoint::{Endpoint, keys},
    frames::frame,
    sent::{Sent, sent},
};

/// The end of a flush, which a message omits (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn parameters() -> impl Strategy<Value = DeflateParameters> {
    (8_u8..=15, 8_u8..=15, any::<bool>(), any::<bool>()).prop_map(|(server, client, s, c)| {
        let mut parameters = agreed();
        parameters.server_max_window_bits = server;
        parameters.client_max_window_bits = client;
        parameters.server_no_context_takeover = s;
        parameters.client_no_context_takeover = c;
        parameters
    })
}

/// Data that resembles text, is random, repeats over long distances, or consists of a single byte.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![
        1 => Just(0_usize),
        6 => 1_usize..400,
        2 => 400_usize..5_000,
        1 => 30_000_usize..80_000,
    ];
    // There are few seeds, so that messages also resemble each other.
    let seed = prop_oneof![0_u32..2, any::<u32>()];
    (len, 0_u8..4, seed).prop_map(|(len, kind, seed)| {
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize
        };
        let words = ["socket ", "frame ", "a ", "κόσμε ", "window, ", "\r\n", "inflate "];
        let mut data = Vec::with_capacity(len + 16);
        let period = 1 + seed as usize % 40_000;
        while data.len() < len {
            match kind {
                0 => data.extend_from_slice(words[next() % words.len()].as_bytes()),
                1 => data.push(next() as u8),
                2 if data.len() >= period => data.push(data[data.len() - period]),
                2 => data.push(next() as u8),
                _ => data.push(0),
            }
        }
        data.truncate(len);
        data
    })
}

/// The method of sending a message.
#[derive(Clone, Copy, Debug)]
enum How {
    Whole,
    Uncompressed,
    /// Encoded in advance, for windows of this many bits or more.
    Prepared(u8),
    /// In pieces of at most this many bytes.
    Pieces(usize),
    UncompressedPieces(usize),
    /// Written directly from the caller's buffer.
    InPlace,
}

type Sending = (Vec<u8>, How);

fn sending() -> impl Strategy<Value = Sending> {
    let how = prop_oneof![
        3 => Just(How::Whole),
        1 => Just(How::Uncompressed),
        2 => (8_u8..=15).prop_map(How::Prepared),
        2 => (1_usize..2000).prop_map(How::Pieces),
        1 => (1_usize..2000).prop_map(How::UncompressedPieces),
        1 => Just(How::InPlace),
    ];
    (data(), how)
}

fn send<R: Role>(end: &mut Endpoint<R>, (data, how): &Sending, level: u8) -> Vec<u8> {
    let Endpoint { connection, output, .. } = end;
    match *how {
        How::Whole => connection.send_binary(data, output).unwrap(),
        How::Uncompressed => connection.send(Payload::from(data).uncompressed(), output).unwrap(),
        How::Prepared(bits) => {
            let config = DeflateConfig::new().server_max_window_bits(bits).level(level);
            let message = PreparedMessage::new(Message::binary(data.clone())).deflate(&config);
            connection.send_prepared(&message, output).unwrap();
        }
        How::Pieces(size) => {
            for piece in data.chunks(size) {
                connection.send_fragment(piece, false, output).unwrap();
            }
            connection.send_fragment(b"", true, output).unwrap();
        }
        How::UncompressedPieces(size) => {
            for piece in data.chunks(size) {
                let piece = Payload::from(piece).uncompressed();
                connection.send_fragment(piece, false, output).unwrap();
            }
            connection.send_fragment(Payload::from(b"").uncompressed(), true, output).unwrap();
        }
        How::InPlace => {
            let payload = Payload::from(data);
            drop(connection.send_in_place(&payload, output).unwrap());
        }
    }
    end.written()
}

/// Checks what `R` sends with the bits and the takeover of its direction.
fn check_sent<R: Role>(
    mut from: Endpoint<R>,
    to: [Endpoint<impl Role>; 2],
    (bits, resets): (u8, bool),
    (sendings, level): (&[Sending], u8),
    cut: usize,
) {
    // The flate2 wrapper has no raw window of 8 bits; the test of distances covers that.
    let new = || Decompress::new_with_window_bits(false, bits.max(9));
    let (mut oracle, mut bytes) = (new(), Vec::new());
    for sending in sendings {
        let written = send(&mut from, sending, level);
        let [Sent { compressed, payload }] = &sent(&written)[..] else { panic!("one message") };
        bytes.extend_from_slice(&written);
        if !compressed {
            assert_eq!(*payload, sending.0);
            continue;
        }
        assert!(!matches!(sending.1, How::Uncompressed | How::UncompressedPieces(_)));
        if resets {
            oracle = new();
        }
        assert_eq!(inflate(&mut oracle, payload), sending.0);
    }
    let expected: Vec<_> = sendings.iter().map(|(data, _)| Message::binary(data.clone())).collect();
    let [whole, chunked] = to;
    check_received(whole, chunked, &bytes, cut, &expected);
}

/// Inflates a message with zlib.
pub(super) fn inflate(oracle: &mut Decompress, payload: &[u8]) -> Vec<u8> {
    let input = [payload, &TAIL].concat();
    let (start, mut output) = (oracle.total_in(), Vec::new());
    loop {
        let read = (oracle.total_in() - start) as usize;
        output.reserve(10_000);
        let status = oracle.decompress_vec(&input[read..], &mut output, FlushDecompress::Sync);
        assert!(matches!(status, Ok(Status::Ok | Status::BufError)), "{status:?}");
        let read = (oracle.total_in() - start) as usize;
        if read == input.len() && output.len() < output.capacity() {
            return output;
        }
    }
}

/// Receives `bytes` in pieces of `cut`, as messages and in chunks.
fn check_received<R: Role>(
    mut whole: Endpoint<R>,
    mut chunked: Endpoint<R>,
    bytes: &[u8],
    cut: usize,
    expected: &[Message],
) {
    let (mut messages, mut joined, mut is_first) = (Vec::new(), Vec::new(), true);
    for piece in bytes.chunks(cut) {
        whole.fill(piece);
        messages.extend(whole.messages().unwrap());
        chunked.fill(piece);
        while chunked.advance_chunk().unwrap() == Progress::Event {
            let chunk = chunked.connection.chunk(&chunked.input).unwrap();
            let Event::Binary(data) = chunk.event else { panic!("{chunk:?}") };
            assert_eq!(chunk.first, is_first);
            if chunk.first {
                joined.push(Vec::new());
            }
            joined.last_mut().unwrap().extend_from_slice(data);
            is_first = chunk.last;
        }
    }
    assert!(messages == expected, "whole messages, in pieces of {cut}");
    let joined: Vec<_> = joined.into_iter().map(Message::binary).collect();
    assert!(joined == expected && is_first, "in chunks, in pieces of {cut}");
    assert!(whole.input.is_drained() && chunked.input.is_drained());
}

/// How zlib ends a piece of a message.
#[derive(Clone, Copy, Debug)]
enum End {
    Plain,
    Partial,
    Sync,
    Full,
    /// With a final block (BFINAL), and with or without the history of what came before.
    Last(bool),
}

fn pieces() -> impl Strategy<Value = Vec<(Vec<u8>, End)>> {
    let ends =
        vec![End::Plain, End::Partial, End::Sync, End::Full, End::Last(true), End::Last(false)];
    collection::vec((data(), proptest::sample::select(ends)), 1..4)
}

/// zlib in the role of a compressing peer.
struct Peer {
    compress: Compress,
    history: Vec<u8>,
}

impl Peer {
    fn new(level: u32, bits: u8) -> Self {
        let compress = Compress::new_with_window_bits(Compression::new(level), false, bits.max(9));
        Self { compress, history: Vec::new() }
    }

    fn message(&mut self, pieces: &[(Vec<u8>, End)]) -> Vec<u8> {
        let mut output = Vec::new();
        for (index, (data, how)) in pieces.iter().enumerate() {
            let is_last = index + 1 == pieces.len();
            self.piece(data, *how, is_last, &mut output);
            if !is_last {
                continue;
            }
            if let End::Last(_) = how {
                // §7.2.3.4: an empty block that is not the last one follows, without its tail.
                output.push(0);
            } else if output.ends_with(&TAIL) {
                output.truncate(output.len() - TAIL.len());
            }
            if output.is_empty() {
                output.push(0);
            }
        }
        output
    }

    fn piece(&mut self, data: &[u8], how: End, is_last: bool, output: &mut Vec<u8>) {
        let flush = match how {
            End::Plain if !is_last => FlushCompress::None,
            End::Partial if !is_last => FlushCompress::Partial,
            End::Plain | End::Partial | End::Sync => FlushCompress::Sync,
            End::Full => FlushCompress::Full,
            End::Last(_) => FlushCompress::Finish,
        };
        let start = self.compress.total_in();
        loop {
            let read = (self.compress.total_in() - start) as usize;
            output.reserve(10_000);
            self.compress.compress_vec(&data[read..], output, flush).unwrap();
            let read = (self.compress.total_in() - start) as usize;
            if read == data.len() && output.len() < output.capacity() {
                break;
            }
        }
        self.history.extend_from_slice(data);
        if let End::Last(keeps_history) = how {
            self.compress.reset();
            if keeps_history {
                self.compress.set_dictionary(&self.history).unwrap();
            } else {
                self.history.clear();
            }
        }
    }
}

fn check_peer<R: Role>(
    ends: [Endpoint<R>; 2],
    (bits, resets): (u8, bool),
    level: u32,
    messages: &[(Vec<(Vec<u8>, End)>, bool)],
    frame_size: usize,
    cut: usize,
) {
    let mut peer = Peer::new(level, bits);
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    for (pieces, compressed) in messages {
        let data: Vec<_> = pieces.iter().flat_map(|(data, _)| data.clone()).collect();
        let payload = if *compressed { peer.message(pieces) } else { data.clone() };
        expected.push(Message::binary(data));
        if resets {
            peer = Peer::new(level, bits);
        }
        let mut first = if *compressed { 0x42 } else { 0x02 };
        for piece in payload.chunks(frame_size) {
            bytes.extend(frame::<R>(first, piece));
            first = 0;
        }
        bytes.extend(frame::<R>(first | 0x80, b""));
    }
    let [whole, chunked] = ends;
    check_received(whole, chunked, &bytes, cut, &expected);
}

fn both(agreed: &DeflateParameters) -> [(u8, bool); 2] {
    [
        (agreed.server_max_window_bits, agreed.server_no_context_takeover),
        (agreed.client_max_window_bits, agreed.client_no_context_takeover),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn zlib_inflates_what_is_sent(
        agreed in parameters(),
        level in 0_u8..=9,
        fragment_size in prop_oneof![Just(0_usize), 1_usize..100, 100_usize..70_000],
        sendings in collection::vec(sending(), 1..8),
        cut in prop_oneof![1_usize..20, 20_usize..100_000],
    ) {
        let deflate = DeflateConfig::new().threshold(0).level(level);
        let config = Config::default().deflate(deflate).fragment_size(fragment_size);
        let [of_server, of_client] = both(&agreed);
        let receivers = [client(agreed), client(agreed)];
        check_sent(end(Server::new(), agreed, config), receivers, of_server, (&sendings, level), cut);
        let receivers = [server(agreed), server(agreed)];
        check_sent(end(Client::new(keys()), agreed, config), receivers, of_client, (&sendings, level), cut);
    }

    #[test]
    fn what_zlib_deflates_is_received(
        agreed in parameters(),
        level in 0_u32..=9,
        messages in collection::vec((pieces(), proptest::bool::weighted(0.9)), 1..5),
        frame_size in prop_oneof![1_usize..100, 100_usize..100_000],
        cut in prop_oneof![1_usize..20, 20_usize..100_000],
    ) {
        let [of_server, of_client] = both(&agreed);
        let clients = || end(Client::new(keys()), agreed, many());
        let servers = || end(Server::new(), agreed, many());
        check_peer([clients(), clients()], of_server, level, &messages, frame_size, cut);
        check_peer([servers(), servers()], of_client, level, &messages, frame_size, cut);
    }
}

/// Returns a configuration that allows as many fragments as a test makes.
fn many() -> Config {
    eager().limits(sansocket::Limits::default().fragments(u32::MAX))
}
