//! Connecting over TCP or any blocking transport.

use super::dial::dial;
use super::exchange::Exchange;
use super::stream::Stream;
use super::{Blocking, ClientWebSocket, Transport, WebSocket};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::client::{self, Attempt, Connecting, Deadlines, Stage};
use crate::connection::Client;
use crate::error::Error;
use crate::handshake::{HandshakeError, Response, Url};
use crate::random::{self, SystemMaskKeys};
use crate::route::{Layer, Route};
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
    /// Connects to a `ws://` or `wss://` URL over TCP, with `TCP_NODELAY` on, through the
    /// [proxy](Self::proxy) if there is one. The system looks up the host.
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
    /// Returns [`Error::Url`], [`Error::TlsUnsupported`], [`Error::Request`], or [`Error::Proxy`] for
    /// a proxy that can't be asked for this host, before anything is connected. Then
    /// [`Error::Random`], [`Error::Io`] if no address could be reached, [`Error::Proxy`] if the proxy
    /// opened no tunnel, `Error::Tls`, [`Error::ConnectTimeout`], [`Error::HandshakeTimeout`],
    /// [`Error::Redirect`], or [`Error::Handshake`] if the server did not accept.
    pub fn connect(&self, url: impl AsRef<str>) -> Result<(ClientWebSocket, Response), Error> {
        let mut attempt = Attempt::new(Url::parse(url.as_ref())?);
        let mut route = self.route(&attempt)?;
        let clock = Clock::new();
        let deadlines = self.deadlines(clock.now());
        loop {
            let stream = self.reach(route, attempt.url(), &deadlines, &clock)?;
            let left = || deadlines.left(Stage::Handshake, clock.now());
            match self.handshake(stream, &mut attempt, left) {
                Err(Error::Handshake(HandshakeError::Refused(refusal)))
                    if attempt.goes_on(&refusal, self)? =>
                {
                    route = self.route(&attempt)?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Returns a stream that leads to the server.
    fn reach(
        &self,
        mut route: Route,
        url: &Url,
        deadlines: &Deadlines,
        clock: &Clock,
    ) -> Result<Stream, Error> {
        let until = |stage| {
            let until = deadlines.until(stage, clock.now())?;
            clock.0.checked_add(until)
        };
        let layers = core::mem::take(&mut route.layers);
        let (hooks, options) = (self.hooks(), self.socket_options);
        let dialed = dial(&route.host, route.port, &hooks, options, until);
        let mut stream = dialed.map_err(|error| route.explain(error))?;
        for layer in layers {
            match layer {
                #[cfg(feature = "rustls")]
                Layer::Tls(session) => {
                    let secured = stream.secured(*session, until(Stage::Tls))?;
                    stream = secured.ok_or(Error::ConnectTimeout(Stage::Tls))?;
                }
                Layer::Tunnel(proxy) => {
                    let mut output = WriteBuffer::new();
                    let left = deadlines.left(Stage::Proxy, clock.now());
                    let mut tunneling = proxy.begin_within(left, url, &mut output)?;
                    let mut exchange = Exchange::new(stream, ReadBuffer::new(), output);
                    exchange.drive(&mut tunneling)?;
                    stream = exchange.into_parts().0;
                }
            }
        }
        Ok(stream)
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
        let mut attempt = Attempt::new(Url::parse(url.as_ref())?);
        self.handshake(transport, &mut attempt, || self.handshake_time())
    }

    /// Performs the opening handshake, and a second one after a challenge if the server keeps the
    /// connection. `timeout` returns the time for one that begins now.
    fn handshake<S: Transport>(
        &self,
        mut transport: S,
        attempt: &mut Attempt,
        timeout: impl Fn() -> Option<Duration>,
    ) -> Result<(ClientWebSocket<S>, Response), Error> {
        loop {
            let (nonce, keys) = (random::nonce()?, SystemMaskKeys::new()?);
            let mut output = WriteBuffer::new();
            let (request, limits) = (attempt.request(self), &self.config.limits);
            let mut connecting = Connecting::new(&request, nonce, &mut output, limits, timeout())?;
            let mut exchange = Exchange::new(transport, ReadBuffer::new(), output);
            let outcome = exchange.drive(&mut connecting);
            let input;
            (transport, input, _) = exchange.into_parts();
            match outcome {
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

/// The time since an attempt to connect began.
struct Clock(Instant);

impl Clock {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
