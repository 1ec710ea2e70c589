//! Connecting over any async stream.

use super::exchange::drive;
use super::shell::{Runtime, Shell};
use super::websocket::WebSocket;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::client::{Attempt, Connecting, Connector};
use crate::connection::Client;
use crate::error::Error;
use crate::handshake::{HandshakeError, Response, Url};
use crate::random::{self, SystemMaskKeys};
use alloc::boxed::Box;
use core::time::Duration;

impl<M: Runtime> Connector<M> {
    /// Performs the opening handshake over a transport that is already connected.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Url`] or [`Error::Request`] before anything is sent, [`Error::Random`],
    /// [`Error::HandshakeTimeout`], [`Error::Io`], or [`Error::Handshake`] if the server did not
    /// accept.
    #[doc(alias = "client_async")]
    #[doc(alias = "client")]
    pub async fn connect_over<S>(
        &self,
        url: impl AsRef<str>,
        transport: S,
    ) -> Result<(WebSocket<S, Client<SystemMaskKeys>, M>, Response), Error>
    where
        M: Shell<S>,
    {
        let mut attempt = Attempt::new(Url::parse(url.as_ref())?);
        Box::pin(self.handshake(transport, &mut attempt, || self.handshake_time())).await
    }

    /// Performs the opening handshake, and a second one after a challenge if the server keeps the
    /// connection. `timeout` returns the time for one that begins now.
    pub(crate) async fn handshake<S>(
        &self,
        mut transport: S,
        attempt: &mut Attempt,
        timeout: impl Fn() -> Option<Duration>,
    ) -> Result<(WebSocket<S, Client<SystemMaskKeys>, M>, Response), Error>
    where
        M: Shell<S>,
    {
        loop {
            let (nonce, keys) = (random::nonce()?, SystemMaskKeys::new()?);
            let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
            let (request, limits) = (attempt.request(self), &self.config.limits);
            let mut connecting = Connecting::new(&request, nonce, &mut output, limits, timeout())?;
            match drive::<S, M, _>(&mut connecting, &mut transport, &mut input, &mut output).await {
                Ok(response) => {
                    let negotiated = response.negotiated().clone();
                    let role = Client::new(keys);
                    let websocket = WebSocket::new(transport, role, negotiated, input, self.config);
                    return Ok((websocket, response));
                }
                Err(Error::Handshake(HandshakeError::Refused(refusal)))
                    if input.unread().is_empty() && attempt.answers(&refusal, self) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
