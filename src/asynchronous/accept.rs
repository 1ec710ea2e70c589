//! Accepting over any async stream.

use super::exchange::drive;
use super::shell::{Runtime, Shell};
use super::websocket::WebSocket;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::Server;
use crate::error::Error;
use crate::handshake::{Accept, PlainResponse, Request};
use crate::server::{Accepting, Acceptor, PendingRequest};
use crate::trace::{accept_failed, refused};
use alloc::boxed::Box;
use core::marker::PhantomData;

impl<M: Runtime> Acceptor<M> {
    /// Accepts a connection over any async stream. This does not set options of the stream, such as
    /// `TCP_NODELAY`.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Handshake`] if the request is invalid or comes from a forbidden origin,
    /// [`Error::Answered`] if the acceptor sent a plain response, [`Error::HandshakeTimeout`], or
    /// [`Error::Io`].
    pub async fn accept<S>(&self, transport: S) -> Result<WebSocket<S, Server, M>, Error>
    where
        M: Shell<S>,
    {
        self.accept_with(transport, |_| Ok(Accept::new())).await
    }

    /// Accepts a connection if `decide` accepts the client's request. This does not set options of
    /// the stream, such as `TCP_NODELAY`.
    ///
    /// If your decision takes time, or depends on what the client sent after its request, use
    /// [`receive_request`](Self::receive_request) and decide on its [`PendingRequest`].
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept`](Self::accept), and [`Error::Refused`] if `decide` refused.
    /// Returns [`Error::Accept`] or [`Error::PlainResponse`] if the answer of `decide` does not
    /// match the request or is not a valid response; the client then gets status 500.
    #[doc(alias = "accept_hdr_async")]
    #[doc(alias = "Upgrader")]
    pub async fn accept_with<S>(
        &self,
        transport: S,
        decide: impl FnOnce(&Request) -> Result<Accept, PlainResponse>,
    ) -> Result<WebSocket<S, Server, M>, Error>
    where
        M: Shell<S>,
    {
        // Boxed to keep the handshake out of the task that continues with the connection.
        let accepted = Box::pin(Self::accept_asked(self.accepting(), transport, decide));
        Ok(accepted.await?.0)
    }

    /// Works like [`accept_with`](Self::accept_with), and also returns the request.
    pub(crate) async fn accept_asked<S>(
        accepting: Accepting,
        transport: S,
        decide: impl FnOnce(&Request) -> Result<Accept, PlainResponse>,
    ) -> Result<(WebSocket<S, Server, M>, Request), Error>
    where
        M: Shell<S>,
    {
        let opening = Self::receive(accepting, transport).await?;
        match decide(opening.request()) {
            Ok(accept) => opening.open(&accept).await,
            Err(refusal) => {
                opening.refuse(&refusal).await?;
                Err(Error::Refused(refusal.status()))
            }
        }
    }

    /// Waits for the client's request, and leaves the answer to you. A request that violates RFC
    /// 6455 or comes from a forbidden origin is refused at once. This does not set options of the
    /// stream, such as `TCP_NODELAY`.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`accept`](Self::accept).
    pub async fn receive_request<S>(&self, transport: S) -> Result<PendingRequest<S, M>, Error>
    where
        M: Shell<S>,
    {
        Box::pin(Self::receive(self.accepting(), transport)).await
    }

    pub(crate) async fn receive<S>(
        accepting: Accepting,
        transport: S,
    ) -> Result<PendingRequest<S, M>, Error>
    where
        M: Shell<S>,
    {
        let (mut accepting, mut transport) = (accepting, transport);
        let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        let step = drive::<S, M, _>(&mut accepting, &mut transport, &mut input, &mut output).await;
        let request = step
            .and_then(|step| Ok(step.request()?))
            .inspect_err(|error| accept_failed(accepting.peer_address(), error))?;
        Ok(PendingRequest { transport, accepting, request, input, output, shell: PhantomData })
    }
}

impl<S, M: Shell<S>> PendingRequest<S, M> {
    /// Sends the answer that opens the WebSocket.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Accept`] if the answer does not match the request; the client then gets
    /// status 500. Returns [`Error::HandshakeTimeout`] or [`Error::Io`] if the answer could not be
    /// sent.
    pub async fn accept(self, answer: &Accept) -> Result<WebSocket<S, Server, M>, Error> {
        let (websocket, _) = self.open(answer).await?;
        Ok(websocket)
    }

    async fn open(self, answer: &Accept) -> Result<(WebSocket<S, Server, M>, Request), Error> {
        let Self { mut transport, mut accepting, request, mut input, mut output, .. } = self;
        let accepted = accepting
            .accept(&request, answer, &mut output)
            .map_err(Error::from)
            .inspect_err(|error| refused(&request, error));
        let step = drive::<S, M, _>(&mut accepting, &mut transport, &mut input, &mut output).await;
        accepted?;
        let (negotiated, config) =
            step.and_then(|step| Ok(step.open()?)).inspect_err(|error| refused(&request, error))?;
        let websocket = WebSocket::for_request(transport, &request, negotiated, input, config);
        Ok((websocket, request))
    }

    /// Sends a refusal, and then ends the transport in such a way that the refusal arrives: this
    /// reads and drops what the client still sends, up to 1 MiB and for at most 2 seconds. It is
    /// not an error if the client does not read the refusal.
    ///
    /// Not cancel safe: if you drop the future, the connection is lost.
    ///
    /// # Errors
    ///
    /// Returns [`Error::PlainResponse`] if the refusal is not a valid response; the client then
    /// gets status 500.
    pub async fn refuse(self, refusal: &PlainResponse) -> Result<(), Error> {
        let Self { mut transport, mut accepting, request, mut input, mut output, .. } = self;
        let outcome = accepting.refuse(refusal, &mut output).map_err(Error::from);
        match &outcome {
            Ok(()) => refused(&request, &Error::Refused(refusal.status())),
            Err(error) => refused(&request, error),
        }
        let refusing = drive::<S, M, _>(&mut accepting, &mut transport, &mut input, &mut output);
        // A refused handshake always ends with an error, which says that the client was refused.
        let _ = Box::pin(refusing).await;
        outcome
    }
}
