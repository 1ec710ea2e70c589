//! A reference: a minimal hand-written echo, and kernels of other crates. The echo unmasks its
//! input in place and copies it once. This is not a lower bound: fewer steps may be faster still.

use in_memory::{Contestant, Kernel, Variant, Wire, Work, run};
use std::{
    future::poll_fn,
    io::{Read, Write},
    process::ExitCode,
    task::Poll,
};

fn main() -> ExitCode {
    run(Contestant {
        name: "limits",
        variants: &[
            Variant { name: "bare", echo: Some(|wire| echo(wire, false)), client: None },
            Variant { name: "bare+simdutf8", echo: Some(|wire| echo(wire, true)), client: None },
        ],
        kernels: &[
            Kernel::Copy("memcpy", |into, from| into.copy_from_slice(from)),
            Kernel::Utf8("std", |text| std::str::from_utf8(text).is_ok()),
            Kernel::Utf8("simdutf8", |text| simdutf8::basic::from_utf8(text).is_ok()),
        ],
    })
}

/// Parses, unmasks and copies. Checks no rule of the protocol and understands only whole frames.
fn echo(mut wire: Wire, validates: bool) -> Work {
    let mut input = vec![0; 64 * 1024];
    let mut output = Vec::new();
    let mut filled = 0;
    Box::pin(poll_fn(move |_| {
        loop {
            let Ok(count) = wire.read(&mut input[filled..]) else { return Poll::Pending };
            filled += count;
            let mut start = 0;
            while let Some(frame) = Header::parse(&input[start..filled]) {
                let payload = start + frame.len;
                let end = payload + frame.payload;
                if end > filled {
                    break;
                }
                unmask(&mut input[payload..end], frame.key);
                if validates && frame.opcode == 1 {
                    simdutf8::basic::from_utf8(&input[payload..end]).expect("the text is UTF-8");
                }
                frame.answer(&mut output);
                // Longer copies can be slow if input and output have similar page offsets.
                input[payload..end].chunks(2048).for_each(|piece| output.extend_from_slice(piece));
                start = end;
            }
            wire.write_all(&output).expect("the wire never fails");
            output.clear();
            input.copy_within(start..filled, 0);
            filled -= start;
            if let Some(frame) = Header::parse(&input[..filled]) {
                let whole = frame.len + frame.payload;
                if whole > input.len() {
                    input.resize(whole + 64 * 1024, 0);
                }
            }
        }
    }))
}

struct Header {
    opcode: u8,
    len: usize,
    payload: usize,
    key: [u8; 4],
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[first, second, ..] = bytes else { return None };
        let (payload, at) = match second & 0x7f {
            126 => (u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize, 4),
            127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
            short => (short as usize, 2),
        };
        let key = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(Self { opcode: first & 0xf, len: at + 4, payload, key })
    }

    fn answer(&self, output: &mut Vec<u8>) {
        output.push(0x80 | self.opcode);
        match self.payload {
            len @ ..126 => output.push(len as u8),
            len @ ..65536 => {
                output.push(126);
                output.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                output.push(127);
                output.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
    }
}

fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}
