//! What stands before a payload (RFC 6455 §5.2): read and written.

use super::OpCode;
use crate::mask::MaskKey;
use thiserror::Error;

/// Bytes of the longest frame header: two, a 64-bit length, a mask key.
pub const MAX_FRAME_HEADER: usize = 14;

/// Bytes of the array in which a header is made.
pub(crate) const HEADER_ROOM: usize = 16;

/// Bytes of payload that a control frame has at most (RFC 6455 §5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// The three reserved bits of a frame header, which belong to extensions (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit set.
    pub const NONE: Self = Self(0);
    /// The first bit, by which permessage-deflate marks a compressed message (RFC 7692 §6).
    pub const RSV1: Self = Self(0b100);
    /// The second bit.
    pub const RSV2: Self = Self(0b010);
    /// The third bit.
    pub const RSV3: Self = Self(0b001);

    /// The bits set in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits set here and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether no bit is set.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// RSV1, RSV2 and RSV3 as a three-bit number.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// What stands before the payload of a frame (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the wire format is fixed")]
pub struct FrameHeader {
    /// Whether this is the last (or only) fragment of its message.
    pub fin: bool,
    /// The bits that extensions may use.
    pub rsv: Rsv,
    /// What the frame is for.
    pub opcode: OpCode,
    /// The key, if the payload is masked.
    pub mask: Option<MaskKey>,
    /// Bytes of payload that follow.
    pub payload_len: u64,
}

/// A frame header that is wrong in any context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// An opcode that RFC 6455 reserves (§5.2).
    #[error("reserved opcode 0x{0:X}")]
    ReservedOpCode(u8),
    /// A control frame without the final bit (§5.5: they can't be fragmented).
    #[error("fragmented {0} frame")]
    FragmentedControl(OpCode),
    /// A control frame whose payload is over 125 bytes (§5.5).
    #[error("{opcode} frame announces a payload of over 125 bytes (length field {length_field})")]
    OversizedControl {
        /// The kind of control frame.
        opcode: OpCode,
        /// The value of its 7-bit length field: 126 or 127.
        length_field: u8,
    },
    /// A length in a longer form than it needs (§5.2).
    #[error("payload length {length} in a field of {field_bytes} bytes instead of the shortest")]
    NonMinimalLength {
        /// The length.
        length: u64,
        /// Bytes of the field that it came in, 2 or 8.
        field_bytes: u8,
    },
    /// A 64-bit length with its most significant bit set (§5.2).
    #[error("payload length {0:#x} has its top bit set")]
    LengthTopBit(u64),
}

impl FrameHeader {
    /// Reads a header from the front of `input`: the header and how many bytes it took, or `None`
    /// if more bytes are needed.
    ///
    /// # Errors
    ///
    /// What is wrong in any context is refused at the first byte that shows it, in the order of the
    /// wire, so that the outcome does not depend on how the bytes were cut.
    ///
    /// ```
    /// use sansocket::{FrameHeader, OpCode};
    ///
    /// // The unmasked text "Hello" of RFC 6455 §5.7.
    /// let input = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    /// let (header, len) = FrameHeader::parse(&input)?.expect("it is whole");
    /// assert_eq!((header.opcode, header.payload_len, len), (OpCode::Text, 5, 2));
    /// assert_eq!(FrameHeader::parse(&input[..1])?, None);
    /// # Ok::<(), sansocket::FrameError>(())
    /// ```
    #[inline]
    pub fn parse(input: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let Some(&first) = input.first() else { return Ok(None) };
        let fin = first & 0x80 != 0;
        let Some(opcode) = OpCode::from_bits(first & 0x0F) else {
            return Err(FrameError::ReservedOpCode(first & 0x0F));
        };
        if opcode.is_control() && !fin {
            return Err(FrameError::FragmentedControl(opcode));
        }
        let Some(&second) = input.get(1) else { return Ok(None) };
        let length_field = second & 0x7F;
        if opcode.is_control() && usize::from(length_field) > MAX_CONTROL_PAYLOAD {
            return Err(FrameError::OversizedControl { opcode, length_field });
        }
        let rest = &input[2..];
        let Some((payload_len, field_bytes)) = parse_length(length_field, rest)? else {
            return Ok(None);
        };
        let mut len = 2 + field_bytes;
        let mut mask = None;
        if second & 0x80 != 0 {
            let Some(key) = rest.get(field_bytes..).and_then(<[u8]>::first_chunk) else {
                return Ok(None);
            };
            mask = Some(MaskKey::new(*key));
            len += key.len();
        }
        let rsv = Rsv(first >> 4 & 0b111);
        Ok(Some((Self { fin, rsv, opcode, mask, payload_len }, len)))
    }

    /// Writes the header to the front of `output` and returns how many bytes it took; what stands
    /// behind them there means nothing.
    ///
    /// The length takes the shortest form. What [`parse`](Self::parse) would refuse is written all
    /// the same: it is for the caller not to make such headers.
    #[inline]
    pub fn encode(&self, output: &mut [u8; MAX_FRAME_HEADER]) -> usize {
        let (bytes, len) = self.to_bytes();
        output.copy_from_slice(&bytes[..MAX_FRAME_HEADER]);
        len
    }

    /// The header at the front of an array, and how many bytes it takes there.
    // It is put together in a register: to write it piece by piece takes twice the instructions.
    #[inline]
    pub(crate) fn to_bytes(self) -> ([u8; HEADER_ROOM], usize) {
        let first = u8::from(self.fin) << 7 | self.rsv.0 << 4 | self.opcode.to_bits();
        let masked = u8::from(self.mask.is_some()) << 7;
        let key = u128::from(u32::from_le_bytes(self.mask.map_or([0; 4], MaskKey::to_bytes)));
        let (from_second, len) = match self.payload_len {
            short @ 0..=125 => (u128::from(short) | key << 8, 2),
            medium @ 126..=0xFFFF => {
                (126 | u128::from((medium as u16).swap_bytes()) << 8 | key << 24, 4)
            }
            long => (127 | u128::from(long.swap_bytes()) << 8 | key << 72, 10),
        };
        let header = u128::from(first) | (u128::from(masked) | from_second) << 8;
        (header.to_le_bytes(), len + if self.mask.is_some() { 4 } else { 0 })
    }
}

/// The payload length and how many bytes it took beyond the 7-bit field.
#[inline]
fn parse_length(field: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let (length, field_bytes, least) = match field {
        126 => match rest.first_chunk() {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 2, 126),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 8, 0x1_0000),
            None => return Ok(None),
        },
        short => return Ok(Some((u64::from(short), 0))),
    };
    if length < least {
        return Err(FrameError::NonMinimalLength { length, field_bytes });
    }
    if length >> 63 != 0 {
        return Err(FrameError::LengthTopBit(length));
    }
    Ok(Some((length, usize::from(field_bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: MaskKey = MaskKey::new([1, 2, 3, 4]);

    fn header(opcode: OpCode, payload_len: u64) -> FrameHeader {
        FrameHeader { fin: true, rsv: Rsv::NONE, opcode, mask: None, payload_len }
    }

    #[test]
    fn every_form_survives_a_round_trip_and_every_prefix_of_it_is_partial() {
        let opcodes = (0..16).filter_map(OpCode::from_bits);
        for opcode in opcodes {
            let lengths: &[u64] = if opcode.is_control() {
                &[0, 1, 125]
            } else {
                &[0, 1, 125, 126, 127, 0xFFFF, 0x1_0000, u32::MAX as u64 + 1, i64::MAX as u64]
            };
            for &payload_len in lengths {
                for bits in 0..32 {
                    let header = FrameHeader {
                        fin: bits & 1 != 0 || opcode.is_control(),
                        mask: (bits & 2 != 0).then_some(KEY),
                        rsv: Rsv(bits >> 2),
                        ..header(opcode, payload_len)
                    };
                    let mut bytes = [0; MAX_FRAME_HEADER];
                    let len = header.encode(&mut bytes);
                    assert_eq!(FrameHeader::parse(&bytes), Ok(Some((header, len))));
                    for cut in 0..len {
                        assert_eq!(FrameHeader::parse(&bytes[..cut]), Ok(None), "{header:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn reserved_opcodes_are_refused_at_the_first_byte() {
        for bits in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
            assert_eq!(FrameHeader::parse(&[bits]), Err(FrameError::ReservedOpCode(bits)));
        }
    }

    #[test]
    fn control_frames_are_whole_and_short() {
        for opcode in [OpCode::Close, OpCode::Ping, OpCode::Pong] {
            let bits = opcode.to_bits();
            assert_eq!(FrameHeader::parse(&[bits]), Err(FrameError::FragmentedControl(opcode)));
            for length_field in [126, 127] {
                assert_eq!(
                    FrameHeader::parse(&[0x80 | bits, length_field]),
                    Err(FrameError::OversizedControl { opcode, length_field })
                );
            }
        }
    }

    #[test]
    fn lengths_take_the_shortest_form_and_63_bits() {
        let non_minimal =
            |length, field_bytes| Err(FrameError::NonMinimalLength { length, field_bytes });
        assert_eq!(FrameHeader::parse(&[0x82, 126, 0, 125]), non_minimal(125, 2));
        assert_eq!(
            FrameHeader::parse(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]),
            non_minimal(0xFFFF, 8)
        );
        assert_eq!(
            FrameHeader::parse(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            Err(FrameError::LengthTopBit(1 << 63))
        );
    }
}
