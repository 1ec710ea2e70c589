use crate::connection::{Cause, Closed, ProtocolError, ReceiveError, SendError};
use crate::handshake::{
    AcceptError, HandshakeError, OpeningError, RejectError, RequestError, UrlError,
};
use crate::random::RandomError;
use crate::transport::IoFailure;
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
    /// The response to accept with does not suit the request.
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
    /// was to be sent is queued; go on with a flush, or with receiving. After any other kind nothing more
    /// can be sent: receive, and you learn how the connection ended. That includes that the close timeout
    /// is over, and not all was written.
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

impl From<&io::Error> for IoFailure {
    /// What a failure of the system says about the transport: a signal that came
    /// ([`Interrupted`](io::ErrorKind::Interrupted)) and [`WouldBlock`](io::ErrorKind::WouldBlock) are
    /// [`NotReady`](Self::NotReady).
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, NotConnected, TimedOut,
            UnexpectedEof, Unsupported, WouldBlock, WriteZero,
        };
        match error.kind() {
            // A signal came: it is tried again, as on a transport that is not ready.
            WouldBlock | Interrupted => Self::NotReady,
            TimedOut => Self::TimedOut,
            ConnectionAborted | ConnectionReset => Self::Reset,
            BrokenPipe | NotConnected | WriteZero => Self::Ended,
            UnexpectedEof => Self::TlsTruncated,
            Unsupported => Self::Unsupported,
            _ => Self::Other,
        }
    }
}

impl Error {
    /// What a loop over messages ends with: nothing after a clean close. `failed` is how reading
    /// failed, which is told if `closed` has no word for it.
    pub(crate) fn of_end(closed: &Closed, failed: Option<io::Error>) -> Option<Self> {
        use IoFailure::{NotReady, Other, Unsupported};
        let has_no_word =
            |error: &io::Error| matches!(IoFailure::from(error), NotReady | Other | Unsupported);
        match (closed.cause, failed) {
            _ if closed.clean => None,
            (Cause::Protocol(error), _) => Some(error.into()),
            (_, Some(error)) if has_no_word(&error) => Some(Self::final_io(error)),
            _ => Some(Self::Closed(Box::new(closed.clone()))),
        }
    }

    /// Why no WebSocket was opened. `failed` is how the transport failed, if it has.
    pub(crate) fn of_opening(error: OpeningError, failed: Option<io::Error>) -> Self {
        match (error, failed) {
            (OpeningError::Handshake(error), _) => error.into(),
            (OpeningError::Refused(status), _) => Self::Rejected(status),
            (OpeningError::TimedOut, _) => Self::HandshakeTimeout,
            (OpeningError::Transport(_), Some(error)) => Self::final_io(error),
            (OpeningError::Transport(_), None) => io::Error::from(io::ErrorKind::BrokenPipe).into(),
        }
    }

    /// Why none of the addresses of a host could be reached: how the last of them failed.
    /// `is_bounded` says whether connecting was.
    pub(crate) fn of_connecting(failed: Option<io::Error>, is_bounded: bool) -> Self {
        match failed {
            // Without a bound it is the system that has given up.
            Some(error) if error.kind() == io::ErrorKind::TimedOut && is_bounded => {
                Self::HandshakeTimeout
            }
            Some(error) => Self::final_io(error),
            None => io::Error::new(io::ErrorKind::NotFound, "the host has no address").into(),
        }
    }

    /// What is wrong with connecting to a `wss://` URL.
    pub(crate) fn needs_tls() -> Self {
        let what = "wss:// needs TLS, which the feature `rustls` is going to bring; \
            until then hand a TLS stream to Connector::connect_over";
        io::Error::new(io::ErrorKind::Unsupported, what).into()
    }

    /// An error of a transport after which nothing can be tried again, as it could after a bare
    /// `WouldBlock` or `TimedOut`: see [`Error::Io`].
    pub(crate) fn final_io(error: io::Error) -> Self {
        if crate::io::is_timeout(&error) { io::Error::other(error).into() } else { error.into() }
    }

    /// Whether the transport was not ready, and nothing else is wrong: see [`Error::Io`].
    #[must_use]
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::Io(error) if crate::io::is_timeout(error))
    }
}

/// Whether a loop over messages has returned an error for misuse, and has received nothing since. Without
/// this the loop would return the same error again and again.
#[derive(Debug, Default)]
pub(crate) struct Misuse(bool);

impl Misuse {
    /// The same, but for misuse that was told before: the loop ends there.
    #[inline]
    pub(crate) fn once<T>(&mut self, next: Option<Result<T, Error>>) -> Option<Result<T, Error>> {
        match &next {
            Some(Ok(_)) => self.received(),
            Some(Err(Error::Receive(_))) if core::mem::replace(&mut self.0, true) => return None,
            Some(Err(_)) | None => {}
        }
        next
    }

    /// Something was received.
    #[inline]
    pub(crate) fn received(&mut self) {
        self.0 = false;
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

    #[test]
    fn a_signal_is_no_failure_of_the_transport() {
        use io::ErrorKind::{ConnectionReset, Interrupted, Other, TimedOut, WouldBlock};
        let failure = |kind| IoFailure::from(&io::Error::from(kind));
        assert_eq!(failure(Interrupted), IoFailure::NotReady);
        assert_eq!(failure(WouldBlock), IoFailure::NotReady);
        assert_eq!(failure(TimedOut), IoFailure::TimedOut);
        assert_eq!(failure(ConnectionReset), IoFailure::Reset);
        assert_eq!(failure(Other), IoFailure::Other);
    }
}
