//! Compression of outgoing messages (RFC 7692 §7.2.1).

use super::{DeflateConfig, TAIL};
use crate::thread_cache::thread_cache;
use alloc::{boxed::Box, vec::Vec};
use core::fmt;
use zlib_rs::{Deflate, DeflateConfig as Config, DeflateFlush};

/// A compressor for the messages of one direction.
///
/// Its context never includes data that the peer has not seen. It either matches the peer's window
/// or starts empty.
pub(crate) struct Compressor {
    size: Size,
    level: u8,
    keeps_context: bool,
    /// Created for the first message.
    context: Option<Box<Deflate>>,
}

/// The parameters that determine the memory of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    window_bits: u8,
    /// The size of the buffers besides the window, from 1 to 8.
    memory_level: u8,
}

/// The least room for output that is added at a time.
const STEP: usize = 4096;

thread_cache! {
    /// A reset context of a connection without context takeover, with its size and level: creating
    /// one takes longer than compressing a short message.
    static CONTEXT: ThreadCache<(Size, u8, Box<Deflate>)>;
}

impl Compressor {
    /// Creates a compressor. Returns `None` if the configured memory is too small.
    pub(crate) fn new(
        window_bits: u8,
        no_context_takeover: bool,
        config: &DeflateConfig,
    ) -> Option<Self> {
        let size = Size::largest(window_bits, config.memory)?;
        Some(Self {
            size,
            level: config.in_range().level,
            keeps_context: !no_context_takeover,
            context: None,
        })
    }

    /// Returns the memory of a context, in bytes.
    pub(crate) fn context_bytes(window_bits: u8, config: &DeflateConfig) -> usize {
        Size::largest(window_bits, config.memory).map_or(0, Size::bytes)
    }

    /// Compresses `payload` and appends it to `output`; `fin` ends the message (§7.2.1). Returns
    /// `false` on failure: the caller must then discard `output` and send the message uncompressed.
    pub(crate) fn compress(&mut self, payload: &[u8], fin: bool, output: &mut Vec<u8>) -> bool {
        if !self.step(payload, DeflateFlush::SyncFlush, output) {
            return false;
        }
        if fin {
            if output.ends_with(&TAIL) {
                output.truncate(output.len() - TAIL.len());
            }
            // §7.2.3.6: an empty message is not empty when compressed.
            if output.is_empty() {
                output.push(0);
            }
            if !self.keeps_context {
                self.forget();
            }
        }
        true
    }

    /// Compresses a piece that is not the last. Some of its output may only appear with a later
    /// piece.
    pub(crate) fn take_in(&mut self, piece: &[u8], output: &mut Vec<u8>) -> bool {
        self.step(piece, DeflateFlush::NoFlush, output)
    }

    fn step(&mut self, payload: &[u8], flush: DeflateFlush, output: &mut Vec<u8>) -> bool {
        let (level, size) = (self.level, self.size);
        let context = self.context.get_or_insert_with(|| match CONTEXT.take() {
            Some((its_size, its_level, kept)) if (its_size, its_level) == (size, level) => kept,
            _ => Box::new(size.context(level)),
        });
        let has_worked = compress_all(context, payload, flush, output);
        if !has_worked {
            self.context = None;
        }
        has_worked
    }

    /// Makes the next use of the context fail.
    #[cfg(test)]
    pub(crate) fn break_context(&mut self) {
        let context = self.context.as_mut().unwrap();
        context.compress(b"", &mut [0; 64], DeflateFlush::Finish).unwrap();
    }

    /// Forgets the compressed data, if it is not sent or if the next message must not refer to it.
    pub(crate) fn forget(&mut self) {
        if let Some(mut context) = self.context.take() {
            context.reset();
            if self.keeps_context {
                self.context = Some(context);
            } else {
                CONTEXT.give_back((self.size, self.level, context));
            }
        }
    }
}

fn compress_all(
    context: &mut Deflate,
    mut payload: &[u8],
    flush: DeflateFlush,
    output: &mut Vec<u8>,
) -> bool {
    let flushes = flush != DeflateFlush::NoFlush;
    while flushes || !payload.is_empty() {
        let start = output.len();
        output.resize(start + (payload.len() / 2).max(STEP), 0);
        let (read, written) = (context.total_in(), context.total_out());
        let status = context.compress(payload, &mut output[start..], flush);
        let read = (context.total_in() - read) as usize;
        let written = (context.total_out() - written) as usize;
        let is_full = written == output.len() - start;
        output.truncate(start + written);
        payload = payload.get(read..).unwrap_or_default();
        if status.is_err() {
            return false;
        }
        // Room left in the output means that the flush is complete.
        if !is_full {
            return payload.is_empty();
        }
    }
    true
}

impl Size {
    /// Returns the largest size that fits into `memory`. A larger window takes precedence over
    /// larger buffers.
    fn largest(window_bits: u8, memory: usize) -> Option<Self> {
        // The library rejects 8. With 9 it refers back by less than 256 bytes: the window minus the
        // longest match and the lookahead for the next, 512 - 262.
        let windows = (9..=window_bits.clamp(9, 15)).rev();
        let mut sizes = windows.flat_map(|window_bits| {
            (1..=8).rev().map(move |memory_level| Self { window_bits, memory_level })
        });
        sizes.find(|size| size.bytes() <= memory)
    }

    /// Returns the memory that the library allocates for this size: a hash table, twice the window,
    /// the chains of earlier positions in it, and the data that is not yet encoded.
    const fn bytes(self) -> usize {
        (132 << 10) + (4 << self.window_bits) + (7 << (self.memory_level + 6))
    }

    fn context(self, level: u8) -> Deflate {
        Deflate::new_with_config(Config {
            level: i32::from(level),
            // A negative value omits the zlib header.
            window_bits: -i32::from(self.window_bits),
            mem_level: i32::from(self.memory_level),
            ..Config::default()
        })
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("size", &self.size)
            .field("level", &self.level)
            .field("keeps_context", &self.keeps_context)
            .field("has_context", &self.context.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"a sentence that is worth looking back at, if it were allowed to";

    fn compress(compressor: &mut Compressor) -> Vec<u8> {
        let mut output = Vec::new();
        assert!(compressor.compress(TEXT, true, &mut output));
        output
    }

    #[test]
    fn forgets_the_data_of_another_connection() {
        let config = DeflateConfig::new();
        let mut takes_over = Compressor::new(15, false, &config).unwrap();
        let first = compress(&mut takes_over);
        assert!(compress(&mut takes_over).len() < first.len() / 2);
        takes_over.forget();
        assert_eq!(compress(&mut takes_over), first);
        for _ in 0..3 {
            let mut alone = Compressor::new(15, true, &config).unwrap();
            assert_eq!(compress(&mut alone), first);
            assert_eq!(compress(&mut alone), first);
        }
        // A context of another size or level is not reused.
        let mut weak = Compressor::new(9, true, &config.level(1)).unwrap();
        let weakly = compress(&mut weak);
        assert_ne!(weakly, first);
        assert_eq!(compress(&mut Compressor::new(15, true, &config).unwrap()), first);
    }

    #[test]
    fn memory_limits_the_size() {
        let size = |bits, memory| {
            let size = Size::largest(bits, memory)?;
            Some((size.window_bits, size.memory_level))
        };
        assert_eq!(size(15, usize::MAX), Some((15, 8)));
        assert_eq!(size(8, usize::MAX), Some((9, 8)));
        assert_eq!(size(15, 372 << 10), Some((15, 8)));
        assert_eq!(size(15, 300_000), Some((15, 6)));
        assert_eq!(size(15, 200_000), Some((13, 6)));
        assert_eq!(size(15, 140_000), Some((9, 2)));
        assert_eq!(size(15, 130_000), None);
        assert!(Compressor::new(15, false, &DeflateConfig::new().memory(0)).is_none());
    }
}
