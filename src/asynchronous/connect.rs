//! Connecting over any async stream.

use super::exchange::drive;
use super::shell::{Runtime, Shell, Timer};
use super::websocket::WebSocket;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::client::{Attempt, Connecting, Connector, Stage};
use crate::connection::Client;
use crate::error::Error;
use crate::handshake::{Response, Url};
use crate::random::{self, SystemMaskKeys};
use crate::route::{Again, FailedRequest, final_error};
use crate::trace::connect_failed;
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
        Box::pin(async move {
            let timer = M::Timer::default();
            let deadlines = self.deadlines(timer.now());
            let opened = async {
                let (mut transport, mut refusal) = (transport, None);
                loop {
                    let left = deadlines.left(Stage::Handshake, timer.now());
                    let failed = match self.handshake(transport, &attempt, left).await {
                        Ok(opened) => return Ok(opened),
                        Err(failed) => failed,
                    };
                    match failed.next(&mut attempt, self)? {
                        Again::Same(same, error) => (transport, refusal) = (same, Some(error)),
                        Again::New(error) => return Err(final_error(error, refusal)),
                    }
                }
            };
            let opened = opened.await;
            opened.inspect_err(|error| connect_failed(attempt.url(), error))
        })
        .await
    }

    /// Performs one opening handshake.
    pub(crate) async fn handshake<S>(
        &self,
        mut transport: S,
        attempt: &Attempt,
        timeout: Option<Duration>,
    ) -> Result<(WebSocket<S, Client<SystemMaskKeys>, M>, Response), FailedRequest<S>>
    where
        M: Shell<S>,
    {
        let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        let opened = async {
            let (nonce, keys) = (random::nonce()?, SystemMaskKeys::new()?);
            let (request, limits) = (attempt.request(self), &self.config.limits);
            let mut connecting = Connecting::new(&request, nonce, &mut output, limits, timeout)?;
            let (transport, input) = (&mut transport, &mut input);
            let response = drive::<S, M, _>(&mut connecting, transport, input, &mut output).await?;
            Ok::<_, Error>((response, keys))
        };
        match opened.await {
            Ok((response, keys)) => {
                let negotiated = response.negotiated().clone();
                let (role, url, config) = (Client::new(keys), attempt.url(), self.config);
                let websocket = WebSocket::for_url(transport, role, url, negotiated, input, config);
                Ok((websocket, response))
            }
            Err(error) => {
                let unread = input.unread().len();
                Err(FailedRequest { error, transport, unread })
            }
        }
    }
}
