use super::timer::Timer;
use super::{Tokio, WebSocket};
use crate::asynchronous::{Timer as _, exchange::until};
use crate::client;
use crate::connection::Client;
use crate::error::Error;
use crate::handshake::{Response, Url};
use crate::random::SystemMaskKeys;
use ::tokio::net::{TcpStream, lookup_host};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;
use std::io::ErrorKind;

/// Connects to a `ws://` URL, with the defaults of a [`Connector`].
///
/// Not cancel safe: a connection whose handshake is dropped is lost.
///
/// # Errors
///
/// As for [`Connector::connect`](client::Connector::connect).
///
/// ```no_run
/// # async fn hello() -> Result<(), sansocket::Error> {
/// let mut websocket = sansocket::tokio::connect("ws://127.0.0.1:9001/chat").await?;
/// websocket.send("hello").await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect(url: &str) -> Result<WebSocket<TcpStream, Client<SystemMaskKeys>>, Error> {
    // Boxed, so that the task that goes on with the connection has no room for the connector in it.
    Box::pin(async move { Ok(Connector::new().connect(url).await?.0) }).await
}

/// How a client connects.
///
/// ```no_run
/// use sansocket::tokio::Connector;
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
pub type Connector = client::Connector<Tokio>;

impl client::Connector<Tokio> {
    /// Connects to a `ws://` URL over TCP, with `TCP_NODELAY` on. The addresses of its host are
    /// tried one after the other. RFC 6455 §4.1 wants several connections to one host to be made
    /// one after the other too; that is left to the user, as `docs/handshake.md` says.
    ///
    /// Not cancel safe: a connection whose handshake is dropped is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] or [`Error::Request`] before anything is sent; [`Error::Io`] if no address
    /// could be reached, [`Error::HandshakeTimeout`], or [`Error::Handshake`] if the server did not
    /// accept.
    pub async fn connect(
        &self,
        url: &str,
    ) -> Result<(WebSocket<TcpStream, Client<SystemMaskKeys>>, Response), Error> {
        let url = Url::parse(url)?;
        if url.is_secure() {
            return Err(Error::needs_tls());
        }
        Box::pin(async move {
            let mut timer = Timer::default();
            let now = timer.now();
            let end = self.handshake_timeout.map(|timeout| now.saturating_add(timeout));
            let stream = connect_tcp(&url, end, &mut timer).await?;
            stream.set_nodelay(true)?;
            self.handshake(stream, &url, end.map(|end| end.saturating_sub(timer.now()))).await
        })
        .await
    }
}

/// Connects to an address of the host, until a moment at most.
async fn connect_tcp(
    url: &Url,
    end: Option<Duration>,
    timer: &mut Timer,
) -> Result<TcpStream, Error> {
    let addresses: Vec<_> = match until(timer, end, lookup_host((url.host(), url.port()))).await {
        Some(found) => found.map_err(Error::final_io)?.collect(),
        None => return Err(Error::HandshakeTimeout),
    };
    let mut failed = None;
    for (index, address) in addresses.iter().enumerate() {
        // An address that never answers leaves time for the others.
        let now = timer.now();
        let others = (addresses.len() - index) as u32;
        let share = end.map(|end| now.saturating_add(end.saturating_sub(now) / others));
        match until(timer, share, TcpStream::connect(address)).await {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => failed = Some(error),
            None => failed = Some(ErrorKind::TimedOut.into()),
        }
    }
    Err(Error::of_connecting(failed, end.is_some()))
}
