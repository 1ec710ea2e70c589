use super::exchange::drive;
use super::shell::{Runtime, Shell};
use super::websocket::WebSocket;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::Server;
use crate::error::Error;
use crate::handshake::{Accept, Reject, Request};
use crate::server::{Acceptor, Opening};
use alloc::boxed::Box;
use core::marker::PhantomData;

impl<M: Runtime> Acceptor<M> {
    /// Accepts a connection over any async stream.
    ///
    /// Not cancel safe: a connection whose handshake is dropped is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] if the client was refused, [`Error::HandshakeTimeout`], or
    /// [`Error::Io`].
    pub async fn accept<S>(&self, transport: S) -> Result<WebSocket<S, Server, M>, Error>
    where
        M: Shell<S>,
    {
        self.accept_with(transport, |_| Ok(Accept::new())).await
    }

    /// Accepts a connection that `decide`, which sees the client's request, accepts. A decision that
    /// takes time, or wants to see what the client has sent behind its request, is made on the
    /// [`Opening`] of [`receive_request`](Self::receive_request).
    ///
    /// Not cancel safe, as [`accept`](Self::accept).
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept); [`Error::Rejected`] if `decide` refused; [`Error::Accept`] or
    /// [`Error::Reject`] if its answer can't be sent: the client gets status 500 then.
    pub async fn accept_with<'d, S>(
        &self,
        transport: S,
        decide: impl FnOnce(&Request) -> Result<Accept<'d>, Reject<'d>>,
    ) -> Result<WebSocket<S, Server, M>, Error>
    where
        M: Shell<S>,
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

    /// Waits for the client's request, and leaves open how it is answered. A request that breaks
    /// RFC 6455 or comes from a wrong origin is refused at once.
    ///
    /// Not cancel safe, as [`accept`](Self::accept).
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub async fn receive_request<S>(&self, transport: S) -> Result<Opening<S, M>, Error>
    where
        M: Shell<S>,
    {
        Box::pin(async move {
            let (mut accepting, mut transport) = (self.begin(), transport);
            let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
            let request = drive::<S, M, _>(&mut accepting, &mut transport, &mut input, &mut output)
                .await?
                .request()?;
            Ok(Opening { transport, accepting, request, input, output, shell: PhantomData })
        })
        .await
    }
}

impl<S, M: Shell<S>> Opening<S, M> {
    /// Sends the answer that opens the WebSocket.
    ///
    /// Not cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`] if the answer does not suit the request: the client gets status 500 then.
    /// [`Error::HandshakeTimeout`] or [`Error::Io`].
    pub async fn accept(self, answer: &Accept<'_>) -> Result<WebSocket<S, Server, M>, Error> {
        let Self { mut transport, mut accepting, request, mut input, mut output, .. } = self;
        let accepted = accepting.accept(&request, answer, &mut output);
        let step = drive::<S, M, _>(&mut accepting, &mut transport, &mut input, &mut output).await;
        accepted?;
        let (negotiated, config) = step?.open()?;
        Ok(WebSocket::new(transport, Server::new(), negotiated, input, config))
    }

    /// Sends a refusal, and ends the transport so that it arrives: what the client still sends is
    /// read and dropped, up to 1 MiB and for 2 seconds.
    ///
    /// A client that does not read it is no error. Not cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Reject`] if the refusal can't be sent: the client gets status 500 then.
    pub async fn refuse(self, reject: &Reject<'_>) -> Result<(), Error> {
        let Self { mut transport, mut accepting, mut input, mut output, .. } = self;
        let refused = accepting.refuse(reject, &mut output);
        let refusing = drive::<S, M, _>(&mut accepting, &mut transport, &mut input, &mut output);
        // It ends by an error that says that the client was refused.
        let _ = Box::pin(refusing).await;
        Ok(refused?)
    }
}
