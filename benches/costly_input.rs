//! The cost of input that carries little or no data, compared with honest input.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansocket::{
    Config, DeflateConfig, Limits,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Server},
    deflate::DeflateParameters,
    handshake::Negotiated,
    mask::MaskKey,
};
use sansocket_testkit::frames::masked;

/// The approximate number of bytes of each input.
const LEN: usize = 1 << 20;

/// Returns text that a client might send to a server.
fn json(len: usize) -> Vec<u8> {
    let mut number = 1_u32;
    let mut text = String::new();
    while text.len() < len {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (id, value) = (number >> 12, f64::from(number >> 8) / 1000.0);
        text += &format!(r#"{{"id":{id},"sensor":"temperature","value":{value:.3}}},"#);
    }
    text.truncate(len);
    text.into_bytes()
}

/// Encodes a message in fragments: first a fragment of text, to fill the window, then each of these
/// payloads.
fn fragments(payloads: &[Vec<u8>], first: u8) -> Vec<u8> {
    let mut frames = masked(first, b"");
    while frames.len() < LEN {
        payloads.iter().for_each(|payload| frames.extend(masked(0x00, payload)));
    }
    frames
}

/// Compressed blocks, written bit by bit (RFC 1951 §3.1.1).
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn put(&mut self, value: u32, count: usize) {
        for at in 0..count {
            if self.used % 8 == 0 {
                self.bytes.push(0);
            }
            let bit = (value >> at & 1) as u8;
            *self.bytes.last_mut().expect("a byte was pushed") |= bit << (self.used % 8);
            self.used += 1;
        }
    }

    /// Writes a Huffman code, highest bit first.
    fn code(&mut self, code: u32, count: usize) {
        (0..count).rev().for_each(|at| self.put(code >> at & 1, 1));
    }

    /// Writes a block with fixed codes that produces no output.
    fn empty_fixed(&mut self) {
        self.put(0b010, 3);
        self.code(0, 7);
    }

    /// Writes a block with its own codes (§3.2.7) that produces no output: 286 codes of eight and
    /// nine bits for literals and lengths, and 30 codes of four and five bits for distances.
    fn empty_dynamic(&mut self) {
        self.put(0b100, 3);
        self.put(286 - 257, 5);
        self.put(30 - 1, 5);
        // The code lengths used are 4, 5, 8, 9 and 16, which repeats the previous length. The first
        // three have codes of three bits, the other two have codes of two bits.
        let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4];
        self.put(order.len() as u32 - 4, 4);
        for length in order {
            let bits = match length {
                4 | 5 => 3,
                8 | 9 | 16 => 2,
                _ => 0,
            };
            self.put(bits, 3);
        }
        // The codes are canonical: 8, 9, 16 are 00, 01, 10; 4 and 5 are 110 and 111.
        let repeat = |bits: &mut Self, (code, len): (u32, usize), mut count: u32| {
            bits.code(code, len);
            count -= 1;
            while count >= 3 {
                let now = count.min(6);
                bits.code(0b10, 2);
                bits.put(now - 3, 2);
                count -= now;
            }
            (0..count).for_each(|_| bits.code(code, len));
        };
        repeat(self, (0b00, 2), 226);
        repeat(self, (0b01, 2), 60);
        repeat(self, (0b111, 3), 28);
        repeat(self, (0b110, 3), 2);
        // The symbol 256 ends the block. Its code is the 31st of nine bits.
        self.code((226 << 1) + 30, 9);
    }
}

/// Encodes a message of such blocks. It ends with the beginning of the stored block whose remainder
/// RFC 7692 omits.
fn blocks(mut block: impl FnMut(&mut Bits)) -> Vec<u8> {
    let mut bits = Bits::default();
    while bits.bytes.len() < LEN {
        block(&mut bits);
    }
    bits.put(0, 3);
    masked(0xc2, &bits.bytes)
}

/// Returns text compressed by a client that does not mask.
fn compressed_text() -> Vec<u8> {
    let role = Client::new(|| MaskKey::new([0; 4]));
    let mut client = Connection::new(role, &agreed(), config());
    let (mut output, mut bytes) = (WriteBuffer::new(), Vec::new());
    client.send_binary(&json(6 * LEN), &mut output).expect("there is room");
    while !output.is_empty() {
        bytes.extend_from_slice(output.front());
        output.consume(output.front().len());
    }
    bytes
}

fn agreed() -> Negotiated {
    Negotiated::new().deflate(DeflateParameters::default())
}

fn config() -> Config {
    let limits = Limits::default().message(u64::MAX).fragments(u32::MAX);
    Config::default().limits(limits).deflate(DeflateConfig::new())
}

/// Receives the bytes as from a transport, 64 KiB at a time.
fn receive(negotiated: &Negotiated, bytes: &[u8]) {
    let mut connection = Connection::new(Server::new(), negotiated, config());
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    for piece in bytes.chunks(64 << 10) {
        input.extend_from_slice(piece);
        while connection.advance(&mut input, &mut output).expect("valid").goes_on() {}
        output.consume(usize::MAX);
    }
}

fn bench_costly_input(criterion: &mut Criterion) {
    let (plain, agreed) = (Negotiated::new(), agreed());
    let window = {
        let mut stored = vec![0, 0xff, 0x7f, 0x00, 0x80];
        stored.extend(json(0x7fff));
        stored
    };
    let message = |payload: Vec<u8>| masked(0xc2, &payload);
    let last_blocks = [[3, 0].repeat(2), vec![0, 27, 0, 228, 255], vec![7; 27]].concat();
    let inputs = [
        ("plain, 1 MiB", &plain, masked(0x82, &vec![7; LEN])),
        ("plain, 16 B each", &plain, masked(0x82, &[7; 16]).repeat(LEN / 22)),
        ("plain, empty fragments", &plain, fragments(&[vec![]], 0x02)),
        ("plain, text in fragments of one byte", &plain, fragments(&[vec![b'a']], 0x01)),
        ("plain, empty pings", &plain, masked(0x89, b"").repeat(LEN / 6)),
        ("compressed, text", &agreed, compressed_text()),
        ("compressed, a final block a message", &agreed, masked(0xc2, &[3, 0]).repeat(LEN / 8)),
        ("compressed, a final block a frame", &agreed, {
            let first = [masked(0x42, &window), fragments(&[vec![3, 0]], 0x00)];
            first.concat()
        }),
        ("compressed, a final block for 16 B", &agreed, {
            message([window, last_blocks.repeat(LEN / last_blocks.len()), vec![0]].concat())
        }),
        ("compressed, empty stored blocks", &agreed, {
            message([[0, 0, 0, 255, 255].repeat(LEN / 5), vec![0]].concat())
        }),
        ("compressed, empty fixed blocks", &agreed, blocks(Bits::empty_fixed)),
        ("compressed, empty dynamic blocks", &agreed, blocks(Bits::empty_dynamic)),
    ];
    let mut group = criterion.benchmark_group("costly input");
    for (name, negotiated, bytes) in inputs {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| receive(negotiated, &bytes));
        });
    }
    group.finish();
}

criterion_group!(benches, bench_costly_input);
criterion_main!(benches);
