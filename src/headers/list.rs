//! Comma-separated lists (RFC 9110 §5.6.1), which may span several lines with the same name.

use super::field::trim;

/// Iterates over the elements of a list that has no quoted elements.
///
/// Skips empty elements, as recipients must (RFC 9110 §5.6.1.2).
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// Returns `true` if one of the lists contains the token, ignoring ASCII case.
pub(crate) fn lists_token<'a>(mut values: impl Iterator<Item = &'a [u8]>, token: &str) -> bool {
    values
        .any(|value| elements(value).any(|element| element.eq_ignore_ascii_case(token.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    #[test]
    fn trims_elements_and_skips_empty_ones() {
        let list = |value| elements(value).collect::<Vec<_>>();
        assert_eq!(list(b"keep-alive, Upgrade"), [&b"keep-alive"[..], b"Upgrade"]);
        assert_eq!(list(b" ,, a\t,\tb c ,"), [&b"a"[..], b"b c"]);
        assert!(list(b"").is_empty() && list(b" , ,\t").is_empty());
        let commas = vec![b','; 1 << 20];
        assert!(list(&commas).is_empty());
    }

    #[test]
    fn finds_a_whole_token_on_any_line() {
        let found = |lines: &[&'static str]| {
            lists_token(lines.iter().map(|line| line.as_bytes()), "upgrade")
        };
        assert!(found(&["keep-alive", "close, UPGRADE"]));
        assert!(found(&["upgrade"]) && found(&[",Upgrade,"]));
        assert!(!found(&[]) && !found(&[""]) && !found(&["upgraded, up grade, upgrade;q=1"]));
    }
}
