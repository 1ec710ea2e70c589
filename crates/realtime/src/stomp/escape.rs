//! Escapes in header names and values (1.1 and 1.2 §Value Encoding).

use super::version::Version;
use alloc::{borrow::Cow, string::String, vec::Vec};

/// How the headers of a frame are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// As they are: in 1.0, and in CONNECT and CONNECTED.
    None,
    /// `\n`, `\c` and `\\`.
    V1_1,
    /// Also `\r`.
    V1_2,
}

impl Escapes {
    /// Returns the escapes of a version. `is_escaped` is `false` for the frames that have none.
    pub(super) const fn new(version: Version, is_escaped: bool) -> Self {
        match version {
            Version::V1_1 if is_escaped => Self::V1_1,
            Version::V1_2 if is_escaped => Self::V1_2,
            _ => Self::None,
        }
    }

    /// Returns the octet that a backslash and `letter` stand for.
    const fn octet(self, letter: u8) -> Option<u8> {
        match (self, letter) {
            (Self::None, _) => None,
            (Self::V1_2, b'r') => Some(b'\r'),
            (_, b'n') => Some(b'\n'),
            (_, b'c') => Some(b':'),
            (_, b'\\') => Some(b'\\'),
            _ => None,
        }
    }

    /// Checks that every backslash begins an escape. An undefined escape is fatal.
    pub(super) fn are_valid_in(self, line: &[u8]) -> bool {
        if self == Self::None || !line.contains(&b'\\') {
            return true;
        }
        let mut bytes = line.iter();
        while bytes.by_ref().any(|byte| *byte == b'\\') {
            // The escape of a backslash consumes it, so it doesn't begin another one.
            if bytes.next().is_none_or(|letter| self.octet(*letter).is_none()) {
                return false;
            }
        }
        true
    }

    /// Replaces the escapes in a text where [`are_valid_in`](Self::are_valid_in) holds.
    pub(super) fn unescape(self, text: &str) -> Cow<'_, str> {
        if self == Self::None || !text.contains('\\') {
            return Cow::Borrowed(text);
        }
        let mut unescaped = String::with_capacity(text.len());
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let escaped = if character == '\\' { characters.next() } else { None };
            let octet = escaped.and_then(|letter| self.octet(u8::try_from(letter).ok()?));
            unescaped.push(octet.map_or(character, char::from));
        }
        Cow::Owned(unescaped)
    }

    /// Appends a text to `out`.
    ///
    /// # Errors
    ///
    /// Returns the octet that can't be written: NUL and, where they have no escape, CR, LF and, in a
    /// name, the colon. Then a part of the text has been appended.
    pub(super) fn escape(self, text: &str, is_name: bool, out: &mut Vec<u8>) -> Result<(), u8> {
        let mut rest = text.as_bytes();
        while let Some(at) =
            rest.iter().position(|byte| matches!(byte, 0 | b'\n' | b'\r' | b':' | b'\\'))
        {
            let octet = rest[at];
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            match self.letter(octet) {
                Some(letter) => out.extend_from_slice(&[b'\\', letter]),
                None if octet == b'\\' || (octet == b':' && !is_name) => out.push(octet),
                None => return Err(octet),
            }
        }
        out.extend_from_slice(rest);
        Ok(())
    }

    /// Returns the letter whose escape stands for an octet: the inverse of [`octet`](Self::octet).
    fn letter(self, octet: u8) -> Option<u8> {
        [b'r', b'n', b'c', b'\\'].into_iter().find(|letter| self.octet(*letter) == Some(octet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_escapes() {
        for (escapes, valid) in
            [(Escapes::None, &b""[..]), (Escapes::V1_1, b"nc\\"), (Escapes::V1_2, b"rnc\\")]
        {
            for letter in 0..=u8::MAX {
                let is_valid = escapes == Escapes::None || valid.contains(&letter);
                assert_eq!(
                    escapes.are_valid_in(&[b'\\', letter]),
                    is_valid,
                    "{escapes:?} {letter}"
                );
                assert_eq!(escapes.octet(letter).is_some(), valid.contains(&letter));
            }
            assert_eq!(escapes.are_valid_in(b"a\\"), escapes == Escapes::None);
        }
    }

    #[test]
    fn a_backslash_is_no_part_of_two_escapes() {
        assert_eq!(Escapes::V1_2.unescape("\\\\n"), "\\n");
        assert_eq!(Escapes::V1_2.unescape("\\\\\\n"), "\\\n");
        assert!(!Escapes::V1_2.are_valid_in(b"\\\\\\"));
        assert_eq!(Escapes::None.unescape("\\n"), "\\n");
    }

    #[test]
    fn what_has_no_escape_is_not_written() {
        for (escapes, is_name, refused) in [
            (Escapes::None, true, &[0, b'\n', b'\r', b':'][..]),
            (Escapes::None, false, &[0, b'\n', b'\r']),
            (Escapes::V1_1, true, &[0, b'\r']),
            (Escapes::V1_1, false, &[0, b'\r']),
            (Escapes::V1_2, true, &[0]),
            (Escapes::V1_2, false, &[0]),
        ] {
            for octet in 0..128 {
                let text = String::from_iter(['a', char::from(octet), 'b']);
                let mut out = Vec::new();
                let outcome = escapes.escape(&text, is_name, &mut out);
                assert_eq!(outcome, if refused.contains(&octet) { Err(octet) } else { Ok(()) });
                if outcome.is_ok() {
                    let written = String::from_utf8(out).unwrap();
                    assert!(escapes.are_valid_in(written.as_bytes()));
                    assert_eq!(escapes.unescape(&written), text);
                }
            }
        }
    }
}
