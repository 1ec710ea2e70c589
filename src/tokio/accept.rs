use super::WebSocket;
use crate::asynchronous::Opening;
use crate::asynchronous::exchange::{Exchange, within};
use crate::{
    Accept, Config, Error, OriginPolicy, Reject, Request, Server, ServerHandshake,
    opening::{HANDSHAKE_TIMEOUT, refuse_for},
};
use ::tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use alloc::boxed::Box;
use core::time::Duration;

/// Accepts a WebSocket connection on a TCP stream, with the defaults of an [`Acceptor`].
///
/// # Errors
///
/// As for [`Acceptor::accept`].
pub async fn accept(stream: TcpStream) -> Result<WebSocket<TcpStream, Server>, Error> {
    // Boxed, so that the task that goes on with the connection has no room for the acceptor in it.
    Box::pin(async move { Acceptor::new().accept_tcp(stream).await }).await
}

/// How a server accepts connections.
///
/// Its futures are not cancel safe: a connection whose handshake is dropped is lost.
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
#[derive(Clone, Debug)]
pub struct Acceptor {
    config: Config,
    origin: OriginPolicy,
    handshake_timeout: Option<Duration>,
}

impl Acceptor {
    /// With a handshake timeout of 10 seconds, origins of the same host only, and the default
    /// [`Config`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            origin: OriginPolicy::default(),
            handshake_timeout: Some(HANDSHAKE_TIMEOUT),
        }
    }

    /// Sets how the connections behave.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets from which web pages browsers may connect (RFC 6455 §10.2).
    #[must_use]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.origin = policy;
        self
    }

    /// Sets how long the client has to send its request, and then to take the answer; `None` for
    /// ever.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.handshake_timeout = timeout.into();
        self
    }

    /// Accepts a connection over TCP, and turns `TCP_NODELAY` on.
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

    /// Accepts a connection over any async stream.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the client was refused, [`Error::HandshakeTimeout`], or
    /// [`Error::Io`].
    pub async fn accept<S>(&self, transport: S) -> Result<WebSocket<S, Server>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.accept_with(transport, |_| Ok(Accept::new())).await
    }

    /// Accepts a connection that `decide`, which sees the client's request, accepts. What the client
    /// has sent behind that, an `Opening` of [`receive_request`](Self::receive_request) shows. A decision that
    /// takes time is made on the [`Opening`] of [`receive_request`](Self::receive_request).
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept); [`Error::Rejected`] if `decide` refused; [`Error::Accept`] or
    /// [`Error::Reject`] if its answer can't be sent: the client gets status 500 then.
    pub async fn accept_with<'d, S>(
        &self,
        transport: S,
        decide: impl FnOnce(&Request) -> Result<Accept<'d>, Reject<'d>>,
    ) -> Result<WebSocket<S, Server>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // Boxed, so that the task that goes on with the connection has no room for this in it.
        Box::pin(async move {
            let opening = self.receive_request(transport).await?;
            match decide(opening.request()) {
                Ok(accept) => opening.accept(&accept).await,
                Err(reject) => {
                    opening.refuse(&reject).await?;
                    Err(Error::Rejected(reject.status))
                }
            }
        })
        .await
    }

    /// Waits for the client's request, and leaves open how it is answered. A request that does not
    /// fit to RFC 6455 or comes from a wrong origin is refused at once.
    ///
    /// ```no_run
    /// use sansocket::{Accept, Reject, tokio::Acceptor};
    ///
    /// # async fn look_up(_: Option<&[u8]>) -> bool { true }
    /// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
    /// stream.set_nodelay(true)?;
    /// let opening = Acceptor::new().receive_request(stream).await?;
    /// println!("{:?} asks for {}", opening.transport().peer_addr(), opening.request().path());
    /// if !look_up(opening.request().header("Authorization")).await {
    ///     let challenge = Reject::new(401).header("WWW-Authenticate", "Bearer");
    ///     return opening.refuse(&challenge).await;
    /// }
    /// let websocket = opening.accept(&Accept::new()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub async fn receive_request<S>(&self, transport: S) -> Result<Opening<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Box::pin(async move {
            let mut exchange = Exchange::new(transport);
            match within(self.handshake_timeout, self.read_request(&mut exchange)).await {
                Ok(request) => {
                    Ok(Opening::new(exchange, request, self.config, self.handshake_timeout))
                }
                Err(error) => {
                    if refuse_for(&error, &mut exchange.output) {
                        exchange.end_refused().await;
                    }
                    Err(error)
                }
            }
        })
        .await
    }

    async fn read_request<S>(&self, exchange: &mut Exchange<S>) -> Result<Request, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut handshake = ServerHandshake::new(&self.config.limits);
        loop {
            if let Some(request) = handshake.receive(&mut exchange.input)? {
                self.origin.check(&request)?;
                return Ok(request);
            }
            if exchange.read().await? == 0 {
                return Err(handshake.receive_eof(&mut exchange.input).into());
            }
        }
    }
}

impl Default for Acceptor {
    fn default() -> Self {
        Self::new()
    }
}
