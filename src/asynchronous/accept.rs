use super::WebSocket;
use super::exchange::Exchange;
use super::shell::{Runtime, Shell};
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

    /// Waits for the client's request, and leaves open how it is answered. A request that does not
    /// fit to RFC 6455 or comes from a wrong origin is refused at once.
    ///
    /// Not cancel safe, as [`accept`](Self::accept).
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::{Accept, Reject, tokio::Acceptor};
    ///
    /// # async fn look_up(_: Option<&[u8]>) -> bool { true }
    /// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
    /// stream.set_nodelay(true)?;
    /// let opening = Acceptor::new().receive_request(stream).await?;
    /// println!("{:?} asks for {}", opening.transport().peer_addr(), opening.request().path());
    /// if !look_up(opening.request().header("Authorization")).await {
    ///     let challenge = Reject::new(401).header("WWW-Authenticate", "Bearer");
    ///     return opening.refuse(&challenge).await;
    /// }
    /// let websocket = opening.accept(&Accept::new()).await?;
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub async fn receive_request<S>(&self, transport: S) -> Result<Opening<S, M>, Error>
    where
        M: Shell<S>,
    {
        Box::pin(async move {
            let mut accepting = self.begin();
            let (input, output) = (ReadBuffer::new(), WriteBuffer::new());
            let mut exchange = Exchange::<S, M>::new(transport, input, output);
            let request = exchange.drive(&mut accepting).await?.request()?;
            let Exchange { transport, input, output, .. } = exchange;
            Ok(Opening { transport, accepting, request, input, output, shell: PhantomData })
        })
        .await
    }
}
