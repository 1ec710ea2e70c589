//! The XOR on the way from one place to another: what is masked has to be copied anyway, since the
//! sender's bytes are not its to change, and so each is touched once.
//!
//! Its steps are those of the XOR in place.

use super::kernel::{WIDE_FROM, rotated, xored, xored_ends};
use alloc::vec::Vec;
use core::mem::MaybeUninit;

/// Appends `data`, XORed with the bytes of `key` in little-endian order, over and over.
#[inline]
pub(super) fn append_xored(into: &mut Vec<u8>, data: &[u8], key: u32) {
    if data.len() <= 32 {
        append(into, data, key, write_few);
    } else {
        append_more(into, data, key);
    }
}

/// Apart, so that what is short saves no registers for calls that it does not make.
#[inline(never)]
fn append_more(into: &mut Vec<u8>, data: &[u8], key: u32) {
    append(into, data, key, write_more);
}

#[inline(always)]
fn append(
    into: &mut Vec<u8>,
    data: &[u8],
    key: u32,
    write: impl FnOnce(&mut [MaybeUninit<u8>], &[u8], u32),
) {
    into.reserve(data.len());
    let end = into.len() + data.len();
    write(&mut into.spare_capacity_mut()[..data.len()], data, key);
    // SAFETY: there is room for as much, and all of it was written. The two are of one length. Up to 3
    // bytes are written one by one; 4 to 7, 8 to 15, 16 to 32, 33 to 64, 65 to 128, and with AVX2 129 to
    // 256, by two blocks of 4, 8, 16, 32, 64 and 128 at the ends, which together are at least as long;
    // more by blocks of 64 or 128 one behind the other, and one at the end; with AVX2 they begin at most
    // 32 bytes in, and those are written before.
    unsafe { into.set_len(end) };
}

/// Writes all of `into`, which is as long as `data`; so do all below. At most 32 bytes.
#[inline(always)]
fn write_few(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    let len = data.len();
    if len >= 16 {
        write_ends::<16>(into, data, key);
    } else if len >= 8 {
        write_ends::<8>(into, data, key);
    } else if len >= 4 {
        write_ends::<4>(into, data, key);
    } else {
        for ((place, byte), key) in into.iter_mut().zip(data).zip(key.to_le_bytes()) {
            place.write(byte ^ key);
        }
    }
}

/// From 33 bytes on.
#[inline(always)]
fn write_more(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    if data.len() <= 64 {
        write_ends::<32>(into, data, key);
    } else if data.len() < WIDE_FROM {
        write_ends::<64>(into, data, key);
    } else {
        write_many(into, data, key);
    }
}

#[inline(never)]
fn write_many(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        unsafe { with_avx2(into, data, key) };
        return;
    }
    write_blocks::<64>(into, data, key);
}

/// # Safety
///
/// The processor has AVX2.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[target_feature(enable = "avx2")]
unsafe fn with_avx2(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    if data.len() <= 256 {
        write_ends::<128>(into, data, key);
    } else {
        write_aligned(into, data, key);
    }
}

/// Only what is written is aligned: of reads the processor can do more at a time. At least 160 bytes.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[inline(always)]
fn write_aligned(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    let (Some(place), Some(first)) = (into.first_chunk_mut::<32>(), data.first_chunk()) else {
        return;
    };
    *place = xored(*first, key).map(MaybeUninit::new);
    let aligned = 32 - into.as_ptr().addr() % 32;
    write_blocks::<128>(&mut into[aligned..], &data[aligned..], rotated(key, aligned));
}

/// Block by block. At least one, of `N` bytes.
#[inline(always)]
fn write_blocks<const N: usize>(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    for (place, block) in into.chunks_exact_mut(N).zip(data.chunks_exact(N)) {
        let place = <&mut [MaybeUninit<u8>; N]>::try_from(place);
        if let (Ok(place), Ok(block)) = (place, <[u8; N]>::try_from(block)) {
            *place = xored(block, key).map(MaybeUninit::new);
        }
    }
    if let (Some(place), Some(last)) = (into.last_chunk_mut(), data.last_chunk::<N>()) {
        *place = xored(*last, rotated(key, data.len())).map(MaybeUninit::new);
    }
}

/// The first `N` bytes and the last, which are all: from `N` to 2 `N` bytes.
#[inline(always)]
fn write_ends<const N: usize>(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    debug_assert_eq!(into.len(), data.len(), "all is written");
    // Of no length that gets here: see `append`.
    let Some((first, last)) = xored_ends::<N>(data, key) else { return };
    if let Some(place) = into.first_chunk_mut() {
        *place = first.map(MaybeUninit::new);
    }
    if let Some(place) = into.last_chunk_mut() {
        *place = last.map(MaybeUninit::new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths on both sides of every limit, from and to every alignment.
    #[test]
    fn equals_a_copy_that_is_masked_in_place() {
        let key = u32::from_le_bytes([0x01, 0x80, 0xfe, 0x3c]);
        let source: Vec<u8> = (0..640_u32).map(|index| (index * 37) as u8).collect();
        for start in 0..32 {
            for len in 0..source.len() - start {
                let piece = &source[start..start + len];
                let before = &source[..len % 33];
                let mut expected = [before, piece].concat();
                super::super::kernel::xor(&mut expected[before.len()..], key);

                let mut masked = before.to_vec();
                append_xored(&mut masked, piece, key);
                assert!(masked == expected, "start {start} length {len}");

                if len < 64 {
                    continue;
                }
                let mut narrow = alloc::vec![MaybeUninit::new(0); len];
                write_blocks::<64>(&mut narrow, piece, key);
                // SAFETY: it began with all bytes written.
                let narrow = narrow.iter().map(|byte| unsafe { byte.assume_init() });
                assert!(narrow.eq(expected[before.len()..].iter().copied()), "{start}, {len}");
            }
        }
    }
}
