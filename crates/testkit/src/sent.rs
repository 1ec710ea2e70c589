//! Decodes what was sent, with a second, plain implementation of RFC 6455 §5.2 and RFC 7692 §6.

/// A message as it was sent, with its frames joined.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    /// Whether it is marked as compressed.
    pub compressed: bool,
    /// The payload of its frames, unmasked but not inflated.
    pub payload: Vec<u8>,
}

/// Reads data frames, masked or not. Panics if they violate RFC 7692 §6.
pub fn sent(mut bytes: &[u8]) -> Vec<Sent> {
    let mut messages: Vec<Sent> = Vec::new();
    let mut fin = true;
    while let [first, second, rest @ ..] = bytes {
        let count = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let (long, rest) = rest.split_at(count);
        let short = if count == 0 { usize::from(second & 0x7f) } else { 0 };
        let len = long.iter().fold(short, |len, byte| len << 8 | usize::from(*byte));
        let (key, rest) = rest.split_at(if second & 0x80 == 0 { 0 } else { 4 });
        let (payload, rest) = rest.split_at(len);
        bytes = rest;

        let begins = first & 0x0f != 0;
        assert_eq!(begins, fin, "a fragment of another message");
        assert_eq!(first & 0x30, 0, "RSV2 or RSV3");
        if begins {
            messages.push(Sent { compressed: first & 0x40 != 0, payload: Vec::new() });
        } else {
            assert_eq!(first & 0x40, 0, "RSV1 on a continuation");
        }
        fin = first & 0x80 != 0;
        let message = messages.last_mut().unwrap();
        let start = message.payload.len();
        message.payload.extend_from_slice(payload);
        for (byte, key) in message.payload[start..].iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
    }
    assert!(fin && bytes.is_empty(), "a frame or a message is incomplete");
    messages
}
