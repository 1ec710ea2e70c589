//! permessage-deflate in memory: a server sends and receives compressed messages.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansocket::{
    Config, DeflateConfig, Event,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Progress, Server},
    deflate::DeflateParameters,
    handshake::Negotiated,
    mask::MaskKey,
};

const SIZES: [usize; 3] = [125, 1024, 16 * 1024];

/// Returns JSON messages as a telemetry service sends them.
fn messages(size: usize) -> Vec<String> {
    let mut number = 1_u32;
    let mut one = || {
        let mut text = String::from("[");
        while text.len() < size {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (id, value) = (number >> 12, f64::from(number >> 8) / 1000.0);
            text += &format!(r#"{{"id":{id},"sensor":"temperature","value":{value:.3}}},"#);
        }
        text.truncate(size);
        text
    };
    (0..64).map(|_| one()).collect()
}

fn negotiated(no_context_takeover: bool) -> Negotiated {
    let mut parameters = DeflateParameters::default();
    parameters.server_no_context_takeover = no_context_takeover;
    parameters.client_no_context_takeover = no_context_takeover;
    Negotiated::new().deflate(parameters)
}

fn config() -> Config {
    Config::default().deflate(DeflateConfig::new())
}

fn bench_round_trip(criterion: &mut Criterion) {
    for (mode, no_takeover) in [("takeover", false), ("no takeover", true)] {
        let mut group = criterion.benchmark_group(format!("deflate/{mode}"));
        for size in SIZES {
            let messages = messages(size);
            let negotiated = negotiated(no_takeover);
            let role = Client::new(|| MaskKey::new([1, 2, 3, 4]));
            let mut client = Connection::new(role, &negotiated, config());
            let mut server = Connection::new(Server::new(), &negotiated, config());
            let (mut input, mut wire) = (ReadBuffer::new(), WriteBuffer::new());
            group.throughput(Throughput::Bytes((messages.len() * size) as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    for message in &messages {
                        client.send_text(message, &mut wire).expect("there is room");
                        assert!(wire.len() < size, "the message was not compressed");
                        while !wire.is_empty() {
                            let count = wire.front().len();
                            input.extend_from_slice(wire.front());
                            wire.consume(count);
                        }
                        assert_eq!(server.advance(&mut input, &mut wire), Ok(Progress::Event));
                        assert_eq!(server.event(&input), Some(Event::Text(message)));
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench_round_trip);
criterion_main!(benches);
