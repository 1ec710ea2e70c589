//! A compressor never refers back beyond its window (RFC 7692 §7.1.2). These tests inflate what is
//! sent according to RFC 1951 and record the largest distance. zlib has no raw window of 8 bits;
//! that its window of 9 bits refers back by at most 256 bytes is tested here, not taken on trust.

use super::{agreed, end};
use sansocket::{Config, DeflateConfig, connection::Server};
use sansocket_testkit::{
    noise::noise,
    sent::{Sent, sent},
};

/// Inflates, and records the largest distance.
#[derive(Default)]
struct Inflater {
    output: Vec<u8>,
    largest: usize,
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> usize {
        (0..count).fold(0, |value, index| {
            let bit = self.bytes[self.at / 8] >> (self.at % 8) & 1;
            self.at += 1;
            value | usize::from(bit) << index
        })
    }
}

/// A canonical code (§3.2.2): the number of codes of each length, and the symbols in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        lengths.iter().for_each(|len| counts[*len] += 1);
        let of = |len: usize| (0..lengths.len()).filter(move |symbol| lengths[*symbol] == len);
        Self { counts, symbols: (1..16).flat_map(of).collect() }
    }

    fn read(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for len in 1..16 {
            code |= bits.take(1);
            let count = self.counts[len];
            if code < first + count {
                return self.symbols[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        panic!("no such code");
    }
}

const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

impl Inflater {
    /// Inflates a message without its tail, and returns it.
    fn message(&mut self, payload: &[u8]) -> &[u8] {
        let bytes = [payload, &[0, 0, 0xff, 0xff]].concat();
        let mut bits = Bits { bytes: &bytes, at: 0 };
        let start = self.output.len();
        // §3.2.3; between blocks at most 7 bits are left over.
        while bits.at + 8 <= bytes.len() * 8 {
            assert_eq!(bits.take(1), 0, "a final block");
            match bits.take(2) {
                0 => self.stored(&mut bits),
                1 => {
                    let lengths: Vec<_> = (0..288)
                        .map(|symbol| match symbol {
                            0..=143 => 8,
                            144..=255 => 9,
                            256..=279 => 7,
                            _ => 8,
                        })
                        .collect();
                    self.block(&mut bits, &Code::new(&lengths), &Code::new(&[5; 30]));
                }
                2 => {
                    let (symbols, distances) = codes(&mut bits);
                    self.block(&mut bits, &symbols, &distances);
                }
                _ => panic!("a block of the reserved type"),
            }
        }
        &self.output[start..]
    }

    fn stored(&mut self, bits: &mut Bits<'_>) {
        bits.at = bits.at.next_multiple_of(8);
        let (len, complement) = (bits.take(16), bits.take(16));
        assert_eq!(len ^ complement, 0xffff);
        self.output.extend_from_slice(&bits.bytes[bits.at / 8..][..len]);
        bits.at += len * 8;
    }

    fn block(&mut self, bits: &mut Bits<'_>, symbols: &Code, distances: &Code) {
        loop {
            // §3.2.5.
            let len = match symbols.read(bits) {
                symbol @ 0..=255 => {
                    self.output.push(symbol as u8);
                    continue;
                }
                256 => return,
                symbol @ 257..=264 => symbol - 254,
                285 => 258,
                symbol => {
                    let extra = (symbol as u32 - 261) / 4;
                    ((4 + (symbol - 261) % 4) << extra) + 3 + bits.take(extra)
                }
            };
            let distance = match distances.read(bits) {
                symbol @ 0..=3 => symbol + 1,
                symbol => {
                    let extra = symbol as u32 / 2 - 1;
                    ((2 + symbol % 2) << extra) + 1 + bits.take(extra)
                }
            };
            self.largest = self.largest.max(distance);
            for _ in 0..len {
                self.output.push(self.output[self.output.len() - distance]);
            }
        }
    }
}

/// Reads the codes of a dynamic block (§3.2.7).
fn codes(bits: &mut Bits<'_>) -> (Code, Code) {
    let (symbols, distances) = (bits.take(5) + 257, bits.take(5) + 1);
    let mut lengths = [0; 19];
    let count = bits.take(4) + 4;
    ORDER[..count].iter().for_each(|at| lengths[*at] = bits.take(3));
    let code = Code::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < symbols + distances {
        let (value, count) = match code.read(bits) {
            16 => (*lengths.last().unwrap(), 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            len => (len, 1),
        };
        lengths.extend(std::iter::repeat_n(value, count));
    }
    (Code::new(&lengths[..symbols]), Code::new(&lengths[symbols..]))
}

/// Returns data that repeats at a distance: all of it, and a few bytes among others.
fn repeats(distance: usize, len: usize) -> [Vec<u8>; 2] {
    let unit = noise(distance, distance as u32);
    let all = unit.iter().copied().cycle().take(len).collect();
    let mut some = noise(len, distance as u32 + 7);
    for at in distance..len {
        // Matches of 3 to 40 bytes.
        if at % 67 < 3 + distance % 38 {
            some[at] = some[at - distance];
        }
    }
    [all, some]
}

/// Returns the largest distance in what a server sends with a window of this many bits.
fn largest(bits: u8, level: u8, messages: &[Vec<u8>]) -> usize {
    let mut parameters = agreed();
    parameters.server_max_window_bits = bits;
    let deflate = DeflateConfig::new().threshold(0).level(level);
    let mut server = end(Server::new(), parameters, Config::default().deflate(deflate));
    let mut inflater = Inflater::default();
    for message in messages {
        // Sent as a fragment, so that it is compressed even if it does not shrink.
        server.connection.send_fragment(message, false, &mut server.output).unwrap();
        server.connection.send_fragment(b"", true, &mut server.output).unwrap();
        let [Sent { compressed: true, payload }] = &sent(&server.written())[..] else { panic!() };
        assert!(inflater.message(payload) == message, "{bits} bits, level {level}");
    }
    inflater.largest
}

/// Sends all messages in sequence, with context takeover.
fn check(bits: u8, level: u8, distances: impl Iterator<Item = usize>) -> usize {
    let mut messages = Vec::new();
    for distance in distances {
        let lens: &[usize] = if distance % 50 == 0 { &[20, 300, 4000] } else { &[30, 700] };
        messages.extend(lens.iter().flat_map(|len| repeats(distance, distance + len)));
        // Repeats the previous message, or the one before it.
        messages.push(noise(distance % 300, 5));
    }
    let largest = largest(bits, level, &messages);
    assert!(largest <= 1 << bits, "{largest} bytes back with {bits} bits at level {level}");
    largest
}

#[test]
fn with_8_bits_no_distance_exceeds_256() {
    for level in 0..=9 {
        let largest = check(8, level, 1..=600);
        println!("8 bits, level {level}: {largest}");
        // The data would reveal larger distances.
        assert!(level == 0 || largest > 240, "{largest} at level {level}");
    }
}

#[test]
fn no_distance_exceeds_the_window() {
    for bits in 9..=15 {
        let window = 1 << bits;
        let distances = [1, 2, 200, 256, 257, 511, 512, 513, 900, window - 300, window - 262];
        let more = [window - 261, window - 1, window, window + 1, 2 * window];
        for level in [1, 3, 6, 9] {
            let largest = check(bits, level, distances.into_iter().chain(more));
            println!("{bits} bits, level {level}: {largest}");
        }
    }
}
