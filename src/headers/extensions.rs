//! Lists of extensions (RFC 6455 §9.1): `name; parameter; parameter=value, name`.

use super::field::is_token_byte;
use alloc::{borrow::Cow, string::String};
use thiserror::Error;

/// A `Sec-WebSocket-Extensions` header that is not of its form (RFC 6455 §9.1).
///
/// Positions count bytes of the header's value, on the one line in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// No token where the name of an extension, the name of a parameter or its value must be.
    #[error("no token at byte {at}")]
    NoToken {
        /// Where.
        at: usize,
    },
    /// Something other than a delimiter behind a name or a value.
    #[error("no delimiter at byte {at}")]
    NoDelimiter {
        /// Where.
        at: usize,
    },
    /// A quoted string without an end.
    #[error("the quotation that begins at byte {at} does not end")]
    OpenQuote {
        /// Where it begins.
        at: usize,
    },
    /// A quoted string that is no token once unquoted.
    #[error("the quotation that begins at byte {at} is not of a token")]
    QuotedNonToken {
        /// Where it begins.
        at: usize,
    },
    /// No extension at all.
    #[error("no extension is named")]
    Empty,
}

/// A parameter's name, and its value if it has one.
pub(crate) type Parameter<'a> = (&'a str, Option<Cow<'a, str>>);

/// Reads one line of extensions from left to right.
///
/// Call [`next_extension`](Self::next_extension), then [`next_parameter`](Self::next_parameter)
/// until there is none; what was not asked for of an extension is checked all the same.
#[derive(Debug)]
pub(crate) struct ExtensionList<'a> {
    value: &'a [u8],
    at: usize,
    named: bool,
}

impl<'a> ExtensionList<'a> {
    pub(crate) fn new(value: &'a [u8]) -> Self {
        Self { value, at: 0, named: false }
    }

    /// Whether all of the line is of the form.
    pub(crate) fn check(value: &'a [u8]) -> Result<(), ExtensionError> {
        let mut list = Self::new(value);
        while list.next_extension()?.is_some() {}
        Ok(())
    }

    /// The name of the next extension.
    pub(crate) fn next_extension(&mut self) -> Result<Option<&'a str>, ExtensionError> {
        while self.next_parameter()?.is_some() {}
        // Empty elements are passed over (RFC 9110 §5.6.1.2).
        while let Some(b' ' | b'\t' | b',') = self.peek() {
            self.at += 1;
        }
        if self.peek().is_none() {
            return if self.named { Ok(None) } else { Err(ExtensionError::Empty) };
        }
        let name = self.token()?;
        self.named = true;
        self.end_part()?;
        Ok(Some(name))
    }

    /// The next parameter of the extension that was named last.
    pub(crate) fn next_parameter(&mut self) -> Result<Option<Parameter<'a>>, ExtensionError> {
        if self.peek() != Some(b';') {
            return Ok(None);
        }
        self.at += 1;
        self.skip_space();
        let name = self.token()?;
        self.skip_space();
        let mut value = None;
        if self.peek() == Some(b'=') {
            self.at += 1;
            self.skip_space();
            value = Some(if self.peek() == Some(b'"') {
                self.quoted()?
            } else {
                Cow::Borrowed(self.token()?)
            });
        }
        self.end_part()?;
        Ok(Some((name, value)))
    }

    fn peek(&self) -> Option<u8> {
        self.value.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// A name or value is followed by a delimiter or nothing.
    fn end_part(&mut self) -> Result<(), ExtensionError> {
        self.skip_space();
        match self.peek() {
            None | Some(b',' | b';') => Ok(()),
            Some(_) => Err(ExtensionError::NoDelimiter { at: self.at }),
        }
    }

    fn token(&mut self) -> Result<&'a str, ExtensionError> {
        let rest = &self.value[self.at..];
        let len = rest.iter().take_while(|&&byte| is_token_byte(byte)).count();
        match core::str::from_utf8(&rest[..len]) {
            Ok(token) if len > 0 => {
                self.at += len;
                Ok(token)
            }
            _ => Err(ExtensionError::NoToken { at: self.at }),
        }
    }

    /// A quoted string (RFC 9110 §5.6.4), which has to be a token once unquoted.
    fn quoted(&mut self) -> Result<Cow<'a, str>, ExtensionError> {
        let start = self.at;
        let mut text = String::new();
        loop {
            self.at += 1;
            let mut byte = self.peek();
            if byte == Some(b'"') {
                break;
            }
            if byte == Some(b'\\') {
                self.at += 1;
                byte = self.peek();
            }
            match byte {
                Some(byte) if is_token_byte(byte) => text.push(char::from(byte)),
                Some(_) => return Err(ExtensionError::QuotedNonToken { at: start }),
                None => return Err(ExtensionError::OpenQuote { at: start }),
            }
        }
        self.at += 1;
        if text.is_empty() {
            return Err(ExtensionError::QuotedNonToken { at: start });
        }
        Ok(Cow::Owned(text))
    }
}
