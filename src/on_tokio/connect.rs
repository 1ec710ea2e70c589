//! Connecting over TCP.

use super::{ClientWebSocket, Tokio};
use crate::client;
use crate::error::Error;
use alloc::boxed::Box;

/// Connects to a `ws://` or `wss://` URL, with the default options of a [`Connector`]. To see the server's
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
