//! Opening a tunnel through a proxy, as a state machine.

use super::error::ProxyError;
use super::socks5::Socks5;
use crate::buffer::{ReadBuffer, WriteBuffer};
#[cfg(feature = "std")]
use crate::handshake::Opens;
use crate::handshake::{Exchange, HandshakeError, HandshakeNext, ResponseReader};
use crate::limits::Limits;
use crate::transport::IoFailure;
use alloc::boxed::Box;
use core::{fmt, time::Duration};

/// The opening of a tunnel through a [`Proxy`](super::Proxy). You do the IO.
///
/// Call [`next`](Self::next), do what it returns, report the outcome, and call it again. Once the
/// tunnel is open, go on over the same transport: with TLS for a `wss://` URL, then with the opening
/// handshake.
///
/// ```
/// use sansocket::buffer::{ReadBuffer, WriteBuffer};
/// use sansocket::client::Proxy;
/// use sansocket::handshake::{HandshakeNext, Url};
/// use std::time::Duration;
///
/// let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
/// let proxy = Proxy::parse("http://proxy.example:3128")?;
/// let mut tunneling = proxy.begin(&Url::parse("wss://example.com/")?, &mut output)?;
/// loop {
///     let now = Duration::ZERO; // Since any fixed moment.
///     match tunneling.next(&mut input, &mut output, || now) {
///         HandshakeNext::Wants(wants) => {
///             if wants.write {
///                 let count = output.front().len(); // Everything was written.
///                 tunneling.did_write(Ok(count), &mut output);
///             }
///             if wants.read {
///                 let received = b"HTTP/1.1 200 OK\r\n\r\n";
///                 input.extend_from_slice(received);
///                 tunneling.did_read(Ok(received.len()));
///             }
///         }
///         HandshakeNext::Ready(()) => break,
///         HandshakeNext::Ended(error) => return Err(error.into()),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tunneling {
    protocol: Protocol,
    exchange: Exchange,
    received: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// The proxy has opened the tunnel before all of the request was written.
    Open,
    Over,
}

pub(super) enum Protocol {
    Http(Box<ResponseReader>),
    Socks5(Socks5),
}

impl Tunneling {
    pub(super) fn new(protocol: Protocol, timeout: Option<Duration>) -> Self {
        Self { protocol, exchange: Exchange::new(timeout), received: 0, stage: Stage::Waiting }
    }

    /// Returns what to do next. `input` holds the bytes received, and `output` the bytes to send.
    /// Both are empty once the tunnel is open.
    ///
    /// `clock` returns the time as a duration since any fixed moment.
    pub fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<(), ProxyError> {
        let next = match self.stage {
            Stage::Waiting => self.wait(input, output, clock()),
            Stage::Open => self.write_out(input, output, clock()),
            Stage::Over => HandshakeNext::Ended(ProxyError::Over),
        };
        if !matches!(next, HandshakeNext::Wants(_)) {
            self.stage = Stage::Over;
        }
        next
    }

    /// Reports the outcome of a read: the number of bytes added to the read buffer, or 0 at the end
    /// of the transport.
    pub fn did_read(&mut self, outcome: Result<usize, IoFailure>) {
        self.received = self.received.saturating_add(outcome.unwrap_or(0));
        self.exchange.did_read(outcome);
    }

    /// Reports the outcome of a write: the number of bytes written from the front of `output`, which
    /// this consumes.
    pub fn did_write(&mut self, outcome: Result<usize, IoFailure>, output: &mut WriteBuffer) {
        self.exchange.did_write(outcome, output);
    }

    fn wait(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        now: Duration,
    ) -> HandshakeNext<(), ProxyError> {
        match self.protocol.receive(input, output) {
            Ok(true) => {
                self.stage = Stage::Open;
                return self.write_out(input, output, now);
            }
            Ok(false) => {}
            Err(error) => return HandshakeNext::Ended(error),
        }
        if self.protocol.is_refused() {
            self.exchange.was_refused();
        }
        let all_written = self.exchange.is_all_written(output);
        let ended = match self.exchange.input_ended() {
            None => match self.exchange.wait(all_written, now) {
                Some(wants) => return HandshakeNext::Wants(wants),
                None => ProxyError::TimedOut,
            },
            Some(Ok(())) => ProxyError::Ended { received: self.received },
            Some(Err(failure)) => ProxyError::Transport(failure),
        };
        HandshakeNext::Ended(self.why(ended, input))
    }

    fn write_out(
        &mut self,
        input: &ReadBuffer,
        output: &WriteBuffer,
        now: Duration,
    ) -> HandshakeNext<(), ProxyError> {
        // In the tunnel the client speaks first, with TLS or the request. Bytes before
        // that are not the server's.
        let count = input.unread().len();
        if count > 0 {
            return HandshakeNext::Ended(ProxyError::UnexpectedData { count });
        }
        if self.exchange.is_all_written(output) {
            return HandshakeNext::Ready(());
        }
        if let Some(failure) = self.exchange.output_failed() {
            return HandshakeNext::Ended(ProxyError::Transport(failure));
        }
        match self.exchange.write_out(now) {
            Some(wants) => HandshakeNext::Wants(wants),
            None => HandshakeNext::Ended(ProxyError::TimedOut),
        }
    }

    /// Returns why there is no tunnel. What the proxy has said counts most, and then a failure to
    /// send the request, because it says more than that the proxy then ended the connection.
    fn why(&mut self, ended: ProxyError, input: &mut ReadBuffer) -> ProxyError {
        let in_order = matches!(ended, ProxyError::Ended { .. });
        match (self.protocol.end(input, in_order), self.exchange.output_failed()) {
            (Some(said), _) => said,
            (None, Some(failure)) => ProxyError::Transport(failure),
            (None, None) => ended,
        }
    }
}

impl Protocol {
    pub(super) fn http(limits: &Limits) -> Self {
        // Any 2xx opens the tunnel (RFC 9110 §9.3.6). Its response has no body, whatever the header
        // says.
        let is_granted = |status| matches!(status, 200..=299);
        Self::Http(Box::new(ResponseReader::new(is_granted, limits)))
    }

    fn receive(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
    ) -> Result<bool, ProxyError> {
        match self {
            Self::Http(reader) => match reader.receive_status(input) {
                Ok(status) => Ok(status.is_some()),
                Err(error) => Err(of_response(error)),
            },
            Self::Socks5(socks5) => socks5.receive(input, output),
        }
    }

    /// Returns `true` while the rest of a refusal is expected, whose head has arrived.
    fn is_refused(&self) -> bool {
        matches!(self, Self::Http(reader) if reader.is_refused())
    }

    /// Returns what the proxy has said before the transport ended, if that is known.
    fn end(&mut self, input: &mut ReadBuffer, in_order: bool) -> Option<ProxyError> {
        match self {
            Self::Http(reader) => match reader.end(input, in_order) {
                HandshakeError::TransportEnded { .. } => None,
                error => Some(of_response(error)),
            },
            Self::Socks5(_) => None,
        }
    }
}

fn of_response(error: HandshakeError) -> ProxyError {
    match error {
        HandshakeError::Refused(refusal) => ProxyError::Refused(refusal),
        error => ProxyError::InvalidResponse(Box::new(error)),
    }
}

impl fmt::Debug for Protocol {
    /// Does not show the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(reader) => f.debug_tuple("Http").field(reader).finish(),
            Self::Socks5(_) => f.debug_tuple("Socks5").finish_non_exhaustive(),
        }
    }
}

#[cfg(feature = "std")]
impl Opens for Tunneling {
    type Step = ();
    type Error = ProxyError;

    fn next(
        &mut self,
        input: &mut ReadBuffer,
        output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<(), ProxyError> {
        Self::next(self, input, output, clock)
    }

    fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }
}
