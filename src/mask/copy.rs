//! The XOR of [`kernel`](super::kernel), from one buffer into another.
//!
//! The sender's bytes can't be masked in place because they belong to the caller. Masking during
//! the copy touches each byte only once.

use super::kernel::{WIDE_FROM, rotated, xored, xored_ends};
use alloc::vec::Vec;
use core::mem::MaybeUninit;

/// Appends `data`, XORed with the repeated bytes of `key` in little-endian order.
#[inline]
pub(super) fn append_xored(into: &mut Vec<u8>, data: &[u8], key: u32) {
    if data.len() <= 32 {
        append(into, data, key, write_few);
    } else {
        append_more(into, data, key);
    }
}

/// A separate function, so that the path for short data saves no registers for calls.
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
    // SAFETY: `reserve` made room for `data.len()` more bytes, and `write` initialises all of them.
    // Destination and source have the same length. The lengths are covered as follows:
    // - 0 to 3 bytes are written one by one;
    // - 4 to 7, 8 to 15, 16 to 32, 33 to 64, 65 to 128 bytes, and with AVX2 129 to 256 bytes, are
    //   written as two blocks of 4, 8, 16, 32, 64 and 128 bytes respectively. One block is at each
    //   end, and together they are at least as long as the data;
    // - more bytes are written as consecutive blocks of 64 or 128, plus one block at the end. With
    //   AVX2, the consecutive blocks begin at most 32 bytes in, and a block of 32 bytes is written
    //   at the start first.
    unsafe { into.set_len(end) };
}

/// Writes all of `into`, as do the functions below. `into` and `data` have the same length, here at
/// most 32 bytes.
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

/// Writes 33 bytes or more.
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
/// The processor must support AVX2.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[target_feature(enable = "avx2")]
unsafe fn with_avx2(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    if data.len() <= 256 {
        write_ends::<128>(into, data, key);
    } else {
        write_aligned(into, data, key);
    }
}

/// Aligns the writes only: the processor can do more unaligned reads than writes at a time. `data`
/// has at least 160 bytes.
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

/// Writes block by block. `data` has at least `N` bytes.
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

/// Writes the first `N` and the last `N` bytes, which together are all: `data` has from `N` to
/// 2 `N` bytes.
#[inline(always)]
fn write_ends<const N: usize>(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    debug_assert_eq!(into.len(), data.len(), "source and destination differ in length");
    // Never returns here for the lengths that `append` passes on.
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

    /// Checks lengths on both sides of every limit, at every alignment of source and destination.
    #[test]
    fn matches_masking_a_copy_in_place() {
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
                // SAFETY: all bytes were initialised when `narrow` was created.
                let narrow = narrow.iter().map(|byte| unsafe { byte.assume_init() });
                assert!(narrow.eq(expected[before.len()..].iter().copied()), "{start}, {len}");
            }
        }
    }
}
