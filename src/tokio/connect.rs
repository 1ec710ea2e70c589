use super::WebSocket;
use super::exchange::{Exchange, within};
use crate::{
    Client, ClientHandshake, ClientRequest, Config, Error, Response, SystemMaskKeys, Url,
    opening::{HANDSHAKE_TIMEOUT, UNSENT_LINGER, refusal_or},
    random::random_bytes,
};
use ::tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::time::Duration;
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
#[derive(Clone, Debug)]
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
    /// tried one after the other. Connections to one host don't wait for each other, as RFC 6455
    /// §4.1 wants it: `docs/handshake.md` says how a client does that.
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
        Box::pin(within(self.handshake_timeout, async {
            let started = Instant::now();
            let stream = self.connect_tcp(&url, started).await?;
            stream.set_nodelay(true)?;
            let left = self.handshake_timeout.map(|limit| limit.saturating_sub(started.elapsed()));
            self.handshake(stream, &url, left).await
        }))
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
        let started = Instant::now();
        let left = |timeout: Duration| timeout.saturating_sub(started.elapsed());
        let response = match within(timeout, exchange.flush()).await {
            Ok(()) => within(timeout.map(left), read_response(&mut exchange, &mut handshake)).await,
            // A server may refuse before it has read all.
            Err(error) => within(Some(UNSENT_LINGER), read_response(&mut exchange, &mut handshake))
                .await
                .map_err(|later| if matches!(later, Error::Handshake(_)) { later } else { error }),
        };
        let response =
            response.map_err(|error| refusal_or(error, &mut handshake, &mut exchange.input))?;
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
            Some(error) if error.kind() == ErrorKind::TimedOut => Err(Error::HandshakeTimeout),
            Some(error) => Err(error.into()),
            None => Err(io::Error::new(ErrorKind::NotFound, "the host has no address").into()),
        }
    }
}

async fn read_response<S>(
    exchange: &mut Exchange<S>,
    handshake: &mut ClientHandshake,
) -> Result<Response, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        if let Some(response) = handshake.receive(&mut exchange.input)? {
            return Ok(response);
        }
        if exchange.read().await? == 0 {
            return Err(handshake.receive_eof(&mut exchange.input).into());
        }
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}
