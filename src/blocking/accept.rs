//! Accepting over TCP or any blocking transport.

use super::exchange::Exchange;
use super::stream::Stream;
use super::{Blocking, ServerWebSocket, Transport, WebSocket};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::error::Error;
use crate::handshake::{Accept, PlainResponse, Request};
use crate::server::{self, Accepting, Peer, ReceivingProxyHeader};
use crate::trace::{accept_failed, refused};
use core::marker::PhantomData;
use std::{net::TcpStream, time::Instant};

/// Accepts a WebSocket connection on a TCP stream, with the defaults of an [`Acceptor`].
///
/// # Errors
///
/// Returns the errors of [`Acceptor::accept`](server::Acceptor::accept).
pub fn accept(stream: TcpStream) -> Result<ServerWebSocket, Error> {
    Acceptor::new().accept_tcp(stream)
}

/// The configuration with which a server accepts connections, for [`serve`](super::serve) or one at
/// a time.
///
/// If you have set timeouts on the transport, they also end the opening handshake.
///
/// ```no_run
/// use sansocket::{Config, Error, Limits, blocking::{Acceptor, serve}};
/// use std::net::TcpListener;
///
/// let acceptor = Acceptor::new().config(Config::default().limits(Limits::default().message(4096)));
/// let listener = TcpListener::bind("127.0.0.1:9001")?;
/// let server = serve(listener, |websocket, _request| {
///     for message in websocket {
///         println!("{:?}", message?);
///     }
///     Ok::<(), Error>(())
/// });
/// server.acceptor(acceptor).run();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Its methods are those of [`server::Acceptor`](crate::server::Acceptor).
pub type Acceptor = server::Acceptor<Blocking>;

impl server::Acceptor<Blocking> {
    /// Accepts a connection over TCP, with TLS if this acceptor uses it, and turns `TCP_NODELAY`
    /// on.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept`](Self::accept), and with TLS `Error::Tls`.
    pub fn accept_tcp(&self, stream: TcpStream) -> Result<ServerWebSocket, Error> {
        self.accept_tcp_with(stream, |_| Ok(Accept::new()))
    }

    /// Works like [`accept_with`](Self::accept_with) over TCP, with TLS if this acceptor uses it,
    /// and turns on `TCP_NODELAY`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept_with`](Self::accept_with), and with TLS `Error::Tls`.
    pub fn accept_tcp_with(
        &self,
        stream: TcpStream,
        decide: impl FnOnce(&Request) -> Result<Accept, PlainResponse>,
    ) -> Result<ServerWebSocket, Error> {
        let (stream, accepting) = self.prepare(stream)?;
        let (websocket, _) = Self::accept_asked(accepting, stream, decide)?;
        Ok(websocket)
    }

    /// Works like [`receive_request`](Self::receive_request) over TCP, with TLS if this acceptor
    /// uses it, and turns on `TCP_NODELAY`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept_tcp`](Self::accept_tcp).
    pub fn receive_tcp_request(&self, stream: TcpStream) -> Result<PendingRequest<Stream>, Error> {
        let (stream, accepting) = self.prepare(stream)?;
        Self::receive(accepting, stream)
    }

    /// Prepares a TCP stream for the opening handshake, and begins that.
    fn prepare(&self, stream: TcpStream) -> Result<(Stream, Accepting), Error> {
        let address = stream.peer_addr().map_err(Error::from);
        let mut peer = Peer::new(address.inspect_err(|error| accept_failed(None, error))?);
        self.begin_tcp(stream, &mut peer)
            .and_then(|(stream, end)| self.secure(stream, peer, end))
            .inspect_err(|error| accept_failed(Some(peer.address), error))
    }

    /// Receives the header of the PROXY protocol, if `peer` is a proxy that sends one: `peer` is then
    /// the address that it names. Returns the end of the time for the opening handshake.
    pub(super) fn begin_tcp(
        &self,
        stream: TcpStream,
        peer: &mut Peer,
    ) -> Result<(Stream, HandshakeEnd), Error> {
        stream.set_nodelay(true)?;
        let stream = Stream::from(stream);
        let Some(proxies) = &self.proxies else { return Ok((stream, None)) };
        if !proxies.expects_proxy_header(peer.address.ip()) {
            return Ok((stream, None));
        }
        let timeout = self.handshake_timeout;
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut exchange = Exchange::new(stream, ReadBuffer::new(), WriteBuffer::new());
        let received = exchange.drive(&mut ReceivingProxyHeader::new(timeout))?;
        *peer = peer.naming(received?);
        let (stream, _, _) = exchange.into_parts();
        Ok((stream, end))
    }

    /// Performs the TLS handshake, if this acceptor uses TLS, and begins the opening handshake.
    pub(super) fn secure(
        &self,
        stream: Stream,
        peer: Peer,
        end: HandshakeEnd,
    ) -> Result<(Stream, Accepting), Error> {
        #[cfg(feature = "rustls")]
        if let Some(session) = self.session()? {
            let timeout = self.handshake_timeout;
            let end = end.or_else(|| Instant::now().checked_add(timeout?));
            let stream = stream.secured(session, end)?.ok_or(Error::HandshakeTimeout)?;
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            return Ok((stream, self.accepting_within(left).of(peer)));
        }
        let left = match end {
            Some(end) => Some(end.saturating_duration_since(Instant::now())),
            None => self.handshake_timeout,
        };
        Ok((stream, self.accepting_within(left).of(peer)))
    }

    /// Accepts a connection over any blocking transport. This does not set options of the stream,
    /// such as `TCP_NODELAY`.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Handshake`] if the request is invalid or comes from a forbidden origin,
    /// [`Error::Answered`] if the acceptor sent a plain response, [`Error::HandshakeTimeout`], or
    /// [`Error::Io`].
    pub fn accept<S: Transport>(&self, transport: S) -> Result<ServerWebSocket<S>, Error> {
        self.accept_with(transport, |_| Ok(Accept::new()))
    }

    /// Accepts a connection if `decide` accepts the client's request. To also see any bytes that
    /// the client sent after its request, use [`receive_request`](Self::receive_request) and its
    /// [`PendingRequest`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept`](Self::accept), and [`Error::Refused`] if `decide` refused.
    /// If the answer from `decide` can't be sent, the client gets status 500, and this returns
    /// [`Error::Accept`] or [`Error::PlainResponse`].
    #[doc(alias = "accept_hdr")]
    pub fn accept_with<S: Transport>(
        &self,
        transport: S,
        decide: impl FnOnce(&Request) -> Result<Accept, PlainResponse>,
    ) -> Result<ServerWebSocket<S>, Error> {
        let (websocket, _) = Self::accept_asked(self.accepting(), transport, decide)?;
        Ok(websocket)
    }

    /// Works like [`accept_with`](Self::accept_with), and also returns the request.
    pub(super) fn accept_asked<S: Transport>(
        accepting: Accepting,
        transport: S,
        decide: impl FnOnce(&Request) -> Result<Accept, PlainResponse>,
    ) -> Result<(ServerWebSocket<S>, Request), Error> {
        let opening = Self::receive(accepting, transport)?;
        match decide(opening.request()) {
            Ok(accept) => opening.open(&accept),
            Err(refusal) => {
                opening.refuse(&refusal)?;
                Err(Error::Refused(refusal.status()))
            }
        }
    }

    /// Waits for the client's request, and lets you answer it later. A request that breaks RFC 6455
    /// or comes from a forbidden origin is refused at once.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept`](Self::accept).
    pub fn receive_request<S: Transport>(&self, transport: S) -> Result<PendingRequest<S>, Error> {
        Self::receive(self.accepting(), transport)
    }

    fn receive<S: Transport>(
        mut accepting: Accepting,
        transport: S,
    ) -> Result<PendingRequest<S>, Error> {
        let mut exchange = Exchange::new(transport, ReadBuffer::new(), WriteBuffer::new());
        let request = exchange
            .drive(&mut accepting)
            .and_then(|step| Ok(step.request()?))
            .inspect_err(|error| accept_failed(accepting.peer_address(), error))?;
        let (transport, input, output) = exchange.into_parts();
        Ok(PendingRequest { transport, accepting, request, input, output, shell: PhantomData })
    }
}

/// When the time for the opening handshake is over, if that runs already.
pub(super) type HandshakeEnd = Option<Instant>;

/// A connection whose client has sent its part of the opening handshake and waits for the answer:
/// see [`Acceptor::receive_request`](server::Acceptor::receive_request).
///
/// ```no_run
/// use sansocket::{blocking::Acceptor, handshake::{Accept, PlainResponse}};
///
/// # fn serve(stream: std::net::TcpStream) -> Result<(), sansocket::Error> {
/// let opening = Acceptor::new().receive_request(stream)?;
/// if opening.request().header("Authorization").is_none() {
///     let challenge = PlainResponse::new(401).header("WWW-Authenticate", "Bearer");
///     return opening.refuse(&challenge);
/// }
/// let websocket = opening.accept(&Accept::new())?;
/// # Ok(())
/// # }
/// ```
pub type PendingRequest<S> = server::PendingRequest<S, Blocking>;

impl<S: Transport> server::PendingRequest<S, Blocking> {
    /// Sends the answer that opens the WebSocket.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Accept`] if the answer does not match the request; the client then gets
    /// status 500. Returns [`Error::HandshakeTimeout`] or [`Error::Io`] if the answer could not be
    /// written.
    pub fn accept(self, answer: &Accept) -> Result<ServerWebSocket<S>, Error> {
        let (websocket, _) = self.open(answer)?;
        Ok(websocket)
    }

    fn open(self, answer: &Accept) -> Result<(ServerWebSocket<S>, Request), Error> {
        let Self { transport, mut accepting, request, input, mut output, .. } = self;
        let accepted = accepting
            .accept(&request, answer, &mut output)
            .map_err(Error::from)
            .inspect_err(|error| refused(&request, error));
        let mut exchange = Exchange::new(transport, input, output);
        let step = exchange.drive(&mut accepting);
        accepted?;
        let (negotiated, config) =
            step.and_then(|step| Ok(step.open()?)).inspect_err(|error| refused(&request, error))?;
        let (transport, input, _) = exchange.into_parts();
        let websocket = WebSocket::for_request(transport, &request, negotiated, input, config);
        Ok((websocket, request))
    }

    /// Sends a refusal, and ends the transport in such a way that the refusal arrives: anything
    /// that the client still sends is read and dropped, up to 1 MiB and for up to 2 seconds.
    ///
    /// It is not an error if the client does not read the refusal.
    ///
    /// # Errors
    ///
    /// Returns [`Error::PlainResponse`] if the refusal can't be sent; the client then gets status
    /// 500.
    pub fn refuse(self, refusal: &PlainResponse) -> Result<(), Error> {
        let Self { transport, mut accepting, request, input, mut output, .. } = self;
        let outcome = accepting.refuse(refusal, &mut output).map_err(Error::from);
        match &outcome {
            Ok(()) => refused(&request, &Error::Refused(refusal.status())),
            Err(error) => refused(&request, error),
        }
        // This always returns an error, which says that the client was refused.
        let _ = Exchange::new(transport, input, output).drive(&mut accepting);
        outcome
    }
}
