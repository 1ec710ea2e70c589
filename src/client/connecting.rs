//! The opening handshake of one connection, as a client performs it (RFC 6455 §4.1).

use crate::buffer::{ReadBuffer, WriteBuffer};
#[cfg(feature = "std")]
use crate::handshake::Opens;
use crate::handshake::{
    ClientHandshake, ClientRequest, Exchange, HandshakeError, HandshakeNext, OpeningError,
    RequestError, Response,
};
use crate::limits::Limits;
use crate::transport::IoFailure;
use alloc::boxed::Box;
use core::time::Duration;

/// A client's opening handshake. You do the IO.
///
/// Call [`next`](Self::next), do what it returns, report the outcome, and call it again.
/// `Connecting` keeps the deadline of the handshake and checks the response. If the server does not
/// take the request or the transport breaks, it also looks for a refusal that the server may have
/// sent before.
///
/// ```
/// use sansocket::client::Connector;
/// use sansocket::{
///     Config,
///     buffer::{ReadBuffer, WriteBuffer},
///     connection::{Client, Connection},
///     handshake::{HandshakeNext, Url},
/// };
/// use std::time::Duration;
///
/// let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
/// let connector = Connector::new().subprotocol("chat");
/// // The nonce must come from a secure random source.
/// let nonce = *b"the sample nonce";
/// let mut connecting = connector.begin(&Url::parse("ws://example.com/")?, nonce, &mut output)?;
/// let response = loop {
///     let now = Duration::ZERO; // Since any fixed moment.
///     match connecting.next(&mut input, &mut output, || now) {
///         HandshakeNext::Wants(wants) => {
///             if wants.write {
///                 let count = output.front().len(); // Everything was written.
///                 connecting.did_write(Ok(count), &mut output);
///             }
///             if wants.read {
///                 let received = b"HTTP/1.1 101 Switching Protocols\r\n\
///                     Upgrade: websocket\r\n\
///                     Connection: Upgrade\r\n\
///                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
///                 input.extend_from_slice(received);
///                 connecting.did_read(Ok(received.len()));
///             }
///         }
///         HandshakeNext::Ready(response) => break response,
///         HandshakeNext::Ended(error) => return Err(error.into()),
///     }
/// };
/// assert_eq!(response.negotiated().subprotocol, None);
/// // The connection begins with what is left in `input`.
/// # fn keys() -> impl sansocket::mask::MaskKeys { || sansocket::mask::MaskKey::new([1, 2, 3, 4]) }
/// let role = Client::new(keys()); // A source of mask keys: see `Client`.
/// let connection = Connection::new(role, response.negotiated(), Config::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// For a loop over a nonblocking socket, see the example of
/// [`server::Accepting`](crate::server::Accepting). The same loop works here, but a client never
/// wants to end its writing side.
///
/// To only write a request and read the response, use [`ClientHandshake`].
#[derive(Debug)]
pub struct Connecting {
    handshake: ClientHandshake,
    exchange: Exchange,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    /// The response came before all of the request was written.
    Ready(Box<Response>),
    Over,
}

impl Connecting {
    pub(crate) fn new(
        request: &ClientRequest,
        nonce: [u8; 16],
        output: &mut WriteBuffer,
        limits: &Limits,
        timeout: Option<Duration>,
    ) -> Result<Self, RequestError> {
        let handshake = ClientHandshake::start(request, nonce, output, limits)?;
        Ok(Self { handshake, exchange: Exchange::new(timeout), stage: Stage::Waiting })
    }

    /// Returns what to do next. `input` holds the bytes received, and `output` the bytes to send.
    ///
    /// When this returns the response, the connection begins: see [`Response::negotiated`]. The
    /// bytes left in `input` belong to the connection.
    ///
    /// `clock` returns the time as a duration since any fixed moment.
    pub fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<Response> {
        let all_written = self.exchange.is_all_written(output);
        self.advance(input, all_written, clock())
    }

    /// Reports the outcome of a read: the number of bytes added to the read buffer, or 0 at the end
    /// of the transport.
    pub fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.exchange.did_read(outcome);
    }

    /// Reports the outcome of a write: the number of bytes written from the front of `output`,
    /// which this consumes. If your transport holds bytes back until it is flushed, see
    /// [`Connection::did_write`](crate::connection::Connection::did_write).
    ///
    /// Writing 0 bytes when there are bytes to write is a failure. Otherwise you would retry
    /// without limit.
    pub fn did_write(&mut self, outcome: Result<usize, IoFailure>, output: &mut WriteBuffer) {
        self.exchange.did_write(outcome, output);
    }

    fn advance(
        &mut self,
        input: &mut ReadBuffer,
        all_written: bool,
        now: Duration,
    ) -> HandshakeNext<Response> {
        let response = match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Waiting => match self.handshake.receive(input) {
                Ok(Some(response)) => Box::new(response),
                Ok(None) => return self.wait(input, all_written, now),
                Err(error) => return HandshakeNext::Ended(error.into()),
            },
            Stage::Ready(response) => response,
            Stage::Over => return HandshakeNext::Ended(HandshakeError::Over.into()),
        };
        if all_written {
            return HandshakeNext::Ready(*response);
        }
        if let Some(failure) = self.exchange.output_failed() {
            return HandshakeNext::Ended(OpeningError::Transport(failure));
        }
        match self.exchange.write_out(now) {
            Some(wants) => {
                self.stage = Stage::Ready(response);
                HandshakeNext::Wants(wants)
            }
            None => HandshakeNext::Ended(OpeningError::TimedOut),
        }
    }

    fn wait(
        &mut self,
        input: &mut ReadBuffer,
        all_written: bool,
        now: Duration,
    ) -> HandshakeNext<Response> {
        if self.handshake.is_refused() {
            self.exchange.was_refused();
        }
        let ended = match self.exchange.input_ended() {
            None => match self.exchange.wait(all_written, now) {
                Some(wants) => {
                    self.stage = Stage::Waiting;
                    return HandshakeNext::Wants(wants);
                }
                None => OpeningError::TimedOut,
            },
            Some(Ok(())) => self.handshake.receive_eof(input).into(),
            Some(Err(failure)) => OpeningError::Transport(failure),
        };
        HandshakeNext::Ended(self.why(ended, input))
    }

    /// Returns why the server's response did not arrive. If enough of a refusal has arrived, this
    /// is the refusal. Otherwise, a failure to send the request comes first, because it says more
    /// than that the server then ended the connection.
    fn why(&mut self, ended: OpeningError, input: &mut ReadBuffer) -> OpeningError {
        if let OpeningError::Handshake(HandshakeError::Refused(_)) = ended {
            return ended;
        }
        match (self.handshake.give_up(input), self.exchange.output_failed()) {
            (refused @ HandshakeError::Refused(_), _) => refused.into(),
            (_, Some(failure)) => OpeningError::Transport(failure),
            (_, None) => ended,
        }
    }
}

#[cfg(feature = "std")]
impl Opens for Connecting {
    type Step = Response;
    type Error = OpeningError;

    fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<Response> {
        Self::next(self, input, output, clock)
    }

    fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }
}
