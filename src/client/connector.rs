//! The options with which a client connects.

use super::connecting::Connecting;
use crate::buffer::WriteBuffer;
use crate::connection::Config;
use crate::handshake::{ClientRequest, HANDSHAKE_TIMEOUT, RequestError, Url};
#[cfg(feature = "rustls")]
use crate::tls::{ClientTls, Session, TlsError};
use alloc::{string::String, vec::Vec};
use core::{fmt, marker::PhantomData, time::Duration};

/// The configuration with which a client connects.
///
/// `M` is the shell that connects, or `()` for none: see [`begin`](Self::begin). Each shell has its
/// own alias of this type. Its documentation has examples and describes the methods that connect.
#[doc(alias = "Dialer")]
#[doc(alias = "ClientBuilder")]
#[doc(alias = "IntoClientRequest")]
pub struct Connector<M = ()> {
    pub(crate) config: Config,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
    pub(crate) handshake_timeout: Option<Duration>,
    #[cfg(feature = "rustls")]
    tls: Option<ClientTls>,
    shell: PhantomData<fn() -> M>,
}

impl<M> Connector<M> {
    /// Creates a connector with the default [`Config`] and no extra headers or subprotocols.
    /// Connecting and the opening handshake together time out after 10 seconds.
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            headers: Vec::new(),
            subprotocols: Vec::new(),
            handshake_timeout: Some(HANDSHAKE_TIMEOUT),
            #[cfg(feature = "rustls")]
            tls: None,
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

    /// Sets how long connecting and the opening handshake may take together; `None` means without
    /// limit.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.handshake_timeout = timeout.into();
        self
    }

    /// Begins the opening handshake with the time that is left.
    pub(crate) fn begin_within(
        &self,
        timeout: Option<Duration>,
        url: &Url,
        nonce: [u8; 16],
        output: &mut WriteBuffer,
    ) -> Result<Connecting, RequestError> {
        Connecting::new(&self.request(url), nonce, output, &self.config.limits, timeout)
    }

    /// Checks the request before anything is connected for it.
    #[cfg(feature = "std")]
    pub(crate) fn check(&self, url: &Url) -> Result<(), RequestError> {
        self.request(url).check()
    }

    /// Begins the TLS connection to the host of a URL.
    #[cfg(feature = "rustls")]
    pub(crate) fn session(&self, url: &Url) -> Result<Session, TlsError> {
        match &self.tls {
            Some(tls) => Session::client(tls, url.host()),
            None => Session::client(&ClientTls::new()?, url.host()),
        }
    }

    fn request(&self, url: &Url) -> ClientRequest {
        let request = ClientRequest::new(url).subprotocols(&self.subprotocols);
        #[cfg(feature = "deflate")]
        let request = match self.config.deflate {
            Some(config) => request.deflate(config),
            None => request,
        };
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
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
        self.begin_within(self.handshake_timeout, url, nonce, output)
    }
}

impl<M> Clone for Connector<M> {
    fn clone(&self) -> Self {
        Self {
            headers: self.headers.clone(),
            subprotocols: self.subprotocols.clone(),
            #[cfg(feature = "rustls")]
            tls: self.tls.clone(),
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
            .field("handshake_timeout", &self.handshake_timeout)
            .finish()
    }
}
