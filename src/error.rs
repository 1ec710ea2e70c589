use crate::{
    AcceptError, Closed, HandshakeError, ProtocolError, RandomError, ReceiveError, RejectError,
    RequestError, SendError, UrlError,
};
use alloc::boxed::Box;
use std::io;
use thiserror::Error;

/// Why something failed in a shell.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL to connect to is wrong.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The request to connect with is wrong.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The response to accept with does not fit to the request.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// The response to refuse with is none that can be sent; the client got status 500.
    #[error(transparent)]
    Reject(#[from] RejectError),
    /// The peer's part of the opening handshake failed it.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The application's hook refused the client, with this status.
    #[error("the client was refused with status {0}")]
    Rejected(u16),
    /// The opening handshake was not finished in time.
    #[error("the opening handshake was not finished in time")]
    HandshakeTimeout,
    /// The transport failed.
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) and [`TimedOut`](io::ErrorKind::TimedOut) come
    /// from a transport that has a timeout of its own or does not block: nothing is lost then. What
    /// was to be sent is queued; go on with a flush, or with receiving. After any other kind the
    /// connection has ended.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer broke the protocol or a limit: the connection has failed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// What was received can't be looked at this way.
    #[error(transparent)]
    Receive(ReceiveError),
    /// What was to be sent can't be.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The connection ended without a closing handshake: messages may be lost. Or something was to
    /// be sent after its end, of whichever kind that was.
    #[error("the connection {0}")]
    Closed(Box<Closed>),
    /// There is nothing to mask with.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl From<ReceiveError> for Error {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Protocol(error) => Self::Protocol(error),
            misuse => Self::Receive(misuse),
        }
    }
}

impl Error {
    /// Whether the transport was not ready, and nothing else is wrong: see [`Error::Io`].
    #[must_use]
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::Io(error) if crate::io::is_timeout(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<Error>() <= 32);
        assert!(size_of::<Result<(), Error>>() <= 32);
    }
}
