//! Properties that hold for arbitrary bytes in compressed messages.

use crate::{
    cuts::cuts,
    endpoint::take,
    frames::{KEY, plain},
};
use sansocket::{
    Config, DeflateConfig, Event, Limits, Message, Payload, PreparedMessage,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Progress, ProtocolError, ReceiveError, Role, Server},
    deflate::DeflateParameters,
    handshake::Negotiated,
    mask::MaskKey,
};

/// The size limit of messages in these checks.
const LIMIT: u64 = 100_000;

/// | byte | meaning |
/// |---|---|
/// | 0 | bits 0 to 2, 3 to 5: the windows of server and client minus 8; bits 6, 7: no context takeover |
/// | 1 | the compression level, and the size of a frame |
/// | 2 | how the input is cut |
fn read(data: &[u8]) -> Option<(Negotiated, Config, u8, &[u8])> {
    let ([parameters, sizes, cut], rest) = data.split_first_chunk()?;
    let mut agreed = DeflateParameters::default();
    agreed.server_max_window_bits = 8 + (parameters & 7);
    agreed.client_max_window_bits = 8 + (parameters >> 3 & 7);
    agreed.server_no_context_takeover = parameters & 0x40 != 0;
    agreed.client_no_context_takeover = parameters & 0x80 != 0;
    let deflate = DeflateConfig::new().level(sizes % 10).threshold(0);
    let limits = Limits::default().message(LIMIT).fragments(u32::MAX);
    let config = Config::default().limits(limits).deflate(deflate);
    let fragment_size = [0, 1, 7, 100, 1000][usize::from(sizes / 10) % 5];
    Some((Negotiated::new().deflate(agreed), config.fragment_size(fragment_size), *cut, rest))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Received {
    messages: Vec<(bool, Vec<u8>)>,
    error: Option<ReceiveError>,
}

/// Receives the bytes at these cuts, as whole messages or in chunks, which are joined.
fn receive<R: Role>(
    mut end: Connection<R>,
    bytes: &[u8],
    cuts: &[usize],
    in_chunks: bool,
) -> Received {
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    let (mut received, mut open, mut start) = (Received::default(), false, 0);
    for &cut in cuts.iter().chain([&bytes.len()]) {
        input.extend_from_slice(&bytes[start..cut]);
        start = cut;
        loop {
            let progress = if in_chunks {
                end.advance_chunk(&mut input, &mut output)
            } else {
                end.advance(&mut input, &mut output)
            };
            match progress {
                Ok(Progress::Event) => {}
                Ok(Progress::More) => continue,
                Ok(Progress::NeedsInput | Progress::Ended) => break,
                Err(error) => {
                    received.error = Some(error);
                    // An incomplete message does not count.
                    received.messages.truncate(received.messages.len() - usize::from(open));
                    return received;
                }
            }
            let (event, first, last) = if in_chunks {
                let chunk = end.chunk(&input).unwrap();
                (chunk.event, chunk.first, chunk.last)
            } else {
                (end.event(&input).unwrap(), true, true)
            };
            let (is_text, data) = match event {
                Event::Text(text) => (true, text.as_bytes()),
                Event::Binary(data) => (false, data),
                _ => continue,
            };
            assert_eq!(first, !open);
            assert!(in_chunks || data.len() as u64 <= LIMIT);
            if first {
                received.messages.push((is_text, Vec::new()));
            }
            received.messages.last_mut().unwrap().1.extend_from_slice(data);
            open = !last;
        }
    }
    received.messages.truncate(received.messages.len() - usize::from(open));
    received
}

fn client(negotiated: &Negotiated, config: Config) -> Connection<Client<fn() -> MaskKey>> {
    let key: fn() -> MaskKey = || MaskKey::new(KEY);
    Connection::new(Client::new(key), negotiated, config)
}

/// Checks arbitrary bytes as the payloads of messages that claim to be compressed: the outcome is
/// the same whole and cut, in chunks or not, and never exceeds the limit.
pub fn check_receiver(data: &[u8]) {
    let Some((negotiated, config, seed, rest)) = read(data) else { return };
    // 0xa5 0x5a separates the messages.
    let mut bytes = Vec::new();
    for message in split(rest) {
        let (kind, payload) = message.split_first().unwrap_or((&0, &[]));
        let first = 0x41 + kind % 2;
        let at = payload.len() * usize::from(kind / 2) / 128;
        bytes.extend(plain(first, &payload[..at]));
        bytes.extend(plain(0x80, &payload[at..]));
    }
    let whole = receive(client(&negotiated, config), &bytes, &[], false);
    let cuts = cuts(seed, bytes.len());
    assert_eq!(receive(client(&negotiated, config), &bytes, &cuts, false), whole);
    let is_too_large =
        matches!(whole.error, Some(ReceiveError::Protocol(ProtocolError::MessageTooLarge { .. })));
    for cuts in [&[][..], &cuts] {
        let chunks = receive(client(&negotiated, config), &bytes, cuts, true);
        // Messages received in chunks have no limit.
        if is_too_large {
            assert!(chunks.messages.starts_with(&whole.messages));
        } else {
            assert_eq!(chunks, whole);
        }
    }
}

/// Checks that arbitrary messages arrive in both directions, with arbitrary parameters and cuts.
pub fn check_round_trip(data: &[u8]) {
    let Some((negotiated, config, seed, rest)) = read(data) else { return };
    let server = || Connection::new(Server::new(), &negotiated, config);
    let client = || client(&negotiated, config);
    let messages: Vec<_> = split(rest).collect();
    let deflate = config.deflate.unwrap_or_default();
    let (bytes, expected) = send(server(), &messages, &deflate);
    arrives(&expected, &bytes, seed, client);
    let (bytes, expected) = send(client(), &messages, &deflate);
    arrives(&expected, &bytes, seed, server);
}

fn arrives<R: Role>(
    expected: &[(bool, Vec<u8>)],
    bytes: &[u8],
    seed: u8,
    end: impl Fn() -> Connection<R>,
) {
    for in_chunks in [false, true] {
        let received = receive(end(), bytes, &cuts(seed, bytes.len()), in_chunks);
        assert_eq!(received.error, None);
        assert_eq!(received.messages, expected);
    }
}

/// Sends each message as its first byte tells: bits 0 to 2 select the method, bits 4 to 7 how often
/// the rest is repeated and the size of the pieces.
fn send<R: Role>(
    mut end: Connection<R>,
    messages: &[&[u8]],
    deflate: &DeflateConfig,
) -> (Vec<u8>, Vec<(bool, Vec<u8>)>) {
    let (mut output, mut bytes, mut sent) = (WriteBuffer::new(), Vec::new(), Vec::new());
    for message in messages {
        let (how, unit) = message.split_first().unwrap_or((&0, &[]));
        let size = usize::from(how / 16);
        let data = unit.repeat(1 + size);
        match how % 8 {
            0 | 1 => end.send_binary(&data, &mut output).unwrap(),
            2 => end.send(Payload::from(&data).uncompressed(), &mut output).unwrap(),
            3 => {
                let deflate = deflate.server_max_window_bits(8 + (unit.len() % 8) as u8);
                let message = PreparedMessage::new(Message::binary(data.clone()));
                end.send_prepared(&message.deflate(&deflate), &mut output).unwrap();
            }
            4 => {
                let payload = Payload::from(&data);
                end.send_in_place(&payload, &mut output).unwrap().consume(0);
            }
            5 => {
                // The first piece decides for the whole message.
                end.send_fragment(Payload::from(b"").uncompressed(), false, &mut output).unwrap();
                end.send_fragment(&data, true, &mut output).unwrap();
            }
            _ => {
                for piece in data.chunks(1 + size * 20) {
                    end.send_fragment(piece, false, &mut output).unwrap();
                }
                end.send_fragment(b"", true, &mut output).unwrap();
            }
        }
        bytes.extend(take(&mut output));
        sent.push((false, data));
    }
    (bytes, sent)
}

fn split(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let end = data.windows(2).position(|pair| pair == [0xa5, 0x5a]);
        let message = &data[..end.unwrap_or(data.len())];
        data = end.map_or(&[], |end| &data[end + 2..]);
        Some(message)
    })
}
