//! Masking of payloads (RFC 6455 §5.3): an XOR with a repeating 4-byte key.
//!
//! Masking is its own inverse. It works in place and from any position in the payload, so you can
//! mask or unmask a payload piece by piece as you produce or receive it.

#[cfg(feature = "alloc")]
#[allow(unsafe_code, reason = "writes to uninitialised memory")]
mod copy;
#[allow(unsafe_code, reason = "processor features are known only at run time")]
mod kernel;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// The 32-bit key of one masked frame (RFC 6455 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MaskKey([u8; 4]);

impl MaskKey {
    /// Creates a key from its four bytes in wire order.
    #[must_use]
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// Returns the four bytes in wire order.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }

    /// Returns the key rotated for data that begins `phase` bytes into the payload.
    const fn rotated(self, phase: usize) -> u32 {
        let bits = 8 * (phase % 4) as u32;
        u32::from_le_bytes(self.0).rotate_right(bits)
    }
}

/// The source of a client's mask keys.
///
/// Each frame needs a fresh key that the peer's application can't predict, from a strong source of
/// entropy (RFC 6455 §5.3, §10.3). The protocol core has no such source and takes the keys from
/// this trait.
pub trait MaskKeys {
    /// Returns the key for the next frame.
    fn next_key(&mut self) -> MaskKey;
}

impl<F: FnMut() -> MaskKey> MaskKeys for F {
    fn next_key(&mut self) -> MaskKey {
        self()
    }
}

/// Masks or unmasks `data` in place.
///
/// `phase` is the number of bytes that precede `data` in the same payload.
///
/// ```
/// use sansocket::mask::{MaskKey, apply_mask};
///
/// // The masked "Hello" of RFC 6455 §5.7, in two pieces.
/// let key = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);
/// let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// apply_mask(&mut payload[..3], key, 0);
/// apply_mask(&mut payload[3..], key, 3);
/// assert_eq!(&payload, b"Hello");
/// ```
#[inline]
pub fn apply_mask(data: &mut [u8], key: MaskKey, phase: usize) {
    kernel::xor(data, key.rotated(phase));
}

/// Appends a masked copy of `data`, which is the start of a payload.
#[cfg(feature = "alloc")]
#[inline]
pub(crate) fn append_masked(into: &mut Vec<u8>, data: &[u8], key: MaskKey) {
    copy::append_xored(into, data, key.rotated(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask_byte_by_byte(data: &mut [u8], key: MaskKey, phase: usize) {
        for (index, byte) in data.iter_mut().enumerate() {
            *byte ^= key.to_bytes()[(phase + index) % 4];
        }
    }

    #[test]
    fn matches_the_definition_at_every_length_and_phase() {
        let key = MaskKey::new([0x01, 0x80, 0xfe, 0x3c]);
        let mut source = [0_u8; 80];
        for (index, byte) in source.iter_mut().enumerate() {
            *byte = (index * 37) as u8;
        }
        for start in 0..8 {
            for len in 0..source.len() - start {
                for phase in 0..9 {
                    let (mut ours, mut expected) = (source, source);
                    apply_mask(&mut ours[start..start + len], key, phase);
                    mask_byte_by_byte(&mut expected[start..start + len], key, phase);
                    assert_eq!(ours, expected, "start {start} length {len} phase {phase}");
                }
            }
        }
    }

    #[test]
    fn a_huge_phase_does_not_overflow() {
        let key = MaskKey::new([1, 2, 3, 4]);
        let mut data = [0; 3];
        apply_mask(&mut data, key, usize::MAX);
        assert_eq!(data, [4, 1, 2]);
    }
}
