//! Decompression of received messages (RFC 7692 §7.2.2).

use super::TAIL;
use crate::thread_cache::thread_cache;
use alloc::{boxed::Box, vec::Vec};
use core::fmt;
use zlib_rs::{Inflate, InflateFlush, Status};

/// A decompressor for the messages of one direction.
pub(crate) struct Decompressor {
    keeps_context: bool,
    /// Created for the first message.
    context: Option<Box<Context>>,
    restarts: Restarts,
}

struct Context {
    inflate: Inflate,
    /// The most recent output, at most one window of it. After a final block (BFINAL), the library
    /// forgets its window, but the peer's compressor may still refer to it (§7.2.3.4).
    history: Vec<u8>,
    /// The index of the oldest byte in a full `history`.
    oldest: usize,
    /// `true` after a final block, until more input arrives.
    ended: bool,
}

/// A count of the restarts of decompression, with the numbers that limit it.
#[derive(Debug, Default)]
struct Restarts {
    count: u64,
    bytes: u64,
    /// The number of frames of earlier messages.
    frames_before: u64,
    /// The number of frames of the message in progress.
    frames: u32,
}

/// The reason why a message can't be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The data violates RFC 1951 or ends too early.
    Corrupt,
    /// More final blocks were followed by data than the limit at this point allows.
    TooManyLastBlocks { limit: u64 },
}

/// Decompression restarts when data follows a final block (BFINAL, §7.2.3.4). A restart costs about
/// 1 µs. A connection may restart this often, plus once per frame and once per
/// [`BYTES_PER_RESTART`] bytes. Once per frame is enough for a peer that ends each message or each
/// frame with a final block.
const FREE_RESTARTS: u64 = 64;
const BYTES_PER_RESTART: u64 = 16;

/// The largest window of DEFLATE. It is always used, so a peer may exceed the agreed window.
const WINDOW: usize = 32 * 1024;
const WINDOW_BITS: u8 = 15;

thread_cache! {
    /// A reset context of a connection without context takeover.
    static CONTEXT: ThreadCache<Box<Context>>;
}

impl Decompressor {
    /// The most memory of a context, in bytes: the library's state and window, and the history.
    pub(crate) const CONTEXT_BYTES: usize = 80 << 10;

    pub(crate) fn new(no_context_takeover: bool) -> Self {
        Self { keeps_context: !no_context_takeover, context: None, restarts: Restarts::default() }
    }

    /// Decompresses from `input` to `output`, and returns how many bytes were read and written. If
    /// all of `input` was read and `output` still has room, all data of `input` has been written.
    /// Output before an error is written too.
    ///
    /// `frames` is the number of frames of the message so far. The method restarts at most
    /// `restarts_left` times and subtracts its restarts from that number.
    pub(crate) fn decompress(
        &mut self,
        frames: u32,
        restarts_left: &mut usize,
        mut input: &[u8],
        mut output: &mut [u8],
    ) -> (usize, usize, Result<(), Fault>) {
        let (all_input, all_output) = (input.len(), output.len());
        let Self { context, restarts, .. } = self;
        restarts.frames = frames;
        let context = context
            .get_or_insert_with(|| CONTEXT.take().unwrap_or_else(|| Box::new(Context::new())));
        let mut outcome = Ok(());
        while !(output.is_empty() || context.ended && input.is_empty()) {
            if context.ended {
                if *restarts_left == 0 {
                    break;
                }
                *restarts_left -= 1;
                outcome = restarts.add().and_then(|()| context.restart());
                if outcome.is_err() {
                    break;
                }
            }
            let (read, written, status) = context.step(input, output, InflateFlush::SyncFlush);
            restarts.bytes += read as u64;
            input = &input[read..];
            output = &mut core::mem::take(&mut output)[written..];
            context.ended = status == Some(Status::StreamEnd);
            let is_stuck = read == 0 && written == 0 && !input.is_empty();
            if status.is_none() || is_stuck {
                outcome = Err(Fault::Corrupt);
            }
            if outcome.is_err() || input.is_empty() {
                break;
            }
        }
        (all_input - input.len(), all_output - output.len(), outcome)
    }

    /// Ends a message after all its bytes were decompressed (§7.2.2).
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        let Some(context) = &mut self.context else { return Err(Fault::Corrupt) };
        if !context.ended {
            // With the tail that the peer left out, the message ends in an empty stored block. If
            // the library consumes anything else, such as the extra byte, the message ended inside
            // a block.
            let input = [TAIL[0], TAIL[1], TAIL[2], TAIL[3], 0];
            match context.step(&input, &mut [0], InflateFlush::Block) {
                (4, 0, Some(Status::Ok)) => {}
                _ => return Err(Fault::Corrupt),
            }
        }
        self.restarts.frames_before += u64::from(core::mem::take(&mut self.restarts.frames));
        if !self.keeps_context {
            if let Some(mut context) = self.context.take() {
                context.forget();
                CONTEXT.give_back(context);
            }
        }
        Ok(())
    }
}

impl Restarts {
    /// Counts a restart. Returns an error if the limit is reached.
    fn add(&mut self) -> Result<(), Fault> {
        let frames = self.frames_before + u64::from(self.frames);
        let limit = FREE_RESTARTS + frames + self.bytes / BYTES_PER_RESTART;
        if self.count == limit {
            return Err(Fault::TooManyLastBlocks { limit });
        }
        self.count += 1;
        Ok(())
    }
}

impl Context {
    fn new() -> Self {
        Self {
            inflate: Inflate::new(false, WINDOW_BITS),
            history: Vec::new(),
            oldest: 0,
            ended: false,
        }
    }

    /// Resets the context to its initial state.
    fn forget(&mut self) {
        self.inflate.reset(false);
        self.history.clear();
        self.oldest = 0;
        self.ended = false;
    }

    /// Starts another stream with the history of the previous one.
    fn restart(&mut self) -> Result<(), Fault> {
        self.inflate.reset(false);
        self.ended = false;
        self.history.rotate_left(self.oldest);
        self.oldest = 0;
        self.inflate.set_dictionary(&self.history).map(drop).map_err(|_| Fault::Corrupt)
    }

    fn step(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: InflateFlush,
    ) -> (usize, usize, Option<Status>) {
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, output, flush).ok();
        let read = (self.inflate.total_in() - read) as usize;
        let written = (self.inflate.total_out() - written) as usize;
        self.remember(&output[..written]);
        (read, written, status)
    }

    fn remember(&mut self, output: &[u8]) {
        let mut latest = &output[output.len().saturating_sub(WINDOW)..];
        let (now, later) = latest.split_at(latest.len().min(WINDOW - self.history.len()));
        self.history.extend_from_slice(now);
        latest = later;
        while !latest.is_empty() {
            let room = &mut self.history[self.oldest..];
            let (now, later) = latest.split_at(latest.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            self.oldest = (self.oldest + now.len()) % WINDOW;
            latest = later;
        }
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("keeps_context", &self.keeps_context)
            .field("has_context", &self.context.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::{Compressor, DeflateConfig};

    #[test]
    fn forgets_the_data_of_another_connection() {
        let text = b"a sentence that is worth looking back at";
        let mut compressor = Compressor::new(15, false, &DeflateConfig::new()).unwrap();
        let mut messages = [Vec::new(), Vec::new()];
        for message in &mut messages {
            assert!(compressor.compress(text, true, message));
        }
        let [first, looks_back] = messages;
        let mut output = [0; 100];
        for _ in 0..3 {
            let mut alone = Decompressor::new(true);
            let (_, written, outcome) = alone.decompress(1, &mut 0, &first, &mut output);
            assert_eq!((&output[..written], outcome), (&text[..], Ok(())));
            assert_eq!(alone.finish(), Ok(()));
            let (_, _, outcome) =
                Decompressor::new(true).decompress(1, &mut 0, &looks_back, &mut output);
            assert_eq!(outcome, Err(Fault::Corrupt));
        }
    }
}
