//! Accepting over TCP.

use super::{FuturesIo, ServerWebSocket};
use crate::error::Error;
use crate::server;
use alloc::boxed::Box;
use async_io::Async;
use std::net::TcpStream;

/// Accepts a WebSocket connection on a TCP stream, with the default options of an [`Acceptor`].
///
/// For any other stream, use [`Acceptor::accept`](server::Acceptor::accept).
///
/// Not cancel safe: if you drop the future, the connection is lost.
///
/// # Errors
///
/// Returns the errors of [`Acceptor::accept`](server::Acceptor::accept).
#[doc(alias = "accept_async")]
pub async fn accept(stream: Async<TcpStream>) -> Result<ServerWebSocket, Error> {
    // Boxed to keep the acceptor out of the task that continues with the connection.
    Box::pin(async move { Acceptor::new().accept_tcp(stream).await }).await
}

/// The configuration with which a server accepts connections.
///
/// ```no_run
/// use async_io::Async;
/// use sansocket::{Config, Error, Limits, on_futures_io::Acceptor};
/// use std::net::TcpStream;
///
/// # async fn print(stream: Async<TcpStream>) -> Result<(), Error> {
/// let acceptor = Acceptor::new().config(Config::default().limits(Limits::default().message(4096)));
/// let mut websocket = acceptor.accept_tcp(stream).await?;
/// while let Some(message) = websocket.next().await {
///     println!("{:?}", message?);
/// }
/// # Ok(())
/// # }
/// ```
///
/// Its methods are those of [`server::Acceptor`](crate::server::Acceptor).
pub type Acceptor = server::Acceptor<FuturesIo>;

/// A connection whose client has sent its part of the opening handshake and waits for the answer:
/// see [`Acceptor::receive_request`](server::Acceptor::receive_request).
///
/// ```no_run
/// use async_io::Async;
/// use sansocket::{on_futures_io::Acceptor, handshake::{Accept, PlainResponse}};
/// use std::net::TcpStream;
///
/// # async fn serve(stream: Async<TcpStream>) -> Result<(), sansocket::Error> {
/// let opening = Acceptor::new().receive_tcp_request(stream).await?;
/// if opening.request().header("Authorization").is_none() {
///     let challenge = PlainResponse::new(401).header("WWW-Authenticate", "Bearer");
///     return opening.refuse(&challenge).await;
/// }
/// let websocket = opening.accept(&Accept::new()).await?;
/// # Ok(())
/// # }
/// ```
pub type PendingRequest<S> = server::PendingRequest<S, FuturesIo>;
