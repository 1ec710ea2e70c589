//! UTF-8 validation. Each byte is validated once, although text arrives split at any byte.
//!
//! This is the only module of the crate that creates a `&str` without checking its bytes again.
//! Therefore the types that own validated bytes are also here: `Text` and the storage of the read
//! buffer.

mod ascii;
mod cut;
#[cfg(feature = "alloc")]
mod owned;
mod word;

#[cfg(feature = "alloc")]
pub use owned::Text;
#[cfg(feature = "alloc")]
pub(crate) use owned::Utf8Storage;

use self::cut::{ends_whole, incomplete_suffix};
use thiserror::Error;

/// The error for bytes that no continuation can make valid UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("byte {valid_up_to} is not valid UTF-8")]
pub struct Utf8Error {
    valid_up_to: usize,
}

impl Utf8Error {
    /// Returns the number of valid bytes before the first invalid sequence.
    #[must_use]
    pub const fn valid_up_to(&self) -> usize {
        self.valid_up_to
    }
}

/// Validates bytes that may end inside a character, and returns the length of their longest prefix
/// of complete characters.
///
/// The bytes after that prefix, at most three, may be the start of a character. Validate them again
/// together with the bytes that follow.
///
/// # Errors
///
/// Returns an error as soon as no continuation can make the bytes valid, that is, at the first
/// invalid byte.
///
/// ```
/// use sansocket::utf8::validate_utf8_prefix;
///
/// assert_eq!(validate_utf8_prefix("καλ".as_bytes()), Ok(6));
/// assert_eq!(validate_utf8_prefix(&"καλ".as_bytes()[..5]), Ok(4));
/// assert!(validate_utf8_prefix(b"\xce\xba\xed\xa0").is_err()); // A surrogate, detected early.
/// ```
#[inline]
pub fn validate_utf8_prefix(bytes: &[u8]) -> Result<usize, Utf8Error> {
    if bytes.len() < BLOCK {
        return validate_short(bytes);
    }
    // Usually all bytes are valid, and then no further check is needed.
    if bytes.len() <= MEDIUM {
        if is_ascii_sample(bytes.first_chunk()) && is_medium_ascii(bytes)
            || simdutf8::basic::from_utf8(bytes).is_ok()
        {
            return Ok(bytes.len());
        }
    } else if let Some(blocks) = blocks_to_validate(bytes) {
        if simdutf8::basic::from_utf8(blocks).is_ok() {
            return Ok(bytes.len());
        }
    }
    validate_cut(bytes)
}

/// The block size of simdutf8, which leaves shorter input to the standard library.
const BLOCK: usize = 64;

/// Up to this length, the compiler's vector code recognises ASCII faster than a call to simdutf8
/// with its wider vectors. Up to this length it is also cheaper to validate twice if a character is
/// cut off than to look for a cut first.
const MEDIUM: usize = 512;

/// Not inlined, to leave the registers to the receive path.
#[inline(never)]
fn is_medium_ascii(bytes: &[u8]) -> bool {
    ascii::is_ascii(bytes)
}

/// Returns the part of long input that decides whether all of it is valid, or `None` if a character
/// is cut off.
#[inline(always)]
fn blocks_to_validate(bytes: &[u8]) -> Option<&[u8]> {
    let behind_blocks = bytes.len() % BLOCK;
    // simdutf8 copies an incomplete last block, so leave that block out if the end is ASCII. The
    // cut then falls between ASCII bytes, never inside a character.
    if behind_blocks > 0 && ascii::ends_ascii::<BLOCK>(bytes) {
        return bytes.get(..bytes.len() - behind_blocks);
    }
    (is_ascii_sample(bytes.last_chunk()) || ends_whole(bytes)).then_some(bytes)
}

/// Checks a few bytes to predict whether a check of all bytes for ASCII is worthwhile. Text that is
/// not ASCII should not become slower because of it.
#[inline(always)]
fn is_ascii_sample(bytes: Option<&[u8; 8]>) -> bool {
    bytes.is_some_and(|bytes| u64::from_ne_bytes(*bytes) & 0x8080_8080_8080_8080 == 0)
}

#[inline(never)]
fn validate_short(bytes: &[u8]) -> Result<usize, Utf8Error> {
    if is_short_text(bytes) { Ok(bytes.len()) } else { validate_cut(bytes) }
}

/// Validates bytes that are invalid or end inside a character.
#[inline(never)]
fn validate_cut(bytes: &[u8]) -> Result<usize, Utf8Error> {
    let complete = bytes.len() - incomplete_suffix(bytes);
    let (whole, rest) = bytes.split_at(complete);
    if !is_text(whole) {
        return Err(locate(whole));
    }
    // Report a sequence that can't become a character before the rest of it arrives.
    match core::str::from_utf8(rest) {
        Err(error) if error.error_len().is_some() => Err(Utf8Error { valid_up_to: complete }),
        _ => Ok(complete),
    }
}

fn is_text(bytes: &[u8]) -> bool {
    if bytes.len() < BLOCK {
        is_short_text(bytes)
    } else {
        simdutf8::basic::from_utf8(bytes).is_ok()
    }
}

#[inline(always)]
fn is_short_text(bytes: &[u8]) -> bool {
    if word::IS_QUICK {
        return word::is_text(bytes);
    }
    bytes.is_ascii() || core::str::from_utf8(bytes).is_ok()
}

/// Returns the position of the first invalid byte in `bytes`, which do not end inside a character.
#[cold]
fn locate(bytes: &[u8]) -> Utf8Error {
    let valid_up_to = core::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len);
    Utf8Error { valid_up_to }
}

/// # Safety
///
/// `bytes` must be valid UTF-8.
#[cfg(feature = "alloc")]
unsafe fn validated(bytes: &[u8]) -> &str {
    debug_assert!(core::str::from_utf8(bytes).is_ok());
    // SAFETY: the caller guarantees that the bytes are valid UTF-8.
    unsafe { core::str::from_utf8_unchecked(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the expected result, computed with `std`.
    fn expected(bytes: &[u8]) -> Result<usize, Utf8Error> {
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(text.len()),
            Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
            Err(error) => Err(Utf8Error { valid_up_to: error.valid_up_to() }),
        }
    }

    #[test]
    fn agrees_with_std_on_every_pattern_of_boundary_bytes() {
        let edges = [
            0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
            0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff,
        ];
        let mut bytes = [0; 4];
        for len in 1..=4 {
            for mut pattern in 0..edges.len().pow(len as u32) {
                for byte in &mut bytes[..len] {
                    *byte = edges[pattern % edges.len()];
                    pattern /= edges.len();
                }
                let pattern = &bytes[..len];
                agrees_with_std(pattern);
                // At the end of a word and across it, last in the text or followed by other bytes.
                for (text, end) in [(16, 16), (16, 15), (18, 18), (18, 17), (40, 18), (40, 34)] {
                    let mut padded = [b'a'; 40];
                    padded[end - len..end].copy_from_slice(pattern);
                    agrees_with_std(&padded[..text]);
                }
            }
        }
    }

    fn agrees_with_std(bytes: &[u8]) {
        assert_eq!(validate_utf8_prefix(bytes), expected(bytes), "{bytes:x?}");
    }

    /// Checks every length up to more than a block, starting and ending inside characters or not.
    /// Then replaces each byte with one that is invalid, starts a character or continues one.
    #[test]
    fn agrees_with_std_on_every_piece_of_short_text() {
        let text = "aβ漢🌍 ".repeat(9).into_bytes();
        for start in 0..11 {
            for len in 0..=BLOCK + 4 {
                let mut bytes = [0; BLOCK + 4];
                let piece = &mut bytes[..len];
                piece.copy_from_slice(&text[start..start + len]);
                agrees_with_std(piece);
                for at in 0..len {
                    for other in [0x80, 0xc3, 0xe6, 0xf0, 0xff] {
                        let good = core::mem::replace(&mut piece[at], other);
                        agrees_with_std(piece);
                        piece[at] = good;
                    }
                }
            }
        }
    }

    /// Checks lengths around those where the code path changes. Replaces each byte with one that is
    /// invalid, starts a character or continues one, and with whole characters that may be cut off.
    #[test]
    fn agrees_with_std_on_text_that_is_mostly_ascii() {
        let about = |len: usize| len - 1..=len + 1;
        let lens = (0..=2 * BLOCK + 2).chain(about(4 * BLOCK)).chain(about(MEDIUM));
        for len in lens.chain(about(MEDIUM + BLOCK)).chain([MEDIUM + 2 * BLOCK - 1]) {
            let ascii = [b'a'; MEDIUM + 2 * BLOCK];
            let ascii = &ascii[..len];
            agrees_with_std(ascii);
            for at in 0..len {
                for other in ["\u{80}", "漢", "🌍"].map(str::as_bytes).iter().chain(&[
                    &b"\x80"[..],
                    b"\xc3",
                    b"\xe6",
                    b"\xf0",
                    b"\xff",
                ]) {
                    let mut bytes = [b'a'; MEDIUM + 2 * BLOCK];
                    let count = other.len().min(len - at);
                    bytes[at..at + count].copy_from_slice(&other[..count]);
                    agrees_with_std(&bytes[..len]);
                }
            }
        }
    }

    #[test]
    fn agrees_with_std_at_every_cut_of_long_text() {
        let text = "κόσμε, 世界 🌍 and plain ASCII that is longer than one vector; ".repeat(10);
        let mut bytes = text.into_bytes();
        for cut in 0..=bytes.len() {
            assert_eq!(validate_utf8_prefix(&bytes[..cut]), expected(&bytes[..cut]));
        }
        for bad in 0..bytes.len() {
            let good = core::mem::replace(&mut bytes[bad], 0xff);
            assert_eq!(validate_utf8_prefix(&bytes), expected(&bytes), "bad byte at {bad}");
            bytes[bad] = good;
        }
    }
}
