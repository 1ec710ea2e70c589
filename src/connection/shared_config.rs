//! The configuration as the halves of a connection share it.

use super::config::Config;
use super::outbox::OutboxConfig;
use crate::limits::Limits;
use alloc::sync::Arc;
use core::{ops::Deref, time::Duration};

/// The configuration as the halves of a connection share it. The default configuration, which most
/// connections use, takes no memory of its own.
#[derive(Clone, Debug)]
pub(super) struct SharedConfig(Option<Arc<Shared>>);

/// What both halves need. Timeouts and compression keep their own copies of what they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) limits: Limits,
    fragment_size: usize,
    pub(super) close_timeout: Duration,
    pub(super) outbox: OutboxConfig,
    watches_messages: bool,
}

impl SharedConfig {
    /// Returns `true` if a timeout depends on what arrives of the peer's messages.
    #[inline]
    pub(super) fn watches_messages(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.watches_messages)
    }
}

impl Shared {
    const DEFAULT: Self = Self::of(&Config::DEFAULT);

    const fn of(config: &Config) -> Self {
        Self {
            limits: config.limits,
            fragment_size: config.fragment_size,
            close_timeout: config.close_timeout,
            outbox: config.outbox,
            watches_messages: config.idle_timeout.is_some() || config.min_data_rate.is_some(),
        }
    }

    /// Returns the largest payload of an outgoing frame, in bytes.
    #[inline]
    pub(super) const fn largest_fragment(&self) -> usize {
        match self.fragment_size {
            0 => usize::MAX,
            size => size,
        }
    }
}

impl From<&Config> for SharedConfig {
    fn from(config: &Config) -> Self {
        let shared = Shared::of(config);
        Self((shared != Shared::DEFAULT).then(|| Arc::new(shared)))
    }
}

impl Deref for SharedConfig {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        self.0.as_deref().unwrap_or(&Shared::DEFAULT)
    }
}
