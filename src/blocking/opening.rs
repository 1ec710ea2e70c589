use super::exchange::Exchange;
use super::{Transport, WebSocket};
use crate::{
    Accept, Config, Connection, Error, ReadBuffer, Reject, Request, Server,
    opening::{accept, configured, refuse},
};
use core::time::Duration;

/// A connection whose client has sent its part of the opening handshake, and waits for the answer:
/// see [`Acceptor::receive_request`](super::Acceptor::receive_request).
///
/// Dropping it ends the transport without an answer.
#[derive(Debug)]
pub struct Opening<S> {
    exchange: Exchange<S>,
    request: Request,
    config: Config,
    handshake_timeout: Option<Duration>,
}

impl<S: Transport> Opening<S> {
    pub(super) fn new(
        exchange: Exchange<S>,
        request: Request,
        config: Config,
        handshake_timeout: Option<Duration>,
    ) -> Self {
        Self { exchange, request, config, handshake_timeout }
    }

    /// The client's request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The transport, to look at it or to set its options. Don't read from it or write to it.
    #[must_use]
    pub fn transport(&self) -> &S {
        &self.exchange.transport.transport
    }

    /// What the client has sent behind its request so far, which it should not before the answer.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.exchange.input.unread()
    }

    /// Sends the answer that opens the WebSocket.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`] if the answer does not fit to the request: the client gets status 500 then.
    /// [`Error::HandshakeTimeout`] or [`Error::Io`].
    pub fn accept(self, answer: &Accept<'_>) -> Result<WebSocket<S, Server>, Error> {
        let Self { mut exchange, request, config, .. } = self;
        let negotiated = accept(&request, answer, &config, &mut exchange.output)
            .inspect_err(|_| exchange.end_refused())?;
        exchange.restart(self.handshake_timeout);
        exchange.flush()?;
        exchange.transport.unbound()?;
        let config = configured(config, answer);
        let connection = Connection::new(Server::new(), &negotiated, config);
        Ok(WebSocket::from_parts(exchange.transport, connection, negotiated, exchange.input))
    }

    /// Sends a refusal, and ends the transport so that it arrives: what the client still sends is
    /// read and dropped, up to 1 MiB and for 2 seconds.
    ///
    /// A client that does not read it is no error.
    ///
    /// # Errors
    ///
    /// [`Error::Reject`] if the refusal can't be sent: the client gets status 500 then.
    pub fn refuse(mut self, reject: &Reject<'_>) -> Result<(), Error> {
        let refused = refuse(reject, &mut self.exchange.output);
        self.exchange.end_refused();
        Ok(refused?)
    }

    /// Gives the transport to whoever answers the request otherwise, with the request and what came
    /// behind it. Timeouts of the handshake may still be set on it.
    #[must_use]
    pub fn into_parts(self) -> (S, Request, ReadBuffer) {
        (self.exchange.transport.transport, self.request, self.exchange.input)
    }
}
