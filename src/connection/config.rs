#[cfg(feature = "deflate")]
use crate::deflate::DeflateConfig;
use crate::limits::Limits;
use alloc::sync::Arc;
use core::{ops::Deref, time::Duration};

/// How a connection behaves.
///
/// ```
/// use sansocket::{Config, Limits};
/// use std::time::Duration;
///
/// let config = Config::default()
///     .limits(Limits::default().message(1 << 20))
///     .close_timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Bounds on what the peer can make this end hold.
    pub limits: Limits,
    /// Bytes of payload from which an outgoing message is sent in several frames, so that pongs and
    /// a Close need not wait behind all of it. 64 KiB by default; 0 sends each message in one frame.
    pub fragment_size: usize,
    /// How long the peer has to finish the closing handshake and its end of the transport, once
    /// this end has queued its Close, the peer has ended its side, or a write has failed. 5 seconds by
    /// default.
    pub close_timeout: Duration,
    /// How messages are to be compressed, if the other end agrees; `None`, the default, to neither
    /// offer nor accept it.
    #[cfg(feature = "deflate")]
    pub deflate: Option<DeflateConfig>,
}

impl Config {
    const DEFAULT: Self = Self {
        limits: Limits::DEFAULT,
        fragment_size: 64 << 10,
        close_timeout: Duration::from_secs(5),
        #[cfg(feature = "deflate")]
        deflate: None,
    };

    /// Bytes of payload that a frame of an outgoing message has at most.
    #[inline]
    pub(super) const fn largest_fragment(&self) -> usize {
        match self.fragment_size {
            0 => usize::MAX,
            size => size,
        }
    }

    /// Sets the [`limits`](Self::limits).
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the [`fragment_size`](Self::fragment_size), in bytes.
    #[must_use]
    pub const fn fragment_size(mut self, bytes: usize) -> Self {
        self.fragment_size = bytes;
        self
    }

    /// Sets the [`close_timeout`](Self::close_timeout).
    #[must_use]
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sets [`deflate`](Self::deflate).
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What the halves of a connection have of its configuration: no memory of their own, if it is the
/// default, as of most.
#[derive(Clone, Debug)]
pub(super) struct SharedConfig(Option<Arc<Config>>);

impl From<Config> for SharedConfig {
    fn from(config: Config) -> Self {
        // What compresses has taken over what there is to know of that.
        #[cfg(feature = "deflate")]
        let config = Config { deflate: None, ..config };
        Self((config != Config::DEFAULT).then(|| Arc::new(config)))
    }
}

impl Deref for SharedConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        self.0.as_deref().unwrap_or(&Config::DEFAULT)
    }
}
