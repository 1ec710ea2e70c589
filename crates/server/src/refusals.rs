//! What is refused before it reaches the hub: counts of it, and a log whose size does not depend on how much
//! is refused.

use crate::tally::Tally;
use sansocket_realtime::guard::{AuthenticationError, Breach};
use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Why something is refused. No client chooses the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    CredentialsMissing,
    CredentialsMalformed,
    CredentialsWrong,
    CredentialsForbidden,
    CredentialsUnavailable,
    LimitConnections,
    LimitNewConnections,
    LimitMessages,
    LimitBytes,
    LimitSubscriptions,
    LimitMessageSize,
    LimitDestinationName,
    Origin,
    /// What the guard has learned to refuse and this list has not.
    Other,
}

impl Reason {
    const COUNT: usize = Self::Other as usize + 1;

    /// The names in the order of the variants.
    const NAMES: [&'static str; Self::COUNT] = [
        "credentials_missing",
        "credentials_malformed",
        "credentials_wrong",
        "credentials_forbidden",
        "credentials_unavailable",
        "limit_connections",
        "limit_new_connections",
        "limit_messages",
        "limit_bytes",
        "limit_subscriptions",
        "limit_message_size",
        "limit_destination_name",
        "origin",
        "other",
    ];
}

impl From<&AuthenticationError> for Reason {
    fn from(error: &AuthenticationError) -> Self {
        match error {
            AuthenticationError::Missing => Self::CredentialsMissing,
            AuthenticationError::Credentials(_) => Self::CredentialsMalformed,
            AuthenticationError::Refused => Self::CredentialsWrong,
            AuthenticationError::Forbidden => Self::CredentialsForbidden,
            AuthenticationError::Unavailable { .. } => Self::CredentialsUnavailable,
            _ => Self::Other,
        }
    }
}

impl From<&Breach> for Reason {
    fn from(breach: &Breach) -> Self {
        match breach {
            Breach::Connections { .. } => Self::LimitConnections,
            Breach::NewConnections { .. } => Self::LimitNewConnections,
            Breach::Messages { .. } => Self::LimitMessages,
            Breach::Bytes { .. } => Self::LimitBytes,
            Breach::Subscriptions { .. } => Self::LimitSubscriptions,
            Breach::MessageTooLarge { .. } => Self::LimitMessageSize,
            Breach::DestinationTooLong { .. } => Self::LimitDestinationName,
            _ => Self::Other,
        }
    }
}

/// What was refused since the server began.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    by_reason: Mutex<[Tally; Reason::COUNT]>,
}

impl Refusals {
    /// Counts a refusal, and logs it unless there are too many for the same reason. `origin` is that of the page
    /// that is refused.
    pub(crate) fn add(
        &self,
        reason: Reason,
        address: Option<IpAddr>,
        origin: Option<&str>,
        now: Duration,
    ) {
        let line = self.lock()[reason as usize].add(now);
        if let Some(left_out) = line {
            let address = address.map(tracing::field::display);
            let reason = Reason::NAMES[reason as usize];
            tracing::info!(reason, address, origin, left_out, "refused");
        }
    }

    /// Returns how much was refused for each reason, by its name.
    pub(crate) fn counts(&self) -> [(&'static str, u64); Reason::COUNT] {
        let counts = self.lock().map(|tally| tally.count());
        std::array::from_fn(|index| (Reason::NAMES[index], counts[index]))
    }

    fn lock(&self) -> MutexGuard<'_, [Tally; Reason::COUNT]> {
        // Nothing in here can panic half-way.
        self.by_reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reason_takes_no_lines_of_another() {
        let refusals = Refusals::default();
        for _ in 0..100 {
            refusals.add(Reason::Origin, None, None, Duration::ZERO);
        }
        let mut tallies = refusals.lock();
        assert_eq!(tallies[Reason::Origin as usize].add(Duration::ZERO), None);
        assert_eq!(tallies[Reason::CredentialsWrong as usize].add(Duration::ZERO), Some(None));
    }
}
