//! A connection with its two buffers, and what one does with them by hand.

use sansocket::{
    Client, Closed, Config, Connection, Event, MaskKey, MaskKeys, Message, Negotiated, Progress,
    ReadBuffer, ReceiveError, Role, Server, TransportEnd, WriteBuffer, apply_mask,
};

/// A connection with its two buffers.
#[derive(Debug)]
pub struct Endpoint<R> {
    /// The connection.
    pub connection: Connection<R>,
    /// What it receives.
    pub input: ReadBuffer,
    /// What it sends.
    pub output: WriteBuffer,
}

/// A server after its opening handshake.
pub fn server(config: Config) -> Endpoint<Server> {
    Endpoint::new(Server::new(), config)
}

/// A client after its opening handshake, with the mask keys of [`keys`].
pub fn client(config: Config) -> Endpoint<Client<impl FnMut() -> MaskKey>> {
    Endpoint::new(Client::new(keys()), config)
}

/// Mask keys: a new one each time, the first is 01 02 03 04.
pub fn keys() -> impl FnMut() -> MaskKey {
    let mut next = 0x0102_0304_u32;
    move || {
        let key = MaskKey::new(next.to_be_bytes());
        next = next.wrapping_mul(0x9e37_79b1).wrapping_add(1);
        key
    }
}

/// A client's role whose mask key is always 01 02 03 04.
pub fn client_role() -> Client<impl MaskKeys + Send + Unpin> {
    Client::new(|| MaskKey::new([1, 2, 3, 4]))
}

impl<R: Role> Endpoint<R> {
    /// An end that has agreed on nothing.
    pub fn new(role: R, config: Config) -> Self {
        Self::agreed(role, &Negotiated::new(), config)
    }

    /// An end with what its handshake agreed on.
    pub fn agreed(role: R, negotiated: &Negotiated, config: Config) -> Self {
        Self {
            connection: Connection::new(role, negotiated, config),
            input: ReadBuffer::new(),
            output: WriteBuffer::new(),
        }
    }

    /// Puts bytes into the read buffer.
    pub fn fill(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Advances to the next event, as often as that takes.
    pub fn advance(&mut self) -> Result<Progress, ReceiveError> {
        loop {
            match self.connection.advance(&mut self.input, &mut self.output) {
                Ok(Progress::More) => {}
                progress => return progress,
            }
        }
    }

    /// Advances to the next chunk, as often as that takes.
    pub fn advance_chunk(&mut self) -> Result<Progress, ReceiveError> {
        loop {
            match self.connection.advance_chunk(&mut self.input, &mut self.output) {
                Ok(Progress::More) => {}
                progress => return progress,
            }
        }
    }

    /// The event that was advanced to.
    pub fn event(&self) -> Option<Event<'_>> {
        self.connection.event(&self.input)
    }

    /// Uses all that is buffered, and returns the messages in it.
    pub fn messages(&mut self) -> Result<Vec<Message>, ReceiveError> {
        let mut messages = Vec::new();
        while self.advance()? == Progress::Event {
            messages.extend(self.event().unwrap().to_message());
        }
        Ok(messages)
    }

    /// Takes what is queued.
    pub fn written(&mut self) -> Vec<u8> {
        take(&mut self.output)
    }

    /// Tells that the transport has ended, and asks how the connection closed.
    pub fn transport_ended(&mut self, how: TransportEnd) -> Closed {
        self.connection.transport_ended(how, &self.output).clone()
    }
}

/// What waits in a buffer, which stays as it is.
pub fn contents(buffer: &WriteBuffer) -> Vec<u8> {
    let mut slices = [&[][..]; 64];
    let count = buffer.slices(&mut slices);
    let bytes = slices[..count].concat();
    assert_eq!(bytes.len(), buffer.len(), "too many pieces for this");
    bytes
}

/// Takes all that waits in a buffer.
pub fn take(buffer: &mut WriteBuffer) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(buffer.len());
    while !buffer.is_empty() {
        let count = buffer.front().len();
        bytes.extend_from_slice(buffer.front());
        buffer.consume(count);
    }
    bytes
}

/// Queues the payload of a frame whose header is queued, masked if `start_frame` gave a key.
pub fn append_payload(payload: &[u8], key: Option<MaskKey>, output: &mut WriteBuffer) {
    let mut payload = payload.to_vec();
    if let Some(key) = key {
        apply_mask(&mut payload, key, 0);
    }
    output.extend_from_slice(&payload);
}
