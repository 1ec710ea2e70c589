//! Traffic as one end means it and the other sees it: the bytes of what is sent, and what bytes mean.

use crate::endpoint::{Endpoint, client_role};
use sansocket::{
    Config, Connection, Event, FrameHeader, Message, OpCode, Progress, Role, Server, WriteBuffer,
};

/// What was sent, made out by the other end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The messages.
    pub messages: Vec<Message>,
    /// The payloads of the pings.
    pub pings: Vec<Vec<u8>>,
    /// The payloads of the pongs.
    pub pongs: Vec<Vec<u8>>,
    /// How many Closes.
    pub closes: usize,
}

/// What bytes mean to an end of `role`; they end where a frame ends.
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
    assert!(end.input.is_drained(), "a frame was cut: {:?}", end.input.unread().len());
    seen
}

/// What bytes that an `R` has sent mean to its peer.
pub fn decode_as_peer_of<R: Role>(bytes: &[u8]) -> Seen {
    if R::MASKS { decode(Server::new(), bytes) } else { decode(client_role(), bytes) }
}

/// The frames that a connection of `role` makes.
pub fn encode<R: Role>(
    role: R,
    send: impl FnOnce(&mut Connection<R>, &mut WriteBuffer),
) -> Vec<u8> {
    let mut end = Endpoint::new(role, Config::default());
    send(&mut end.connection, &mut end.output);
    end.written()
}

/// The frames in `bytes`: where each begins, and what it is.
pub fn frames(bytes: &[u8]) -> Vec<(usize, OpCode)> {
    let (mut at, mut frames) = (0, Vec::new());
    while at < bytes.len() {
        let (header, len) = FrameHeader::parse(&bytes[at..]).unwrap().expect("a whole header");
        frames.push((at, header.opcode));
        at += len + header.payload_len as usize;
    }
    assert_eq!(at, bytes.len(), "a frame is cut");
    frames
}
