//! Validation of a word of vector registers at once, in the same time for any text.
//!
//! The standard library goes from character to character, and each that is not as long as was
//! expected costs as much as ten bytes; to simdutf8 so little is not worth a register.
//!
//! What makes or looks at a word is inlined, so that it stays in registers.

use super::ascii::{self, BEYOND_ASCII};
use super::cut::ends_whole;

/// Bytes that are looked at together, as many as the narrowest registers of vectors hold.
pub(super) const WORD: usize = 16;

/// How far back it is that a character of which a byte is part can begin.
const REACH: usize = 3;

/// A word and what it needs to have before it.
const WINDOW: usize = WORD + REACH;

/// Without such registers the same is many times slower than the standard library.
pub(super) const IS_QUICK: bool =
    cfg!(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"));

/// Whether all is whole characters.
#[inline(always)]
pub(super) fn is_text(bytes: &[u8]) -> bool {
    if bytes.len() > WORD {
        return ascii::is_ascii(bytes) || is_text_of_words(bytes);
    }
    let word = load(bytes);
    if word & BEYOND_ASCII == 0 || bytes.len() <= 4 && is_one_character(word) {
        return true;
    }
    // Zeros follow, which end a character that is cut off as any other text would.
    wrong_after(word, 0) == [0; WORD] && (bytes.len() < WORD || ends_whole(bytes))
}

/// Whether a character of three bytes is all that there is, or all but one byte of ASCII. It is what
/// a message of one CJK character has, too little for vectors.
#[inline(always)]
fn is_one_character(word: u128) -> bool {
    if word & 0x80c0_c0f0 != 0x0080_80e0 {
        return false;
    }
    // RFC 3629 §3, §4: no longer form than needed, no surrogates.
    !matches!(word & 0x200f, 0 | 0x200d)
}

/// For more than a word.
#[inline(never)]
fn is_text_of_words(bytes: &[u8]) -> bool {
    let Some(first) = bytes.first_chunk() else { return false };
    let first = u128::from_le_bytes(*first);
    let mut wrong = wrong_after(first, 0);
    let Some(last_window) = bytes.last_chunk() else {
        let Some(last) = bytes.last_chunk() else { return false };
        let before_last = first << (8 * (2 * WORD - bytes.len()));
        add(&mut wrong, wrong_after(u128::from_le_bytes(*last), before_last));
        return wrong == [0; WORD] && ends_whole(bytes);
    };
    let mut rest = bytes.get(WORD - REACH..).unwrap_or_default();
    while let Some((window, [_, ..])) = rest.split_first_chunk() {
        add(&mut wrong, wrong_in(window));
        rest = rest.get(WORD..).unwrap_or_default();
    }
    add(&mut wrong, wrong_in(last_window));
    wrong == [0; WORD] && ends_whole(bytes)
}

#[inline(always)]
fn add(all: &mut [u8; WORD], more: [u8; WORD]) {
    for index in 0..WORD {
        all[index] |= more[index];
    }
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

/// Which bytes of a word can't stand where they do, behind the word before it.
#[inline(always)]
fn wrong_after(word: u128, before: u128) -> [u8; WORD] {
    let behind =
        |count: usize| (word << (8 * count) | before >> 1 >> (127 - 8 * count)).to_le_bytes();
    wrong_bytes(&behind(0), &behind(1), &behind(2), &behind(3))
}

/// The same of the last word in a window.
#[inline(always)]
fn wrong_in(window: &[u8; WINDOW]) -> [u8; WORD] {
    let [_, _, _, word @ ..] = window;
    let [_, _, one_back @ .., _] = window;
    let [_, two_back @ .., _, _] = window;
    let [three_back @ .., _, _, _] = window;
    wrong_bytes(word, one_back, two_back, three_back)
}

/// Which bytes of a word can't stand where they do, behind those one to three back.
///
/// The loop has no branches and no reach beyond its index, so that the compiler makes it one pass of
/// the vector registers.
#[inline(always)]
fn wrong_bytes(
    word: &[u8; WORD],
    one_back: &[u8; WORD],
    two_back: &[u8; WORD],
    three_back: &[u8; WORD],
) -> [u8; WORD] {
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
