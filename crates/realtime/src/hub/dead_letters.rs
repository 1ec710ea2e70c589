//! Messages of queues that no consumer takes.

use super::{
    Authorization, Effect, Hub,
    ids::Requester,
    outbox::{Origin, Original},
};
use crate::{
    destination::Destination,
    message::{Message, Published},
};
use alloc::{
    boxed::Box,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

impl<A: Authorization> Hub<A> {
    /// Sends a message that no consumer took to the destination for such messages.
    pub(super) fn give_up(&mut self, message: Arc<Published>, deliveries: u32) {
        let sent = self.dead_letters_of(&message).is_some_and(|destination| {
            let letter = dead_letter(&message, deliveries);
            self.send_unasked(&destination, letter, Requester::NOBODY).is_ok()
        });
        if !sent {
            self.effects.push(Effect::Discarded { message, deliveries });
        }
    }

    /// As [`give_up`](Self::give_up), for a message of the broker's. It is settled once the dead letter has
    /// its place: should the hub end before, another one takes the message.
    pub(super) fn give_up_for_broker(&mut self, message: Arc<Published>, deliveries: u32) {
        match self.dead_letters_of(&message).filter(|destination| self.is_bridged(destination)) {
            Some(destination) => {
                let letter = dead_letter(&message, deliveries);
                let origin = Origin::Original(Box::new(Original { message, deliveries }));
                self.publish_through_bridge(&destination, letter, origin);
            }
            None => {
                self.give_up(message.clone(), deliveries);
                self.is_consumed(&message);
            }
        }
    }

    /// Returns the queue or topic for a message that no consumer took.
    fn dead_letters_of(&self, message: &Published) -> Option<String> {
        let destination = self.config.queues.dead_letters.as_deref()?;
        let parsed = Destination::parse(destination);
        let is_possible = matches!(parsed, Ok(Destination::Queue(_) | Destination::Topic(_)));
        (is_possible && *destination != **message.destination()).then(|| destination.to_string())
    }

    /// Returns whether there is a destination for messages that no consumer takes, which does not exist
    /// yet.
    pub(super) fn needs_dead_letters(&self) -> bool {
        let destination = self.config.queues.dead_letters.as_deref();
        destination.is_some_and(|it| {
            !self.is_bridged(it) && self.queues.find(it).is_none() && self.topics.find(it).is_none()
        })
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
