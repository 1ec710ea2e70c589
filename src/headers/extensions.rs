//! Parsing of extension lists (RFC 6455 §9.1): `name; parameter; parameter=value, name`.

use super::field::is_token_byte;
use alloc::{borrow::Cow, string::String};
use thiserror::Error;

/// An error in the value of a `Sec-WebSocket-Extensions` header (RFC 6455 §9.1).
///
/// Positions are byte offsets into the value of one header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// A token is missing where an extension name, a parameter name or a parameter value must be.
    #[error("expected a token at byte {at}")]
    NoToken {
        /// The position.
        at: usize,
    },
    /// A name or value is followed by something other than a delimiter.
    #[error("expected a delimiter at byte {at}")]
    NoDelimiter {
        /// The position.
        at: usize,
    },
    /// A quoted string is not terminated.
    #[error("the quoted string that begins at byte {at} is not terminated")]
    OpenQuote {
        /// The position of the opening quote.
        at: usize,
    },
    /// A quoted string is not a token after unquoting.
    #[error("the quoted string that begins at byte {at} is not a token")]
    QuotedNonToken {
        /// The position of the opening quote.
        at: usize,
    },
    /// The list names no extension.
    #[error("the list of extensions is empty")]
    Empty,
}

/// The name of a parameter, and its value if it has one.
pub(crate) type Parameter<'a> = (&'a str, Option<Cow<'a, str>>);

/// A parser that reads one line of extensions from left to right.
///
/// Call [`next_extension`](Self::next_extension), then [`next_parameter`](Self::next_parameter)
/// until it returns `None`. The parser also checks parameters that you skip.
#[derive(Debug)]
pub(crate) struct ExtensionList<'a> {
    value: &'a [u8],
    at: usize,
    /// `true` once an extension name was read, so that parameters may follow.
    named: bool,
}

impl<'a> ExtensionList<'a> {
    pub(crate) fn new(value: &'a [u8]) -> Self {
        Self { value, at: 0, named: false }
    }

    /// Returns the name of the next extension, or `None` at the end of the line.
    pub(crate) fn next_extension(&mut self) -> Result<Option<&'a str>, ExtensionError> {
        while self.named && self.next_parameter()?.is_some() {}
        // Skip empty elements (RFC 9110 §5.6.1.2).
        while let Some(b' ' | b'\t' | b',') = self.peek() {
            self.at += 1;
        }
        if self.peek().is_none() {
            return Ok(None);
        }
        let name = self.token()?;
        self.named = true;
        self.end_part()?;
        Ok(Some(name))
    }

    /// Returns the next parameter of the current extension.
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

    /// Checks that a delimiter or the end of the line follows a name or value.
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

    /// Reads a quoted string (RFC 9110 §5.6.4), which must be a token after unquoting.
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec::Vec};

    /// Reads a whole line: names with their parameters.
    fn read(value: &str) -> Result<Vec<(&str, Vec<Parameter<'_>>)>, ExtensionError> {
        let mut list = ExtensionList::new(value.as_bytes());
        let mut extensions = Vec::new();
        while let Some(name) = list.next_extension()? {
            let mut parameters = Vec::new();
            while let Some(parameter) = list.next_parameter()? {
                parameters.push(parameter);
            }
            extensions.push((name, parameters));
        }
        Ok(extensions)
    }

    fn value(text: &str) -> Option<Cow<'_, str>> {
        Some(text.into())
    }

    #[test]
    fn reads_names_parameters_and_values() {
        let examples = [
            ("", Vec::new()),
            (" ,\t, ", Vec::new()),
            ("deflate-stream", Vec::from([("deflate-stream", Vec::new())])),
            (
                "mux; max-channels=4; flow-control, deflate-stream",
                Vec::from([
                    ("mux", Vec::from([("max-channels", value("4")), ("flow-control", None)])),
                    ("deflate-stream", Vec::new()),
                ]),
            ),
            (
                ",a ;b\t= \"1\\0\" ;b=x ,, a,",
                Vec::from([
                    ("a", Vec::from([("b", value("10")), ("b", value("x"))])),
                    ("a", Vec::new()),
                ]),
            ),
        ];
        for (text, expected) in examples {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn checks_skipped_parameters() {
        let names = |text: &'static str| {
            let mut list = ExtensionList::new(text.as_bytes());
            let mut names = Vec::new();
            while let Some(name) = list.next_extension()? {
                names.push(name);
            }
            Ok::<_, ExtensionError>(names)
        };
        assert_eq!(names("a; b; c=\"d\", e; f"), Ok(Vec::from(["a", "e"])));
        assert_eq!(names("a; b; c=\"d"), Err(ExtensionError::OpenQuote { at: 8 }));
    }

    #[test]
    fn reports_the_error_and_its_position() {
        use ExtensionError::{NoDelimiter, NoToken, OpenQuote, QuotedNonToken};
        for (text, error) in [
            (";a", NoToken { at: 0 }),
            ("a, ;b", NoToken { at: 3 }),
            ("a;", NoToken { at: 2 }),
            ("a;;b", NoToken { at: 2 }),
            ("a; =b", NoToken { at: 3 }),
            ("a; b=", NoToken { at: 5 }),
            ("a; b=,", NoToken { at: 5 }),
            ("\"a\"", NoToken { at: 0 }),
            ("\u{e4}", NoToken { at: 0 }),
            ("a b", NoDelimiter { at: 2 }),
            ("a=b", NoDelimiter { at: 1 }),
            ("a; b=c d", NoDelimiter { at: 7 }),
            ("a; b=\"c\"d", NoDelimiter { at: 8 }),
            ("a; b=c\"", NoDelimiter { at: 6 }),
            ("a; b=\"c", OpenQuote { at: 5 }),
            ("a; b=\"", OpenQuote { at: 5 }),
            ("a; b=\"c\\", OpenQuote { at: 5 }),
            ("a; b=\"c\\\"", QuotedNonToken { at: 5 }),
            ("a; b=\"\"", QuotedNonToken { at: 5 }),
            ("a; b=\"c,d\"", QuotedNonToken { at: 5 }),
            ("a; b=\" c\"", QuotedNonToken { at: 5 }),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }

    #[test]
    fn reads_long_lines_in_one_pass() {
        let long = 1 << 20;
        for (start, filler) in [
            ("", ","),
            ("a", ";"),
            ("a;b=\"", "\\"),
            ("a;b=\"", "c"),
            ("", "a,"),
            ("a", ";b"),
            ("a", ";b=\"c\""),
            ("a;b=\"", "\\c"),
            ("a", " "),
            ("", "\""),
        ] {
            // Success and failure are both fine, as long as the parser finishes in time.
            drop(read(&format!("{start}{}", filler.repeat(long / filler.len()))));
        }
    }
}
