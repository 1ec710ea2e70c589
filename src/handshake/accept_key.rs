use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

/// Length of a `Sec-WebSocket-Key`: 16 bytes in base64.
pub(super) const KEY_LEN: usize = 24;

/// Length of a `Sec-WebSocket-Accept`: 20 bytes in base64.
const ACCEPT_LEN: usize = 28;

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455 §4.2.2, step 5.4).
///
/// It shows that the server speaks WebSocket and answers this very request; it is no secret.
///
/// ```
/// use sansocket::accept_key;
///
/// let accept = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(std::str::from_utf8(&accept), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
/// ```
#[must_use]
pub fn accept_key(key: &[u8]) -> [u8; ACCEPT_LEN] {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut accept = [0; ACCEPT_LEN];
    let written = STANDARD.encode_slice(sha1.finalize(), &mut accept);
    debug_assert_eq!(written, Ok(ACCEPT_LEN), "20 bytes are 28 characters");
    accept
}

/// The `Sec-WebSocket-Key` of a nonce (RFC 6455 §4.1, item 7 of the request).
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
    fn the_example_of_the_rfc() {
        assert_eq!(key_of(*b"the sample nonce"), *b"dGhlIHNhbXBsZSBub25jZQ==");
        let accept = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
