//! What it takes to encode and decode a MESSAGE of STOMP, beside a copy of its bytes.
//!
//! ```sh
//! cargo bench -p sansocket-realtime --bench stomp
//! ```
//!
//! `shared` is what a message for many costs for each of them: a head of its own, and a copy of the tail
//! that all share.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansocket_realtime::stomp::{Command, Decoder, Encoder, Limits, MessageTail, Version, header};
use std::hint::black_box;

const BODIES: [usize; 3] = [16, 125, 16 << 10];
const HEADERS: [(&str, &str); 5] = [
    (header::SUBSCRIPTION, "0"),
    (header::MESSAGE_ID, "5f3a9c01-1042"),
    (header::DESTINATION, "/topic/orders/42"),
    (header::CONTENT_TYPE, "application/json"),
    ("priority", "9"),
];

fn encoded(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new(Version::V1_2).encode(Command::Message, HEADERS, body, &mut bytes).unwrap();
    bytes
}

fn message(criterion: &mut Criterion) {
    for size in BODIES {
        let body = vec![b'x'; size];
        let bytes = encoded(&body);
        let mut group = criterion.benchmark_group("MESSAGE");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let mut out = Vec::with_capacity(2 * bytes.len());
        group.bench_function(BenchmarkId::new("copy", size), |bench| {
            bench.iter(|| {
                out.clear();
                out.extend_from_slice(black_box(&bytes));
                black_box(&out);
            });
        });
        group.bench_function(BenchmarkId::new("encode", size), |bench| {
            bench.iter(|| {
                out.clear();
                let encoder = Encoder::new(Version::V1_2);
                encoder.encode(Command::Message, black_box(HEADERS), &body, &mut out).unwrap();
                assert_eq!(out.len(), bytes.len());
            });
        });
        let [subscription, (_, id), (_, destination), shared @ ..] = HEADERS;
        let tail = MessageTail::encode(Version::V1_2, id, destination, shared, &body).unwrap();
        group.bench_function(BenchmarkId::new("shared", size), |bench| {
            bench.iter(|| {
                out.clear();
                let encoder = Encoder::new(Version::V1_2);
                encoder.encode_message_head(black_box([subscription]), &mut out).unwrap();
                out.extend_from_slice(tail.bytes());
                assert_eq!(out.len(), bytes.len());
            });
        });
        group.bench_function(BenchmarkId::new("decode", size), |bench| {
            let mut decoder = Decoder::client(Limits::default());
            bench.iter(|| {
                let mut input = black_box(&bytes[..]);
                let frame = decoder.decode(&mut input).unwrap().unwrap();
                assert_eq!(frame.get(header::MESSAGE_ID).as_deref(), Some(id));
                assert_eq!(frame.body().len(), size);
            });
        });
    }
}

criterion_group!(benches, message);
criterion_main!(benches);
