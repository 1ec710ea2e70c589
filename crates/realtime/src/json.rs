//! Strings of JSON (RFC 8259): what the hub, event streams, polls and SockJS write.
//!
//! The shapes of what they write are fixed, so there is no tree of values here, and nothing nests.

use alloc::string::String;

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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    fn written(text: &str, escape: Escape) -> String {
        let mut out = String::new();
        write_string(text, escape, &mut out);
        out
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
}
