//! Connections and subscriptions: how they begin and end.

use super::{
    Action, Authorization, ConnectionId, Effect, Hub, Refusal, RequestId, Start, SubscribeOptions,
    SubscriptionId,
    flow::Flow,
    keys::{QueueKey, SubscriptionKey},
    presence,
    refusal::cut,
    subscription::{Beginning, Link, Source, Sources, State, Subscription, Unusual},
    topic::Audience,
};
use crate::{
    bridge::QuestionId,
    destination::{self, Destination},
};
use alloc::{boxed::Box, string::String, vec::Vec};

/// What a client may subscribe to, and is not yet subscribed to.
#[derive(Debug)]
enum Target {
    Topic { name: String, is_bridged: bool },
    Pattern { text: String, is_bridged: bool },
    Queue(String),
    Application(String),
}

impl<A: Authorization> Hub<A> {
    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        // What one of its subscriptions gives back is not for another of them.
        self.pause(connection);
        let Some(gone) = self.connections.get(&connection) else { return };
        let subscriptions: Vec<_> = gone.subscriptions().collect();
        // All that it had of a queue is back before others get the first of it.
        let queues: Vec<_> = subscriptions.into_iter().filter_map(|it| self.remove(it)).collect();
        for queue in queues {
            self.dispatch(queue);
        }
        self.connections.remove(&connection);
        if self.connections.is_empty() {
            self.connections.shrink_to_fit();
        }
    }

    pub(super) fn subscribe(
        &mut self,
        connection: ConnectionId,
        id: SubscriptionId,
        destinations: &[String],
        options: SubscribeOptions,
        request: Option<RequestId>,
    ) -> Result<(), Refusal> {
        let subscriber = self.connections.get(&connection).ok_or(Refusal::NotConnected)?;
        if subscriber.subscription(id).is_some() {
            return Err(Refusal::SubscriptionExists(id));
        }
        let limit = self.config.subscriptions;
        let subscriptions = subscriber.subscriptions().filter_map(|it| self.subscriptions.get(it));
        let has = subscriptions.map(|subscription| subscription.sources.len()).sum::<usize>();
        if has.saturating_add(destinations.len()) > limit {
            return Err(Refusal::TooManySubscriptions { limit });
        }
        let targets = self.targets(connection, destinations)?;
        if let [Target::Application(destination)] = &targets[..] {
            return self.subscribe_application(connection, id, destination, request);
        }
        let sources = self.sources(&targets)?;
        let is_bridged = matches!(
            targets[0],
            Target::Topic { is_bridged: true, .. } | Target::Pattern { is_bridged: true, .. }
        );
        let key =
            self.insert_subscription(connection, id, sources, is_bridged, options, request)?;
        let wants = self.wanted_after(key);
        for index in 0..targets.len() {
            self.join(key, index, wants);
        }
        self.try_to_begin(key);
        Ok(())
    }

    pub(super) fn unsubscribe(
        &mut self,
        connection: ConnectionId,
        id: SubscriptionId,
    ) -> Result<(), Refusal> {
        let subscriber = self.connections.get_mut(&connection).ok_or(Refusal::NotConnected)?;
        let key = subscriber.subscription(id).ok_or(Refusal::UnknownSubscription(id))?;
        subscriber.remove(id);
        let beginning = self.subscriptions.get(key).and_then(|it| it.unusual.as_ref()?.beginning);
        if let Some(beginning) = beginning {
            // The command that subscribed gets its answer too.
            self.processed(self.requester(connection, beginning.request), None);
        }
        self.end(key);
        Ok(())
    }

    pub(super) fn pause(&mut self, connection: ConnectionId) {
        let Some(paused) = self.connections.get_mut(&connection) else { return };
        paused.is_paused = true;
        for key in paused.subscriptions().collect::<Vec<_>>() {
            self.fall_behind(key, State::Behind);
        }
    }

    pub(super) fn resume(&mut self, connection: ConnectionId) {
        let Some(resumed) = self.connections.get_mut(&connection) else { return };
        resumed.is_paused = false;
        for key in resumed.subscriptions().collect::<Vec<_>>() {
            self.go_on(key);
        }
    }

    /// Lets a live subscription fall behind, or wait for the bridge.
    pub(super) fn fall_behind(&mut self, key: SubscriptionKey, state: State) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let is_bridged = subscription.is_bridged;
        let head = self.sequence_of(is_bridged).map_or(0, |sequence| sequence.head());
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        if subscription.state == State::Live {
            subscription.state = state;
            match subscription.queue() {
                Some(queue) => self.queues.is_busy(queue, subscription.through),
                None => subscription.through = head,
            }
        }
    }

    /// Ends a subscription because it can't go on, and says why.
    pub(super) fn cut_off(&mut self, key: SubscriptionKey, refusal: Refusal) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let (connection, id) = (subscription.connection, subscription.id);
        let beginning = subscription.unusual.as_ref().and_then(|unusual| unusual.beginning);
        if let Some(subscriber) = self.connections.get_mut(&connection) {
            subscriber.remove(id);
        }
        self.end(key);
        self.effects.push(Effect::Refused {
            connection: Some(connection),
            request: beginning.and_then(|beginning| beginning.request),
            subscription: Some(id),
            refusal: Box::new(refusal),
        });
    }

    /// Ends a subscription that its connection does not list any more.
    pub(super) fn end(&mut self, key: SubscriptionKey) {
        if let Some(queue) = self.remove(key) {
            self.dispatch(queue);
        }
    }

    /// Removes a subscription. Returns its queue, to which it gives back what it has not acknowledged.
    fn remove(&mut self, key: SubscriptionKey) -> Option<QueueKey> {
        self.leave_members(key);
        self.stop_waiting_for_lists(key);
        let subscription = self.subscriptions.remove(key)?;
        for link in subscription.sources.iter() {
            match link.source {
                Source::Topic(_) | Source::Pattern(_) => self.leave(link),
                Source::Queue(queue) => {
                    if subscription.state == State::Live {
                        self.queues.is_busy(queue, subscription.through);
                    }
                    self.queues.remove_consumer(queue);
                }
                Source::Application(application) => drop(self.applications.remove(application)),
            }
        }
        let queue = subscription.queue()?;
        if let Some(flow) = subscription.flow {
            self.give_back(queue, flow.into_unacknowledged().collect());
        }
        Some(queue)
    }

    /// Takes the destinations apart, and asks whether the client may subscribe to all of them.
    fn targets(
        &self,
        connection: ConnectionId,
        destinations: &[String],
    ) -> Result<Vec<Target>, Refusal> {
        let principal =
            self.connections.get(&connection).and_then(|connection| connection.principal.as_ref());
        let mut targets = Vec::with_capacity(destinations.len());
        for text in destinations {
            let parsed = self.parse(text)?;
            if !self.tells_presence(text) {
                return Err(Refusal::destination(text, "does not tell who is subscribed"));
            }
            let is_allowed = match parsed {
                Destination::Pattern(_) => {
                    self.authorization.may_subscribe_pattern(principal, text)
                }
                _ => {
                    // Who is in a topic is only for those who may be there.
                    let topic = text.strip_prefix(presence::PREFIX);
                    self.authorization.may_subscribe(principal, text)
                        && topic.is_none_or(|it| self.authorization.may_subscribe(principal, it))
                }
            };
            if !is_allowed {
                return Err(Refusal::not_allowed(Action::Subscribe, text));
            }
            targets.push(match parsed {
                Destination::Topic(name) => {
                    Target::Topic { name: name.into(), is_bridged: self.is_bridged(name) }
                }
                Destination::Pattern(text) => {
                    Target::Pattern { text: text.into(), is_bridged: self.is_bridged(text) }
                }
                Destination::OwnQueue(queue) => match principal {
                    Some(user) => {
                        let name = destination::of_user(user.name(), queue);
                        Target::Topic { is_bridged: self.is_bridged(&name), name }
                    }
                    None => {
                        let name = destination::of_connection(connection.0, queue);
                        Target::Topic { name, is_bridged: false }
                    }
                },
                Destination::Queue(name) => Target::Queue(name.into()),
                Destination::Application(name) => Target::Application(name.into()),
                Destination::UserQueue(_) => {
                    return Err(Refusal::destination(
                        text,
                        "can't be subscribed to: use /user/queue/…",
                    ));
                }
            });
        }
        check_together(&targets, destinations)?;
        Ok(targets)
    }

    /// Finds or creates what the targets name.
    fn sources(&mut self, targets: &[Target]) -> Result<Sources, Refusal> {
        let mut links = Vec::with_capacity(targets.len());
        for target in targets {
            let source = match target {
                Target::Topic { name, is_bridged } => {
                    self.find_or_create_topic(name, *is_bridged).map(Source::Topic)
                }
                Target::Pattern { text, is_bridged } => {
                    self.find_or_create_pattern(text, *is_bridged).map(Source::Pattern)
                }
                Target::Queue(name) => self.find_or_create_queue(name).map(Source::Queue),
                Target::Application(_) => {
                    Err(Refusal::destination("/app", "can't be subscribed to here"))
                }
            };
            match source {
                Ok(source) if links.iter().any(|link: &Link| link.source == source) => {}
                Ok(source) => links.push(Link { source, slot: 0, needs: QuestionId(0) }),
                Err(refusal) => {
                    links.iter().for_each(|link| self.remove_if_unused(link.source));
                    return Err(refusal);
                }
            }
        }
        Ok(match links[..] {
            [link] => Sources::One(link),
            _ => Sources::Many(links.into()),
        })
    }

    pub(super) fn insert_subscription(
        &mut self,
        connection: ConnectionId,
        id: SubscriptionId,
        sources: Sources,
        is_bridged: bool,
        options: SubscribeOptions,
        request: Option<RequestId>,
    ) -> Result<SubscriptionKey, Refusal> {
        let window =
            options.window.map_or(self.config.window, |window| window.min(self.config.window));
        let beginning =
            Some(Beginning { start: options.start, request, is_hidden: options.hidden });
        let subscription = Subscription {
            connection,
            id,
            state: State::Waiting,
            gaps: options.gaps || matches!(options.start, Start::After(_)),
            is_bridged,
            is_present: false,
            sources,
            through: 0,
            flow: Flow::new(options.acknowledgement, window.get()).map(Box::new),
            unusual: Some(Box::new(Unusual { beginning, ..Unusual::default() })),
        };
        let limit = u32::MAX as usize;
        let Some(key) = self.subscriptions.insert(subscription) else {
            return Err(Refusal::TooManySubscriptions { limit });
        };
        if let Some(subscriber) = self.connections.get_mut(&connection) {
            subscriber.add(id, key);
        }
        Ok(key)
    }

    /// Adds a subscription to the subscribers of one of its sources.
    fn join(&mut self, key: SubscriptionKey, index: usize, wanted: Option<u64>) {
        let Some(link) =
            self.subscriptions.get(key).and_then(|it| it.sources.iter().nth(index).copied())
        else {
            return;
        };
        let is_first = match link.source {
            Source::Queue(queue) => {
                self.queues.add_consumer(queue);
                return;
            }
            source => {
                let Some(audience) = self.audience_mut(source) else { return };
                audience.subscribers.push(key);
                let slot = u32::try_from(audience.subscribers.len() - 1).unwrap_or(u32::MAX);
                let is_first = slot == 0;
                self.update_link(key, source, |link| link.slot = slot);
                is_first
            }
        };
        let needs = self.ask_bridge(link.source, is_first, wanted);
        self.update_link(key, link.source, |link| link.needs = needs);
    }

    /// Removes a subscription from the subscribers of a topic or pattern.
    fn leave(&mut self, link: &Link) {
        let Some(audience) = self.audience_mut(link.source) else { return };
        let slot = link.slot as usize;
        audience.subscribers.swap_remove(slot);
        if let Some(&moved) = audience.subscribers.get(slot) {
            self.update_link(moved, link.source, |moved| moved.slot = link.slot);
        }
        self.remove_if_unused(link.source);
    }

    fn update_link(
        &mut self,
        key: SubscriptionKey,
        source: Source,
        update: impl FnOnce(&mut Link),
    ) {
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        if let Some(link) = subscription.sources.iter_mut().find(|link| link.source == source) {
            update(link);
        }
    }

    pub(super) fn audience_mut(&mut self, source: Source) -> Option<&mut Audience> {
        match source {
            Source::Topic(topic) => self.topics.get_mut(topic).map(|topic| &mut topic.audience),
            Source::Pattern(pattern) => {
                self.topics.pattern_mut(pattern).map(|pattern| &mut pattern.audience)
            }
            Source::Queue(_) | Source::Application(_) => None,
        }
    }

    pub(super) fn audience(&self, source: Source) -> Option<&Audience> {
        match source {
            Source::Topic(topic) => self.topics.get(topic).map(|topic| &topic.audience),
            Source::Pattern(pattern) => {
                self.topics.pattern(pattern).map(|pattern| &pattern.audience)
            }
            Source::Queue(_) | Source::Application(_) => None,
        }
    }

    pub(super) fn parse<'a>(&self, text: &'a str) -> Result<Destination<'a>, Refusal> {
        if text.len() > self.config.destination {
            return Err(Refusal::destination(text, "is too long"));
        }
        Destination::parse(text).map_err(|problem| Refusal::destination(text, problem))
    }
}

/// Checks whether one subscription can have all of these targets.
fn check_together(targets: &[Target], destinations: &[String]) -> Result<(), Refusal> {
    let sequence = |target: &Target| match target {
        Target::Topic { is_bridged, .. } | Target::Pattern { is_bridged, .. } => Some(*is_bridged),
        Target::Queue(_) | Target::Application(_) => None,
    };
    let Some(first) = targets.first() else {
        return Err(Refusal::destination("", "is missing"));
    };
    for (target, destination) in targets.iter().zip(destinations).skip(1) {
        match (sequence(first), sequence(target)) {
            (Some(first), Some(this)) if first == this => {}
            (Some(_), Some(_)) => {
                return Err(Refusal::DifferentSequences { destination: cut(destination) });
            }
            _ => {
                return Err(Refusal::destination(
                    destination,
                    "can only be alone in its subscription",
                ));
            }
        }
    }
    Ok(())
}
