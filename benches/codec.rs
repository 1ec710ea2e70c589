//! A server's echo in memory: masked messages in, unmasked messages out, and nothing else.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansocket::{
    Config, Event, Limits,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Connection, MessageKind, Progress, Server},
    handshake::Negotiated,
};
use sansocket_testkit::frames::{BINARY, TEXT, masked, plain};
use std::hint::black_box;

const SIZES: [usize; 5] = [16, 125, 1024, 16 * 1024, 1024 * 1024];

/// Feeds the frames as reads of up to 64 KiB and echoes every message. Returns their number.
fn echo(
    connection: &mut Connection<Server>,
    input: &mut ReadBuffer,
    output: &mut WriteBuffer,
    mut wire: &[u8],
    mut written: impl FnMut(&[u8]),
) -> usize {
    let mut messages = 0;
    while !wire.is_empty() {
        let spare = input.spare(1);
        let count = spare.len().min(wire.len()).min(64 * 1024);
        spare[..count].copy_from_slice(&wire[..count]);
        input.filled(count);
        wire = &wire[count..];
        while connection.advance(input, output).is_ok_and(Progress::goes_on) {
            let sent = match connection.event(input) {
                Some(Event::Text(text)) => connection.send_text(text, output),
                Some(Event::Binary(data)) => connection.send_binary(data, output),
                _ => Ok(()),
            };
            assert_eq!(sent, Ok(()));
            messages += 1;
        }
        while !output.is_empty() {
            let front = output.front();
            written(front);
            output.consume(front.len());
        }
    }
    messages
}

fn bench_echo(criterion: &mut Criterion) {
    let mixed = "aé漢🌍".repeat(1024 * 1024 / 10 + 1);
    for (kind, first) in [(MessageKind::Binary, BINARY), (MessageKind::Text, TEXT)] {
        let mut group = criterion.benchmark_group(format!("echo/{kind:?}"));
        for size in SIZES {
            let size = (0..=size).rev().find(|&cut| mixed.is_char_boundary(cut)).unwrap_or(0);
            let payload = &mixed.as_bytes()[..size];
            let count = (256 * 1024 / size).clamp(1, 1024);
            let wire = masked(first, payload).repeat(count);
            let config = Config::default().limits(Limits::default().queued_output(usize::MAX));
            let config = config.fragment_size(0);
            let mut connection = Connection::new(Server::new(), &Negotiated::new(), config);
            let mut input = ReadBuffer::with_memory(vec![0; 64 * 1024]);
            let mut output = WriteBuffer::new();
            let mut echoed = Vec::new();
            echo(&mut connection, &mut input, &mut output, &wire, |bytes| {
                echoed.extend_from_slice(bytes);
            });
            assert!(echoed == plain(first, payload).repeat(count), "{kind:?}, {size} B");
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    let ignore = |bytes: &[u8]| _ = black_box(bytes);
                    let messages = echo(&mut connection, &mut input, &mut output, &wire, ignore);
                    assert_eq!(messages, count);
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench_echo);
criterion_main!(benches);
