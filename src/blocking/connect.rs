//! Connecting over TCP or any blocking transport.

use super::dial::dial;
use super::exchange::Exchange;
use super::stream::Stream;
use super::{Blocking, ClientWebSocket, Transport, WebSocket};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::client::{self, Attempt, Connecting, Deadlines, Stage};
use crate::connection::Client;
use crate::error::Error;
use crate::handshake::{Response, Url};
use crate::random::{self, SystemMaskKeys};
use crate::route::{Again, FailedRequest, Layer, Route, final_error};
use crate::trace::connect_failed;
use crate::transport::Parts;
use alloc::{string::String, vec::Vec};
use core::{mem::take, time::Duration};
use std::time::Instant;

/// Connects to a `ws://` or `wss://` URL, with the default options of a [`Connector`]. To see the server's
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
        let route = self.route(&attempt)?;
        let clock = Clock::new();
        let deadlines = self.deadlines(clock.now());
        let open = || {
            let mut stream = self.reach(route, attempt.url(), &deadlines, &clock)?;
            loop {
                let left = deadlines.left(Stage::Handshake, clock.now());
                let failed = match self.handshake(stream, &attempt, left) {
                    Ok(opened) => return Ok(opened),
                    Err(failed) => failed,
                };
                stream = match failed.next(&mut attempt, self)? {
                    Again::Same(stream, _) => stream,
                    Again::New(_) => {
                        self.reach(self.route(&attempt)?, attempt.url(), &deadlines, &clock)?
                    }
                };
            }
        };
        open().inspect_err(|error| connect_failed(attempt.url(), error))
    }

    /// Connects like [`connect`](Self::connect), and leaves the frames to you: for a relay, or for
    /// extensions that you implement yourself.
    ///
    /// Each of `extensions` is one offer, `name; parameter; parameter=value`, or a list of them. No other
    /// extension is offered, whatever the configuration says of compression. What the server has agreed
    /// to is in the [`Response`]. [`Parts::unread`] holds what it has sent already.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`connect`](Self::connect). An offer with invalid syntax is an
    /// [`Error::Request`].
    pub fn connect_parts(
        &self,
        url: impl AsRef<str>,
        extensions: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(Parts<Stream>, Response), Error> {
        let (websocket, response) = self.offering(extensions).connect(url)?;
        Ok((websocket.into_parts(), response))
    }

    /// Returns a stream that leads to the server.
    fn reach(
        &self,
        mut route: Route,
        url: &Url,
        deadlines: &Deadlines,
        clock: &Clock,
    ) -> Result<Stream, Error> {
        let until = |stage| clock.instant(deadlines.until(stage, clock.now())?);
        let (hooks, options) = (self.hooks(), self.socket_options);
        let (to_proxy, to_server) = (take(&mut route.to_proxy), take(&mut route.to_server));
        let stream = dial(&route.host, route.port, &hooks, options, until)
            .and_then(|stream| put_on(stream, to_proxy, url, deadlines, clock))
            .map_err(|error| route.explain(error))?;
        put_on(stream, to_server, url, deadlines, clock)
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
        let clock = Clock::new();
        let deadlines = self.deadlines(clock.now());
        let open = || {
            let (mut transport, mut refusal) = (transport, None);
            loop {
                let left = deadlines.left(Stage::Handshake, clock.now());
                let failed = match self.handshake(transport, &attempt, left) {
                    Ok(opened) => return Ok(opened),
                    Err(failed) => failed,
                };
                match failed.next(&mut attempt, self)? {
                    Again::Same(same, error) => (transport, refusal) = (same, Some(error)),
                    Again::New(error) => return Err(final_error(error, refusal)),
                }
            }
        };
        open().inspect_err(|error| connect_failed(attempt.url(), error))
    }

    /// Performs one opening handshake.
    fn handshake<S: Transport>(
        &self,
        transport: S,
        attempt: &Attempt,
        timeout: Option<Duration>,
    ) -> Result<(ClientWebSocket<S>, Response), FailedRequest<S>> {
        let (request, limits) = (attempt.request(self), &self.config.limits);
        let mut output = WriteBuffer::new();
        let begun = (|| {
            let (nonce, keys) = (random::nonce()?, SystemMaskKeys::new()?);
            let connecting = Connecting::new(&request, nonce, &mut output, limits, timeout)?;
            Ok::<_, Error>((connecting, keys))
        })();
        let (mut connecting, keys) = match begun {
            Ok(begun) => begun,
            Err(error) => return Err(FailedRequest { error, transport, unread: 0 }),
        };
        let mut exchange = Exchange::new(transport, ReadBuffer::new(), output);
        let outcome = exchange.drive(&mut connecting);
        let (transport, input, _) = exchange.into_parts();
        let unread = input.unread().len();
        let response = match outcome {
            Ok(response) => response,
            Err(error) => return Err(FailedRequest { error, transport, unread }),
        };
        let negotiated = response.negotiated().clone();
        let role = Client::new(keys);
        let url = attempt.url();
        let websocket = WebSocket::for_url(transport, role, url, negotiated, input, self.config);
        Ok((websocket, response))
    }
}

/// Puts layers on a stream.
fn put_on(
    mut stream: Stream,
    layers: Vec<Layer>,
    url: &Url,
    deadlines: &Deadlines,
    clock: &Clock,
) -> Result<Stream, Error> {
    for layer in layers {
        match layer {
            #[cfg(feature = "rustls")]
            Layer::Tls(session) => {
                let end = deadlines.until(Stage::Tls, clock.now());
                let secured = stream.secured(*session, end.and_then(|end| clock.instant(end)))?;
                stream = secured.ok_or(Error::ConnectTimeout(Stage::Tls))?;
            }
            Layer::Tunnel(proxy, limits) => {
                let mut output = WriteBuffer::new();
                let left = deadlines.left(Stage::Proxy, clock.now());
                let mut tunneling = proxy.begin_within(left, url, &limits, &mut output)?;
                let mut exchange = Exchange::new(stream, ReadBuffer::new(), output);
                exchange.drive(&mut tunneling)?;
                stream = exchange.into_parts().0;
            }
        }
    }
    Ok(stream)
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

    fn instant(&self, time: Duration) -> Option<Instant> {
        self.0.checked_add(time)
    }
}
