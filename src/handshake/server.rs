use super::error::HandshakeError;
use super::head::HeadScanner;
use super::request::Request;
use super::start_line::RequestLine;
use crate::buffer::ReadBuffer;
use crate::limits::Limits;

/// A server's opening handshake: receives the request (RFC 6455 §4.2.1).
///
/// The answer is the [`Request`]'s to give with [`accept`](Request::accept), or a
/// [`Reject`](super::Reject).
///
/// ```
/// use sansocket::{Accept, Limits, OriginPolicy, ReadBuffer, ServerHandshake, WriteBuffer};
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
///     Err(error) => error.reject().write(&mut output)?,
/// }
/// assert!(output.front().starts_with(b"HTTP/1.1 101 "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ServerHandshake {
    scanner: HeadScanner<RequestLine>,
    over: bool,
}

impl ServerHandshake {
    /// Waits for a request within [`handshake_line`](Limits::handshake_line),
    /// [`handshake_bytes`](Limits::handshake_bytes) and
    /// [`handshake_headers`](Limits::handshake_headers).
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { scanner: HeadScanner::new(limits), over: false }
    }

    /// Takes the request out of `input`; `None` if it is not complete yet.
    ///
    /// What came behind the request stays there, for the connection.
    ///
    /// # Errors
    ///
    /// If what came is no request that opens a WebSocket: at once if it can't be the beginning of
    /// one or exceeds a limit, else when it is complete. The error knows the answer to give. A
    /// handshake that has ended is an error too.
    pub fn receive(&mut self, input: &mut ReadBuffer) -> Result<Option<Request>, HandshakeError> {
        if self.over {
            return Err(HandshakeError::Over);
        }
        let received = self.read(input);
        self.over = !matches!(received, Ok(None));
        received
    }

    /// Says that the transport ended while [`receive`](Self::receive) needed more.
    ///
    /// This is not answered: nobody asked for anything. (If a request was refused before, the error
    /// is that one.)
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

    fn read(&mut self, input: &mut ReadBuffer) -> Result<Option<Request>, HandshakeError> {
        let Some(head) = self.scanner.scan(input.unread())? else { return Ok(None) };
        let request = Request::check(head.line, head.fields)?;
        input.skip(head.len);
        Ok(Some(request))
    }
}
