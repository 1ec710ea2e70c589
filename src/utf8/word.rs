//! UTF-8 validation one vector register at a time, which takes the same time for any text.
//!
//! The standard library goes character by character, and each unexpected character length costs it
//! as much as ten bytes. simdutf8 does not use vectors for text this short.
//!
//! The functions that build or read a word are inlined, so that it stays in registers.

use super::ascii::{self, BEYOND_ASCII};
use super::cut::ends_whole;

/// The number of bytes processed together: the size of the narrowest vector registers.
pub(super) const WORD: usize = 16;

/// How many bytes before a byte its character can start.
const REACH: usize = 3;

/// A word and the bytes needed before it.
const WINDOW: usize = WORD + REACH;

/// `false` without vector registers: this code is then many times slower than the standard library.
pub(super) const IS_QUICK: bool =
    cfg!(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"));

/// Returns `true` if all bytes are complete, valid characters.
#[inline(always)]
pub(super) fn is_text(bytes: &[u8]) -> bool {
    if bytes.len() > WORD {
        return ascii::is_ascii(bytes) || is_text_of_words(bytes);
    }
    let word = load(bytes);
    if word & BEYOND_ASCII == 0 || bytes.len() <= 4 && is_one_character(word) {
        return true;
    }
    // The zeros after the bytes end a cut-off character, just as other ASCII would.
    wrong_after(word, 0) == [0; WORD] && (bytes.len() < WORD || ends_whole(bytes))
}

/// Returns `true` if the text is one three-byte character, optionally followed by one ASCII byte.
/// A message with a single CJK character is like this, and is too short for vectors.
#[inline(always)]
fn is_one_character(word: u128) -> bool {
    if word & 0x80c0_c0f0 != 0x0080_80e0 {
        return false;
    }
    // RFC 3629 §3, §4: no overlong forms, no surrogates.
    !matches!(word & 0x200f, 0 | 0x200d)
}

/// Validates more than one word.
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

/// Loads up to a word of bytes as a little-endian number, in a few wide, overlapping reads.
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

/// Returns the bytes of `word` that are invalid after the word `before`, as non-zero entries.
#[inline(always)]
fn wrong_after(word: u128, before: u128) -> [u8; WORD] {
    let behind =
        |count: usize| (word << (8 * count) | before >> 1 >> (127 - 8 * count)).to_le_bytes();
    wrong_bytes(&behind(0), &behind(1), &behind(2), &behind(3))
}

/// Like [`wrong_after`], for the last word of a window.
#[inline(always)]
fn wrong_in(window: &[u8; WINDOW]) -> [u8; WORD] {
    let [_, _, _, word @ ..] = window;
    let [_, _, one_back @ .., _] = window;
    let [_, two_back @ .., _, _] = window;
    let [three_back @ .., _, _, _] = window;
    wrong_bytes(word, one_back, two_back, three_back)
}

/// Returns the bytes of `word` that are invalid after the bytes one to three positions before them.
///
/// The loop has no branches and accesses nothing but its index, so that the compiler turns it into
/// one pass over vector registers.
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
        // A byte must be a continuation byte exactly if one of the three before it starts a
        // character that is long enough.
        let is_due = previous.saturating_sub(0xbf)
            | two_back[index].saturating_sub(0xdf)
            | three_back[index].saturating_sub(0xef);
        let goes_on = is_below(byte, 0xc0);
        // RFC 3629 §3, §4: no overlong forms, no surrogates, nothing above U+10FFFF.
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

/// Returns `true` if a continuation byte is less than `other`. Returns `false` for ASCII. A signed
/// comparison takes one instruction.
#[inline(always)]
fn is_below(byte: u8, other: u8) -> bool {
    (byte as i8) < (other as i8)
}
