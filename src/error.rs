//! The error type of the shells.

use crate::client::{ProxyError, RedirectError, Stage};
use crate::connection::{Cause, Closed, ProtocolError, ReceiveError, SendError};
use crate::handshake::{
    AcceptError, HandshakeError, OpeningError, PlainResponseError, RequestError, UrlError,
};
use crate::random::RandomError;
use crate::server::{AddressLimit, ProxyHeaderError};
#[cfg(feature = "rustls")]
use crate::tls::TlsError;
use crate::transport::IoFailure;
use alloc::{boxed::Box, format, string::String};
use core::{net::SocketAddr, time::Duration};
use std::io;
use thiserror::Error;

/// An error from one of the shells, blocking or asynchronous.
///
/// Each variant says whose fault the failure is and whether trying again can help.
///
/// ```
/// use sansocket::{Error, connection::SendError, handshake::HandshakeError};
///
/// fn explain(error: &Error) {
///     match error {
///         Error::Handshake(HandshakeError::Refused(refusal)) => {
///             println!("the server refused with {}", refusal.status());
///         }
///         Error::Send(SendError::QueueFull { .. }) => println!("the peer does not read"),
///         Error::Protocol(fault) => println!("the peer is at fault: {fault}"),
///         Error::Closed(closed) => println!("the connection is over: {closed}"),
///         other => println!("{other}"),
///     }
/// }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL to connect to is invalid. Nothing was sent. Correct the URL: trying again with the
    /// same one fails again.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The request to connect with is invalid, for example because of a header field that you added
    /// to the `Connector`. Nothing was sent. Correct the request: trying again with the same one
    /// fails again.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Your response does not match the client's request, or can't be sent. The client got status
    /// 500. Correct the response that your server gives; this handshake is over.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// Your refusal is not a valid response. The client got status 500. Correct the refusal that
    /// your server gives; this handshake is over.
    #[error(transparent)]
    PlainResponse(#[from] PlainResponseError),
    /// What the peer sent does not open a WebSocket. This is the peer's fault or its decision.
    /// Trying again helps only if the peer may act differently next time, for example after it
    /// [refused](HandshakeError::Refused) with status 503.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// Your server refused the client with this status, as your code decided. With status 500 it
    /// can also mean that your [`plain_response`](crate::server::Acceptor::plain_response) returned
    /// a response that can't be sent. There is nothing to try again: the client has its answer.
    #[error("the client was refused with status {0}")]
    Refused(u16),
    /// `serve` refused the client with status 429, because its address has exceeded this limit of
    /// your [`PerAddress`](crate::server::PerAddress). There is nothing to try again: the client was
    /// told when it can.
    #[error("the client was refused: {0}")]
    AddressLimit(AddressLimit),
    /// A trusted proxy did not begin the connection with a valid header of the PROXY protocol. The
    /// fault is the proxy's, or that of your
    /// [`TrustedProxies`](crate::server::TrustedProxies); trying again does not help. The proxy got
    /// no answer.
    #[error(transparent)]
    ProxyHeader(#[from] ProxyHeaderError),
    /// The client did not request a WebSocket, and your
    /// [`plain_response`](crate::server::Acceptor::plain_response) answered with this status.
    /// Nothing went wrong, but there is no connection.
    #[error("the client made a plain HTTP request, which was answered with status {0}")]
    Answered(u16),
    /// The opening handshake did not finish in time: the peer or the network is too slow. Trying
    /// again can help.
    #[error("the opening handshake was not finished in time")]
    HandshakeTimeout,
    /// The time was over before the opening handshake could begin, during this stage: the peer, the
    /// proxy or the network is too slow. Trying again can help.
    #[error("time ran out during {0}")]
    ConnectTimeout(Stage),
    /// The server redirected the client once too often, or to where it must not follow: see
    /// [`Connector::redirects`](crate::client::Connector::redirects). Trying again does not help.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// The proxy opened no tunnel. [`ProxyError`] says whose fault that is, and
    /// [`ProxyError::is_transient`] whether trying again can help.
    #[error(transparent)]
    Proxy(ProxyError),
    /// The transport failed. The fault may be the network's, the peer's or the system's. If the
    /// connection to a proxy failed, the text names the proxy.
    ///
    /// The kinds [`WouldBlock`](io::ErrorKind::WouldBlock) and
    /// [`TimedOut`](io::ErrorKind::TimedOut) come from a transport that has its own timeout or does
    /// not block. Nothing is lost then: what you sent is queued, so go on with a flush or by
    /// receiving.
    ///
    /// If such a timeout ends something for good, such as an opening handshake, the kind is
    /// [`Other`](io::ErrorKind::Other), and the source is the original error.
    ///
    /// After any other kind you can send nothing more on this connection. Receive to learn how it
    /// ended; a new connection can work. You also get such an error if the close timeout expires
    /// before everything is written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer broke the protocol or exceeded a limit, of your [`Config`](crate::Config) or of its
    /// address. The connection has failed. You can connect again, but the same data from the peer
    /// fails again.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// You mixed methods that receive a message whole and in chunks. Nothing has changed: go on
    /// with the method that you began the message with.
    #[error(transparent)]
    Receive(ReceiveError),
    /// You can't send this message or frame now, or not at all: see [`SendError`]. The same call
    /// can succeed later only after [`SendError::QueueFull`], or after
    /// [`SendError::MessageInProgress`] once you have finished that message.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The connection has ended; [`Closed`] tells how, and who began. Only a new connection can
    /// help.
    ///
    /// From a receiving method this error means that there was no closing handshake, so messages
    /// may be lost. From a sending method it means any end, clean or not.
    #[error("{0}")]
    Closed(Box<Closed>),
    /// The system supplied no random bytes, which a client needs for its handshake and for masking.
    /// The fault is the system's; trying again rarely helps.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// TLS failed. [`TlsError::fault`](crate::tls::TlsError::fault) says what is wrong: a
    /// certificate, the peer, or your configuration. Trying again without a change does not help.
    #[cfg(feature = "rustls")]
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The URL begins with `wss://`, or that of the proxy with `https://`, but the feature `rustls`
    /// of this crate is off. Trying again does not help: switch the feature on, or make the TLS
    /// connection yourself and pass it to `Connector::connect_over`.
    #[error(
        "wss:// and proxies with https:// need TLS: enable the feature `rustls` of sansocket, or \
        pass a TLS stream to Connector::connect_over"
    )]
    TlsUnsupported,
}

/// What failed before a connection existed. It is inside an [`Error::Io`].
#[derive(Debug, Error)]
#[error("{failed}: {cause}")]
struct ConnectError {
    failed: String,
    #[source]
    cause: io::Error,
}

/// What a state machine that opens a connection ends with.
pub(crate) trait OpeningFailure {
    /// Returns the error of the shell. `failed` is the error of the transport, if it failed.
    fn into_error(self, failed: Option<io::Error>) -> Error;
}

impl OpeningFailure for OpeningError {
    fn into_error(self, failed: Option<io::Error>) -> Error {
        match self {
            Self::Handshake(error) => error.into(),
            Self::Refused(status) => Error::Refused(status),
            Self::Answered(status) => Error::Answered(status),
            Self::TimedOut => Error::HandshakeTimeout,
            Self::Transport(_) => Error::of_transport(failed),
        }
    }
}

impl OpeningFailure for ProxyError {
    fn into_error(self, failed: Option<io::Error>) -> Error {
        match self {
            Self::TimedOut => Error::ConnectTimeout(Stage::Proxy),
            Self::Transport(_) => Error::of_transport(failed),
            error => Error::Proxy(error),
        }
    }
}

impl From<ProxyError> for Error {
    fn from(error: ProxyError) -> Self {
        error.into_error(None)
    }
}

impl From<ReceiveError> for Error {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Protocol(error) => Self::Protocol(error),
            misuse => Self::Receive(misuse),
        }
    }
}

impl From<Closed> for Error {
    fn from(closed: Closed) -> Self {
        Self::Closed(Box::new(closed))
    }
}

impl From<io::Error> for IoFailure {
    /// Maps a system error as `From<&io::Error>` does.
    fn from(error: io::Error) -> Self {
        (&error).into()
    }
}

impl From<&io::Error> for IoFailure {
    /// Maps a system error to what the state machines know of failures.
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) and [`Interrupted`](io::ErrorKind::Interrupted),
    /// which a signal causes, become [`NotReady`](Self::NotReady).
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, NotConnected, TimedOut,
            UnexpectedEof, Unsupported, WouldBlock, WriteZero,
        };
        match error.kind() {
            // The caller retries after a signal as it does when the transport is not ready.
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
    /// Returns the error that a loop over messages ends with: none after a clean close. `failed` is
    /// the error of the last read, if it failed. It is returned if `closed` can't express it.
    pub(crate) fn of_end(closed: &Closed, failed: Option<io::Error>) -> Option<Self> {
        use IoFailure::{NotReady, Other, Unsupported};
        let is_not_covered =
            |error: &io::Error| matches!(IoFailure::from(error), NotReady | Other | Unsupported);
        match (closed.cause, failed) {
            _ if closed.clean => None,
            (Cause::Protocol(error), _) => Some(error.into()),
            (_, Some(error)) if is_not_covered(&error) => Some(Self::final_io(error)),
            _ => Some(Self::Closed(Box::new(closed.clone()))),
        }
    }

    /// Returns the error of a transport that failed during an opening handshake.
    fn of_transport(failed: Option<io::Error>) -> Self {
        match failed {
            Some(error) => Self::final_io(error),
            None => io::Error::from(io::ErrorKind::BrokenPipe).into(),
        }
    }

    /// Returns the error of an address that can't be connected to.
    pub(crate) fn of_address(address: SocketAddr, error: io::Error) -> Self {
        Self::of_connecting(format!("can't connect to {address}"), error)
    }

    /// Returns the error of a host whose addresses can't be found.
    pub(crate) fn of_lookup(host: &str, error: io::Error) -> Self {
        Self::of_connecting(format!("can't find the address of {host}"), error)
    }

    /// Returns the error of a proxy that can't be connected to.
    pub(crate) fn of_proxy(host: &str, port: u16, error: io::Error) -> Self {
        Self::of_connecting(format!("can't reach the proxy {host}, port {port}"), error)
    }

    /// Returns the error for a host all of whose addresses are of another family than the local one.
    pub(crate) fn of_other_family() -> Self {
        let message = "no address of the host is of the same family as the local address";
        io::Error::new(io::ErrorKind::InvalidInput, message).into()
    }

    /// Returns the error for a host without addresses.
    pub(crate) fn of_no_address() -> Self {
        io::Error::new(io::ErrorKind::NotFound, "the host has no address").into()
    }

    fn of_connecting(failed: String, cause: io::Error) -> Self {
        Self::final_io(io::Error::new(cause.kind(), ConnectError { failed, cause }))
    }

    /// Wraps a transport error that is final. A bare `WouldBlock` or `TimedOut` would tell you to
    /// try again (see [`Error::Io`]), so these become [`ErrorKind::Other`](io::ErrorKind::Other).
    pub(crate) fn final_io(error: io::Error) -> Self {
        #[cfg(feature = "rustls")]
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            return Self::Tls(error.clone());
        }
        if crate::io::is_timeout(&error) { io::Error::other(error).into() } else { error.into() }
    }

    /// Returns `true` if the operation failed because the connection is closing or closed: for
    /// [`Error::Closed`], and for [`SendError::Closed`] when a message comes too late.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_) | Self::Send(SendError::Closed { .. }))
    }

    /// Returns `true` if the same call on a new connection may succeed later, although you change
    /// nothing: the network or the peer failed in a way that may pass. Also look at
    /// [`is_would_block`](Self::is_would_block): if that is `true`, this connection still works.
    ///
    /// It is `false` for
    ///
    /// - an invalid URL or request,
    /// - a refusal that another attempt would meet again: see [`HandshakeError::is_transient`],
    /// - a peer that breaks the protocol or your limits, except by being
    ///   [too slow](ProtocolError::TooSlow),
    /// - a peer that closed because of what you sent: with 1002, 1003, 1007, 1008, 1009 or 1010.
    ///
    /// A host whose name is unknown counts as transient: the system does not say whether the name or
    /// the network is at fault.
    ///
    /// A clean end is no error. Ask [`Closed::is_transient`] then. On tokio,
    /// `on_tokio::ReconnectingWebSocket` asks both for you.
    ///
    /// ```no_run
    /// use sansocket::{Error, blocking::{ClientWebSocket, connect}, client::Backoff, random};
    /// use std::thread;
    ///
    /// fn keep_connecting(url: &str) -> Result<ClientWebSocket, Error> {
    ///     let mut backoff = Backoff::new();
    ///     loop {
    ///         match connect(url) {
    ///             Err(error) if error.is_transient() => {
    ///                 let Some(pause) = backoff.next(random::number()?) else { return Err(error) };
    ///                 eprintln!("{error}; the next attempt is in {pause:?}");
    ///                 thread::sleep(pause);
    ///             }
    ///             connected => return connected,
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use io::ErrorKind::{InvalidData, InvalidInput, PermissionDenied, Unsupported};
        match self {
            Self::Handshake(error) => error.is_transient(),
            Self::HandshakeTimeout | Self::ConnectTimeout(_) => true,
            Self::Proxy(error) => error.is_transient(),
            // TLS libraries report an invalid certificate as InvalidData.
            Self::Io(error) => {
                !matches!(error.kind(), InvalidData | InvalidInput | PermissionDenied | Unsupported)
            }
            Self::Protocol(error) => error.is_transient(),
            Self::Closed(closed) => closed.is_transient(),
            Self::Send(SendError::Closed { is_transient, .. }) => *is_transient,
            Self::Send(error) => error.is_full(),
            _ => false,
        }
    }

    /// Returns how long the server or the proxy that refused the connection asks to be left alone: see
    /// [`Refusal::retry_after`](crate::handshake::Refusal::retry_after), also for `now`, the time since
    /// the Unix epoch. Returns `None` for every other error, and if the refusal does not say it.
    ///
    /// ```
    /// use sansocket::{Error, client::Retry};
    /// use std::time::{Duration, SystemTime};
    ///
    /// /// What to tell `client::Reconnecting`.
    /// fn retry(error: &Error) -> Retry {
    ///     let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    ///     Retry::new(error.is_transient(), error.retry_after(now))
    /// }
    /// ```
    #[must_use]
    pub fn retry_after(&self, now: Duration) -> Option<Duration> {
        match self {
            Self::Handshake(HandshakeError::Refused(refusal))
            | Self::Proxy(ProxyError::Refused(refusal)) => refusal.retry_after(now),
            _ => None,
        }
    }

    /// Returns `true` if a message was refused because too much waits to be sent already: see
    /// [`SendError::is_full`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Send(error) if error.is_full())
    }

    /// Returns `true` if the transport was not ready and nothing else is wrong: see [`Error::Io`].
    #[must_use]
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::Io(error) if crate::io::is_timeout(error))
    }
}

impl From<Error> for io::Error {
    /// Returns an error of the same meaning with this one as its source. The error inside an
    /// [`Error::Io`] is returned unchanged.
    fn from(error: Error) -> Self {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, InvalidData, InvalidInput, Other,
            TimedOut, Unsupported, WouldBlock,
        };
        let kind = match &error {
            Error::Io(_) => Other,
            Error::Url(_) | Error::Request(_) | Error::Accept(_) | Error::PlainResponse(_) => {
                InvalidInput
            }
            Error::Receive(_) => InvalidInput,
            Error::Send(SendError::Closed { .. }) => BrokenPipe,
            Error::Send(error) if error.is_full() => WouldBlock,
            Error::Send(_) => InvalidInput,
            Error::Handshake(_) | Error::Protocol(_) | Error::ProxyHeader(_) => InvalidData,
            Error::Refused(_) | Error::AddressLimit(_) => ConnectionRefused,
            Error::Answered(_) => Other,
            Error::HandshakeTimeout | Error::ConnectTimeout(_) => TimedOut,
            Error::Proxy(error) => match error {
                ProxyError::HostTooLong { .. }
                | ProxyError::InvalidCredentials
                | ProxyError::Header(_) => InvalidInput,
                ProxyError::InvalidResponse(_)
                | ProxyError::InvalidSocks { .. }
                | ProxyError::UnexpectedData { .. } => InvalidData,
                _ => ConnectionRefused,
            },
            Error::Redirect(_) => InvalidData,
            Error::Closed(_) => ConnectionAborted,
            Error::Random(_) => Other,
            // Has a conversion of its own.
            #[cfg(feature = "rustls")]
            Error::Tls(_) => InvalidData,
            Error::TlsUnsupported => Unsupported,
        };
        match error {
            Error::Io(error) => error,
            #[cfg(feature = "rustls")]
            Error::Tls(error) => error.into(),
            error => Self::new(kind, error),
        }
    }
}

/// A record of whether a loop over messages has returned an error for misuse and has received
/// nothing since. Without it, the loop would return the same error without end.
#[derive(Debug, Default)]
pub(crate) struct Misuse(bool);

impl Misuse {
    /// Returns `next`, or `None` to end the loop if `next` repeats an error for misuse.
    #[inline]
    pub(crate) fn once<T>(&mut self, next: Option<Result<T, Error>>) -> Option<Result<T, Error>> {
        match &next {
            Some(Ok(_)) => self.received(),
            Some(Err(Error::Receive(_))) if core::mem::replace(&mut self.0, true) => return None,
            Some(Err(_)) | None => {}
        }
        next
    }

    /// Notes that something was received.
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
    fn what_can_pass_is_transient() {
        use crate::connection::{Initiator, TransportEnd};
        use crate::frame::CloseCode;
        use io::ErrorKind;
        let closed = |number, initiator, cause| {
            Error::Closed(Box::new(Closed {
                code: CloseCode::new(number),
                sent_code: CloseCode::NORMAL,
                reason: "".into(),
                initiator,
                clean: cause == Cause::ClosingHandshake,
                cause,
            }))
        };
        let by_peer = |number| closed(number, Initiator::Peer, Cause::ClosingHandshake);
        let too_late = |is_transient| {
            let (code, initiator) = (CloseCode::GOING_AWAY, Initiator::Local);
            Error::from(SendError::Closed { code, initiator, is_transient })
        };
        assert!(too_late(true).is_transient() && !too_late(false).is_transient());
        for number in [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 3000, 4999] {
            assert!(by_peer(number).is_transient(), "{number}");
        }
        for number in [1002, 1003, 1007, 1008, 1009, 1010] {
            assert!(!by_peer(number).is_transient(), "{number}");
        }
        let reset = Cause::Transport(TransportEnd::Reset);
        assert!(closed(1006, Initiator::Transport, reset).is_transient());
        assert!(closed(1006, Initiator::Local, reset).is_transient());
        assert!(!closed(1000, Initiator::Local, Cause::ClosingHandshake).is_transient());
        let fault = Cause::Protocol(ProtocolError::Masked);
        assert!(!closed(1006, Initiator::Local, fault).is_transient());

        for kind in [ErrorKind::ConnectionRefused, ErrorKind::NotFound, ErrorKind::Other] {
            assert!(Error::from(io::Error::from(kind)).is_transient(), "{kind}");
        }
        use ErrorKind::{InvalidData, InvalidInput, PermissionDenied, Unsupported};
        for kind in [InvalidData, InvalidInput, PermissionDenied, Unsupported] {
            assert!(!Error::from(io::Error::from(kind)).is_transient(), "{kind}");
        }
        assert!(Error::HandshakeTimeout.is_transient());
        assert!(!Error::TlsUnsupported.is_transient());
        assert!(!Error::from(ProtocolError::Masked).is_transient());
        let too_slow = ProtocolError::TooSlow { received: 1, least: 2, millis: 3 };
        assert!(Error::from(too_slow).is_transient());
        let fault = Cause::Protocol(too_slow);
        assert!(closed(1006, Initiator::Local, fault).is_transient());
        assert!(Error::from(SendError::QueueFull { queued: 2, limit: 1 }).is_transient());
        assert!(!Error::from(SendError::MessageInProgress).is_transient());
        assert!(Error::from(HandshakeError::TransportEnded { received: 0 }).is_transient());
        assert!(!Error::from(HandshakeError::WrongAccept).is_transient());
    }

    #[test]
    fn an_io_error_has_the_kind_that_fits() {
        let kind = |error: Error| io::Error::from(error).kind();
        assert_eq!(kind(Error::HandshakeTimeout), io::ErrorKind::TimedOut);
        let full = SendError::QueueFull { queued: 2, limit: 1 };
        assert_eq!(kind(full.into()), io::ErrorKind::WouldBlock);
        assert_eq!(kind(Error::TlsUnsupported), io::ErrorKind::Unsupported);
    }

    #[test]
    fn a_signal_is_not_a_transport_failure() {
        use io::ErrorKind::{ConnectionReset, Interrupted, Other, TimedOut, WouldBlock};
        let failure = |kind| IoFailure::from(&io::Error::from(kind));
        assert_eq!(failure(Interrupted), IoFailure::NotReady);
        assert_eq!(failure(WouldBlock), IoFailure::NotReady);
        assert_eq!(failure(TimedOut), IoFailure::TimedOut);
        assert_eq!(failure(ConnectionReset), IoFailure::Reset);
        assert_eq!(failure(Other), IoFailure::Other);
    }
}
