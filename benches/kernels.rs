//! Kernels over plain memory: masking, and UTF-8 validation compared with the standard library's.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansocket::{
    mask::{MaskKey, apply_mask},
    utf8::validate_utf8_prefix,
};
use std::hint::black_box;

const SIZES: [usize; 7] = [4, 16, 64, 125, 1024, 16 * 1024, 1024 * 1024];

fn bench_mask(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask");
    let key = MaskKey::new([1, 2, 3, 4]);
    for size in SIZES {
        let mut data: Vec<u8> = (0..=size).map(|index| (index * 37) as u8).collect();
        for start in [0, 1] {
            let right: Vec<u8> = data[start..][..size]
                .iter()
                .zip(key.to_bytes().iter().cycle())
                .map(|(byte, key)| byte ^ key)
                .collect();
            apply_mask(&mut data[start..][..size], key, 0);
            assert_eq!(data[start..][..size], right);
        }
        group.throughput(Throughput::Bytes(size as u64));
        for (alignment, start) in [("aligned", 0), ("unaligned", 1)] {
            group.bench_function(BenchmarkId::new(alignment, size), |bencher| {
                bencher.iter(|| apply_mask(black_box(&mut data[start..][..size]), key, 0));
            });
        }
    }
    group.finish();
}

fn bench_utf8(criterion: &mut Criterion) {
    for (script, pattern) in
        [("ascii", "chat"), ("latin", "caché"), ("cjk", "漢字"), ("mixed", "aé漢🌍")]
    {
        let mut group = criterion.benchmark_group(format!("utf8/{script}"));
        for size in SIZES {
            let mut text = pattern.repeat(size / pattern.len() + 1);
            while text.len() > size {
                text.pop();
            }
            let bytes = text.as_bytes();
            assert_eq!(validate_utf8_prefix(bytes), Ok(bytes.len()));
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_function(BenchmarkId::new("ours", size), |bencher| {
                bencher.iter(|| validate_utf8_prefix(black_box(bytes)));
            });
            group.bench_function(BenchmarkId::new("std", size), |bencher| {
                bencher.iter(|| std::str::from_utf8(black_box(bytes)).is_ok());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench_mask, bench_utf8);
criterion_main!(benches);
