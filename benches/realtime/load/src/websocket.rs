//! As much of WebSocket as a client needs that trusts its server.

use std::io::{self, ErrorKind, Read, Write};

/// A frame from the server.
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
    /// The length of the whole frame.
    pub(crate) length: usize,
}

pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
pub(crate) const CLOSE: u8 = 8;

/// Returns the frame at the start, if all of it is there.
pub(crate) fn first(bytes: &[u8]) -> Option<Frame<'_>> {
    let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
    let (start, length) = match second & 127 {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk::<2>()?))),
        127 => (10, u64::from_be_bytes(*rest.first_chunk::<8>()?) as usize),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(start..start + length)?;
    Some(Frame { opcode: first & 15, payload, length: start + length })
}

/// Returns a frame of a client. Its mask is zero, so the payload can be changed in place.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// Returns the frame of a server.
pub(crate) fn unmasked(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match payload.len() {
        length @ 0..126 => frame.push(length as u8),
        length @ 126..0x1_0000 => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// Opens a WebSocket.
pub(crate) fn open(
    stream: &mut (impl Read + Write),
    target: &str,
    protocol: Option<&str>,
) -> io::Result<()> {
    let protocol = protocol.map_or(String::new(), |it| format!("Sec-WebSocket-Protocol: {it}\r\n"));
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\r\n"
    )?;
    // A byte at a time, since what follows belongs to the frames.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if head.starts_with(b"HTTP/1.1 101") {
        return Ok(());
    }
    Err(unexpected("no 101", &head))
}

/// Sends a text.
pub(crate) fn send(stream: &mut impl Write, text: &str) -> io::Result<()> {
    stream.write_all(&masked(1, text.as_bytes()))
}

/// Waits for a text that begins like this, and passes over heart-beats.
pub(crate) fn expect(stream: &mut impl Read, beginning: &str) -> io::Result<()> {
    loop {
        let mut bytes = vec![0; 2];
        stream.read_exact(&mut bytes)?;
        let more = match bytes[1] & 127 {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        bytes.resize(2 + more, 0);
        stream.read_exact(&mut bytes[2..])?;
        let length = match more {
            2 => usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
            8 => return Err(unexpected("a long frame", &bytes)),
            _ => usize::from(bytes[1] & 127),
        };
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        if payload.starts_with(beginning.as_bytes()) {
            return Ok(());
        }
        if payload != b"\n" && bytes[0] & 15 != PING {
            return Err(unexpected(beginning, &payload));
        }
    }
}

pub(crate) fn unexpected(wanted: &str, got: &[u8]) -> io::Error {
    let got = String::from_utf8_lossy(&got[..got.len().min(500)]);
    io::Error::new(ErrorKind::InvalidData, format!("expected {wanted:?}, got {got:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_once_they_are_whole() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let payload = vec![b'a'; length];
            let frame = unmasked(&payload);
            for cut in [0, 1, frame.len() / 2, frame.len() - 1] {
                assert!(first(&frame[..cut]).is_none(), "{length} cut at {cut}");
            }
            let found = first(&frame).expect("it is whole");
            assert_eq!((found.opcode, found.length), (1, frame.len()));
            assert!(found.payload == payload);
        }
    }
}
