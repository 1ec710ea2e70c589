//! In which order and when to try the addresses of a host (RFC 8305, Happy Eyeballs).

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;

/// How long after an attempt the next one starts (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The same if an attempt has failed before (RFC 8305 §5).
const LEAST_ATTEMPT_DELAY: Duration = Duration::from_millis(10);

/// A plan to connect to one of the addresses of a host (RFC 8305). You do the IO.
///
/// Attempts start 250 milliseconds apart, or 10 milliseconds if one fails, and run side by side.
/// IPv4 and IPv6 take turns, so that one of them being broken costs only a moment. The first
/// attempt that succeeds wins; drop the others.
///
/// ```
/// use sansocket::client::{Addresses, NextAddress};
/// use std::time::Duration;
///
/// // As the resolver returned them.
/// let mut addresses = Addresses::new([
///     "[2001:db8::1]:80".parse()?,
///     "[2001:db8::2]:80".parse()?,
///     "192.0.2.1:80".parse()?,
/// ]);
/// let now = Duration::ZERO; // Since any fixed moment.
/// assert_eq!(addresses.next(now), NextAddress::Connect("[2001:db8::1]:80".parse()?));
/// assert_eq!(addresses.next(now), NextAddress::Wait(Some(Duration::from_millis(250))));
/// // The first attempt fails, so the next one starts early.
/// addresses.failed();
/// let now = Duration::from_millis(30);
/// assert_eq!(addresses.next(now), NextAddress::Connect("192.0.2.1:80".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Addresses {
    waiting: VecDeque<SocketAddr>,
    running: usize,
    last_start: Option<Duration>,
    /// Whether an attempt has failed since.
    has_failed: bool,
}

/// What to do next to connect to one of several addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a plan starts, waits, or is over")]
pub enum NextAddress {
    /// Start an attempt to connect to this address, and ask again.
    Connect(SocketAddr),
    /// Wait until an attempt succeeds or fails, but at most until this time. Then ask again.
    Wait(Option<Duration>),
    /// Every attempt has failed.
    Failed,
}

impl Addresses {
    /// Makes a plan for these addresses, which are in the order of the resolver (RFC 6724). The
    /// family of the first address goes first; then the families take turns (RFC 8305 §4).
    #[must_use]
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let waiting = take_turns(addresses);
        Self { waiting, running: 0, last_start: None, has_failed: false }
    }

    /// Returns what to do at `now`, the time since a moment that stays the same for this plan.
    pub fn next(&mut self, now: Duration) -> NextAddress {
        let delay = if self.has_failed { LEAST_ATTEMPT_DELAY } else { ATTEMPT_DELAY };
        let next_start = self.last_start.map(|start| start.saturating_add(delay));
        match self.waiting.front().copied() {
            Some(address) if next_start.is_none_or(|moment| moment <= now) => {
                self.waiting.pop_front();
                self.running += 1;
                self.last_start = Some(now);
                self.has_failed = false;
                NextAddress::Connect(address)
            }
            Some(_) => NextAddress::Wait(next_start),
            None if self.running == 0 => NextAddress::Failed,
            None => NextAddress::Wait(None),
        }
    }

    /// Reports that an attempt has failed.
    pub fn failed(&mut self) {
        self.running = self.running.saturating_sub(1);
        self.has_failed = true;
    }
}

/// Arranges the addresses so that the families take turns, and each keeps its order.
fn take_turns(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut first = VecDeque::new();
    let mut other = VecDeque::new();
    for address in addresses {
        let is_first =
            first.front().is_none_or(|known: &SocketAddr| known.is_ipv6() == address.is_ipv6());
        if is_first { first.push_back(address) } else { other.push_back(address) }
    }
    let mut arranged = VecDeque::with_capacity(first.len() + other.len());
    while !first.is_empty() || !other.is_empty() {
        arranged.extend(first.pop_front());
        arranged.extend(other.pop_front());
    }
    arranged
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec::Vec};

    const MS: Duration = Duration::from_millis(1);

    /// Returns one address for each letter: `6` or `4`, numbered in order.
    fn addresses(families: &str) -> Addresses {
        Addresses::new(families.chars().enumerate().map(|(index, family)| {
            let text = match family {
                '6' => format!("[2001:db8::{index}]:80"),
                _ => format!("192.0.2.{index}:80"),
            };
            text.parse().unwrap()
        }))
    }

    fn number(address: SocketAddr) -> u8 {
        match address {
            SocketAddr::V4(address) => address.ip().octets()[3],
            SocketAddr::V6(address) => address.ip().octets()[15],
        }
    }

    fn connect(plan: &mut Addresses, now: Duration) -> u8 {
        match plan.next(now) {
            NextAddress::Connect(address) => number(address),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn families_take_turns() {
        let order =
            |families| -> Vec<u8> { addresses(families).waiting.into_iter().map(number).collect() };
        assert_eq!(order("6644"), [0, 2, 1, 3]);
        assert_eq!(order("4466"), [0, 2, 1, 3]);
        assert_eq!(order("66664"), [0, 4, 1, 2, 3]);
        assert_eq!(order("464"), [0, 1, 2]);
        assert_eq!(order("666"), [0, 1, 2]);
        assert_eq!(order(""), []);
    }

    #[test]
    fn attempts_start_250_milliseconds_apart() {
        let mut plan = addresses("644");
        let start = 1000 * MS;
        assert_eq!(connect(&mut plan, start), 0);
        assert_eq!(plan.next(start), NextAddress::Wait(Some(1250 * MS)));
        assert_eq!(plan.next(1249 * MS), NextAddress::Wait(Some(1250 * MS)));
        assert_eq!(connect(&mut plan, 1250 * MS), 1);
        // The delay counts from when the attempt really started.
        assert_eq!(connect(&mut plan, 5000 * MS), 2);
        assert_eq!(plan.next(5000 * MS), NextAddress::Wait(None));
        assert_eq!(plan.next(9000 * MS), NextAddress::Wait(None));
    }

    #[test]
    fn after_a_failure_the_next_attempt_starts_early() {
        let mut plan = addresses("644");
        assert_eq!(connect(&mut plan, 100 * MS), 0);
        plan.failed();
        assert_eq!(plan.next(101 * MS), NextAddress::Wait(Some(110 * MS)));
        assert_eq!(connect(&mut plan, 110 * MS), 1);
        assert_eq!(plan.next(110 * MS), NextAddress::Wait(Some(360 * MS)));
        plan.failed();
        assert_eq!(connect(&mut plan, 200 * MS), 2);
        assert_eq!(plan.next(200 * MS), NextAddress::Wait(None));
        plan.failed();
        assert_eq!(plan.next(200 * MS), NextAddress::Failed);
    }

    #[test]
    fn the_plan_fails_only_when_every_attempt_has_failed() {
        let mut plan = addresses("64");
        assert_eq!(connect(&mut plan, MS), 0);
        assert_eq!(connect(&mut plan, 300 * MS), 1);
        plan.failed();
        assert_eq!(plan.next(300 * MS), NextAddress::Wait(None));
        plan.failed();
        assert_eq!(plan.next(300 * MS), NextAddress::Failed);
        assert_eq!(addresses("").next(MS), NextAddress::Failed);
    }

    #[test]
    fn the_longest_time_does_not_overflow() {
        let mut plan = addresses("64");
        assert_eq!(connect(&mut plan, Duration::MAX), 0);
        assert_eq!(connect(&mut plan, Duration::MAX), 1);
    }
}
