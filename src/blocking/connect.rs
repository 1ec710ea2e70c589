//! Connecting over TCP or any blocking transport.

use super::dial::connect_tcp;
use super::exchange::Exchange;
use super::stream::Stream;
use super::{Blocking, ClientWebSocket, Transport, WebSocket};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::client;
use crate::connection::Client;
use crate::error::Error;
use crate::handshake::{Response, Url};
use crate::random::{self, SystemMaskKeys};
use core::time::Duration;
use std::time::Instant;

/// Connects to a `ws://` URL, with the default options of a [`Connector`]. To see the server's
/// response, use [`Connector::connect`](client::Connector::connect).
///
/// ```no_run
/// let mut websocket = sansocket::blocking::connect("ws://127.0.0.1:9001/chat")?;
/// websocket.send("hello")?;
/// # Ok::<(), sansocket::Error>(())
/// ```
///
/// # Errors
///
/// Returns the errors of [`Connector::connect`](client::Connector::connect).
pub fn connect(url: impl AsRef<str>) -> Result<ClientWebSocket, Error> {
    Ok(Connector::new().connect(url)?.0)
}

/// The configuration with which a client connects.
///
/// If you have set timeouts on the transport, they also end the opening handshake.
///
/// ```no_run
/// use sansocket::blocking::Connector;
///
/// let (websocket, response) = Connector::new()
///     .header("Authorization", "Bearer 5ca1ab1e")
///     .subprotocol("chat.v2")
///     .connect("ws://127.0.0.1:9001/")?;
/// println!("{:?} {:?}", websocket.negotiated().subprotocol, response.header("Set-Cookie"));
/// # Ok::<(), sansocket::Error>(())
/// ```
///
/// Its methods are those of [`client::Connector`](crate::client::Connector).
pub type Connector = client::Connector<Blocking>;

impl client::Connector<Blocking> {
    /// Connects to a `ws://` URL over TCP, with `TCP_NODELAY` on. The system looks up the host.
    ///
    /// If the host has several addresses, attempts to connect start 250 milliseconds apart and run
    /// side by side, with IPv6 and IPv4 in turn (RFC 8305); the first to succeed wins. Each attempt
    /// and a lookup with a timeout run in a thread of their own.
    ///
    /// RFC 6455 §4.1 also requires a client that opens several connections to one host to open them
    /// one after the other. This method does not ensure that.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Url`], [`Error::TlsUnsupported`] or [`Error::Request`] before anything is
    /// connected, [`Error::Random`], [`Error::Io`] if no address could be reached,
    /// [`Error::HandshakeTimeout`], or [`Error::Handshake`] if the server did not accept.
    pub fn connect(&self, url: impl AsRef<str>) -> Result<(ClientWebSocket, Response), Error> {
        let url = Url::parse(url.as_ref())?;
        self.check(&url)?;
        #[cfg(feature = "rustls")]
        let session = url.is_secure().then(|| self.session(&url)).transpose()?;
        #[cfg(not(feature = "rustls"))]
        if url.is_secure() {
            return Err(Error::TlsUnsupported);
        }
        let started = Instant::now();
        let end = self.handshake_timeout.and_then(|timeout| started.checked_add(timeout));
        let stream = connect_tcp(url.host(), url.port(), end)?;
        stream.set_nodelay(true)?;
        let stream = Stream::from(stream);
        #[cfg(feature = "rustls")]
        let stream = match session {
            None => stream,
            Some(session) => stream.secured(session, end)?,
        };
        self.handshake(stream, &url, self.left(started)?)
    }

    /// Performs the opening handshake over a transport that is already connected.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Url`] or [`Error::Request`] before anything is sent, [`Error::Random`],
    /// [`Error::HandshakeTimeout`], [`Error::Io`], or [`Error::Handshake`] if the server did not
    /// accept.
    #[doc(alias = "client")]
    #[doc(alias = "client_tls")]
    pub fn connect_over<S: Transport>(
        &self,
        url: impl AsRef<str>,
        transport: S,
    ) -> Result<(ClientWebSocket<S>, Response), Error> {
        self.handshake(transport, &Url::parse(url.as_ref())?, self.handshake_timeout)
    }

    fn handshake<S: Transport>(
        &self,
        transport: S,
        url: &Url,
        timeout: Option<Duration>,
    ) -> Result<(ClientWebSocket<S>, Response), Error> {
        let (nonce, keys) = (random::nonce()?, SystemMaskKeys::new()?);
        let mut output = WriteBuffer::new();
        let mut connecting = self.begin_within(timeout, url, nonce, &mut output)?;
        let mut exchange = Exchange::new(transport, ReadBuffer::new(), output);
        let response = exchange.drive(&mut connecting)?;
        let (transport, input, _) = exchange.into_parts();
        let negotiated = response.negotiated().clone();
        let role = Client::new(keys);
        Ok((WebSocket::new(transport, role, negotiated, input, self.config), response))
    }

    fn left(&self, started: Instant) -> Result<Option<Duration>, Error> {
        let Some(timeout) = self.handshake_timeout else { return Ok(None) };
        match timeout.checked_sub(started.elapsed()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(Error::HandshakeTimeout),
        }
    }
}
