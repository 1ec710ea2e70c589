//! Connecting over TCP.

use super::dial::connect_tcp;
use super::stream::Stream;
use super::timer::Timer;
use super::{ClientWebSocket, Tokio};
use crate::asynchronous::Timer as _;
#[cfg(feature = "rustls")]
use crate::asynchronous::exchange::until;
use crate::client;
use crate::error::Error;
use crate::handshake::{Response, Url};
use alloc::boxed::Box;

/// Connects to a `ws://` URL, with the default options of a [`Connector`]. To see the server's
/// response, use [`Connector::connect`](client::Connector::connect).
///
/// Not cancel safe: if you drop the future, the connection is lost.
///
/// ```no_run
/// # async fn hello() -> Result<(), sansocket::Error> {
/// let mut websocket = sansocket::on_tokio::connect("ws://127.0.0.1:9001/chat").await?;
/// websocket.send("hello").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Returns the errors of [`Connector::connect`](client::Connector::connect).
#[doc(alias = "connect_async")]
#[doc(alias = "Dial")]
pub async fn connect(url: impl AsRef<str>) -> Result<ClientWebSocket, Error> {
    // Boxed to keep the connector out of the task that continues with the connection.
    Box::pin(async move { Ok(Connector::new().connect(url).await?.0) }).await
}

/// The configuration with which a client connects.
///
/// ```no_run
/// use sansocket::on_tokio::Connector;
///
/// # async fn hello() -> Result<(), sansocket::Error> {
/// let (websocket, response) = Connector::new()
///     .header("Authorization", "Bearer 5ca1ab1e")
///     .subprotocol("chat.v2")
///     .connect("ws://127.0.0.1:9001/")
///     .await?;
/// println!("{:?} {:?}", websocket.negotiated().subprotocol, response.header("Set-Cookie"));
/// # Ok(())
/// # }
/// ```
///
/// Its methods are those of [`client::Connector`](crate::client::Connector).
pub type Connector = client::Connector<Tokio>;

impl client::Connector<Tokio> {
    /// Connects to a `ws://` URL over TCP, with `TCP_NODELAY` on.
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
    /// Returns [`Error::Url`], [`Error::TlsUnsupported`], or [`Error::Request`] before anything is
    /// sent, [`Error::Random`], [`Error::Io`] if no address could be reached,
    /// [`Error::HandshakeTimeout`], or [`Error::Handshake`] if the server did not accept.
    pub async fn connect(
        &self,
        url: impl AsRef<str>,
    ) -> Result<(ClientWebSocket, Response), Error> {
        let url = Url::parse(url.as_ref())?;
        self.check(&url)?;
        #[cfg(feature = "rustls")]
        let session = url.is_secure().then(|| self.session(&url)).transpose()?;
        #[cfg(not(feature = "rustls"))]
        if url.is_secure() {
            return Err(Error::TlsUnsupported);
        }
        Box::pin(async move {
            let mut timer = Timer::default();
            let now = timer.now();
            let end = self.handshake_timeout.map(|timeout| now.saturating_add(timeout));
            let stream = connect_tcp(&url, end, &mut timer).await?;
            stream.set_nodelay(true)?;
            let stream = Stream::from(stream);
            #[cfg(feature = "rustls")]
            let stream = match session {
                None => stream,
                Some(session) => {
                    let secured = until(&mut timer, end, stream.secured(session)).await;
                    secured.unwrap_or(Err(Error::HandshakeTimeout))?
                }
            };
            let left = end.map(|end| end.saturating_sub(timer.now()));
            self.handshake(stream, &url, left).await
        })
        .await
    }
}
