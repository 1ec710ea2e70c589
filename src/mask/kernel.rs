//! The XOR itself: one loop, compiled for what every processor has and for what most have.

/// From this length on wider registers pay for asking whether there are any.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(super) const WIDE_FROM: usize = 128;

/// From this length on it pays to begin at an aligned address: a word that lies across two cache
/// lines costs twice as much.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
const ALIGNED_FROM: usize = 512;

/// XORs `data` with the bytes of `key` in little-endian order, over and over.
#[inline]
pub(super) fn xor(data: &mut [u8], key: u32) {
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    if data.len() >= WIDE_FROM && std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        unsafe { with_avx2(data, key) };
        return;
    }
    in_words(data, key);
}

/// # Safety
///
/// The processor has AVX2.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[target_feature(enable = "avx2")]
unsafe fn with_avx2(data: &mut [u8], key: u32) {
    if data.len() < ALIGNED_FROM {
        return in_words(data, key);
    }
    let to_alignment = data.as_ptr().align_offset(32).min(data.len());
    let (head, rest) = data.split_at_mut(to_alignment);
    in_words(head, key);
    in_words(rest, key.rotate_right(8 * (to_alignment % 4) as u32));
}

/// By four words at a time, which the compiler makes as wide as the processor allows; then what is
/// left, by ever less.
#[inline(always)]
fn in_words(data: &mut [u8], key: u32) {
    let rest = in_blocks::<16>(data, key);
    let rest = in_blocks::<8>(rest, key);
    let rest = in_blocks::<4>(rest, key);
    for (byte, key) in rest.iter_mut().zip(key.to_le_bytes()) {
        *byte ^= key;
    }
}

/// All but the last bytes that make no block of `N`, a multiple of 4: those are returned.
#[inline(always)]
fn in_blocks<const N: usize>(data: &mut [u8], key: u32) -> &mut [u8] {
    let mut blocks = data.chunks_exact_mut(N);
    for block in blocks.by_ref() {
        for word in block.chunks_exact_mut(4) {
            if let Ok(bytes) = <&mut [u8; 4]>::try_from(word) {
                *bytes = (u32::from_le_bytes(*bytes) ^ key).to_le_bytes();
            }
        }
    }
    blocks.into_remainder()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths on both sides of every limit, at every alignment.
    #[test]
    fn every_loop_equals_the_definition() {
        let key = [0x01, 0x80, 0xfe, 0x3c];
        let mut source = [0_u8; 640];
        for (index, byte) in source.iter_mut().enumerate() {
            *byte = (index * 37) as u8;
        }
        for start in 0..32 {
            for len in 0..source.len() - start {
                let (mut expected, mut safe, mut wide) = (source, source, source);
                let piece = start..start + len;
                for (byte, key) in expected[piece.clone()].iter_mut().zip(key.iter().cycle()) {
                    *byte ^= key;
                }
                in_words(&mut safe[piece.clone()], u32::from_le_bytes(key));
                assert!(safe == expected, "in words: start {start} length {len}");
                xor(&mut wide[piece], u32::from_le_bytes(key));
                assert!(wide == expected, "start {start} length {len}");
            }
        }
    }
}
