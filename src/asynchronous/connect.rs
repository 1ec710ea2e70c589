use super::WebSocket;
use super::exchange::Exchange;
use super::shell::{Runtime, Shell};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::client::Connector;
use crate::connection::Client;
use crate::error::Error;
use crate::handshake::{Response, Url};
use crate::random::{SystemMaskKeys, random_bytes};
use alloc::boxed::Box;
use core::time::Duration;

impl<M: Runtime> Connector<M> {
    /// Makes the opening handshake over a transport that is connected already.
    ///
    /// Not cancel safe: a connection whose handshake is dropped is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] or [`Error::Request`] before anything is sent; [`Error::HandshakeTimeout`],
    /// [`Error::Io`], or [`Error::Handshake`] if the server did not accept.
    pub async fn connect_over<S>(
        &self,
        transport: S,
        url: &str,
    ) -> Result<(WebSocket<S, Client<SystemMaskKeys>, M>, Response), Error>
    where
        M: Shell<S>,
    {
        let url = Url::parse(url)?;
        Box::pin(self.handshake(transport, &url, self.handshake_timeout)).await
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
        let (nonce, keys) = (random_bytes()?, SystemMaskKeys::new()?);
        let mut output = WriteBuffer::new();
        let mut connecting = self.begin_within(timeout, url, nonce, &mut output)?;
        let mut exchange = Exchange::<S, M>::new(transport, ReadBuffer::new(), output);
        let response = exchange.drive(&mut connecting).await?;
        let Exchange { transport, input, .. } = exchange;
        let negotiated = response.negotiated().clone();
        let role = Client::new(keys);
        Ok((WebSocket::new(transport, role, negotiated, input, self.config), response))
    }
}
