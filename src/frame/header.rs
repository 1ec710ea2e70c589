//! Parsing and writing of frame headers (RFC 6455 §5.2).

use super::OpCode;
use crate::mask::MaskKey;
use thiserror::Error;

/// The size of the longest frame header: two bytes, a 64-bit length and a mask key.
pub const MAX_FRAME_HEADER: usize = 14;

/// The size of the array in which [`FrameHeader::to_bytes`] builds a header.
pub(crate) const HEADER_ROOM: usize = 16;

/// The largest payload of a control frame, in bytes (RFC 6455 §5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// The three reserved bits of a frame header, which extensions can use (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit is set.
    pub const NONE: Self = Self(0);
    /// The first bit. permessage-deflate sets it on compressed messages (RFC 7692 §6).
    pub const RSV1: Self = Self(0b100);
    /// The second bit.
    pub const RSV2: Self = Self(0b010);
    /// The third bit.
    pub const RSV3: Self = Self(0b001);

    /// Returns the bits that are set in `self`, in `other` or in both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the bits that are set in `self` but not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns `true` if no bit is set.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Returns RSV1, RSV2 and RSV3 as a three-bit number.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// The header of a frame (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the wire format is fixed")]
pub struct FrameHeader {
    /// `true` if this frame is the last (or only) fragment of its message.
    pub fin: bool,
    /// The bits reserved for extensions.
    pub rsv: Rsv,
    /// The type of the frame.
    pub opcode: OpCode,
    /// The mask key, or `None` if the payload is not masked.
    pub mask: Option<MaskKey>,
    /// The length of the payload in bytes.
    pub payload_len: u64,
}

/// An error that makes a frame header invalid on any connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// RFC 6455 reserves the opcode (§5.2).
    #[error("reserved opcode 0x{0:X}")]
    ReservedOpCode(u8),
    /// A control frame lacks the FIN bit: control frames can't be fragmented (§5.5).
    #[error("fragmented {0} frame")]
    FragmentedControl(OpCode),
    /// The payload of a control frame is longer than 125 bytes (§5.5).
    #[error("{opcode} frame announces a payload of over 125 bytes (length field {length_field})")]
    OversizedControl {
        /// The type of the control frame.
        opcode: OpCode,
        /// The value of its 7-bit length field: 126 or 127.
        length_field: u8,
    },
    /// The length is not encoded in the shortest form (§5.2).
    #[error("payload length {length} is not in its shortest form: it takes {field_bytes} bytes")]
    NonMinimalLength {
        /// The payload length.
        length: u64,
        /// The size of the length field in bytes: 2 or 8.
        field_bytes: u8,
    },
    /// The most significant bit of a 64-bit length is set (§5.2).
    #[error("payload length {0:#x} has its top bit set")]
    LengthTopBit(u64),
}

impl FrameHeader {
    /// Parses a header at the start of `input`. Returns the header and its length in bytes, or
    /// `None` if the header is incomplete.
    ///
    /// ```
    /// use sansocket::frame::{FrameHeader, OpCode};
    ///
    /// // The unmasked text "Hello" of RFC 6455 §5.7.
    /// let input = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    /// let (header, len) = FrameHeader::parse(&input)?.expect("it is whole");
    /// assert_eq!((header.opcode, header.payload_len, len), (OpCode::Text, 5, 2));
    /// assert_eq!(FrameHeader::parse(&input[..1])?, None);
    /// # Ok::<(), sansocket::frame::FrameError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error at the first byte, in wire order, that makes the header invalid on any
    /// connection. The result therefore does not depend on how the bytes were split into reads.
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

    /// Writes the header to the start of `output` and returns its length in bytes. The bytes after
    /// that length are unspecified.
    ///
    /// The length is encoded in its shortest form. This method does not check the header: it also
    /// writes headers that [`parse`](Self::parse) rejects.
    ///
    /// ```
    /// use sansocket::frame::{FrameHeader, MAX_FRAME_HEADER, OpCode, Rsv};
    ///
    /// let opcode = OpCode::Text;
    /// let header = FrameHeader { fin: true, rsv: Rsv::NONE, opcode, mask: None, payload_len: 5 };
    /// let mut bytes = [0; MAX_FRAME_HEADER];
    /// let len = header.encode(&mut bytes);
    /// assert_eq!(bytes[..len], [0x81, 5]);
    /// ```
    #[inline]
    pub fn encode(&self, output: &mut [u8; MAX_FRAME_HEADER]) -> usize {
        let (bytes, len) = self.to_bytes();
        output.copy_from_slice(&bytes[..MAX_FRAME_HEADER]);
        len
    }

    /// Returns an array that starts with the header, and the length of the header.
    #[inline]
    pub(crate) fn to_bytes(self) -> ([u8; HEADER_ROOM], usize) {
        let (header, len) = self.to_bits();
        (header.to_le_bytes(), len)
    }

    /// Returns a number whose little-endian bytes start with the header, and the length of the
    /// header.
    // Building the header in registers takes half the instructions of writing it field by field.
    #[inline]
    pub(crate) fn to_bits(self) -> (u128, usize) {
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
        (header, len + if self.mask.is_some() { 4 } else { 0 })
    }
}

/// Parses the payload length. Returns it with the number of bytes it takes after the 7-bit field.
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
    fn rejects_reserved_opcodes_at_the_first_byte() {
        for bits in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
            assert_eq!(FrameHeader::parse(&[bits]), Err(FrameError::ReservedOpCode(bits)));
        }
    }

    #[test]
    fn control_frames_are_unfragmented_and_short() {
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
    fn lengths_have_the_shortest_form_and_at_most_63_bits() {
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
