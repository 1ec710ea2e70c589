//! Rooms: their members, and the messages that they keep.

use crate::BUDGET;
use crate::entry::Entry;
use sansocket::{
    DeflateConfig, PreparedMessage,
    on_tokio::{Group, Membership, ServerSendHalf},
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// All rooms.
#[derive(Debug)]
pub(crate) struct Rooms {
    rooms: Mutex<HashMap<String, Arc<Room>>>,
    /// How many messages a room keeps.
    history: usize,
}

#[derive(Debug, Default)]
struct Room {
    group: Group,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    /// The last messages: their numbers, and how they are sent.
    history: VecDeque<(u64, Box<RawValue>)>,
    /// The length of the messages in `history`.
    history_len: usize,
    /// The names of the members, under how they are compared.
    members: BTreeMap<String, String>,
}

/// Why a guest can't enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    NameTaken,
    TooManyRooms,
}

/// A guest in a room. Dropping this leaves the room.
#[derive(Debug)]
pub(crate) struct Stay {
    room: Arc<Room>,
    name: String,
    /// How many messages the room keeps.
    history: usize,
    /// Taken by [`leave`](Self::leave).
    membership: Option<Membership>,
}

/// What is sent to members, as JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event<'a> {
    /// The first event: what the room keeps, and who is there.
    Welcome {
        history: Vec<&'a RawValue>,
        missed: u64,
        members: Vec<&'a str>,
    },
    /// Numbers have no gaps. A member who is too slow notices what it has missed.
    Message {
        id: u64,
        from: &'a str,
        text: &'a str,
        at: u64,
    },
    Joined {
        name: &'a str,
    },
    Left {
        name: &'a str,
    },
}

/// The most rooms that are kept, with and without members.
const MOST_ROOMS: usize = 100;

/// The most bytes of messages that a room keeps. In JSON, a message can be six times as long.
const MOST_KEPT: usize = 256 << 10;

impl Rooms {
    pub(crate) fn new(history: usize) -> Self {
        Self { rooms: Mutex::default(), history }
    }

    /// Returns the names of the rooms that somebody is in.
    pub(crate) fn open(&self) -> Vec<String> {
        let rooms = lock(&self.rooms);
        let open = rooms.iter().filter(|(_, room)| !lock(&room.state).members.is_empty());
        let mut names: Vec<_> = open.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    /// Returns `true` if there is this room, or there can be one more.
    pub(crate) fn has_room_for(&self, name: &str) -> bool {
        let rooms = lock(&self.rooms);
        rooms.len() < MOST_ROOMS || rooms.contains_key(name) || empty_room(&rooms).is_some()
    }

    /// Returns `true` if somebody in this room has this name.
    pub(crate) fn is_taken(&self, room: &str, name: &str) -> bool {
        let rooms = lock(&self.rooms);
        rooms.get(room).is_some_and(|room| lock(&room.state).members.contains_key(&compared(name)))
    }

    /// Lets a guest into a room: sends it what the room keeps, and tells the others. Returns the
    /// sending half if that is refused.
    pub(crate) fn enter(
        &self,
        entry: Entry,
        sender: ServerSendHalf,
    ) -> Result<Stay, (Refused, ServerSendHalf)> {
        match self.reserve(&entry.room, &entry.name) {
            Ok(room) => Ok(room.enter(entry.name, entry.since, self.history, sender)),
            Err(refused) => Err((refused, sender)),
        }
    }

    /// Takes a name in a room, which may be a new one.
    fn reserve(&self, room: &str, name: &str) -> Result<Arc<Room>, Refused> {
        let mut rooms = lock(&self.rooms);
        if rooms.len() >= MOST_ROOMS && !rooms.contains_key(room) {
            let empty = empty_room(&rooms).ok_or(Refused::TooManyRooms)?;
            rooms.remove(&empty);
        }
        let room = Arc::clone(rooms.entry(room.to_owned()).or_default());
        // Under both locks: a room without members may be removed by the next guest.
        let mut state = lock(&room.state);
        if state.members.contains_key(&compared(name)) {
            return Err(Refused::NameTaken);
        }
        state.members.insert(compared(name), name.to_owned());
        drop(state);
        Ok(room)
    }
}

/// Returns how a name is compared with others, so that Ada is not taken for ada.
fn compared(name: &str) -> String {
    name.to_lowercase()
}

/// Returns the name of a room without members.
fn empty_room(rooms: &HashMap<String, Arc<Room>>) -> Option<String> {
    let is_empty = |room: &Room| lock(&room.state).members.is_empty();
    rooms.iter().find(|(_, room)| is_empty(room)).map(|(name, _)| name.clone())
}

impl Room {
    /// Adds a guest whose name is already reserved.
    fn enter(
        self: Arc<Self>,
        name: String,
        since: u64,
        history: usize,
        mut sender: ServerSendHalf,
    ) -> Stay {
        let state = lock(&self.state);
        // Everything below happens under the lock, so no message comes twice or is left out. None of it
        // waits.
        self.group.send(&prepared(&Event::Joined { name: &name }));
        // If this fails, the guest is gone already, and its receiving half finds out.
        let _ = sender.push(state.welcome(since));
        let membership = self.group.join(sender);
        drop(state);
        Stay { room: self, name, history, membership: Some(membership) }
    }
}

impl State {
    fn welcome(&self, since: u64) -> PreparedMessage {
        // Numbers begin again when the server does.
        let since = if since > self.last_id { 0 } else { since };
        let first = self.history.front().map_or(self.last_id + 1, |(id, _)| *id);
        let newer = self.history.iter().filter(|(id, _)| *id > since);
        prepared(&Event::Welcome {
            history: newer.map(|(_, event)| &**event).collect(),
            missed: first.saturating_sub(since + 1),
            members: self.members.values().map(String::as_str).collect(),
        })
    }

    /// Keeps a message, and at most so many in all.
    fn keep(&mut self, event: Box<RawValue>, most: usize) {
        self.history_len += event.get().len();
        self.history.push_back((self.last_id, event));
        while self.history.len() > most || self.history_len > MOST_KEPT {
            let Some((_, oldest)) = self.history.pop_front() else { break };
            self.history_len -= oldest.get().len();
        }
    }
}

impl Stay {
    /// Sends a message to everybody in the room, the guest included.
    pub(crate) fn say(&self, text: &str) {
        let mut state = lock(&self.room.state);
        state.last_id += 1;
        let event = Event::Message { id: state.last_id, from: &self.name, text, at: now() };
        let event = to_raw_value(&event).expect(ALWAYS_JSON);
        self.room.group.send(&compressed(event.get()));
        state.keep(event, self.history);
    }

    /// Leaves the room. Returns the sending half, unless the connection has ended.
    pub(crate) fn leave(mut self) -> Option<ServerSendHalf> {
        self.membership.take()?.leave()
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut state = lock(&self.room.state);
        drop(self.membership.take());
        state.members.remove(&compared(&self.name));
        self.room.group.send(&prepared(&Event::Left { name: &self.name }));
    }
}

const ALWAYS_JSON: &str = "texts and numbers are always JSON";

/// Encodes an event once for all members.
fn prepared(event: &Event<'_>) -> PreparedMessage {
    compressed(&serde_json::to_string(event).expect(ALWAYS_JSON))
}

/// Compresses once for all members whose browsers have agreed to it.
fn compressed(event: &str) -> PreparedMessage {
    PreparedMessage::new(event).deflate(&DeflateConfig::new()).budget(&BUDGET)
}

/// Returns the milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}

/// A panic leaves no state here half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_that_somebody_enters_is_not_removed_and_there_are_no_more_than_can_be() {
        let rooms = Rooms::new(10);
        let first = rooms.reserve("0", "Ada").unwrap();
        for number in 1..MOST_ROOMS {
            rooms.reserve(&number.to_string(), "Ada").unwrap();
        }
        assert_eq!(rooms.reserve("one more", "Ada").unwrap_err(), Refused::TooManyRooms);
        assert_eq!(rooms.reserve("0", "ADA").unwrap_err(), Refused::NameTaken);
        assert!(Arc::ptr_eq(&first, &rooms.reserve("0", "Bob").unwrap()));
        // A room that everybody has left makes room.
        lock(&rooms.rooms)["7"].state.lock().unwrap().members.clear();
        rooms.reserve("one more", "Ada").unwrap();
        assert!(!lock(&rooms.rooms).contains_key("7"));
        assert_eq!(lock(&rooms.rooms).len(), MOST_ROOMS);
    }
}
