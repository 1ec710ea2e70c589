//! Parses the output of a contestant, without code of the compared libraries.

use crate::payloads::Kind;
use bytes::Bytes;
use std::collections::HashSet;

/// Compares frames with the expected messages: kind, order, every byte, and whether frames are
/// masked (RFC 6455 §5.1).
pub(crate) fn verify(
    mut output: &[u8],
    kind: Kind,
    expected: &[Bytes],
    masked: bool,
) -> Result<(), String> {
    let mut keys = HashSet::new();
    for (index, message) in expected.iter().enumerate() {
        let mut payload = Vec::with_capacity(message.len());
        let mut first = true;
        loop {
            let Some(frame) = Frame::parse(output) else {
                return Err(format!("sent {index} of {} messages", expected.len()));
            };
            let opcode = match (first, kind) {
                (false, _) => 0,
                (true, Kind::Text) => 1,
                (true, Kind::Binary) => 2,
            };
            if frame.opcode != opcode || frame.key.is_some() != masked {
                return Err(format!("message {index} has a frame with a wrong opcode or masking"));
            }
            keys.extend(frame.key);
            frame.unmask_into(&mut payload);
            output = &output[frame.end..];
            first = false;
            if frame.last {
                break;
            }
        }
        if payload != *message {
            return Err(format!("message {index} of {} differs", expected.len()));
        }
    }
    if !output.is_empty() {
        return Err(format!("sent {} bytes too many", output.len()));
    }
    // RFC 6455 §5.3 requires a new key for each frame.
    if masked && expected.len() > 16 && keys.len() < expected.len() / 2 {
        return Err(format!("sent {} messages with {} keys", expected.len(), keys.len()));
    }
    Ok(())
}

/// Returns `true` if these frames contain this message, complete.
pub(crate) fn has_text(mut output: &[u8], message: &[u8]) -> bool {
    let mut payload = Vec::new();
    while let Some(frame) = Frame::parse(output) {
        output = &output[frame.end..];
        let is_control = frame.opcode & 8 != 0;
        if is_control {
            continue;
        }
        frame.unmask_into(&mut payload);
        if frame.last {
            if payload == message {
                return true;
            }
            payload.clear();
        }
    }
    false
}

struct Frame<'a> {
    last: bool,
    opcode: u8,
    key: Option<[u8; 4]>,
    payload: &'a [u8],
    end: usize,
}

impl<'a> Frame<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let &[first, second, ..] = bytes else { return None };
        let (len, mut start) = match second & 0x7f {
            126 => (u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize, 4),
            127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
            short => (short as usize, 2),
        };
        let key = if second & 0x80 == 0 {
            None
        } else {
            start += 4;
            Some(bytes.get(start - 4..start)?.try_into().ok()?)
        };
        let end = start.checked_add(len)?;
        let payload = bytes.get(start..end)?;
        Some(Self { last: first & 0x80 != 0, opcode: first & 0x7f, key, payload, end })
    }

    fn unmask_into(&self, into: &mut Vec<u8>) {
        let key = self.key.unwrap_or_default();
        into.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
}

/// Appends one whole masked frame, as a client sends it.
pub(crate) fn encode_masked(kind: Kind, key: [u8; 4], payload: &[u8], into: &mut Vec<u8>) {
    into.push(0x80 | if kind == Kind::Text { 1 } else { 2 });
    match payload.len() {
        len @ ..126 => into.push(0x80 | len as u8),
        len @ ..65536 => {
            into.push(0x80 | 126);
            into.extend((len as u16).to_be_bytes());
        }
        len => {
            into.push(0x80 | 127);
            into.extend((len as u64).to_be_bytes());
        }
    }
    into.extend(key);
    into.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}
