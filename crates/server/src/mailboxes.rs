//! The connections of the engine, by their numbers.

use crate::mailbox::Mailbox;
use sansocket_realtime::{guard::SlowConsumerConfig, hub::ConnectionId};
use std::{sync::Arc, time::Duration};

/// How often clients that take nothing are looked for, at most, within the time for which they may.
const LOOKS: u32 = 8;

/// What carries the messages of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// STOMP over WebSocket.
    WebSocket,
    /// STOMP in frames of SockJS, over whatever carries these.
    SockJs,
    Sse,
    Poll,
    /// A request that publishes.
    Publish,
    Mqtt,
}

impl Transport {
    pub(crate) const COUNT: usize = Self::Mqtt as usize + 1;

    /// Returns whether a client takes what the mailbox gets. The others get nothing but what the server itself
    /// takes.
    const fn is_taken(self) -> bool {
        !matches!(self, Self::Poll | Self::Publish | Self::Mqtt)
    }

    /// The names in the order of the variants.
    const NAMES: [&'static str; Self::COUNT] =
        ["websocket", "sockjs", "sse", "poll", "publish", "mqtt"];
}

/// The mailboxes of all connections, by their numbers.
///
/// A number is a place in the table, with a count of how often the place was used before it. So no two
/// connections ever have the same, and none has to be searched for.
///
/// They also look for clients that take nothing. The task of a client can't always do that: over HTTP/2 nobody
/// asks the body of a response for more while its client has no window.
#[derive(Debug)]
pub(crate) struct Mailboxes {
    places: Vec<Place>,
    free: Vec<u32>,
    by_transport: [usize; Transport::COUNT],
    config: SlowConsumerConfig,
    /// When to look for clients that take nothing.
    looks_at: Option<Duration>,
}

#[derive(Debug, Default)]
struct Place {
    uses: u32,
    /// `None` if the place is free.
    transport: Option<Transport>,
    /// The engine passes on the effects of a poll in another way.
    mailbox: Option<Arc<Mailbox>>,
}

impl Mailboxes {
    pub(crate) const fn new(config: SlowConsumerConfig) -> Self {
        let by_transport = [0; Transport::COUNT];
        Self { places: Vec::new(), free: Vec::new(), by_transport, config, looks_at: None }
    }

    /// Adds a connection with a mailbox. Returns both. It is ended if its client does not take what it
    /// gets.
    pub(crate) fn open(
        &mut self,
        transport: Transport,
        now: Duration,
    ) -> (ConnectionId, Arc<Mailbox>) {
        let mailbox = Mailbox::new(self.config);
        let connection = self.add(transport, Some(mailbox.clone()));
        if transport.is_taken() {
            self.looks_at.get_or_insert(now.saturating_add(self.config.stalled));
        }
        (connection, mailbox)
    }

    /// Adds a connection, and returns its number.
    pub(crate) fn add(
        &mut self,
        transport: Transport,
        mailbox: Option<Arc<Mailbox>>,
    ) -> ConnectionId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            // There is no room for more than 2³² of them.
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.uses = place.uses.wrapping_add(1);
        place.transport = Some(transport);
        place.mailbox = mailbox;
        self.by_transport[transport as usize] += 1;
        place.connection(index as usize)
    }

    pub(crate) fn get(&self, connection: ConnectionId) -> Option<&Arc<Mailbox>> {
        self.places.get(index(connection)).filter(|place| place.is_of(connection))?.mailbox.as_ref()
    }

    /// Removes a connection. Returns whether it was there.
    pub(crate) fn remove(&mut self, connection: ConnectionId) -> bool {
        let index = index(connection);
        let place = self.places.get_mut(index).filter(|place| place.is_of(connection));
        let Some(place) = place else { return false };
        if let Some(transport) = place.transport.take() {
            self.by_transport[transport as usize] -= 1;
        }
        place.mailbox = None;
        self.free.push(index as u32);
        true
    }

    /// Returns when to call [`time_passed`](Self::time_passed).
    pub(crate) const fn next_deadline(&self) -> Option<Duration> {
        self.looks_at
    }

    /// Ends connections whose clients are too slow. Returns their numbers.
    pub(crate) fn time_passed(&mut self, now: Duration) -> Vec<ConnectionId> {
        if self.looks_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let stalled = self.config.stalled;
        let (mut too_slow, mut is_empty) = (Vec::new(), true);
        // A client that has nothing to take now can't be too slow before then.
        let mut next = now.saturating_add(stalled);
        for (index, place) in self.places.iter().enumerate() {
            let Some(mailbox) = place.taken() else { continue };
            is_empty = false;
            match mailbox.time_passed(now, stalled) {
                Ok(deadline) => next = next.min(deadline.unwrap_or(next)),
                Err(_) => too_slow.push(place.connection(index)),
            }
        }
        let soonest = now.saturating_add((stalled / LOOKS).max(Duration::from_millis(1)));
        self.looks_at = (!is_empty).then_some(next.max(soonest));
        too_slow
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        self.places.iter().filter_map(|place| place.mailbox.as_ref())
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Returns how many connections each transport has, by its name.
    pub(crate) fn by_transport(&self) -> [(&'static str, usize); Transport::COUNT] {
        std::array::from_fn(|index| (Transport::NAMES[index], self.by_transport[index]))
    }

    /// Returns how many connections are no polls.
    pub(crate) fn lasting(&self) -> usize {
        self.len() - self.by_transport[Transport::Poll as usize]
    }
}

impl Place {
    fn connection(&self, index: usize) -> ConnectionId {
        ConnectionId(u64::from(self.uses) << 32 | index as u64)
    }

    /// Returns the mailbox, if a client takes what it gets.
    fn taken(&self) -> Option<&Arc<Mailbox>> {
        self.mailbox.as_ref().filter(|_| self.transport.is_some_and(Transport::is_taken))
    }

    const fn is_of(&self, connection: ConnectionId) -> bool {
        self.transport.is_some() && self.uses as u64 == connection.0 >> 32
    }
}

fn index(connection: ConnectionId) -> usize {
    (connection.0 & 0xffff_ffff) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn clients_are_looked_at_when_they_can_be_too_slow_and_not_for_each_of_them() {
        let mut mailboxes = Mailboxes::new(SlowConsumerConfig::default().stalled(8 * SECOND));
        assert_eq!(mailboxes.next_deadline(), None);
        let (sender, unread) = mailboxes.open(Transport::Publish, Duration::ZERO);
        assert_eq!(unread.set_downstream(1, Duration::ZERO), None);
        assert_eq!(mailboxes.next_deadline(), None);
        let opened = [0, 1, 1].map(|at| mailboxes.open(Transport::Sse, at * SECOND));
        assert_eq!(mailboxes.next_deadline(), Some(8 * SECOND));
        let [(first, one), (second, other), _] = &opened;
        for (mailbox, at) in [(one, 3 * SECOND), (other, 3 * SECOND + SECOND / 2)] {
            assert_eq!(mailbox.set_downstream(1, at), None);
        }
        assert!(mailboxes.time_passed(8 * SECOND).is_empty());
        assert_eq!(mailboxes.next_deadline(), Some(11 * SECOND));
        assert_eq!(mailboxes.time_passed(11 * SECOND), [*first]);
        // The other's deadline is sooner.
        assert_eq!(mailboxes.next_deadline(), Some(12 * SECOND));
        assert!(mailboxes.time_passed(11 * SECOND + SECOND / 2).is_empty());
        assert_eq!(mailboxes.time_passed(12 * SECOND), [*first, *second]);
        for (connection, _) in opened {
            mailboxes.remove(connection);
        }
        assert!(mailboxes.time_passed(30 * SECOND).is_empty());
        assert_eq!(mailboxes.next_deadline(), None);
        assert!(mailboxes.get(sender).is_some());
    }
}
