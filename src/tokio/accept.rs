use super::WebSocket;
use super::exchange::{Exchange, within};
use crate::{
    Accept, Config, Error, OriginPolicy, Reject, Request, Server, ServerHandshake,
    opening::{answer, refuse},
};
use ::tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use alloc::boxed::Box;
use core::time::Duration;
use std::io::{self, ErrorKind};

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
            handshake_timeout: Some(Duration::from_secs(10)),
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

    /// Sets how long the client has for its part of the opening handshake, and to read the answer.
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

    /// Accepts a connection that `decide`, which sees the client's request, accepts.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept); [`Error::Rejected`] if `decide` refused, and
    /// [`Error::Accept`] if what it accepted with does not fit to the request: the client gets
    /// status 500 then.
    pub async fn accept_with<'d, S>(
        &self,
        transport: S,
        decide: impl FnOnce(&Request) -> Result<Accept<'d>, Reject<'d>>,
    ) -> Result<WebSocket<S, Server>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // Boxed, so that the task that goes on with the connection has no room for this in it.
        Box::pin(self.handshake(transport, decide)).await
    }

    async fn handshake<'d, S>(
        &self,
        transport: S,
        decide: impl FnOnce(&Request) -> Result<Accept<'d>, Reject<'d>>,
    ) -> Result<WebSocket<S, Server>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut exchange = Exchange::new(transport);
        let answered = within(self.handshake_timeout, async {
            let answered = match self.read_request(&mut exchange).await {
                Ok(request) => answer(&request, decide, &mut exchange.output),
                Err(Error::Handshake(error)) => {
                    refuse(&error.reject(), &mut exchange.output);
                    Err(error.into())
                }
                Err(error) => return Err(error),
            };
            match answered {
                Ok(negotiated) => {
                    exchange.flush().await?;
                    Ok(Ok(negotiated))
                }
                Err(refused) => Ok(Err(refused)),
            }
        })
        .await?;
        match answered {
            Ok(negotiated) => Ok(WebSocket::new(
                exchange.transport,
                Server::new(),
                negotiated,
                exchange.input,
                self.config,
            )),
            Err(refused) => {
                // If the client is gone already or has no time, that is no news: why it was refused
                // stays the error.
                let _ = within(self.handshake_timeout, exchange.end_refused()).await;
                Err(refused)
            }
        }
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
                return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

impl Default for Acceptor {
    fn default() -> Self {
        Self::new()
    }
}
