//! Connecting over TCP.

use super::dial::dial;
use super::exchange::drive;
#[cfg(feature = "rustls")]
use super::exchange::until;
use super::hooks::Hooks;
use super::shell::Timer;
use super::stream::{Stream, sockets::Sockets};
use super::websocket::WebSocket;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::client::{Attempt, Connector, Deadlines, Stage};
use crate::connection::Client;
use crate::error::Error;
use crate::handshake::{Response, Url};
use crate::random::SystemMaskKeys;
use crate::route::{Again, Layer, Route};
use crate::trace::connect_failed;
use crate::transport::Parts;
use alloc::{boxed::Box, string::String, vec::Vec};
use core::mem::take;

impl<M: Sockets> Connector<M> {
    /// Connects to a `ws://` or `wss://` URL over TCP, with `TCP_NODELAY` on, through the
    /// [proxy](Self::proxy) if there is one.
    ///
    /// If the host has several addresses, attempts to connect start 250 milliseconds apart and run
    /// side by side, with IPv6 and IPv4 in turn (RFC 8305); the first to succeed wins.
    ///
    /// RFC 6455 §4.1 also requires a client that opens several connections to one host to open them
    /// one after the other. This method does not ensure that.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Url`], [`Error::TlsUnsupported`], [`Error::Request`], or [`Error::Proxy`] for
    /// a proxy that can't be asked for this host, before anything is connected. Then
    /// [`Error::Random`], [`Error::Io`] if no address could be reached, [`Error::Proxy`] if the proxy
    /// opened no tunnel, `Error::Tls`, [`Error::ConnectTimeout`], [`Error::HandshakeTimeout`],
    /// [`Error::Redirect`], or [`Error::Handshake`] if the server did not accept.
    pub async fn connect(
        &self,
        url: impl AsRef<str>,
    ) -> Result<(WebSocket<Stream<M>, Client<SystemMaskKeys>, M>, Response), Error> {
        let mut attempt = Attempt::new(Url::parse(url.as_ref())?);
        let route = self.route(&attempt)?;
        Box::pin(async move {
            let mut timer = M::Timer::default();
            let deadlines = self.deadlines(timer.now());
            let opened = async {
                let mut stream = self.reach(route, attempt.url(), &deadlines, &mut timer).await?;
                loop {
                    let left = deadlines.left(Stage::Handshake, timer.now());
                    let failed = match self.handshake(stream, &attempt, left).await {
                        Ok(opened) => return Ok(opened),
                        Err(failed) => failed,
                    };
                    stream = match failed.next(&mut attempt, self)? {
                        Again::Same(stream, _) => stream,
                        Again::New(_) => {
                            let route = self.route(&attempt)?;
                            self.reach(route, attempt.url(), &deadlines, &mut timer).await?
                        }
                    };
                }
            };
            let opened = opened.await;
            opened.inspect_err(|error| connect_failed(attempt.url(), error))
        })
        .await
    }

    /// Connects like [`connect`](Self::connect), and leaves the frames to you: for a relay, or for
    /// extensions that you implement yourself.
    ///
    /// Each of `extensions` is one offer, `name; parameter; parameter=value`, or a list of them. No other
    /// extension is offered, whatever the configuration says of compression. What the server has agreed
    /// to is in the [`Response`]. [`Parts::unread`] holds what it has sent already.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::{buffer::ReadBuffer, on_tokio::Connector};
    ///
    /// # async fn offer() -> Result<(), sansocket::Error> {
    /// let offers = ["permessage-deflate; client_max_window_bits"];
    /// let (parts, response) =
    ///     Connector::new().connect_parts("ws://127.0.0.1:9001/", offers).await?;
    /// println!("{:?}", response.negotiated().extensions);
    /// let (stream, input) = (parts.transport, ReadBuffer::from(parts.unread));
    /// # let _ = (stream, input);
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`connect`](Self::connect). An offer with invalid syntax is an
    /// [`Error::Request`].
    pub async fn connect_parts(
        &self,
        url: impl AsRef<str>,
        extensions: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(Parts<Stream<M>>, Response), Error> {
        let connector = self.offering(extensions);
        let (websocket, response) = connector.connect(url).await?;
        Ok((websocket.into_parts(), response))
    }

    /// Returns a stream that leads to the server.
    async fn reach(
        &self,
        mut route: Route,
        url: &Url,
        deadlines: &Deadlines,
        timer: &mut M::Timer,
    ) -> Result<Stream<M>, Error> {
        let (hooks, options) = (self.hooks::<Hooks<M>>(), self.socket_options);
        let (to_proxy, to_server) = (take(&mut route.to_proxy), take(&mut route.to_server));
        let connected = async {
            let stream =
                dial::<M>(&route.host, route.port, &hooks, options, deadlines, timer).await?;
            put_on(stream, to_proxy, url, deadlines, timer).await
        };
        let stream = connected.await.map_err(|error| route.explain(error))?;
        put_on(stream, to_server, url, deadlines, timer).await
    }
}

/// Puts layers on a stream.
async fn put_on<M: Sockets>(
    mut stream: Stream<M>,
    layers: Vec<Layer>,
    url: &Url,
    deadlines: &Deadlines,
    timer: &mut M::Timer,
) -> Result<Stream<M>, Error> {
    for layer in layers {
        match layer {
            #[cfg(feature = "rustls")]
            Layer::Tls(session) => {
                let end = deadlines.until(Stage::Tls, timer.now());
                let secured = until(timer, end, stream.secured(*session)).await;
                stream = secured.unwrap_or(Err(Error::ConnectTimeout(Stage::Tls)))?;
            }
            Layer::Tunnel(proxy, limits) => {
                let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
                let left = deadlines.left(Stage::Proxy, timer.now());
                let mut tunneling = proxy.begin_within(left, url, &limits, &mut output)?;
                drive::<_, M, _>(&mut tunneling, &mut stream, &mut input, &mut output).await?;
            }
        }
    }
    Ok(stream)
}
