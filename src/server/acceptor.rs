//! The options with which a server accepts connections.

use super::accepting::Accepting;
use super::answer;
use super::origin::OriginPolicy;
use super::plain::PlainResponder;
use super::proxies::{Peer, TrustedProxies};
use crate::connection::Config;
#[cfg(feature = "deflate")]
use crate::deflate::ContextBudget;
use crate::handshake::{
    Accept, AcceptError, Acceptance, HANDSHAKE_TIMEOUT, HandshakeError, PlainRequest,
    PlainResponse, Request,
};
#[cfg(feature = "rustls")]
use crate::tls::{ServerTls, Session, TlsError};
#[cfg(feature = "std")]
use core::net::IpAddr;
use core::net::SocketAddr;
use core::{fmt, marker::PhantomData, time::Duration};

/// The configuration with which a server accepts connections.
///
/// `M` is the shell that accepts connections, or `()` for none: see [`begin`](Self::begin). Each
/// shell has its own alias of this type. Its documentation has examples and describes the methods
/// that accept connections.
#[doc(alias = "Upgrader")]
#[doc(alias = "ServerBuilder")]
pub struct Acceptor<M = ()> {
    pub(crate) config: Config,
    origin: OriginPolicy,
    plain: Option<PlainResponder>,
    pub(crate) proxies: Option<TrustedProxies>,
    pub(crate) handshake_timeout: Option<Duration>,
    #[cfg(feature = "rustls")]
    tls: Option<ServerTls>,
    #[cfg(feature = "deflate")]
    context_budget: Option<ContextBudget>,
    shell: PhantomData<fn() -> M>,
}

impl<M> Acceptor<M> {
    /// Creates an acceptor with the default [`Config`] and a handshake timeout of 10 seconds. It
    /// only allows origins of the same host.
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            origin: OriginPolicy::default(),
            plain: None,
            proxies: None,
            handshake_timeout: Some(HANDSHAKE_TIMEOUT),
            #[cfg(feature = "rustls")]
            tls: None,
            #[cfg(feature = "deflate")]
            context_budget: None,
            shell: PhantomData,
        }
    }

    /// Sets how the connections behave.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Limits the memory that the compression contexts of all connections together keep: see
    /// [`ContextBudget`]. There is no limit by default.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn context_budget(mut self, budget: &ContextBudget) -> Self {
        self.context_budget = Some(budget.clone());
        self
    }

    /// Sets which web pages may connect from a browser (RFC 6455 §10.2).
    #[must_use]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.origin = policy;
        self
    }

    /// Answers requests that are not for a WebSocket, such as a health check, with a small
    /// response. Without this, or if `respond` returns `None`, they are refused with status 405 or
    /// 426. A [`PlainResponse`] can have any final status, including 200. The connection ends after
    /// the response.
    ///
    /// Such a request is a well-formed GET or HEAD without a body and without `Upgrade: websocket`;
    /// all others are refused as usual. The limits and the handshake timeout apply to it too. The
    /// body is left out for HEAD, so you don't have to handle it.
    ///
    /// The handshake then ends with
    /// [`OpeningError::Answered`](crate::handshake::OpeningError::Answered). The `Error` of the
    /// shells has a variant of the same name.
    ///
    /// ```
    /// use sansocket::{handshake::{PlainRequest, PlainResponse}, server::Acceptor};
    ///
    /// fn respond(request: &PlainRequest) -> Option<PlainResponse> {
    ///     match request.path() {
    ///         "/health" => Some(PlainResponse::new(200).body("fine\n")),
    ///         // Not reported as an error, unlike the refusal of a request that has no response.
    ///         _ => Some(PlainResponse::new(404)),
    ///     }
    /// }
    ///
    /// let acceptor: Acceptor = Acceptor::new().plain_response(respond);
    /// ```
    #[must_use]
    pub fn plain_response(
        mut self,
        respond: impl Fn(&PlainRequest) -> Option<PlainResponse> + Send + Sync + 'static,
    ) -> Self {
        self.plain = Some(PlainResponder::new(respond));
        self
    }

    /// Sets the proxies to believe when they say whose connections they forward. By default there
    /// are none.
    ///
    /// The address is that of [`Request::client_address`](crate::handshake::Request::client_address),
    /// and that of the limits and errors of `serve`. This works in `serve`, and in the methods of the
    /// shells that take a TCP stream. For other streams, use
    /// [`TrustedProxies::client_address`]. Without IO, use [`ProxyHeader`](super::ProxyHeader), and
    /// then [`Accepting::peer`] or [`Accepting::client`].
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = Some(proxies);
        self
    }

    /// Accepts TLS on TCP streams: in `serve`, and in the methods of the shells that take a TCP
    /// stream. The TLS handshake counts towards the handshake timeout. Methods that take any stream
    /// leave TLS to you.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets how long the client may take to send its request, and then again to read the answer;
    /// `None` means without limit.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.handshake_timeout = timeout.into();
        self
    }

    /// Returns `true` if a proxy at this address may say who the client is.
    #[cfg(feature = "std")]
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.proxies.as_ref().is_some_and(|proxies| proxies.contains(peer))
    }

    /// Returns `true` if the header field of requests from this peer tells the client's address.
    #[cfg(feature = "std")]
    pub(crate) fn reads_header_of(&self, peer: Peer) -> bool {
        self.proxies.as_ref().is_some_and(|proxies| proxies.reads_header_of(peer))
    }

    /// Returns how the connections behave, as set with [`config`](Self::config). An
    /// [`Accept`] can still change their compression.
    #[must_use]
    pub const fn get_config(&self) -> &Config {
        &self.config
    }

    /// Returns the time limit set with [`handshake_timeout`](Self::handshake_timeout).
    #[must_use]
    pub const fn get_handshake_timeout(&self) -> Option<Duration> {
        self.handshake_timeout
    }

    /// Checks a request that an HTTP library has received: whether its [origin](Self::origin) is allowed,
    /// and whether its head is within the [`Limits`](crate::Limits) of the [configuration](Self::config),
    /// counted as in HTTP/1.1. What the library buffers before that is limited by the library. If the library
    /// knows the address of the `peer`, the request then has a
    /// [client's address](Request::client_address), which [trusted proxies](Self::trusted_proxies) may tell.
    ///
    /// # Errors
    ///
    /// Returns [`HandshakeError::OriginNotAllowed`], or that a limit is exceeded. The request has the
    /// client's address even then.
    pub fn check(
        &self,
        request: &mut Request,
        peer: Option<SocketAddr>,
    ) -> Result<(), HandshakeError> {
        if let Some(peer) = peer {
            let client = Peer::new(peer).client_address(self.proxies.as_ref(), request);
            request.set_client_address(client);
        }
        request.check_limits(&self.config.limits)?;
        self.origin.check(request)
    }

    /// Returns the response that opens the WebSocket, to be written by an HTTP library, and the
    /// configuration of the connection. Messages are compressed as the configuration says, unless the
    /// answer says otherwise.
    ///
    /// # Errors
    ///
    /// Returns an error if the answer is not valid for this request.
    pub fn acceptance(
        &self,
        request: &Request,
        answer: &Accept,
    ) -> Result<(Acceptance, Config), AcceptError> {
        #[cfg(feature = "deflate")]
        let answer = &*answer::within(answer, self.context_budget.as_ref());
        answer::acceptance(request, answer, self.config)
    }

    pub(crate) fn accepting(&self) -> Accepting {
        self.accepting_within(self.handshake_timeout)
    }

    /// Begins an opening handshake whose request has to come in the time that is left.
    pub(crate) fn accepting_within(&self, left: Option<Duration>) -> Accepting {
        let Self { origin, plain, proxies, .. } = self;
        let (origin, plain, proxies) = (origin.clone(), plain.clone(), proxies.clone());
        let accepting =
            Accepting::new(self.config, origin, plain, proxies, left, self.handshake_timeout);
        #[cfg(feature = "deflate")]
        let accepting = accepting.with_context_budget(self.context_budget.clone());
        accepting
    }

    /// Begins a TLS connection, if the acceptor uses TLS.
    #[cfg(feature = "rustls")]
    pub(crate) fn session(&self) -> Result<Option<Session>, TlsError> {
        self.tls.as_ref().map(Session::server).transpose()
    }
}

impl Acceptor {
    /// Begins the opening handshake of one connection. You do the IO.
    #[must_use]
    pub fn begin(&self) -> Accepting {
        self.accepting()
    }
}

impl<M> Clone for Acceptor<M> {
    fn clone(&self) -> Self {
        Self {
            origin: self.origin.clone(),
            plain: self.plain.clone(),
            proxies: self.proxies.clone(),
            #[cfg(feature = "rustls")]
            tls: self.tls.clone(),
            #[cfg(feature = "deflate")]
            context_budget: self.context_budget.clone(),
            ..*self
        }
    }
}

impl<M> Default for Acceptor<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> fmt::Debug for Acceptor<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("config", &self.config)
            .field("origin", &self.origin)
            .field("plain_response", &self.plain)
            .field("trusted_proxies", &self.proxies)
            .field("handshake_timeout", &self.handshake_timeout)
            .finish()
    }
}
