use super::accepting::Accepting;
use super::origin::OriginPolicy;
use crate::connection::Config;
use crate::handshake::HANDSHAKE_TIMEOUT;
use core::{fmt, marker::PhantomData, time::Duration};

/// How a server accepts connections.
///
/// `M` is the shell that it does so with, or `()` for none: see [`begin`](Self::begin). Each shell
/// has a name for its own; the methods that accept connections are described there, with examples.
pub struct Acceptor<M = ()> {
    pub(crate) config: Config,
    origin: OriginPolicy,
    handshake_timeout: Option<Duration>,
    shell: PhantomData<fn() -> M>,
}

impl<M> Acceptor<M> {
    /// With a handshake timeout of 10 seconds, origins of the same host only, and the default
    /// [`Config`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            origin: OriginPolicy::default(),
            handshake_timeout: Some(HANDSHAKE_TIMEOUT),
            shell: PhantomData,
        }
    }

    /// Sets how the connections behave.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets from which web pages browsers may connect (RFC 6455 §10.2).
    #[must_use]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.origin = policy;
        self
    }

    /// Sets how long the client has to send its request, and then to take the answer; `None` for
    /// ever.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.handshake_timeout = timeout.into();
        self
    }

    /// Begins the opening handshake of one connection, whose IO is yours to do.
    #[must_use]
    pub fn begin(&self) -> Accepting {
        Accepting::new(self.config, self.origin.clone(), self.handshake_timeout)
    }
}

impl<M> Clone for Acceptor<M> {
    fn clone(&self) -> Self {
        Self { origin: self.origin.clone(), ..*self }
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
            .field("handshake_timeout", &self.handshake_timeout)
            .finish()
    }
}
