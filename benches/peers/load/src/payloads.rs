//! Payloads to send. They are made in advance, and consecutive ones differ.

use crate::{
    Result, arguments::Arguments, connection::Message, deflate::Compressor, frames::Kind,
    json_text, random::Random,
};

/// The most payloads to make. There are enough that none repeats within a window of
/// permessage-deflate, and that a wrong echo hardly ever matches by chance. There are not so many
/// that they fill the processor's cache. A prime number lets any two connections send different
/// payloads.
const MOST: usize = 1021;
const FEWEST: usize = 5;
const ALL_BYTES: usize = 1 << 20;

pub(crate) struct Payloads {
    kind: Kind,
    payloads: Vec<Vec<u8>>,
    /// The payloads compressed without context, if every message is compressed so.
    compressed: Vec<Vec<u8>>,
}

impl Payloads {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self> {
        let size = arguments.size_on_connection();
        // Raw bytes have no kind, so use `Binary`.
        let kind = if arguments.raw { Kind::Binary } else { arguments.kind };
        let mut random = Random::new(arguments.seed);
        let mut make = || match kind {
            _ if arguments.json => json_text::make(&mut random, size),
            Kind::Text => text(&mut random, size),
            Kind::Binary => (0..size).map(|_| random.next() as u8).collect(),
        };
        let mut payloads: Vec<Vec<u8>> = Vec::new();
        while payloads.len() < (ALL_BYTES / size.max(1)).clamp(FEWEST, MOST) {
            let payload = make();
            if payload.is_empty() || payloads.last() != Some(&payload) {
                payloads.push(payload);
            }
        }
        let mut compressed = Vec::new();
        if arguments.compresses_without_context() {
            let mut compressor = Compressor::new(false);
            for payload in &payloads {
                let mut output = Vec::new();
                compressor.compress(payload, &mut output)?;
                compressed.push(output);
            }
        }
        Ok(Self { kind, payloads, compressed })
    }

    /// Returns the message with this number, counted from 0 on each connection.
    pub(crate) fn message(&self, connection: usize, number: u64) -> Message<'_> {
        let start = connection.wrapping_mul(7919);
        let index = start.wrapping_add(number as usize) % self.payloads.len();
        Message {
            kind: self.kind,
            payload: &self.payloads[index],
            compressed: self.compressed.get(index).map(Vec::as_slice),
        }
    }
}

/// Returns `size` bytes of UTF-8. Every second character takes two to four bytes; ASCII fills the
/// end where no such character fits.
fn text(random: &mut Random, size: usize) -> Vec<u8> {
    let mut text = String::with_capacity(size);
    for is_wide in [false, true].into_iter().cycle() {
        let left = size - text.len();
        if left == 0 {
            break;
        }
        let wide = random.pick(&['é', '漢', '🌍']);
        if is_wide && wide.len_utf8() <= left {
            text.push(wide);
        } else {
            text.push(char::from(b'a' + random.below(26) as u8));
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Request;

    fn payloads(line: &str) -> Payloads {
        let words = line.split(' ').map(std::ffi::OsString::from);
        let Ok(Request::Run(arguments)) = Arguments::parse(words) else {
            panic!("the arguments are invalid: {line}");
        };
        Payloads::new(&arguments).expect("the payloads can be compressed")
    }

    #[test]
    fn payloads_have_exactly_the_requested_size() {
        for kind in ["binary", "text", "text --json", "binary --raw"] {
            for size in [0, 1, 2, 3, 16, 40, 41, 125, 126, 1000, 65_535, 65_536] {
                if kind.ends_with("json") && size < json_text::LEAST {
                    continue;
                }
                let payloads = payloads(&format!("--port 1 --size {size} --kind {kind}"));
                let header = match size {
                    _ if !kind.ends_with("raw") => 0,
                    0..126 => 6,
                    126..65_536 => 8,
                    _ => 14,
                };
                for payload in &payloads.payloads {
                    assert_eq!(payload.len(), size + header, "{kind}");
                    assert!(kind.starts_with("binary") || str::from_utf8(payload).is_ok());
                }
                let mut pairs = payloads.payloads.windows(2);
                assert!(size == 0 || pairs.all(|pair| pair[0] != pair[1]));
            }
        }
    }

    #[test]
    fn every_second_character_of_text_is_wide() {
        for payload in payloads("--port 1 --size 100 --kind text").payloads {
            let text = String::from_utf8(payload).expect("the payload is UTF-8");
            let wide = text.chars().filter(|character| !character.is_ascii()).count();
            let others = text.chars().count() - wide;
            assert!(others - wide <= 4, "{text}");
        }
    }

    #[test]
    fn payloads_differ_between_connections_and_seeds() {
        for size in [16, 10_000, 1_000_000] {
            let payloads = payloads(&format!("--port 1 --size {size}"));
            let first = |connection| payloads.message(connection, 0).payload;
            assert_ne!(first(0), first(1));
            assert_ne!(first(7), first(8));
        }
        let (one, two) = (payloads("--port 1 --seed 1"), payloads("--port 1 --seed 2"));
        assert_ne!(one.payloads, two.payloads);
        assert_eq!(one.payloads, payloads("--port 1").payloads);
    }

    #[test]
    fn only_messages_without_context_are_compressed_in_advance() {
        let message = |line| payloads(line).message(3, 9).compressed.map(<[u8]>::to_vec);
        assert!(message("--port 1 --deflate no-takeover").is_some());
        assert!(message("--port 1 --deflate takeover").is_none());
    }
}
