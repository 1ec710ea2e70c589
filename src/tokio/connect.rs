use super::WebSocket;
use crate::asynchronous::exchange::{Exchange, within};
use crate::{
    Client, ClientHandshake, ClientRequest, Config, Error, HandshakeError, Response,
    SystemMaskKeys, Url,
    opening::{HANDSHAKE_TIMEOUT, refusal_or},
    random::random_bytes,
};
use ::tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::{
    fmt,
    future::poll_fn,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::io::{self, ErrorKind};

/// Connects to a `ws://` URL, with the defaults of a [`Connector`].
///
/// # Errors
///
/// As for [`Connector::connect`].
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
/// Its futures are not cancel safe: a connection whose handshake is dropped is lost.
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
#[derive(Clone)]
pub struct Connector {
    config: Config,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
    handshake_timeout: Option<Duration>,
}

impl Connector {
    /// With a timeout of 10 seconds for connecting and the opening handshake together, no header
    /// and no subprotocol of its own, and the default [`Config`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            headers: Vec::new(),
            subprotocols: Vec::new(),
            handshake_timeout: Some(HANDSHAKE_TIMEOUT),
        }
    }

    /// Sets how the connection behaves.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Adds a header field to the request.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Offers a subprotocol, after those offered before.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Sets how long connecting and the opening handshake may take together; `None` for ever.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.handshake_timeout = timeout.into();
        self
    }

    /// Connects to a `ws://` URL over TCP, with `TCP_NODELAY` on. The addresses of its host are
    /// tried one after the other. RFC 6455 §4.1 wants several connections to one host to be made
    /// one after the other too; that is left to the user, as `docs/handshake.md` says.
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
            let what = "wss:// needs TLS, which the feature `rustls` is going to bring; \
                until then hand a TLS stream to Connector::connect_over";
            return Err(io::Error::new(ErrorKind::Unsupported, what).into());
        }
        Box::pin(async move {
            let started = Instant::now();
            let connected = self.connect_tcp(&url, started);
            let stream = within(self.handshake_timeout, connected).await?;
            stream.set_nodelay(true)?;
            let left = self.handshake_timeout.map(|limit| limit.saturating_sub(started.elapsed()));
            self.handshake(stream, &url, left).await
        })
        .await
    }

    /// Makes the opening handshake over a transport that is connected already.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect).
    pub async fn connect_over<S>(
        &self,
        transport: S,
        url: &str,
    ) -> Result<(WebSocket<S, Client<SystemMaskKeys>>, Response), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let url = Url::parse(url)?;
        Box::pin(self.handshake(transport, &url, self.handshake_timeout)).await
    }

    async fn handshake<S>(
        &self,
        transport: S,
        url: &Url,
        timeout: Option<Duration>,
    ) -> Result<(WebSocket<S, Client<SystemMaskKeys>>, Response), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut exchange = Exchange::new(transport);
        let request = self.request(url);
        let limits = &self.config.limits;
        let (nonce, keys) = (random_bytes()?, SystemMaskKeys::new()?);
        let mut handshake = ClientHandshake::start(&request, nonce, &mut exchange.output, limits)?;
        let mut unsent = None;
        let waiting = poll_fn(|cx| poll_response(&mut exchange, &mut handshake, &mut unsent, cx));
        let response = within(timeout, waiting)
            .await
            .map_err(|error| refusal_or(error, &mut handshake, &mut exchange.input))?;
        let negotiated = response.negotiated().clone();
        let Exchange { transport, input, .. } = exchange;
        let websocket =
            WebSocket::new(transport, Client::new(keys), negotiated, input, self.config);
        Ok((websocket, response))
    }

    fn request(&self, url: &Url) -> ClientRequest {
        let request = ClientRequest::new(url).subprotocols(&self.subprotocols);
        #[cfg(feature = "deflate")]
        let request = match self.config.deflate {
            Some(config) => request.deflate(config),
            None => request,
        };
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    async fn connect_tcp(&self, url: &Url, started: Instant) -> Result<TcpStream, Error> {
        let mut failure = None;
        let addresses: Vec<_> = lookup_host((url.host(), url.port())).await?.collect();
        for (index, address) in addresses.iter().enumerate() {
            let attempt = TcpStream::connect(address);
            let attempt = match self.handshake_timeout {
                // An address that never answers leaves time for the others.
                Some(limit) => {
                    let left = limit.saturating_sub(started.elapsed());
                    let share = left / (addresses.len() - index) as u32;
                    timeout(share, attempt).await.unwrap_or(Err(ErrorKind::TimedOut.into()))
                }
                None => attempt.await,
            };
            match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            // Without a limit it is the system that has given up.
            Some(error)
                if error.kind() == ErrorKind::TimedOut && self.handshake_timeout.is_some() =>
            {
                Err(Error::HandshakeTimeout)
            }
            Some(error) => Err(error.into()),
            None => Err(io::Error::new(ErrorKind::NotFound, "the host has no address").into()),
        }
    }
}

/// Writes the request and reads the response, at once: a server may refuse before it has read all.
/// `unsent` is how writing failed, if it has: reading goes on to the end all the same.
fn poll_response<S>(
    exchange: &mut Exchange<S>,
    handshake: &mut ClientHandshake,
    unsent: &mut Option<Error>,
    cx: &mut Context<'_>,
) -> Poll<Result<Response, Error>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if unsent.is_none() {
        if let Poll::Ready(Err(error)) = exchange.poll_flush(cx) {
            *unsent = Some(error);
        }
    }
    loop {
        if let Some(response) = handshake.receive(&mut exchange.input)? {
            return Poll::Ready(Ok(response));
        }
        let read = ready!(exchange.poll_read(cx));
        let ended = match read {
            Ok(0) => handshake.receive_eof(&mut exchange.input).into(),
            Ok(_) => continue,
            Err(error) => Error::from(error),
        };
        // Why the request could not be sent says more than that the server then ended.
        let is_answer = matches!(ended, Error::Handshake(HandshakeError::Refused(_)));
        return Poll::Ready(Err(match unsent.take() {
            Some(error) if !is_answer => error,
            _ => ended,
        }));
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets: cookies, credentials.
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Connector")
            .field("config", &self.config)
            .field("headers", &names)
            .field("subprotocols", &self.subprotocols)
            .field("handshake_timeout", &self.handshake_timeout)
            .finish()
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}
