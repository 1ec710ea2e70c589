//! Connecting over any async stream.

use super::exchange::drive;
use super::shell::{Runtime, Shell};
use super::websocket::WebSocket;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::client::Connector;
use crate::connection::Client;
use crate::error::Error;
use crate::handshake::{Response, Url};
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
        let url = Url::parse(url.as_ref())?;
        Box::pin(self.handshake(transport, &url, self.handshake_time())).await
    }

    pub(crate) async fn handshake<S>(
        &self,
        transport: S,
        url: &Url,
        timeout: Option<Duration>,
    ) -> Result<(WebSocket<S, Client<SystemMaskKeys>, M>, Response), Error>
    where
        M: Shell<S>,
    {
        let (nonce, keys) = (random::nonce()?, SystemMaskKeys::new()?);
        let mut output = WriteBuffer::new();
        let mut connecting = self.begin_within(timeout, url, nonce, &mut output)?;
        let (mut transport, mut input) = (transport, ReadBuffer::new());
        let response =
            drive::<S, M, _>(&mut connecting, &mut transport, &mut input, &mut output).await?;
        let negotiated = response.negotiated().clone();
        let role = Client::new(keys);
        Ok((WebSocket::new(transport, role, negotiated, input, self.config), response))
    }
}
