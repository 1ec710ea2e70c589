use crate::handshake::authority::{Authority, AuthorityError, default_port};
use crate::handshake::{HandshakeError, Request, excerpt};
use alloc::{borrow::ToOwned, string::String, sync::Arc};
use thiserror::Error;

/// Which web pages may open a WebSocket to a server (RFC 6455 §10.2).
///
/// A browser lets any page ask any server for a WebSocket, with the user's cookies; it says in
/// `Origin` which page that was. A request without an `Origin` is not from a page, and always
/// allowed. `Origin: null`, of pages that have none of their own, is only allowed by
/// [`any`](Self::any).
///
/// ```
/// use sansocket::OriginPolicy;
///
/// let policy = OriginPolicy::allow(["https://example.com", "https://*.example.com:8443"])?;
/// # Ok::<(), sansocket::OriginPatternError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginPolicy(Rule);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Rule {
    #[default]
    SameOrigin,
    /// Shared, so that each connection can have the policy.
    Allow(Arc<[Pattern]>),
    Any,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    scheme: String,
    /// Behind the `*`, if there is one.
    host: String,
    any_subdomain: bool,
    port: PortPattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PortPattern {
    Is(Option<u16>),
    Any,
}

/// An origin in an allow-list that can't match any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OriginPatternError {
    /// No scheme, or what stands before `://` is none.
    #[error("an origin begins with a scheme, such as https://")]
    Scheme,
    /// Something behind the host and port: an origin has no path, not even a slash.
    #[error("an origin has no path, not even a final slash")]
    Path,
    /// A `*` that does not stand for the labels in front of a name, or for the port.
    #[error("* stands in front of a name, as in https://*.example.com, or for the port")]
    Wildcard,
    /// A host that is neither a name nor an address.
    #[error("the host is neither a name nor an address")]
    Host,
    /// A port that is not a number up to 65535.
    #[error("the port is not a number up to 65535")]
    Port,
}

impl OriginPolicy {
    /// Allows pages of the host and port that the request is for: the default.
    ///
    /// Schemes are not compared, as a server behind a proxy does not know its own; a `Host`
    /// without a port stands for the port of the scheme of the `Origin`.
    #[must_use]
    pub const fn same_origin() -> Self {
        Self(Rule::SameOrigin)
    }

    /// Allows pages of any origin. Only for a server that does not trust cookies or the network
    /// that a request comes from.
    #[must_use]
    pub const fn any() -> Self {
        Self(Rule::Any)
    }

    /// Allows pages of these origins, such as `https://example.com` or `http://localhost:3000`.
    ///
    /// `https://*.example.com` stands for every name below `example.com`, but not for itself;
    /// `http://localhost:*` for every port.
    ///
    /// # Errors
    ///
    /// If one of them can't match any origin.
    pub fn allow<I: IntoIterator<Item: AsRef<str>>>(
        origins: I,
    ) -> Result<Self, OriginPatternError> {
        let patterns = origins.into_iter().map(|origin| Pattern::parse(origin.as_ref()));
        Ok(Self(Rule::Allow(patterns.collect::<Result<_, _>>()?)))
    }

    /// Checks the `Origin` of a request.
    ///
    /// # Errors
    ///
    /// If it is not allowed. The answer to that has status 403.
    pub fn check(&self, request: &Request) -> Result<(), HandshakeError> {
        let mut values = request.headers_named("Origin");
        let Some(value) = values.next() else { return Ok(()) };
        let allowed = match &self.0 {
            Rule::Any => true,
            // Two of them are as good as none that is known.
            _ if values.next().is_some() => false,
            rule => Origin::parse(value).is_some_and(|origin| match rule {
                Rule::Allow(patterns) => patterns.iter().any(|pattern| pattern.matches(origin)),
                _ => origin.is_of(request.host()),
            }),
        };
        if allowed { Ok(()) } else { Err(HandshakeError::OriginNotAllowed(excerpt(value))) }
    }
}

/// A serialised origin (RFC 6454 §6.2).
#[derive(Clone, Copy)]
struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    /// With the scheme's default filled in.
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        let (scheme, authority) = core::str::from_utf8(value).ok()?.split_once("://")?;
        let Authority { host, port } = Authority::parse(authority).ok()?;
        Some(Self { scheme, host, port: port.or(default_port(scheme)) })
    }

    fn is_of(self, host: &str) -> bool {
        let (Ok(own), Some(default)) = (Authority::parse(host), default_port(self.scheme)) else {
            return false;
        };
        own.host.eq_ignore_ascii_case(self.host) && Some(own.port.unwrap_or(default)) == self.port
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, OriginPatternError> {
        let (scheme, authority) = text.split_once("://").ok_or(OriginPatternError::Scheme)?;
        let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            || !scheme.bytes().all(is_scheme_byte)
        {
            return Err(OriginPatternError::Scheme);
        }
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
        // Nothing stands below an address; the last label of an IPv4 address is a number.
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

    fn matches(&self, origin: Origin<'_>) -> bool {
        let port = match self.port {
            PortPattern::Any => true,
            PortPattern::Is(port) => port == origin.port,
        };
        port && self.scheme.eq_ignore_ascii_case(origin.scheme) && self.matches_host(origin.host)
    }

    fn matches_host(&self, host: &str) -> bool {
        if !self.any_subdomain {
            return host.eq_ignore_ascii_case(&self.host);
        }
        // In bytes: any place may be cut.
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
    fn same_origin_is_the_same_host_and_port() {
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
    fn the_host_is_the_one_that_counts() {
        let policy = OriginPolicy::default();
        let absolute = |origin| request("http://h:81/", "example.com", &[origin]);
        assert_eq!(policy.check(&absolute("http://h:81")), Ok(()));
        assert!(policy.check(&absolute("http://example.com")).is_err());
    }

    #[test]
    fn none_is_allowed_two_are_not() {
        let list = OriginPolicy::allow(["https://example.com"]).unwrap();
        for policy in [OriginPolicy::default(), list, OriginPolicy::any()] {
            assert_eq!(policy.check(&request("/", "example.com", &[])), Ok(()));
            let two = request("/", "example.com", &["https://example.com"; 2]);
            assert_eq!(policy.check(&two).is_ok(), policy == OriginPolicy::any());
        }
    }

    #[test]
    fn any_is_any() {
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
        let reject = error.reject();
        assert_eq!(reject.status, 403);
        let text = core::str::from_utf8(&reject.body).unwrap();
        assert!(text.contains("https://evil.example"));
        assert!(text.contains("OriginPolicy"), "the text names the setting");
    }

    #[test]
    fn patterns_of_an_allow_list() {
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
    fn patterns_that_match_nothing_are_errors() {
        use OriginPatternError::{Host, Path, Port, Scheme, Wildcard};
        for (pattern, error) in [
            ("", Scheme),
            ("*", Scheme),
            ("null", Scheme),
            ("example.com", Scheme),
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
