use super::exchange::Exchange;
use super::{Transport, WebSocket};
use crate::{
    Client, ClientHandshake, ClientRequest, Config, Connection, Error, HandshakeError, Response,
    SystemMaskKeys, Url,
    opening::{HANDSHAKE_TIMEOUT, UNSENT_LINGER, refusal_or},
    random::random_bytes,
};
use alloc::{string::String, vec::Vec};
use core::{fmt, time::Duration};
use std::{
    io::{self, ErrorKind},
    net::{TcpStream, ToSocketAddrs},
    time::Instant,
};

/// Connects to a `ws://` URL, with the defaults of a [`Connector`].
///
/// # Errors
///
/// As for [`Connector::connect`].
///
/// ```no_run
/// let mut websocket = sansocket::blocking::connect("ws://127.0.0.1:9001/chat")?;
/// websocket.send("hello")?;
/// # Ok::<(), sansocket::Error>(())
/// ```
pub fn connect(url: &str) -> Result<WebSocket<TcpStream, Client<SystemMaskKeys>>, Error> {
    Ok(Connector::new().connect(url)?.0)
}

/// How a client connects.
///
/// The opening handshake is bounded by timeouts that are set on the transport; timeouts of your own
/// are to be set on it afterwards.
///
/// ```no_run
/// use sansocket::blocking::Connector;
///
/// let (websocket, response) = Connector::new()
///     .header("Authorization", "Bearer 5ca1ab1e")
///     .subprotocol("chat.v2")
///     .connect("ws://127.0.0.1:9001/")?;
/// println!("{:?} {:?}", websocket.negotiated().subprotocol, response.header("Set-Cookie"));
/// # Ok::<(), sansocket::Error>(())
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
    /// tried one after the other. Finding them is the system's business, and not bounded by the
    /// timeout. RFC 6455 §4.1 wants several connections to one host to be made one after the other
    /// too; that is left to the user, as `docs/handshake.md` says.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] or [`Error::Request`] before anything is sent; [`Error::Io`] if no address
    /// could be reached, [`Error::HandshakeTimeout`], or [`Error::Handshake`] if the server did not
    /// accept.
    pub fn connect(
        &self,
        url: &str,
    ) -> Result<(WebSocket<TcpStream, Client<SystemMaskKeys>>, Response), Error> {
        let url = Url::parse(url)?;
        if url.is_secure() {
            let what = "wss:// needs TLS, which the feature `rustls` is going to bring; \
                until then hand a TLS stream to Connector::connect_over";
            return Err(io::Error::new(ErrorKind::Unsupported, what).into());
        }
        let started = Instant::now();
        let stream = self.connect_tcp(&url, started)?;
        stream.set_nodelay(true)?;
        self.handshake(stream, &url, self.left(started)?)
    }

    /// Makes the opening handshake over a transport that is connected already.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect).
    pub fn connect_over<S: Transport>(
        &self,
        transport: S,
        url: &str,
    ) -> Result<(WebSocket<S, Client<SystemMaskKeys>>, Response), Error> {
        self.handshake(transport, &Url::parse(url)?, self.handshake_timeout)
    }

    fn handshake<S: Transport>(
        &self,
        transport: S,
        url: &Url,
        timeout: Option<Duration>,
    ) -> Result<(WebSocket<S, Client<SystemMaskKeys>>, Response), Error> {
        let mut exchange = Exchange::new(transport, timeout);
        let request = self.request(url);
        let limits = &self.config.limits;
        let (nonce, keys) = (random_bytes()?, SystemMaskKeys::new()?);
        let mut handshake = ClientHandshake::start(&request, nonce, &mut exchange.output, limits)?;
        let response = match exchange.flush() {
            Ok(()) => read_response(&mut exchange, &mut handshake, Exchange::read),
            // A server may refuse before it has read all.
            Err(error) => {
                exchange.shorten(UNSENT_LINGER);
                let response = read_response(&mut exchange, &mut handshake, Exchange::read_late);
                response.map_err(|later| match later {
                    Error::Handshake(HandshakeError::Refused(_)) => later,
                    _ => error,
                })
            }
        };
        let response =
            response.map_err(|error| refusal_or(error, &mut handshake, &mut exchange.input))?;
        exchange.transport.unbound()?;
        let negotiated = response.negotiated().clone();
        let connection = Connection::new(Client::new(keys), &negotiated, self.config);
        let websocket =
            WebSocket::from_parts(exchange.transport, connection, negotiated, exchange.input);
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

    fn connect_tcp(&self, url: &Url, started: Instant) -> Result<TcpStream, Error> {
        let mut failure = None;
        let addresses: Vec<_> = (url.host(), url.port()).to_socket_addrs()?.collect();
        for (index, address) in addresses.iter().enumerate() {
            let attempt = match self.left(started)? {
                // An address that never answers leaves time for the others.
                Some(left) => {
                    TcpStream::connect_timeout(address, left / (addresses.len() - index) as u32)
                }
                None => TcpStream::connect(address),
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

    fn left(&self, started: Instant) -> Result<Option<Duration>, Error> {
        let Some(timeout) = self.handshake_timeout else { return Ok(None) };
        match timeout.checked_sub(started.elapsed()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(Error::HandshakeTimeout),
        }
    }
}

fn read_response<S: Transport>(
    exchange: &mut Exchange<S>,
    handshake: &mut ClientHandshake,
    mut read: impl FnMut(&mut Exchange<S>) -> Result<usize, Error>,
) -> Result<Response, Error> {
    loop {
        if let Some(response) = handshake.receive(&mut exchange.input)? {
            return Ok(response);
        }
        if read(exchange)? == 0 {
            return Err(handshake.receive_eof(&mut exchange.input).into());
        }
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
