//! Validation of a word of vector registers at once, in the same time for any text.
//!
//! The standard library goes from character to character, and each that is not as long as was
//! expected costs as much as ten bytes; to simdutf8 so little is not worth a register.

use super::ends_whole;

/// The bits that no byte of ASCII has set.
const BEYOND_ASCII: u128 = u128::from_ne_bytes([0x80; WORD]);

/// Bytes that are looked at together, as many as the narrowest registers of vectors hold.
pub(super) const WORD: usize = 16;

/// Without such registers the same is many times slower than the standard library.
pub(super) const IS_QUICK: bool =
    cfg!(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"));

/// Whether all is whole characters, of at most a word.
#[inline(always)]
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let word = load(bytes);
    if word & BEYOND_ASCII == 0 {
        return true;
    }
    // Zeros follow, which end a character that is cut off as any other text would.
    wrong_bytes(word) == [0; WORD] && (bytes.len() < WORD || ends_whole(bytes))
}

/// Up to a word of bytes as a number, the first one lowest. Each is read in few and wide pieces that
/// overlap.
#[inline(always)]
fn load(bytes: &[u8]) -> u128 {
    let len = bytes.len();
    if let Ok(word) = bytes.try_into() {
        return u128::from_le_bytes(word);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        return u128::from(first) | u128::from(last) << (8 * (len - 8));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u128::from(u64::from(first) | u64::from(last) << (8 * (len - 4)));
    }
    if let (Some(first), Some(last)) = (bytes.first(), bytes.last()) {
        let (first, middle, last) =
            (u32::from(*first), u32::from(bytes[len / 2]), u32::from(*last));
        return u128::from(first | middle << (8 * (len / 2)) | last << (8 * (len - 1)));
    }
    0
}

/// Which bytes of a word can't stand where they do.
///
/// The loop has no branches and no reach beyond its index, so that the compiler makes it one pass of
/// the vector registers.
#[inline(always)]
fn wrong_bytes(word: u128) -> [u8; WORD] {
    let one_back = (word << 8).to_le_bytes();
    let two_back = (word << 16).to_le_bytes();
    let three_back = (word << 24).to_le_bytes();
    let word = word.to_le_bytes();
    let mut wrong = [0; WORD];
    for index in 0..WORD {
        let (byte, previous) = (word[index], one_back[index]);
        // A byte goes on with a character if, and only if, one before it begins one so long.
        let is_due = previous.saturating_sub(0xbf)
            | two_back[index].saturating_sub(0xdf)
            | three_back[index].saturating_sub(0xef);
        let goes_on = is_below(byte, 0xc0);
        // RFC 3629 §3, §4: no longer form than needed, no surrogates, nothing above U+10FFFF.
        let is_bad = (goes_on != (is_due > 0))
            | (byte & 0xfe == 0xc0)
            | (previous == 0xe0) & is_below(byte, 0xa0)
            | (previous == 0xed) & !is_below(byte, 0xa0)
            | (previous == 0xf0) & is_below(byte, 0x90)
            | (previous == 0xf4) & !is_below(byte, 0x90)
            | (byte > 0xf4);
        wrong[index] = u8::from(is_bad);
    }
    wrong
}

/// Whether a byte that goes on with a character is less than another; of others, ASCII is not. As a
/// comparison of signed numbers it is one instruction.
#[inline(always)]
fn is_below(byte: u8, other: u8) -> bool {
    (byte as i8) < (other as i8)
}
