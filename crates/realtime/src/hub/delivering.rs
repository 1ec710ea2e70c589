//! From a topic to its subscribers: live, and from what topics keep.

use super::{
    Authorization, Effect, Gap, Hub, Refusal, Start,
    kept::Kept,
    keys::{OfSubscription, SubscriptionKey, TopicKey},
    refusal::cut,
    sequence::Sequence,
    slab::Slab,
    subscription::{Last, Source, Sources, State, Subscription, Unusual},
    topic::Sync,
};
use crate::{
    cursor::Cursor,
    message::{Message, Published},
};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};

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
    pub(super) fn publish_at(&mut self, key: TopicKey, position: u64, message: Message) {
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
        // Only now: what goes may be this topic, and nobody would find its subscribers.
        self.drop_what_is_too_much(Some(key));
        self.remove_topic_if_unused(key);
    }

    /// Begins a subscription, unless the bridge has to answer first.
    pub(super) fn try_to_begin(&mut self, key: SubscriptionKey) {
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
    pub(super) fn go_on(&mut self, key: SubscriptionKey) {
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

    /// Tells what was missed, and delivers what topics keep after the subscription's place.
    fn catch_up(&mut self, key: SubscriptionKey) {
        if !self.deliver_last(key) {
            return self.set_state(key, State::Behind);
        }
        self.find_missed(key);
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let Some(sequence) = self.sequence_of(subscription.is_bridged) else { return };
        let head = sequence.head();
        let is_bridged = subscription.is_bridged;
        if !is_bridged && subscription.missed().is_none() && subscription.through >= head {
            return self.set_state(key, State::Live);
        }
        self.count_what_was_dropped(key);
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let Some(sequence) = self.sequence_of(is_bridged) else { return };
        let limit = self.known_through(&subscription.sources);
        if let Some(gap) = self.gap(subscription, sequence) {
            if gap.to.position > limit {
                // The bridge has told more of some sources than of others, and has still to tell
                // whether those go on before the end of the gap.
                return self.set_state(key, State::Waiting);
            }
            if !subscription.gaps {
                return self.cut_off_for_missing(key);
            }
            self.tell_gap(key, gap);
        }
        let is_everything = self.deliver_through(key, limit);
        if is_everything {
            self.set_through(key, limit.min(head));
        }
        let state = match (is_everything, limit == u64::MAX) {
            (true, true) => State::Live,
            (false, true) => State::Behind,
            (_, false) => State::Waiting,
        };
        self.set_state(key, state);
    }

    /// A cursor that was of an unknown epoch can be of the one that has begun since. Then it is a place like
    /// others.
    fn find_missed(&mut self, key: SubscriptionKey) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let Some(missed) = subscription.missed() else { return };
        let sequence = self.sequence_of(subscription.is_bridged);
        let Some(position) = sequence.and_then(|sequence| sequence.position_of(missed)) else {
            return;
        };
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.unusual = None;
            subscription.through = subscription.through.max(position);
        }
    }

    /// Returns what a subscription has missed. If it has several topics, one of them is enough: whoever
    /// has got a message resumes after it, so a gap has to be told before the first message that can be
    /// behind it.
    fn gap(&self, subscription: &Subscription, sequence: &Sequence) -> Option<Gap> {
        let (through, missed) = (subscription.through, subscription.missed());
        let complete_after = self.complete_after(&subscription.sources);
        (missed.is_some() || complete_after > through).then(|| Gap {
            from: missed.unwrap_or(sequence.cursor(through)),
            to: sequence.cursor(complete_after.max(through)),
        })
    }

    fn tell_gap(&mut self, key: SubscriptionKey, gap: Gap) {
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        subscription.unusual = None;
        subscription.through = gap.to.position;
        let (connection, subscription) = (subscription.connection, subscription.id);
        self.effects.push(Effect::Gap { connection, subscription, gap });
        self.list_again(key);
    }

    /// Delivers what topics keep, up to a position, as far as there is room. Returns whether that was
    /// everything.
    fn deliver_through(&mut self, key: SubscriptionKey, limit: u64) -> bool {
        let Some(subscription) = self.subscriptions.get(key) else { return true };
        let (through, room) = (subscription.through, subscription.room());
        // Also without a portion: whoever has missed nothing has to be live, or would miss what comes.
        let at_most = room.min(self.most_messages()).saturating_add(1);
        let messages = self.messages_after(key, Kept::All, through, at_most);
        for (index, (position, message)) in messages.into_iter().enumerate() {
            if position > limit {
                break;
            }
            if index == room || self.portion == 0 {
                // What is before the next message is of others.
                self.set_through(key, position.saturating_sub(1));
                if index < room {
                    self.unfinished.push_back(key);
                }
                return false;
            }
            self.deliver_kept(key, &message);
            self.set_through(key, position);
        }
        true
    }

    /// Delivers what a topic has kept, and counts it to the portion of this command.
    pub(super) fn deliver_kept(&mut self, key: SubscriptionKey, message: &Arc<Published>) {
        let size = message.message().size().saturating_add(Published::OVERHEAD);
        self.portion = self.portion.saturating_sub(size);
        self.deliver(key, message, 1);
    }

    /// Returns how many messages the portion of this command has room for, at most.
    pub(super) const fn most_messages(&self) -> usize {
        self.portion.div_ceil(Published::OVERHEAD)
    }

    /// Lets the subscriptions go on for which earlier commands had no room.
    pub(super) fn go_on_with_unfinished(&mut self) {
        while self.portion > 0 {
            let Some(key) = self.unfinished.pop_front() else {
                self.unfinished = VecDeque::new();
                return;
            };
            self.go_on(key);
        }
    }

    /// Delivers a message on a subscription.
    pub(super) fn deliver(
        &mut self,
        key: SubscriptionKey,
        message: &Arc<Published>,
        deliveries: u32,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        self.effects.push(subscription.deliver(message, deliveries));
    }

    fn cut_off_for_missing(&mut self, key: SubscriptionKey) {
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

    /// Begins a subscription. That of a presence begins with a list of the members, unless it resumes, so it
    /// waits for the bridge if that can tell it.
    fn begin(&mut self, key: SubscriptionKey) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let beginning = subscription.unusual.as_ref().and_then(|unusual| unusual.beginning);
        if subscription.queue().is_some() {
            self.has_begun(key, None);
            return self.go_on(key);
        }
        let is_bridged = subscription.is_bridged;
        if beginning.is_some_and(|beginning| matches!(beginning.start, Start::After(_))) {
            return self.begin_with(key, &[]);
        }
        let presences = self.presences(key);
        if is_bridged && !presences.is_empty() && self.wait_for_lists(key, &presences) {
            return;
        }
        self.begin_with(key, &self.lists_here(&presences));
    }

    /// Begins a subscription of topics that has all that it needs, and lists the members.
    pub(super) fn begin_with(&mut self, key: SubscriptionKey, lists: &[Arc<Published>]) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let Some(beginning) = subscription.unusual.as_ref().and_then(|unusual| unusual.beginning)
        else {
            return;
        };
        let is_bridged = subscription.is_bridged;
        if beginning.start == Start::Beginning {
            self.count_what_was_dropped(key);
        }
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let Some(sequence) = self.sequence_of(is_bridged) else { return };
        let head = sequence.head();
        let (through, missed) = match beginning.start {
            Start::Now | Start::Last => (head, None),
            Start::Beginning => {
                let complete_after = self.complete_after(&subscription.sources).min(head);
                if complete_after > self.known_through(&subscription.sources) {
                    // One topic begins where the bridge has still to tell of another.
                    return;
                }
                (complete_after, None)
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
        self.deliver_lists(key, lists);
        if !beginning.is_hidden {
            self.join_members(key);
        }
    }

    fn has_begun(&mut self, key: SubscriptionKey, cursor: Option<Cursor>) {
        let Some(subscription) = self.subscriptions.get_mut(key) else { return };
        let beginning = subscription.unusual.take().and_then(|unusual| unusual.beginning);
        let request = beginning.and_then(|beginning| beginning.request);
        let (connection, subscription) = (subscription.connection, subscription.id);
        self.effects.push(Effect::Subscribed { connection, subscription, request, cursor });
    }

    /// Returns the position after which nothing of these sources is missing.
    pub(super) fn complete_after(&self, sources: &Sources) -> u64 {
        let complete_after = sources.iter().map(|link| match link.source {
            Source::Topic(topic) => {
                self.topics.get(topic).map_or(0, |topic| topic.ring.complete_after())
            }
            Source::Pattern(key) => {
                self.topics.pattern(key).map_or(0, |pattern| pattern.complete_after)
            }
            Source::Queue(_) | Source::Application(_) => 0,
        });
        complete_after.max().unwrap_or(0)
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

    fn set_state(&mut self, key: SubscriptionKey, state: State) {
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.state = state;
        }
    }

    fn set_through(&mut self, key: SubscriptionKey, position: u64) {
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.through = subscription.through.max(position);
        }
    }
}

/// Gives a message to all live subscriptions that have room.
fn offer(
    subscribers: &[SubscriptionKey],
    position: u64,
    message: &Arc<Published>,
    subscriptions: &mut Slab<OfSubscription, Subscription>,
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
