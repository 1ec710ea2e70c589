//! Header fields: the characters allowed in names and values, and an owned list of fields.

use crate::buffer::WriteBuffer;
use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;
use thiserror::Error;

/// An error in a header field to send.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is not a token (RFC 9110 §5.1).
    #[error("header name {0:?} is not a token")]
    InvalidName(Box<str>),
    /// The value contains a control character, such as a line break (RFC 9110 §5.5).
    #[error("value of header {name} contains the byte {byte:#04x}")]
    InvalidValue {
        /// The header's name.
        name: Box<str>,
        /// The first invalid byte.
        byte: u8,
    },
    /// Only the handshake itself can set this header.
    #[error("the handshake itself sets the header {0}: use the setting made for it")]
    Reserved(Box<str>),
}

/// Returns `true` for a token (RFC 9110 §5.6.2): visible ASCII without delimiters, not empty.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Trims spaces and tabs from both ends (RFC 9110 §5.5).
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Checks a field to send, which must not be in `reserved`. This prevents header injection.
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

/// Appends one header line.
pub(crate) fn put_header(output: &mut WriteBuffer, name: &str, value: &[u8]) {
    for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
        output.extend_from_slice(piece);
    }
}

/// An owned list of header fields, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    names: String,
    values: Vec<u8>,
    /// The end of each field's name in `names` and of its value in `values`.
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

    /// Iterates over the values of all fields with this name, in order.
    pub(crate) fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn first(&self, name: &str) -> Option<&[u8]> {
        self.named(name).next()
    }

    /// Returns the first value of the field with this name, if it is valid UTF-8.
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
        // Hide the values: they may be secrets, such as cookies or credentials.
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn tokens_are_visible_ascii_without_delimiters() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte);
            assert_eq!(is_token(&[b'a', byte]), expected, "{byte}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn trims_white_space_from_both_ends() {
        for (value, trimmed) in
            [("", ""), (" \t ", ""), ("a", "a"), ("\t a b \t", "a b"), ("\na\r", "\na\r")]
        {
            assert_eq!(trim(value.as_bytes()), trimmed.as_bytes());
        }
    }

    #[test]
    fn values_contain_no_control_character_but_tab() {
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
    fn finds_fields_in_any_case_and_hides_values_in_debug_output() {
        let fields: Fields =
            [("A", &b" 1"[..]), ("", b""), ("a", b"\xff"), ("B", b"")].into_iter().collect();
        assert!(fields.iter().eq([("A", &b"1"[..]), ("", b""), ("a", b"\xff"), ("B", b"")]));
        assert!(fields.named("a").eq([&b"1"[..], b"\xff"]));
        assert_eq!((fields.first("b"), fields.first("c")), (Some(&b""[..]), None));
        assert_eq!((fields.first_text("A"), fields.first_text("c")), (Some("1"), None));
        assert_eq!(format!("{fields:?}"), r#"["A", "", "a", "B"]"#);
    }
}
