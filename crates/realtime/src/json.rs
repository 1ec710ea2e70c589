//! Strings of JSON (RFC 8259): all that SockJS and polling need of it.
//!
//! SockJS frames are arrays of strings, and a poll answers with an object whose shape is fixed. So
//! there is no tree of values here, and nothing nests.

use alloc::{string::String, vec::Vec};

/// Which characters a string spells as escape sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// The characters that RFC 8259 §7 demands: quotation mark, reverse solidus, U+0000 to U+001F.
    Required,
    /// Those, and the characters that some browsers change or drop, as SockJS demands: U+200C to
    /// U+200F, U+2028 to U+202F, U+2060 to U+206F, U+FFF0 to U+FFFF, and all that UTF-16 has to
    /// spell with surrogates. The last come out as a pair of escapes.
    SockJs,
}

/// Appends `text` to `out` as a JSON string, in quotation marks.
///
/// Hexadecimal digits are lowercase, and the short escapes are used where JSON has one, just as
/// `JSON.stringify` of browsers does.
pub(crate) fn write_string(text: &str, escape: Escape, out: &mut String) {
    out.reserve(text.len().saturating_add(2));
    out.push('"');
    let mut rest = text;
    while let Some(at) = next_escaped(rest, escape) {
        let (plain, behind) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = behind.chars();
        if let Some(character) = characters.next() {
            write_escaped(character, out);
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Bounds on what [`parse_strings`] makes of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StringLimits {
    /// The most strings in an array. An empty string costs its sender three bytes and us a `String`.
    pub(crate) count: usize,
    /// The most bytes of UTF-8 in all strings together.
    pub(crate) bytes: usize,
}

/// Parses a JSON array of strings.
///
/// Nothing may follow the array except white space. A surrogate that is escaped alone becomes
/// U+FFFD: JavaScript strings can contain one, and its clients send it like any other text.
///
/// # Errors
///
/// Returns an error if the input is anything else, or exceeds a limit. It is the fault of whoever
/// wrote the input, and the same input fails again.
pub(crate) fn parse_strings(
    json: &[u8],
    limits: StringLimits,
) -> Result<Vec<String>, InvalidStrings> {
    let mut reader = Reader::new(json, limits)?;
    reader.skip_white_space();
    let strings = reader.array()?;
    reader.end()?;
    Ok(strings)
}

/// Parses a JSON array of strings, or one string alone, which clients of SockJS may send in a
/// WebSocket message.
///
/// # Errors
///
/// As for [`parse_strings`].
pub(crate) fn parse_strings_or_string(
    json: &[u8],
    limits: StringLimits,
) -> Result<Vec<String>, InvalidStrings> {
    let mut reader = Reader::new(json, limits)?;
    reader.skip_white_space();
    if reader.peek() != Some(b'"') {
        let strings = reader.array()?;
        reader.end()?;
        return Ok(strings);
    }
    let mut strings = Vec::new();
    reader.string_into(&mut strings)?;
    reader.end()?;
    Ok(strings)
}

/// Why an input is not the JSON that was expected. Positions are in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidStrings {
    /// Text in JSON is UTF-8 (RFC 8259 §8.1).
    #[error("byte {at} of the JSON is not valid UTF-8")]
    NotUtf8 { at: usize },
    /// Something else is at this place.
    #[error("byte {at} of the JSON is {found:#04x}, not {expected}")]
    Unexpected { at: usize, found: u8, expected: &'static str },
    /// The input ends too early.
    #[error("the JSON ends after {at} bytes, where {expected} is missing")]
    Ends { at: usize, expected: &'static str },
    /// A character below U+0020 has to be escaped (RFC 8259 §7).
    #[error("byte {at} of the JSON is a control character, which a string has to escape")]
    ControlCharacter { at: usize },
    /// There are more strings than allowed.
    #[error("the JSON array has more than {limit} strings")]
    TooMany { limit: usize },
    /// The strings are longer than allowed.
    #[error("the strings of the JSON have more than {limit} bytes")]
    TooLong { limit: usize },
}

/// Returns the position of the first character in `text` that has to be escaped.
fn next_escaped(text: &str, escape: Escape) -> Option<usize> {
    match escape {
        Escape::Required => text.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)),
        Escape::SockJs => text.find(|character| {
            matches!(character,
                '"' | '\\' | '\0'..='\x1f' | '\u{200c}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
                | '\u{2060}'..='\u{206f}' | '\u{fff0}'..)
        }),
    }
}

fn write_escaped(character: char, out: &mut String) {
    let short = match character {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\x08' => "\\b",
        '\x0c' => "\\f",
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write_unit(*unit, out);
            }
            return;
        }
    };
    out.push_str(short);
}

/// Writes `\u` and the four digits of a UTF-16 code unit.
fn write_unit(unit: u16, out: &mut String) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[usize::from(unit >> shift & 0xf)]);
    }
}

/// The place that parsing has reached in the input.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    limits: StringLimits,
    /// How many bytes the strings may still have.
    bytes_left: usize,
}

impl<'a> Reader<'a> {
    fn new(json: &'a [u8], limits: StringLimits) -> Result<Self, InvalidStrings> {
        let text = core::str::from_utf8(json)
            .map_err(|error| InvalidStrings::NotUtf8 { at: error.valid_up_to() })?;
        Ok(Self { text, at: 0, limits, bytes_left: limits.bytes })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, expected: &'static str) -> InvalidStrings {
        match self.peek() {
            Some(found) => InvalidStrings::Unexpected { at: self.at, found, expected },
            None => InvalidStrings::Ends { at: self.at, expected },
        }
    }

    fn expect(&mut self, byte: u8, name: &'static str) -> Result<(), InvalidStrings> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(name));
        }
        self.at += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), InvalidStrings> {
        self.skip_white_space();
        if self.at < self.text.len() { Err(self.unexpected("the end")) } else { Ok(()) }
    }

    fn array(&mut self) -> Result<Vec<String>, InvalidStrings> {
        let mut strings = Vec::new();
        self.expect(b'[', "an array")?;
        self.skip_white_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(strings);
        }
        loop {
            self.string_into(&mut strings)?;
            self.skip_white_space();
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(strings);
            }
            self.expect(b',', "a comma or the end of the array")?;
            self.skip_white_space();
        }
    }

    fn string_into(&mut self, strings: &mut Vec<String>) -> Result<(), InvalidStrings> {
        self.expect(b'"', "a string")?;
        if strings.len() >= self.limits.count {
            return Err(InvalidStrings::TooMany { limit: self.limits.count });
        }
        let string = self.rest_of_string()?;
        strings.push(string);
        Ok(())
    }

    fn rest_of_string(&mut self) -> Result<String, InvalidStrings> {
        let mut string = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let length = next_escaped(rest, Escape::Required).unwrap_or(rest.len());
            self.append(rest.get(..length).unwrap_or_default(), &mut string)?;
            self.at += length;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let character = self.escaped()?;
                    self.append(character.encode_utf8(&mut [0; 4]), &mut string)?;
                }
                Some(_) => return Err(InvalidStrings::ControlCharacter { at: self.at }),
                None => return Err(self.unexpected("the end of the string")),
            }
        }
    }

    fn append(&mut self, text: &str, string: &mut String) -> Result<(), InvalidStrings> {
        let too_long = InvalidStrings::TooLong { limit: self.limits.bytes };
        self.bytes_left = self.bytes_left.checked_sub(text.len()).ok_or(too_long)?;
        string.push_str(text);
        Ok(())
    }

    /// Reads what stands behind a reverse solidus (RFC 8259 §7).
    fn escaped(&mut self) -> Result<char, InvalidStrings> {
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
            _ => return Err(self.unexpected("an escape")),
        };
        self.at += 1;
        Ok(character)
    }

    /// Reads the digits behind `\u`, and those of a second escape if both are a surrogate pair.
    fn escaped_code_point(&mut self) -> Result<char, InvalidStrings> {
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

    fn unit(&mut self) -> Result<u32, InvalidStrings> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit << 4 | digit.ok_or_else(|| self.unexpected("a hexadecimal digit"))?;
            self.at += 1;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{borrow::ToOwned, format, string::ToString, vec};
    use proptest::prelude::*;

    const LIMITS: StringLimits = StringLimits { count: 3, bytes: 20 };
    const AMPLE: StringLimits = StringLimits { count: 1000, bytes: 100_000 };

    fn written(text: &str, escape: Escape) -> String {
        let mut out = String::new();
        write_string(text, escape, &mut out);
        out
    }

    fn parsed(json: &str) -> Result<Vec<String>, InvalidStrings> {
        parse_strings(json.as_bytes(), LIMITS)
    }

    #[test]
    fn what_has_to_be_escaped_is() {
        let cases = [
            ("", r#""""#),
            ("κ/'", r#""κ/'""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("\n\r\t\x08\x0c", r#""\n\r\t\b\f""#),
            ("\0\x1f\x7f", "\"\\u0000\\u001f\x7f\""),
            ("\u{200c}\u{10000}", "\"\u{200c}\u{10000}\""),
        ];
        for (text, json) in cases {
            assert_eq!(written(text, Escape::Required), json);
        }
    }

    #[test]
    fn sockjs_escapes_the_edges_of_each_of_its_ranges() {
        let escaped =
            [0, 0x1f, 0x200c, 0x200f, 0x2028, 0x202f, 0x2060, 0x206f, 0xfff0, 0xfffd, 0xffff];
        for code_point in escaped {
            let text = char::from_u32(code_point).unwrap().to_string();
            assert_eq!(written(&text, Escape::SockJs), format!("\"\\u{code_point:04x}\""));
        }
        for plain in ["\x7f\u{200b}\u{2010}\u{2027}", "\u{2030}\u{205f}\u{2070}\u{ffef}/"] {
            assert_eq!(written(plain, Escape::SockJs), format!("\"{plain}\""));
        }
        let surrogates = "\u{10000}\u{1f30d}\u{10ffff}";
        let expected = r#""\ud800\udc00\ud83c\udf0d\udbff\udfff""#;
        assert_eq!(written(surrogates, Escape::SockJs), expected);
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
        use InvalidStrings::{Ends, Unexpected};
        let expected = "a string";
        assert_eq!(parsed("["), Err(Ends { at: 1, expected }));
        assert_eq!(parsed(r#"["a",]"#), Err(Unexpected { at: 5, found: b']', expected }));
        let jsons = [
            "",
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
            assert!(matches!(parsed(json), Err(Ends { .. } | Unexpected { .. })), "{json}");
        }
        for escape in ["\\", "\\a", "\\'", "\\x41", "\\u", "\\u12", "\\u123g", "\\U0041", "\\u+123"]
        {
            let json = format!(r#"["{escape}"]"#);
            assert!(matches!(parsed(&json), Err(Ends { .. } | Unexpected { .. })), "{json}");
        }
        let half_a_pair = parsed(r#"["\ud800\u12"]"#);
        assert!(matches!(half_a_pair, Err(Unexpected { at: 12, found: b'"', .. })));
    }

    #[test]
    fn control_characters_and_invalid_utf_8_are_refused() {
        for control in '\0'..' ' {
            let json = format!("[\"a{control}\"]");
            assert_eq!(parsed(&json), Err(InvalidStrings::ControlCharacter { at: 3 }));
        }
        assert_eq!(parsed("[\"\x7f\"]"), Ok(vec!["\x7f".to_owned()]));
        let cut = parse_strings(b"[\"\xc3\"]", LIMITS);
        assert_eq!(cut, Err(InvalidStrings::NotUtf8 { at: 2 }));
        let surrogate = parse_strings(b"[\"a\xed\xa0\x80\"]", LIMITS);
        assert_eq!(surrogate, Err(InvalidStrings::NotUtf8 { at: 3 }));
    }

    #[test]
    fn limits_hold_at_their_edges() {
        assert_eq!(parsed(r#"["","",""]"#).map(|strings| strings.len()), Ok(3));
        assert_eq!(parsed(r#"["","","",""]"#), Err(InvalidStrings::TooMany { limit: 3 }));
        // Escapes count as the characters that they stand for.
        let twenty = r#"["aaaaaaaa", "aaaaaaaa", "\ud83c\udf0d"]"#;
        assert_eq!(parsed(twenty).map(|strings| strings.concat().len()), Ok(20));
        let more = r#"["aaaaaaaa", "aaaaaaaa\n", "\ud83c\udf0d"]"#;
        assert_eq!(parsed(more), Err(InvalidStrings::TooLong { limit: 20 }));
        let none = StringLimits { count: 0, bytes: 0 };
        assert_eq!(parse_strings(b"[]", none), Ok(vec![]));
        let one = parse_strings_or_string(b"\"\"", none);
        assert_eq!(one, Err(InvalidStrings::TooMany { limit: 0 }));
    }

    #[test]
    fn one_string_alone_is_parsed_where_it_may_be() {
        let parsed = |json: &str| parse_strings_or_string(json.as_bytes(), LIMITS);
        assert_eq!(parsed(" \"a\" "), Ok(vec!["a".to_owned()]));
        assert_eq!(parsed(r#"["a","b"]"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(parsed("[]"), Ok(vec![]));
        for json in ["", "\"", "\"a", "\"a\"\"b\"", "\"a\",", "\"a\"]", "1", "{\"a\":\"b\"}"] {
            assert!(parsed(json).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn parsing_is_the_inverse_of_writing(
            texts in proptest::collection::vec(".{0,12}|[\0-\x20\"\\\\\u{2028}]{0,5}", 0..4),
            sockjs: bool,
        ) {
            let escape = if sockjs { Escape::SockJs } else { Escape::Required };
            let json: Vec<String> = texts.iter().map(|text| written(text, escape)).collect();
            let json = format!("[{}]", json.join(","));
            prop_assert_eq!(parse_strings(json.as_bytes(), AMPLE), Ok(texts));
            for end in 0..json.len() {
                prop_assert!(parse_strings(&json.as_bytes()[..end], AMPLE).is_err());
            }
        }

        #[test]
        fn no_input_panics(json in "[\\[\\]\", \\\\ud8c0-9a\u{e9}\n]{0,40}") {
            let array = parse_strings(json.as_bytes(), AMPLE);
            let either = parse_strings_or_string(json.as_bytes(), AMPLE);
            prop_assert!(array.is_err() || array == either);
        }
    }
}
