//! UTF-8, validated once and incrementally: text arrives cut at any byte.
//!
//! This is the one place of the crate that makes a `&str` without looking at its bytes again. Who owns
//! such bytes is in here because of that: [`Text`], and the storage of the read buffer.

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

/// Bytes that can't be part of any UTF-8 text, whatever follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("byte {valid_up_to} is not valid UTF-8")]
pub struct Utf8Error {
    valid_up_to: usize,
}

impl Utf8Error {
    /// How many bytes before the offending sequence are valid.
    #[must_use]
    pub const fn valid_up_to(&self) -> usize {
        self.valid_up_to
    }
}

/// Checks bytes that may end amid a character, and returns the length of their longest prefix of
/// whole characters.
///
/// The bytes past it, at most three, may still become a character: validate them again together
/// with what follows.
///
/// # Errors
///
/// As soon as no continuation could make the bytes valid, thus on the first bad byte itself.
///
/// ```
/// use sansocket::validate_utf8_prefix;
///
/// assert_eq!(validate_utf8_prefix("καλ".as_bytes()), Ok(6));
/// assert_eq!(validate_utf8_prefix(&"καλ".as_bytes()[..5]), Ok(4));
/// assert!(validate_utf8_prefix(b"\xce\xba\xed\xa0").is_err()); // A surrogate, recognised early.
/// ```
#[inline]
pub fn validate_utf8_prefix(bytes: &[u8]) -> Result<usize, Utf8Error> {
    if bytes.len() < BLOCK {
        return validate_short(bytes);
    }
    // Mostly all of it is text, and then nothing else need be asked of it.
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

/// What simdutf8 works on at once; anything shorter it leaves to the standard library.
const BLOCK: usize = 64;

/// Up to this length the compiler's vectors find out that text is ASCII before simdutf8, whose are
/// wider, is even called; and to validate text a second time, if it is cut, is cheaper than to look
/// first.
const MEDIUM: usize = 512;

/// Not inlined, so that whoever receives has the registers for itself.
#[inline(never)]
fn is_medium_ascii(bytes: &[u8]) -> bool {
    ascii::is_ascii(bytes)
}

/// The part of long bytes on which it depends whether all are text. None if a character is cut off.
#[inline(always)]
fn blocks_to_validate(bytes: &[u8]) -> Option<&[u8]> {
    let behind_blocks = bytes.len() % BLOCK;
    // What is no block simdutf8 copies first. In front of ASCII no character can be cut off.
    if behind_blocks > 0 && ascii::ends_ascii::<BLOCK>(bytes) {
        return bytes.get(..bytes.len() - behind_blocks);
    }
    (is_ascii_sample(bytes.last_chunk()) || ends_whole(bytes)).then_some(bytes)
}

/// A look at few bytes that says whether the question for more of them is likely to pay. Text that is
/// not ASCII should not be slower for it.
#[inline(always)]
fn is_ascii_sample(bytes: Option<&[u8; 8]>) -> bool {
    bytes.is_some_and(|bytes| u64::from_ne_bytes(*bytes) & 0x8080_8080_8080_8080 == 0)
}

#[inline(never)]
fn validate_short(bytes: &[u8]) -> Result<usize, Utf8Error> {
    if is_short_text(bytes) { Ok(bytes.len()) } else { validate_cut(bytes) }
}

/// For bytes that are not whole characters.
#[inline(never)]
fn validate_cut(bytes: &[u8]) -> Result<usize, Utf8Error> {
    let complete = bytes.len() - incomplete_suffix(bytes);
    let (whole, rest) = bytes.split_at(complete);
    if !is_text(whole) {
        return Err(locate(whole));
    }
    // What can't become a character is an error before the rest of it is there.
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

/// Where bytes that are not valid, and not to be continued, cease to be so.
#[cold]
fn locate(bytes: &[u8]) -> Utf8Error {
    let valid_up_to = core::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len);
    Utf8Error { valid_up_to }
}

/// # Safety
///
/// `bytes` are valid UTF-8.
#[cfg(feature = "alloc")]
unsafe fn validated(bytes: &[u8]) -> &str {
    debug_assert!(core::str::from_utf8(bytes).is_ok());
    // SAFETY: the caller's promise is the function's own requirement.
    unsafe { core::str::from_utf8_unchecked(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by std, on all prefixes: what the first `n` bytes alone say.
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
                // At the end of a word and over it, the last in the text or followed by others.
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

    /// Every length up to more than a block, begun and ended amid characters or not, whole and with
    /// each of its bytes made one that breaks off, begins or goes on with a character.
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

    /// Lengths about all those where another way is taken, with each byte made one that breaks off,
    /// begins or goes on with a character, and with a character that may be cut off at the end.
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
