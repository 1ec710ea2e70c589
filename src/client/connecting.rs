//! The opening handshake of one connection, as a client makes it (RFC 6455 §4.1).

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

/// A client's opening handshake, whose IO is yours to do.
///
/// Ask it what is [`next`](Self::next), do that, tell how it went, and ask again. In it are the
/// deadline of the handshake and the checks of the response; and a refusal is looked for when the
/// server does not take the request, or the transport breaks.
///
/// ```
/// use sansocket::client::Connector;
/// use sansocket::{HandshakeNext, ReadBuffer, Url, WriteBuffer};
/// use std::time::Duration;
///
/// let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
/// let connector: Connector = Connector::new().subprotocol("chat");
/// // The nonce is to come from a secure random source.
/// let nonce = *b"the sample nonce";
/// let mut connecting = connector.begin(&Url::parse("ws://example.com/")?, nonce, &mut output)?;
/// let response = loop {
///     let now = Duration::ZERO; // Since any moment that stays the same.
///     match connecting.next(&mut input, &mut output, || now) {
///         HandshakeNext::Wants(wants) => {
///             if wants.write {
///                 let count = output.front().len(); // All of it was written.
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
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`server::Accepting`](crate::server::Accepting) has a loop over a socket that does not block,
/// which does for this too.
///
/// To write a request and to read the response without any of this, there is [`ClientHandshake`].
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
    pub(super) fn new(
        request: &ClientRequest,
        nonce: [u8; 16],
        output: &mut WriteBuffer,
        limits: &Limits,
        timeout: Option<Duration>,
    ) -> Result<Self, RequestError> {
        let handshake = ClientHandshake::start(request, nonce, output, limits)?;
        Ok(Self { handshake, exchange: Exchange::new(timeout), stage: Stage::Waiting })
    }

    /// What is to be done next. `input` is what was received, `output` what is to be sent.
    ///
    /// When there is the response the connection begins: see [`Response::negotiated`]. What is left
    /// in `input` belongs to it.
    ///
    /// `clock` tells the time as a duration since any moment that stays the same.
    pub fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<Response> {
        let all_written = self.exchange.is_all_written(output);
        self.advance(input, all_written, clock())
    }

    /// Says what came of reading: so many bytes, which are in the read buffer; 0 is the end of the
    /// transport.
    pub fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.exchange.did_read(outcome);
    }

    /// Says what came of writing: so many bytes from the front of `output`, which are consumed here.
    /// Of a transport that holds bytes back until it is flushed, see
    /// [`Connection::did_write`](crate::Connection::did_write).
    ///
    /// Taking none of several is a failure: it would be tried for ever.
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

    /// Why the server's response did not come: that it refused, if so much of its response is there;
    /// else why the request could not be sent, which says more than that the server then ended.
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
