//! A connection with its buffers, and frames made by hand for it.
//!
//! What the tests feed is not made by the code under test: headers are put together here, from
//! RFC 6455 §5.2.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use sansocket::{
    Client, Closed, Config, Connection, Event, MaskKey, Message, Negotiated, Progress, ReadBuffer,
    ReceiveError, Role, Server, TransportEnd, WriteBuffer,
};

/// The client's mask keys in tests: a new one each time, the first is 01 02 03 04.
pub(crate) fn keys() -> impl FnMut() -> MaskKey {
    let mut next = 0x0102_0304_u32;
    move || {
        let key = MaskKey::new(next.to_be_bytes());
        next = next.wrapping_mul(0x9e37_79b1).wrapping_add(1);
        key
    }
}

/// A connection with its two buffers.
pub(crate) struct Endpoint<R> {
    pub(crate) connection: Connection<R>,
    pub(crate) input: ReadBuffer,
    pub(crate) output: WriteBuffer,
}

pub(crate) fn server(config: Config) -> Endpoint<Server> {
    Endpoint::new(Server::new(), config)
}

pub(crate) fn client(config: Config) -> Endpoint<Client<impl FnMut() -> MaskKey>> {
    Endpoint::new(Client::new(keys()), config)
}

impl<R: Role> Endpoint<R> {
    pub(crate) fn new(role: R, config: Config) -> Self {
        Self {
            connection: Connection::new(role, &Negotiated::new(), config),
            input: ReadBuffer::new(),
            output: WriteBuffer::new(),
        }
    }

    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    pub(crate) fn advance(&mut self) -> Result<Progress, ReceiveError> {
        self.connection.advance(&mut self.input, &mut self.output)
    }

    pub(crate) fn advance_chunk(&mut self) -> Result<Progress, ReceiveError> {
        self.connection.advance_chunk(&mut self.input, &mut self.output)
    }

    pub(crate) fn event(&self) -> Option<Event<'_>> {
        self.connection.event(&self.input)
    }

    /// Uses all that is buffered, and returns the messages in it.
    pub(crate) fn messages(&mut self) -> Result<Vec<Message>, ReceiveError> {
        let mut messages = Vec::new();
        while self.advance()? == Progress::Event {
            messages.extend(self.event().unwrap().to_message());
        }
        Ok(messages)
    }

    /// Takes what is queued.
    pub(crate) fn written(&mut self) -> Vec<u8> {
        let bytes = contents(&self.output);
        self.output.consume(bytes.len());
        bytes
    }

    pub(crate) fn transport_ended(&mut self, how: TransportEnd) -> Closed {
        self.connection.transport_ended(how, &self.output).clone()
    }
}

/// What waits in a buffer.
pub(crate) fn contents(buffer: &WriteBuffer) -> Vec<u8> {
    let mut slices = [&[][..]; 64];
    let count = buffer.slices(&mut slices);
    let bytes = slices[..count].concat();
    assert_eq!(bytes.len(), buffer.len(), "too many pieces for this");
    bytes
}

/// A frame as `R` receives it, so masked if `R` is a server.
pub(crate) fn frame<R: Role>(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header::<R>(first_byte, payload.len() as u64);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    if !R::MASKS {
        for (index, byte) in bytes[start..].iter_mut().enumerate() {
            *byte ^= KEY[index % 4];
        }
    }
    bytes
}

/// Its header, with the mask key if there is one.
pub(crate) fn header<R: Role>(first_byte: u8, len: u64) -> Vec<u8> {
    let mask = if R::MASKS { 0 } else { 0x80 };
    let mut bytes = vec![first_byte];
    match len {
        0..=125 => bytes.push(mask | len as u8),
        126..=0xFFFF => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    if !R::MASKS {
        bytes.extend(KEY);
    }
    bytes
}

/// The mask key of frames made by hand.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
/// A first fragment of text, and one of binary.
pub(crate) const TEXT_START: u8 = 0x01;
pub(crate) const BINARY_START: u8 = 0x02;
/// A fragment that is neither the first nor the last, and the last.
pub(crate) const MORE: u8 = 0x00;
pub(crate) const LAST: u8 = 0x80;
