//! The options with which a client connects.

use super::challenge::Challenge;
use super::connecting::Connecting;
#[cfg(feature = "std")]
use super::deadlines::Deadlines;
use super::deadlines::{Stage, Timeouts};
use super::proxy::Proxies;
#[cfg(feature = "std")]
use super::socket_options::SocketOptions;
#[cfg(feature = "socket2")]
use super::socket_options::TcpKeepalive;
use crate::buffer::WriteBuffer;
use crate::connection::Config;
use crate::handshake::{ClientRequest, HANDSHAKE_TIMEOUT, RequestError, Url};
#[cfg(feature = "rustls")]
use crate::tls::{ClientTls, TlsError};
use alloc::{string::String, sync::Arc, vec::Vec};
#[cfg(feature = "socket2")]
use core::net::IpAddr;
use core::{any::Any, fmt, marker::PhantomData, time::Duration};

/// The configuration with which a client connects.
///
/// `M` is the shell that connects, or `()` for none: see [`begin`](Self::begin). Each shell has its
/// own alias of this type. Its documentation has examples and describes the methods that connect.
#[doc(alias = "Dialer")]
#[doc(alias = "ClientBuilder")]
#[doc(alias = "IntoClientRequest")]
pub struct Connector<M = ()> {
    pub(crate) config: Config,
    pub(super) headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
    /// Offers of extensions that the caller of a shell implements.
    extensions: Vec<String>,
    pub(crate) proxies: Proxies,
    timeouts: Timeouts,
    #[cfg(feature = "std")]
    pub(crate) socket_options: SocketOptions,
    #[cfg(feature = "rustls")]
    tls: Option<ClientTls>,
    pub(super) redirects: u32,
    pub(super) authenticate: Option<Arc<Authenticate>>,
    /// What the shell `M` keeps here. Only that shell knows the type.
    hooks: Option<Arc<dyn Any + Send + Sync>>,
    shell: PhantomData<fn() -> M>,
}

/// Returns the value of `Authorization` for a second request.
type Authenticate = dyn Fn(Challenge<'_>) -> Option<String> + Send + Sync;

impl<M> Connector<M> {
    /// Creates a connector with the default [`Config`] and no extra headers or subprotocols.
    /// Connecting and the opening handshake together time out after 10 seconds. No proxy is used.
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            headers: Vec::new(),
            subprotocols: Vec::new(),
            extensions: Vec::new(),
            proxies: Proxies::default(),
            timeouts: Timeouts::new(HANDSHAKE_TIMEOUT),
            #[cfg(feature = "std")]
            socket_options: SocketOptions::default(),
            #[cfg(feature = "rustls")]
            tls: None,
            redirects: 0,
            authenticate: None,
            hooks: None,
            shell: PhantomData,
        }
    }

    /// Sets how the connection behaves.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Adds a header field to the request. A second field of the same name does not replace the
    /// first.
    ///
    /// The request already has `Host`, `Connection`, `Upgrade` and the `Sec-WebSocket-*` fields. If
    /// you add one of these, or a field that describes a body, connecting fails with
    /// [`HeaderError::Reserved`](crate::handshake::HeaderError::Reserved).
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Offers a subprotocol, after those offered before. If the server accepts the connection
    /// without one, that is no error: see
    /// [`Negotiated::subprotocol`](crate::handshake::Negotiated).
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Sets how to connect to `wss://` URLs. By default the connector trusts what the system trusts:
    /// see [`ClientTls::new`].
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets the proxy to connect through, or [`Proxies`] for a choice by URL. There is none by
    /// default, whatever the environment says: see `proxy_from_environment`.
    ///
    /// It has no effect if you pass in the transport.
    #[must_use]
    pub fn proxy(mut self, proxies: impl Into<Proxies>) -> Self {
        self.proxies = proxies.into();
        self
    }

    /// Follows up to this many redirections (301, 302, 303, 307 and 308); 0, the default, follows
    /// none: a redirection is then a refusal like others. They lead to `ws`, `wss`, `http` or `https`
    /// URLs, but never from `wss` to `ws`. One that may not be followed is `Error::Redirect`.
    ///
    /// Another origin, that is another scheme, host or port, gets neither the user name and password
    /// of the URL, nor the certificate of [`tls`](#method.tls), nor the [header](Self::header) fields
    /// that you added, except `Origin` and `User-Agent`: any other may be a secret. It does get the
    /// subprotocols, so if you hide a token in one, don't follow redirections.
    ///
    /// Only `connect` follows redirections. To do so without IO, you need [`Url::join`] and
    /// [`Url::is_same_origin`].
    ///
    /// ```
    /// use sansocket::client::Connector;
    ///
    /// let connector: Connector = Connector::new().redirects(5);
    /// ```
    #[must_use]
    pub fn redirects(mut self, most: u32) -> Self {
        self.redirects = most;
        self
    }

    /// Sets the function that answers a challenge of the server (401). It returns the value of the
    /// `Authorization` field for a second request, or `None` to give up with the refusal. It is called
    /// once at most, and not for a server that a redirection to another origin led to. It must not
    /// block.
    ///
    /// The second request follows on the same connection if the server keeps it. Otherwise `connect`
    /// makes another one, and `connect_over` fails with the refusal. It has no effect on
    /// [`begin`](Connector::begin).
    ///
    /// ```
    /// use sansocket::client::Connector;
    ///
    /// # fn refreshed_token() -> String { String::new() }
    /// let connector: Connector = Connector::new().authenticate(|challenge| {
    ///     println!("{} wants {:?}", challenge.url, challenge.refusal.challenge());
    ///     Some(format!("Bearer {}", refreshed_token()))
    /// });
    /// ```
    #[must_use]
    pub fn authenticate(
        mut self,
        answer: impl Fn(Challenge<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.authenticate = Some(Arc::new(answer));
        self
    }

    /// Sets how long everything together may take until the connection is open, 10 seconds by default:
    /// the lookup, connecting, TLS, the opening handshake, and the requests that follow redirections
    /// and a challenge. `None` means without limit.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeouts.whole = timeout.into();
        self
    }

    /// Sets how long one stage may take; `None`, the default, means as long as the whole. A shell
    /// then reports `Error::ConnectTimeout` with the stage, or `Error::HandshakeTimeout` for the
    /// opening handshake.
    ///
    /// ```
    /// use sansocket::client::{Connector, Stage};
    /// use std::time::Duration;
    ///
    /// let connector: Connector = Connector::new()
    ///     .handshake_timeout(Duration::from_secs(20))
    ///     .stage_timeout(Stage::Connect, Duration::from_secs(3))
    ///     .stage_timeout(Stage::Tls, Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn stage_timeout(mut self, stage: Stage, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeouts.set(stage, timeout.into());
        self
    }

    /// Sets the local address to connect from. Only addresses of the same family are tried then. It
    /// has no effect with a `dialer`.
    #[cfg(feature = "socket2")]
    #[must_use]
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.socket_options.local = Some(address);
        self
    }

    /// Turns on TCP's keepalive. It has no effect with a `dialer`.
    ///
    /// ```
    /// use sansocket::client::{Connector, TcpKeepalive};
    /// use std::time::Duration;
    ///
    /// let keepalive = TcpKeepalive::new(Duration::from_secs(60)).probes(3);
    /// let connector: Connector = Connector::new().tcp_keepalive(keepalive);
    /// ```
    #[cfg(feature = "socket2")]
    #[must_use]
    pub fn tcp_keepalive(mut self, keepalive: TcpKeepalive) -> Self {
        self.socket_options.keepalive = Some(keepalive);
        self
    }

    /// Returns how to make TLS connections.
    #[cfg(feature = "rustls")]
    pub(crate) fn client_tls(&self) -> Result<ClientTls, TlsError> {
        self.tls.clone().map_or_else(ClientTls::new, Ok)
    }

    /// Returns the deadlines of an attempt that begins now.
    #[cfg(feature = "std")]
    pub(crate) fn deadlines(&self, now: Duration) -> Deadlines {
        self.timeouts.begin(now)
    }

    /// Returns what the shell keeps here.
    #[cfg(feature = "std")]
    pub(crate) fn hooks<H: Any + Clone + Default>(&self) -> H {
        let hooks = self.hooks.as_deref().and_then(|hooks| hooks.downcast_ref::<H>());
        hooks.cloned().unwrap_or_default()
    }

    #[cfg(feature = "std")]
    pub(crate) fn set_hooks(&mut self, hooks: impl Any + Send + Sync) {
        self.hooks = Some(Arc::new(hooks));
    }

    /// Returns a connector that offers these extensions and no others.
    #[cfg(feature = "std")]
    pub(crate) fn offering(&self, extensions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut connector = self.clone();
        connector.extensions = extensions.into_iter().map(Into::into).collect();
        #[cfg(feature = "deflate")]
        {
            connector.config.deflate = None;
        }
        connector
    }

    /// Returns the request for a URL: what this connector offers, and its header fields. An HTTP library
    /// can send it: see [`ClientRequest::upgrade`] and [`ClientRequest::extended_connect`].
    #[must_use]
    pub fn request(&self, url: &Url) -> ClientRequest {
        let headers = self.headers.iter();
        headers.fold(self.offer(url), |request, (name, value)| request.header(name, value))
    }

    /// Returns how the connections behave, as set with [`config`](Self::config).
    #[must_use]
    pub const fn get_config(&self) -> &Config {
        &self.config
    }

    /// Returns the time limit set with [`handshake_timeout`](Self::handshake_timeout).
    #[must_use]
    pub const fn get_handshake_timeout(&self) -> Option<Duration> {
        self.timeouts.whole
    }

    /// Returns the request without the header fields that were added.
    pub(super) fn offer(&self, url: &Url) -> ClientRequest {
        let request = ClientRequest::new(url).subprotocols(&self.subprotocols);
        let request = self.extensions.iter().fold(request, ClientRequest::extension);
        #[cfg(feature = "deflate")]
        if let Some(config) = self.config.deflate {
            return request.deflate(config);
        }
        request
    }
}

impl Connector {
    /// Begins the opening handshake of one connection by queuing the request. You do the IO.
    ///
    /// The nonce must be random and new for each connection (RFC 6455 §4.1), for example that of
    /// `random::nonce`. Give the connection that follows the same [`Config`].
    ///
    /// # Errors
    ///
    /// Returns an error if the request is invalid. Nothing is queued then.
    pub fn begin(
        &self,
        url: &Url,
        nonce: [u8; 16],
        output: &mut WriteBuffer,
    ) -> Result<Connecting, RequestError> {
        let request = self.request(url);
        let timeout = self.timeouts.of(Stage::Handshake);
        Connecting::new(&request, nonce, output, &self.config.limits, timeout)
    }
}

impl<M> Clone for Connector<M> {
    fn clone(&self) -> Self {
        Self {
            headers: self.headers.clone(),
            subprotocols: self.subprotocols.clone(),
            extensions: self.extensions.clone(),
            proxies: self.proxies.clone(),
            #[cfg(feature = "rustls")]
            tls: self.tls.clone(),
            authenticate: self.authenticate.clone(),
            hooks: self.hooks.clone(),
            ..*self
        }
    }
}

impl<M> Default for Connector<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> fmt::Debug for Connector<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets, such as cookies or credentials.
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Connector")
            .field("config", &self.config)
            .field("headers", &names)
            .field("subprotocols", &self.subprotocols)
            .field("proxies", &self.proxies)
            .field("handshake_timeout", &self.timeouts.whole)
            .finish_non_exhaustive()
    }
}
