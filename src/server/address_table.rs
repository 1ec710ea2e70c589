//! What the clients of each address have done lately, and what they may still do.

use super::address_key::AddressKey;
use super::per_address::{AddressLimit, PerAddress};
use crate::connection::ProtocolError;
use crate::handshake::PlainResponse;
use crate::rate::{Rate, TokenBucket};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::ToString,
};
use core::{net::IpAddr, time::Duration};

/// Counts what the clients of each address do, and says when that exceeds the limits of
/// [`PerAddress`].
///
/// `serve` of each shell does this for you. In an accept loop of your own, ask [`admit`](Self::admit)
/// about each new connection, and report each [end](Self::ended). If you do the IO yourself, also
/// report what open connections [received](Self::received), for example once a read. With the
/// `WebSocket` of a shell you see messages, but neither control frames nor the bytes that were read:
/// only `serve` enforces limits of these. `now` is the time since any moment that stays
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
/// let Verdict::Refuse { response, .. } = table.admit(client, now) else { panic!() };
/// assert_eq!(response.status(), 429);
/// table.refusal_ended(client, now);
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
    clients: BTreeMap<AddressKey, Client>,
    /// The addresses without a connection, in the order in which they can be forgotten.
    idle: BTreeSet<(Duration, AddressKey)>,
}

/// What to do with a new connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else to do with a connection")]
pub enum Verdict {
    /// Begin the opening handshake. Report when the connection has [ended](AddressTable::ended).
    Accept,
    /// Begin the opening handshake, but answer the request with a refusal. Report when this [refusal
    /// has ended](AddressTable::refusal_ended).
    Refuse {
        /// The limit that is exceeded.
        limit: AddressLimit,
        /// The answer, of status 429.
        response: PlainResponse,
    },
    /// Drop the connection without an answer: too many from this address are refused already. It
    /// does not count, so don't report its end.
    Drop {
        /// The limit that is exceeded.
        limit: AddressLimit,
    },
}

/// What the clients of one address do.
#[derive(Clone, Debug, Default)]
struct Client {
    /// Connections that were accepted, and those that are being refused.
    connections: u32,
    refused: u32,
    handshakes: TokenBucket,
    /// Refused handshakes. As many may be refused as are allowed.
    refusals: TokenBucket,
    messages: TokenBucket,
    bytes: TokenBucket,
    /// The time of the entry in `idle`, if there is one.
    idle: Option<Duration>,
}

/// Why a connection is not allowed.
struct Exceeded {
    limit: AddressLimit,
    /// How long that lasts, or `None` if it never ends.
    wait: Option<Duration>,
}

impl Client {
    /// Returns when all buckets are full again, if nothing more is taken. Forgetting the client then
    /// changes nothing, if it has no connection.
    fn full_at(&self, limits: &PerAddress) -> Duration {
        let Self { handshakes, refusals, messages, bytes, .. } = self;
        let at = |bucket: &TokenBucket, rate: Option<Rate>| {
            rate.map_or(Duration::ZERO, |rate| bucket.full_at(rate))
        };
        at(handshakes, limits.handshakes)
            .max(at(refusals, limits.handshakes))
            .max(at(messages, limits.messages))
            .max(at(bytes, limits.bytes))
    }

    /// Takes what a connection needs. If a limit does not allow one, takes nothing and returns the
    /// limit, of several the one that lasts longest.
    fn enter(&mut self, limits: &PerAddress, now: Duration) -> Result<(), Exceeded> {
        let most = limits.most_connections();
        if self.connections >= most {
            // A connection can end at any time.
            let wait = Some(Duration::ZERO);
            return Err(Exceeded { limit: AddressLimit::Connections(most), wait });
        }
        let exceeded =
            |bucket: &mut TokenBucket, rate: Option<Rate>, limit: fn(Rate) -> AddressLimit| {
                let rate = rate?;
                let wait = bucket.time_until(1, rate, now);
                (wait != Some(Duration::ZERO)).then(|| Exceeded { limit: limit(rate), wait })
            };
        let exceeded = [
            exceeded(&mut self.handshakes, limits.handshakes, AddressLimit::Handshakes),
            // Each connection may read once before that counts. An address without these tokens
            // could go on with another connection for each read.
            exceeded(&mut self.messages, limits.messages, AddressLimit::Messages),
            exceeded(&mut self.bytes, limits.bytes, AddressLimit::Bytes),
        ];
        let longest = |exceeded: &Exceeded| exceeded.wait.unwrap_or(Duration::MAX);
        match exceeded.into_iter().flatten().max_by_key(longest) {
            Some(exceeded) => Err(exceeded),
            None => {
                if let Some(rate) = limits.handshakes {
                    self.handshakes.take(1, rate, now);
                }
                self.connections += 1;
                Ok(())
            }
        }
    }

    /// Takes what the refusal of a connection needs. Returns `false` if the limits do not allow it.
    fn refuse(&mut self, limits: &PerAddress, now: Duration) -> bool {
        let allows = self.refused < limits.most_connections()
            && limits.handshakes.is_none_or(|rate| self.refusals.take(1, rate, now));
        self.refused += u32::from(allows);
        allows
    }
}

impl AddressTable {
    /// Creates an empty table.
    #[must_use]
    pub const fn new(limits: PerAddress) -> Self {
        Self { limits, clients: BTreeMap::new(), idle: BTreeSet::new() }
    }

    /// Decides on a new connection from this address, and counts it unless it is to be dropped.
    pub fn admit(&mut self, address: IpAddr, now: Duration) -> Verdict {
        self.forget_idle(now);
        let key = AddressKey::from(address);
        let client = self.clients.entry(key).or_default();
        let verdict = match client.enter(&self.limits, now) {
            Ok(()) => Verdict::Accept,
            Err(Exceeded { limit, wait }) if client.refuse(&self.limits, now) => {
                Verdict::Refuse { limit, response: refusal(wait) }
            }
            Err(Exceeded { limit, .. }) => Verdict::Drop { limit },
        };
        self.rest(key, now);
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
        let key = AddressKey::from(address);
        let Some(client) = self.clients.get_mut(&key) else { return Ok(()) };
        let charge = |bucket: &mut TokenBucket, count: u64, rate: Option<Rate>| {
            rate.filter(|&rate| !bucket.charge(count, rate, now))
        };
        let over_bytes = charge(&mut client.bytes, bytes as u64, self.limits.bytes);
        let over_messages = charge(&mut client.messages, u64::from(messages), self.limits.messages);
        if client.idle.is_some() {
            self.rest(key, now);
        }
        match (over_messages, over_bytes) {
            (Some(rate), _) => Err(ProtocolError::TooManyMessages { rate }),
            (None, Some(rate)) => Err(ProtocolError::TooManyBytes { rate }),
            (None, None) => Ok(()),
        }
    }

    /// Counts the end of a connection that was accepted.
    pub fn ended(&mut self, address: IpAddr, now: Duration) {
        let key = AddressKey::from(address);
        if let Some(client) = self.clients.get_mut(&key) {
            client.connections = client.connections.saturating_sub(1);
            self.rest(key, now);
        }
    }

    /// Counts the end of a connection that was refused.
    pub fn refusal_ended(&mut self, address: IpAddr, now: Duration) {
        let key = AddressKey::from(address);
        if let Some(client) = self.clients.get_mut(&key) {
            client.refused = client.refused.saturating_sub(1);
            self.rest(key, now);
        }
    }

    /// Remembers a client without a connection for as long as that matters.
    fn rest(&mut self, key: AddressKey, now: Duration) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        if let Some(at) = client.idle.take() {
            self.idle.remove(&(at, key));
        }
        if client.connections > 0 || client.refused > 0 {
            return;
        }
        let at = client.full_at(&self.limits);
        if at <= now {
            self.clients.remove(&key);
            return;
        }
        client.idle = Some(at);
        self.idle.insert((at, key));
        while self.idle.len() > self.limits.remembered {
            self.forget_first();
        }
    }

    /// Forgets clients that could do everything again.
    fn forget_idle(&mut self, now: Duration) {
        while self.idle.first().is_some_and(|(at, _)| *at <= now) {
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
        matches!(verdict, Verdict::Refuse { response, .. } if response.status() == 429)
    }

    /// Returns the value of `Retry-After`.
    fn retry_after(verdict: &Verdict) -> Option<&str> {
        let Verdict::Refuse { response, .. } = verdict else { panic!("{verdict:?}") };
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
        let limit = AddressLimit::Connections(2);
        assert_eq!(table.admit(client, SECOND), Verdict::Drop { limit });
        // They do not take the places of the others, nor give them back.
        table.refusal_ended(client, SECOND);
        assert!(is_refused(&table.admit(client, SECOND)));
        for _ in 0..2 {
            table.ended(client, SECOND);
        }
        assert_eq!(table.admit(client, SECOND), Verdict::Accept);
    }

    /// Connecting again does not get around a limit of what is received.
    #[test]
    fn an_address_without_tokens_for_traffic_is_refused() {
        let rate = Rate::per_minute(6).burst(2);
        let client = ip("192.0.2.1");
        for (limits, exceeded) in [
            (PerAddress::new().messages(rate), AddressLimit::Messages(rate)),
            (PerAddress::new().bytes(rate), AddressLimit::Bytes(rate)),
        ] {
            let mut table = AddressTable::new(limits.handshakes(Rate::per_second(5)));
            assert_eq!(table.admit(client, SECOND), Verdict::Accept);
            assert_eq!(table.received(client, 1, 1, SECOND), Ok(()));
            assert_eq!(table.admit(client, SECOND), Verdict::Accept);
            assert!(table.received(client, 2, 2, SECOND).is_err());
            for _ in 0..2 {
                table.ended(client, SECOND);
            }
            let refused = table.admit(client, SECOND);
            assert_eq!(retry_after(&refused), Some("10"));
            assert!(matches!(refused, Verdict::Refuse { limit, .. } if limit == exceeded));
            assert_eq!(table.admit(ip("192.0.2.2"), SECOND), Verdict::Accept);
            assert_eq!(table.admit(client, 11 * SECOND), Verdict::Accept);
        }
    }

    #[test]
    fn retry_after_tells_the_longest_wait() {
        let limits = PerAddress::new()
            .handshakes(Rate::per_minute(6).burst(1))
            .messages(Rate::per_minute(3).burst(1));
        let mut table = AddressTable::new(limits);
        let client = ip("192.0.2.1");
        assert_eq!(table.admit(client, SECOND), Verdict::Accept);
        assert_eq!(table.received(client, 1, 1, SECOND), Ok(()));
        let refused = table.admit(client, SECOND);
        assert_eq!(retry_after(&refused), Some("20"));
        let rate = Rate::per_minute(3).burst(1);
        let longest = AddressLimit::Messages(rate);
        assert!(matches!(refused, Verdict::Refuse { limit, .. } if limit == longest));
    }

    #[test]
    fn handshakes_of_an_address_are_bounded() {
        let rate = Rate::per_minute(6).burst(2);
        let mut table = AddressTable::new(PerAddress::new().handshakes(rate));
        let client = ip("192.0.2.1");
        let mut arrive = |now| {
            let verdict = table.admit(client, now);
            match verdict {
                Verdict::Accept => table.ended(client, now),
                Verdict::Refuse { .. } => table.refusal_ended(client, now),
                Verdict::Drop { .. } => {}
            }
            verdict
        };
        assert_eq!([arrive(SECOND), arrive(SECOND)], [Verdict::Accept, Verdict::Accept]);
        assert_eq!(retry_after(&arrive(SECOND)), Some("10"));
        assert_eq!(retry_after(&arrive(SECOND * 5 / 2)), Some("9"), "8.5 seconds");
        let limit = AddressLimit::Handshakes(rate);
        assert_eq!(arrive(3 * SECOND), Verdict::Drop { limit });
        assert_eq!(arrive(11 * SECOND), Verdict::Accept);
        assert!(is_refused(&arrive(11 * SECOND)));
        assert_eq!(arrive(11 * SECOND), Verdict::Drop { limit });
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
        table.admit(ip("::1"), 2 * SECOND);
        assert_eq!((table.clients.len(), table.idle.len()), (1, 0));
        // Without a rate there is nothing to remember.
        let mut table = AddressTable::new(PerAddress::new().connections(1));
        table.admit(ip("::1"), SECOND);
        table.ended(ip("::1"), SECOND);
        assert!(table.clients.is_empty() && table.idle.is_empty());
    }

    #[test]
    fn the_address_that_could_do_everything_again_first_gives_way() {
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

    /// What an address has used up is remembered, however many others come and go.
    #[test]
    fn harmless_addresses_do_not_push_out_one_over_its_limit() {
        let limits = PerAddress::new()
            .handshakes(Rate::per_second(10))
            .messages(Rate::per_minute(1).burst(100))
            .remembered(5);
        let mut table = AddressTable::new(limits);
        let client = ip("192.0.2.1");
        assert_eq!(table.admit(client, SECOND), Verdict::Accept);
        table.ended(client, SECOND);
        // A late report counts as well.
        assert!(table.received(client, 101, 0, SECOND).is_err());
        for last in 0..20 {
            let other = IpAddr::from([198, 51, 100, last]);
            assert_eq!(table.admit(other, SECOND), Verdict::Accept);
            table.ended(other, SECOND);
        }
        assert_eq!(table.clients.len(), 5);
        // Nor do they stay because of it.
        assert!(is_refused(&table.admit(client, 2 * SECOND)));
        assert_eq!(table.clients.len(), 1);
    }

    proptest! {
        /// Whatever happens, the lists agree, and no more is remembered than allowed.
        #[test]
        fn the_table_stays_consistent(
            steps in prop::collection::vec((0..8_u8, 0..4_u8, 0..2_000_u64), 1..200),
        ) {
            let limits = PerAddress::new()
                .connections(2)
                .handshakes(Rate::per_second(1).burst(3))
                .messages(Rate::per_second(5))
                .remembered(3);
            let mut table = AddressTable::new(limits);
            let (mut open, mut refused) = ([0_u32; 8], [0_u32; 8]);
            let mut now = Duration::ZERO;
            for (client, act, pause) in steps {
                now += Duration::from_millis(pause);
                let address = IpAddr::from([192, 0, 2, client]);
                let client = usize::from(client);
                match act {
                    0 => match table.admit(address, now) {
                        Verdict::Accept => open[client] += 1,
                        Verdict::Refuse { .. } => refused[client] += 1,
                        Verdict::Drop { .. } => {}
                    },
                    1 if open[client] > 0 => {
                        open[client] -= 1;
                        table.ended(address, now);
                    }
                    2 if refused[client] > 0 => {
                        refused[client] -= 1;
                        table.refusal_ended(address, now);
                    }
                    _ => drop(table.received(address, 3, 3, now)),
                }
                prop_assert!(open[client] <= 2 && refused[client] <= 2);
                prop_assert!(table.idle.len() <= 3);
                for (at, key) in &table.idle {
                    let client = &table.clients[key];
                    prop_assert_eq!(client.idle, Some(*at));
                    prop_assert_eq!(client.full_at(&limits), *at);
                    prop_assert_eq!((client.connections, client.refused), (0, 0));
                }
                let resting = table.clients.values().filter(|client| client.idle.is_some());
                prop_assert_eq!(resting.count(), table.idle.len());
            }
            for client in 0..8 {
                let key = AddressKey::from(IpAddr::from([192, 0, 2, client as u8]));
                let counted = table.clients.get(&key).map_or((0, 0), |it| (it.connections, it.refused));
                prop_assert_eq!(counted, (open[client], refused[client]));
            }
        }
    }
}
