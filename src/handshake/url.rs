use super::authority::{Authority, AuthorityError};
use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use base64::{Engine, engine::general_purpose::STANDARD};
use core::{fmt, str::FromStr};
use thiserror::Error;

/// A `ws:` or `wss:` URL (RFC 6455 §3).
///
/// Its text forms leave user name and password out.
///
/// ```
/// use sansocket::Url;
///
/// let url = Url::parse("wss://[::1]:8443/chat?room=1")?;
/// assert!(url.is_secure());
/// assert_eq!((url.host(), url.port()), ("::1", 8443));
/// assert_eq!(url.authority(), "[::1]:8443");
/// assert_eq!(url.target(), "/chat?room=1");
/// # Ok::<(), sansocket::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    secure: bool,
    /// The host with its brackets, then the port unless it is the scheme's.
    authority: String,
    host_len: usize,
    port: u16,
    target: String,
    authorization: Option<String>,
}

/// A text that is not the URL of a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// No `://`.
    #[error("a URL begins with ws:// or wss://")]
    NoScheme,
    /// A scheme of HTTP.
    #[error("the scheme is http{0}, use ws{0}", if *.secure { "s" } else { "" })]
    HttpScheme {
        /// Whether it is `https`, for which `wss` stands.
        secure: bool,
    },
    /// Another scheme than `ws` and `wss`.
    #[error("the scheme is neither ws nor wss")]
    OtherScheme,
    /// A space, a control or a character that is not ASCII, which has to be percent-encoded (in a
    /// host: Punycode).
    #[error("unencoded character {character:?} at byte {at}")]
    UnencodedCharacter {
        /// The character.
        character: char,
        /// Where it is.
        at: usize,
    },
    /// A fragment, which has no meaning here (RFC 6455 §3). `#` itself is written `%23`.
    #[error("there is a fragment")]
    Fragment,
    /// No host.
    #[error("the host is empty")]
    EmptyHost,
    /// A host that is neither a name nor an address.
    #[error("the host is neither a name nor an address")]
    InvalidHost,
    /// A port that is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    InvalidPort,
    /// A user name and password that HTTP can't carry (RFC 7617 §2).
    #[error("user name or password is not well percent-encoded or has a character HTTP forbids")]
    InvalidUserinfo,
}

impl Url {
    /// Reads a URL. Nothing is normalised but what depends on the scheme: the default port.
    ///
    /// # Errors
    ///
    /// If it is not one of a WebSocket.
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
        Ok(Self { secure, authority, host_len, port, target, authorization })
    }

    /// Whether the connection is to go over TLS: the scheme is `wss`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host, to be resolved: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = &self.authority[..self.host_len];
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The port, the scheme's if none is given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host, in brackets if it is an IPv6 address, and the port unless it is the scheme's:
    /// the value of the `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query, percent-encoded as they were: RFC 6455's resource name.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The value of the `Authorization` header for the user name and password, if there are any
    /// (RFC 7617).
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}

/// The resource name (RFC 6455 §3): an empty path is `/`, an empty query none.
fn target(path_and_query: &str) -> String {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let path = if path.is_empty() { "/" } else { path };
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// `user:password` for the header, from how it stands in a URL.
fn basic_authorization(userinfo: &str) -> Result<Option<String>, UrlError> {
    if userinfo.is_empty() {
        return Ok(None);
    }
    if userinfo.contains('@') {
        return Err(UrlError::InvalidUserinfo);
    }
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let mut credentials = percent_decode(user)?;
    if credentials.contains(&b':') {
        return Err(UrlError::InvalidUserinfo);
    }
    credentials.push(b':');
    credentials.extend(percent_decode(password)?);
    if credentials.iter().any(u8::is_ascii_control) {
        return Err(UrlError::InvalidUserinfo);
    }
    Ok(Some(format!("Basic {}", STANDARD.encode(credentials))))
}

fn percent_decode(text: &str) -> Result<Vec<u8>, UrlError> {
    let digit = |byte: Option<u8>| {
        char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
    };
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let (high, low) = (digit(bytes.next()), digit(bytes.next()));
            let (Some(high), Some(low)) = (high, low) else {
                return Err(UrlError::InvalidUserinfo);
            };
            high << 4 | low
        } else {
            byte
        });
    }
    Ok(decoded)
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

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
