//! Messages that have no place in the broker's sequence yet.

use super::{Authorization, Effect, Hub, OutboxConfig, Refusal, ids::Requester};
use crate::{
    bridge::{self, PublishId},
    message::{Message, Published},
};
use alloc::{boxed::Box, collections::VecDeque, string::String, sync::Arc};

/// What was given to the bridge, or waits for it, in its order. Nothing of it is delivered here or
/// elsewhere before the broker has given it its place.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// The number of the last message.
    last: u64,
}

#[derive(Debug)]
struct Waiting {
    sequence: u64,
    destination: Arc<str>,
    message: Message,
    /// `None` once it is answered.
    origin: Option<Origin>,
}

/// What a message is published for.
#[derive(Debug)]
pub(super) enum Origin {
    /// Somebody has sent it.
    Requester(Requester),
    /// It is the copy of a message that the hub has taken of a queue.
    Original(Box<Original>),
}

/// A message of a queue that is consumed once its copy is published: as a dead letter, or because the
/// broker can have lost it.
#[derive(Debug)]
pub(super) struct Original {
    pub(super) message: Arc<Published>,
    pub(super) deliveries: u32,
}

impl Outbox {
    /// Returns why so many messages more can't wait.
    pub(super) fn refusal(
        &self,
        messages: usize,
        bytes: usize,
        config: OutboxConfig,
    ) -> Option<Refusal> {
        let is_full = self.waiting.len().saturating_add(messages) > config.messages
            || self.bytes.saturating_add(bytes) > config.bytes;
        is_full.then_some(Refusal::OutboxFull { messages: self.waiting.len(), bytes: self.bytes })
    }

    /// Returns whether there is no room even for the smallest message.
    pub(super) fn is_full(&self, config: OutboxConfig) -> bool {
        self.refusal(1, 0, config).is_some()
    }

    fn push(&mut self, destination: Arc<str>, message: Message, origin: Origin) -> u64 {
        self.last += 1;
        self.bytes += message.size();
        self.waiting.push_back(Waiting {
            sequence: self.last,
            destination,
            message,
            origin: Some(origin),
        });
        self.last
    }

    /// Takes a message out that the bridge has answered. The broker can answer in any order.
    fn take(&mut self, sequence: u64) -> Option<(Arc<str>, Origin)> {
        let first = self.waiting.front()?.sequence;
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        let answered = self.waiting.get_mut(index)?;
        let origin = answered.origin.take()?;
        let destination = answered.destination.clone();
        self.bytes -= answered.message.size();
        answered.message = Message::default();
        while self.waiting.front().is_some_and(|waiting| waiting.origin.is_none()) {
            self.waiting.pop_front();
        }
        Some((destination, origin))
    }
}

impl<A: Authorization> Hub<A> {
    /// Returns how many messages wait for the broker's answer, and their bytes.
    #[must_use]
    pub fn outbox(&self) -> (usize, usize) {
        let outbox = self.bridge.as_ref().map(|bridge| &bridge.outbox);
        outbox.map_or((0, 0), |outbox| (outbox.waiting.len(), outbox.bytes))
    }

    /// Returns whether the hub has a bridge that is down.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.bridge.as_ref().is_some_and(|bridge| !bridge.is_up)
    }

    /// Publishes a message through the bridge. Who sends it needs room for it. What the hub has taken of
    /// queues and gives up does not: the hub takes no more while the outbox is full.
    pub(super) fn publish_through_bridge(
        &mut self,
        destination: &str,
        message: Message,
        origin: Origin,
    ) {
        let node = self.sequence.epoch();
        let Some(bridge) = &mut self.bridge else { return };
        let destination: Arc<str> = destination.into();
        let sequence = bridge.outbox.push(destination.clone(), message.clone(), origin);
        if bridge.is_up {
            let id = PublishId { node, sequence };
            let publish = bridge::Command::Publish { id, destination, message };
            self.effects.push(Effect::Bridge(Box::new(publish)));
        }
    }

    /// Gives the bridge again what it has not answered before it went down.
    pub(super) fn send_outbox_again(&mut self) {
        let node = self.sequence.epoch();
        let Some(bridge) = &self.bridge else { return };
        for waiting in bridge.outbox.waiting.iter().filter(|waiting| waiting.origin.is_some()) {
            let id = PublishId { node, sequence: waiting.sequence };
            let (destination, message) = (waiting.destination.clone(), waiting.message.clone());
            let publish = bridge::Command::Publish { id, destination, message };
            self.effects.push(Effect::Bridge(Box::new(publish)));
        }
    }

    pub(super) fn is_published(&mut self, id: PublishId, position: Option<u64>) {
        match self.answered(id) {
            Some((destination, Origin::Requester(requester))) => {
                // Queues have no cursors.
                let position = position.filter(|_| !destination.starts_with("/queue/"));
                let sequence = self.sequence_of(true);
                let cursor = sequence.and_then(|sequence| Some(sequence.cursor(position?)));
                self.processed(requester, cursor);
            }
            Some((_, Origin::Original(original))) => self.is_consumed(&original.message),
            None => {}
        }
    }

    pub(super) fn is_rejected(&mut self, id: PublishId, reason: String) {
        match self.answered(id) {
            Some((_, Origin::Requester(requester))) => {
                self.refused(requester, Refusal::Broker(reason));
            }
            Some((_, Origin::Original(original))) => {
                self.is_consumed(&original.message);
                let Original { message, deliveries } = *original;
                self.effects.push(Effect::Discarded { message, deliveries });
            }
            None => {}
        }
    }

    fn answered(&mut self, id: PublishId) -> Option<(Arc<str>, Origin)> {
        let is_own = id.node == self.sequence.epoch();
        self.bridge.as_mut().filter(|_| is_own)?.outbox.take(id.sequence)
    }
}
