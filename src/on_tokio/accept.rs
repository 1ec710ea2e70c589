//! Accepting over TCP.

use super::stream::Stream;
use super::timer::Timer;
use super::{ServerWebSocket, Tokio};
#[cfg(feature = "rustls")]
use crate::asynchronous::exchange::until;
use crate::asynchronous::{Timer as _, exchange::drive};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::error::Error;
use crate::handshake::{Accept, PlainResponse, Request};
use crate::server::{self, Accepting, Peer, ReceivingProxyHeader};
use ::tokio::net::TcpStream;
use alloc::boxed::Box;
use core::time::Duration;

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

impl server::Acceptor<Tokio> {
    /// Accepts a connection over TCP, with TLS if this acceptor uses it, and turns on `TCP_NODELAY`.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept`](Self::accept), and with TLS `Error::Tls`.
    pub async fn accept_tcp(&self, stream: TcpStream) -> Result<ServerWebSocket, Error> {
        self.accept_tcp_with(stream, |_| Ok(Accept::new())).await
    }

    /// Works like [`accept_with`](Self::accept_with) over TCP, with TLS if this acceptor uses it,
    /// and turns on `TCP_NODELAY`.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept_with`](Self::accept_with), and with TLS `Error::Tls`.
    pub async fn accept_tcp_with(
        &self,
        stream: TcpStream,
        decide: impl FnOnce(&Request) -> Result<Accept, PlainResponse>,
    ) -> Result<ServerWebSocket, Error> {
        // Boxed to keep the handshakes out of the task that continues with the connection.
        let accepted = Box::pin(async move {
            let (stream, accepting) = self.prepare(stream).await?;
            Self::accept_asked(accepting, stream, decide).await
        });
        Ok(accepted.await?.0)
    }

    /// Works like [`receive_request`](Self::receive_request) over TCP, with TLS if this acceptor
    /// uses it, and turns on `TCP_NODELAY`.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept_tcp`](Self::accept_tcp).
    pub async fn receive_tcp_request(
        &self,
        stream: TcpStream,
    ) -> Result<PendingRequest<Stream>, Error> {
        Box::pin(async move {
            let (stream, accepting) = self.prepare(stream).await?;
            Self::receive(accepting, stream).await
        })
        .await
    }

    /// Prepares a TCP stream for the opening handshake, and begins that.
    async fn prepare(&self, stream: TcpStream) -> Result<(Stream, Accepting), Error> {
        let mut peer = Peer::new(stream.peer_addr()?);
        let (stream, end) = self.begin_tcp(stream, &mut peer).await?;
        self.secure(stream, peer, end).await
    }

    /// Receives the header of the PROXY protocol, if `peer` is a proxy that sends one: `peer` is then
    /// the address that it names. Returns the end of the time for the opening handshake.
    pub(super) async fn begin_tcp(
        &self,
        stream: TcpStream,
        peer: &mut Peer,
    ) -> Result<(Stream, HandshakeEnd), Error> {
        stream.set_nodelay(true)?;
        let mut stream = Stream::from(stream);
        let Some(proxies) = &self.proxies else { return Ok((stream, None)) };
        if !proxies.expects_proxy_header(peer.address.ip()) {
            return Ok((stream, None));
        }
        let timer = Timer::default();
        let end = self.handshake_timeout.map(|timeout| timer.now().saturating_add(timeout));
        let mut receiving = ReceivingProxyHeader::new(self.handshake_timeout);
        let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        let received =
            drive::<Stream, Tokio, _>(&mut receiving, &mut stream, &mut input, &mut output).await?;
        *peer = peer.naming(received?);
        Ok((stream, end.map(|end| (timer, end))))
    }

    /// Performs the TLS handshake, if this acceptor uses TLS, and begins the opening handshake.
    pub(super) async fn secure(
        &self,
        stream: Stream,
        peer: Peer,
        end: HandshakeEnd,
    ) -> Result<(Stream, Accepting), Error> {
        let left = |end: &HandshakeEnd| match end {
            Some((timer, end)) => Some(end.saturating_sub(timer.now())),
            None => self.handshake_timeout,
        };
        #[cfg(feature = "rustls")]
        if let Some(session) = self.session()? {
            let mut timer = Timer::default();
            let end = left(&end).map(|left| timer.now().saturating_add(left));
            let secured = until(&mut timer, end, stream.secured(session)).await;
            let stream = secured.unwrap_or(Err(Error::HandshakeTimeout))?;
            let left = end.map(|end| end.saturating_sub(timer.now()));
            return Ok((stream, self.accepting_within(left).of(peer)));
        }
        Ok((stream, self.accepting_within(left(&end)).of(peer)))
    }
}

/// When the time for the opening handshake is over, if that runs already.
pub(super) type HandshakeEnd = Option<(Timer, Duration)>;
