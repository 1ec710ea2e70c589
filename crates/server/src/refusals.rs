//! What is refused before it reaches the hub: counts of it, and a log whose size does not depend on how much
//! is refused.

use sansocket_realtime::guard::{AuthenticationError, Breach};
use std::{
    mem,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many lines the log gets for one reason in one [`PERIOD`].
const LINES: u32 = 10;

const PERIOD: Duration = Duration::from_secs(60);

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
    /// Counts a refusal, and logs it unless there are too many for the same reason.
    pub(crate) fn add(&self, reason: Reason, address: Option<IpAddr>, now: Duration) {
        let line = self.lock()[reason as usize].add(now);
        if let Some(left_out) = line {
            let address = address.map(tracing::field::display);
            let reason = Reason::NAMES[reason as usize];
            let left_out = (left_out > 0).then_some(left_out);
            tracing::info!(reason, address, left_out, "refused");
        }
    }

    /// Returns how much was refused for each reason, by its name.
    pub(crate) fn counts(&self) -> [(&'static str, u64); Reason::COUNT] {
        let counts = self.lock().map(|tally| tally.count);
        std::array::from_fn(|index| (Reason::NAMES[index], counts[index]))
    }

    fn lock(&self) -> MutexGuard<'_, [Tally; Reason::COUNT]> {
        // Nothing in here can panic half-way.
        self.by_reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusals for one reason.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    /// When the period began whose lines are counted.
    began: Duration,
    lines: u32,
    /// How many refusals have got no line since the last line.
    left_out: u64,
}

impl Tally {
    /// Returns whether the refusal gets a line, and how many before it got none.
    fn add(&mut self, now: Duration) -> Option<u64> {
        self.count += 1;
        if now.saturating_sub(self.began) >= PERIOD {
            self.began = now;
            self.lines = 0;
        }
        if self.lines == LINES {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_so_many_lines_and_the_next_tells_how_many_were_left_out() {
        let (mut tally, second) = (Tally::default(), Duration::from_secs(1));
        let mut add = |at: Duration, times: u32| -> Vec<u64> {
            (0..times).filter_map(|_| tally.add(at)).collect()
        };
        assert_eq!(add(10 * second, LINES - 1), [0; LINES as usize - 1]);
        assert_eq!(add(59 * second, 1_000), [0]);
        assert_eq!(add(60 * second, 1_000), [&[999][..], &[0; LINES as usize - 1]].concat());
        // The period begins with its first line.
        assert!(add(119 * second, 1).is_empty());
        assert_eq!(add(500 * second, LINES), [&[991][..], &[0; LINES as usize - 1]].concat());
        assert!(add(559 * second, 1).is_empty());
        assert_eq!(tally.count, u64::from(LINES) + 999 + 1_000 + 1 + u64::from(LINES) + 1);
    }

    #[test]
    fn one_reason_takes_no_lines_of_another() {
        let refusals = Refusals::default();
        for _ in 0..100 {
            refusals.add(Reason::Origin, None, Duration::ZERO);
        }
        let tallies = refusals.lock();
        assert_eq!(tallies[Reason::Origin as usize].left_out, 90);
        assert_eq!(tallies[Reason::CredentialsWrong as usize].lines, 0);
    }
}
