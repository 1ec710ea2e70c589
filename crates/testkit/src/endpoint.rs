//! A connection with its two buffers, driven by hand.

use sansocket::{
    Closed, Config, Event, Message,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Progress, ReceiveError, Role, Server, TransportEnd},
    handshake::Negotiated,
    mask::{MaskKey, MaskKeys},
};

/// A connection with its two buffers.
#[derive(Debug)]
pub struct Endpoint<R> {
    /// The connection.
    pub connection: Connection<R>,
    /// The bytes received and not yet processed.
    pub input: ReadBuffer,
    /// The bytes queued to be sent.
    pub output: WriteBuffer,
}

/// Returns a server after its opening handshake.
pub fn server(config: Config) -> Endpoint<Server> {
    Endpoint::new(Server::new(), config)
}

/// Returns a client after its opening handshake, with the mask keys of [`keys`].
pub fn client(config: Config) -> Endpoint<Client<impl FnMut() -> MaskKey>> {
    Endpoint::new(Client::new(keys()), config)
}

/// Returns a generator of mask keys. Each key is new; the first is 01 02 03 04.
pub fn keys() -> impl FnMut() -> MaskKey {
    let mut next = 0x0102_0304_u32;
    move || {
        let key = MaskKey::new(next.to_be_bytes());
        next = next.wrapping_mul(0x9e37_79b1).wrapping_add(1);
        key
    }
}

/// Returns a client role whose mask key is always 01 02 03 04.
pub fn client_role() -> Client<impl MaskKeys + Send + Unpin> {
    Client::new(|| MaskKey::new([1, 2, 3, 4]))
}

impl<R: Role> Endpoint<R> {
    /// Returns an endpoint whose handshake agreed on no extension.
    pub fn new(role: R, config: Config) -> Self {
        Self::agreed(role, &Negotiated::new(), config)
    }

    /// Returns an endpoint with the results of its handshake.
    pub fn agreed(role: R, negotiated: &Negotiated, config: Config) -> Self {
        Self {
            connection: Connection::new(role, negotiated, config),
            input: ReadBuffer::new(),
            output: WriteBuffer::new(),
        }
    }

    /// Appends bytes to the read buffer.
    pub fn fill(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Calls `advance` until there is an event or all input is used.
    pub fn advance(&mut self) -> Result<Progress, ReceiveError> {
        loop {
            match self.connection.advance(&mut self.input, &mut self.output) {
                Ok(Progress::More) => {}
                progress => return progress,
            }
        }
    }

    /// Calls `advance_chunk` until there is a chunk or all input is used.
    pub fn advance_chunk(&mut self) -> Result<Progress, ReceiveError> {
        loop {
            match self.connection.advance_chunk(&mut self.input, &mut self.output) {
                Ok(Progress::More) => {}
                progress => return progress,
            }
        }
    }

    /// Returns the current event.
    pub fn event(&self) -> Option<Event<'_>> {
        self.connection.event(&self.input)
    }

    /// Processes all buffered input and returns the messages in it.
    pub fn messages(&mut self) -> Result<Vec<Message>, ReceiveError> {
        let mut messages = Vec::new();
        while self.advance()? == Progress::Event {
            messages.extend(self.event().unwrap().to_message());
        }
        Ok(messages)
    }

    /// Takes all queued bytes.
    pub fn written(&mut self) -> Vec<u8> {
        take(&mut self.output)
    }

    /// Reports the end of the transport to the connection, and returns how the connection closed.
    pub fn transport_ended(&mut self, how: TransportEnd) -> Closed {
        self.connection.transport_ended(how, &self.output).clone()
    }
}

/// Returns the bytes that wait in a buffer, without taking them.
pub fn contents(buffer: &WriteBuffer) -> Vec<u8> {
    let mut slices = [&[][..]; 64];
    let count = buffer.slices(&mut slices);
    let bytes = slices[..count].concat();
    assert_eq!(bytes.len(), buffer.len(), "too many slices for this function");
    bytes
}

/// Takes all bytes that wait in a buffer.
pub fn take(buffer: &mut WriteBuffer) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(buffer.len());
    while !buffer.is_empty() {
        let count = buffer.front().len();
        bytes.extend_from_slice(buffer.front());
        buffer.consume(count);
    }
    bytes
}
