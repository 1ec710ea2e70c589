//! How a connector finds addresses and opens streams, if not in the usual way.

use super::Blocking;
use super::stream::Stream;
use crate::client;
use alloc::{string::String, sync::Arc, vec::Vec};
use core::net::SocketAddr;
use std::io;

type Resolve = dyn Fn(String, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Dial = dyn Fn(String, u16) -> io::Result<Stream> + Send + Sync;

#[derive(Clone, Default)]
pub(super) struct Hooks {
    pub(super) resolver: Option<Arc<Resolve>>,
    pub(super) dialer: Option<Arc<Dial>>,
}

impl client::Connector<Blocking> {
    /// Sets the function that finds the addresses of a host, given its name and port, instead of the
    /// system. It is not asked for a host that is an address. The addresses are tried in its order, except that IPv6 and IPv4 take turns
    /// (RFC 8305). An IPv6 address may have a scope, which a URL can't express.
    ///
    /// With a proxy, the host is that of the proxy. If there is a deadline, the function runs in a
    /// thread of its own.
    ///
    /// ```
    /// use sansocket::blocking::Connector;
    /// use std::net::{SocketAddr, ToSocketAddrs};
    ///
    /// let connector = Connector::new().resolver(|host: String, port: u16| match &*host {
    ///     "chat.test" => Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
    ///     _ => Ok((host, port).to_socket_addrs()?.collect()),
    /// });
    /// ```
    #[must_use]
    pub fn resolver<F>(mut self, resolver: F) -> Self
    where
        F: Fn(String, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    {
        let hooks = Hooks { resolver: Some(Arc::new(resolver)), ..self.hooks() };
        self.set_hooks(hooks);
        self
    }

    /// Sets the function that opens the stream to a host, given its name and port, for example
    /// through a tunnel of your own. It replaces the lookup and the connecting to addresses. What
    /// comes after that stays the same: with a proxy, the host is that of the proxy, and TLS is put
    /// on top for a `wss://` URL.
    ///
    /// The function returns a [`Stream`], or a `TcpStream` that becomes one, with `TCP_NODELAY` on. If there is a deadline, the function runs in a thread of its own, which goes on after the
    /// deadline.
    ///
    /// ```no_run
    /// # #[cfg(unix)]
    /// # fn hello() -> Result<(), sansocket::Error> {
    /// use sansocket::blocking::{Connector, Stream};
    /// use std::os::unix::net::UnixStream;
    ///
    /// let connector = Connector::new()
    ///     .dialer(|_host, _port| Ok(Stream::boxed(UnixStream::connect("/run/chat.sock")?)));
    /// let (websocket, _) = connector.connect("ws://localhost/")?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn dialer<F, S>(mut self, dialer: F) -> Self
    where
        F: Fn(String, u16) -> io::Result<S> + Send + Sync + 'static,
        S: Into<Stream>,
    {
        let dial = move |host, port| dialer(host, port).map(Into::into);
        let hooks = Hooks { dialer: Some(Arc::new(dial)), ..self.hooks() };
        self.set_hooks(hooks);
        self
    }
}
