//! The options of a guard: what clients may do.

use crate::destination::{InvalidPattern, Pattern};
use alloc::vec::Vec;
use sansocket::server::{Network, Rate};

/// What the clients of a server may do: together as one principal, together from one address, and
/// together at one destination. These are the options of a [`Guard`](super::Guard).
///
/// | limit | of a principal | of an address | of a destination |
/// |---|---|---|---|
/// | connections at a time | 100 | 1,000 | – |
/// | new connections | 20 per second, 200 at once | 100 per second, 1,000 at once | – |
/// | messages | 100 per second, 1,000 at once | 1,000 per second, 10,000 at once | any |
/// | bytes of messages | 1 MiB per second, 16 MiB at once | 8 MiB per second, 64 MiB at once | any |
/// | subscriptions at a time | 10,000 | 100,000 | any |
/// | size of a message | – | – | any |
/// | [`remembered`](Self::remembered) | 262,144 | 262,144 | 262,144 |
///
/// A principal is what a client was authenticated as. Clients that were not have the limits of their
/// address alone. All of an IPv6 /64 network count as one address, as in the core:
/// [`AddressKey`](sansocket::server::AddressKey). Many people can share an address, so its limits leave
/// room for an office. Somebody can also have many addresses, such as the 65,536 networks of an IPv6 /48:
/// bound all connections together too, as `max_connections` of the core's `serve` does. If the server
/// stands behind a proxy, pass the addresses that it forwards: see
/// [`TrustedProxies`](sansocket::server::TrustedProxies).
///
/// The limits of a destination hold for all clients together at each destination, and not for all
/// destinations together that a pattern matches.
///
/// ```
/// use sansocket::server::Rate;
/// use sansocket_realtime::guard::{ClientLimits, DestinationLimits, Limits};
///
/// let chat = DestinationLimits::default().messages(Rate::per_second(50)).message_size(4 << 10);
/// let limits = Limits::default()
///     .principal(ClientLimits::of_principal().connections(10))
///     .destination("/app/chat/**", chat)?;
/// assert_eq!(limits.principal.connections, Some(10));
/// # Ok::<(), sansocket_realtime::InvalidPattern>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// The limits of a principal.
    pub principal: ClientLimits,
    /// The limits of an address.
    pub address: ClientLimits,
    /// The limits of destinations. The first pattern that matches a destination counts.
    pub destinations: Vec<(Pattern, DestinationLimits)>,
    /// The limits of a destination that no pattern of [`destinations`](Self::destinations) matches. By
    /// default, there are none.
    pub other_destinations: DestinationLimits,
    /// The longest name of a destination with limits, in bytes: the guard keeps the names. By default
    /// 255, as in the hub.
    pub destination_name: usize,
    /// How many principals, how many addresses, and how many destinations to remember at most. By
    /// default 262,144 of each. Make it larger than the number of users that are connected at a time.
    ///
    /// An entry takes up to 310 bytes, and the name of a principal or destination. Each is forgotten
    /// after it could do everything again that the limits allow. If there are more, those that find no
    /// room share one entry, so together they get what one of them could have. One that finds room later
    /// gets at most as much again for the connections that it still has from before. Nobody who is
    /// remembered is forgotten early: no number of addresses or destinations makes the guard forget what
    /// others have used up.
    pub remembered: usize,
    /// Networks whose clients have no limits of a principal or an address, but those of destinations: for
    /// programs of your own, such as a backend that publishes for many users. By default there are none.
    /// Nobody else may have such an address, so behind a proxy pass the addresses that it forwards.
    pub exempt: Vec<Network>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            principal: ClientLimits::of_principal(),
            address: ClientLimits::of_address(),
            destinations: Vec::new(),
            other_destinations: DestinationLimits::default(),
            destination_name: 255,
            remembered: 1 << 18,
            exempt: Vec::new(),
        }
    }
}

/// Setters of limits that there need not be.
macro_rules! limit_setters {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
        #[must_use]
        pub const fn $name(mut self, $name: $type) -> Self {
            self.$name = Some($name);
            self
        }
    )*};
}

impl Limits {
    setters! {
        principal: ClientLimits,
        address: ClientLimits,
        other_destinations: DestinationLimits,
        destination_name: usize,
        remembered: usize,
        exempt: Vec<Network>,
    }

    /// Adds limits for destinations to [`destinations`](Self::destinations). They count if no pattern
    /// before them matches. The pattern can be below any of `/topic`, `/queue`, `/app`, `/user` and
    /// `/presence`; wildcards are those of [`Pattern`].
    ///
    /// # Errors
    ///
    /// Returns an error if it is not a pattern.
    pub fn destination(
        mut self,
        pattern: &str,
        limits: DestinationLimits,
    ) -> Result<Self, InvalidPattern> {
        self.destinations.push((Pattern::of_any_destination(pattern)?, limits));
        Ok(self)
    }
}

/// What all clients of a principal, or of an address, may do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// How many connections they can have at a time.
    pub connections: Option<u32>,
    /// How often they can begin a connection. A request that publishes a message or polls is a
    /// connection too. For an address, this also bounds how often somebody can try to log in.
    pub new_connections: Option<Rate>,
    /// How many messages they can send, to any destination.
    pub messages: Option<Rate>,
    /// How many bytes of messages they can send. A message that is larger than the
    /// [burst](Rate::burst) is always refused.
    pub bytes: Option<Rate>,
    /// How many subscriptions they can have at a time.
    pub subscriptions: Option<u32>,
}

impl ClientLimits {
    /// Creates the default limits of a principal.
    #[must_use]
    pub const fn of_principal() -> Self {
        Self::none()
            .connections(100)
            .new_connections(Rate::per_second(20).burst(200))
            .messages(Rate::per_second(100).burst(1_000))
            .bytes(Rate::per_second(1 << 20).burst(16 << 20))
            .subscriptions(10_000)
    }

    /// Creates the default limits of an address.
    #[must_use]
    pub const fn of_address() -> Self {
        Self::none()
            .connections(1_000)
            .new_connections(Rate::per_second(100).burst(1_000))
            .messages(Rate::per_second(1_000).burst(10_000))
            .bytes(Rate::per_second(8 << 20).burst(64 << 20))
            .subscriptions(100_000)
    }

    /// Creates limits that allow everything.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            connections: None,
            new_connections: None,
            messages: None,
            bytes: None,
            subscriptions: None,
        }
    }

    limit_setters! {
        connections: u32,
        new_connections: Rate,
        messages: Rate,
        bytes: Rate,
        subscriptions: u32,
    }
}

/// What all clients may do together at one destination. By default, everything.
///
/// The queues of users, `/user/queue/…`, have no limits of their own, because that is another queue for
/// each user. A subscription with a pattern counts where its own text leads, and not at each topic that
/// it matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationLimits {
    /// How many messages can be sent to the destination.
    pub messages: Option<Rate>,
    /// How many bytes of messages can be sent to the destination. A message that is larger than the
    /// [burst](Rate::burst) is always refused.
    pub bytes: Option<Rate>,
    /// How many subscriptions the destination can have at a time.
    pub subscriptions: Option<u32>,
    /// The largest message in bytes, if it is less than what the
    /// [hub](crate::hub::Config::message) allows.
    pub message_size: Option<usize>,
}

impl DestinationLimits {
    limit_setters! { messages: Rate, bytes: Rate, subscriptions: u32, message_size: usize }

    /// Returns the limits for which something has to be remembered.
    pub(super) const fn remembered(&self) -> ClientLimits {
        let Self { messages, bytes, subscriptions, .. } = *self;
        ClientLimits { messages, bytes, subscriptions, ..ClientLimits::none() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in the documentation of `Limits` is written by hand.
    #[test]
    fn the_defaults_are_those_of_the_table() {
        let limits = Limits::default();
        let of = |ClientLimits { connections, new_connections, messages, bytes, subscriptions }| {
            let rates = [new_connections, messages, bytes].map(|rate| rate.unwrap());
            let rates = rates.map(|rate| (rate.amount(), rate.at_once(), rate.period().as_secs()));
            (connections.unwrap(), rates, subscriptions.unwrap())
        };
        let bytes = (1 << 20, 16 << 20, 1);
        assert_eq!(of(limits.principal), (100, [(20, 200, 1), (100, 1_000, 1), bytes], 10_000));
        let bytes = (8 << 20, 64 << 20, 1);
        let rates = [(100, 1_000, 1), (1_000, 10_000, 1), bytes];
        assert_eq!(of(limits.address), (1_000, rates, 100_000));
        assert_eq!(limits.other_destinations, DestinationLimits::default());
        assert_eq!(limits.other_destinations.remembered(), ClientLimits::none());
        assert_eq!((limits.remembered, limits.destination_name), (262_144, 255));
    }

    #[test]
    fn a_destination_needs_a_pattern() {
        let none = DestinationLimits::default();
        for pattern in ["/app/**", "/queue/a", "/topic/*", "/user/*/queue/a"] {
            assert!(Limits::default().destination(pattern, none).is_ok(), "{pattern}");
        }
        assert!(Limits::default().destination("/app/a*", none).is_err());
    }
}
