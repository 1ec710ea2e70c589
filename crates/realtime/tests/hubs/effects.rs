//! Compares what hubs do with what they have to do.

use crate::{
    clients::Delivery,
    jobs::{DEAD_LETTERS, JOBS, number},
    nodes::DELIVERIES,
    record::{Kept, Published},
    world::{Sent, World},
};
use sansocket_realtime::{
    Cursor,
    hub::{ConnectionId, DeliveryId, Effect, Refusal, RequestId, Start, SubscriptionId},
};

impl World {
    pub(crate) fn absorb(&mut self, node: usize, effects: Vec<Effect>) {
        for effect in effects {
            self.events += 1;
            match effect {
                Effect::Deliver { connection, subscription, delivery, is_redelivered, message } => {
                    let key = (connection, subscription);
                    self.delivered(node, key, delivery, is_redelivered, &message);
                }
                Effect::Gap { connection, subscription, gap } => {
                    let kept = self.kept(node, gap.to);
                    let client = self.client_of(connection);
                    let subscription =
                        self.clients[client].subscriptions.get_mut(&subscription.0).unwrap();
                    assert!(subscription.options.gaps || is_resumed(subscription.options.start));
                    subscription.misses(gap, &self.record, kept);
                }
                Effect::Subscribed { connection, subscription, request, cursor } => {
                    self.answered(node, Some(connection), request);
                    self.begun(node, connection, subscription, cursor);
                }
                Effect::Processed { connection, request, cursor } => {
                    let sent = self.answered(node, connection, Some(request));
                    if let Some(sent) = sent {
                        self.is_in_sequence(&sent, cursor);
                    }
                }
                Effect::Refused { connection, request, subscription, refusal } => {
                    self.refused(node, connection, request, subscription, &refusal);
                }
                Effect::Discarded { message, deliveries } => {
                    let number = number(message.message().text().unwrap());
                    if self.broker.jobs.has(number) {
                        assert!(!self.broker.dead_letters, "{number} is no dead letter");
                        self.broker.jobs.given_up(number, deliveries, DELIVERIES);
                        continue;
                    }
                    assert_eq!(deliveries, DELIVERIES);
                    let is_given_up = self.given_up.remove(&number) || self.broker.dead_letters;
                    assert!(is_given_up, "{number} is given up too early");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Notes what a hub is about to publish itself, before it delivers it.
    pub(crate) fn publishes(&mut self, node: usize, sent: &Sent, effects: &[Effect]) {
        for effect in effects {
            let Effect::Processed { connection, request, cursor: Some(cursor) } = effect else {
                continue;
            };
            let is_own = cursor.epoch == self.nodes[node].epoch;
            if is_own && (*connection, *request) == (sent.connection, sent.request) {
                let published = Published {
                    position: cursor.position,
                    topic: sent.to.clone(),
                    body: sent.body.clone(),
                    at: self.now,
                };
                self.record.add(cursor.epoch, published);
            }
        }
    }

    fn delivered(
        &mut self,
        node: usize,
        (connection, subscription): (ConnectionId, SubscriptionId),
        delivery: Option<DeliveryId>,
        is_redelivered: bool,
        message: &sansocket_realtime::Published,
    ) {
        let client = self.client_of(connection);
        let client = &mut self.clients[client];
        assert!(!client.is_paused, "delivered to a connection that is full");
        let subscription = client.subscriptions.get_mut(&subscription.0).unwrap();
        let (mut queued, mut job) = (None, None);
        let body = message.message().text().unwrap();
        if subscription.destinations[0] == JOBS {
            let is_done = delivery.is_none();
            job = Some(self.broker.jobs.delivered(body, connection, is_redelivered, is_done));
        } else if subscription.destinations[0] == DEAD_LETTERS {
            // Those of the queues of hubs come too.
            if self.broker.jobs.has(number(body)) {
                let deliveries = message.message().get_header("dead-letter-deliveries").unwrap();
                let deliveries = deliveries.parse().unwrap();
                self.broker.jobs.given_up(number(body), deliveries, DELIVERIES);
            }
        } else if subscription.is_queue {
            let (number, deliveries) = self.nodes[node].queued.pop_first().expect("it is queued");
            assert_eq!(body, format!("n{number}"), "queues keep the order");
            assert_eq!(is_redelivered, deliveries > 0);
            queued = Some((number, deliveries + 1));
        } else {
            assert!(!is_redelivered);
            subscription.gets(message, &self.record);
        }
        if let Some(id) = delivery {
            assert!(subscription.unacknowledged.back().is_none_or(|last| last.id < id));
            subscription.unacknowledged.push_back(Delivery { id, queued, job });
            let window = subscription.options.window.map_or(256, core::num::NonZero::get);
            assert!(subscription.unacknowledged.len() <= window as usize, "more than the window");
        }
    }

    fn begun(
        &mut self,
        node: usize,
        connection: ConnectionId,
        subscription: SubscriptionId,
        cursor: Option<Cursor>,
    ) {
        let kept = cursor.and_then(|cursor| self.kept(node, cursor));
        let client = self.client_of(connection);
        let subscription = self.clients[client].subscriptions.get_mut(&subscription.0).unwrap();
        assert_eq!(subscription.is_queue, cursor.is_none());
        assert!(subscription.at.is_none(), "begun twice");
        subscription.at = cursor;
        let Some(cursor) = cursor else { return };
        match subscription.options.start {
            Start::After(expected) => assert_eq!(cursor, expected),
            Start::Beginning => {
                let start = Cursor::new(cursor.epoch, 0);
                let destinations = &subscription.destinations;
                let is_gap = |kept| self.record.is_gap(destinations, start, cursor.position, kept);
                let skips = self.record.between(destinations, start, cursor.position).count();
                assert!(skips == 0 || kept.is_none_or(is_gap), "begins too late");
            }
            _ => {}
        }
    }

    fn is_in_sequence(&self, sent: &Sent, cursor: Option<Cursor>) {
        if sent.is_queued() || sent.is_job() {
            assert_eq!(cursor, None);
        }
        if sent.is_queued() {
            return;
        }
        let places = self.record.places(&sent.body);
        assert!(!places.is_empty(), "{sent:?} has a receipt, but was not published");
        if let Some(cursor) = cursor {
            assert!(places.contains(&cursor), "{sent:?} is not at {cursor}, but at {places:?}");
        }
    }

    fn refused(
        &mut self,
        node: usize,
        connection: Option<ConnectionId>,
        request: Option<RequestId>,
        subscription: Option<SubscriptionId>,
        refusal: &Refusal,
    ) {
        let sent = self.answered(node, connection, request);
        if let Some(sent) = sent {
            if sent.is_queued() {
                self.nodes[node].queued.remove(&sent.number());
                assert!(matches!(refusal, Refusal::QueueFull { .. }), "{refusal:?}");
            } else {
                let is_right = matches!(refusal, Refusal::OutboxFull { .. })
                    || matches!(refusal, Refusal::Broker(_)) && sent.to == "/topic/refused";
                assert!(is_right, "{sent:?}: {refusal:?}");
                assert_eq!(self.record.places(&sent.body), [], "{sent:?} was published");
                self.not_published.push(sent.body);
            }
            return;
        }
        let (connection, id) = (connection.unwrap(), subscription.unwrap());
        assert!(matches!(refusal, Refusal::Missed { .. }), "{refusal:?}");
        let client = self.client_of(connection);
        let subscription = self.clients[client].subscriptions.remove(&id.0).unwrap();
        assert!(!subscription.options.gaps);
        if let Some(at) = subscription.at {
            let is_local = at.epoch == self.nodes[node].epoch;
            let epoch = if is_local { at.epoch } else { self.broker.epoch };
            let kept = self.kept(node, Cursor::new(epoch, 0));
            subscription.is_cut_off(epoch, &self.record, kept);
        }
        self.clients[client].left.insert(id.0, subscription);
    }

    /// Notes that a command is answered, which is done once.
    fn answered(
        &mut self,
        node: usize,
        connection: Option<ConnectionId>,
        request: Option<RequestId>,
    ) -> Option<Sent> {
        let request = request?;
        assert!(self.unanswered.remove(&(node, connection, request)), "{request:?} is not open");
        self.sent.remove(&request)
    }

    /// Returns what is kept for sure of a sequence, or `None` if topics can have been forgotten.
    fn kept(&self, node: usize, cursor: Cursor) -> Option<Kept> {
        let is_local = cursor.epoch == self.nodes[node].epoch;
        let messages = if is_local { self.messages } else { self.messages.min(self.history) };
        let kept = Kept { messages, is_bridged: !is_local, now: self.now };
        Some(kept).filter(|_| !(is_local && self.nodes[node].has_expired))
    }

    fn client_of(&self, connection: ConnectionId) -> usize {
        let found = self
            .clients
            .iter()
            .position(|client| client.is_connected && client.connection == connection);
        found.unwrap_or_else(|| panic!("{connection:?} has gone"))
    }
}

fn is_resumed(start: Start) -> bool {
    matches!(start, Start::After(_))
}
