//! The server's part of the handshake: read a request (RFC 6455 §4.2).

use super::error::HandshakeError;
use super::head::{Head, HeadScanner};
use super::plain_request::PlainRequest;
use super::request::Request;
use super::start_line::RequestLine;
use crate::buffer::ReadBuffer;
use crate::headers::Fields;
use crate::limits::Limits;

/// A server's opening handshake, which receives the request (RFC 6455 §4.2.1).
///
/// Answer the [`Request`] with [`accept`](Request::accept) or with a
/// [`PlainResponse`](super::PlainResponse).
///
/// ```
/// use sansocket::{Limits, buffer::{ReadBuffer, WriteBuffer}, handshake::{Accept, ServerHandshake}, server::OriginPolicy};
///
/// let mut input = ReadBuffer::new();
/// let mut output = WriteBuffer::new();
/// let mut handshake = ServerHandshake::new(&Limits::default());
/// input.extend_from_slice(
///     b"GET /chat HTTP/1.1\r\n\
///       Host: example.com\r\n\
///       Upgrade: websocket\r\n\
///       Connection: Upgrade\r\n\
///       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///       Sec-WebSocket-Version: 13\r\n\r\n",
/// );
/// let checked = handshake.receive(&mut input).and_then(|request| {
///     let request = request.expect("all of it is there");
///     OriginPolicy::default().check(&request).map(|()| request)
/// });
/// match checked {
///     Ok(request) => {
///         let negotiated = request.accept(&Accept::new(), &mut output)?;
///         assert_eq!(negotiated.subprotocol, None);
///     }
///     Err(error) => error.response().write(&mut output)?,
/// }
/// assert!(output.front().starts_with(b"HTTP/1.1 101 "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ServerHandshake {
    scanner: HeadScanner<RequestLine>,
    /// Whether plain requests are returned instead of refused.
    shows_plain: bool,
    over: bool,
}

/// The request that a server received.
#[derive(Debug)]
pub(crate) enum Asked {
    WebSocket(Request),
    Plain(PlainRequest),
}

impl ServerHandshake {
    /// Creates a handshake that accepts requests within
    /// [`handshake_line`](Limits::handshake_line),
    /// [`handshake_bytes`](Limits::handshake_bytes) and
    /// [`handshake_headers`](Limits::handshake_headers).
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { scanner: HeadScanner::new(limits), shows_plain: false, over: false }
    }

    /// Like [`new`](Self::new), but [`receive_any`](Self::receive_any) also returns plain requests.
    /// HEAD and HTTP/1.0 are therefore not refused before their head is complete.
    pub(crate) fn showing_plain(limits: &Limits) -> Self {
        let scanner = HeadScanner::with_line(RequestLine::parse_plain, limits);
        Self { scanner, shows_plain: true, over: false }
    }

    /// Takes the request out of `input`, or returns `None` if it is not complete yet.
    ///
    /// Bytes after the request stay in `input`, for the connection.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is not a request that opens a WebSocket. The error is
    /// immediate if the input can't be the start of such a request or exceeds a limit. Otherwise,
    /// it is returned once the request is complete. The error determines the
    /// [response](HandshakeError::response). Also returns an error if the handshake has already
    /// ended.
    pub fn receive(&mut self, input: &mut ReadBuffer) -> Result<Option<Request>, HandshakeError> {
        match self.receive_any(input)? {
            Some(Asked::WebSocket(request)) => Ok(Some(request)),
            Some(Asked::Plain(request)) => Err(request.refusal().clone()),
            None => Ok(None),
        }
    }

    /// Like [`receive`](Self::receive), but also returns plain requests if the handshake allows
    /// them.
    pub(crate) fn receive_any(
        &mut self,
        input: &mut ReadBuffer,
    ) -> Result<Option<Asked>, HandshakeError> {
        if self.over {
            return Err(HandshakeError::Over);
        }
        let received = self.read(input);
        self.over = !matches!(received, Ok(None));
        received
    }

    /// Reports that the transport ended while [`receive`](Self::receive) needed more.
    ///
    /// Do not answer this error, because there is no request. If a request was refused before, the
    /// returned error is that refusal.
    #[must_use]
    pub fn receive_eof(&mut self, input: &mut ReadBuffer) -> HandshakeError {
        match self.receive(input) {
            Err(error) => error,
            Ok(_) => {
                self.over = true;
                HandshakeError::TransportEnded { received: self.scanner.total() }
            }
        }
    }

    fn read(&mut self, input: &mut ReadBuffer) -> Result<Option<Asked>, HandshakeError> {
        let scanned = self.scanner.scan(input.unread()).map_err(|error| {
            // Without plain responses, the request would have been refused at its first line.
            let line = self.scanner.take_line();
            line.and_then(|line| line.deferred).unwrap_or(error)
        });
        let Some(Head { line, fields, len }) = scanned? else { return Ok(None) };
        let asked = self.check(line, fields)?;
        input.skip(len);
        Ok(Some(asked))
    }

    fn check(&self, line: RequestLine, fields: Fields) -> Result<Asked, HandshakeError> {
        let (mut line, fields) = match self.shows_plain {
            true => match PlainRequest::of(line, fields) {
                Ok(request) => return Ok(Asked::Plain(request)),
                Err(parts) => parts,
            },
            false => (line, fields),
        };
        match line.deferred.take() {
            Some(error) => Err(error),
            None => Request::check(line, fields).map(Asked::WebSocket),
        }
    }
}
