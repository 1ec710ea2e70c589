//! Accepting over TCP.

use super::exchange::drive;
#[cfg(feature = "rustls")]
use super::exchange::until;
use super::shell::{Runtime, Timer};
use super::stream::{Stream, sockets::Sockets};
use super::websocket::WebSocket;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::Server;
use crate::error::Error;
use crate::handshake::{Accept, PlainResponse, Request};
use crate::server::{Accepting, Acceptor, Peer, PendingRequest, ReceivingProxyHeader};
use crate::trace::accept_failed;
use alloc::boxed::Box;
use core::time::Duration;

impl<M: Sockets> Acceptor<M> {
    /// Accepts a connection over TCP, with TLS if this acceptor uses it, and turns on `TCP_NODELAY`.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept`](Self::accept), and with TLS `Error::Tls`.
    pub async fn accept_tcp(
        &self,
        stream: M::Tcp,
    ) -> Result<WebSocket<Stream<M>, Server, M>, Error> {
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
        stream: M::Tcp,
        decide: impl FnOnce(&Request) -> Result<Accept, PlainResponse>,
    ) -> Result<WebSocket<Stream<M>, Server, M>, Error> {
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
        stream: M::Tcp,
    ) -> Result<PendingRequest<Stream<M>, M>, Error> {
        Box::pin(async move {
            let (stream, accepting) = self.prepare(stream).await?;
            Self::receive(accepting, stream).await
        })
        .await
    }

    /// Prepares a TCP stream for the opening handshake, and begins that.
    async fn prepare(&self, stream: M::Tcp) -> Result<(Stream<M>, Accepting), Error> {
        let address = M::peer_addr(&stream).map_err(Error::from);
        let mut peer = Peer::new(address.inspect_err(|error| accept_failed(None, error))?);
        let prepared = async {
            let (stream, end) = self.begin_tcp(stream, &mut peer).await?;
            self.secure(stream, peer, end).await
        };
        let prepared = prepared.await;
        prepared.inspect_err(|error| accept_failed(Some(peer.address), error))
    }

    /// Receives the header of the PROXY protocol, if `peer` is a proxy that sends one: `peer` is then
    /// the address that it names. Returns the end of the time for the opening handshake.
    pub(crate) async fn begin_tcp(
        &self,
        stream: M::Tcp,
        peer: &mut Peer,
    ) -> Result<(Stream<M>, HandshakeEnd<M>), Error> {
        M::set_nodelay(&stream)?;
        let mut stream = Stream::from_tcp(stream);
        let Some(proxies) = &self.proxies else { return Ok((stream, None)) };
        if !proxies.expects_proxy_header(peer.address.ip()) {
            return Ok((stream, None));
        }
        let timer = M::Timer::default();
        let end = self.handshake_timeout.map(|timeout| timer.now().saturating_add(timeout));
        let mut receiving = ReceivingProxyHeader::new(self.handshake_timeout);
        let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        let received =
            drive::<_, M, _>(&mut receiving, &mut stream, &mut input, &mut output).await?;
        *peer = peer.naming(received?);
        Ok((stream, end.map(|end| (timer, end))))
    }

    /// Performs the TLS handshake, if this acceptor uses TLS, and begins the opening handshake.
    pub(crate) async fn secure(
        &self,
        stream: Stream<M>,
        peer: Peer,
        end: HandshakeEnd<M>,
    ) -> Result<(Stream<M>, Accepting), Error> {
        let left = |end: &HandshakeEnd<M>| match end {
            Some((timer, end)) => Some(end.saturating_sub(timer.now())),
            None => self.handshake_timeout,
        };
        #[cfg(feature = "rustls")]
        if let Some(session) = self.session()? {
            let mut timer = M::Timer::default();
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
pub(crate) type HandshakeEnd<M> = Option<(<M as Runtime>::Timer, Duration)>;
