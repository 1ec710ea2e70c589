//! The XOR itself, in place.
//!
//! No loop handles the remainder. If the length is not a multiple of the block size, the last block
//! overlaps the ones before it. All overlapping bytes are read before any of them is written.
//!
//! Every function that `with_avx2` calls must be inlined into it, or the compiler does not use AVX2
//! for that function.

/// The length from which wider registers are worth the check whether the processor has them.
pub(super) const WIDE_FROM: usize = 129;

/// XORs `data` with the repeated bytes of `key` in little-endian order.
#[inline]
pub(super) fn xor(data: &mut [u8], key: u32) {
    let len = data.len();
    if len < 8 {
        if len >= 4 {
            return xor_ends::<4>(data, key);
        }
        for (byte, key) in data.iter_mut().zip(key.to_le_bytes()) {
            *byte ^= key;
        }
    } else if len < 16 {
        xor_ends::<8>(data, key);
    } else if len <= 32 {
        xor_ends::<16>(data, key);
    } else {
        xor_more(data, key);
    }
}

/// A separate function because its code is large and most messages are short.
#[inline(never)]
fn xor_more(data: &mut [u8], key: u32) {
    if data.len() <= 64 {
        xor_ends::<32>(data, key);
    } else if data.len() < WIDE_FROM {
        xor_ends::<64>(data, key);
    } else {
        xor_many(data, key);
    }
}

/// A separate function because detecting processor features requires saving registers.
#[inline(never)]
fn xor_many(data: &mut [u8], key: u32) {
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        unsafe { with_avx2(data, key) };
        return;
    }
    xor_blocks::<64>(data, key);
}

/// # Safety
///
/// The processor must support AVX2.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[target_feature(enable = "avx2")]
unsafe fn with_avx2(data: &mut [u8], key: u32) {
    if data.len() <= 256 {
        xor_ends::<128>(data, key);
    } else {
        xor_aligned(data, key);
    }
}

/// Uses blocks that begin at an aligned address: an access that crosses two cache lines costs twice
/// as much. `data` has at least 160 bytes.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[inline(always)]
fn xor_aligned(data: &mut [u8], key: u32) {
    let Some(first) = data.first_chunk::<32>() else { return };
    let first = xored(*first, key);
    let aligned = 32 - data.as_ptr().addr() % 32;
    xor_blocks::<128>(&mut data[aligned..], rotated(key, aligned));
    if let Some(place) = data.first_chunk_mut() {
        *place = first;
    }
}

/// XORs block by block. `data` has at least `N` bytes.
#[inline(always)]
fn xor_blocks<const N: usize>(data: &mut [u8], key: u32) {
    let Some(last) = data.last_chunk::<N>() else { return };
    let last = xored(*last, rotated(key, data.len()));
    // Leave at least one byte to the last block; otherwise that block would redo a whole one.
    let whole = data.len() - 1;
    for block in data[..whole].chunks_exact_mut(N) {
        if let Ok(block) = <&mut [u8; N]>::try_from(block) {
            *block = xored(*block, key);
        }
    }
    if let Some(place) = data.last_chunk_mut() {
        *place = last;
    }
}

/// XORs the first `N` and the last `N` bytes, which together are all: `data` has from `N` to 2 `N`
/// bytes.
#[inline(always)]
fn xor_ends<const N: usize>(data: &mut [u8], key: u32) {
    let Some((first, last)) = xored_ends::<N>(data, key) else { return };
    if let Some(place) = data.first_chunk_mut() {
        *place = first;
    }
    if let Some(place) = data.last_chunk_mut() {
        *place = last;
    }
}

/// Returns the first `N` and the last `N` bytes, XORed.
#[inline(always)]
pub(super) fn xored_ends<const N: usize>(data: &[u8], key: u32) -> Option<([u8; N], [u8; N])> {
    debug_assert!((N..=2 * N).contains(&data.len()), "the two blocks do not cover the data");
    let (first, last) = (data.first_chunk()?, data.last_chunk()?);
    Some((xored(*first, key), xored(*last, rotated(key, data.len()))))
}

/// XORs one block. `N` is a multiple of 4.
#[inline(always)]
pub(super) fn xored<const N: usize>(mut block: [u8; N], key: u32) -> [u8; N] {
    const { assert!(N % 4 == 0, "N is not a multiple of 4") };
    // The compiler merges more than two words into wide registers, but not exactly two.
    if N == 8 {
        if let Some(bytes) = block.first_chunk_mut() {
            let twice = u64::from(key) << 32 | u64::from(key);
            *bytes = (u64::from_le_bytes(*bytes) ^ twice).to_le_bytes();
        }
        return block;
    }
    for word in block.chunks_exact_mut(4) {
        if let Ok(bytes) = <&mut [u8; 4]>::try_from(word) {
            *bytes = (u32::from_le_bytes(*bytes) ^ key).to_le_bytes();
        }
    }
    block
}

/// Returns the key rotated for a block that begins at `position`. Only `position` modulo 4 matters:
/// for the block of the last `N` bytes, you can pass the length of the data.
#[inline(always)]
pub(super) fn rotated(key: u32, position: usize) -> u32 {
    key.rotate_right((position as u32).wrapping_mul(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks lengths on both sides of every limit, at every alignment.
    #[test]
    fn every_code_path_matches_the_definition() {
        let key = [0x01, 0x80, 0xfe, 0x3c];
        let mut source = [0_u8; 640];
        for (index, byte) in source.iter_mut().enumerate() {
            *byte = (index * 37) as u8;
        }
        for start in 0..32 {
            for len in 0..source.len() - start {
                let (mut expected, mut narrow, mut wide) = (source, source, source);
                let piece = start..start + len;
                for (byte, key) in expected[piece.clone()].iter_mut().zip(key.iter().cycle()) {
                    *byte ^= key;
                }
                let key = u32::from_le_bytes(key);
                xor(&mut wide[piece.clone()], key);
                assert!(wide == expected, "start {start} length {len}");
                if len >= 64 {
                    xor_blocks::<64>(&mut narrow[piece], key);
                    assert!(narrow == expected, "in blocks: start {start} length {len}");
                }
            }
        }
    }
}
