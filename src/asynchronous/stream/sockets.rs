//! The trait that gives an async runtime's TCP sockets to this module.

use super::Stream;
use crate::asynchronous::shell::Shell;
use alloc::vec::Vec;
use core::{
    fmt,
    future::Future,
    net::SocketAddr,
    task::{Context, Poll},
};
use std::io::{self, ErrorKind};
use std::net::TcpStream;

/// A [`Runtime`](crate::asynchronous::Runtime) with TCP sockets.
///
/// If you implement this for your runtime, then [`Connector`](crate::client::Connector) has
/// `connect` for it, with proxies, redirections, TLS and several addresses side by side, and
/// [`Acceptor`](crate::server::Acceptor) has `accept_tcp`. Their streams are of the type
/// [`Stream`].
///
/// The futures of these methods are `Send` if those that you return are.
pub trait Sockets: Shell<<Self as Sockets>::Tcp> + Shell<Stream<Self>> {
    /// A connected TCP stream.
    type Tcp: fmt::Debug + Unpin;

    /// Returns the addresses of a host, in the order in which to try them. `host` is a name: this is
    /// not called for addresses.
    fn look_up(host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>>;

    /// Connects a socket to an address. The socket is not connected yet, is nonblocking, and has the
    /// options that the user wants.
    ///
    /// Dropping the future must end the attempt.
    fn connect(
        socket: TcpStream,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Tcp>>;

    /// Sets `TCP_NODELAY`.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    fn set_nodelay(stream: &Self::Tcp) -> io::Result<()>;

    /// Ends the writing side of the socket. The default is [`Shell::poll_shutdown`], which must be
    /// overridden if that does not send a FIN.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    fn poll_shutdown_tcp(stream: &mut Self::Tcp, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        <Self as Shell<Self::Tcp>>::poll_shutdown(stream, cx)
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    fn peer_addr(stream: &Self::Tcp) -> io::Result<SocketAddr>;

    /// Returns this endpoint's address.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    fn local_addr(stream: &Self::Tcp) -> io::Result<SocketAddr>;
}

/// The error of asking a stream that is not TCP for addresses.
pub(super) fn not_tcp() -> io::Error {
    io::Error::new(
        ErrorKind::Unsupported,
        "this works only over TCP, and not for a stream of your own",
    )
}
