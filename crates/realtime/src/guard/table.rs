//! A bounded table of what principals, addresses or destinations have used up.

use super::breach::{Breach, Scope};
use super::counts::{Counts, Held, Slot};
use super::limits::ClientLimits;
use alloc::{sync::Arc, vec, vec::Vec};
use core::{borrow::Borrow, fmt, hash::Hash, time::Duration};
use sansocket::server::{Rate, TokenBucket};
use std::collections::HashMap;

/// What each key has used up, for as long as that matters.
///
/// The first entries have no key: one for each of the `rules`, which all keys share that find no room.
/// Nothing is pushed out to make room, because whoever finds many keys could then have the buckets of
/// others forgotten, or their own.
pub(super) struct Table<K> {
    scope: Scope,
    /// The limits that entries can have.
    rules: Vec<ClientLimits>,
    entries: Vec<Entry<K>>,
    by_key: HashMap<K, Slot>,
    free: Vec<Slot>,
    /// How many entries there may be, with those without a key.
    most: usize,
    /// The entry that is checked next for whether it can be forgotten.
    next_checked: usize,
}

/// Names the limits of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule(u32);

struct Entry<K> {
    /// `None` for an entry that is free or shared.
    key: Option<K>,
    rule: Rule,
    usage: Usage,
}

#[derive(Clone, Debug, Default)]
struct Usage {
    counts: Arc<Counts>,
    new_connections: TokenBucket,
    messages: TokenBucket,
    bytes: TokenBucket,
}

/// How many entries each new key checks. While as many keys come as go out of use, a quarter of the
/// entries at most can be ones that could be forgotten.
const CHECKED: usize = 4;

impl Rule {
    pub(super) const FIRST: Self = Self(0);

    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

impl Usage {
    /// Returns a copy of the buckets.
    fn without_counts(&self) -> Self {
        Self { counts: Arc::default(), ..self.clone() }
    }

    /// Returns whether forgetting it changes nothing: everything could be done again.
    fn is_unused(&self, limits: &ClientLimits, now: Duration) -> bool {
        let is_full = |bucket: &TokenBucket, rate: Option<Rate>| {
            rate.is_none_or(|rate| bucket.full_at(rate) <= now)
        };
        self.counts.connections() == 0
            && self.counts.subscriptions() == 0
            && is_full(&self.new_connections, limits.new_connections)
            && is_full(&self.messages, limits.messages)
            && is_full(&self.bytes, limits.bytes)
    }
}

impl<K: Clone + Eq + Hash> Table<K> {
    /// Creates an empty table for so many keys.
    pub(super) fn new(scope: Scope, rules: Vec<ClientLimits>, most: usize) -> Self {
        let shared = (0..rules.len()).map(|index| Entry {
            key: None,
            rule: Rule::new(index),
            usage: Usage::default(),
        });
        Self {
            scope,
            entries: shared.collect(),
            by_key: HashMap::new(),
            free: vec![],
            most: most.saturating_add(rules.len()).min(u32::MAX as usize),
            next_checked: 0,
            rules,
        }
    }

    /// Returns the place of a key, if it is remembered.
    pub(super) fn find<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Slot>
    where
        K: Borrow<Q>,
    {
        self.by_key.get(key).copied()
    }

    /// Returns the place that keys share which find no room.
    pub(super) fn shared(&self, rule: Rule) -> Slot {
        Slot(rule.0)
    }

    /// Returns the place of a key, and whether it is a new one because the key was not remembered. If
    /// nothing is counted at a new place, [give it up](Self::give_up).
    pub(super) fn slot<Q: Eq + Hash + ?Sized>(
        &mut self,
        key: &Q,
        rule: Rule,
        now: Duration,
        owned: impl FnOnce(&Q) -> K,
    ) -> (Slot, bool)
    where
        K: Borrow<Q>,
    {
        if let Some(slot) = self.find(key) {
            return (slot, false);
        }
        self.forget_some(now);
        // The key may be one of those that shared their place until now, so it begins with what these
        // have left together.
        let usage = self.entries[rule.0 as usize].usage.without_counts();
        let entry = |key| Entry { key: Some(key), rule, usage };
        let (key, slot) = if let Some(slot) = self.free.pop() {
            let key = owned(key);
            self.entries[slot.0 as usize] = entry(key.clone());
            (key, slot)
        } else if self.entries.len() < self.most {
            let key = owned(key);
            // `most` is a `u32`.
            let slot = Slot(self.entries.len() as u32);
            self.entries.push(entry(key.clone()));
            (key, slot)
        } else {
            return (self.shared(rule), false);
        };
        self.by_key.insert(key, slot);
        (slot, true)
    }

    /// Gives up a new place, at which nothing was counted.
    pub(super) fn give_up(&mut self, (slot, is_new): (Slot, bool)) {
        if is_new {
            self.remove(slot);
        }
    }

    /// Forgets what is remembered at a place, if that changes nothing.
    fn forget(&mut self, slot: Slot, now: Duration) {
        let Some((limits, usage)) = self.at(slot) else { return };
        if usage.is_unused(limits, now) {
            self.remove(slot);
        }
    }

    fn remove(&mut self, slot: Slot) {
        let Some(entry) = self.entries.get_mut(slot.0 as usize) else { return };
        // A shared place has no key, and stays.
        if let Some(key) = entry.key.take() {
            self.by_key.remove(&key);
            self.free.push(slot);
        }
    }

    /// Checks some entries in turn. This costs each new key the same, and sooner or later comes to
    /// every entry.
    fn forget_some(&mut self, now: Duration) {
        for _ in 0..CHECKED.min(self.entries.len()) {
            self.next_checked = (self.next_checked + 1) % self.entries.len();
            // There are no more entries than a `u32` counts.
            self.forget(Slot(self.next_checked as u32), now);
        }
    }

    /// Returns what forbids one more connection, with so many subscriptions.
    pub(super) fn check_connection(
        &mut self,
        slot: Slot,
        subscriptions: usize,
        now: Duration,
    ) -> Option<Breach> {
        let scope = self.scope;
        let (limits, usage) = self.at(slot)?;
        let connections = limits
            .connections
            .filter(|&limit| usage.counts.connections() >= limit as usize)
            .map(|limit| Breach::Connections { scope, limit });
        let new_connections = limits.new_connections.and_then(|rate| {
            let retry_after = wait(&mut usage.new_connections, 1, rate, now)?;
            Some(Breach::NewConnections { scope, rate, retry_after })
        });
        let subscriptions = exceeded_subscriptions(scope, limits, usage, subscriptions);
        worst([connections, new_connections, subscriptions])
    }

    /// Returns what forbids one more message, of so many bytes.
    pub(super) fn check_message(
        &mut self,
        slot: Slot,
        size: usize,
        now: Duration,
    ) -> Option<Breach> {
        let scope = self.scope;
        let (limits, usage) = self.at(slot)?;
        let messages = limits.messages.and_then(|rate| {
            let retry_after = wait(&mut usage.messages, 1, rate, now)?;
            Some(Breach::Messages { scope, rate, retry_after })
        });
        let bytes = limits.bytes.and_then(|rate| {
            let retry_after = wait(&mut usage.bytes, size as u64, rate, now)?;
            Some(Breach::Bytes { scope, rate, size, retry_after })
        });
        worst([messages, bytes])
    }

    /// Returns what forbids one more subscription.
    pub(super) fn check_subscription(&mut self, slot: Slot) -> Option<Breach> {
        let scope = self.scope;
        let (limits, usage) = self.at(slot)?;
        exceeded_subscriptions(scope, limits, usage, 1)
    }

    /// Counts a connection with so many subscriptions, after it was checked.
    pub(super) fn add_connection(
        &mut self,
        slot: Slot,
        subscriptions: usize,
        now: Duration,
    ) -> Held {
        let mut held = self.hold(slot);
        if let Some((limits, usage)) = self.at(slot) {
            take(&mut usage.new_connections, 1, limits.new_connections, now);
        }
        held.add_connection();
        held.add_subscriptions(subscriptions);
        held
    }

    /// Counts a message, after it was checked.
    pub(super) fn add_message(&mut self, slot: Slot, size: usize, now: Duration) {
        let Some((limits, usage)) = self.at(slot) else { return };
        take(&mut usage.messages, 1, limits.messages, now);
        take(&mut usage.bytes, size as u64, limits.bytes, now);
    }

    /// Begins to count what a client has at a place.
    pub(super) fn hold(&self, slot: Slot) -> Held {
        Held::new(slot, &self.entries[slot.0 as usize].usage.counts)
    }

    /// Counts the end of what a client has at a place, and forgets the place if that changes nothing.
    pub(super) fn release(&mut self, held: Held, now: Duration) {
        let slot = held.slot();
        drop(held);
        self.forget(slot, now);
    }

    fn at(&mut self, slot: Slot) -> Option<(&ClientLimits, &mut Usage)> {
        let entry = self.entries.get_mut(slot.0 as usize)?;
        Some((&self.rules[entry.rule.0 as usize], &mut entry.usage))
    }
}

/// Returns the breach that lasts longest.
pub(super) fn worst(breaches: impl IntoIterator<Item = Option<Breach>>) -> Option<Breach> {
    let lasts = |breach: &Breach| breach.retry_after().unwrap_or(Duration::MAX);
    breaches.into_iter().flatten().max_by_key(lasts)
}

/// Returns `None` if there are so many tokens, and otherwise how long it takes until there are:
/// `Some(None)` if there never are.
fn wait(
    bucket: &mut TokenBucket,
    count: u64,
    rate: Rate,
    now: Duration,
) -> Option<Option<Duration>> {
    Some(bucket.time_until(count, rate, now)).filter(|wait| *wait != Some(Duration::ZERO))
}

fn take(bucket: &mut TokenBucket, count: u64, rate: Option<Rate>, now: Duration) {
    if let Some(rate) = rate {
        let is_taken = bucket.take(count, rate, now);
        debug_assert!(is_taken, "it was checked before");
    }
}

fn exceeded_subscriptions(
    scope: Scope,
    limits: &ClientLimits,
    usage: &Usage,
    more: usize,
) -> Option<Breach> {
    let limit = limits.subscriptions?;
    let is_exceeded = usage.counts.subscriptions().saturating_add(more) > limit as usize;
    (more > 0 && is_exceeded).then_some(Breach::Subscriptions { scope, limit })
}

#[cfg(test)]
impl<K: Clone + Ord> Table<K> {
    /// Returns everything that matters of all keys: what is counted, and when the buckets are full.
    pub(super) fn snapshot(&self, now: Duration) -> Vec<(Option<K>, [usize; 2], [Duration; 3])> {
        let mut snapshot: Vec<_> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(index, entry)| entry.key.is_some() || *index < self.rules.len())
            .map(|(_, Entry { key, rule, usage })| {
                let limits = &self.rules[rule.0 as usize];
                let full_at = |bucket: &TokenBucket, rate: Option<Rate>| {
                    rate.map_or(now, |rate| bucket.full_at(rate).max(now))
                };
                let counts = [usage.counts.connections(), usage.counts.subscriptions()];
                let buckets = [
                    full_at(&usage.new_connections, limits.new_connections),
                    full_at(&usage.messages, limits.messages),
                    full_at(&usage.bytes, limits.bytes),
                ];
                (key.clone(), counts, buckets)
            })
            .filter(|(_, counts, buckets)| *counts != [0; 2] || *buckets != [now; 3])
            .collect();
        snapshot.sort();
        snapshot
    }

    /// Returns how many keys are remembered.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}

impl<K> fmt::Debug for Table<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("scope", &self.scope)
            .field("remembered", &self.by_key.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket::server::AddressKey;

    const SECOND: Duration = Duration::from_secs(1);

    fn table(limits: ClientLimits, most: usize) -> Table<u32> {
        Table::new(Scope::Principal, vec![limits], most)
    }

    fn slot(table: &mut Table<u32>, key: u32, now: Duration) -> Slot {
        table.slot(&key, Rule::FIRST, now, |key| *key).0
    }

    #[test]
    fn keys_without_room_share_an_entry() {
        let mut table = table(ClientLimits::none().messages(Rate::per_second(1)), 2);
        for key in 0..2 {
            let slot = slot(&mut table, key, SECOND);
            assert_eq!(table.check_message(slot, 0, SECOND), None);
            table.add_message(slot, 0, SECOND);
        }
        let [third, fourth] = [2, 3].map(|key| slot(&mut table, key, SECOND));
        assert_eq!((third, fourth), (table.shared(Rule::FIRST), table.shared(Rule::FIRST)));
        assert_eq!(table.check_message(third, 0, SECOND), None);
        table.add_message(third, 0, SECOND);
        assert!(table.check_message(fourth, 0, SECOND).is_some());
        // The others are remembered, and go when they could do everything again.
        let first = slot(&mut table, 0, SECOND);
        assert!(first != third && table.check_message(first, 0, SECOND).is_some());
        // A key that finds room has what is left of the shared tokens.
        table.add_message(third, 0, 2 * SECOND);
        let own = slot(&mut table, 3, 2 * SECOND);
        assert!(own != fourth && table.check_message(own, 0, 2 * SECOND).is_some());
        assert!(table.check_message(own, 0, 3 * SECOND).is_none());
        assert!(table.entries.len() == 3 && table.by_key.len() <= 2);
    }

    /// Many keys that each come once leave few entries behind, although nobody looks for them.
    #[test]
    fn unused_entries_go_in_constant_time() {
        let mut table = table(ClientLimits::none().messages(Rate::per_second(1)), 1 << 20);
        let mut largest = 0;
        for key in 0..100_000 {
            // 100 of them are remembered at a time.
            let now = SECOND * key / 100;
            let slot = slot(&mut table, key, now);
            table.add_message(slot, 0, now);
            largest = largest.max(table.entries.len());
        }
        assert!(largest < 200, "{largest}");
        assert_eq!(table.entries.len(), 1 + table.by_key.len() + table.free.len());
    }

    #[test]
    fn entries_are_as_large_as_documented() {
        // Growing vectors and tables can have twice the room that they need.
        let entry = 2 * size_of::<Entry<AddressKey>>();
        let by_key = (1 + size_of::<(AddressKey, Slot)>()) * 16 / 7;
        let counts = size_of::<Counts>() + 2 * size_of::<usize>();
        let largest = entry + counts + by_key + 2 * size_of::<Slot>();
        assert!(largest <= 310, "{largest}");
        assert!(size_of::<Entry<Arc<str>>>() <= size_of::<Entry<AddressKey>>());
    }
}
