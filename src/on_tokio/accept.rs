//! Accepting over TCP.

use super::{ServerWebSocket, Tokio};
use crate::error::Error;
use crate::server;
use ::tokio::net::TcpStream;
use alloc::boxed::Box;

/// Accepts a WebSocket connection on a TCP stream, with the default options of an [`Acceptor`].
///
/// Not cancel safe: if you drop the future, the connection is lost.
///
/// # Errors
///
/// Returns the errors of [`Acceptor::accept`](server::Acceptor::accept).
#[doc(alias = "accept_async")]
pub async fn accept(stream: TcpStream) -> Result<ServerWebSocket, Error> {
    // Boxed to keep the acceptor out of the task that continues with the connection.
    Box::pin(async move { Acceptor::new().accept_tcp(stream).await }).await
}

/// The configuration with which a server accepts connections: for [`serve`](super::serve), or one
/// by one.
///
/// ```no_run
/// use sansocket::{Config, Error, Limits, on_tokio::{Acceptor, ServerWebSocket, serve}};
/// use tokio::net::TcpListener;
///
/// async fn print(mut websocket: ServerWebSocket) -> Result<(), Error> {
///     while let Some(message) = websocket.next().await {
///         println!("{:?}", message?);
///     }
///     Ok(())
/// }
///
/// # async fn run() -> std::io::Result<()> {
/// let acceptor = Acceptor::new().config(Config::default().limits(Limits::default().message(4096)));
/// let listener = TcpListener::bind("127.0.0.1:9001").await?;
/// serve(listener, |websocket, _request| print(websocket)).acceptor(acceptor).await;
/// # Ok(())
/// # }
/// ```
///
/// Its methods are those of [`server::Acceptor`](crate::server::Acceptor).
pub type Acceptor = server::Acceptor<Tokio>;

/// A connection whose client has sent its part of the opening handshake and waits for the answer:
/// see [`Acceptor::receive_request`](server::Acceptor::receive_request).
///
/// ```no_run
/// use sansocket::{on_tokio::Acceptor, handshake::{Accept, PlainResponse}};
///
/// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
/// let opening = Acceptor::new().receive_request(stream).await?;
/// if opening.request().header("Authorization").is_none() {
///     let challenge = PlainResponse::new(401).header("WWW-Authenticate", "Bearer");
///     return opening.refuse(&challenge).await;
/// }
/// let websocket = opening.accept(&Accept::new()).await?;
/// # Ok(())
/// # }
/// ```
pub type PendingRequest<S> = server::PendingRequest<S, Tokio>;
