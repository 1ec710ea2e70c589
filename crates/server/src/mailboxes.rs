//! The connections of the engine, by their numbers.

use crate::mailbox::Mailbox;
use sansocket_realtime::hub::ConnectionId;
use std::sync::Arc;

/// The mailboxes of all connections, by their numbers.
///
/// A number is a place in the table, with a count of how often the place was used before it. So no two
/// connections ever have the same, and none has to be searched for.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Place {
    uses: u32,
    is_used: bool,
    /// The engine passes on the effects of a poll in another way.
    mailbox: Option<Arc<Mailbox>>,
}

impl Mailboxes {
    /// Adds a connection, and returns its number.
    pub(crate) fn add(&mut self, mailbox: Option<Arc<Mailbox>>) -> ConnectionId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            // There is no room for more than 2³² of them.
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.uses = place.uses.wrapping_add(1);
        place.is_used = true;
        place.mailbox = mailbox;
        ConnectionId(u64::from(place.uses) << 32 | u64::from(index))
    }

    pub(crate) fn get(&self, connection: ConnectionId) -> Option<&Arc<Mailbox>> {
        self.places.get(index(connection)).filter(|place| place.is_of(connection))?.mailbox.as_ref()
    }

    pub(crate) fn remove(&mut self, connection: ConnectionId) {
        let index = index(connection);
        if let Some(place) = self.places.get_mut(index).filter(|place| place.is_of(connection)) {
            place.is_used = false;
            place.mailbox = None;
            self.free.push(index as u32);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        self.places.iter().filter_map(|place| place.mailbox.as_ref())
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

impl Place {
    const fn is_of(&self, connection: ConnectionId) -> bool {
        self.is_used && self.uses as u64 == connection.0 >> 32
    }
}

fn index(connection: ConnectionId) -> usize {
    (connection.0 & 0xffff_ffff) as usize
}
