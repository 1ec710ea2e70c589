//! What the clients of each address have done lately, and what they may still do.

use super::per_address::PerAddress;
use crate::connection::ProtocolError;
use crate::handshake::PlainResponse;
use crate::rate::{Bucket, Rate};
use alloc::{collections::BTreeMap, string::ToString};
use core::{net::IpAddr, time::Duration};

/// Counts what the clients of each address do, and says when that exceeds the limits of
/// [`PerAddress`].
///
/// `serve` of each shell does this for you. In an accept loop of your own, ask [`admit`](Self::admit)
/// about each new connection, report each [end](Self::ended), and report what open connections
/// [received](Self::received), for example once a read. `now` is the time since any moment that stays
/// the same for the table.
///
/// ```
/// use sansocket::server::{AddressTable, PerAddress, Rate, Verdict};
/// use std::{net::IpAddr, time::Duration};
///
/// let mut table = AddressTable::new(PerAddress::new().connections(1).messages(Rate::per_second(10)));
/// let (client, now): (IpAddr, _) = ("192.0.2.1".parse()?, Duration::ZERO);
/// assert_eq!(table.admit(client, now), Verdict::Accept);
///
/// // The second connection is refused: answer the request with this response, for example with
/// // `Accepting::refuse`.
/// let Verdict::Refuse(response) = table.admit(client, now) else { panic!() };
/// assert_eq!(response.status(), 429);
/// table.ended(client, now);
///
/// // The first one may send 10 messages at once. Then close it, with the code of the error.
/// assert!(table.received(client, 10, 1000, now).is_ok());
/// let error = table.received(client, 1, 100, now).unwrap_err();
/// assert_eq!(error.close_code(), sansocket::CloseCode::POLICY_VIOLATION);
/// table.ended(client, now);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct AddressTable {
    limits: PerAddress,
    /// A tree, so that no choice of addresses makes a lookup expensive.
    clients: BTreeMap<Key, Client>,
    /// The addresses without a connection, in the order in which they lost their last one.
    idle: BTreeMap<u64, Key>,
    /// The number of the last entry of `idle`.
    last_idle: u64,
}

/// What to do with a new connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else to do with a connection")]
pub enum Verdict {
    /// Begin the opening handshake. Report when the connection has [ended](AddressTable::ended).
    Accept,
    /// Begin the opening handshake, but answer the request with this response, of status 429. Report
    /// when the connection has [ended](AddressTable::ended).
    Refuse(PlainResponse),
    /// Drop the connection without an answer: too many from this address are refused already. It
    /// does not count, so don't report its end.
    Drop,
}

/// The clients that count as one: an IPv4 address, or the /64 network of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

/// What the clients of one address do.
#[derive(Clone, Debug, Default)]
struct Client {
    /// All connections, and those of them that are refused.
    connections: u32,
    handshakes: Bucket,
    /// Refused handshakes. As many may be refused as are allowed.
    refusals: Bucket,
    messages: Bucket,
    bytes: Bucket,
    /// The entry in `idle`, or 0 for none.
    idle: u64,
}

/// How many addresses without a connection to look at for each new connection. More than one, so
/// that the table shrinks even if each connection comes from another address.
const LOOKED_AT: usize = 2;

impl Key {
    fn of(address: IpAddr) -> Self {
        const NETWORK: u128 = !(u64::MAX as u128);
        match address.to_canonical() {
            // As ::ffff:0:0/96, which is no /64 network.
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() & NETWORK),
        }
    }
}

impl Client {
    /// Returns `true` if forgetting this client would change nothing.
    fn is_forgettable(&mut self, limits: &PerAddress, now: Duration) -> bool {
        let Self { connections, handshakes, refusals, messages, bytes, .. } = self;
        let is_full = |bucket: &mut Bucket, rate: Option<Rate>| {
            rate.is_none_or(|rate| bucket.is_full(rate, now))
        };
        *connections == 0
            && is_full(handshakes, limits.handshakes)
            && is_full(refusals, limits.handshakes)
            && is_full(messages, limits.messages)
            && is_full(bytes, limits.bytes)
    }
}

impl AddressTable {
    /// Creates an empty table.
    #[must_use]
    pub const fn new(limits: PerAddress) -> Self {
        Self { limits, clients: BTreeMap::new(), idle: BTreeMap::new(), last_idle: 0 }
    }

    /// Decides on a new connection from this address, and counts it unless it is to be dropped.
    pub fn admit(&mut self, address: IpAddr, now: Duration) -> Verdict {
        self.forget_idle(now);
        let key = Key::of(address);
        let limits = &self.limits;
        let client = self.clients.entry(key).or_default();
        let most = limits.connections.unwrap_or(u32::MAX);
        let has_room = client.connections < most;
        let refused = if has_room {
            let is_covered =
                limits.handshakes.is_none_or(|rate| client.handshakes.take(1, rate, now));
            (!is_covered).then(|| {
                limits.handshakes.and_then(|rate| client.handshakes.time_until(1, rate, now))
            })
        } else {
            // A connection can end at any time.
            Some(Some(Duration::ZERO))
        };
        let verdict = match refused {
            None => Verdict::Accept,
            Some(retry_after) => {
                let is_far_over = client.connections >= most.saturating_mul(2)
                    || limits.handshakes.is_some_and(|rate| !client.refusals.take(1, rate, now));
                if is_far_over { Verdict::Drop } else { Verdict::Refuse(refusal(retry_after)) }
            }
        };
        if verdict == Verdict::Drop {
            // An address that was not known is not far over, unless nothing is allowed.
            self.rest(key, now);
        } else {
            client.connections += 1;
            self.idle.remove(&core::mem::take(&mut client.idle));
        }
        verdict
    }

    /// Counts messages and bytes that open connections from this address have received. Count what
    /// was received already: what exceeds a limit empties the bucket.
    ///
    /// # Errors
    ///
    /// Returns [`ProtocolError::TooManyMessages`] or [`ProtocolError::TooManyBytes`] if they exceed
    /// a limit. Close the connection then, with the error's
    /// [`close_code`](ProtocolError::close_code).
    pub fn received(
        &mut self,
        address: IpAddr,
        messages: u32,
        bytes: usize,
        now: Duration,
    ) -> Result<(), ProtocolError> {
        let Some(client) = self.clients.get_mut(&Key::of(address)) else { return Ok(()) };
        let charge = |bucket: &mut Bucket, count: u64, rate: Option<Rate>| {
            rate.filter(|&rate| !bucket.charge(count, rate, now))
        };
        let over_bytes = charge(&mut client.bytes, bytes as u64, self.limits.bytes);
        let over_messages = charge(&mut client.messages, u64::from(messages), self.limits.messages);
        match (over_messages, over_bytes) {
            (Some(rate), _) => Err(ProtocolError::TooManyMessages { rate }),
            (None, Some(rate)) => Err(ProtocolError::TooManyBytes { rate }),
            (None, None) => Ok(()),
        }
    }

    /// Counts the end of a connection that was accepted or refused.
    pub fn ended(&mut self, address: IpAddr, now: Duration) {
        let key = Key::of(address);
        if let Some(client) = self.clients.get_mut(&key) {
            client.connections = client.connections.saturating_sub(1);
            self.rest(key, now);
        }
    }

    /// Returns `true` if messages or bytes are limited, so that it matters what was received.
    #[cfg(feature = "std")]
    pub(crate) const fn limits_traffic(&self) -> bool {
        self.limits.messages.is_some() || self.limits.bytes.is_some()
    }

    /// Returns `true` if messages are limited.
    #[cfg(feature = "std")]
    pub(crate) const fn limits_messages(&self) -> bool {
        self.limits.messages.is_some()
    }

    /// Remembers a client without a connection for as long as that matters.
    fn rest(&mut self, key: Key, now: Duration) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        if client.connections > 0 || client.idle > 0 {
            return;
        }
        if client.is_forgettable(&self.limits, now) {
            self.clients.remove(&key);
            return;
        }
        self.last_idle += 1;
        client.idle = self.last_idle;
        self.idle.insert(self.last_idle, key);
        while self.idle.len() > self.limits.remembered {
            self.forget_first();
        }
    }

    /// Forgets clients that could do everything again, beginning with the one that has had no
    /// connection for the longest time.
    fn forget_idle(&mut self, now: Duration) {
        for _ in 0..LOOKED_AT {
            let Some((_, key)) = self.idle.first_key_value() else { return };
            let client = self.clients.get_mut(key);
            if client.is_some_and(|client| !client.is_forgettable(&self.limits, now)) {
                return;
            }
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.idle.pop_first() {
            self.clients.remove(&key);
        }
    }
}

/// Returns the response to a client that may try again after this time, in whole seconds (RFC 9110
/// §10.2.3), if there is such a time.
fn refusal(retry_after: Option<Duration>) -> PlainResponse {
    let response = PlainResponse::new(429).body("too many connections from this address\n");
    match retry_after {
        Some(time) => {
            let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
            response.header("Retry-After", seconds.max(1).to_string())
        }
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_refused(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Refuse(response) if response.status() == 429)
    }

    /// Returns the value of `Retry-After`.
    fn retry_after(verdict: &Verdict) -> Option<&str> {
        let Verdict::Refuse(response) = verdict else { panic!("{verdict:?}") };
        response.headers().find(|(name, _)| *name == "Retry-After").map(|(_, value)| value)
    }

    #[test]
    fn connections_of_an_address_are_bounded() {
        let mut table = AddressTable::new(PerAddress::new().connections(2));
        let client = ip("192.0.2.1");
        for _ in 0..2 {
            assert_eq!(table.admit(client, SECOND), Verdict::Accept);
        }
        assert_eq!(table.admit(ip("192.0.2.2"), SECOND), Verdict::Accept);
        for _ in 0..2 {
            let refused = table.admit(client, SECOND);
            assert!(is_refused(&refused), "{refused:?}");
            assert_eq!(retry_after(&refused), Some("1"));
        }
        // Those that are refused count too, so that refusing them does not cost more and more.
        assert_eq!(table.admit(client, SECOND), Verdict::Drop);
        for _ in 0..3 {
            table.ended(client, SECOND);
        }
        assert_eq!(table.admit(client, SECOND), Verdict::Accept);
    }

    #[test]
    fn handshakes_of_an_address_are_bounded() {
        let rate = Rate::per_minute(6).burst(2);
        let mut table = AddressTable::new(PerAddress::new().handshakes(rate));
        let client = ip("192.0.2.1");
        let mut arrive = |now| {
            let verdict = table.admit(client, now);
            if verdict != Verdict::Drop {
                table.ended(client, now);
            }
            verdict
        };
        assert_eq!([arrive(SECOND), arrive(SECOND)], [Verdict::Accept, Verdict::Accept]);
        assert_eq!(retry_after(&arrive(SECOND)), Some("10"));
        assert_eq!(retry_after(&arrive(SECOND * 5 / 2)), Some("9"), "8.5 seconds");
        assert_eq!(arrive(3 * SECOND), Verdict::Drop);
        assert_eq!(arrive(11 * SECOND), Verdict::Accept);
        assert!(is_refused(&arrive(11 * SECOND)));
        assert_eq!(arrive(11 * SECOND), Verdict::Drop);
    }

    #[test]
    fn a_rate_of_zero_promises_nothing() {
        let mut table =
            AddressTable::new(PerAddress::new().handshakes(Rate::per_second(0).burst(1)));
        assert_eq!(table.admit(ip("::1"), SECOND), Verdict::Accept);
        assert_eq!(retry_after(&table.admit(ip("::1"), SECOND)), None);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let mut table = AddressTable::new(PerAddress::new().connections(1));
        assert_eq!(table.admit(ip("2001:db8:0:1::1"), SECOND), Verdict::Accept);
        assert!(is_refused(&table.admit(ip("2001:db8:0:1:ffff::2"), SECOND)));
        assert_eq!(table.admit(ip("2001:db8:0:2::1"), SECOND), Verdict::Accept);
        assert_eq!(table.admit(ip("::1"), SECOND), Verdict::Accept);
    }

    #[test]
    fn a_mapped_address_counts_as_ipv4() {
        let mut table = AddressTable::new(PerAddress::new().connections(1));
        assert_eq!(table.admit(ip("192.0.2.1"), SECOND), Verdict::Accept);
        assert!(is_refused(&table.admit(ip("::ffff:192.0.2.1"), SECOND)));
        assert_eq!(table.admit(ip("::ffff:192.0.2.2"), SECOND), Verdict::Accept);
        assert_eq!(table.admit(ip("0.0.0.0"), SECOND), Verdict::Accept);
        assert_eq!(table.admit(ip("::"), SECOND), Verdict::Accept);
    }

    #[test]
    fn connections_of_an_address_share_their_traffic() {
        let (messages, bytes) = (Rate::per_second(10), Rate::per_second(1000));
        let mut table = AddressTable::new(PerAddress::new().messages(messages).bytes(bytes));
        let [client, other] = [ip("192.0.2.1"), ip("192.0.2.2")];
        for address in [client, client, other] {
            assert_eq!(table.admit(address, SECOND), Verdict::Accept);
        }
        assert_eq!(table.received(client, 10, 500, SECOND), Ok(()));
        let error = Err(ProtocolError::TooManyMessages { rate: messages });
        assert_eq!(table.received(client, 1, 1, SECOND), error);
        assert_eq!(table.received(other, 1, 1, SECOND), Ok(()));
        let error = Err(ProtocolError::TooManyBytes { rate: bytes });
        assert_eq!(table.received(client, 0, 500, SECOND), error);
        // The bucket is empty now.
        assert_eq!(table.received(client, 0, 100, SECOND * 11 / 10), Ok(()));
        assert_eq!(table.received(client, 0, 1, SECOND * 11 / 10), error);
        assert_eq!(table.received(ip("192.0.2.3"), u32::MAX, usize::MAX, SECOND), Ok(()));
    }

    #[test]
    fn an_address_is_forgotten_when_that_changes_nothing() {
        let mut table = AddressTable::new(PerAddress::new().handshakes(Rate::per_second(1)));
        for last in 0..100_u8 {
            let client = IpAddr::from([192, 0, 2, last]);
            assert_eq!(table.admit(client, SECOND), Verdict::Accept);
            table.ended(client, SECOND);
        }
        assert_eq!((table.clients.len(), table.idle.len()), (100, 100));
        // Each new connection looks at a few of the others.
        for step in 0..60 {
            table.admit(ip("::1"), (2 + step) * SECOND);
        }
        assert_eq!((table.clients.len(), table.idle.len()), (1, 0));
        // Without a rate there is nothing to remember.
        let mut table = AddressTable::new(PerAddress::new().connections(1));
        table.admit(ip("::1"), SECOND);
        table.ended(ip("::1"), SECOND);
        assert!(table.clients.is_empty() && table.idle.is_empty());
    }

    #[test]
    fn the_address_that_left_first_gives_way() {
        let limits = PerAddress::new().handshakes(Rate::per_minute(1)).remembered(2);
        let mut table = AddressTable::new(limits);
        let [stays, first, second, third] =
            [1, 2, 3, 4].map(|last| IpAddr::from([192, 0, 2, last]));
        assert_eq!(table.admit(stays, SECOND), Verdict::Accept);
        for client in [first, second, third] {
            assert_eq!(table.admit(client, SECOND), Verdict::Accept);
            table.ended(client, SECOND);
        }
        assert_eq!(table.clients.len(), 3);
        assert!(is_refused(&table.admit(stays, SECOND)));
        assert!(is_refused(&table.admit(third, SECOND)));
        assert!(is_refused(&table.admit(second, SECOND)));
        assert_eq!(table.admit(first, SECOND), Verdict::Accept);
    }

    proptest! {
        /// Whatever happens, the lists agree, and no more is remembered than allowed.
        #[test]
        fn the_table_stays_consistent(
            steps in prop::collection::vec((0..8_u8, 0..3_u8, 0..2_000_u64), 1..200),
        ) {
            let limits = PerAddress::new()
                .connections(2)
                .handshakes(Rate::per_second(1).burst(3))
                .messages(Rate::per_second(5))
                .remembered(3);
            let mut table = AddressTable::new(limits);
            let mut open = [0_u32; 8];
            let mut now = Duration::ZERO;
            for (client, act, pause) in steps {
                now += Duration::from_millis(pause);
                let address = IpAddr::from([192, 0, 2, client]);
                let open = &mut open[usize::from(client)];
                match act {
                    0 => {
                        let verdict = table.admit(address, now);
                        prop_assert!(verdict != Verdict::Accept || *open < 2);
                        *open += u32::from(verdict != Verdict::Drop);
                        prop_assert!(*open <= 4);
                    }
                    1 if *open > 0 => {
                        *open -= 1;
                        table.ended(address, now);
                    }
                    _ => drop(table.received(address, 3, 3, now)),
                }
                prop_assert!(table.idle.len() <= 3);
                for (number, key) in &table.idle {
                    prop_assert_eq!(table.clients[key].idle, *number);
                    prop_assert_eq!(table.clients[key].connections, 0);
                }
                let resting = table.clients.values().filter(|client| client.connections == 0);
                prop_assert_eq!(resting.count(), table.idle.len());
            }
            for (client, open) in open.iter().enumerate() {
                let key = Key::of(IpAddr::from([192, 0, 2, client as u8]));
                prop_assert_eq!(table.clients.get(&key).map_or(0, |it| it.connections), *open);
            }
        }
    }
}
