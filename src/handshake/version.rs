//! HTTP versions.

use core::fmt;

/// The fields that mean something for a connection of HTTP/1.1, but not for a stream of later versions
/// (RFC 9113 §8.2.2). `Transfer-Encoding` is one too, and concerns the body.
pub(super) const OF_CONNECTIONS: [&str; 4] =
    ["Connection", "Keep-Alive", "Proxy-Connection", "Upgrade"];

/// A version of HTTP (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a version has these two numbers")]
pub struct HttpVersion {
    /// The major version, which changes with the syntax of messages.
    pub major: u8,
    /// The minor version, which says what else the sender understands.
    pub minor: u8,
}

impl HttpVersion {
    /// HTTP/1.1, the version of the opening handshake.
    pub const HTTP_11: Self = Self { major: 1, minor: 1 };
    /// HTTP/2.
    pub const HTTP_2: Self = Self { major: 2, minor: 0 };
    /// HTTP/3.
    pub const HTTP_3: Self = Self { major: 3, minor: 0 };

    /// Parses a version such as `HTTP/1.1`. Both numbers have one digit (RFC 9112 §2.3).
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        match text {
            [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => {
                Some(Self { major: major - b'0', minor: minor - b'0' })
            }
            _ => None,
        }
    }
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP/{}.{}", self.major, self.minor)
    }
}
