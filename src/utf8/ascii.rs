//! ASCII checks that read a slice in a few wide, overlapping blocks.
//!
//! The standard library reads the remainder after its blocks byte by byte. For most lengths, that
//! takes longer than all the blocks together.
//!
//! Every function is inlined: once the length of a block is known, it is a handful of instructions.

/// The bits that are clear in every ASCII byte.
pub(super) const BEYOND_ASCII: u128 = u128::from_ne_bytes([0x80; size_of::<u128>()]);

/// Returns `true` if all bytes are ASCII. `bytes` has at least the length of a word.
#[inline(always)]
pub(super) fn is_ascii(bytes: &[u8]) -> bool {
    match bytes.len() {
        ..=32 => are_words_ascii(bytes),
        33..=63 => are_ends_ascii::<32>(bytes),
        64..=128 => are_ends_ascii::<64>(bytes),
        _ => are_blocks_ascii::<128>(bytes),
    }
}

/// Returns `true` if the last `COUNT` bytes are ASCII, and `false` if there are fewer bytes.
#[inline(always)]
pub(super) fn ends_ascii<const COUNT: usize>(bytes: &[u8]) -> bool {
    bytes.last_chunk::<COUNT>().is_some_and(is_block_ascii)
}

/// Checks one to two words.
#[inline(always)]
fn are_words_ascii(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return false;
    };
    (u128::from_ne_bytes(*first) | u128::from_ne_bytes(*last)) & BEYOND_ASCII == 0
}

/// Checks from `COUNT` to twice as many bytes.
#[inline(always)]
fn are_ends_ascii<const COUNT: usize>(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk::<COUNT>(), bytes.last_chunk::<COUNT>())
    else {
        return false;
    };
    first.iter().zip(last).fold(0, |all, (first, last)| all | first | last) < 0x80
}

#[inline(always)]
fn are_blocks_ascii<const COUNT: usize>(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((block, behind)) = rest.split_first_chunk::<COUNT>() {
        if !is_block_ascii(block) {
            return false;
        }
        rest = behind;
    }
    rest.is_empty() || ends_ascii::<COUNT>(bytes)
}

/// Has no branch, so that the compiler turns it into one pass over vector registers.
#[inline(always)]
fn is_block_ascii<const COUNT: usize>(block: &[u8; COUNT]) -> bool {
    block.iter().fold(0, |all, byte| all | byte) < 0x80
}
