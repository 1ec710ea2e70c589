use super::exchange::Exchange;
use super::shell::Blocking;
use super::{Transport, WebSocket};
use crate::connection::Server;
use crate::error::Error;
use crate::handshake::{Accept, Reject};
use crate::server;

/// A connection whose client has sent its part of the opening handshake, and waits for the answer:
/// see [`Acceptor::receive_request`](server::Acceptor::receive_request).
pub type Opening<S> = server::Opening<S, Blocking>;

impl<S: Transport> server::Opening<S, Blocking> {
    /// Sends the answer that opens the WebSocket.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`] if the answer does not fit to the request: the client gets status 500 then.
    /// [`Error::HandshakeTimeout`] or [`Error::Io`].
    pub fn accept(self, answer: &Accept<'_>) -> Result<WebSocket<S, Server>, Error> {
        let Self { transport, mut accepting, request, input, mut output, .. } = self;
        let accepted = accepting.accept(&request, answer, &mut output);
        let mut exchange = Exchange::new(transport, input, output);
        let step = exchange.drive(&mut accepting);
        accepted?;
        let (negotiated, config) = step?.open()?;
        let (transport, input, _) = exchange.into_parts()?;
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
