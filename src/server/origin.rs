//! Which web pages a server accepts browsers from (RFC 6455 §10.2).

use crate::handshake::authority::{Authority, AuthorityError, default_port};
use crate::handshake::{HandshakeError, Request, excerpt};
use alloc::{borrow::ToOwned, string::String, sync::Arc};
use thiserror::Error;

/// A policy for which web pages may open a WebSocket to a server (RFC 6455 §10.2).
///
/// A browser lets any page open a WebSocket to any server, and sends the user's cookies. The
/// `Origin` of the request tells which page it was. The default policy is
/// [`same_origin`](Self::same_origin). A request without an `Origin` does not come from a page, and
/// every policy allows it.
///
/// ```
/// use sansocket::server::OriginPolicy;
///
/// // Pages of two other sites.
/// let policy = OriginPolicy::allow(["https://example.com", "https://*.example.com:8443"])?;
///
/// // Pages of this server, and an app that bundles its pages.
/// let policy = OriginPolicy::same_origin().also_allow(["capacitor://localhost", "null"])?;
/// # Ok::<(), sansocket::server::OriginPatternError>(())
/// ```
#[doc(alias = "CheckOrigin")]
#[doc(alias = "verifyClient")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPolicy {
    same_origin: bool,
    /// Shared, so that each connection can have a copy of the policy. `None` is an empty list.
    allowed: Option<Arc<[Pattern]>>,
    any: bool,
}

/// An origin in an allow-list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// `null`: pages that have no origin of their own.
    Null,
    /// `file://` and the like.
    Scheme(String),
    Host(HostPattern),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct HostPattern {
    scheme: String,
    /// Without the leading `*.`, if there is one.
    host: String,
    any_subdomain: bool,
    port: PortPattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PortPattern {
    Is(Option<u16>),
    Any,
}

/// Why an entry of an allow-list can't match any origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OriginPatternError {
    /// The entry has no scheme, or an invalid one before `://`.
    #[error("an origin must begin with a scheme, such as https://")]
    Scheme,
    /// Something follows the host and port. An origin has no path, not even a slash.
    #[error("an origin must not have a path, not even a final slash")]
    Path,
    /// A `*` that does not stand for the labels before a name, or for the port.
    #[error("* may only replace the labels before a name, as in https://*.example.com, or a port")]
    Wildcard,
    /// The host is neither a name nor an address.
    #[error("the host is neither a name nor an address")]
    Host,
    /// The port is not a number up to 65535.
    #[error("the port is not a number up to 65535")]
    Port,
}

impl OriginPolicy {
    /// Allows pages with the same host and port as the request. This is the default.
    ///
    /// Schemes are not compared, because a server behind a proxy does not know its own. If `Host`
    /// has no port, the default port of the scheme in `Origin` is assumed.
    #[must_use]
    pub const fn same_origin() -> Self {
        Self { same_origin: true, allowed: None, any: false }
    }

    /// Allows pages of any origin. Use this only for a server that trusts neither cookies nor the
    /// network that a request comes from.
    #[must_use]
    pub const fn any() -> Self {
        Self { same_origin: false, allowed: None, any: true }
    }

    /// Allows pages of these origins only, and not even those of the server's own host. To add to
    /// those, see [`also_allow`](Self::also_allow).
    ///
    /// | an entry | allows |
    /// |---|---|
    /// | `https://example.com`, `http://localhost:3000` | this origin |
    /// | `https://*.example.com` | every name below `example.com`, but not `example.com` itself |
    /// | `http://localhost:*` | every port |
    /// | `tauri://localhost`, `chrome-extension://abcdef` | pages of an app or browser extension |
    /// | `file://`, `app://` | all pages of a scheme that has no hosts |
    /// | `null` | pages without an origin: sandboxed frames, and local files in most browsers |
    ///
    /// Any site can open a sandboxed frame, so `null` allows pages of every site.
    ///
    /// # Errors
    ///
    /// Returns an error if an entry can't match any origin.
    pub fn allow<I: IntoIterator<Item: AsRef<str>>>(
        origins: I,
    ) -> Result<Self, OriginPatternError> {
        let nothing = Self { same_origin: false, allowed: None, any: false };
        nothing.also_allow(origins)
    }

    /// Allows these origins in addition to those that are already allowed. The entries have the
    /// same form as those of [`allow`](Self::allow).
    ///
    /// # Errors
    ///
    /// Returns an error if an entry can't match any origin.
    pub fn also_allow<I: IntoIterator<Item: AsRef<str>>>(
        mut self,
        origins: I,
    ) -> Result<Self, OriginPatternError> {
        let before = self.allowed.iter().flat_map(|list| list.iter().cloned()).map(Ok);
        let new = origins.into_iter().map(|origin| Pattern::parse(origin.as_ref()));
        self.allowed = Some(before.chain(new).collect::<Result<_, _>>()?);
        Ok(self)
    }

    /// Checks the `Origin` of a request.
    ///
    /// # Errors
    ///
    /// Returns an error if the origin is not allowed. Refuse such a request with status 403.
    pub fn check(&self, request: &Request) -> Result<(), HandshakeError> {
        self.check_origin(request.host(), request.headers_named("Origin"))
    }

    /// Checks a request that does not ask for a WebSocket: one that changes something or answers with
    /// data, and whose client is known by a cookie. `host` is the value of its `Host` or `:authority`,
    /// `origins` are the values of all of its `Origin` fields.
    ///
    /// Browsers send an `Origin` with every POST, and with each GET of a script that may read the
    /// response on another site. A GET without one is of this site, or its response can't be read.
    ///
    /// ```
    /// use sansocket::server::OriginPolicy;
    ///
    /// let policy = OriginPolicy::same_origin();
    /// assert!(policy.check_origin("example.com", [b"https://example.com".as_slice()]).is_ok());
    /// assert!(policy.check_origin("example.com", [b"https://example.org".as_slice()]).is_err());
    /// assert!(policy.check_origin("example.com", []).is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the origin is not allowed. Refuse such a request with status 403.
    pub fn check_origin<'a>(
        &self,
        host: &str,
        origins: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), HandshakeError> {
        let mut values = origins.into_iter();
        let Some(value) = values.next() else { return Ok(()) };
        // A request with two origins is treated like one from an unknown origin.
        let is_one = values.next().is_none();
        if self.any || is_one && Origin::parse(value).is_some_and(|it| self.allows(it, host)) {
            Ok(())
        } else {
            Err(HandshakeError::OriginNotAllowed(excerpt(value)))
        }
    }

    fn allows(&self, origin: Origin<'_>, host: &str) -> bool {
        let mut patterns = self.allowed.iter().flat_map(|list| list.iter());
        patterns.any(|pattern| pattern.matches(origin)) || self.same_origin && origin.is_of(host)
    }
}

impl Default for OriginPolicy {
    fn default() -> Self {
        Self::same_origin()
    }
}

/// A serialised origin (RFC 6454 §6.2).
#[derive(Clone, Copy)]
enum Origin<'a> {
    Null,
    /// A scheme without a host.
    Scheme(&'a str),
    Host {
        scheme: &'a str,
        host: &'a str,
        /// Includes the scheme's default port.
        port: Option<u16>,
    },
}

impl<'a> Origin<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        let text = core::str::from_utf8(value).ok()?;
        if text == "null" {
            return Some(Self::Null);
        }
        let (scheme, authority) = text.split_once("://")?;
        if authority.is_empty() {
            return Some(Self::Scheme(scheme));
        }
        let Authority { host, port } = Authority::parse(authority).ok()?;
        Some(Self::Host { scheme, host, port: port.or(default_port(scheme)) })
    }

    fn is_of(self, own: &str) -> bool {
        let Self::Host { scheme, host, port } = self else { return false };
        let (Ok(own), Some(default)) = (Authority::parse(own), default_port(scheme)) else {
            return false;
        };
        own.host.eq_ignore_ascii_case(host) && Some(own.port.unwrap_or(default)) == port
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, OriginPatternError> {
        if text == "null" {
            return Ok(Self::Null);
        }
        let (scheme, authority) = text.split_once("://").ok_or(OriginPatternError::Scheme)?;
        let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            || !scheme.bytes().all(is_scheme_byte)
        {
            return Err(OriginPatternError::Scheme);
        }
        // A page that was loaded over HTTP always has a host.
        if authority.is_empty() && default_port(scheme).is_none() {
            return Ok(Self::Scheme(scheme.to_owned()));
        }
        HostPattern::parse(scheme, authority).map(Self::Host)
    }

    fn matches(&self, origin: Origin<'_>) -> bool {
        match (self, origin) {
            (Self::Null, Origin::Null) => true,
            (Self::Scheme(own), Origin::Scheme(scheme)) => own.eq_ignore_ascii_case(scheme),
            (Self::Host(own), Origin::Host { scheme, host, port }) => {
                own.matches(scheme, host, port)
            }
            _ => false,
        }
    }
}

impl HostPattern {
    fn parse(scheme: &str, authority: &str) -> Result<Self, OriginPatternError> {
        if authority.contains(['/', '?', '#']) {
            return Err(OriginPatternError::Path);
        }
        let (authority, any_port) = match authority.strip_suffix(":*") {
            Some(authority) => (authority, true),
            None => (authority, false),
        };
        let (authority, any_subdomain) = match authority.strip_prefix("*.") {
            Some(authority) => (authority, true),
            None => (authority, false),
        };
        if authority.contains('*') {
            return Err(OriginPatternError::Wildcard);
        }
        let Authority { host, port } =
            Authority::parse(authority).map_err(|error| match error {
                AuthorityError::InvalidPort => OriginPatternError::Port,
                _ => OriginPatternError::Host,
            })?;
        // There are no subdomains of an address. The last label of an IPv4 address is a number.
        let last_label = host.rsplit('.').next().unwrap_or_default();
        let is_address =
            host.starts_with('[') || last_label.bytes().all(|byte| byte.is_ascii_digit());
        if any_subdomain && is_address {
            return Err(OriginPatternError::Wildcard);
        }
        let port = match (any_port, port) {
            (true, Some(_)) => return Err(OriginPatternError::Port),
            (true, None) => PortPattern::Any,
            (false, port) => PortPattern::Is(port.or(default_port(scheme))),
        };
        Ok(Self { scheme: scheme.to_owned(), host: host.to_owned(), any_subdomain, port })
    }

    fn matches(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let is_port = match self.port {
            PortPattern::Any => true,
            PortPattern::Is(own) => own == port,
        };
        is_port && self.scheme.eq_ignore_ascii_case(scheme) && self.matches_host(host)
    }

    fn matches_host(&self, host: &str) -> bool {
        if !self.any_subdomain {
            return host.eq_ignore_ascii_case(&self.host);
        }
        // Split the bytes, not the `str`: the position may be inside a character.
        let Some(labels) = host.len().checked_sub(self.host.len()) else { return false };
        let (labels, name) = host.as_bytes().split_at(labels);
        name.eq_ignore_ascii_case(self.host.as_bytes())
            && labels.len() > 1
            && labels.ends_with(b".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::HttpVersion;
    use alloc::string::ToString;

    fn request(target: &str, host: &str, origins: &[&str]) -> Request {
        let headers = [
            ("Host", host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        let origins = origins.iter().map(|origin| ("Origin", *origin));
        let headers = headers.into_iter().chain(origins);
        let headers = headers.map(|(name, value)| (name, value.as_bytes()));
        Request::new("GET", target, HttpVersion::HTTP_11, headers).unwrap()
    }

    fn allows(policy: &OriginPolicy, origin: &str) -> bool {
        policy.check(&request("/", "example.com", &[origin])).is_ok()
    }

    #[test]
    fn same_origin_compares_host_and_port() {
        let policy = OriginPolicy::default();
        assert_eq!(policy, OriginPolicy::same_origin());
        let same = |host: &str, origin: &str| policy.check(&request("/", host, &[origin])).is_ok();
        for (host, origin) in [
            ("example.com", "https://example.com"),
            ("example.com", "http://example.com"),
            ("EXAMPLE.com", "https://Example.COM"),
            ("example.com", "https://example.com:443"),
            ("example.com:443", "https://example.com"),
            ("example.com:80", "http://example.com"),
            ("example.com:8080", "https://example.com:8080"),
            ("example.com:8080", "http://example.com:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("localhost:", "http://localhost"),
        ] {
            assert!(same(host, origin), "{host} {origin}");
        }
        for (host, origin) in [
            ("example.com", "https://example.org"),
            ("example.com", "https://sub.example.com"),
            ("sub.example.com", "https://example.com"),
            ("example.com", "https://example.com.evil.example"),
            ("example.com", "https://example.com:8443"),
            ("example.com:443", "http://example.com"),
            ("example.com:80", "https://example.com"),
            ("example.com:8080", "https://example.com"),
            ("example.com", "http://example.com:443"),
            ("example.com", "ftp://example.com"),
            ("example.com", "null"),
            ("null", "null"),
            ("example.com", ""),
            ("example.com", "example.com"),
            ("example.com", "https://example.com/"),
            ("example.com", "https://user@example.com"),
            ("example.com", "https://example.com https://evil.example"),
            ("example.com", "https://"),
        ] {
            assert!(!same(host, origin), "{host} {origin}");
        }
    }

    #[test]
    fn the_host_of_an_absolute_target_takes_precedence() {
        let policy = OriginPolicy::default();
        let absolute = |origin| request("http://h:81/", "example.com", &[origin]);
        assert_eq!(policy.check(&absolute("http://h:81")), Ok(()));
        assert!(policy.check(&absolute("http://example.com")).is_err());
    }

    #[test]
    fn no_origin_is_allowed_but_two_are_not() {
        let list = OriginPolicy::allow(["https://example.com"]).unwrap();
        for policy in [OriginPolicy::default(), list, OriginPolicy::any()] {
            assert_eq!(policy.check(&request("/", "example.com", &[])), Ok(()));
            let two = request("/", "example.com", &["https://example.com"; 2]);
            assert_eq!(policy.check(&two).is_ok(), policy == OriginPolicy::any());
        }
    }

    #[test]
    fn any_allows_every_origin() {
        for origin in ["null", "https://evil.example", "?"] {
            assert!(allows(&OriginPolicy::any(), origin));
        }
    }

    #[test]
    fn cross_site_hijacking() {
        let policy = OriginPolicy::default();
        let error = policy.check(&request("/", "bank.example", &["https://evil.example"]));
        let error = error.unwrap_err();
        assert_eq!(error, HandshakeError::OriginNotAllowed("https://evil.example".into()));
        assert_eq!(error.status(), 403);
        assert!(error.to_string().contains("https://evil.example"));
    }

    #[test]
    fn allow_list_patterns() {
        let policy = OriginPolicy::allow([
            "https://example.com",
            "https://*.example.org",
            "http://*.example.net:8080",
            "http://localhost:*",
            "HTTP://[::1]",
            "app://x",
        ]);
        let policy = policy.unwrap();
        for origin in [
            "https://example.com",
            "https://example.com:443",
            "HTTPS://EXAMPLE.com",
            "https://a.example.org",
            "https://a.b.EXAMPLE.org",
            "http://a.example.net:8080",
            "http://localhost",
            "http://localhost:1",
            "http://[::1]:80",
            "app://x",
        ] {
            assert!(allows(&policy, origin), "{origin}");
        }
        for origin in [
            "http://example.com",
            "https://example.com:8443",
            "https://a.example.com",
            "https://example.org",
            "https://.example.org",
            "https://evilexample.org",
            "https://a.example.org:8443",
            "https://a.example.org.evil.example",
            "https://evil.example/.example.org",
            "https://evil.example?.example.org",
            "https://evil.example#.example.org",
            "https://evil.example:80.example.org",
            "http://a.example.net",
            "https://localhost",
            "http://[::2]",
            "app://y",
            "app://x:1",
            "null",
            "",
        ] {
            assert!(!allows(&policy, origin), "{origin}");
        }
        let none = OriginPolicy::allow([""; 0]).unwrap();
        assert!(!allows(&none, "https://example.com"));
    }

    #[test]
    fn origins_without_a_host_can_be_allowed() {
        let policy = OriginPolicy::allow(["null", "file://", "tauri://localhost"]).unwrap();
        for origin in ["null", "file://", "FILE://", "tauri://localhost"] {
            assert!(allows(&policy, origin), "{origin}");
        }
        for origin in ["Null", "file:", "file:///", "file://x", "app://", "tauri://", ""] {
            assert!(!allows(&policy, origin), "{origin}");
        }
        assert!(!allows(&OriginPolicy::allow(["file://"]).unwrap(), "null"));
    }

    #[test]
    fn same_origin_can_be_extended() {
        let policy = OriginPolicy::same_origin().also_allow(["https://a.example"]).unwrap();
        let policy = policy.also_allow(["null"]).unwrap();
        for origin in ["https://example.com", "https://a.example", "null"] {
            assert!(allows(&policy, origin), "{origin}");
        }
        assert!(!allows(&policy, "https://b.example"));
        let only = OriginPolicy::allow(["https://a.example"]).unwrap();
        assert!(!allows(&only, "https://example.com"));
    }

    #[test]
    fn patterns_that_match_no_origin_are_errors() {
        use OriginPatternError::{Host, Path, Port, Scheme, Wildcard};
        for (pattern, error) in [
            ("", Scheme),
            ("*", Scheme),
            ("null:", Scheme),
            ("example.com", Scheme),
            ("https://", Host),
            ("://example.com", Scheme),
            ("*://example.com", Scheme),
            ("1a://example.com", Scheme),
            ("https://example.com/", Path),
            ("https://example.com?x", Path),
            ("https://example.com#x", Path),
            ("https://*", Wildcard),
            ("https://*:443", Wildcard),
            ("https://a.*.com", Wildcard),
            ("https://a*.com", Wildcard),
            ("https://*.*.com", Wildcard),
            ("https://*.[::1]", Wildcard),
            ("https://*.0.0.1", Wildcard),
            ("https://*.1", Wildcard),
            ("https://", Host),
            ("https://*.", Host),
            ("https://a b", Host),
            ("https://[::1", Host),
            ("https://h:x", Port),
            ("https://h:65536", Port),
            ("https://h:1:*", Port),
        ] {
            assert_eq!(OriginPolicy::allow([pattern]), Err(error), "{pattern}");
        }
    }
}
