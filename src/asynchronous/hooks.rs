//! How a connector finds addresses and opens streams, if not in the usual way.

use super::stream::{Stream, sockets::Sockets};
use crate::client::Connector;
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::{future::Future, net::SocketAddr, pin::Pin};
use std::io;

type Pending<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;
type Resolve = dyn Fn(String, u16) -> Pending<Vec<SocketAddr>> + Send + Sync;
type Dial<M> = dyn Fn(String, u16) -> Pending<Stream<M>> + Send + Sync;

pub(super) struct Hooks<M: Sockets> {
    pub(super) resolver: Option<Arc<Resolve>>,
    pub(super) dialer: Option<Arc<Dial<M>>>,
}

impl<M: Sockets> Clone for Hooks<M> {
    fn clone(&self) -> Self {
        Self { resolver: self.resolver.clone(), dialer: self.dialer.clone() }
    }
}

impl<M: Sockets> Default for Hooks<M> {
    fn default() -> Self {
        Self { resolver: None, dialer: None }
    }
}

impl<M: Sockets> Connector<M> {
    /// Sets the function that finds the addresses of a host, given its name and port, instead of the
    /// system. It is not asked for a host that is an address. The addresses are tried in its order,
    /// except that IPv6 and IPv4 take turns (RFC 8305). An IPv6 address may have a scope, which a URL
    /// can't express.
    ///
    /// With a proxy, the host is that of the proxy.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::on_tokio::Connector;
    /// use std::net::SocketAddr;
    ///
    /// let connector = Connector::new().resolver(|host: String, port: u16| async move {
    ///     match &*host {
    ///         "chat.test" => Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
    ///         _ => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
    ///     }
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn resolver<F, R>(mut self, resolver: F) -> Self
    where
        F: Fn(String, u16) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        let resolve = move |host, port| -> Pending<_> { Box::pin(resolver(host, port)) };
        let hooks = Hooks::<M> { resolver: Some(Arc::new(resolve)), ..self.hooks() };
        self.set_hooks(hooks);
        self
    }

    /// Sets the function that opens the stream to a host, given its name and port, for example
    /// through a tunnel of your own. It replaces the lookup and the connecting to addresses. What
    /// comes after that stays the same: with a proxy, the host is that of the proxy, and TLS is put
    /// on top for a `wss://` URL.
    ///
    /// The function returns a [`Stream`], or a TCP stream of the runtime that becomes one, with
    /// `TCP_NODELAY` on.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::on_tokio::{Connector, Stream};
    ///
    /// # #[cfg(unix)]
    /// # async fn hello() -> Result<(), sansocket::Error> {
    /// use tokio::net::UnixStream;
    ///
    /// let connector = Connector::new().dialer(|_host, _port| async {
    ///     Ok(Stream::boxed(UnixStream::connect("/run/chat.sock").await?))
    /// });
    /// let (websocket, _) = connector.connect("ws://localhost/").await?;
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    #[must_use]
    pub fn dialer<F, R, S>(mut self, dialer: F) -> Self
    where
        F: Fn(String, u16) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<S>> + Send + 'static,
        S: Into<Stream<M>>,
    {
        let dial = move |host, port| -> Pending<Stream<M>> {
            let dialed = dialer(host, port);
            Box::pin(async move { Ok(dialed.await?.into()) })
        };
        let hooks = Hooks::<M> { dialer: Some(Arc::new(dial)), ..self.hooks() };
        self.set_hooks(hooks);
        self
    }
}
