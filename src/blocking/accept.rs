use super::exchange::Exchange;
use super::{Blocking, Transport, WebSocket};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::Server;
use crate::error::Error;
use crate::handshake::{Accept, Reject, Request};
use crate::server;
use core::marker::PhantomData;
use std::net::TcpStream;

/// Accepts a WebSocket connection on a TCP stream, with the defaults of an [`Acceptor`].
///
/// # Errors
///
/// As for [`Acceptor::accept`](server::Acceptor::accept).
pub fn accept(stream: TcpStream) -> Result<WebSocket<TcpStream, Server>, Error> {
    Acceptor::new().accept_tcp(stream)
}

/// How a server accepts connections.
///
/// Timeouts that you have set on the transport end the opening handshake too.
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
pub type Acceptor = server::Acceptor<Blocking>;

impl server::Acceptor<Blocking> {
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

    /// Accepts a connection that `decide`, which sees the client's request, accepts. What the client
    /// has sent behind that, an [`Opening`] of [`receive_request`](Self::receive_request) shows.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept); [`Error::Rejected`] if `decide` refused; [`Error::Accept`] or
    /// [`Error::Reject`] if its answer can't be sent: the client gets status 500 then.
    pub fn accept_with<'d, S: Transport>(
        &self,
        transport: S,
        decide: impl FnOnce(&Request) -> Result<Accept<'d>, Reject<'d>>,
    ) -> Result<WebSocket<S, Server>, Error> {
        let opening = self.receive_request(transport)?;
        match decide(opening.request()) {
            Ok(accept) => opening.accept(&accept),
            Err(reject) => {
                opening.refuse(&reject)?;
                Err(Error::Rejected(reject.status))
            }
        }
    }

    /// Waits for the client's request, and leaves open how it is answered. A request that breaks
    /// RFC 6455 or comes from a wrong origin is refused at once.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub fn receive_request<S: Transport>(&self, transport: S) -> Result<Opening<S>, Error> {
        let mut accepting = self.begin();
        let mut exchange = Exchange::new(transport, ReadBuffer::new(), WriteBuffer::new());
        let request = exchange.drive(&mut accepting)?.request()?;
        let (transport, input, output) = exchange.into_parts();
        Ok(Opening { transport, accepting, request, input, output, shell: PhantomData })
    }
}

/// A connection whose client has sent its part of the opening handshake, and waits for the answer:
/// see [`Acceptor::receive_request`](server::Acceptor::receive_request). Call its `accept` or `refuse`.
pub type Opening<S> = server::Opening<S, Blocking>;

impl<S: Transport> server::Opening<S, Blocking> {
    /// Sends the answer that opens the WebSocket.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`] if the answer does not suit the request: the client gets status 500 then.
    /// [`Error::HandshakeTimeout`] or [`Error::Io`].
    pub fn accept(self, answer: &Accept<'_>) -> Result<WebSocket<S, Server>, Error> {
        let Self { transport, mut accepting, request, input, mut output, .. } = self;
        let accepted = accepting.accept(&request, answer, &mut output);
        let mut exchange = Exchange::new(transport, input, output);
        let step = exchange.drive(&mut accepting);
        accepted?;
        let (negotiated, config) = step?.open()?;
        let (transport, input, _) = exchange.into_parts();
        Ok(WebSocket::new(transport, Server::new(), negotiated, input, config))
    }

    /// Sends a refusal, and ends the transport so that it arrives: what the client still sends is
    /// read and dropped, up to 1 MiB and for 2 seconds.
    ///
    /// A client that does not read it is no error.
    ///
    /// # Errors
    ///
    /// [`Error::Reject`] if the refusal can't be sent: the client gets status 500 then.
    pub fn refuse(self, reject: &Reject<'_>) -> Result<(), Error> {
        let Self { transport, mut accepting, input, mut output, .. } = self;
        let refused = accepting.refuse(reject, &mut output);
        // It ends by an error that says that the client was refused.
        let _ = Exchange::new(transport, input, output).drive(&mut accepting);
        Ok(refused?)
    }
}
