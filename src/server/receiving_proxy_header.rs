//! The header of the PROXY protocol on a transport that shells read.

use super::proxy_header::{ProxyHeader, ProxyHeaderError};
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::handshake::{Exchange, HandshakeError, HandshakeNext, OpeningError, Opens};
use core::{net::SocketAddr, time::Duration};

/// Receives the header of the PROXY protocol, and no byte of what follows it.
#[derive(Debug)]
pub(crate) struct ReceivingProxyHeader {
    exchange: Exchange,
}

impl ReceivingProxyHeader {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        Self { exchange: Exchange::new(timeout) }
    }
}

/// The step is the address of the client, if the header tells it.
impl Opens for ReceivingProxyHeader {
    type Step = Result<Option<SocketAddr>, ProxyHeaderError>;
    type Error = OpeningError;

    fn next(
        &mut self,
        input: &mut ReadBuffer,
        _output: &mut WriteBuffer,
        clock: impl FnOnce() -> Duration,
    ) -> HandshakeNext<Self::Step> {
        let missing = match ProxyHeader::parse(input.unread()) {
            Ok(ProxyHeader::Complete { client, len }) => {
                input.skip(len);
                return HandshakeNext::Ready(Ok(client));
            }
            Ok(ProxyHeader::Incomplete { missing }) => missing,
            Err(error) => return HandshakeNext::Ready(Err(error)),
        };
        self.exchange.read_at_most(missing);
        HandshakeNext::Ended(match self.exchange.input_ended() {
            None => match self.exchange.wait(true, clock()) {
                Some(wants) => return HandshakeNext::Wants(wants),
                None => OpeningError::TimedOut,
            },
            Some(Ok(())) => HandshakeError::TransportEnded { received: input.unread_len() }.into(),
            Some(Err(failure)) => OpeningError::Transport(failure),
        })
    }

    fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }
}
