//! From a topic to its subscribers: live, and from what topics keep.

use super::{
    Authorization, Effect, Gap, Hub, Refusal, Start,
    kept::Kept,
    refusal::cut,
    slab::Key,
    subscription::{Last, Source, Sources, State, Subscription, Unusual},
    topic::{PatternOfTopics, Sync, Topic, Topics},
};
use crate::{Cursor, Message, Published};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{cmp::Reverse, time::Duration};

impl<A: Authorization> Hub<A> {
    /// Publishes a message to a topic of this hub, which it gives the next position.
    pub(super) fn publish_here(
        &mut self,
        topic: &str,
        message: Message,
    ) -> Result<Cursor, Refusal> {
        let topic = self.find_or_create_topic(topic, false)?;
        let position = self.sequence.next();
        self.publish_at(topic, position, message);
        Ok(self.sequence.cursor(position))
    }

    /// Publishes a message that has its position, and gives it to all live subscribers.
    pub(super) fn publish_at(&mut self, key: Key<Topic>, position: u64, message: Message) {
        let Some(published) = self.keep(key, position, message) else { return };
        if let Some(topic) = self.topics.get(key) {
            offer(
                &topic.audience.subscribers,
                position,
                &published,
                &mut self.subscriptions,
                &mut self.effects,
            );
        }
        for pattern in self.topics.patterns_of(key).to_vec() {
            if let Some(pattern) = self.topics.pattern(pattern) {
                let subscribers = &pattern.audience.subscribers;
                offer(
                    subscribers,
                    position,
                    &published,
                    &mut self.subscriptions,
                    &mut self.effects,
                );
            }
        }
        self.remove_topic_if_unused(key);
    }

    /// Keeps a message for those who resume after a cursor.
    pub(super) fn keep(
        &mut self,
        key: Key<Topic>,
        position: u64,
        message: Message,
    ) -> Option<Arc<Published>> {
        let cursor = self.sequence_of(self.topics.get(key)?.is_bridged)?.cursor(position);
        let topic = self.topics.get_mut(key)?;
        let published = Arc::new(Published::new(Some(cursor), topic.shown.clone(), message));
        let config = *topic.config(&self.config);
        let (before, complete_after) = (topic.kept_bytes(), topic.ring.complete_after());
        if config.retain {
            let is_empty = published.message().body().is_empty();
            topic.retained = Some(published.clone()).filter(|_| !is_empty);
        }
        topic.ring.push(&published, position, &config, self.now);
        self.kept_bytes = self.kept_bytes + topic.kept_bytes() - before;
        let has_dropped = topic.ring.complete_after() > complete_after;
        let is_kept = topic.ring.last() == position && !topic.ring.is_empty();
        let is_logged = !topic.is_bridged && (is_kept || topic.retained_at(position).is_some());
        if has_dropped {
            self.topics.has_dropped(key);
        }
        self.schedule(key);
        self.drop_what_is_too_much(key);
        if is_logged {
            self.log.push(position, key, is_kept_by(&self.topics));
        }
        Some(published)
    }

    /// Begins a subscription, unless the bridge has to answer first.
    pub(super) fn try_to_begin(&mut self, key: Key<Subscription>) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        if !subscription.sources.iter().all(|link| self.has_what_is_needed(link)) {
            return;
        }
        if subscription.has_begun() {
            self.go_on(key);
        } else {
            self.begin(key);
        }
    }

    /// Lets a subscription continue where it is, as far as there is room.
    pub(super) fn go_on(&mut self, key: Key<Subscription>) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let is_paused =
            self.connections.get(&subscription.connection).is_none_or(|it| it.is_paused);
        if !subscription.has_begun() || subscription.state == State::Live {
            return;
        }
        if let Some(queue) = subscription.queue() {
            if !is_paused && subscription.room() > 0 {
                self.stand_in_line(queue, key);
                self.dispatch(queue);
            }
            return;
        }
        if !subscription.sources.iter().all(|link| self.has_what_is_needed(link)) {
            return;
        }
        if is_paused {
            self.set_state(key, State::Behind);
        } else {
            self.catch_up(key);
        }
    }

    /// Delivers what topics keep after the subscription's place, and tells the gap if there is one.
    fn catch_up(&mut self, key: Key<Subscription>) {
        if !self.deliver_last(key) {
            return self.set_state(key, State::Behind);
        }
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let is_bridged = subscription.is_bridged;
        let Some(sequence) = self.sequence_of(is_bridged) else { return };
        let (epoch, head) = (sequence.epoch(), sequence.head());
        if !is_bridged && subscription.missed().is_none() && subscription.through >= head {
            return self.set_state(key, State::Live);
        }
        self.count_what_was_dropped(key);
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let (through, missed, mut room) =
            (subscription.through, subscription.missed(), subscription.room());
        let complete_after = self.complete_after(&subscription.sources, is_bridged);
        let mut gap = (missed.is_some() || complete_after > through).then(|| Gap {
            from: missed.unwrap_or(Cursor::new(epoch, through)),
            to: Cursor::new(epoch, complete_after.max(through)),
        });
        if gap.is_some() && !subscription.gaps {
            return self.cut_off_for_missing(key);
        }
        let limit = self.known_through(&subscription.sources);
        let messages = self.messages_after(key, Kept::All, through, room.saturating_add(1));
        let mut is_everything = true;
        for (position, message) in
            messages.into_iter().take_while(|(position, _)| *position <= limit)
        {
            self.tell_gap(key, &mut gap, position);
            if room == 0 {
                is_everything = false;
                // What is before the next message is of others, or in a gap that is still to be told.
                if gap.is_none() {
                    self.set_through(key, position.saturating_sub(1));
                }
                break;
            }
            room -= 1;
            self.deliver(key, &message, 1);
            self.set_through(key, position);
        }
        if is_everything {
            self.tell_gap(key, &mut gap, u64::MAX);
            self.set_through(key, limit.min(head));
        }
        let state = match (is_everything, limit == u64::MAX) {
            (true, true) => State::Live,
            (false, true) => State::Behind,
            (_, false) => State::Waiting,
        };
        self.set_state(key, state);
    }

    /// Tells the gap before the first message behind it.
    fn tell_gap(&mut self, key: Key<Subscription>, gap: &mut Option<Gap>, next: u64) {
        let Some(told) = gap.take_if(|gap| next > gap.to.position) else { return };
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        subscription.unusual = None;
        subscription.through = told.to.position;
        let (connection, subscription) = (subscription.connection, subscription.id);
        self.effects.push(Effect::Gap { connection, subscription, gap: told });
    }

    /// Delivers a message on a subscription.
    pub(super) fn deliver(
        &mut self,
        key: Key<Subscription>,
        message: &Arc<Published>,
        deliveries: u32,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        self.effects.push(subscription.deliver(message, deliveries));
    }

    fn cut_off_for_missing(&mut self, key: Key<Subscription>) {
        let source = self
            .subscriptions
            .get(key)
            .and_then(|it| it.sources.iter().next())
            .map(|link| link.source);
        let destination = match source {
            Some(Source::Topic(topic)) => self.topics.get(topic).map(|topic| cut(&topic.shown)),
            Some(Source::Pattern(pattern)) => {
                self.topics.pattern(pattern).map(|pattern| cut(&pattern.text))
            }
            _ => None,
        };
        self.cut_off(key, Refusal::Missed { destination: destination.unwrap_or_default() });
    }

    fn begin(&mut self, key: Key<Subscription>) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let Some(beginning) = subscription.unusual.as_ref().and_then(|unusual| unusual.beginning)
        else {
            return;
        };
        let is_bridged = subscription.is_bridged;
        if subscription.queue().is_some() {
            self.has_begun(key, None);
            return self.go_on(key);
        }
        if beginning.start == Start::Beginning {
            self.count_what_was_dropped(key);
        }
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let Some(sequence) = self.sequence_of(is_bridged) else { return };
        let head = sequence.head();
        let (through, missed) = match beginning.start {
            Start::Now | Start::Last => (head, None),
            Start::Beginning => {
                (self.complete_after(&subscription.sources, is_bridged).min(head), None)
            }
            Start::After(cursor) => match sequence.position_of(cursor) {
                Some(position) => (position, None),
                None => (0, Some(cursor)),
            },
        };
        let cursor = missed.unwrap_or(sequence.cursor(through));
        self.has_begun(key, Some(cursor));
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.through = through;
            let last = Some(Last { after: 0, through })
                .filter(|last| beginning.start == Start::Last && last.through > 0);
            if missed.is_some() || last.is_some() {
                let unusual = Unusual { beginning: None, missed, last };
                subscription.unusual = Some(Box::new(unusual));
            }
        }
        self.go_on(key);
        self.deliver_members(key, beginning.start);
        self.join_members(key);
    }

    fn has_begun(&mut self, key: Key<Subscription>, cursor: Option<Cursor>) {
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        let beginning = subscription.unusual.take().and_then(|unusual| unusual.beginning);
        let request = beginning.and_then(|beginning| beginning.request);
        let (connection, subscription) = (subscription.connection, subscription.id);
        self.effects.push(Effect::Subscribed { connection, subscription, request, cursor });
    }

    /// Returns the position after which nothing of these sources is missing.
    pub(super) fn complete_after(&self, sources: &Sources, is_bridged: bool) -> u64 {
        let forgotten = self.sequence_of(is_bridged).map_or(0, |sequence| sequence.forgotten());
        let complete_after = sources.iter().map(|link| match link.source {
            Source::Topic(topic) => {
                self.topics.get(topic).map_or(0, |topic| topic.ring.complete_after())
            }
            Source::Pattern(key) if is_bridged => {
                let topics = self.topics.matched_by(key).into_iter();
                let own =
                    topics.filter_map(|topic| Some(self.topics.get(topic)?.ring.complete_after()));
                let asked = self.topics.pattern(key).map_or(0, |pattern| pattern.complete_after);
                own.max().unwrap_or(0).max(forgotten).max(asked)
            }
            Source::Pattern(key) => {
                self.topics.pattern(key).map_or(0, |pattern| pattern.complete_after)
            }
            Source::Queue(_) | Source::Application(_) => 0,
        });
        complete_after.max().unwrap_or(0)
    }

    /// Returns each topic of these sources once.
    pub(super) fn topics_of(&self, sources: &Sources) -> Vec<Key<Topic>> {
        let mut topics = Vec::new();
        for link in sources.iter() {
            match link.source {
                Source::Topic(topic) => topics.push(topic),
                Source::Pattern(pattern) => topics.extend(self.topics.matched_by(pattern)),
                Source::Queue(_) | Source::Application(_) => {}
            }
        }
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// Returns up to where everything of these sources is here: `u64::MAX` if all of them are current.
    fn known_through(&self, sources: &Sources) -> u64 {
        let known = sources.iter().map(|link| {
            match self.audience(link.source).map(|audience| audience.sync) {
                Some(Sync::Unknown) => 0,
                Some(Sync::Stale { through }) => through,
                Some(Sync::Current) | None => u64::MAX,
            }
        });
        known.min().unwrap_or(u64::MAX)
    }

    fn set_state(&mut self, key: Key<Subscription>, state: State) {
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.state = state;
        }
    }

    fn set_through(&mut self, key: Key<Subscription>, position: u64) {
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.through = subscription.through.max(position);
        }
    }

    pub(super) fn find_or_create_topic(
        &mut self,
        name: &str,
        is_bridged: bool,
    ) -> Result<Key<Topic>, Refusal> {
        if let Some(key) = self.topics.find(name) {
            return Ok(key);
        }
        self.check_destinations(1)?;
        // Nothing is known of a topic of the bridge until the bridge has told.
        let sequence = self.sequence_of(is_bridged);
        let complete_after =
            sequence.map_or(0, |it| if is_bridged { it.head() } else { it.forgotten() });
        let created = self.topics.insert(name, complete_after, is_bridged, &self.config);
        let key = created.ok_or(Refusal::TooManyDestinations { limit: u32::MAX as usize })?;
        if is_bridged {
            self.knows_by_pattern(key);
        }
        Ok(key)
    }

    pub(super) fn find_or_create_pattern(
        &mut self,
        text: &str,
        is_bridged: bool,
    ) -> Result<Key<PatternOfTopics>, Refusal> {
        if let Some(key) = self.topics.find_pattern(text) {
            return Ok(key);
        }
        self.check_destinations(1)?;
        let created = self.topics.insert_pattern(text, is_bridged);
        let key = created.ok_or(Refusal::TooManyDestinations { limit: u32::MAX as usize })?;
        if let Some(pattern) = self.topics.pattern_mut(key).filter(|_| !is_bridged) {
            pattern.complete_after = self.sequence.forgotten();
            pattern.created = self.sequence.head();
        }
        Ok(key)
    }

    /// Checks whether there is room for so many destinations more.
    pub(super) fn check_destinations(&self, new: usize) -> Result<(), Refusal> {
        let limit = self.config.destinations;
        if self.destinations().saturating_add(new) <= limit {
            Ok(())
        } else {
            Err(Refusal::TooManyDestinations { limit })
        }
    }

    /// Forgets a topic or a pattern that nobody subscribes to and that keeps nothing.
    pub(super) fn remove_if_unused(&mut self, source: Source) {
        if self.audience(source).is_some_and(|audience| audience.subscribers.is_empty()) {
            self.stop_following(source);
        }
        match source {
            Source::Topic(key) => self.remove_topic_if_unused(key),
            Source::Pattern(key) => {
                if self.topics.pattern(key).is_some_and(|it| it.audience.subscribers.is_empty()) {
                    self.topics.remove_pattern(key);
                }
            }
            Source::Queue(queue) => self.queues.remove_if_unused(queue),
            Source::Application(_) => {}
        }
    }

    pub(super) fn remove_topic_if_unused(&mut self, key: Key<Topic>) {
        let Some(topic) = self.topics.get(key) else { return };
        let keeps_nothing =
            topic.ring.is_empty() && topic.retained.is_none() && topic.held.is_none();
        if !topic.audience.subscribers.is_empty() || !keeps_nothing {
            return;
        }
        let (complete_after, is_bridged) = (topic.ring.complete_after(), topic.is_bridged);
        // Of a topic that is not current, nobody thinks that everything is here.
        let is_current = self.topics.is_current(key);
        self.topics.remove(key);
        let bridge = self.bridge.as_mut().filter(|_| is_bridged);
        let sequence = match bridge {
            Some(bridge) => bridge.sequence.as_mut(),
            None => Some(&mut self.sequence),
        };
        if let Some(sequence) = sequence.filter(|_| is_current) {
            sequence.forget(complete_after);
        }
    }

    /// Notes when a topic is to be looked at.
    pub(super) fn schedule(&mut self, key: Key<Topic>) {
        let Some(topic) = self.topics.get_mut(key) else { return };
        if topic.expires.is_none() {
            if let Some(expires) = topic.ring.expires() {
                topic.expires = Some(expires);
                self.expiries.push(Reverse((expires, key)));
            }
        }
    }

    /// Drops messages that are too old.
    pub(super) fn expire(&mut self) {
        let now = self.now;
        while let Some(&Reverse((deadline, key))) = self.expiries.peek() {
            if deadline > now {
                break;
            }
            self.expiries.pop();
            self.look_at(deadline, key, |ring_expires, _| ring_expires <= now);
            self.remove_topic_if_unused(key);
            self.log.trim(is_kept_by(&self.topics));
        }
    }

    /// Drops the oldest messages of all topics while they are too much. If retained messages alone are
    /// too much, the newest of them is not retained.
    fn drop_what_is_too_much(&mut self, newest: Key<Topic>) {
        while self.kept_bytes > self.config.replay {
            let Some(Reverse((deadline, key))) = self.expiries.pop() else { break };
            self.look_at(deadline, key, |_, dropped| dropped == 0);
            // The newest message is still to be delivered.
            if key != newest {
                self.remove_topic_if_unused(key);
            }
        }
        if self.kept_bytes > self.config.replay {
            if let Some(retained) =
                self.topics.get_mut(newest).and_then(|topic| topic.retained.take())
            {
                self.kept_bytes -= retained.message().size();
            }
        }
    }

    /// Drops messages of a topic while `is_too_old` says so of the time at which the oldest expires, and
    /// the number that was dropped.
    fn look_at(
        &mut self,
        deadline: Duration,
        key: Key<Topic>,
        is_too_old: impl Fn(Duration, usize) -> bool,
    ) {
        let Some(topic) = self.topics.get_mut(key) else { return };
        // The note can be of a topic that had this key before.
        if topic.expires != Some(deadline) {
            return;
        }
        topic.expires = None;
        let mut dropped = 0;
        while topic.ring.expires().is_some_and(|expires| is_too_old(expires, dropped)) {
            self.kept_bytes -= topic.ring.drop_oldest();
            dropped += 1;
        }
        self.topics.has_dropped(key);
        self.schedule(key);
    }
}

/// Returns what tells whether a topic keeps the message of a position.
fn is_kept_by(topics: &Topics) -> impl Fn(u64, Key<Topic>) -> bool {
    |position, key| topics.get(key).is_some_and(|topic| topic.kept_at(position).is_some())
}

/// Gives a message to all live subscriptions that have room.
fn offer(
    subscribers: &[Key<Subscription>],
    position: u64,
    message: &Arc<Published>,
    subscriptions: &mut super::slab::Slab<Subscription>,
    effects: &mut Vec<Effect>,
) {
    effects.reserve(subscribers.len());
    for &key in subscribers {
        let Some(subscription) = subscriptions.get_mut(key) else { continue };
        // It can have got the message by another of its topics.
        if subscription.state != State::Live || subscription.through >= position {
            continue;
        }
        if subscription.room() == 0 {
            subscription.state = State::Behind;
            subscription.through = position - 1;
            continue;
        }
        subscription.through = position;
        effects.push(subscription.deliver(message, 1));
    }
}

impl Subscription {
    fn deliver(&mut self, message: &Arc<Published>, deliveries: u32) -> Effect {
        let delivery = self.flow.as_mut().map(|flow| flow.deliver(message, deliveries));
        Effect::Deliver {
            connection: self.connection,
            subscription: self.id,
            delivery,
            is_redelivered: deliveries > 1,
            message: message.clone(),
        }
    }
}
