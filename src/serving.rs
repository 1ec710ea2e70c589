//! The parts of `serve` that both shells share: its options and its error reports.

mod visitor;

use crate::error::Error;
use crate::handshake::{Accept, PlainResponse, Request};
use crate::server::{AcceptFailure, PerAddress};
use alloc::{boxed::Box, sync::Arc};
use core::{fmt, net::SocketAddr, time::Duration};
use std::io;
use thiserror::Error;

pub(crate) use visitor::{LimitedClient, LimitedClients, Visitor};

/// A failure of a running server, as reported to `on_error` of each shell's `Serve`. The server
/// keeps running.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The server failed to accept a connection. It tries again: at once if the failure concerns
    /// only that one connection, otherwise after a pause.
    #[error("failed to accept a connection: {0}")]
    Accept(io::Error),
    /// A client did not open a WebSocket: its handshake was invalid or too slow, or it was refused.
    #[error("the handshake with {peer} failed: {error}")]
    Handshake {
        /// The address of the client, or of a proxy that has not told it yet: see
        /// [`TrustedProxies`](crate::server::TrustedProxies).
        peer: SocketAddr,
        /// The reason.
        error: Error,
    },
    /// The handler of a connection returned an error.
    #[error("the handler of the connection with {peer} failed: {error}")]
    Handler {
        /// The address of the client.
        peer: SocketAddr,
        /// The error that the handler returned.
        error: Box<dyn core::error::Error + Send + Sync>,
    },
}

type Decide = dyn Fn(&Request) -> Result<Accept, PlainResponse> + Send + Sync;
type OnError = dyn Fn(ServeError) + Send + Sync;

/// The options of a server.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) max_connections: usize,
    pub(crate) max_handshakes: usize,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) per_address: Option<PerAddress>,
    pub(crate) decide: Option<Arc<Decide>>,
    pub(crate) on_error: Option<Arc<OnError>>,
}

impl Options {
    pub(crate) fn new() -> Self {
        Self {
            max_connections: usize::MAX,
            max_handshakes: 256,
            shutdown_timeout: Duration::from_secs(10),
            per_address: None,
            decide: None,
            on_error: None,
        }
    }

    pub(crate) fn decide(&self, request: &Request) -> Result<Accept, PlainResponse> {
        self.decide.as_ref().map_or_else(|| Ok(Accept::new()), |decide| decide(request))
    }

    pub(crate) fn report(&self, error: ServeError) {
        if let Some(on_error) = &self.on_error {
            on_error(error);
        }
    }

    /// Reports a failed handshake. A plain response is not a failure.
    pub(crate) fn report_handshake(&self, peer: SocketAddr, error: Error) {
        if !matches!(error, Error::Answered(_)) {
            self.report(ServeError::Handshake { peer, error });
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("max_connections", &self.max_connections)
            .field("max_handshakes", &self.max_handshakes)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .field("per_address", &self.per_address)
            .finish_non_exhaustive()
    }
}

/// Classifies a failure to accept. Linux reports network errors of a pending connection, and a
/// firewall's refusal, as failures of `accept` itself.
pub(crate) fn accept_failure(error: &io::Error) -> AcceptFailure {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted,
        NetworkDown, NetworkUnreachable, PermissionDenied, TimedOut, WouldBlock,
    };
    match error.kind() {
        ConnectionAborted | ConnectionRefused | ConnectionReset | HostUnreachable | Interrupted
        | NetworkDown | NetworkUnreachable | PermissionDenied | TimedOut | WouldBlock => {
            AcceptFailure::OfOneConnection
        }
        _ => AcceptFailure::OfThisEndpoint,
    }
}

/// Defines the option methods of both shells' `Serve`, which must have the fields `options` and
/// `acceptor`. The argument is a part of the documentation.
macro_rules! serve_options {
    ($whether_decide_may_block:literal) => {
        /// Sets the acceptor, which configures limits, compression, allowed origins, the handshake
        /// timeout, and [plain responses](crate::server::Acceptor::plain_response).
        pub fn acceptor(mut self, acceptor: Acceptor) -> Self {
            self.acceptor = acceptor;
            self
        }

        /// Sets the function that decides on each request. It accepts the request, for example with
        /// a subprotocol, or refuses it, for example because of its path or because the client is
        /// not authorized. By default every request is accepted.
        ///
        /// The function sees only valid requests from an allowed origin.
        #[doc = $whether_decide_may_block]
        ///
        /// ```
        /// use sansocket::handshake::{Accept, PlainResponse, Request};
        ///
        /// // For `serve(listener, handler).decide(only_chat)`.
        /// fn only_chat(request: &Request) -> Result<Accept, PlainResponse> {
        ///     match request.path() {
        ///         "/chat" => Ok(Accept::new()),
        ///         _ => Err(PlainResponse::new(404)),
        ///     }
        /// }
        /// ```
        pub fn decide(
            mut self,
            decide: impl Fn(&Request) -> Result<Accept, PlainResponse> + Send + Sync + 'static,
        ) -> Self {
            self.options.decide = Some(Arc::new(decide));
            self
        }

        /// Sets the maximum number of connections: those in their handshake, open, or closing. At
        /// the limit the server accepts no more, and clients wait in the queue of the operating
        /// system. By default only the operating system's limit on open files applies.
        ///
        /// A connection counts until its handler has returned and its WebSocket, or both halves,
        /// are dropped. Clients beyond the limit wait, health checks too; to refuse them instead,
        /// count connections yourself and answer with a status in [`decide`](Self::decide).
        pub fn max_connections(mut self, most: usize) -> Self {
            self.options.max_connections = most;
            self
        }

        /// Sets the maximum number of concurrent opening handshakes, 256 by default. At the limit
        /// the server accepts no more connections until a handshake ends. A handshake ends when the
        /// connection opens or when a refusal or a plain response begins. A client that sends
        /// nothing holds its place for the [handshake
        /// timeout](crate::server::Acceptor::handshake_timeout), so a shorter timeout and a higher
        /// limit help against clients that do so on purpose.
        pub fn max_handshakes(mut self, most: usize) -> Self {
            self.options.max_handshakes = most;
            self
        }

        /// Sets limits for what the clients of one IP address can do together: connections at a
        /// time, and handshakes, messages and bytes over time. By default there are none.
        ///
        /// A client that exceeds the first two is refused with status 429, which the server reports
        /// as [`Error::AddressLimit`](crate::Error::AddressLimit). If many of its address are refused
        /// already, it is dropped without an answer or a report. A client that exceeds the others is
        /// closed with 1008, and its handler gets [`Error::Protocol`](crate::Error::Protocol) with
        /// [`TooManyMessages`](crate::connection::ProtocolError::TooManyMessages) or
        /// [`TooManyBytes`](crate::connection::ProtocolError::TooManyBytes). New connections of the
        /// address are refused until it may send again.
        ///
        /// A [plain request](crate::server::Acceptor::plain_response) gets its answer although a limit
        /// is exceeded, unless its connection is dropped. It counts like any other handshake, but not
        /// if a header field of a proxy would have to tell its address.
        ///
        /// ```
        /// use sansocket::server::{PerAddress, Rate};
        ///
        /// // For `serve(listener, handler).limits_per_address(limits())`.
        /// fn limits() -> PerAddress {
        ///     PerAddress::new()
        ///         .connections(100)
        ///         .handshakes(Rate::per_second(10).burst(50))
        ///         .messages(Rate::per_second(100).burst(1000))
        ///         .bytes(Rate::per_second(1 << 20).burst(16 << 20))
        /// }
        /// ```
        pub fn limits_per_address(mut self, limits: PerAddress) -> Self {
            self.options.per_address = Some(limits);
            self
        }

        /// Sets the function that receives errors, for example to log them. By default errors are
        /// dropped. A refused request is reported, a [plain
        /// response](crate::server::Acceptor::plain_response) is not. A browser may open a connection
        /// in advance and send nothing on it. This is reported as a handshake whose transport ended
        /// after 0 bytes. A handler that returns the error of its connection also reports each client
        /// that vanishes. To leave those out:
        ///
        /// ```
        /// use sansocket::blocking::ServeError; // `on_tokio::ServeError` is the same type.
        ///
        /// fn log(error: ServeError) {
        ///     let ServeError::Handler { peer, error } = error else { return eprintln!("{error}") };
        ///     match error.downcast_ref::<sansocket::Error>() {
        ///         Some(error) if error.is_closed() => {}
        ///         _ => eprintln!("{peer}: {error}"),
        ///     }
        /// }
        /// ```
        pub fn on_error(mut self, on_error: impl Fn(ServeError) + Send + Sync + 'static) -> Self {
            self.options.on_error = Some(Arc::new(on_error));
            self
        }

        /// Sets how long a shutdown waits for connections to end, 10 seconds by default. After that
        /// the remaining connections are dropped. Keep it above the close timeout, 5 seconds by
        /// default, after which a client that does not answer the Close is given up.
        pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
            self.options.shutdown_timeout = timeout;
            self
        }
    };
}

pub(crate) use serve_options;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_one_connection_is_not_a_failure_of_the_server() {
        use io::ErrorKind::{ConnectionAborted, Interrupted, Other, OutOfMemory};
        let classify = |kind| accept_failure(&io::Error::from(kind));
        assert_eq!(classify(ConnectionAborted), AcceptFailure::OfOneConnection);
        assert_eq!(classify(Interrupted), AcceptFailure::OfOneConnection);
        assert_eq!(classify(OutOfMemory), AcceptFailure::OfThisEndpoint);
        assert_eq!(classify(Other), AcceptFailure::OfThisEndpoint);
    }

    /// The errno values of Linux: ENFILE, EMFILE, ENOBUFS, ENOMEM.
    #[cfg(target_os = "linux")]
    #[test]
    fn running_out_of_files_or_memory_is_a_failure_of_the_server() {
        for number in [23, 24, 105, 12] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(accept_failure(&error), AcceptFailure::OfThisEndpoint, "{error}");
        }
        // ECONNABORTED, EPERM, ENETUNREACH, EHOSTUNREACH.
        for number in [103, 1, 101, 113] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(accept_failure(&error), AcceptFailure::OfOneConnection, "{error}");
        }
    }
}
