use super::transport::Timed;
use super::{Transport, WebSocket};
use crate::{
    Accept, Config, Connection, Error, OriginPolicy, ReadBuffer, Reject, Request, Server,
    ServerHandshake, WriteBuffer,
    opening::{answer, refuse},
    transport::{REFUSAL_DRAIN_LIMIT, is_timeout},
};
use core::time::Duration;
use std::{
    io::{self, ErrorKind},
    net::TcpStream,
};

/// Accepts a WebSocket connection on a TCP stream, with the defaults of an [`Acceptor`].
///
/// # Errors
///
/// As for [`Acceptor::accept`].
pub fn accept(stream: TcpStream) -> Result<WebSocket<TcpStream, Server>, Error> {
    Acceptor::new().accept_tcp(stream)
}

/// How a server accepts connections.
///
/// The opening handshake is bounded by timeouts that are set on the transport; timeouts of your own
/// are to be set on it afterwards.
///
/// ```no_run
/// use sansocket::{Limits, Config, OriginPolicy, blocking::Acceptor};
/// use std::net::TcpListener;
///
/// let acceptor = Acceptor::new().config(Config::default().limits(Limits::default().message(4096)));
/// let listener = TcpListener::bind("127.0.0.1:9001")?;
/// for stream in listener.incoming() {
///     let (stream, acceptor) = (stream?, acceptor.clone());
///     std::thread::spawn(move || -> Result<(), sansocket::Error> {
///         for message in acceptor.accept_tcp(stream)? {
///             println!("{:?}", message?);
///         }
///         Ok(())
///     });
/// }
/// # Ok::<(), std::io::Error>(())
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
    pub fn accept_tcp(&self, stream: TcpStream) -> Result<WebSocket<TcpStream, Server>, Error> {
        stream.set_nodelay(true)?;
        self.accept(stream)
    }

    /// Accepts a connection over any transport that blocks.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the client was refused, [`Error::HandshakeTimeout`], or
    /// [`Error::Io`].
    pub fn accept<S: Transport>(&self, transport: S) -> Result<WebSocket<S, Server>, Error> {
        self.accept_with(transport, |_| Ok(Accept::new()))
    }

    /// Accepts a connection that `decide`, which sees the client's request, accepts.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept); [`Error::Rejected`] if `decide` refused, and
    /// [`Error::Accept`] if what it accepted with does not fit to the request: the client gets
    /// status 500 then.
    pub fn accept_with<'d, S: Transport>(
        &self,
        transport: S,
        decide: impl FnOnce(&Request) -> Result<Accept<'d>, Reject<'d>>,
    ) -> Result<WebSocket<S, Server>, Error> {
        let mut exchange = Exchange::new(transport, self.handshake_timeout);
        let answered = match self.read_request(&mut exchange) {
            Ok(request) => answer(&request, decide, &mut exchange.output),
            Err(Error::Handshake(error)) => {
                refuse(&error.reject(), &mut exchange.output);
                Err(error.into())
            }
            Err(error) => return Err(error),
        };
        let negotiated = answered.inspect_err(|_| exchange.end_refused())?;
        exchange.flush()?;
        exchange.transport.unbound()?;
        let connection = Connection::new(Server::new(), &negotiated, self.config);
        Ok(WebSocket::from_parts(exchange.transport, connection, negotiated, exchange.input))
    }

    fn read_request<S: Transport>(&self, exchange: &mut Exchange<S>) -> Result<Request, Error> {
        let mut handshake = ServerHandshake::new(&self.config.limits);
        loop {
            if let Some(request) = handshake.receive(&mut exchange.input)? {
                self.origin.check(&request)?;
                return Ok(request);
            }
            if exchange.read()? == 0 {
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

/// A transport during the opening handshake, of which all has to be done by one deadline.
pub(super) struct Exchange<S> {
    pub(super) transport: Timed<S>,
    pub(super) input: ReadBuffer,
    pub(super) output: WriteBuffer,
    deadline: Option<Duration>,
}

impl<S: Transport> Exchange<S> {
    pub(super) fn new(transport: S, timeout: Option<Duration>) -> Self {
        Self {
            transport: Timed::new(transport),
            input: ReadBuffer::new(),
            output: WriteBuffer::new(),
            deadline: timeout,
        }
    }

    /// Reads once; 0 at the end of the transport.
    pub(super) fn read(&mut self) -> Result<usize, Error> {
        let read = self.transport.read(self.input.spare(1), self.deadline);
        let count = read.map_err(|error| self.timed_out(error))?;
        self.input.filled(count);
        Ok(count)
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let written = self.transport.write(&mut self.output, &mut &[][..], self.deadline, |_| {});
        written.map_err(|error| self.timed_out(error))
    }

    /// Sends the refusal that is queued, and ends the transport so that it arrives: what the client
    /// still sends is read and dropped, within bounds. If the client is gone already, that is no
    /// news: why it was refused stays the error.
    fn end_refused(&mut self) {
        if self.flush().is_err() || self.transport.shut_down(self.deadline).is_err() {
            return;
        }
        let mut scrap = [0; 4096];
        let mut drained = 0;
        while drained < REFUSAL_DRAIN_LIMIT {
            match self.transport.read(&mut scrap, self.deadline) {
                Ok(count) if count > 0 => drained += count,
                _ => break,
            }
        }
    }

    fn timed_out(&self, error: io::Error) -> Error {
        let passed = self.deadline.is_some_and(|deadline| deadline <= self.transport.now());
        if is_timeout(&error) && passed { Error::HandshakeTimeout } else { error.into() }
    }
}
