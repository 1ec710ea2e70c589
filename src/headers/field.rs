//! Header fields: what a name and a value may be made of, and an owned list of them.

use crate::buffer::WriteBuffer;
use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;
use thiserror::Error;

/// A header field that can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// A name that is not a token (RFC 9110 §5.1).
    #[error("header name {0:?} is not a token")]
    InvalidName(Box<str>),
    /// A value with a control character, such as those that end a line (RFC 9110 §5.5).
    #[error("value of header {name} contains the byte {byte:#04x}")]
    InvalidValue {
        /// The header's name.
        name: Box<str>,
        /// The first byte that may not stand there.
        byte: u8,
    },
    /// A header that the handshake itself sets.
    #[error("header {0} is the handshake's own to set")]
    Reserved(Box<str>),
}

/// Whether it is a token (RFC 9110 §5.6.2): visible ASCII without delimiters, not empty.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Without the white space around it (RFC 9110 §5.5).
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Checks a field that is to be sent and is none of `reserved`, so that nobody can smuggle in a
/// line of their own.
pub(crate) fn check_header(name: &str, value: &str, reserved: &[&str]) -> Result<(), HeaderError> {
    if !is_token(name.as_bytes()) {
        return Err(HeaderError::InvalidName(name.into()));
    }
    if reserved.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return Err(HeaderError::Reserved(name.into()));
    }
    match value.bytes().find(|byte| byte.is_ascii_control() && *byte != b'\t') {
        Some(byte) => Err(HeaderError::InvalidValue { name: name.into(), byte }),
        None => Ok(()),
    }
}

/// Appends one line of a head.
pub(crate) fn put_header(output: &mut WriteBuffer, name: &str, value: &[u8]) {
    for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
        output.extend_from_slice(piece);
    }
}

/// Header fields in their order, owned.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    names: String,
    values: Vec<u8>,
    /// Where the name and the value of each field end.
    ends: Vec<(usize, usize)>,
}

impl Fields {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut from = (0, 0);
        self.ends.iter().map(move |&to| {
            let field = (&self.names[from.0..to.0], &self.values[from.1..to.1]);
            from = to;
            field
        })
    }

    /// The values of a name, in order.
    pub(crate) fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn first(&self, name: &str) -> Option<&[u8]> {
        self.named(name).next()
    }

    /// The first value of a name, if it is text.
    pub(crate) fn first_text(&self, name: &str) -> Option<&str> {
        self.first(name).and_then(|value| core::str::from_utf8(value).ok())
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Fields {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(fields: I) -> Self {
        let mut all = Self::default();
        for (name, value) in fields {
            all.names.push_str(name);
            all.values.extend_from_slice(trim(value));
            all.ends.push((all.names.len(), all.values.len()));
        }
        all
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets: cookies, credentials.
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn tokens_are_visible_and_without_delimiters() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte);
            assert_eq!(is_token(&[b'a', byte]), expected, "{byte}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn trimming_takes_white_space_off_both_ends() {
        for (value, trimmed) in
            [("", ""), (" \t ", ""), ("a", "a"), ("\t a b \t", "a b"), ("\na\r", "\na\r")]
        {
            assert_eq!(trim(value.as_bytes()), trimmed.as_bytes());
        }
    }

    #[test]
    fn values_hold_no_control_but_tabs() {
        for byte in 0..=127 {
            let value = format!("a{}", char::from(byte));
            let expected = if byte == b'\t' || (32..127).contains(&byte) {
                Ok(())
            } else {
                Err(HeaderError::InvalidValue { name: "n".into(), byte })
            };
            assert_eq!(check_header("n", &value, &[]), expected);
        }
        assert_eq!(check_header("n", "\u{e4}", &["m"]), Ok(()));
    }

    #[test]
    fn fields_are_found_in_any_case_and_shown_without_their_values() {
        let fields: Fields =
            [("A", &b" 1"[..]), ("", b""), ("a", b"\xff"), ("B", b"")].into_iter().collect();
        assert!(fields.iter().eq([("A", &b"1"[..]), ("", b""), ("a", b"\xff"), ("B", b"")]));
        assert!(fields.named("a").eq([&b"1"[..], b"\xff"]));
        assert_eq!((fields.first("b"), fields.first("c")), (Some(&b""[..]), None));
        assert_eq!((fields.first_text("A"), fields.first_text("c")), (Some("1"), None));
        assert_eq!(format!("{fields:?}"), r#"["A", "", "a", "B"]"#);
    }
}
