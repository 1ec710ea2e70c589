//! Queues: each message goes to one consumer.

use super::{
    Authorization, Effect, Hub, QueueConfig, Refusal,
    connection::Requester,
    flow::Delivery,
    refusal::cut,
    slab::{Key, Slab},
    subscription::{State, Subscription},
};
use crate::{Message, Published, destination::Destination};
use alloc::{collections::VecDeque, string::ToString, sync::Arc, vec::Vec};
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
    /// The consumers that can take a message. The next one is in front.
    ready: VecDeque<Key<Subscription>>,
}

#[derive(Debug)]
struct Queued {
    message: Arc<Published>,
    position: u64,
    deliveries: u32,
}

#[derive(Debug)]
pub(super) struct Queues {
    queues: Slab<Queue>,
    names: HashMap<Arc<str>, Key<Queue>>,
}

impl Default for Queues {
    fn default() -> Self {
        Self { queues: Slab::new(), names: HashMap::new() }
    }
}

impl Queues {
    pub(super) fn len(&self) -> usize {
        self.queues.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<Key<Queue>> {
        self.names.get(name).copied()
    }

    fn insert(&mut self, name: &str) -> Option<Key<Queue>> {
        let name: Arc<str> = name.into();
        let key = self.queues.insert(Queue {
            name: name.clone(),
            messages: VecDeque::new(),
            delivered: 0,
            bytes: 0,
            consumers: 0,
            ready: VecDeque::new(),
        })?;
        self.names.insert(name, key);
        Some(key)
    }

    pub(super) fn add_consumer(&mut self, key: Key<Queue>) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.consumers += 1;
        }
    }

    /// Notes that a consumer can take messages.
    pub(super) fn is_ready(&mut self, key: Key<Queue>, consumer: Key<Subscription>) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.ready.push_back(consumer);
        }
    }

    /// Notes that a consumer can't take messages.
    pub(super) fn is_busy(&mut self, key: Key<Queue>, consumer: Key<Subscription>) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.ready.retain(|candidate| *candidate != consumer);
        }
    }

    pub(super) fn remove_if_unused(&mut self, key: Key<Queue>) {
        let is_unused = |queue: &Queue| {
            queue.consumers == 0 && queue.messages.is_empty() && queue.delivered == 0
        };
        if self.queues.get(key).is_some_and(is_unused) {
            if let Some(queue) = self.queues.remove(key) {
                self.names.remove(&queue.name);
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
}

impl<A: Authorization> Hub<A> {
    /// Puts a message into a queue that has room.
    pub(super) fn enqueue(&mut self, name: &str, message: Message) -> Result<(), Refusal> {
        let key = self.find_or_create_queue(name)?;
        let position = self.sequence.next();
        let cursor = self.sequence.cursor(position);
        if let Some(queue) = self.queues.queues.get_mut(key) {
            queue.bytes += message.size();
            let message = Arc::new(Published::new(Some(cursor), queue.name.clone(), message));
            queue.messages.push_back(Queued { message, position, deliveries: 0 });
        }
        self.dispatch(key);
        Ok(())
    }

    pub(super) fn find_or_create_queue(&mut self, name: &str) -> Result<Key<Queue>, Refusal> {
        if let Some(key) = self.queues.find(name) {
            return Ok(key);
        }
        self.check_destinations()?;
        self.queues.insert(name).ok_or(Refusal::TooManyDestinations { limit: u32::MAX as usize })
    }

    /// Gives messages to consumers in turn, as long as one can take a message.
    pub(super) fn dispatch(&mut self, key: Key<Queue>) {
        while let Some(queue) = self.queues.queues.get_mut(key) {
            let (Some(&consumer), false) = (queue.ready.front(), queue.messages.is_empty()) else {
                break;
            };
            queue.ready.pop_front();
            let Some(subscription) = self.subscriptions.get_mut(consumer) else { continue };
            let Some(Queued { message, deliveries, .. }) = queue.messages.pop_front() else {
                break;
            };
            if subscription.flow.is_some() {
                queue.delivered += 1;
            } else {
                queue.bytes -= message.message().size();
            }
            // The message that is delivered counts already.
            if subscription.room() > 1 {
                queue.ready.push_back(consumer);
            } else {
                subscription.state = State::Behind;
            }
            self.deliver(consumer, &message, deliveries + 1);
        }
        self.queues.remove_if_unused(key);
    }

    /// Removes a consumer. What it has not acknowledged is given back apart from this.
    pub(super) fn stop_consuming(&mut self, key: Key<Queue>, consumer: Key<Subscription>) {
        self.queues.is_busy(key, consumer);
        if let Some(queue) = self.queues.queues.get_mut(key) {
            queue.consumers -= 1;
        }
    }

    /// Notes that messages were consumed.
    pub(super) fn consumed(&mut self, key: Key<Queue>, deliveries: &[Delivery]) {
        let Some(queue) = self.queues.queues.get_mut(key) else { return };
        queue.delivered -= deliveries.len();
        queue.bytes -=
            deliveries.iter().map(|delivery| delivery.message.message().size()).sum::<usize>();
    }

    /// Puts messages that were not consumed back to their places, or gives them up if they were delivered
    /// too often.
    pub(super) fn give_back(&mut self, key: Key<Queue>, deliveries: Vec<Delivery>) {
        for Delivery { message, deliveries, .. } in deliveries {
            let Some(queue) = self.queues.queues.get_mut(key) else { return };
            queue.delivered -= 1;
            if deliveries < self.config.queues.deliveries {
                let position = message.cursor().map_or(0, |cursor| cursor.position);
                let place = queue.messages.partition_point(|queued| queued.position < position);
                queue.messages.insert(place, Queued { message, position, deliveries });
            } else {
                queue.bytes -= message.message().size();
                self.give_up(message, deliveries);
            }
        }
    }

    /// Sends a message that no consumer took to the destination for such messages.
    fn give_up(&mut self, message: Arc<Published>, deliveries: u32) {
        let sent = match self.config.queues.dead_letters.clone() {
            Some(destination) if *destination != **message.destination() => {
                let dead = message.message().clone();
                let dead = dead
                    .header("dead-letter-destination", message.destination())
                    .header("dead-letter-deliveries", &deliveries.to_string());
                self.send_dead_letter(&destination, dead)
            }
            _ => false,
        };
        if !sent {
            self.effects.push(Effect::Discarded { message, deliveries });
        }
    }

    fn send_dead_letter(&mut self, destination: &str, message: Message) -> bool {
        match Destination::parse(destination) {
            Ok(Destination::Queue(name)) => {
                let refusal = self.queues.refusal(name, 1, message.size(), &self.config.queues);
                refusal.is_none() && self.enqueue(name, message).is_ok()
            }
            Ok(Destination::Topic(name)) => {
                self.send_unasked(name, message, Requester::NOBODY).is_ok()
            }
            _ => false,
        }
    }
}
