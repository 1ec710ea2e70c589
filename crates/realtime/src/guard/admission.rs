//! Counting what clients do, and saying what they may.

use super::breach::{Breach, Scope};
use super::counts::{Held, Slot};
use super::limits::{DestinationLimits, Limits};
use super::table::{Rule, Table, worst};
use crate::hub::Principal;
use alloc::collections::{BTreeMap, btree_map::Entry};
use alloc::{sync::Arc, vec, vec::Vec};
use core::{net::IpAddr, time::Duration};
use sansocket::server::AddressKey;

/// Counts what clients do, and says whether [`Limits`] allow more. Ask it before a command reaches the
/// hub.
///
/// Each method counts everything that is needed or, if it returns a [`Breach`], nothing: a message that
/// its destination can't take costs the client none of its own tokens. Of several limits that are
/// exceeded, the breach names the one that lasts longest.
///
/// | what a client does | ask |
/// |---|---|
/// | it opens a connection, or sends a request | [`connect`](Self::connect) |
/// | it is [connected](crate::hub::Command::Connect) as a user | [`authenticated`](Self::authenticated) |
/// | it [sends](crate::hub::Operation::Send) a message, also in a transaction | [`message`](Self::message) |
/// | it [subscribes](crate::hub::Command::Subscribe) | [`subscribe`](Self::subscribe), for each destination |
/// | it [unsubscribes](crate::hub::Command::Unsubscribe) | [`unsubscribe`](Self::unsubscribe), likewise |
/// | it is gone, or the answer is written | [`disconnect`](Self::disconnect) |
///
/// A guard has no timers. `now` is the time since any moment that stays the same for the guard. A
/// lookup of what is known allocates nothing, and what is unused is forgotten a little with each new
/// client. See [`Limits::remembered`] for how much it keeps.
///
/// ```
/// use core::{net::IpAddr, time::Duration};
/// use sansocket_realtime::guard::{Breach, ClientLimits, Guard, Limits, Scope};
/// use sansocket_realtime::hub::Principal;
///
/// let limits = Limits::default().principal(ClientLimits::of_principal().connections(1));
/// let mut guard = Guard::new(limits);
/// let (address, joe): (IpAddr, _) = ("192.0.2.1".parse()?, Principal::new("joe"));
/// let now = Duration::ZERO;
///
/// let mut first = guard.connect(Some(address), now)?;
/// guard.authenticated(&mut first, &joe, now)?;
/// guard.message(&first, "/app/orders", 1024, now)?;
///
/// let mut second = guard.connect(Some(address), now)?;
/// let breach = guard.authenticated(&mut second, &joe, now);
/// assert_eq!(breach, Err(Breach::Connections { scope: Scope::Principal, limit: 1 }));
///
/// guard.disconnect(first, now);
/// guard.authenticated(&mut second, &joe, now)?;
/// guard.disconnect(second, now);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Guard {
    limits: Limits,
    principals: Table<Principal>,
    addresses: Table<AddressKey>,
    destinations: Table<Arc<str>>,
}

/// A connection, or a request, that a [`Guard`] counts.
///
/// Give it back to [`Guard::disconnect`] when it ends. One that is dropped no longer counts either, as
/// when the task of a connection is cancelled or panics.
#[derive(Debug)]
#[must_use = "the connection counts until this is dropped"]
pub struct Client {
    peer: Option<IpAddr>,
    /// Whether the client has no limits of an address or a principal.
    is_exempt: bool,
    address: Option<Held>,
    principal: Option<Held>,
    subscriptions: usize,
    /// The subscriptions that count at destinations with a limit for that.
    at_destinations: BTreeMap<Slot, Held>,
}

impl Client {
    /// Returns the address with which the client [connected](Guard::connect), for logs.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.peer
    }

    fn address_slot(&self) -> Option<Slot> {
        self.address.as_ref().map(Held::slot)
    }

    fn principal(&self) -> Option<Slot> {
        self.principal.as_ref().map(Held::slot)
    }
}

impl Guard {
    /// Creates a guard with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let of_destinations: Vec<_> = limits
            .destinations
            .iter()
            .map(|(_, limits)| limits)
            .chain([&limits.other_destinations])
            .map(DestinationLimits::remembered)
            .collect();
        let most = limits.remembered;
        Self {
            principals: Table::new(Scope::Principal, vec![limits.principal], most),
            addresses: Table::new(Scope::Address, vec![limits.address], most),
            destinations: Table::new(Scope::Destination, of_destinations, most),
            limits,
        }
    }

    /// Counts a new connection, or a request that is answered by itself. Ask before you check who the
    /// client is, so that this can't be tried more often than an address may connect. A client without
    /// an address, as on a socket of Unix, has only the limits of its principal.
    ///
    /// # Errors
    ///
    /// Returns a breach if the address may not have another connection now.
    pub fn connect(&mut self, address: Option<IpAddr>, now: Duration) -> Result<Client, Breach> {
        let peer = address;
        let is_in = |address: &IpAddr| self.limits.exempt.iter().any(|it| it.contains(*address));
        let is_exempt = address.as_ref().is_some_and(is_in);
        let address = address.filter(|_| !is_exempt).map(|address| {
            self.addresses.slot(&AddressKey::from(address), Rule::FIRST, now, |key| *key)
        });
        let mut client = Client {
            peer,
            is_exempt,
            address: None,
            principal: None,
            subscriptions: 0,
            at_destinations: BTreeMap::new(),
        };
        if let Some(place) = address {
            if let Some(breach) = self.addresses.check_connection(place.0, 0, now) {
                self.addresses.give_up(place);
                return Err(breach);
            }
            client.address = Some(self.addresses.add_connection(place.0, 0, now));
        }
        Ok(client)
    }

    /// Counts the connection of a client as one of this principal, from now on: after an
    /// authentication before the upgrade, or at CONNECT. If the client was another principal before, it
    /// is no longer.
    ///
    /// # Errors
    ///
    /// Returns a breach if the principal may not have another connection now. The client stays what it
    /// was. Disconnect it.
    pub fn authenticated(
        &mut self,
        client: &mut Client,
        principal: &Principal,
        now: Duration,
    ) -> Result<(), Breach> {
        if client.is_exempt {
            return Ok(());
        }
        let place = self.principals.slot(principal, Rule::FIRST, now, Principal::clone);
        let (slot, _) = place;
        if client.principal() == Some(slot) {
            return Ok(());
        }
        if let Some(breach) = self.principals.check_connection(slot, client.subscriptions, now) {
            self.principals.give_up(place);
            return Err(breach);
        }
        let held = self.principals.add_connection(slot, client.subscriptions, now);
        if let Some(before) = client.principal.replace(held) {
            self.principals.release(before, now);
        }
        Ok(())
    }

    /// Counts a message to a destination. `size` is the number of its bytes, as
    /// [`Message::size`](crate::Message::size) counts them, or at least those of its body.
    ///
    /// # Errors
    ///
    /// Returns a breach if the message may not be sent now. Then it counts nowhere.
    pub fn message(
        &mut self,
        client: &Client,
        destination: &str,
        size: usize,
        now: Duration,
    ) -> Result<(), Breach> {
        let (rule, limits) = self.rule(destination);
        if let Some(limit) = limits.message_size.filter(|&limit| size > limit) {
            return Err(Breach::MessageTooLarge { size, limit });
        }
        let is_limited = limits.messages.is_some() || limits.bytes.is_some();
        let place = if is_limited { Some(self.place(destination, rule, now)?) } else { None };
        let breach = worst([
            client.principal().and_then(|slot| self.principals.check_message(slot, size, now)),
            client.address_slot().and_then(|slot| self.addresses.check_message(slot, size, now)),
            place.and_then(|(slot, _)| self.destinations.check_message(slot, size, now)),
        ]);
        if let Some(breach) = breach {
            place.into_iter().for_each(|place| self.destinations.give_up(place));
            return Err(breach);
        }
        if let Some(slot) = client.principal() {
            self.principals.add_message(slot, size, now);
        }
        if let Some(slot) = client.address_slot() {
            self.addresses.add_message(slot, size, now);
        }
        if let Some((slot, _)) = place {
            self.destinations.add_message(slot, size, now);
        }
        Ok(())
    }

    /// Counts a subscription to a destination. One that names several destinations counts once for each
    /// of them. If the hub refuses it, count its [end](Self::unsubscribe).
    ///
    /// # Errors
    ///
    /// Returns a breach if there may not be another subscription now. Then it counts nowhere.
    pub fn subscribe(
        &mut self,
        client: &mut Client,
        destination: &str,
        now: Duration,
    ) -> Result<(), Breach> {
        let (rule, limits) = self.rule(destination);
        let is_limited = limits.subscriptions.is_some();
        let place = if is_limited { Some(self.place(destination, rule, now)?) } else { None };
        let breach = worst([
            client.principal().and_then(|slot| self.principals.check_subscription(slot)),
            client.address_slot().and_then(|slot| self.addresses.check_subscription(slot)),
            place.and_then(|(slot, _)| self.destinations.check_subscription(slot)),
        ]);
        if let Some(breach) = breach {
            place.into_iter().for_each(|place| self.destinations.give_up(place));
            return Err(breach);
        }
        client.subscriptions += 1;
        for held in client.principal.iter_mut().chain(&mut client.address) {
            held.add_subscriptions(1);
        }
        if let Some((slot, _)) = place {
            let held = client.at_destinations.entry(slot);
            held.or_insert_with(|| self.destinations.hold(slot)).add_subscriptions(1);
        }
        Ok(())
    }

    /// Counts the end of a subscription to a destination. Ends that exceed the subscriptions of the
    /// client are ignored.
    pub fn unsubscribe(&mut self, client: &mut Client, destination: &str, now: Duration) {
        let Some(left) = client.subscriptions.checked_sub(1) else { return };
        client.subscriptions = left;
        for held in client.principal.iter_mut().chain(&mut client.address) {
            held.remove_subscription();
        }
        // A destination that is remembered now may have shared a place when the subscription began.
        let shared = self.destinations.shared(self.rule(destination).0);
        let places = [self.destinations.find(destination), Some(shared)];
        for slot in places.into_iter().flatten() {
            if let Entry::Occupied(mut held) = client.at_destinations.entry(slot) {
                held.get_mut().remove_subscription();
                if !held.get().has_subscriptions() {
                    self.destinations.release(held.remove(), now);
                }
                return;
            }
        }
    }

    /// Counts the end of a connection, and of all of its subscriptions. What it was the last one to use
    /// is forgotten at once, if nothing is used up.
    pub fn disconnect(&mut self, client: Client, now: Duration) {
        let Client { address, principal, at_destinations, .. } = client;
        principal.into_iter().for_each(|held| self.principals.release(held, now));
        address.into_iter().for_each(|held| self.addresses.release(held, now));
        at_destinations.into_values().for_each(|held| self.destinations.release(held, now));
    }

    /// Returns the limits of a destination.
    fn rule(&self, destination: &str) -> (Rule, DestinationLimits) {
        const NONE: DestinationLimits = DestinationLimits {
            messages: None,
            bytes: None,
            subscriptions: None,
            message_size: None,
        };
        let Limits { destinations, other_destinations, .. } = &self.limits;
        let found = destinations.iter().position(|(pattern, _)| pattern.matches(destination));
        let limits = match found {
            // The text is the same for all users, and the queue is not.
            _ if destination.starts_with("/user/queue/") => NONE,
            Some(index) => destinations[index].1,
            None => *other_destinations,
        };
        (Rule::new(found.unwrap_or(destinations.len())), limits)
    }

    fn place(
        &mut self,
        destination: &str,
        rule: Rule,
        now: Duration,
    ) -> Result<(Slot, bool), Breach> {
        let (length, limit) = (destination.len(), self.limits.destination_name);
        if length > limit {
            return Err(Breach::DestinationTooLong { length, limit });
        }
        Ok(self.destinations.slot(destination, rule, now, |name| Arc::from(name)))
    }
}

#[cfg(test)]
mod tests;
