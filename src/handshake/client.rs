//! The client's part of the handshake: write the request, read the response (RFC 6455 §4.1).

use super::accept_key::{accept_key, key_of};
use super::client_request::{ClientRequest, RequestError};
use super::error::HandshakeError;
use super::expected_response::ExpectedResponse;
use super::response::Response;
use super::response_reader::ResponseReader;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::limits::Limits;

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
    expected: ExpectedResponse,
    reader: ResponseReader,
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
        let expected = ExpectedResponse::of(request, Some(accept_key(key)));
        Ok(Self { expected, reader: ResponseReader::new(|status| status == 101, limits) })
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
        let Some((line, fields)) = self.reader.receive(input)? else { return Ok(None) };
        self.expected.check_fields(line.status, line.version, fields).map(Some)
    }

    /// Returns `true` while the rest of a refusal is expected, whose head has arrived.
    pub(crate) fn is_refused(&self) -> bool {
        self.reader.is_refused()
    }

    /// Reports that the transport ended cleanly while [`receive`](Self::receive) needed more.
    ///
    /// If the server refused, the returned error is the [`Refusal`](super::Refusal) as far as it
    /// arrived.
    #[must_use]
    pub fn receive_eof(&mut self, input: &mut ReadBuffer) -> HandshakeError {
        self.reader.end(input, true)
    }

    /// Reports that the transport failed, or that you stop waiting, while
    /// [`receive`](Self::receive) needed more.
    ///
    /// Does the same as [`receive_eof`](Self::receive_eof), except that a body without a known
    /// length does not count as [complete](super::Refusal::is_complete).
    #[must_use]
    pub fn give_up(&mut self, input: &mut ReadBuffer) -> HandshakeError {
        self.reader.end(input, false)
    }
}
