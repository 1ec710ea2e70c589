//! The client's part of the handshake: write the request, read the response (RFC 6455 §4.1).

use super::accept_key::{accept_key, key_of};
use super::client_request::{ClientRequest, RequestError};
use super::error::HandshakeError;
use super::head::{Head, HeadScanner};
use super::refusal::RefusalReader;
use super::response::{Expected, Response};
use super::start_line::StatusLine;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::limits::Limits;
use alloc::boxed::Box;

/// The number of interim responses that a client skips before the final one.
const MAX_INTERIM_RESPONSES: u32 = 8;

/// A client's opening handshake, which sends the request and receives the response (RFC 6455 §4.1).
///
/// ```
/// use sansocket::{Limits, buffer::{ReadBuffer, WriteBuffer}, handshake::{ClientHandshake, ClientRequest, Url}};
///
/// let url = Url::parse("ws://example.com/chat")?;
/// let request = ClientRequest::new(&url).subprotocol("chat");
/// let mut output = WriteBuffer::new();
/// // Take the nonce from a secure random source.
/// let nonce = *b"the sample nonce";
/// let mut handshake =
///     ClientHandshake::start(&request, nonce, &mut output, &Limits::default())?;
/// // Write the output here and read some input.
/// let mut input = ReadBuffer::new();
/// input.extend_from_slice(
///     b"HTTP/1.1 101 Switching Protocols\r\n\
///       Upgrade: websocket\r\n\
///       Connection: Upgrade\r\n\
///       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
///       Sec-WebSocket-Protocol: chat\r\n\r\n",
/// );
/// let response = handshake.receive(&mut input)?.expect("all of it is there");
/// assert_eq!(response.negotiated().subprotocol.as_deref(), Some("chat"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClientHandshake {
    expected: Expected,
    scanner: HeadScanner<StatusLine>,
    interim_responses: u32,
    /// The limit for bytes of a refusal's body that are not data.
    max_framing: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Head,
    /// The server refused, and the body of its refusal is still arriving.
    Body(Box<RefusalReader>),
    Over,
}

impl ClientHandshake {
    /// Starts the handshake and appends the request to `output`.
    ///
    /// The nonce must be random and new for each connection (RFC 6455 §4.1), so that only a server
    /// that speaks WebSocket can answer it. Of `limits`,
    /// [`handshake_bytes`](Limits::handshake_bytes) and
    /// [`handshake_headers`](Limits::handshake_headers) apply to the response.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is invalid. In that case, nothing is appended.
    pub fn start(
        request: &ClientRequest,
        nonce: [u8; 16],
        output: &mut WriteBuffer,
        limits: &Limits,
    ) -> Result<Self, RequestError> {
        let key = key_of(nonce);
        request.write(&key, output)?;
        Ok(Self {
            expected: Expected::of(request, accept_key(key)),
            scanner: HeadScanner::new(limits),
            interim_responses: 0,
            max_framing: limits.handshake_bytes,
            state: State::Head,
        })
    }

    /// Takes the response out of `input`, or returns `None` if it is not complete yet.
    ///
    /// Bytes after the response stay in `input`, for the connection.
    ///
    /// # Errors
    ///
    /// Returns an error in the following cases:
    ///
    /// - The server refused. The error is a [`Refusal`](super::Refusal), which is returned once it
    ///   is complete.
    /// - The response does not open the requested WebSocket.
    /// - The handshake has already ended.
    pub fn receive(&mut self, input: &mut ReadBuffer) -> Result<Option<Response>, HandshakeError> {
        let received = self.read(input);
        if !matches!(received, Ok(None)) {
            self.state = State::Over;
        }
        received
    }

    /// Reports that the transport ended cleanly while [`receive`](Self::receive) needed more.
    ///
    /// If the server refused, the returned error is the [`Refusal`](super::Refusal) as far as it
    /// arrived.
    #[must_use]
    pub fn receive_eof(&mut self, input: &mut ReadBuffer) -> HandshakeError {
        self.end(input, true)
    }

    /// Reports that the transport failed, or that you stop waiting, while
    /// [`receive`](Self::receive) needed more.
    ///
    /// Does the same as [`receive_eof`](Self::receive_eof), except that a body without a known
    /// length does not count as [complete](super::Refusal::is_complete).
    #[must_use]
    pub fn give_up(&mut self, input: &mut ReadBuffer) -> HandshakeError {
        self.end(input, false)
    }

    fn end(&mut self, input: &mut ReadBuffer, in_order: bool) -> HandshakeError {
        if let Err(error) = self.receive(input) {
            return error;
        }
        match core::mem::replace(&mut self.state, State::Over) {
            State::Body(reader) => HandshakeError::Refused(Box::new(reader.end(in_order))),
            _ => HandshakeError::TransportEnded { received: self.scanner.total() },
        }
    }

    fn read(&mut self, input: &mut ReadBuffer) -> Result<Option<Response>, HandshakeError> {
        loop {
            match &mut self.state {
                State::Over => return Err(HandshakeError::Over),
                State::Body(reader) => {
                    let used = reader.read(input.unread());
                    input.skip(used);
                    return match reader.refusal() {
                        Some(refusal) => Err(HandshakeError::Refused(Box::new(refusal))),
                        None => Ok(None),
                    };
                }
                State::Head => {
                    let Some(head) = self.scanner.scan(input.unread())? else { return Ok(None) };
                    let Head { line, fields, len } = head;
                    input.skip(len);
                    self.scanner.restart();
                    if line.version.major != 1 {
                        return Err(HandshakeError::HttpVersion(line.version));
                    }
                    match line.status {
                        101 => return self.expected.check(line.version, fields).map(Some),
                        100..=199 => self.pass_interim()?,
                        status => {
                            let reader = RefusalReader::new(status, fields, self.max_framing);
                            self.state = State::Body(Box::new(reader));
                        }
                    }
                }
            }
        }
    }

    /// Skips an interim response. A client must accept any number of them (RFC 9110 §15.2), but
    /// this one has a limit.
    fn pass_interim(&mut self) -> Result<(), HandshakeError> {
        self.interim_responses += 1;
        if self.interim_responses > MAX_INTERIM_RESPONSES {
            return Err(HandshakeError::TooManyInterimResponses { limit: MAX_INTERIM_RESPONSES });
        }
        Ok(())
    }
}
