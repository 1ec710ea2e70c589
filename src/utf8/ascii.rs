//! Whether text of some length is ASCII, in few and wide looks that overlap.
//!
//! The standard library looks at what its blocks leave over one byte at a time, which for most lengths
//! takes longer than all blocks together.
//!
//! All is inlined, since it is a handful of instructions once the length of a block is known.

/// The bits that no byte of ASCII has set.
pub(super) const BEYOND_ASCII: u128 = u128::from_ne_bytes([0x80; size_of::<u128>()]);

/// Whether all bytes are ASCII, of which there are at least as many as in a word.
#[inline(always)]
pub(super) fn is_ascii(bytes: &[u8]) -> bool {
    match bytes.len() {
        ..=32 => are_words_ascii(bytes),
        33..=63 => are_ends_ascii::<32>(bytes),
        64..=128 => are_ends_ascii::<64>(bytes),
        _ => are_blocks_ascii::<128>(bytes),
    }
}

/// Whether the last bytes are ASCII; not so if there are fewer.
#[inline(always)]
pub(super) fn ends_ascii<const COUNT: usize>(bytes: &[u8]) -> bool {
    bytes.last_chunk::<COUNT>().is_some_and(is_block_ascii)
}

/// For at most two words.
#[inline(always)]
fn are_words_ascii(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return false;
    };
    (u128::from_ne_bytes(*first) | u128::from_ne_bytes(*last)) & BEYOND_ASCII == 0
}

/// For at most twice as many bytes.
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

/// Without a branch, so that the compiler makes it one pass of the vector registers.
#[inline(always)]
fn is_block_ascii<const COUNT: usize>(block: &[u8; COUNT]) -> bool {
    block.iter().fold(0, |all, byte| all | byte) < 0x80
}
