//! Where lines end in an event stream (WHATWG HTML §9.2.6).

/// Returns the position of the first CR or LF.
pub(super) fn find_line_end(bytes: &[u8]) -> Option<usize> {
    // Of a whole block it is only asked whether it has one: this compiles to vector instructions.
    const BLOCK: usize = 32;
    let mut blocks = bytes.chunks_exact(BLOCK);
    let mut start = 0;
    for block in &mut blocks {
        if block.iter().fold(false, |found, &byte| found | is_line_end(byte)) {
            break;
        }
        start += BLOCK;
    }
    let rest = bytes.get(start..).unwrap_or_default();
    rest.iter().position(|&byte| is_line_end(byte)).map(|at| start + at)
}

fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

/// The lines of a text, which CR LF, LF and CR separate. There is always at least one, and a text
/// that ends with a line break has an empty last line.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = find_line_end(text.as_bytes()) else {
            rest = None;
            return Some(text);
        };
        let (line, behind) = text.split_at(at);
        let behind = behind.strip_prefix("\r\n").or_else(|| behind.get(1..));
        rest = behind;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_line_end_is_found_wherever_it_is() {
        for length in 0..100 {
            let mut bytes = alloc::vec![b'a'; length];
            assert_eq!(find_line_end(&bytes), None);
            for at in 0..length {
                for end in [b'\r', b'\n'] {
                    bytes[at] = end;
                    assert_eq!(find_line_end(&bytes), Some(at));
                    let last = core::mem::replace(&mut bytes[length - 1], b'\n');
                    assert_eq!(find_line_end(&bytes), Some(at));
                    bytes[length - 1] = last;
                }
                bytes[at] = 0x8a;
            }
        }
    }

    #[test]
    fn each_kind_of_line_break_separates() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[""]),
            ("a", &["a"]),
            ("\n", &["", ""]),
            ("a\n", &["a", ""]),
            ("a\rb\nκ\r\nd", &["a", "b", "κ", "d"]),
            ("\n\r", &["", "", ""]),
            ("\r\r\n\n", &["", "", "", ""]),
            ("a\u{2028}\u{85}\x0bb", &["a\u{2028}\u{85}\x0bb"]),
        ];
        for (text, expected) in cases {
            assert_eq!(lines(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }
}
