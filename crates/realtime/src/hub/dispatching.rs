//! From a queue to its consumers, and back.

use super::{
    Authorization, Config, Hub, Refusal,
    flow::Delivery,
    keys::{QueueKey, SubscriptionKey},
    queue::Queued,
    subscription::{State, Subscription},
};
use crate::message::{Message, Published};
use alloc::{sync::Arc, vec::Vec};

impl<A: Authorization> Hub<A> {
    /// Puts a message into a queue that has room.
    pub(super) fn enqueue(&mut self, name: &str, message: Message) -> Result<(), Refusal> {
        let key = self.find_or_create_queue(name)?;
        let position = self.sequence.next();
        let cursor = self.sequence.cursor(position);
        self.queues.has_come(key, &message);
        if let Some(queue) = self.queues.get_mut(key) {
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
        let created = self.queues.insert(name, self.is_bridged(name));
        created.ok_or(Refusal::TooManyDestinations { limit: u32::MAX as usize })
    }

    /// Puts a consumer at the end of the line of those that can take a message.
    pub(super) fn stand_in_line(&mut self, key: QueueKey, consumer: SubscriptionKey) {
        let (Some(queue), Some(subscription)) =
            (self.queues.get_mut(key), self.subscriptions.get_mut(consumer))
        else {
            return;
        };
        if subscription.state == State::Live {
            queue.line.remove(subscription.through);
        }
        let room = room_in_line(subscription, &self.config);
        subscription.through = queue.line.push(consumer, room);
        subscription.state = State::Live;
        self.queues.has_changed(key);
    }

    /// Notes that a consumer who is in the line can take more than before.
    pub(super) fn has_more_room(&mut self, key: QueueKey, consumer: SubscriptionKey) {
        let Some(subscription) = self.subscriptions.get(consumer) else { return };
        if let Some(queue) = self.queues.get_mut(key) {
            if subscription.state == State::Live {
                let room = room_in_line(subscription, &self.config);
                queue.line.set_room(subscription.through, room);
                self.queues.has_changed(key);
            }
        }
    }

    /// Gives messages to consumers in turn, as long as one can take a message.
    pub(super) fn dispatch(&mut self, key: QueueKey) {
        while let Some(queue) = self.queues.get_mut(key) {
            if queue.messages.is_empty() {
                break;
            }
            let Some(consumer) = queue.line.pop() else { break };
            let Some(subscription) = self.subscriptions.get_mut(consumer) else { continue };
            subscription.state = State::Behind;
            let Some(Queued { message, deliveries, .. }) = queue.messages.pop_front() else {
                break;
            };
            let is_consumed = subscription.flow.is_none();
            if !is_consumed {
                queue.delivered += 1;
            }
            let is_shared = queue.is_shared();
            self.deliver(consumer, &message, deliveries.saturating_add(1));
            if is_consumed {
                self.queues.has_gone(key, message.message());
                if is_shared {
                    self.is_consumed(&message);
                }
            }
            if self.subscriptions.get(consumer).is_some_and(|consumer| consumer.room() > 0) {
                self.stand_in_line(key, consumer);
            } else {
                self.queues.has_changed(key);
            }
        }
        self.return_rest(key);
        self.queues.remove_if_unused(key);
    }

    /// Notes that messages were consumed.
    pub(super) fn consumed(&mut self, key: QueueKey, deliveries: &[Delivery]) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.delivered -= deliveries.len();
        }
        let is_shared = self.queues.is_shared(key);
        for delivery in deliveries {
            self.queues.has_gone(key, delivery.message.message());
            if is_shared {
                self.is_consumed(&delivery.message);
            }
        }
    }

    /// Puts messages that were not consumed back to their places, or gives them up if they were delivered
    /// too often.
    pub(super) fn give_back(&mut self, key: QueueKey, deliveries: Vec<Delivery>) {
        let is_shared = self.queues.is_shared(key);
        for Delivery { message, deliveries, .. } in deliveries {
            let Some(queue) = self.queues.get_mut(key) else { return };
            queue.delivered -= 1;
            if deliveries < self.config.queues.deliveries {
                let position = message.cursor().map_or(0, |cursor| cursor.position);
                self.queues.put(key, Queued { message, position, deliveries });
            } else {
                self.queues.has_gone(key, message.message());
                match is_shared {
                    true => self.give_up_for_broker(message, deliveries),
                    false => self.give_up(message, deliveries),
                }
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
}

/// Returns how many messages are asked for on behalf of a consumer.
fn room_in_line(consumer: &Subscription, config: &Config) -> u32 {
    // One that does not acknowledge would take everything.
    let room = u32::try_from(consumer.room()).unwrap_or(u32::MAX);
    room.min(config.window.get())
}
