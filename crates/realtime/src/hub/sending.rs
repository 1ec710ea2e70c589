//! What clients and the application send, and what clients acknowledge.

use super::{
    Action, Authorization, ConnectionId, DeliveryOf, Effect, Hub, Operation, Refusal, RequestId,
    connection::Done,
    flow::Delivery,
    ids::Requester,
    keys::{QueueKey, SubscriptionKey},
    outbox::Origin,
    subscription::{Source, State, Subscription},
};
use crate::{
    destination::{self, Destination},
    message::{Message, Published},
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

impl<A: Authorization> Hub<A> {
    pub(super) fn perform_operation(
        &mut self,
        connection: ConnectionId,
        operation: Operation,
        request: Option<RequestId>,
    ) {
        let requester = self.requester(connection, request);
        if let Err(refusal) = self.check(connection, core::slice::from_ref(&operation)) {
            return self.refused(requester, refusal);
        }
        let requester = match &operation {
            Operation::Send { destination, .. } if self.is_answered_later(destination, request) => {
                self.wait_for_parts(requester, 1)
            }
            _ => requester,
        };
        self.apply(connection, operation, requester);
    }

    /// Returns whether a message is answered once the application or the bridge has answered. An
    /// application need not answer if the client does not want to know.
    fn is_answered_later(&self, destination: &str, request: Option<RequestId>) -> bool {
        request.is_some() && (destination.starts_with("/app/") || self.is_bridged(destination))
    }

    pub(super) fn commit(
        &mut self,
        connection: ConnectionId,
        operations: Vec<Operation>,
        request: Option<RequestId>,
    ) {
        let requester = self.requester(connection, request);
        if let Err(refusal) = self.check(connection, &operations) {
            return self.refused(requester, refusal);
        }
        if operations.is_empty() {
            return self.processed(requester, None);
        }
        let requester = self.wait_for_parts(requester, operations.len());
        let requester = Requester { has_parts: true, ..requester };
        for operation in operations {
            self.apply(connection, operation, requester);
        }
    }

    /// Publishes a message for the application, or as one more part of a call.
    pub(super) fn publish(&mut self, destination: &str, message: Message, requester: Requester) {
        match self.send_unasked(destination, message, requester) {
            Ok(Done::Now(cursor)) => self.processed(requester, cursor),
            Ok(Done::Later) => {}
            Err(refusal) => self.refused(requester, refusal),
        }
    }

    /// Sends what nobody is asked about. Returns whether it is done.
    pub(super) fn send_unasked(
        &mut self,
        destination: &str,
        message: Message,
        requester: Requester,
    ) -> Result<Done, Refusal> {
        let parsed = Destination::parse(destination);
        match parsed.map_err(|problem| Refusal::destination(destination, problem))? {
            Destination::Topic(name) | Destination::UserQueue(name) | Destination::Queue(name)
                if self.is_bridged(name) =>
            {
                let outbox = self.bridge.as_ref().map(|bridge| &bridge.outbox);
                let refusal =
                    outbox.and_then(|it| it.refusal(1, message.size(), self.config.outbox));
                refusal.map_or(Ok(()), Err)?;
            }
            Destination::Topic(_) | Destination::UserQueue(_) => {}
            Destination::Queue(name) => {
                self.refusal_of_queue(name, 1, message.size()).map_or(Ok(()), Err)?;
            }
            _ => return Err(Refusal::destination(destination, "can't be published to")),
        }
        self.send(destination, message, requester)
    }

    /// Delivers a message on the connection's own subscription of a destination.
    pub(super) fn reply(&mut self, connection: ConnectionId, destination: &str, message: Message) {
        let Some(receiver) = self.connections.get(&connection) else { return };
        let wanted = match Destination::parse(destination) {
            Ok(Destination::OwnQueue(queue)) => {
                let name = match &receiver.principal {
                    Some(user) => destination::of_user(user.name(), queue),
                    None => destination::of_connection(connection.0, queue),
                };
                let Some(topic) = self.topics.find(&name) else { return };
                Some(topic)
            }
            Ok(Destination::Application(_)) => None,
            _ => return,
        };
        let is_wanted = |source| match (source, wanted) {
            (Source::Topic(topic), Some(wanted)) => topic == wanted,
            (Source::Application(application), None) => {
                self.applications.get(application).is_some_and(|it| it.destination == destination)
            }
            _ => false,
        };
        let has_wanted = |key: &SubscriptionKey| {
            let subscription = self.subscriptions.get(*key);
            subscription.is_some_and(|it| it.sources.iter().any(|link| is_wanted(link.source)))
        };
        let found = receiver.subscriptions().find(has_wanted);
        if let Some(key) = found {
            let message = Arc::new(Published::new(None, destination.into(), message));
            self.deliver(key, &message, 1);
        }
    }

    /// Checks whether all of these operations can be done.
    fn check(&self, connection: ConnectionId, operations: &[Operation]) -> Result<(), Refusal> {
        if !self.connections.contains_key(&connection) {
            return Err(Refusal::NotConnected);
        }
        let limit = self.config.transaction.max(1);
        if operations.len() > limit {
            return Err(Refusal::TransactionTooLarge { operations: operations.len(), limit });
        }
        let mut planned = Planned::default();
        for operation in operations {
            match operation {
                Operation::Send { destination, message } => {
                    self.check_send(connection, destination, message, &mut planned)?;
                }
                Operation::Ack(delivery) => drop(self.find_delivery(connection, *delivery)?),
                Operation::Nack(delivery) => {
                    self.find_delivery(connection, *delivery)?;
                    planned.dead_letters = self.needs_dead_letters();
                }
            }
        }
        let (messages, bytes) = planned.through_bridge;
        let outbox = self.bridge.as_ref().filter(|_| messages > 0).map(|bridge| &bridge.outbox);
        outbox.and_then(|it| it.refusal(messages, bytes, self.config.outbox)).map_or(Ok(()), Err)
    }

    fn check_send<'a>(
        &self,
        connection: ConnectionId,
        text: &'a str,
        message: &Message,
        planned: &mut Planned<'a>,
    ) -> Result<(), Refusal> {
        let (size, limit) = (message.size(), self.config.message);
        if size > limit {
            return Err(Refusal::MessageTooLarge { size, limit });
        }
        let destination = self.parse(text)?;
        let problem = match &destination {
            Destination::Pattern(_) => Some("can't be sent to, because it has wildcards"),
            Destination::OwnQueue(_) => Some("can't be sent to, because it names no user"),
            Destination::Topic(name) if name.starts_with("/presence/") => Some("can't be sent to"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(Refusal::destination(text, problem));
        }
        let principal = self.connections.get(&connection).and_then(|it| it.principal.as_ref());
        if !self.authorization.may_send(principal, text) {
            return Err(Refusal::not_allowed(Action::Send, text));
        }
        match destination {
            Destination::Topic(name) | Destination::UserQueue(name) | Destination::Queue(name)
                if self.is_bridged(name) =>
            {
                planned.through_bridge.0 += 1;
                planned.through_bridge.1 += size;
            }
            Destination::Topic(name) | Destination::UserQueue(name) => {
                if self.topics.find(name).is_none() {
                    planned.destinations.insert(name);
                    self.check_destinations(planned.new_destinations())?;
                }
            }
            Destination::Queue(name) => {
                let (messages, bytes) = planned.in_queues.entry(name).or_default();
                *messages += 1;
                *bytes += size;
                self.refusal_of_queue(name, *messages, *bytes).map_or(Ok(()), Err)?;
                let (messages, bytes) = &mut planned.in_all_queues;
                *messages += 1;
                *bytes += size;
                let refusal = self.queues.refusal_of_all(*messages, *bytes, self.config.queued);
                refusal.map_or(Ok(()), Err)?;
                if self.queues.find(name).is_none() {
                    planned.destinations.insert(name);
                    self.check_destinations(planned.new_destinations())?;
                }
            }
            Destination::Application(_) => self.check_route(text)?,
            Destination::Pattern(_) | Destination::OwnQueue(_) => {}
        }
        Ok(())
    }

    /// Does what was checked.
    fn apply(&mut self, connection: ConnectionId, operation: Operation, requester: Requester) {
        let done = match operation {
            Operation::Send { destination, message } if destination.starts_with("/app/") => {
                let call = self.call(connection, &destination, message, requester);
                call.map(|call| {
                    self.effects.push(Effect::Call(Box::new(call)));
                    Done::Later
                })
            }
            Operation::Send { destination, message } => self.send(&destination, message, requester),
            Operation::Ack(delivery) => self.settle(connection, delivery, true),
            Operation::Nack(delivery) => self.settle(connection, delivery, false),
        };
        match done {
            Ok(Done::Now(cursor)) => self.processed(requester, cursor),
            Ok(Done::Later) => {}
            Err(refusal) => self.refused(requester, refusal),
        }
    }

    fn send(
        &mut self,
        destination: &str,
        message: Message,
        requester: Requester,
    ) -> Result<Done, Refusal> {
        if self.is_bridged(destination) {
            self.publish_through_bridge(destination, message, Origin::Requester(requester));
            return Ok(Done::Later);
        }
        if destination.starts_with("/queue/") {
            self.enqueue(destination, message)?;
            return Ok(Done::Now(None));
        }
        self.publish_here(destination, message).map(|cursor| Done::Now(Some(cursor)))
    }

    /// Finds what an acknowledgement means. What was delivered on a subscription that has ended since is
    /// in other hands, and what a cumulative acknowledgement has covered is settled: acknowledging these
    /// means nothing. So a client whose handlers finish in another order may acknowledge each message.
    fn find_delivery(
        &self,
        connection: ConnectionId,
        delivery: DeliveryOf,
    ) -> Result<Option<SubscriptionKey>, Refusal> {
        let owner = self.connections.get(&connection).ok_or(Refusal::NotConnected)?;
        let flow = |key| self.subscriptions.get(key).and_then(|it| it.flow.as_deref());
        let is_waiting = |key: SubscriptionKey| {
            flow(key).is_some_and(|flow| match delivery {
                DeliveryOf::Delivery(_, id) => flow.has(id),
                DeliveryOf::Message(_, cursor) => flow.has_message(cursor),
            })
        };
        let is_settled = |key: SubscriptionKey| {
            flow(key).is_some_and(|flow| match delivery {
                DeliveryOf::Delivery(_, id) => flow.has_covered(id),
                DeliveryOf::Message(_, cursor) => flow.has_covered_message(cursor),
            })
        };
        let (found, is_settled) = match delivery {
            DeliveryOf::Delivery(id, _) | DeliveryOf::Message(Some(id), _) => {
                let Some(key) = owner.subscription(id) else { return Ok(None) };
                (Some(key).filter(|key| is_waiting(*key)), is_settled(key))
            }
            DeliveryOf::Message(None, _) => {
                let found = owner.subscriptions().find(|key| is_waiting(*key));
                (found, found.is_none() && owner.subscriptions().any(is_settled))
            }
        };
        if found.is_some() || is_settled { Ok(found) } else { Err(Refusal::UnknownDelivery) }
    }

    fn settle(
        &mut self,
        connection: ConnectionId,
        delivery: DeliveryOf,
        is_consumed: bool,
    ) -> Result<Done, Refusal> {
        // In a transaction, an acknowledgement before this one can have covered it.
        let found = self.find_delivery(connection, delivery).ok().flatten();
        let Some((key, subscription)) =
            found.and_then(|key| Some((key, self.subscriptions.get_mut(key)?)))
        else {
            return Ok(Done::Now(None));
        };
        let Some(flow) = &mut subscription.flow else { return Ok(Done::Now(None)) };
        let settled: Vec<Delivery> = match delivery {
            DeliveryOf::Delivery(_, id) => flow.settle(id),
            DeliveryOf::Message(_, cursor) => flow.settle_message(cursor),
        };
        if let Some(queue) = subscription.queue() {
            if is_consumed {
                self.consumed(queue, &settled);
                self.has_more_room(queue, key);
            } else {
                self.give_back(queue, settled);
                self.let_others_go_first(queue, key);
            }
            self.go_on(key);
            self.dispatch(queue);
        } else {
            self.go_on(key);
        }
        Ok(Done::Now(None))
    }

    /// Lets others take what a consumer has rejected. With a bridge, others can be at another hub: what
    /// nobody else here can take is returned to the broker.
    fn let_others_go_first(&mut self, queue: QueueKey, key: SubscriptionKey) {
        let is_ready = |it: &Subscription| it.state == State::Live;
        let is_ready = self.subscriptions.get(key).is_some_and(is_ready);
        if self.queues.is_shared(queue) {
            self.fall_behind(key, State::Behind);
            self.dispatch(queue);
        } else if is_ready {
            self.stand_in_line(queue, key);
        }
    }
}

/// What a transaction needs room for.
#[derive(Debug, Default)]
struct Planned<'a> {
    through_bridge: (usize, usize),
    in_queues: BTreeMap<&'a str, (usize, usize)>,
    in_all_queues: (usize, usize),
    /// The destinations that it creates.
    destinations: BTreeSet<&'a str>,
    /// Whether it can create the destination of messages that nobody takes.
    dead_letters: bool,
}

impl Planned<'_> {
    fn new_destinations(&self) -> usize {
        self.destinations.len() + usize::from(self.dead_letters)
    }
}
