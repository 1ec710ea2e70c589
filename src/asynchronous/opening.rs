use super::exchange::{Exchange, within};
use crate::tokio::WebSocket;
use crate::{
    Accept, Config, Error, ReadBuffer, Reject, Request, Server,
    opening::{accept, configured, refuse},
};
use ::tokio::io::{AsyncRead, AsyncWrite};
use alloc::boxed::Box;
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

impl<S: AsyncRead + AsyncWrite + Unpin> Opening<S> {
    pub(crate) fn new(
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
        &self.exchange.transport
    }

    /// What the client has sent behind its request so far, which it should not before the answer.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.exchange.input.unread()
    }

    /// Sends the answer that opens the WebSocket.
    ///
    /// Not cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`] if the answer does not fit to the request: the client gets status 500 then.
    /// [`Error::HandshakeTimeout`] or [`Error::Io`].
    pub async fn accept(mut self, answer: &Accept<'_>) -> Result<WebSocket<S, Server>, Error> {
        match accept(&self.request, answer, &self.config, &mut self.exchange.output) {
            Ok(negotiated) => {
                within(self.handshake_timeout, self.exchange.flush()).await?;
                let Exchange { transport, input, .. } = self.exchange;
                let config = configured(self.config, answer);
                Ok(WebSocket::new(transport, Server::new(), negotiated, input, config))
            }
            Err(error) => {
                Box::pin(self.exchange.end_refused()).await;
                Err(error.into())
            }
        }
    }

    /// Sends a refusal, and ends the transport so that it arrives: what the client still sends is
    /// read and dropped, up to 1 MiB and for 2 seconds.
    ///
    /// A client that does not read it is no error. Not cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Reject`] if the refusal can't be sent: the client gets status 500 then.
    pub async fn refuse(mut self, reject: &Reject<'_>) -> Result<(), Error> {
        let refused = refuse(reject, &mut self.exchange.output);
        Box::pin(self.exchange.end_refused()).await;
        Ok(refused?)
    }

    /// Gives the transport to whoever answers the request otherwise, with the request and what came
    /// behind it.
    #[must_use]
    pub fn into_parts(self) -> (S, Request, ReadBuffer) {
        (self.exchange.transport, self.request, self.exchange.input)
    }
}
