//! Frames built by hand from RFC 6455 §5.2, so that tests don't feed the output of the code under
//! test back to it.

#[cfg(feature = "alloc")]
use sansocket::connection::{ProtocolError, Role};

/// The first byte of a whole text message.
pub const TEXT: u8 = 0x81;
/// The first byte of a whole binary message.
pub const BINARY: u8 = 0x82;
/// The first byte of a Close.
pub const CLOSE: u8 = 0x88;
/// The first byte of a ping.
pub const PING: u8 = 0x89;
/// The first byte of a pong.
pub const PONG: u8 = 0x8a;
/// The first byte of a first fragment of text.
pub const TEXT_START: u8 = 0x01;
/// The first byte of a first fragment of binary.
pub const BINARY_START: u8 = 0x02;
/// The first byte of a fragment that is neither the first nor the last.
pub const MORE: u8 = 0x00;
/// The first byte of a last fragment.
pub const LAST: u8 = 0x80;

/// The mask key of frames whose key the caller does not choose.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A server's Close with code 1000.
pub const CLOSE_NORMAL: [u8; 4] = [CLOSE, 2, 0x03, 0xe8];
/// A server's Close with code 1001.
pub const CLOSE_AWAY: [u8; 4] = [CLOSE, 2, 0x03, 0xe9];

/// Encodes a frame as a server sends it. `first` is its first byte.
pub fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    frame_with(first, payload, None)
}

/// Encodes a frame as a client sends it, masked with [`KEY`].
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame_with(first, payload, Some(KEY))
}

/// Encodes a frame, masked if there is a key.
pub fn frame_with(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = header_with(first, payload.len() as u64, key);
    // Follows the definition in §5.3, one byte at a time. A key of zeros changes nothing.
    let key = key.unwrap_or_default();
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// Encodes the header of a frame, with the mask key if there is one.
pub fn header_with(first: u8, len: u64, key: Option<[u8; 4]>) -> Vec<u8> {
    let mask = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match len {
        0..=125 => bytes.push(mask | len as u8),
        126..=0xffff => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    bytes.extend(key.into_iter().flatten());
    bytes
}

/// Encodes a frame as `R` receives it: masked if `R` is a server.
#[cfg(feature = "alloc")]
pub fn frame<R: Role>(first: u8, payload: &[u8]) -> Vec<u8> {
    frame_with(first, payload, key_of_peer::<R>())
}

/// Encodes the header of a frame as `R` receives it.
#[cfg(feature = "alloc")]
pub fn header<R: Role>(first: u8, len: u64) -> Vec<u8> {
    header_with(first, len, key_of_peer::<R>())
}

#[cfg(feature = "alloc")]
fn key_of_peer<R: Role>() -> Option<[u8; 4]> {
    (!R::MASKS).then_some(KEY)
}

/// Encodes the Close with which a server fails a connection because of `error`.
#[cfg(feature = "alloc")]
pub fn failure_close(error: impl Into<ProtocolError>) -> Vec<u8> {
    plain(0x88, &failure_payload(error))
}

/// Returns the payload of that Close.
#[cfg(feature = "alloc")]
pub fn failure_payload(error: impl Into<ProtocolError>) -> Vec<u8> {
    let error = error.into();
    let mut payload = error.close_code().number().to_be_bytes().to_vec();
    payload.extend_from_slice(error.to_string().as_bytes());
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6455 §5.7.
    #[test]
    fn the_examples_of_the_rfc_are_reproduced() {
        assert_eq!(plain(TEXT, b"Hello"), b"\x81\x05Hello");
        assert_eq!(masked(TEXT, b"Hello"), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        assert_eq!(plain(BINARY, &[0; 256])[..4], [0x82, 0x7e, 0x01, 0x00]);
        let header = [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(plain(BINARY, &[0; 65_536])[..10], header);
    }
}
