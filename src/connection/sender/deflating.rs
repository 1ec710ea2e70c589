//! Messages that are compressed as they are sent (RFC 7692 §7.2.1).

use crate::connection::prepared::{EncodedFrames, PreparedMessage};
use crate::connection::role::Role;
use crate::deflate::{Compressor, DeflateConfig, DeflateParameters, TAIL};
use alloc::vec::Vec;

/// What a sending half compresses with.
#[derive(Debug)]
pub(super) struct Deflating {
    compressor: Compressor,
    window_bits: u8,
    threshold: u32,
}

impl Deflating {
    /// `None` if all is sent plain, for want of memory.
    pub(super) fn new<R: Role>(agreed: &DeflateParameters, config: &DeflateConfig) -> Option<Self> {
        let (bits, resets) = if R::MASKS {
            (agreed.client_max_window_bits, agreed.client_no_context_takeover)
        } else {
            (agreed.server_max_window_bits, agreed.server_no_context_takeover)
        };
        Some(Self {
            compressor: Compressor::new(bits, resets, config)?,
            window_bits: bits,
            threshold: u32::try_from(config.threshold).unwrap_or(u32::MAX),
        })
    }

    /// Whether a message of this length is compressed.
    pub(super) fn applies_to(&self, len: usize) -> bool {
        len >= self.threshold as usize
    }

    /// A whole message, compressed; `None` if that is not smaller: it is to be sent plain then.
    pub(super) fn message(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut compressed = Vec::new();
        let has_worked = self.compressor.compress(payload, true, &mut compressed);
        if has_worked && compressed.len() < payload.len() {
            return Some(compressed);
        }
        // The peer does not see it, so it must not look back at it.
        self.compressor.forget();
        None
    }

    /// The compressed form of a prepared message, which is sent then.
    pub(super) fn prepared<'a>(
        &mut self,
        message: &'a PreparedMessage,
    ) -> Option<&'a EncodedFrames> {
        let frames = message.compressed_frames(self.window_bits)?;
        // The peer has it in its window, and this compressor has not seen it.
        self.compressor.forget();
        Some(frames)
    }

    /// A piece of a message, compressed, or stored as it is if that has failed: what was begun
    /// compressed has to go on so.
    pub(super) fn piece(&mut self, payload: &[u8], fin: bool) -> Vec<u8> {
        let mut compressed = Vec::new();
        if self.compressor.compress(payload, fin, &mut compressed) {
            return compressed;
        }
        stored(payload, fin)
    }
}

/// Stored blocks (RFC 1951 §3.2.4), which look back at nothing; the tail is left out at the end of a
/// message.
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

    /// What zlib makes of a compressed message, with what came before in its window.
    fn inflate(zlib: &mut Decompress, message: &[u8]) -> Vec<u8> {
        let mut output = Vec::with_capacity(1000);
        let input = [message, &TAIL].concat();
        zlib.decompress_vec(&input, &mut output, FlushDecompress::Sync).unwrap();
        output
    }

    #[test]
    fn after_an_error_of_the_compressor_its_peer_understands_what_comes() {
        let agreed = DeflateParameters::default();
        let mut end = Deflating::new::<Server>(&agreed, &DeflateConfig::new()).unwrap();
        let mut zlib = Decompress::new(false);
        let mut check = |message: &[u8], expected: &[u8]| {
            assert!(inflate(&mut zlib, message) == expected);
        };
        check(&end.message(TEXT).unwrap(), TEXT);

        // A whole message goes plain.
        end.compressor.break_context();
        assert_eq!(end.message(TEXT), None);
        let alone = end.message(TEXT).unwrap();
        check(&alone, TEXT);
        let again = end.message(TEXT).unwrap();
        assert!(again.len() < alone.len() / 2);
        check(&again, TEXT);

        // A piece goes as it is, the first, one amid the message or the last.
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
    fn stored_blocks_are_what_they_say() {
        for len in [0, 1, 65_535, 65_536, 200_000] {
            let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let mut decompressor = Decompressor::new(false);
            let mut output = alloc::vec![0; len + 1];
            let blocks = [stored(&payload, false), stored(b"", true)].concat();
            let (read, written, outcome) = decompressor.decompress(1, &blocks, &mut output);
            assert_eq!((read, written, outcome), (blocks.len(), len, Ok(())));
            assert_eq!(decompressor.finish(), Ok(()));
            assert!(output[..len] == payload);
        }
    }
}
