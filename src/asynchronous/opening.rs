use super::WebSocket;
use super::exchange::Exchange;
use super::shell::Shell;
use crate::connection::Server;
use crate::error::Error;
use crate::handshake::{Accept, Reject};
use crate::server::Opening;
use alloc::boxed::Box;

impl<S, M: Shell<S>> Opening<S, M> {
    /// Sends the answer that opens the WebSocket.
    ///
    /// Not cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`] if the answer does not fit to the request: the client gets status 500 then.
    /// [`Error::HandshakeTimeout`] or [`Error::Io`].
    pub async fn accept(self, answer: &Accept<'_>) -> Result<WebSocket<S, Server, M>, Error> {
        let Self { transport, mut accepting, request, input, mut output, .. } = self;
        let accepted = accepting.accept(&request, answer, &mut output);
        let mut exchange = Exchange::<S, M>::new(transport, input, output);
        let step = exchange.drive(&mut accepting).await;
        accepted?;
        let (negotiated, config) = step?.open()?;
        let Exchange { transport, input, .. } = exchange;
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
        let Self { transport, mut accepting, input, mut output, .. } = self;
        let refused = accepting.refuse(reject, &mut output);
        let mut exchange = Exchange::<S, M>::new(transport, input, output);
        // It ends by an error that says that the client was refused.
        let _ = Box::pin(exchange.drive(&mut accepting)).await;
        Ok(refused?)
    }
}
