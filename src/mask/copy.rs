//! The XOR on the way from one place to another: what is masked has to be copied anyway, since the
//! sender's bytes are not its to change, and so each is touched once.

#[cfg(all(feature = "std", target_arch = "x86_64"))]
use super::kernel::WIDE_FROM;
use alloc::vec::Vec;
use core::mem::MaybeUninit;

/// Appends `data`, XORed with the bytes of `key` in little-endian order, over and over.
#[inline]
pub(super) fn append_xored(into: &mut Vec<u8>, data: &[u8], key: u32) {
    into.reserve(data.len());
    let end = into.len() + data.len();
    xor_into(&mut into.spare_capacity_mut()[..data.len()], data, key);
    // SAFETY: there is room for as much, and all of it was written: the two are of one length, and
    // each step takes the same number of bytes of both, until none is left.
    unsafe { into.set_len(end) };
}

#[inline]
fn xor_into(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    if data.len() >= WIDE_FROM && std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        unsafe { with_avx2(into, data, key) };
        return;
    }
    in_words(into, data, key);
}

/// # Safety
///
/// The processor has AVX2.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[target_feature(enable = "avx2")]
unsafe fn with_avx2(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    in_words(into, data, key);
}

/// Writes all of `into`, which is as long as `data`: by four words at a time, which the compiler
/// makes as wide as the processor allows; then what is left, by ever less.
#[inline(always)]
fn in_words(into: &mut [MaybeUninit<u8>], data: &[u8], key: u32) {
    debug_assert_eq!(into.len(), data.len(), "all is written");
    let (into, data) = in_blocks::<16>(into, data, key);
    let (into, data) = in_blocks::<8>(into, data, key);
    let (into, data) = in_blocks::<4>(into, data, key);
    for ((into, byte), key) in into.iter_mut().zip(data).zip(key.to_le_bytes()) {
        into.write(byte ^ key);
    }
}

/// All but the last bytes that make no block of `N`, a multiple of 4: those are returned.
#[inline(always)]
fn in_blocks<'a, const N: usize>(
    into: &'a mut [MaybeUninit<u8>],
    data: &'a [u8],
    key: u32,
) -> (&'a mut [MaybeUninit<u8>], &'a [u8]) {
    const { assert!(N % 4 == 0, "else bytes would be left out") };
    let (mut targets, sources) = (into.chunks_exact_mut(N), data.chunks_exact(N));
    let rest = sources.remainder();
    for (target, source) in targets.by_ref().zip(sources) {
        for (target, source) in target.chunks_exact_mut(4).zip(source.chunks_exact(4)) {
            let (Ok(target), Ok(source)) =
                (<&mut [MaybeUninit<u8>; 4]>::try_from(target), <[u8; 4]>::try_from(source))
            else {
                continue;
            };
            let masked = u32::from_le_bytes(source) ^ key;
            *target = masked.to_le_bytes().map(MaybeUninit::new);
        }
    }
    (targets.into_remainder(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths on both sides of every limit, from and to every alignment.
    #[test]
    fn equals_a_copy_that_is_masked_in_place() {
        let key = u32::from_le_bytes([0x01, 0x80, 0xfe, 0x3c]);
        let source: Vec<u8> = (0..400_u32).map(|index| (index * 37) as u8).collect();
        for start in 0..32 {
            for len in 0..source.len() - start {
                let piece = &source[start..start + len];
                let before = &source[..len % 33];
                let mut expected = [before, piece].concat();
                super::super::kernel::xor(&mut expected[before.len()..], key);

                let mut masked = before.to_vec();
                append_xored(&mut masked, piece, key);
                assert!(masked == expected, "start {start} length {len}");

                let mut narrow = alloc::vec![MaybeUninit::new(0); len];
                in_words(&mut narrow, piece, key);
                // SAFETY: it began with all bytes written.
                let narrow = narrow.iter().map(|byte| unsafe { byte.assume_init() });
                assert!(narrow.eq(expected[before.len()..].iter().copied()), "{start}, {len}");
            }
        }
    }
}
