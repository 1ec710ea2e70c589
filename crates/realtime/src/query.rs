//! The query of a request, as browsers write it: `application/x-www-form-urlencoded` (WHATWG URL §5).

use alloc::{borrow::Cow, string::String, vec::Vec};

/// Returns the parameters of a query: their names decoded, so that no escape hides a second one of a name,
/// and their values as they were received. A parameter whose name can't be decoded has none that anybody
/// looks for, and is left out.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    query.split('&').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        Some((decode(name).ok()?, value))
    })
}

/// Decodes escapes with `%`, and `+`, which stands for a space. Returns what is wrong as the rest of a
/// sentence.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, &'static str> {
    decode_with(b' ', text)
}

/// Decodes escapes with `%` alone (RFC 3986 §2.1). This is for values in Base64, which has `+` and which
/// many write as it is. Returns what is wrong as the rest of a sentence.
pub(crate) fn decode_escapes(text: &str) -> Result<Cow<'_, str>, &'static str> {
    decode_with(b'+', text)
}

/// Decodes a text in which `+` stands for this.
fn decode_with(plus: u8, text: &str) -> Result<Cow<'_, str>, &'static str> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => decoded.push(plus),
            // The standard takes a `%` without digits as it is. Nothing that encodes writes one, so it
            // is a mistake, and what was meant is not known.
            b'%' => match (digit(bytes.next()), digit(bytes.next())) {
                (Some(high), Some(low)) => decoded.push(high << 4 | low),
                _ => return Err("has a `%` without two hexadecimal digits"),
            },
            _ => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| "is not UTF-8")
}

fn digit(byte: Option<u8>) -> Option<u8> {
    match byte? {
        byte @ b'0'..=b'9' => Some(byte - b'0'),
        byte @ b'a'..=b'f' => Some(byte - b'a' + 10),
        byte @ b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_decoded() {
        for (text, expected) in
            [("", ""), ("a+b", "a b"), ("%41%2b%2B", "A++"), ("%C3%A9", "é"), ("é%25", "é%")]
        {
            assert_eq!(decode(text).as_deref(), Ok(expected), "{text}");
            let with_plus = expected.replace(' ', "+");
            assert_eq!(decode_escapes(text).as_deref(), Ok(&*with_plus), "{text}");
        }
        for wrong in ["%", "%4", "%4g", "%+1", "a%", "%é", "%ff", "%C3", "%g4"] {
            assert!(decode(wrong).is_err() && decode_escapes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parameters_have_a_name_and_perhaps_a_value() {
        // Names differ in case, and an escape does not hide one.
        let query = "A=0&a=1&%61=2=3&b&&%ff=4&=5&c+d=%";
        let found: Vec<_> =
            parameters(query).map(|(name, value)| (name.into_owned(), value)).collect();
        let expected =
            [("A", "0"), ("a", "1"), ("a", "2=3"), ("b", ""), ("", ""), ("", "5"), ("c d", "%")];
        assert_eq!(found, expected.map(|(name, value)| (name.into(), value)));
    }

    proptest! {
        #[test]
        fn decoding_is_the_inverse_of_escaping_all_bytes(text: String) {
            let escaped: String = text.bytes().map(|byte| alloc::format!("%{byte:02x}")).collect();
            let decoded = decode(&escaped);
            prop_assert_eq!(decoded.as_deref(), Ok(&*text));
        }
    }
}
