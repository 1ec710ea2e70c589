//! Compression of outgoing messages (RFC 7692 §7.2.1).

use crate::connection::prepared::{EncodedFrames, PreparedMessage};
use crate::connection::role::Role;
use crate::deflate::{Compressor, DeflateConfig, DeflateParameters, Reservation, TAIL};
use alloc::vec::Vec;

/// The compression state of a sending half.
#[derive(Debug)]
pub(super) struct Deflating {
    compressor: Compressor,
    window_bits: u8,
    threshold: u32,
    /// Whether the compressor's window holds a message that was not sent. The peer has not seen
    /// that message, so the next one must not refer to it.
    unsent: bool,
    /// How many messages were begun. A message from the outbox may come between the steps of another.
    begun: u64,
    /// Held as long as the context may exist.
    _reservation: Reservation,
}

/// The progress of a message that is compressed in steps.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// How many bytes of the message were compressed.
    done: usize,
    compressed: Vec<u8>,
    has_failed: bool,
    /// The [`begun`](Deflating::begun) of this message.
    number: u64,
}

/// How many bytes one step compresses.
pub(super) const STEP: usize = 64 << 10;

impl Deflating {
    /// Returns `None` if there is not enough memory; everything is then sent uncompressed.
    pub(super) fn new<R: Role>(
        agreed: &DeflateParameters,
        config: &DeflateConfig,
        reservation: Reservation,
    ) -> Option<Self> {
        let (bits, resets) = if R::MASKS {
            (agreed.client_max_window_bits, agreed.client_no_context_takeover)
        } else {
            (agreed.server_max_window_bits, agreed.server_no_context_takeover)
        };
        Some(Self {
            compressor: Compressor::new(bits, resets, config)?,
            window_bits: bits,
            threshold: u32::try_from(config.threshold).unwrap_or(u32::MAX),
            unsent: false,
            begun: 0,
            _reservation: reservation,
        })
    }

    /// Returns `true` if a message of this length should be compressed.
    pub(super) fn applies_to(&self, len: usize) -> bool {
        len >= self.threshold as usize
    }

    /// Compresses a whole message. Returns `None` if the message does not shrink and should be sent
    /// uncompressed.
    pub(super) fn message(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut steps = Steps::default();
        while !self.step(payload, &mut steps) {}
        self.finish(payload, steps)
    }

    /// Compresses the next step of a message. Returns `true` if no step is left.
    pub(super) fn step(&mut self, payload: &[u8], steps: &mut Steps) -> bool {
        if steps.done == 0 {
            self.begin();
            self.unsent = true;
            steps.number = self.begun;
        }
        if steps.number != self.begun {
            // The window is that of another message by now.
            steps.has_failed = true;
            return true;
        }
        let rest = &payload[steps.done..];
        let is_last = rest.len() <= STEP;
        let has_worked = if is_last {
            self.compressor.compress(rest, true, &mut steps.compressed)
        } else {
            self.compressor.take_in(&rest[..STEP], &mut steps.compressed)
        };
        steps.done += rest.len().min(STEP);
        steps.has_failed = !has_worked;
        is_last || steps.has_failed
    }

    /// Ends the last step. The outcome is the same as for [`message`](Self::message); if it is
    /// `Some`, the caller must send it.
    pub(super) fn finish(&mut self, payload: &[u8], steps: Steps) -> Option<Vec<u8>> {
        let is_whole =
            steps.done == payload.len() && !steps.has_failed && steps.number == self.begun;
        if is_whole && steps.compressed.len() < payload.len() {
            self.unsent = false;
            return Some(steps.compressed);
        }
        self.begin();
        None
    }

    /// Prepares for the next thing to compress.
    fn begin(&mut self) {
        self.begun += 1;
        if core::mem::take(&mut self.unsent) {
            self.compressor.forget();
        }
    }

    /// Returns the compressed form of a prepared message, which the caller must send.
    pub(super) fn prepared<'a>(
        &mut self,
        message: &'a PreparedMessage,
    ) -> Option<&'a EncodedFrames> {
        let frames = message.compressed_frames(self.window_bits)?;
        // The peer gets this message into its window, but the compressor has not seen it.
        self.begun += 1;
        self.unsent = false;
        self.compressor.forget();
        Some(frames)
    }

    /// Compresses a piece of a message. If that fails, stores the piece instead, because a message
    /// that began compressed must continue so.
    pub(super) fn piece(&mut self, payload: &[u8], fin: bool) -> Vec<u8> {
        self.begin();
        let mut compressed = Vec::new();
        if self.compressor.compress(payload, fin, &mut compressed) {
            return compressed;
        }
        stored(payload, fin)
    }
}

/// Encodes stored blocks (RFC 1951 §3.2.4), which do not refer to earlier data. The tail is omitted
/// at the end of a message.
fn stored(payload: &[u8], fin: bool) -> Vec<u8> {
    let mut blocks = Vec::with_capacity(payload.len() + payload.len() / 8192 + 16);
    for piece in payload.chunks(usize::from(u16::MAX)) {
        let len = piece.len() as u16;
        blocks.push(0);
        blocks.extend_from_slice(&len.to_le_bytes());
        blocks.extend_from_slice(&(!len).to_le_bytes());
        blocks.extend_from_slice(piece);
    }
    blocks.push(0);
    if !fin {
        blocks.extend_from_slice(&TAIL);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Server;
    use crate::deflate::Decompressor;
    use flate2::{Decompress, FlushDecompress};

    const TEXT: &[u8] = b"a sentence that is worth looking back at, if the other end has it";

    /// Decompresses a message with zlib, whose window holds the messages before it.
    fn inflate(zlib: &mut Decompress, message: &[u8]) -> Vec<u8> {
        let mut output = Vec::with_capacity(1000);
        let input = [message, &TAIL].concat();
        zlib.decompress_vec(&input, &mut output, FlushDecompress::Sync).unwrap();
        output
    }

    #[test]
    fn the_peer_can_decompress_what_follows_a_compressor_error() {
        let agreed = DeflateParameters::default();
        let mut end =
            Deflating::new::<Server>(&agreed, &DeflateConfig::new(), Reservation::NONE).unwrap();
        let mut zlib = Decompress::new(false);
        let mut check = |message: &[u8], expected: &[u8]| {
            assert!(inflate(&mut zlib, message) == expected);
        };
        check(&end.message(TEXT).unwrap(), TEXT);

        // A whole message is sent uncompressed.
        end.compressor.break_context();
        assert_eq!(end.message(TEXT), None);
        let alone = end.message(TEXT).unwrap();
        check(&alone, TEXT);
        let again = end.message(TEXT).unwrap();
        assert!(again.len() < alone.len() / 2);
        check(&again, TEXT);

        // A piece is stored, be it the first, the middle or the last one.
        for failing in 0..3 {
            check(&end.message(TEXT).unwrap(), TEXT);
            let mut message = Vec::new();
            for piece in 0..3 {
                if piece == failing {
                    end.compressor.break_context();
                }
                let bytes = end.piece(TEXT, piece == 2);
                assert_eq!(bytes.windows(TEXT.len()).any(|part| part == TEXT), piece == failing);
                message.extend(bytes);
            }
            check(&message, &TEXT.repeat(3));
        }
        check(&end.message(TEXT).unwrap(), TEXT);
    }

    #[test]
    fn compression_in_steps_is_as_good_as_at_once() {
        let agreed = DeflateParameters::default();
        let mut end =
            Deflating::new::<Server>(&agreed, &DeflateConfig::new(), Reservation::NONE).unwrap();
        let mut peer = Decompressor::new(false);
        for len in [1000, STEP, STEP + 1, 2 * STEP, 5 * STEP + 1] {
            let payload: Vec<u8> =
                (0..len as u32).map(|at| (at.wrapping_mul(at) >> 7) as u8 & 63).collect();
            let mut steps = Steps::default();
            let mut count = 1;
            while !end.step(&payload, &mut steps) {
                count += 1;
            }
            assert_eq!(count, len.div_ceil(STEP));
            let compressed = end.finish(&payload, steps).unwrap();
            let mut alone = Compressor::new(15, false, &DeflateConfig::new()).unwrap();
            let mut at_once = Vec::new();
            assert!(alone.compress(&payload, true, &mut at_once));
            assert!(compressed.len() <= at_once.len());
            let mut output = alloc::vec![0; len + 1];
            let (read, written, outcome) = peer.decompress(1, &mut 0, &compressed, &mut output);
            assert_eq!((read, written, outcome), (compressed.len(), len, Ok(())));
            assert_eq!(peer.finish(), Ok(()));
            assert!(output[..len] == payload);
        }
    }

    #[test]
    fn later_messages_do_not_refer_to_an_unsent_one() {
        let agreed = DeflateParameters::default();
        let large = TEXT.repeat(10_000);
        for taken in 1..5 {
            for next in 0..3 {
                let mut end =
                    Deflating::new::<Server>(&agreed, &DeflateConfig::new(), Reservation::NONE)
                        .unwrap();
                let mut zlib = Decompress::new(false);
                let mut steps = Steps::default();
                for _ in 0..taken {
                    assert!(!end.step(&large, &mut steps));
                }
                drop(steps);
                let message = match next {
                    0 => end.message(TEXT).unwrap(),
                    1 => end.piece(TEXT, true),
                    _ => {
                        let mut steps = Steps::default();
                        while !end.step(&large, &mut steps) {}
                        end.finish(&large, steps).unwrap()
                    }
                };
                let mut output = Vec::with_capacity(large.len() + 1);
                let input = [&message[..], &TAIL].concat();
                zlib.decompress_vec(&input, &mut output, FlushDecompress::Sync).unwrap();
                assert!(output == if next == 2 { &large[..] } else { TEXT }, "{taken} {next}");
            }
        }
    }

    #[test]
    fn stored_blocks_decompress_to_the_payload() {
        for len in [0, 1, 65_535, 65_536, 200_000] {
            let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let mut decompressor = Decompressor::new(false);
            let mut output = alloc::vec![0; len + 1];
            let blocks = [stored(&payload, false), stored(b"", true)].concat();
            let (read, written, outcome) = decompressor.decompress(1, &mut 0, &blocks, &mut output);
            assert_eq!((read, written, outcome), (blocks.len(), len, Ok(())));
            assert_eq!(decompressor.finish(), Ok(()));
            assert!(output[..len] == payload);
        }
    }
}
