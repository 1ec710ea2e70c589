//! Queues over a bridge: what the hub asks the broker for, takes, and settles.

use super::{
    Authorization, Effect, Hub,
    keys::QueueKey,
    outbox::{Origin, Original},
    queue::{Demand, Queued},
    taken::Settlement,
};
use crate::{
    bridge::{self, Entry, Outcome},
    cursor::Cursor,
    message::Published,
};
use alloc::{boxed::Box, sync::Arc};

impl<A: Authorization> Hub<A> {
    /// Takes a message of a queue from the broker, and gives it to a consumer. It goes back if there is
    /// none that can take it.
    pub(super) fn hear_taken(&mut self, entry: Entry, deliveries: u32, again: bool) {
        let key = self.queues.find_shared(&entry.destination);
        let is_full = self.queues.bytes() >= self.config.queued;
        let Some(bridge) = self.bridge.as_mut().filter(|bridge| bridge.is_up) else { return };
        let Some(sequence) = &bridge.sequence else { return };
        let cursor = sequence.cursor(entry.position);
        if let Some(key) = key.filter(|_| !again) {
            self.queues.has_got_one(key);
        }
        // It can be with the same consumer ever since it was told first.
        if !bridge.taken.insert(entry.position) {
            return;
        }
        let Entry { destination, position, message } = entry;
        // What was asked for before may come while there is no room for its bytes.
        let Some(key) = key.filter(|key| !is_full && !self.queues.has_returned(*key)) else {
            return self.settle_taken(destination, cursor, Outcome::Returned { deliveries });
        };
        let message = Arc::new(Published::new(Some(cursor), destination, message));
        if deliveries >= self.config.queues.deliveries.max(1) {
            // Whoever had it has died of it, or of something else.
            return self.give_up_for_broker(message, deliveries);
        }
        self.queues.has_come(key, message.message());
        self.queues.put(key, Queued { message, position, deliveries });
        self.dispatch(key);
    }

    /// Notes that the broker has carried out a settlement.
    pub(super) fn hear_settled(&mut self, cursor: Cursor) {
        let Some(bridge) = &mut self.bridge else { return };
        if bridge.sequence.as_ref().is_some_and(|sequence| sequence.epoch() == cursor.epoch) {
            bridge.taken.is_answered(cursor.position);
        }
    }

    /// Tells the broker again what it has not answered before it went down.
    pub(super) fn settle_again(&mut self) {
        let Some(bridge) = &self.bridge else { return };
        let Some(sequence) = &bridge.sequence else { return };
        for (position, Settlement { destination, outcome }) in bridge.taken.unanswered() {
            let (destination, outcome) = (destination.clone(), *outcome);
            let cursor = sequence.cursor(position);
            let settle = bridge::Command::Settle { destination, cursor, outcome };
            self.effects.push(Effect::Bridge(Box::new(settle)));
        }
    }

    /// Tells the broker that a message of a queue is gone for good.
    pub(super) fn is_consumed(&mut self, message: &Published) {
        if let Some(cursor) = self.cursor_at_broker(message) {
            self.settle_taken(message.destination().clone(), cursor, Outcome::Consumed);
        }
    }

    /// Returns the messages to the broker that no consumer here can take.
    pub(super) fn return_rest(&mut self, key: QueueKey) {
        for Queued { message, deliveries, .. } in self.queues.take_rest(key) {
            let destination = message.destination().clone();
            match self.cursor_at_broker(&message) {
                Some(cursor) => {
                    self.settle_taken(destination, cursor, Outcome::Returned { deliveries });
                }
                // The broker can have lost it.
                None => {
                    let copy = message.message().clone();
                    let origin = Origin::Original(Box::new(Original { message, deliveries }));
                    self.publish_through_bridge(&destination, copy, origin);
                }
            }
        }
    }

    /// Notes that nothing comes any more that the broker was asked for before.
    pub(super) fn hear_stopped(&mut self, destination: &str) {
        if let Some(key) = self.queues.find_shared(destination) {
            self.queues.has_stopped(key);
            self.queues.remove_if_unused(key);
        }
    }

    /// Asks the broker for as many messages as consumers can take, where that has changed.
    pub(super) fn ask_for_messages(&mut self) {
        if self.queues.all_is_asked_for() {
            return;
        }
        let Some(bridge) = self.bridge.as_ref().filter(|bridge| bridge.is_up) else { return };
        // What is taken has to be settled or to become a dead letter, and that is never refused.
        let has_room = !bridge.outbox.is_full(self.config.outbox)
            && bridge.taken.count_unanswered() < self.config.outbox.messages
            && self.queues.bytes() < self.config.queued;
        for key in self.queues.changed(has_room) {
            let Some((destination, demand)) = self.queues.demand(key, has_room) else { continue };
            let command = match demand {
                Demand::Less => bridge::Command::Stop { destination },
                Demand::More(count) => bridge::Command::Take { destination, count },
            };
            self.effects.push(Effect::Bridge(Box::new(command)));
        }
    }

    fn settle_taken(&mut self, destination: Arc<str>, cursor: Cursor, outcome: Outcome) {
        let Some(bridge) = &mut self.bridge else { return };
        let settlement = Settlement { destination: destination.clone(), outcome };
        bridge.taken.settle(cursor.position, settlement);
        if bridge.is_up {
            let settle = bridge::Command::Settle { destination, cursor, outcome };
            self.effects.push(Effect::Bridge(Box::new(settle)));
        }
    }

    /// Returns the cursor of a message of the broker's queues, or `None` if it is of an epoch of which the
    /// broker knows nothing any more.
    fn cursor_at_broker(&self, message: &Published) -> Option<Cursor> {
        let epoch = self.sequence_of(true)?.epoch();
        message.cursor().filter(|cursor| cursor.epoch == epoch)
    }
}
