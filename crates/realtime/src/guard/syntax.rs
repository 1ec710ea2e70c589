//! The syntax of tokens, cookies, and the schemes of `Authorization`.

use alloc::{string::String, vec::Vec};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Takes the value of `Authorization` apart: the scheme, and what follows it (RFC 9110 §11.4).
pub(super) fn scheme(value: &[u8]) -> (&[u8], &[u8]) {
    let value = value.trim_ascii();
    let end = value.iter().position(|&byte| byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    (scheme, rest.trim_ascii())
}

/// Checks the token of the scheme Bearer: the syntax `b64token` of RFC 6750 §2.1.
pub(super) fn bearer(value: &[u8]) -> Result<&str, &'static str> {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    let padding = value.iter().rev().take_while(|&&byte| byte == b'=').count();
    let digits = &value[..value.len() - padding];
    if digits.is_empty() {
        return Err("is empty");
    }
    if digits.iter().all(is_allowed) { token(value) } else { Err("contains other characters") }
}

/// Decodes the credentials of the scheme Basic: the user, and the password (RFC 7617 §2).
pub(super) fn basic(value: &[u8]) -> Result<(String, String), &'static str> {
    let decoded: Vec<u8> = STANDARD.decode(value).map_err(|_| "are not Base64")?;
    let text = String::from_utf8(decoded).map_err(|_| "are not UTF-8")?;
    if text.chars().any(char::is_control) {
        return Err("contain a control character");
    }
    // A password can contain a colon, a user can't.
    let (user, password) = text.split_once(':').ok_or("have no colon")?;
    Ok((user.into(), password.into()))
}

/// Checks a token: visible ASCII without spaces.
pub(super) fn token(value: &[u8]) -> Result<&str, &'static str> {
    if value.is_empty() {
        return Err("is empty");
    }
    match core::str::from_utf8(value) {
        Ok(text) if value.iter().all(u8::is_ascii_graphic) => Ok(text),
        _ => Err("contains other characters than visible ASCII"),
    }
}

/// Returns the names and values of the cookies in one `Cookie` field (RFC 6265 §4.2.1). What is no pair
/// is left out: other cookies of the same site must not keep a user out. Names are trimmed as in
/// `Set-Cookie` (§5.2), so that no space hides a second cookie of one name.
pub(super) fn cookies(field: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    field.split(|&byte| byte == b';').filter_map(|pair| {
        let pair = pair.trim_ascii();
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        Some((pair[..equals].trim_ascii_end(), &pair[equals + 1..]))
    })
}

/// Checks the value of a cookie, and returns it without quotes (RFC 6265 §4.1.1, `cookie-value`).
pub(super) fn cookie_value(value: &[u8]) -> Result<&str, &'static str> {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    let value = inner.unwrap_or(value);
    if value.iter().any(|byte| b"\",;\\".contains(byte)) {
        return Err("contains a character that cookies can't have");
    }
    token(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_has_one_syntax() {
        for token in ["a", "mF_9.B5f-4.1JqM", "a+b/c~d==", "0="] {
            assert_eq!(bearer(token.as_bytes()), Ok(token));
        }
        for wrong in ["", "=", "a=b", "a b", "a,b", "\"a\"", "é", "a\0", "a:b"] {
            assert!(bearer(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(bearer(b"a\xff").is_err());
    }

    #[test]
    fn basic_credentials_are_a_user_and_a_password() {
        let decoded = |text: &str| basic(STANDARD.encode(text).as_bytes());
        let pair = |user: &str, password: &str| Ok((user.into(), password.into()));
        assert_eq!(basic(b"QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), pair("Aladdin", "open sesame"));
        assert_eq!(basic(b"dGVzdDoxMjPCow=="), pair("test", "123£"));
        assert_eq!(decoded("a:b:c"), pair("a", "b:c"));
        assert_eq!(decoded(":"), pair("", ""));
        assert!(decoded("joe").is_err());
        assert!(decoded("joe:a\nb").is_err());
        assert!(decoded("jo\u{7f}e:a").is_err());
        assert!(basic(STANDARD.encode(b"joe:\xff").as_bytes()).is_err());
        for wrong in ["", "QWxhZGRpbjpvcGVuIHNlc2FtZQ", "QWxh ZGRpbjpv", "QWxhZGRpbjpv*", "QQ=A"] {
            assert!(basic(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_scheme_ends_at_a_space() {
        assert_eq!(scheme(b"Bearer  a "), (&b"Bearer"[..], &b"a"[..]));
        assert_eq!(scheme(b"Bearer"), (&b"Bearer"[..], &b""[..]));
        assert_eq!(scheme(b""), (&b""[..], &b""[..]));
    }

    #[test]
    fn cookies_are_pairs() {
        let found = |field: &'static str| cookies(field.as_bytes()).collect::<Vec<_>>();
        let pair = |name: &'static str, value: &'static str| (name.as_bytes(), value.as_bytes());
        assert_eq!(found("a=1; b=2"), [pair("a", "1"), pair("b", "2")]);
        assert_eq!(found("a=1;b=2=3"), [pair("a", "1"), pair("b", "2=3")]);
        assert_eq!(found("; a ;; =x; b="), [pair("", "x"), pair("b", "")]);
        assert_eq!(found("a\t =1"), [pair("a", "1")]);
        assert_eq!(cookie_value(b"\"a\""), Ok("a"));
        for wrong in ["", "\"\"", "\"a", "a\"", "a b", "a,b", "a\\b", "\"", "é"] {
            assert!(cookie_value(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }
}
