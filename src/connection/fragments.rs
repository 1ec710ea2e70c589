//! Splits large messages into frames, for every way of sending them (RFC 6455 §5.4).

use crate::frame::{FrameHeader, OpCode, Rsv};
use core::ops::Range;

/// The frames of a message, or of a piece of one. All payloads but the last have the same length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragments {
    /// The opcode of the first frame; the frames after it are continuations.
    opcode: OpCode,
    /// The reserved bits of the first frame; the others have none (RFC 7692 §6.1).
    rsv: Rsv,
    /// Whether the last of these frames ends the message.
    fin: bool,
    len: usize,
    frame_len: usize,
    count: usize,
}

impl Fragments {
    /// Splits a payload of `len` bytes into frames with at most `fragment_size` bytes each.
    pub(super) const fn new(
        opcode: OpCode,
        rsv: Rsv,
        fin: bool,
        len: usize,
        fragment_size: usize,
    ) -> Self {
        let (frame_len, count) = if len <= fragment_size {
            (len, 1)
        } else {
            (fragment_size, len.div_ceil(fragment_size))
        };
        Self { opcode, rsv, fin, len, frame_len, count }
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Returns the range of the payload that goes into frame `number`.
    pub(super) const fn range(&self, number: usize) -> Range<usize> {
        let start = number * self.frame_len;
        let end = if number + 1 < self.count { start + self.frame_len } else { self.len };
        start..end
    }

    /// Returns the header of frame `number`, without a mask.
    pub(super) const fn header(&self, number: usize) -> FrameHeader {
        let Range { start, end } = self.range(number);
        let (opcode, rsv) =
            if number == 0 { (self.opcode, self.rsv) } else { (OpCode::Continuation, Rsv::NONE) };
        let fin = self.fin && number + 1 == self.count;
        FrameHeader { fin, rsv, opcode, mask: None, payload_len: (end - start) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_cover_the_payload_and_only_the_first_has_opcode_and_rsv() {
        for fin in [false, true] {
            for len in 0..20 {
                for fragment_size in (1..20).chain([usize::MAX]) {
                    let fragments =
                        Fragments::new(OpCode::Text, Rsv::RSV1, fin, len, fragment_size);
                    let mut end = 0;
                    for number in 0..fragments.count() {
                        let (range, header) = (fragments.range(number), fragments.header(number));
                        assert_eq!((range.start, header.payload_len), (end, range.len() as u64));
                        assert!(range.len() <= fragment_size && (len == 0 || !range.is_empty()));
                        let is_first = number == 0;
                        let opcode = if is_first { OpCode::Text } else { OpCode::Continuation };
                        let rsv = if is_first { Rsv::RSV1 } else { Rsv::NONE };
                        assert_eq!((header.opcode, header.rsv, header.mask), (opcode, rsv, None));
                        end = range.end;
                        assert_eq!(header.fin, fin && number + 1 == fragments.count());
                    }
                    assert_eq!(end, len);
                }
            }
        }
    }
}
