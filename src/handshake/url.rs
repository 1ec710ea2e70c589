//! WebSocket URLs (RFC 6455 §3).

use super::authority::{Authority, AuthorityError, is_name_byte, without_brackets};
use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use base64::{Engine, engine::general_purpose::STANDARD};
use core::{fmt, str::FromStr};
use thiserror::Error;

/// A `ws:` or `wss:` URL (RFC 6455 §3).
///
/// Its `Display` and `Debug` output omits the user name and password. Two URLs are equal if they are
/// written alike, apart from the case of the scheme and the default port.
///
/// ```
/// use sansocket::handshake::Url;
///
/// let url = Url::parse("wss://[::1]:8443/chat?room=1")?;
/// assert!(url.is_secure());
/// assert_eq!((url.host(), url.port()), ("::1", 8443));
/// assert_eq!(url.authority(), "[::1]:8443");
/// assert_eq!(url.target(), "/chat?room=1");
/// # Ok::<(), sansocket::handshake::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    /// The whole URL, with the user name and password.
    text: String,
    secure: bool,
    /// The host with its brackets, then the port unless it is the default.
    authority: String,
    host_len: usize,
    port: u16,
    target: String,
    authorization: Option<String>,
}

/// The error for text that is not a WebSocket URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The text contains no `://`.
    #[error("the URL has no scheme: it must begin with ws:// or wss://")]
    NoScheme,
    /// The scheme is one of HTTP.
    #[error("the scheme is http{0}, use ws{0}", if *.secure { "s" } else { "" })]
    HttpScheme {
        /// Whether the scheme is `https`, to be replaced by `wss`.
        secure: bool,
    },
    /// The scheme is neither `ws` nor `wss`.
    #[error("the scheme is neither ws nor wss")]
    OtherScheme,
    /// The URL contains a space, a control character or a non-ASCII character. Such a character
    /// must be percent-encoded, or in a host written in Punycode.
    #[error("unencoded character {character:?} at byte {at}")]
    UnencodedCharacter {
        /// The character.
        character: char,
        /// Its position in bytes.
        at: usize,
    },
    /// The URL has a fragment, which has no meaning here (RFC 6455 §3). Write `#` itself as `%23`.
    #[error("the URL has a fragment")]
    Fragment,
    /// The host is empty.
    #[error("the host is empty")]
    EmptyHost,
    /// The host is neither a name nor an address.
    #[error("the host is neither a name nor an address")]
    InvalidHost,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    InvalidPort,
    /// HTTP can't carry the user name and password (RFC 7617 §2).
    #[error("the user name or password is badly percent-encoded or has a character HTTP forbids")]
    InvalidUserinfo,
}

impl Url {
    /// Parses a URL. Normalises nothing but the default port of the scheme.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a WebSocket URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NoScheme)?;
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        let secure = match () {
            () if is("ws") => false,
            () if is("wss") => true,
            () if is("http") => return Err(UrlError::HttpScheme { secure: false }),
            () if is("https") => return Err(UrlError::HttpScheme { secure: true }),
            () => return Err(UrlError::OtherScheme),
        };
        let unencoded = text.char_indices().find(|(_, character)| !character.is_ascii_graphic());
        if let Some((at, character)) = unencoded {
            return Err(UrlError::UnencodedCharacter { character, at });
        }
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path_and_query) = rest.split_at(end);
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, authority)) => (Some(userinfo), authority),
            None => (None, authority),
        };
        let authorization = userinfo.map(basic_authorization).transpose()?.flatten();
        let Authority { host, port } =
            Authority::parse(authority).map_err(|error| match error {
                AuthorityError::EmptyHost => UrlError::EmptyHost,
                AuthorityError::InvalidHost => UrlError::InvalidHost,
                AuthorityError::InvalidPort => UrlError::InvalidPort,
            })?;
        let default = if secure { 443 } else { 80 };
        let (authority, port) = match port {
            Some(0) => return Err(UrlError::InvalidPort),
            Some(port) if port != default => (format!("{host}:{port}"), port),
            _ => (host.to_owned(), default),
        };
        let host_len = host.len();
        let target = target(path_and_query);
        let scheme = if secure { "wss" } else { "ws" };
        let userinfo = userinfo.filter(|userinfo| !userinfo.is_empty());
        let (userinfo, at) = userinfo.map_or(("", ""), |userinfo| (userinfo, "@"));
        let text = format!("{scheme}://{userinfo}{at}{authority}{target}");
        Ok(Self { text, secure, authority, host_len, port, target, authorization })
    }

    /// Returns `true` if the connection must use TLS, that is, if the scheme is `wss`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the host to resolve: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        without_brackets(&self.authority[..self.host_len])
    }

    /// Returns the port, or the default port of the scheme if the URL has none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the value of the `Host` header: the host, in brackets if it is an IPv6 address, and
    /// the port unless it is the default.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns path and query, percent-encoded as in the URL. RFC 6455 calls this the resource
    /// name.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the value of the `Authorization` header for the user name and password, if the URL
    /// has them (RFC 7617).
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}

impl Url {
    /// Returns the URL without a user name and a password.
    pub(super) fn without_userinfo(mut self) -> Self {
        self.text = format!("{self}");
        self.authorization = None;
        self
    }
}

/// Returns the resource name (RFC 6455 §3). An empty path becomes `/`, and an empty query is
/// omitted.
fn target(path_and_query: &str) -> String {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let path = if path.is_empty() { "/" } else { path };
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Returns the `Basic` credentials for the user information in a URL.
fn basic_authorization(userinfo: &str) -> Result<Option<String>, UrlError> {
    if userinfo.is_empty() {
        return Ok(None);
    }
    let (user, password) = url_userinfo(userinfo).ok_or(UrlError::InvalidUserinfo)?;
    basic_credentials(&user, &password).map(Some).ok_or(UrlError::InvalidUserinfo)
}

/// Returns a user name and a password as a header value, or `None` if it can't carry them
/// (RFC 7617 §2).
pub(crate) fn basic_credentials(user: &[u8], password: &[u8]) -> Option<String> {
    let credentials = [user, password].join(&b':');
    let is_valid = !user.contains(&b':') && !credentials.iter().any(u8::is_ascii_control);
    is_valid.then(|| format!("Basic {}", STANDARD.encode(credentials)))
}

/// Decodes the user name and the password in a URL, or returns `None` if they are badly encoded.
pub(crate) fn url_userinfo(userinfo: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    // URL parsers disagree about the host if there is another @ or a backslash.
    if !userinfo.bytes().all(|byte| is_name_byte(byte) || b":%".contains(&byte)) {
        return None;
    }
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    Some((percent_decode(user)?, percent_decode(password)?))
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: Option<u8>| {
        char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
    };
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            _ => byte,
        });
    }
    Some(decoded)
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

/// Returns the whole URL, including the user name and password, so that you can pass a `Url` to
/// `connect`.
impl AsRef<str> for Url {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// Shows the URL without a user name and password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn splits_a_url_into_its_parts() {
        for (text, secure, host, port, authority, target) in [
            ("ws://h", false, "h", 80, "h", "/"),
            ("WSS://Example.com/", true, "Example.com", 443, "Example.com", "/"),
            ("ws://h:80/a", false, "h", 80, "h", "/a"),
            ("ws://h:443/a", false, "h", 443, "h:443", "/a"),
            ("wss://h:80", true, "h", 80, "h:80", "/"),
            ("wss://h:443?q", true, "h", 443, "h", "/?q"),
            ("ws://h:/", false, "h", 80, "h", "/"),
            ("ws://[2001:db8::1]", false, "2001:db8::1", 80, "[2001:db8::1]", "/"),
            ("ws://[::1]:81/", false, "::1", 81, "[::1]:81", "/"),
            ("ws://h/a%20b/%2F?c=%23&d=/?", false, "h", 80, "h", "/a%20b/%2F?c=%23&d=/?"),
            ("ws://h/a?", false, "h", 80, "h", "/a"),
            ("ws://h//a/../b", false, "h", 80, "h", "//a/../b"),
            ("ws://h/x@y:z", false, "h", 80, "h", "/x@y:z"),
            ("ws://h/ws://i", false, "h", 80, "h", "/ws://i"),
        ] {
            let url: Url = text.parse().unwrap();
            let parts = (url.is_secure(), url.host(), url.port(), url.authority(), url.target());
            assert_eq!(parts, (secure, host, port, authority, target), "{text}");
            assert_eq!(url.authorization(), None);
        }
    }

    #[test]
    fn a_url_is_the_text_of_itself() {
        for text in ["ws://a/", "wss://u:p%20w@[::1]:8443/chat?room=1"] {
            let url = Url::parse(text).unwrap();
            assert_eq!(url.as_ref(), text);
            assert_eq!(Url::parse(url.as_ref()).unwrap(), url);
        }
        assert_eq!(Url::parse("WS://A:80").unwrap().as_ref(), "ws://A/");
        assert_eq!(Url::parse("ws://@a/"), Url::parse("ws://a/"));
    }

    #[test]
    fn user_name_and_password_become_basic_authorization() {
        for (userinfo, expected) in [
            ("user:pass", Some("Basic dXNlcjpwYXNz")),
            ("user", Some("Basic dXNlcjo=")),
            ("user:", Some("Basic dXNlcjo=")),
            (":", Some("Basic Og==")),
            ("us%65r:p%61s%73", Some("Basic dXNlcjpwYXNz")),
            ("user:a:b%40%C3%A4", Some("Basic dXNlcjphOmJAw6Q=")),
            ("", None),
        ] {
            let url = Url::parse(&format!("ws://{userinfo}@h:81/")).unwrap();
            assert_eq!(url.authorization(), expected, "{userinfo}");
            assert_eq!(url.authority(), "h:81");
            assert_eq!(url.to_string(), "ws://h:81/");
            assert_eq!(format!("{url:?}"), "Url(ws://h:81/)");
        }
        for userinfo in ["a%3Ab", "a%0d", "a:%00", "a%", "a%4", "a%zz", "a%+1", "a@b", "a\\", "[a]"]
        {
            let url = Url::parse(&format!("ws://{userinfo}@h/"));
            assert_eq!(url, Err(UrlError::InvalidUserinfo), "{userinfo}");
        }
    }

    #[test]
    fn reports_errors() {
        let unencoded = |character, at| UrlError::UnencodedCharacter { character, at };
        for (text, error) in [
            ("", UrlError::NoScheme),
            ("example.com", UrlError::NoScheme),
            ("ws:/h", UrlError::NoScheme),
            ("http://h", UrlError::HttpScheme { secure: false }),
            ("HTTPS://h", UrlError::HttpScheme { secure: true }),
            ("ftp://h", UrlError::OtherScheme),
            (" ws://h", UrlError::OtherScheme),
            ("ws://h/#", UrlError::Fragment),
            ("ws://h#x", UrlError::Fragment),
            ("ws://h/a b", unencoded(' ', 8)),
            ("ws://h/\t", unencoded('\t', 7)),
            ("ws://h/\r\nX: y", unencoded('\r', 7)),
            ("ws://h/\0", unencoded('\0', 7)),
            ("ws://b\u{fc}cher/", unencoded('\u{fc}', 6)),
            ("ws://h/?\u{7f}", unencoded('\u{7f}', 8)),
            ("ws://", UrlError::EmptyHost),
            ("ws:///x", UrlError::EmptyHost),
            ("ws://:80", UrlError::EmptyHost),
            ("ws://u@", UrlError::EmptyHost),
            ("ws://?x", UrlError::EmptyHost),
            ("ws://[::1", UrlError::InvalidHost),
            ("ws://h\\x", UrlError::InvalidHost),
            ("ws://%68", UrlError::InvalidHost),
            ("ws://h:0", UrlError::InvalidPort),
            ("ws://h:65536", UrlError::InvalidPort),
            ("ws://h:8o", UrlError::InvalidPort),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
        let text = UrlError::HttpScheme { secure: true }.to_string();
        assert_eq!(text, "the scheme is https, use wss");
    }
}
