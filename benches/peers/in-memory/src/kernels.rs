//! Kernels alone: masks, copies, validation of UTF-8.

use crate::{
    Kernel,
    payloads::{Random, Script},
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Runs a kernel over and over for about as long as is asked, after its result was compared.
pub(crate) fn run_timed(
    kernel: Kernel,
    input: &mut Input,
    least: Duration,
) -> Result<(usize, Duration), String> {
    match kernel {
        Kernel::Mask(_, mask) => {
            verify_mask(input.bytes(), mask)?;
            Ok(repeat(least, || mask(black_box(input.bytes()), black_box([0x37, 0xfa, 0x21, 3]))))
        }
        Kernel::Copy(_, copy) => {
            let mut into = vec![0; input.bytes().len()];
            copy(&mut into, input.bytes());
            if into != input.bytes() {
                return Err("copied wrongly".into());
            }
            Ok(repeat(least, || copy(black_box(&mut into), black_box(input.bytes()))))
        }
        Kernel::Utf8(_, validate) => {
            verify_utf8(input.bytes(), validate)?;
            Ok(repeat(least, || {
                black_box(validate(black_box(input.bytes())));
            }))
        }
    }
}

/// Memory that begins `offset` bytes after an address that is a multiple of 64.
pub(crate) struct Input {
    memory: Vec<u8>,
    start: usize,
    size: usize,
}

impl Input {
    pub(crate) fn bytes_at(size: usize, offset: usize) -> Self {
        let mut random = Random(size as u64 + 7);
        let mut input = Self::zeroed(size, offset);
        input.bytes().fill_with(|| random.next() as u8);
        input
    }

    pub(crate) fn text(script: Script, size: usize) -> Self {
        let mut input = Self::zeroed(size, 0);
        input.bytes().copy_from_slice(script.text(&mut Random(size as u64 + 1), size).as_bytes());
        input
    }

    fn zeroed(size: usize, offset: usize) -> Self {
        let memory = vec![0; size + offset + 64];
        let start = memory.as_ptr().align_offset(64) + offset;
        Self { memory, start, size }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.size]
    }
}

/// Compares with one byte at a time.
fn verify_mask(bytes: &mut [u8], mask: fn(&mut [u8], [u8; 4])) -> Result<(), String> {
    let key = [0x91, 0x02, 0xe3, 0x74];
    let before = bytes.to_vec();
    mask(bytes, key);
    let right = before.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    if right.eq(bytes.iter().copied()) { Ok(()) } else { Err("masked wrongly".into()) }
}

/// Valid text is taken, and with one byte broken refused, wherever that is.
fn verify_utf8(bytes: &mut [u8], validate: fn(&[u8]) -> bool) -> Result<(), String> {
    if !validate(bytes) {
        return Err("refused text that is UTF-8".into());
    }
    for position in [0, bytes.len() / 2, bytes.len() - 1] {
        let before = bytes[position];
        bytes[position] = 0xff;
        let is_taken = validate(bytes);
        bytes[position] = before;
        if is_taken {
            return Err("took text that is not UTF-8".into());
        }
    }
    Ok(())
}

fn repeat(least: Duration, mut work: impl FnMut()) -> (usize, Duration) {
    let start = Instant::now();
    let mut count = 0;
    let mut step = 16;
    loop {
        for _ in 0..step {
            work();
        }
        count += step;
        let elapsed = start.elapsed();
        if elapsed >= least {
            return (count, elapsed);
        }
        if elapsed < least / 8 {
            step *= 2;
        }
    }
}
