//! Encodes and decodes traffic with the crate: the bytes that an endpoint sends, and what the peer
//! makes of them.

use crate::endpoint::{Endpoint, client_role};
use sansocket::{
    Config, Event, Message,
    buffer::WriteBuffer,
    connection::{Connection, Progress, Role, Server},
    frame::{FrameHeader, OpCode},
};

/// Sent traffic, as the other endpoint decodes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The messages.
    pub messages: Vec<Message>,
    /// The payloads of the pings.
    pub pings: Vec<Vec<u8>>,
    /// The payloads of the pongs.
    pub pongs: Vec<Vec<u8>>,
    /// The number of Closes.
    pub closes: usize,
}

/// Decodes bytes as an endpoint of `role` does. They must end at a frame boundary.
pub fn decode<R: Role>(role: R, bytes: &[u8]) -> Seen {
    let mut end = Endpoint::new(role, Config::default());
    end.fill(bytes);
    let mut seen = Seen::default();
    while end.advance().unwrap() == Progress::Event {
        match end.event().unwrap() {
            Event::Ping(payload) => seen.pings.push(payload.to_vec()),
            Event::Pong(payload) => seen.pongs.push(payload.to_vec()),
            Event::Close(_) => seen.closes += 1,
            event => seen.messages.extend(event.to_message()),
        }
        end.output = WriteBuffer::new();
    }
    assert!(end.input.is_drained(), "a frame is incomplete: {:?}", end.input.unread().len());
    seen
}

/// Decodes bytes sent by an `R` as its peer does.
pub fn decode_as_peer_of<R: Role>(bytes: &[u8]) -> Seen {
    if R::MASKS { decode(Server::new(), bytes) } else { decode(client_role(), bytes) }
}

/// Encodes the frames that a connection of `role` makes.
pub fn encode<R: Role>(
    role: R,
    send: impl FnOnce(&mut Connection<R>, &mut WriteBuffer),
) -> Vec<u8> {
    let mut end = Endpoint::new(role, Config::default());
    send(&mut end.connection, &mut end.output);
    end.written()
}

/// Lists the frames in `bytes`: where each begins, and its opcode.
pub fn frames(bytes: &[u8]) -> Vec<(usize, OpCode)> {
    let (mut at, mut frames) = (0, Vec::new());
    while at < bytes.len() {
        let (header, len) = FrameHeader::parse(&bytes[at..]).unwrap().expect("a complete header");
        frames.push((at, header.opcode));
        at += len + header.payload_len as usize;
    }
    assert_eq!(at, bytes.len(), "a frame is incomplete");
    frames
}

/// Asserts that no write consists only of a header, or a part of one, if a payload follows.
/// `writes` holds the length of each write.
#[track_caller]
pub fn assert_no_header_alone(bytes: &[u8], writes: &[usize]) {
    let mut ends = writes.iter().scan(0, |end, len| {
        *end += len;
        Some(*end)
    });
    let (mut frame, mut start) = (0, 0);
    while frame < bytes.len() {
        let (header, len) = FrameHeader::parse(&bytes[frame..]).unwrap().unwrap();
        let next = frame + len + header.payload_len as usize;
        while start < frame + len {
            let end = ends.next().unwrap();
            assert!(start < frame || end > frame + len || header.payload_len == 0, "at {frame}");
            start = end;
        }
        frame = next;
    }
}
