use super::{Tokio, WebSocket};
use crate::connection::Server;
use crate::error::Error;
use crate::server;
use ::tokio::net::TcpStream;
use alloc::boxed::Box;

/// Accepts a WebSocket connection on a TCP stream, with the defaults of an [`Acceptor`].
///
/// Not cancel safe: a connection whose handshake is dropped is lost.
///
/// # Errors
///
/// As for [`Acceptor::accept`](server::Acceptor::accept).
pub async fn accept(stream: TcpStream) -> Result<WebSocket<TcpStream, Server>, Error> {
    // Boxed, so that the task that goes on with the connection has no room for the acceptor in it.
    Box::pin(async move { Acceptor::new().accept_tcp(stream).await }).await
}

/// How a server accepts connections.
///
/// ```no_run
/// use sansocket::{Config, Limits, tokio::Acceptor};
/// use tokio::net::TcpListener;
///
/// # async fn serve() -> std::io::Result<()> {
/// let acceptor = Acceptor::new().config(Config::default().limits(Limits::default().message(4096)));
/// let listener = TcpListener::bind("127.0.0.1:9001").await?;
/// loop {
///     let ((stream, _), acceptor) = (listener.accept().await?, acceptor.clone());
///     tokio::spawn(async move {
///         let mut websocket = acceptor.accept_tcp(stream).await?;
///         while let Some(message) = websocket.next().await {
///             println!("{:?}", message?);
///         }
///         Ok::<(), sansocket::Error>(())
///     });
/// }
/// # }
/// ```
pub type Acceptor = server::Acceptor<Tokio>;

/// A connection whose client has sent its part of the opening handshake, and waits for the answer:
/// see [`Acceptor::receive_request`](server::Acceptor::receive_request).
///
/// ```no_run
/// use sansocket::{Accept, Reject, tokio::Acceptor};
///
/// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
/// let opening = Acceptor::new().receive_request(stream).await?;
/// if opening.request().header("Authorization").is_none() {
///     let challenge = Reject::new(401).header("WWW-Authenticate", "Bearer");
///     return opening.refuse(&challenge).await;
/// }
/// let websocket = opening.accept(&Accept::new()).await?;
/// # Ok(())
/// # }
/// ```
pub type Opening<S> = server::Opening<S, Tokio>;

impl server::Acceptor<Tokio> {
    /// Accepts a connection over TCP, and turns `TCP_NODELAY` on.
    ///
    /// Not cancel safe: a connection whose handshake is dropped is lost.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub async fn accept_tcp(
        &self,
        stream: TcpStream,
    ) -> Result<WebSocket<TcpStream, Server>, Error> {
        stream.set_nodelay(true)?;
        self.accept(stream).await
    }
}
