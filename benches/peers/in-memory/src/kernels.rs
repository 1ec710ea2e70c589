//! Kernels alone: masking, copying and validation of UTF-8.

use crate::{
    Kernel,
    payloads::{Random, Script},
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// The number of inputs that a kernel takes in turn. A processor would learn the branches of one.
const INPUTS: usize = 64;
/// The most bytes of all inputs together, so that they stay in the processor's caches.
const ALL_BYTES: usize = 1 << 20;

/// Checks the results of a kernel, then runs it repeatedly for at least `least`.
pub(crate) fn run_timed(
    kernel: Kernel,
    inputs: &mut Inputs,
    least: Duration,
) -> Result<(usize, Duration), String> {
    match kernel {
        Kernel::Mask(_, mask) => {
            inputs.each(|bytes| verify_mask(bytes, mask))?;
            let key = [0x37, 0xfa, 0x21, 3];
            Ok(repeat(least, inputs, |bytes| mask(black_box(bytes), black_box(key))))
        }
        Kernel::Copy(_, copy) => {
            let mut into = vec![0; inputs.size];
            inputs.each(|bytes| {
                copy(&mut into, bytes);
                if into == bytes { Ok(()) } else { Err("the copy is wrong".into()) }
            })?;
            Ok(repeat(least, inputs, |bytes| copy(black_box(&mut into), black_box(bytes))))
        }
        Kernel::Utf8(_, validate) => {
            inputs.each(|bytes| verify_utf8(bytes, validate))?;
            Ok(repeat(least, inputs, |bytes| {
                black_box(validate(black_box(bytes)));
            }))
        }
    }
}

/// Memory in which each input starts `offset` bytes after an address that is a multiple of 64.
pub(crate) struct Inputs {
    memory: Vec<u8>,
    start: usize,
    stride: usize,
    size: usize,
    count: usize,
}

impl Inputs {
    pub(crate) fn bytes_at(size: usize, offset: usize) -> Self {
        let mut random = Random(size as u64 + 7);
        Self::filled(size, offset, |bytes| bytes.fill_with(|| random.next() as u8))
    }

    pub(crate) fn text(script: Script, size: usize) -> Self {
        let mut random = Random(size as u64 + 1);
        Self::filled(size, 0, |bytes| {
            bytes.copy_from_slice(script.text(&mut random, size).as_bytes());
        })
    }

    fn filled(size: usize, offset: usize, mut fill: impl FnMut(&mut [u8])) -> Self {
        let count = (ALL_BYTES / size.max(1)).clamp(1, INPUTS);
        let stride = (size + offset).next_multiple_of(64);
        let memory = vec![0; count * stride + 64];
        let start = memory.as_ptr().align_offset(64) + offset;
        let mut inputs = Self { memory, start, stride, size, count };
        (0..count).for_each(|number| fill(inputs.bytes(number)));
        inputs
    }

    fn bytes(&mut self, number: usize) -> &mut [u8] {
        let start = self.start + number * self.stride;
        &mut self.memory[start..start + self.size]
    }

    fn each(
        &mut self,
        mut verify: impl FnMut(&mut [u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        (0..self.count).try_for_each(|number| verify(self.bytes(number)))
    }
}

/// Compares the kernel with masking one byte at a time.
fn verify_mask(bytes: &mut [u8], mask: fn(&mut [u8], [u8; 4])) -> Result<(), String> {
    let key = [0x91, 0x02, 0xe3, 0x74];
    let before = bytes.to_vec();
    mask(bytes, key);
    let right = before.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    if right.eq(bytes.iter().copied()) { Ok(()) } else { Err("the masking is wrong".into()) }
}

/// Checks that the kernel accepts valid text, and refuses it with any one of several bytes broken.
fn verify_utf8(bytes: &mut [u8], validate: fn(&[u8]) -> bool) -> Result<(), String> {
    if !validate(bytes) {
        return Err("refused valid UTF-8".into());
    }
    for position in [0, bytes.len() / 2, bytes.len() - 1] {
        let before = bytes[position];
        bytes[position] = 0xff;
        let is_taken = validate(bytes);
        bytes[position] = before;
        if is_taken {
            return Err("accepted invalid UTF-8".into());
        }
    }
    Ok(())
}

fn repeat(
    least: Duration,
    inputs: &mut Inputs,
    mut work: impl FnMut(&mut [u8]),
) -> (usize, Duration) {
    let start = Instant::now();
    let mut count = 0;
    let mut step = 1;
    loop {
        for _ in 0..step {
            for number in 0..inputs.count {
                work(inputs.bytes(number));
            }
        }
        count += step * inputs.count;
        let elapsed = start.elapsed();
        if elapsed >= least {
            return (count, elapsed);
        }
        if elapsed < least / 8 {
            step *= 2;
        }
    }
}
