use super::TAIL;
use crate::thread_cache::thread_cache;
use alloc::{boxed::Box, vec::Vec};
use core::fmt;
use zlib_rs::{Inflate, InflateFlush, Status};

/// Decompresses the messages of one direction.
pub(crate) struct Decompressor {
    keeps_context: bool,
    /// Made at the first message.
    context: Option<Box<Context>>,
    restarts: Restarts,
}

struct Context {
    inflate: Inflate,
    /// The last bytes of output, at most a window of them: after a last block (BFINAL) the library
    /// forgets them, and the peer's compressor need not (§7.2.3.4).
    history: Vec<u8>,
    /// Where in a full history the oldest byte is.
    oldest: usize,
    /// Whether a last block has ended and nothing came since.
    ended: bool,
}

/// How often decompression began anew, and how often it may.
#[derive(Debug, Default)]
struct Restarts {
    count: u64,
    bytes: u64,
    /// Frames of earlier messages.
    frames_before: u64,
    /// Frames of the message in progress.
    frames: u32,
}

/// Why something can't be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Data that is not of the form of RFC 1951, or that ends too early.
    Corrupt,
    /// More last blocks with something behind them than this, which is what there may be so far.
    TooManyLastBlocks { limit: u64 },
}

/// Behind a last block (BFINAL, §7.2.3.4) decompression begins anew, which costs about 1 µs. A connection has so many
/// for free. There may also be one a frame, which is enough for a peer that ends each message or each frame so, and
/// one for so many bytes.
const FREE_RESTARTS: u64 = 64;
const BYTES_PER_RESTART: u64 = 16;

/// The largest window of DEFLATE. A peer that uses more than it has agreed to is borne.
const WINDOW: usize = 32 * 1024;
const WINDOW_BITS: u8 = 15;

thread_cache! {
    /// The context of connections that take none over, as new.
    static CONTEXT: ThreadCache<Box<Context>>;
}

impl Decompressor {
    pub(crate) fn new(no_context_takeover: bool) -> Self {
        Self { keeps_context: !no_context_takeover, context: None, restarts: Restarts::default() }
    }

    /// Decompresses from `input` to `output`, and returns how much was read and written. If all was read and there is
    /// room left in `output`, all that `input` has is there. What came before a fault is written all the same.
    ///
    /// `frames` are those of the message so far. It begins anew as often as `restarts_left` says at most, and takes
    /// from that how often it did.
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

    /// Ends a message, all of whose bytes were decompressed (§7.2.2).
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        let Some(context) = &mut self.context else { return Err(Fault::Corrupt) };
        if !context.ended {
            // With the tail that the peer has left out its last block is a stored one of no bytes.
            // Whatever else is taken, or one byte more, shows that the message ends amid a block.
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
    /// Counts one, if there may be one more.
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

    /// Becomes as it was when it was made.
    fn forget(&mut self) {
        self.inflate.reset(false);
        self.history.clear();
        self.oldest = 0;
        self.ended = false;
    }

    /// Begins another stream with the history of the last.
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
    fn a_context_of_another_connection_remembers_nothing() {
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
