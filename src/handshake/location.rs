//! References from one URL to another, as in a `Location` (RFC 3986 §5.2).

use super::url::{Url, UrlError};
use alloc::{format, string::String, vec::Vec};

impl Url {
    /// Returns the URL that a reference leads to from this one, such as the
    /// [`location`](super::Refusal::location) of a redirection (RFC 3986 §5.2). The schemes `http` and
    /// `https` count as `ws` and `wss`.
    ///
    /// A fragment is dropped, and so is a user name with a password: neither those of this URL nor
    /// those of the reference are in the result.
    ///
    /// ```
    /// use sansocket::handshake::Url;
    ///
    /// let url = Url::parse("wss://example.com/chat/room?id=1")?;
    /// assert_eq!(url.join("../login")?.as_ref(), "wss://example.com/login");
    /// assert_eq!(url.join("https://eu.example.com/")?.as_ref(), "wss://eu.example.com/");
    /// # Ok::<(), sansocket::handshake::UrlError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the result is not a WebSocket URL.
    pub fn join(&self, reference: &str) -> Result<Self, UrlError> {
        let reference = reference.split_once('#').map_or(reference, |(rest, _)| rest);
        let joined = match scheme(reference) {
            Some(name) => {
                let is = |other: &str| name.eq_ignore_ascii_case(other);
                let name = match () {
                    () if is("http") => "ws",
                    () if is("https") => "wss",
                    () => name,
                };
                // Without an authority, the scheme alone says too little (RFC 3986 §5.2.2).
                let rest = reference.split_once(':').map_or("", |(_, rest)| rest);
                format!("{name}:{rest}")
            }
            None => {
                let scheme = if self.is_secure() { "wss" } else { "ws" };
                match reference.strip_prefix("//") {
                    Some(rest) => format!("{scheme}://{rest}"),
                    None => format!("{scheme}://{}{}", self.authority(), self.resolve(reference)),
                }
            }
        };
        let (start, target) = split_target(&joined);
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
        let mut text = String::from(start);
        text.push_str(&without_dots(path));
        text.extend(query.iter().flat_map(|query| ["?", query]));
        Ok(Self::parse(&text)?.without_userinfo())
    }

    /// Returns `true` if both URLs have the same scheme, host and port (RFC 6454 §5). What is secret
    /// between you and one origin must not be sent to another.
    #[must_use]
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.is_secure() == other.is_secure()
            && self.port() == other.port()
            && self.host().eq_ignore_ascii_case(other.host())
    }

    /// Returns path and query of a reference without a scheme or an authority (RFC 3986 §5.2.2).
    fn resolve(&self, reference: &str) -> String {
        let (path, query) = self.target().split_once('?').unwrap_or((self.target(), ""));
        match reference.bytes().next() {
            None if query.is_empty() => String::from(path),
            None => format!("{path}?{query}"),
            Some(b'?') => format!("{path}{reference}"),
            Some(b'/') => String::from(reference),
            Some(_) => {
                let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
                format!("{folder}{reference}")
            }
        }
    }
}

/// Returns the scheme of a reference, if it has one (RFC 3986 §3.1).
fn scheme(reference: &str) -> Option<&str> {
    let (name, _) = reference.split_once(':')?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme = name.starts_with(|first: char| first.is_ascii_alphabetic());
    (is_scheme && name.bytes().all(is_part)).then_some(name)
}

/// Splits a URL before its path and query.
fn split_target(url: &str) -> (&str, &str) {
    let from = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[from..].find(['/', '?']).map_or(url.len(), |end| from + end);
    url.split_at(end)
}

/// Resolves `.` and `..` (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    let mut segments = path.split('/').peekable();
    // The path is empty, or begins with a slash.
    segments.next();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    if path.is_empty() { String::new() } else { format!("/{}", kept.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(base: &str, reference: &str) -> Result<String, UrlError> {
        Ok(Url::parse(base).unwrap().join(reference)?.as_ref().into())
    }

    /// The examples of RFC 3986 §5.4, as far as a WebSocket URL can be the result.
    #[test]
    fn the_examples_of_the_rfc() {
        for (reference, expected) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("#s", "/b/c/d;p?q"),
            ("g#s", "/b/c/g"),
            ("g?y#s", "/b/c/g?y"),
            (";x", "/b/c/;x"),
            ("g;x?y#s", "/b/c/g;x?y"),
            ("", "/b/c/d;p?q"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../", "/b/"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../g", "/g"),
            ("../../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g.", "/b/c/g."),
            (".g", "/b/c/.g"),
            ("..g", "/b/c/..g"),
            ("./g/.", "/b/c/g/"),
            ("g/./h", "/b/c/g/h"),
            ("g/../h", "/b/c/h"),
            ("g;x=1/../y", "/b/c/y"),
            ("g?y/../x", "/b/c/g?y/../x"),
        ] {
            let expected = Ok(format!("ws://a{expected}"));
            assert_eq!(join("ws://a/b/c/d;p?q", reference), expected, "{reference}");
        }
        assert_eq!(join("ws://a/b/c/d;p?q", "//g"), Ok("ws://g/".into()));
        assert_eq!(join("wss://a/b/c/d;p?q", "//g?y"), Ok("wss://g/?y".into()));
        assert_eq!(join("ws://a/b/c/d;p?q", "g:h"), Err(UrlError::NoScheme));
    }

    #[test]
    fn schemes_of_http_count_as_those_of_websocket() {
        for (reference, expected) in [
            ("ws://b/x", Ok("ws://b/x")),
            ("HTTP://b:80/x#y", Ok("ws://b/x")),
            ("https://b:8443", Ok("wss://b:8443/")),
            ("wss://b/a/../c", Ok("wss://b/c")),
            ("ftp://b/", Err(UrlError::OtherScheme)),
            ("https:/x", Err(UrlError::NoScheme)),
            ("https:", Err(UrlError::NoScheme)),
            ("//", Err(UrlError::EmptyHost)),
            ("/a b", Err(UrlError::UnencodedCharacter { character: ' ', at: 10 })),
            ("\u{e4}", Err(UrlError::UnencodedCharacter { character: '\u{e4}', at: 9 })),
            ("/x://y", Ok("ws://a:1/x://y")),
            ("x/y:z", Ok("ws://a:1/x/y:z")),
        ] {
            assert_eq!(
                join("ws://a:1/", reference).as_deref(),
                expected.as_ref().map(|t| &**t),
                "{reference}"
            );
        }
    }

    #[test]
    fn no_credentials_are_in_the_result() {
        for reference in ["/x", "", "ws://c:d@a/x", "//c:d@b/x"] {
            let url = Url::parse("ws://u:p@a/").unwrap().join(reference).unwrap();
            assert_eq!(url.authorization(), None);
            assert!(!url.as_ref().contains('@'), "{url}");
        }
    }

    #[test]
    fn origins() {
        let same = |left: &str, right: &str| {
            Url::parse(left).unwrap().is_same_origin(&Url::parse(right).unwrap())
        };
        assert!(same("ws://u:p@a/x", "ws://A:80/y?z"));
        assert!(!same("ws://a/", "wss://a/"));
        assert!(!same("ws://a:443/", "wss://a/"));
        assert!(!same("ws://a/", "ws://a:81/"));
        assert!(!same("ws://a/", "ws://b.a/"));
    }
}
