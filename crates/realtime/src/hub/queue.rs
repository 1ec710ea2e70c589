//! Queues: each message goes to one consumer.

use super::{
    Authorization, Effect, Hub, QueueConfig, Refusal,
    flow::Delivery,
    ids::Requester,
    keys::{OfQueue, QueueKey, SubscriptionKey},
    refusal::cut,
    slab::Slab,
    subscription::State,
};
use crate::{
    destination::Destination,
    message::{Message, Published},
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    string::ToString,
    sync::Arc,
    vec::Vec,
};
use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct Queue {
    name: Arc<str>,
    /// What no consumer has, in the order of the positions.
    messages: VecDeque<Queued>,
    /// How many messages consumers have and have not acknowledged.
    delivered: usize,
    /// How many bytes all of these messages have.
    bytes: usize,
    consumers: usize,
    /// The line of the consumers that can take a message, by their places.
    ready: BTreeMap<u64, SubscriptionKey>,
    last_place: u64,
}

#[derive(Debug)]
struct Queued {
    message: Arc<Published>,
    position: u64,
    deliveries: u32,
}

#[derive(Debug)]
pub(super) struct Queues {
    queues: Slab<OfQueue, Queue>,
    names: HashMap<Arc<str>, QueueKey>,
    /// How many bytes all messages take, with what each takes beside its size.
    bytes: usize,
}

impl Default for Queues {
    fn default() -> Self {
        Self { queues: Slab::new(), names: HashMap::new(), bytes: 0 }
    }
}

impl Queues {
    pub(super) fn len(&self) -> usize {
        self.queues.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<QueueKey> {
        self.names.get(name).copied()
    }

    fn insert(&mut self, name: &str) -> Option<QueueKey> {
        let name: Arc<str> = name.into();
        let key = self.queues.insert(Queue {
            name: name.clone(),
            messages: VecDeque::new(),
            delivered: 0,
            bytes: 0,
            consumers: 0,
            ready: BTreeMap::new(),
            last_place: 0,
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
            queue.ready.remove(&place);
        }
    }

    pub(super) fn remove_if_unused(&mut self, key: QueueKey) {
        let is_unused = |queue: &Queue| {
            queue.consumers == 0 && queue.messages.is_empty() && queue.delivered == 0
        };
        if self.queues.get(key).is_some_and(is_unused) {
            if let Some(queue) = self.queues.remove(key) {
                self.names.remove(&queue.name);
                if self.names.is_empty() {
                    self.names.shrink_to_fit();
                }
            }
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

    /// Notes that a message has come into a queue.
    fn has_come(&mut self, key: QueueKey, message: &Message) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.bytes += message.size();
            self.bytes += message.size() + Published::OVERHEAD;
        }
    }

    /// Notes that a message has left a queue for good.
    fn has_gone(&mut self, key: QueueKey, message: &Message) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.bytes -= message.size();
            self.bytes -= message.size() + Published::OVERHEAD;
        }
    }
}

impl<A: Authorization> Hub<A> {
    /// Puts a message into a queue that has room.
    pub(super) fn enqueue(&mut self, name: &str, message: Message) -> Result<(), Refusal> {
        let key = self.find_or_create_queue(name)?;
        let position = self.sequence.next();
        let cursor = self.sequence.cursor(position);
        self.queues.has_come(key, &message);
        if let Some(queue) = self.queues.queues.get_mut(key) {
            let message = Arc::new(Published::new(Some(cursor), queue.name.clone(), message));
            queue.messages.push_back(Queued { message, position, deliveries: 0 });
        }
        self.dispatch(key);
        Ok(())
    }

    pub(super) fn find_or_create_queue(&mut self, name: &str) -> Result<QueueKey, Refusal> {
        if let Some(key) = self.queues.find(name) {
            return Ok(key);
        }
        self.check_destinations(1)?;
        self.queues.insert(name).ok_or(Refusal::TooManyDestinations { limit: u32::MAX as usize })
    }

    /// Puts a consumer at the end of the line of those that can take a message.
    pub(super) fn stand_in_line(&mut self, key: QueueKey, consumer: SubscriptionKey) {
        let (Some(queue), Some(subscription)) =
            (self.queues.queues.get_mut(key), self.subscriptions.get_mut(consumer))
        else {
            return;
        };
        if subscription.state == State::Live {
            queue.ready.remove(&subscription.through);
        }
        queue.last_place = queue.last_place.saturating_add(1);
        queue.ready.insert(queue.last_place, consumer);
        subscription.through = queue.last_place;
        subscription.state = State::Live;
    }

    /// Gives messages to consumers in turn, as long as one can take a message.
    pub(super) fn dispatch(&mut self, key: QueueKey) {
        while let Some(queue) = self.queues.queues.get_mut(key) {
            if queue.messages.is_empty() {
                break;
            }
            let Some((_, consumer)) = queue.ready.pop_first() else { break };
            let Some(subscription) = self.subscriptions.get_mut(consumer) else { continue };
            subscription.state = State::Behind;
            let Some(Queued { message, deliveries, .. }) = queue.messages.pop_front() else {
                break;
            };
            if subscription.flow.is_some() {
                queue.delivered += 1;
            } else {
                self.queues.has_gone(key, message.message());
            }
            self.deliver(consumer, &message, deliveries + 1);
            if self.subscriptions.get(consumer).is_some_and(|consumer| consumer.room() > 0) {
                self.stand_in_line(key, consumer);
            }
        }
        self.queues.remove_if_unused(key);
    }

    /// Notes that messages were consumed.
    pub(super) fn consumed(&mut self, key: QueueKey, deliveries: &[Delivery]) {
        if let Some(queue) = self.queues.queues.get_mut(key) {
            queue.delivered -= deliveries.len();
        }
        for delivery in deliveries {
            self.queues.has_gone(key, delivery.message.message());
        }
    }

    /// Puts messages that were not consumed back to their places, or gives them up if they were delivered
    /// too often.
    pub(super) fn give_back(&mut self, key: QueueKey, deliveries: Vec<Delivery>) {
        for Delivery { message, deliveries, .. } in deliveries {
            let Some(queue) = self.queues.queues.get_mut(key) else { return };
            queue.delivered -= 1;
            if deliveries < self.config.queues.deliveries {
                let position = message.cursor().map_or(0, |cursor| cursor.position);
                let place = queue.messages.partition_point(|queued| queued.position < position);
                queue.messages.insert(place, Queued { message, position, deliveries });
            } else {
                self.queues.has_gone(key, message.message());
                self.give_up(message, deliveries);
            }
        }
    }

    /// Returns why so many messages more have no room in a queue.
    pub(super) fn refusal_of_queue(
        &self,
        name: &str,
        messages: usize,
        bytes: usize,
    ) -> Option<Refusal> {
        let refusal = self.queues.refusal(name, messages, bytes, &self.config.queues);
        refusal.or_else(|| self.queues.refusal_of_all(messages, bytes, self.config.queued))
    }

    /// Sends a message that no consumer took to the destination for such messages.
    fn give_up(&mut self, message: Arc<Published>, deliveries: u32) {
        let sent = match self.config.queues.dead_letters.clone() {
            Some(destination) if *destination != **message.destination() => {
                self.send_dead_letter(&destination, dead_letter(&message, deliveries))
            }
            _ => false,
        };
        if !sent {
            self.effects.push(Effect::Discarded { message, deliveries });
        }
    }

    /// Returns whether there is a destination for messages that no consumer takes, which does not exist
    /// yet.
    pub(super) fn needs_dead_letters(&self) -> bool {
        let destination = self.config.queues.dead_letters.as_deref();
        destination
            .is_some_and(|it| self.queues.find(it).is_none() && self.topics.find(it).is_none())
    }

    fn send_dead_letter(&mut self, destination: &str, message: Message) -> bool {
        match Destination::parse(destination) {
            Ok(Destination::Queue(name)) => {
                self.refusal_of_queue(name, 1, message.size()).is_none()
                    && self.enqueue(name, message).is_ok()
            }
            Ok(Destination::Topic(name)) => {
                self.send_unasked(name, message, Requester::NOBODY).is_ok()
            }
            _ => false,
        }
    }
}

/// Returns a message that no consumer took, with headers that say what became of it. Those of the same
/// names that its sender has given would pass for ours.
fn dead_letter(message: &Published, deliveries: u32) -> Message {
    const NAMES: [&str; 2] = ["dead-letter-destination", "dead-letter-deliveries"];
    let values = [message.destination().to_string(), deliveries.to_string()];
    let message = message.message().clone();
    let own = message.headers().filter(|(name, _)| !NAMES.contains(name));
    let headers = own.map(|(name, value)| (name.to_string(), value.to_string()));
    let ours = NAMES.map(ToString::to_string).into_iter().zip(values);
    let headers: Vec<_> = headers.chain(ours).collect();
    message.with_headers(headers)
}
