//! How a large message is cut into frames (RFC 6455 §5.4): for all ways to send one.

use crate::frame::{FrameHeader, OpCode, Rsv};
use core::ops::Range;

/// The frames of a message, or of a piece of one. All but the last have payloads of one length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragments {
    /// Of the first frame: those behind it continue it.
    opcode: OpCode,
    /// Of the first frame too (RFC 7692 §6.1).
    rsv: Rsv,
    /// Whether the message ends with them.
    fin: bool,
    len: usize,
    frame_len: usize,
    count: usize,
}

impl Fragments {
    /// A payload of `len` bytes, of which a frame has at most `fragment_size`.
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

    /// Where the payload of a frame stands in that of the message.
    pub(super) const fn range(&self, number: usize) -> Range<usize> {
        let start = number * self.frame_len;
        let end = if number + 1 < self.count { start + self.frame_len } else { self.len };
        start..end
    }

    /// The header of a frame, without a mask.
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
    fn frames_follow_each_other_and_only_the_first_has_what_is_the_message_s() {
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
