//! Parameters in the query of a target.

use alloc::{borrow::Cow, string::String, vec::Vec};

/// Returns the parameters with this name in a query, with their values as they were received. Names are
/// compared after they were decoded, so that no escape hides a second one.
pub(super) fn parameters<'a>(query: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    query.split('&').filter_map(move |parameter| {
        let (candidate, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (decode(candidate).ok()? == name).then_some(value)
    })
}

/// Decodes escapes with `%` (RFC 3986 §2.1).
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("contains % without two hexadecimal digits");
        };
        decoded.push((high << 4 | low) as u8);
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| "is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded() {
        for (text, expected) in
            [("", ""), ("a+b", "a+b"), ("%41%2b%2B", "A++"), ("%C3%A9", "é"), ("é%25", "é%")]
        {
            assert_eq!(decode(text).as_deref(), Ok(expected), "{text}");
        }
        for wrong in ["%", "%4", "%4g", "%+1", "a%", "%é", "%ff", "%C3"] {
            assert!(decode(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_found_however_it_is_written() {
        let values = |query| parameters(query, "token").collect::<Vec<_>>();
        assert_eq!(values("token=a&%74oken=b&tokens=c&token&a=token=d"), ["a", "b", ""]);
        assert_eq!(values("Token=a&token=b=c&%token=d&%ff=e"), ["b=c"]);
        assert_eq!(values(""), [""; 0]);
    }
}
