//! What clients send: JSON arrays of strings (RFC 8259).

use super::config::Config;
use alloc::{string::String, vec::Vec};

/// Why a payload of a client holds no messages. It is the client's fault, and the same payload fails
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The body is empty. Even no messages are an array.
    #[error("the client sent an empty body")]
    Empty,
    /// The payload is not a JSON array of strings in UTF-8.
    #[error("the client sent no JSON array of strings: byte {at} is another, or is missing")]
    BrokenJson {
        /// The position of the first byte that can't be there, or the length of a payload that ends
        /// too early.
        at: usize,
    },
    /// The payload is longer than [`Config::payload_bytes`].
    #[error("the client sent {bytes} bytes, more than the {limit} that are allowed")]
    TooLong {
        /// The length of the payload in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The payload has more messages than [`Config::payload_messages`].
    #[error("the client sent more than the {limit} messages that are allowed at once")]
    TooManyMessages {
        /// The limit.
        limit: usize,
    },
}

/// Parses the body of `xhr_send`: an array of strings.
///
/// Nothing may follow the array except white space. A surrogate that is escaped alone becomes U+FFFD:
/// strings of JavaScript can contain one, and its clients send it like any other text.
pub(super) fn parse_body(body: &[u8], config: &Config) -> Result<Vec<String>, PayloadError> {
    if body.is_empty() {
        return Err(PayloadError::Empty);
    }
    check_length(body, config)?;
    // Text in JSON is UTF-8 (RFC 8259 §8.1).
    let text = core::str::from_utf8(body)
        .map_err(|error| PayloadError::BrokenJson { at: error.valid_up_to() })?;
    Reader::new(text, config).array()
}

/// Parses a message of a WebSocket: an array of strings, or one string. An empty one has no messages.
pub(super) fn parse_text(text: &str, config: &Config) -> Result<Vec<String>, PayloadError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    check_length(text.as_bytes(), config)?;
    let mut reader = Reader::new(text, config);
    if reader.peek_token() == Some(b'"') { reader.one_string() } else { reader.array() }
}

fn check_length(payload: &[u8], config: &Config) -> Result<(), PayloadError> {
    let (bytes, limit) = (payload.len(), config.payload_bytes);
    if bytes > limit { Err(PayloadError::TooLong { bytes, limit }) } else { Ok(()) }
}

/// The place that parsing has reached in a payload.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// The most strings. An empty one costs its sender three bytes, and us a `String`. There is no
    /// limit on their bytes, because no string is longer than its JSON.
    limit: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, config: &Config) -> Self {
        Self { text, at: 0, limit: config.payload_messages }
    }

    fn array(mut self) -> Result<Vec<String>, PayloadError> {
        let mut strings = Vec::new();
        self.expect(b'[')?;
        if self.peek_token() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.string_into(&mut strings)?;
                if self.peek_token() == Some(b']') {
                    self.at += 1;
                    break;
                }
                self.expect(b',')?;
            }
        }
        self.end()?;
        Ok(strings)
    }

    fn one_string(mut self) -> Result<Vec<String>, PayloadError> {
        let mut strings = Vec::new();
        self.string_into(&mut strings)?;
        self.end()?;
        Ok(strings)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space (RFC 8259 §2), and returns the byte behind it.
    fn peek_token(&mut self) -> Option<u8> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.peek()
    }

    fn expect(&mut self, token: u8) -> Result<(), PayloadError> {
        if self.peek_token() != Some(token) {
            return Err(self.broken());
        }
        self.at += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), PayloadError> {
        if self.peek_token().is_some() { Err(self.broken()) } else { Ok(()) }
    }

    const fn broken(&self) -> PayloadError {
        PayloadError::BrokenJson { at: self.at }
    }

    fn string_into(&mut self, strings: &mut Vec<String>) -> Result<(), PayloadError> {
        self.expect(b'"')?;
        if strings.len() >= self.limit {
            return Err(PayloadError::TooManyMessages { limit: self.limit });
        }
        let string = self.rest_of_string()?;
        strings.push(string);
        Ok(())
    }

    fn rest_of_string(&mut self) -> Result<String, PayloadError> {
        let mut string = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let is_plain = |byte: u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
            let length = rest.bytes().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
            string.push_str(rest.get(..length).unwrap_or_default());
            self.at += length;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => {
                    self.at += 1;
                    string.push(self.escaped()?);
                }
                // The end, or a control character, which has to be escaped (RFC 8259 §7).
                _ => return Err(self.broken()),
            }
        }
    }

    /// Reads what stands behind a reverse solidus (RFC 8259 §7).
    fn escaped(&mut self) -> Result<char, PayloadError> {
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.escaped_code_point();
            }
            _ => return Err(self.broken()),
        };
        self.at += 1;
        Ok(character)
    }

    /// Reads the digits behind `\u`, and those of a second escape if both are a surrogate pair.
    fn escaped_code_point(&mut self) -> Result<char, PayloadError> {
        let unit = self.unit()?;
        if !(0xd800..0xdc00).contains(&unit) {
            // The second half of a pair stands alone here, and is no character.
            return Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let behind_first = self.at;
        let behind = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if behind.starts_with(b"\\u") {
            self.at += 2;
            let second = self.unit()?;
            if (0xdc00..0xe000).contains(&second) {
                let code_point = 0x1_0000 + ((unit - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code_point).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            // An escape of its own, which is read again, but never more than twice.
            self.at = behind_first;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn unit(&mut self) -> Result<u32, PayloadError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit << 4 | digit.ok_or_else(|| self.broken())?;
            self.at += 1;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Escape, write_string};
    use alloc::{borrow::ToOwned, format, vec};
    use proptest::prelude::*;

    fn parsed(json: &str) -> Result<Vec<String>, PayloadError> {
        parse_body(json.as_bytes(), &Config::default())
    }

    fn broken<T>(at: usize) -> Result<T, PayloadError> {
        Err(PayloadError::BrokenJson { at })
    }

    #[test]
    fn arrays_of_strings_are_parsed() {
        assert_eq!(parsed("[]"), Ok(vec![]));
        assert_eq!(parsed(" \t\r\n[ \t]\n"), Ok(vec![]));
        assert_eq!(parsed(r#"["a"]"#), Ok(vec!["a".to_owned()]));
        assert_eq!(parsed(r#"[ "" , "κ" ]"#), Ok(vec![String::new(), "κ".to_owned()]));
        let escapes = r#"["\"\\\/\b\f\n\r\t", "\u00e9\u00E9", "\ud83c\udf0D"]"#;
        let expected = ["\"\\/\x08\x0c\n\r\t", "éé", "\u{1f30d}"].map(ToOwned::to_owned);
        assert_eq!(parsed(escapes), Ok(expected.to_vec()));
    }

    #[test]
    fn a_surrogate_alone_becomes_the_replacement_character() {
        let cases = [
            (r#"["\ud800"]"#, "\u{fffd}"),
            (r#"["\udfff!"]"#, "\u{fffd}!"),
            (r#"["\ud800\ud83c\udf0d"]"#, "\u{fffd}\u{1f30d}"),
            (r#"["\ud800\u0041"]"#, "\u{fffd}A"),
            (r#"["\ud800\n"]"#, "\u{fffd}\n"),
            (r#"["\udc00\ud800"]"#, "\u{fffd}\u{fffd}"),
            (r#"["\udc00\udc00"]"#, "\u{fffd}\u{fffd}"),
            (r#"["\ud800\ue000"]"#, "\u{fffd}\u{e000}"),
            // Whole pairs, at the ends of the range.
            (r#"["\ud800\udc00\udbff\udfff"]"#, "\u{10000}\u{10ffff}"),
        ];
        for (json, text) in cases {
            assert_eq!(parsed(json), Ok(vec![text.to_owned()]), "{json}");
        }
    }

    #[test]
    fn other_json_and_no_json_are_refused() {
        assert_eq!(parsed("["), broken(1));
        assert_eq!(parsed(r#"["a", ]"#), broken(6));
        let jsons = [
            " ",
            "a",
            "{}",
            "null",
            "1",
            r#""a""#,
            "[1]",
            "[null]",
            "[[]]",
            "[,]",
            r#"["a""#,
            r#"["a"#,
            r#"["a" "b"]"#,
            r#"["a",,"b"]"#,
            r#"["a"]]"#,
            r#"["a"],"#,
            "['a']",
            "[a]",
            "\u{feff}[]",
            "[]\0",
            "\x0b[]",
            "[\u{a0}]",
            "[] []",
        ];
        for json in jsons {
            assert!(matches!(parsed(json), Err(PayloadError::BrokenJson { .. })), "{json}");
        }
        for escape in ["\\", "\\a", "\\'", "\\x41", "\\u", "\\u12", "\\u123g", "\\U0041", "\\u+123"]
        {
            let json = format!(r#"["{escape}"]"#);
            assert!(matches!(parsed(&json), Err(PayloadError::BrokenJson { .. })), "{json}");
        }
        assert_eq!(parsed(r#"["\ud800\u12"]"#), broken(12));
    }

    #[test]
    fn control_characters_and_invalid_utf_8_are_refused() {
        for control in '\0'..' ' {
            assert_eq!(parsed(&format!("[\"a{control}\"]")), broken(3));
        }
        assert_eq!(parsed("[\"\x7f\"]"), Ok(vec!["\x7f".to_owned()]));
        let config = Config::default();
        assert_eq!(parse_body(b"[\"\xc3\"]", &config), broken(2));
        assert_eq!(parse_body(b"[\"a\xed\xa0\x80\"]", &config), broken(3));
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let config = Config::default().payload_messages(3).payload_bytes(12);
        let parsed = |json: &str| parse_body(json.as_bytes(), &config);
        assert_eq!(parsed(r#"["","",""]"#).map(|strings| strings.len()), Ok(3));
        let too_many = Err(PayloadError::TooManyMessages { limit: 3 });
        assert_eq!(parsed(r#"["","","",""#), too_many);
        assert_eq!(parsed(r#"["12345678"]"#).map(|strings| strings.len()), Ok(1));
        let too_long = Err(PayloadError::TooLong { bytes: 13, limit: 12 });
        assert_eq!(parsed(r#"["123456789"]"#), too_long);
        assert_eq!(parse_text(r#"["123456789"]"#, &config), too_long);
        let none = Config::default().payload_messages(0);
        assert_eq!(parse_body(b"[]", &none), Ok(vec![]));
        assert_eq!(parse_text("\"\"", &none), Err(PayloadError::TooManyMessages { limit: 0 }));
    }

    #[test]
    fn one_string_alone_is_parsed_where_it_may_be() {
        let parsed = |json: &str| parse_text(json, &Config::default());
        assert_eq!(parsed(" \"a\" "), Ok(vec!["a".to_owned()]));
        assert_eq!(parsed(r#"["a","b"]"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!((parsed("[]"), parsed("")), (Ok(vec![]), Ok(vec![])));
        for json in [" ", "\"", "\"a", "\"a\"\"b\"", "\"a\",", "\"a\"]", "1", "{\"a\":\"b\"}"] {
            assert!(parsed(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_payload_that_is_cut_is_refused() {
        let config = Config::default();
        let text = "[\"a\\u00e9\",\"b\\n\\\"\",\"é\u{1f600}\"]";
        assert_eq!(parse_body(text.as_bytes(), &config), parse_text(text, &config));
        assert_eq!(parse_body(text.as_bytes(), &config).unwrap().len(), 3);
        for end in 1..text.len() {
            let body = &text.as_bytes()[..end];
            let start_of_character = (0..=end).rfind(|at| text.is_char_boundary(*at)).unwrap();
            assert_eq!(parse_body(body, &config), broken(start_of_character), "{end}");
            if let Ok(text) = core::str::from_utf8(body) {
                assert_eq!(parse_text(text, &config), broken(end), "{end}");
            }
        }
        assert_eq!(parse_body(b"", &config), Err(PayloadError::Empty));
        assert_eq!(parse_text("", &config), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn parsing_is_the_inverse_of_writing(
            texts in prop::collection::vec(".{0,12}|[\0-\x20\"\\\\\u{2028}]{0,5}", 0..4),
            sockjs: bool,
        ) {
            let escape = if sockjs { Escape::SockJs } else { Escape::Required };
            let mut json = String::from("[");
            for (index, text) in texts.iter().enumerate() {
                json.push_str(if index == 0 { "" } else { "," });
                write_string(text, escape, &mut json);
            }
            json.push(']');
            prop_assert_eq!(parsed(&json), Ok(texts));
        }

        #[test]
        fn no_input_panics(json in "[\\[\\]\", \\\\ud8c0-9a\u{e9}\n]{0,40}") {
            let array = parsed(&json);
            let either = parse_text(&json, &Config::default());
            prop_assert!(array.is_err() || array == either);
        }

        #[test]
        fn decoded_messages_are_no_longer_than_their_payload(parts in prop::collection::vec(
            prop_oneof![Just("\\ud800"), Just("\\u0000"), Just("\\n"), Just("x"), Just("\\uffff")], 0..20,
        )) {
            let json = format!("[\"{}\"]", parts.concat());
            let messages = parse_text(&json, &Config::default()).unwrap();
            prop_assert!(messages[0].len() <= json.len());
        }
    }
}
