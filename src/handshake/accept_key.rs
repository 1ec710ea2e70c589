//! The value of `Sec-WebSocket-Accept` (RFC 6455 §4.2.2).

use base64::{Engine, engine::general_purpose::STANDARD};
use core::fmt;
use sha1::{Digest, Sha1};

/// The length of a `Sec-WebSocket-Key`: 16 bytes in base64.
pub(super) const KEY_LEN: usize = 24;

/// The length of a `Sec-WebSocket-Accept`: 20 bytes in base64.
const ACCEPT_LEN: usize = 28;

/// Returns the `Sec-WebSocket-Accept` value for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2, step 5.4).
///
/// The value proves that the server speaks WebSocket and answers this particular request. It is not
/// a secret.
///
/// ```
/// use sansocket::handshake::accept_key;
///
/// let accept = accept_key("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept.as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[doc(alias = "derive_accept_key")]
#[must_use]
pub fn accept_key(key: impl AsRef<[u8]>) -> AcceptKey {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut accept = [0; ACCEPT_LEN];
    let written = STANDARD.encode_slice(sha1.finalize(), &mut accept);
    debug_assert_eq!(written, Ok(ACCEPT_LEN), "20 bytes are 28 characters");
    AcceptKey(accept)
}

/// The value of a `Sec-WebSocket-Accept` header, created by [`accept_key`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AcceptKey([u8; ACCEPT_LEN]);

impl AcceptKey {
    /// Returns the value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Base64 is ASCII, so this never fails.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the value as bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<str> for AcceptKey {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for AcceptKey {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for AcceptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AcceptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Encodes a nonce as a `Sec-WebSocket-Key` (RFC 6455 §4.1, item 7 of the request).
pub(super) fn key_of(nonce: [u8; 16]) -> [u8; KEY_LEN] {
    let mut key = [0; KEY_LEN];
    let written = STANDARD.encode_slice(nonce, &mut key);
    debug_assert_eq!(written, Ok(KEY_LEN), "16 bytes are 24 characters");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_example_of_the_rfc() {
        assert_eq!(key_of(*b"the sample nonce"), *b"dGhlIHNhbXBsZSBub25jZQ==");
        let accept = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept.as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
