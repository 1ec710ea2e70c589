use super::TAIL;
use alloc::{boxed::Box, vec::Vec};
use core::fmt;
use zlib_rs::{Deflate, DeflateFlush};

/// Compresses the messages of one direction.
///
/// Its context is what the peer's window has, or it is dropped: nothing is compressed with a context
/// that has seen what the peer has not.
pub(crate) struct Compressor {
    window_bits: u8,
    level: u8,
    keeps_context: bool,
    /// Made at the first message.
    context: Option<Box<Deflate>>,
}

/// Room for output that is made at a time.
const STEP: usize = 4096;

impl Compressor {
    pub(crate) fn new(window_bits: u8, no_context_takeover: bool, level: u8) -> Self {
        Self { window_bits, level, keeps_context: !no_context_takeover, context: None }
    }

    /// Appends `payload`, compressed, to `output`; `fin` ends the message (§7.2.1). False if that
    /// has failed: the message has to be sent plain then, and `output` is of no use.
    pub(crate) fn compress(&mut self, payload: &[u8], fin: bool, output: &mut Vec<u8>) -> bool {
        let (level, bits) = (i32::from(self.level), self.window_bits);
        // With 8 the library refuses. With 9 it looks back by less than 256 bytes: by the window
        // less the longest match and what is looked ahead for the next, 512 - 262.
        let new = || Box::new(Deflate::new(level, false, bits.max(9)));
        let context = self.context.get_or_insert_with(new);
        if !flush(context, payload, output) {
            self.discard();
            return false;
        }
        if fin {
            if output.ends_with(&TAIL) {
                output.truncate(output.len() - TAIL.len());
            }
            // §7.2.3.6: a message of no bytes is not empty when compressed.
            if output.is_empty() {
                output.push(0);
            }
            if !self.keeps_context {
                self.discard();
            }
        }
        true
    }

    /// Forgets the context: what was compressed last is not sent.
    pub(crate) fn discard(&mut self) {
        self.context = None;
    }
}

fn flush(context: &mut Deflate, mut payload: &[u8], output: &mut Vec<u8>) -> bool {
    loop {
        let start = output.len();
        output.resize(start + (payload.len() / 2).max(STEP), 0);
        let (read, written) = (context.total_in(), context.total_out());
        let status = context.compress(payload, &mut output[start..], DeflateFlush::SyncFlush);
        let read = (context.total_in() - read) as usize;
        let written = (context.total_out() - written) as usize;
        let is_full = written == output.len() - start;
        output.truncate(start + written);
        payload = payload.get(read..).unwrap_or_default();
        if status.is_err() {
            return false;
        }
        // Room that is left means that the flush is complete.
        if !is_full {
            return payload.is_empty();
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("window_bits", &self.window_bits)
            .field("level", &self.level)
            .field("keeps_context", &self.keeps_context)
            .field("has_context", &self.context.is_some())
            .finish()
    }
}
