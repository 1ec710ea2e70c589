//! What each mode of compression costs a server: the memory that a connection keeps between its
//! messages, the time that a message takes, and its size. It prints the table of docs/compression.md.
//!
//! ```sh
//! cargo bench --features deflate --bench compression_modes
//! ```
//!
//! The messages are JSON of 1 KiB, as a telemetry service sends them. All is in memory, and times are the
//! medians of several rounds. With `--test`, it only checks that it runs.

use sansocket::{
    Config, DeflateConfig, Event,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Progress, Role, Server},
    deflate::DeflateParameters,
    handshake::Negotiated,
    mask::MaskKey,
};
use sansocket_testkit::allocator::{Counting, live};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MESSAGES: usize = 64;
const SIZE: usize = 1024;

struct Mode {
    name: &'static str,
    /// `None` is no compression.
    agreed: Option<DeflateParameters>,
    level: u8,
}

impl Mode {
    fn takeover(name: &'static str, bits: u8, level: u8) -> Self {
        let mut agreed = DeflateParameters::default();
        (agreed.server_max_window_bits, agreed.client_max_window_bits) = (bits, bits);
        Self { name, agreed: Some(agreed), level }
    }

    fn alone(name: &'static str, level: u8) -> Self {
        let mut agreed = DeflateParameters::default();
        (agreed.server_no_context_takeover, agreed.client_no_context_takeover) = (true, true);
        Self { name, agreed: Some(agreed), level }
    }

    fn connection<R: Role>(&self, role: R) -> Connection<R> {
        let config = DeflateConfig::new().level(self.level);
        let negotiated =
            self.agreed.map_or_else(Negotiated::new, |agreed| Negotiated::new().deflate(agreed));
        Connection::new(role, &negotiated, Config::default().deflate(config))
    }
}

/// What a mode costs in one direction.
struct Cost {
    memory: isize,
    time: Duration,
    size: usize,
}

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let rounds = if is_test { 2 } else { 200 };
    let modes = [
        Mode { name: "off", agreed: None, level: 6 },
        Mode::alone("no takeover, level 1", 1),
        Mode::alone("no takeover, level 6", 6),
        Mode::alone("no takeover, level 9", 9),
        Mode::takeover("window 9, level 6", 9, 6),
        Mode::takeover("window 10, level 6", 10, 6),
        Mode::takeover("window 12, level 6", 12, 6),
        Mode::takeover("window 15, level 1", 15, 1),
        Mode::takeover("window 15, level 6", 15, 6),
        Mode::takeover("window 15, level 9", 15, 9),
    ];
    println!("| mode | sends: memory | time | size | receives: memory | time |");
    println!("|---|--:|--:|--:|--:|--:|");
    let messages = messages();
    for mode in &modes {
        // What a thread keeps for its next connection is not part of the first one.
        let (_, _) = (sends(mode, &messages, 1), receives(mode, &messages, 1));
        let (sends, receives) = (sends(mode, &messages, rounds), receives(mode, &messages, rounds));
        println!(
            "| {} | {} | {} | {} % | {} | {} |",
            mode.name,
            kib(sends.memory),
            micros(sends.time),
            sends.size * 100 / (MESSAGES * SIZE),
            kib(receives.memory),
            micros(receives.time),
        );
    }
}

/// Returns JSON messages that resemble each other.
fn messages() -> Vec<String> {
    let mut number = 1_u32;
    let mut one = || {
        let mut text = String::from("[");
        while text.len() < SIZE {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (id, value) = (number >> 12, f64::from(number >> 8) / 1000.0);
            text += &format!(r#"{{"id":{id},"sensor":"temperature","value":{value:.3}}},"#);
        }
        text.truncate(SIZE);
        text
    };
    (0..MESSAGES).map(|_| one()).collect()
}

/// A server sends all messages so many times.
fn sends(mode: &Mode, messages: &[String], rounds: usize) -> Cost {
    let mut output = WriteBuffer::new();
    // The buffer has its memory before.
    output.extend_from_slice(&[0; 64 << 10]);
    output.consume_keeping_memory(64 << 10);
    let before = live();
    let mut server = mode.connection(Server::new());
    let mut times = Vec::with_capacity(rounds);
    let mut size = 0;
    let counted = live();
    for _ in 0..rounds {
        size = 0;
        let started = Instant::now();
        for message in messages {
            server.send_text(message, &mut output).expect("there is room");
            size += output.len();
            output.consume_keeping_memory(output.len());
        }
        times.push(started.elapsed());
    }
    let own = counted - before - (rounds * size_of::<Duration>()) as isize;
    Cost { memory: own + live() - counted, time: median(times), size }
}

/// A server receives all messages so many times.
fn receives(mode: &Mode, messages: &[String], rounds: usize) -> Cost {
    let mut client = mode.connection(Client::new(|| MaskKey::new([1, 2, 3, 4])));
    let mut frames = Vec::new();
    for message in (0..rounds).flat_map(|_| messages) {
        let mut wire = WriteBuffer::new();
        client.send_text(message, &mut wire).expect("there is room");
        frames.push(wire.front().to_vec());
    }
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    let mut times = Vec::with_capacity(rounds);
    let before = live();
    let mut server = mode.connection(Server::new());
    for frames in frames.chunks(messages.len()) {
        let started = Instant::now();
        for frame in frames {
            input.extend_from_slice(frame);
            assert_eq!(server.advance(&mut input, &mut output), Ok(Progress::Event));
            assert!(matches!(server.event(&input), Some(Event::Text(text)) if text.len() == SIZE));
        }
        times.push(started.elapsed());
    }
    assert_eq!(server.advance(&mut input, &mut output), Ok(Progress::NeedsInput));
    // A connection that waits holds no buffer.
    drop(input.take_memory());
    Cost { memory: live() - before, time: median(times), size: 0 }
}

/// Returns the time of a message in a median round.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2] / MESSAGES as u32
}

fn kib(bytes: isize) -> String {
    format!("{:.1} KiB", bytes as f64 / 1024.0)
}

fn micros(time: Duration) -> String {
    format!("{:.2} µs", time.as_nanos() as f64 / 1000.0)
}
