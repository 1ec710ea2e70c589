//! Queues: each message goes to one consumer.

use super::{
    QueueConfig, Refusal,
    keys::{OfQueue, QueueKey},
    line::Line,
    refusal::cut,
    slab::Slab,
};
use crate::message::{Message, Published};
use alloc::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    vec::Vec,
};
use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: Arc<str>,
    /// What no consumer has, in the order of the positions.
    pub(super) messages: VecDeque<Queued>,
    /// How many messages consumers have and have not acknowledged.
    pub(super) delivered: usize,
    /// How many bytes all of these messages have.
    bytes: usize,
    consumers: usize,
    pub(super) line: Line,
    /// The messages are those of the broker, which gives some of them to this hub.
    share: Option<Share>,
}

impl Queue {
    /// Returns whether the messages are those of the broker.
    pub(super) fn is_shared(&self) -> bool {
        self.share.is_some()
    }
}

#[derive(Debug)]
pub(super) struct Queued {
    pub(super) message: Arc<Published>,
    pub(super) position: u64,
    /// How often it was delivered.
    pub(super) deliveries: u32,
}

/// What the hub has asked the broker for.
#[derive(Debug, Default)]
struct Share {
    /// How many messages have still to come.
    credit: u32,
    /// The broker has not answered yet that it has stopped. Until then, nothing is asked for.
    is_stopping: bool,
    /// While it stops, a message was returned: what comes behind it may not overtake it.
    has_returned: bool,
}

/// What the broker has to be told of a queue.
#[derive(Debug)]
pub(super) enum Demand {
    /// Too much was asked for.
    Less,
    /// So many messages more are wanted.
    More(u32),
}

#[derive(Debug)]
pub(super) struct Queues {
    queues: Slab<OfQueue, Queue>,
    names: HashMap<Arc<str>, QueueKey>,
    /// How many bytes all messages take, with what each takes beside its size.
    bytes: usize,
    /// The queues of the bridge whose consumers can take more or less than before.
    changed: BTreeSet<QueueKey>,
    /// The queues of the bridge whose consumers can take more than there is room for.
    without_room: BTreeSet<QueueKey>,
}

impl Default for Queues {
    fn default() -> Self {
        Self {
            queues: Slab::new(),
            names: HashMap::new(),
            bytes: 0,
            changed: BTreeSet::new(),
            without_room: BTreeSet::new(),
        }
    }
}

impl Queues {
    pub(super) fn len(&self) -> usize {
        self.queues.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<QueueKey> {
        self.names.get(name).copied()
    }

    pub(super) fn get_mut(&mut self, key: QueueKey) -> Option<&mut Queue> {
        self.queues.get_mut(key)
    }

    pub(super) fn insert(&mut self, name: &str, is_bridged: bool) -> Option<QueueKey> {
        let name: Arc<str> = name.into();
        let key = self.queues.insert(Queue {
            name: name.clone(),
            messages: VecDeque::new(),
            delivered: 0,
            bytes: 0,
            consumers: 0,
            line: Line::default(),
            share: is_bridged.then(Share::default),
        })?;
        self.names.insert(name, key);
        Some(key)
    }

    pub(super) fn add_consumer(&mut self, key: QueueKey) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.consumers += 1;
        }
    }

    pub(super) fn remove_consumer(&mut self, key: QueueKey) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.consumers -= 1;
        }
    }

    /// Notes that the consumer at this place in the line can't take messages.
    pub(super) fn is_busy(&mut self, key: QueueKey, place: u64) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.line.remove(place);
        }
        self.has_changed(key);
    }

    /// Removes a queue that nobody needs, once the broker does not give it messages any more.
    pub(super) fn remove_if_unused(&mut self, key: QueueKey) {
        let is_unused = |queue: &Queue| {
            let is_quiet = |share: &Share| share.credit == 0 && !share.is_stopping;
            let has_nothing = queue.messages.is_empty() && queue.delivered == 0;
            queue.consumers == 0 && has_nothing && queue.share.as_ref().is_none_or(is_quiet)
        };
        if self.queues.get(key).is_some_and(is_unused) {
            if let Some(queue) = self.queues.remove(key) {
                self.names.remove(&queue.name);
                if self.names.is_empty() {
                    self.names.shrink_to_fit();
                }
            }
            self.changed.remove(&key);
            self.without_room.remove(&key);
        }
    }

    /// Returns why so many messages more have no room in a queue.
    pub(super) fn refusal(
        &self,
        name: &str,
        messages: usize,
        bytes: usize,
        config: &QueueConfig,
    ) -> Option<Refusal> {
        let queue = self.find(name).and_then(|key| self.queues.get(key));
        let (held, held_bytes) =
            queue.map_or((0, 0), |queue| (queue.messages.len() + queue.delivered, queue.bytes));
        let is_full = held.saturating_add(messages) > config.messages
            || held_bytes.saturating_add(bytes) > config.bytes;
        is_full.then(|| Refusal::QueueFull {
            destination: cut(name),
            messages: held,
            bytes: held_bytes,
        })
    }

    /// Returns why so many messages more have no room in all queues together.
    pub(super) fn refusal_of_all(
        &self,
        messages: usize,
        bytes: usize,
        limit: usize,
    ) -> Option<Refusal> {
        let more = messages.saturating_mul(Published::OVERHEAD).saturating_add(bytes);
        let is_full = self.bytes.saturating_add(more) > limit;
        is_full.then_some(Refusal::QueuesFull { bytes: self.bytes, limit })
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether the messages of a queue are those of the broker.
    pub(super) fn is_shared(&self, key: QueueKey) -> bool {
        self.queues.get(key).is_some_and(Queue::is_shared)
    }

    /// Finds a queue whose messages are those of the broker.
    pub(super) fn find_shared(&self, name: &str) -> Option<QueueKey> {
        self.find(name).filter(|key| self.is_shared(*key))
    }

    /// Notes that consumers of a queue can take more or less than before.
    pub(super) fn has_changed(&mut self, key: QueueKey) {
        if self.is_shared(key) {
            self.changed.insert(key);
        }
    }

    /// Notes that one of the messages has come that the broker was asked for.
    pub(super) fn has_got_one(&mut self, key: QueueKey) {
        if let Some(share) = self.queues.get_mut(key).and_then(|queue| queue.share.as_mut()) {
            share.credit = share.credit.saturating_sub(1);
            self.changed.insert(key);
        }
    }

    /// Notes that nothing comes any more that the broker was asked for.
    pub(super) fn has_stopped(&mut self, key: QueueKey) {
        if let Some(share) = self.queues.get_mut(key).and_then(|queue| queue.share.as_mut()) {
            if share.is_stopping {
                *share = Share::default();
                self.changed.insert(key);
            }
        }
    }

    /// Notes that the bridge has gone down: nothing is asked for. Returns the queues of the bridge.
    pub(super) fn ask_anew(&mut self) -> Vec<QueueKey> {
        let shared = self.queues.iter().filter(|(_, queue)| queue.is_shared());
        let keys: Vec<_> = shared.map(|(key, _)| key).collect();
        for &key in &keys {
            if let Some(queue) = self.queues.get_mut(key) {
                queue.share = Some(Share::default());
                self.changed.insert(key);
            }
        }
        keys
    }

    /// Returns whether the broker knows what consumers can take.
    pub(super) fn all_is_asked_for(&self) -> bool {
        self.changed.is_empty() && self.without_room.is_empty()
    }

    /// Takes out the queues of which the broker may have to be told something.
    pub(super) fn changed(&mut self, has_room: bool) -> BTreeSet<QueueKey> {
        if has_room {
            self.changed.append(&mut self.without_room);
        }
        core::mem::take(&mut self.changed)
    }

    /// Returns what the broker has to be told of a queue.
    pub(super) fn demand(&mut self, key: QueueKey, has_room: bool) -> Option<(Arc<str>, Demand)> {
        let queue = self.queues.get_mut(key)?;
        let share = queue.share.as_mut().filter(|share| !share.is_stopping)?;
        let wanted = u32::try_from(queue.line.room()).unwrap_or(u32::MAX);
        let demand = match wanted.checked_sub(share.credit) {
            None => {
                share.is_stopping = true;
                Demand::Less
            }
            Some(0) => return None,
            Some(more) if has_room => {
                share.credit = wanted;
                Demand::More(more)
            }
            Some(_) => {
                self.without_room.insert(key);
                return None;
            }
        };
        Some((queue.name.clone(), demand))
    }

    /// Puts a message into its place.
    pub(super) fn put(&mut self, key: QueueKey, queued: Queued) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        let behind = |other: &Queued| other.position < queued.position;
        let place = queue.messages.partition_point(behind);
        queue.messages.insert(place, queued);
    }

    /// Returns whether what was on its way when the broker was asked to stop is returned.
    pub(super) fn has_returned(&self, key: QueueKey) -> bool {
        let share = self.queues.get(key).and_then(|queue| queue.share.as_ref());
        share.is_some_and(|share| share.has_returned)
    }

    /// Takes out what no consumer can take, if that is the broker's.
    pub(super) fn take_rest(&mut self, key: QueueKey) -> VecDeque<Queued> {
        let Some(Queue { messages, share: Some(share), .. }) = self.queues.get_mut(key) else {
            return VecDeque::new();
        };
        let rest = core::mem::take(messages);
        share.has_returned |= share.is_stopping && !rest.is_empty();
        for queued in &rest {
            self.has_gone(key, queued.message.message());
        }
        rest
    }

    /// Notes that a message has come into a queue.
    pub(super) fn has_come(&mut self, key: QueueKey, message: &Message) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.bytes += message.size();
            self.bytes += message.size() + Published::OVERHEAD;
        }
    }

    /// Notes that a message has left a queue for good.
    pub(super) fn has_gone(&mut self, key: QueueKey, message: &Message) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.bytes -= message.size();
            self.bytes -= message.size() + Published::OVERHEAD;
        }
    }
}
