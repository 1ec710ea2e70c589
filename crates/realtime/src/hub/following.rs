//! What the hub asks its bridge, and what it does when the bridge comes and goes.

use super::{
    Authorization, Effect, Hub, Start,
    asked::Asked,
    entering::Leaving,
    keys::{SubscriptionKey, TopicKey},
    listing::presence_of_all,
    outbox::Outbox,
    sequence::Sequence,
    subscription::{Link, Source, Sources, State, Unusual},
    taken::Taken,
    topic::{Audience, Sync},
};
use crate::{
    bridge::{self, Event, QuestionId},
    cursor::Epoch,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};

/// The hub's end of its bridge.
#[derive(Debug, Default)]
pub(super) struct Bridge {
    pub(super) is_up: bool,
    /// The broker's sequence, once the bridge was up.
    pub(super) sequence: Option<Sequence>,
    pub(super) outbox: Outbox,
    pub(super) taken: Taken,
    /// Who waits for lists of members.
    pub(super) asked: Asked,
    pub(super) leaving: Leaving,
    questions: u32,
}

impl Bridge {
    pub(super) fn next_question(&mut self) -> QuestionId {
        // 0 is no question.
        self.questions = self.questions.wrapping_add(1).max(1);
        QuestionId(self.questions)
    }
}

/// Returns whether a question was asked before or is the same. The numbers wrap around.
pub(super) fn is_at_most(question: QuestionId, other: QuestionId) -> bool {
    other.0.wrapping_sub(question.0) < 1 << 31
}

impl<A: Authorization> Hub<A> {
    pub(super) fn hear(&mut self, event: Event) {
        if self.bridge.is_none() {
            return;
        }
        match event {
            Event::Up { epoch, head } | Event::EpochChanged { epoch, head } => {
                self.bridge_is_down();
                self.bridge_is_up(epoch, head);
            }
            Event::Down => self.bridge_is_down(),
            Event::Published { id, position } => self.is_published(id, position),
            Event::Rejected { id, reason } => self.is_rejected(id, reason),
            Event::Message(entry) => self.hear_message(entry),
            Event::History(history) => self.hear_history(&history),
            Event::Taken { entry, deliveries, again } => {
                self.hear_taken(entry, deliveries, again);
            }
            Event::Stopped { destination } => self.hear_stopped(&destination),
            Event::Settled { cursor } => self.hear_settled(cursor),
            Event::Left { question } => self.hear_left(question),
            Event::Members { question, destinations, members, is_partial } => {
                let told: Vec<_> =
                    members.into_iter().map(|it| presence_of_all(it, is_partial)).collect();
                self.hear_members(question, &destinations, &told);
            }
            Event::CountedAsDead => self.enter_all(),
        }
    }

    /// Returns the position after which a subscription wants messages of the bridge, or `None` if it
    /// begins with what comes.
    pub(super) fn wanted_after(&self, key: SubscriptionKey) -> Option<u64> {
        let subscription = self.subscriptions.get(key)?;
        let Some(beginning) = subscription.unusual.as_ref().and_then(|unusual| unusual.beginning)
        else {
            return Some(if subscription.missed().is_some() { 0 } else { subscription.through });
        };
        match beginning.start {
            Start::Now => None,
            Start::Last | Start::Beginning => Some(0),
            Start::After(cursor) => {
                let sequence = self.sequence_of(subscription.is_bridged);
                let is_of_it = sequence.is_some_and(|sequence| sequence.epoch() == cursor.epoch);
                Some(if is_of_it { cursor.position } else { 0 })
            }
        }
    }

    /// Asks the bridge for what a new subscription needs. Returns the question whose answer it needs.
    pub(super) fn ask_bridge(
        &mut self,
        source: Source,
        is_first: bool,
        wanted: Option<u64>,
    ) -> QuestionId {
        if !self.is_of_bridge(source) {
            return QuestionId(0);
        }
        let Some(audience) = self.audience(source) else { return QuestionId(0) };
        let (sync, asked, answered) = (audience.sync, audience.asked, audience.answered);
        if is_first {
            return self.follow(source, wanted);
        }
        let Some(position) = wanted else {
            return if sync == Sync::Unknown { asked } else { answered };
        };
        // Of a message that is not known here, an open question can have been answered already.
        let is_ahead = position > self.sequence_of(true).map_or(0, Sequence::head);
        if !is_ahead && sync != Sync::Unknown && self.is_here_after(source, position) {
            answered
        } else if !is_ahead && audience.waits_for(position) {
            asked
        } else {
            self.ask_for_history(source, position)
        }
    }

    /// Tells the bridge that nobody here subscribes to a topic or pattern any more. What the hub keeps of
    /// it is then soon out of date.
    pub(super) fn stop_following(&mut self, source: Source) {
        if !self.is_of_bridge(source) {
            return;
        }
        let Some(destination) = self.name_of(source) else { return };
        let Some(audience) = self.audience_mut(source) else { return };
        let was_followed = audience.asked != QuestionId(0);
        *audience = Audience::new(Sync::Unknown);
        if was_followed && self.bridge.as_ref().is_some_and(|bridge| bridge.is_up) {
            self.effects.push(Effect::Bridge(Box::new(bridge::Command::Unfollow { destination })));
        }
        match source {
            Source::Topic(topic) => self.is_left(topic),
            Source::Pattern(pattern) => {
                for topic in self.topics.matched_by(pattern) {
                    self.is_left(topic);
                    self.remove_topic_if_unused(topic);
                }
            }
            Source::Queue(_) | Source::Application(_) => {}
        }
    }

    /// Returns whether a subscription can go on with what is known of this source.
    pub(super) fn has_what_is_needed(&self, link: &Link) -> bool {
        let Some(audience) = self.audience(link.source) else { return true };
        !self.is_of_bridge(link.source)
            || audience.sync != Sync::Unknown && is_at_most(link.needs, audience.answered)
    }

    fn follow(&mut self, source: Source, after: Option<u64>) -> QuestionId {
        // A client's cursor can name any position.
        let head = self.sequence_of(true).map_or(0, Sequence::head);
        let after = after.map(|after| after.min(head));
        let (Some(destination), Some(bridge)) = (self.name_of(source), &mut self.bridge) else {
            return QuestionId(0);
        };
        let question = bridge.next_question();
        if bridge.is_up {
            let follow = bridge::Command::Follow { question, destination, after };
            self.effects.push(Effect::Bridge(Box::new(follow)));
        }
        if let Some(audience) = self.audience_mut(source) {
            audience.followed = question;
            audience.asks(question, after);
        }
        question
    }

    fn ask_for_history(&mut self, source: Source, after: u64) -> QuestionId {
        let head = self.sequence_of(true).map_or(0, Sequence::head);
        let after = after.min(head);
        let (Some(destination), Some(bridge)) = (self.name_of(source), &mut self.bridge) else {
            return QuestionId(0);
        };
        let question = bridge.next_question();
        if bridge.is_up {
            let history = bridge::Command::History { question, destination, after };
            self.effects.push(Effect::Bridge(Box::new(history)));
        }
        if let Some(audience) = self.audience_mut(source) {
            audience.asks(question, Some(after));
        }
        question
    }

    fn bridge_is_up(&mut self, epoch: Epoch, head: u64) {
        let Some(bridge) = &mut self.bridge else { return };
        bridge.is_up = true;
        match &mut bridge.sequence {
            Some(sequence) if sequence.epoch() == epoch => sequence.seen(head),
            Some(_) => self.begin_epoch(epoch, head),
            None => bridge.sequence = Some(Sequence::new(epoch, head)),
        }
        for source in self.sources_of_bridge() {
            let after = self.needed_after(source);
            self.follow(source, after);
        }
        self.settle_again();
        self.send_outbox_again();
        self.enter_again();
        self.ask_for_lists_again();
    }

    fn bridge_is_down(&mut self) {
        let Some(bridge) = &mut self.bridge else { return };
        if !bridge.is_up {
            return;
        }
        bridge.is_up = false;
        let through = bridge.sequence.as_ref().map_or(0, Sequence::head);
        for source in self.sources_of_bridge() {
            let Some(audience) = self.audience_mut(source) else { continue };
            if audience.sync == Sync::Current {
                audience.sync = Sync::Stale { through };
            }
        }
        for key in self.topics_of_bridge() {
            if let Some(topic) = self.topics.get_mut(key) {
                topic.held = None;
                topic.ring.ends_at(through);
            }
            self.remove_topic_if_unused(key);
        }
        for queue in self.queues.ask_anew() {
            self.queues.remove_if_unused(queue);
        }
        for key in self.subscriptions_of_bridge() {
            self.fall_behind(key, State::Waiting);
            if let Some(subscription) = self.subscriptions.get_mut(key) {
                subscription.state = State::Waiting;
            }
        }
        self.lists_are_void();
    }

    /// Begins another sequence: nothing that topics of the bridge keep has a place in it.
    fn begin_epoch(&mut self, epoch: Epoch, head: u64) {
        let Some(bridge) = &mut self.bridge else { return };
        let Some(old) = bridge.sequence.replace(Sequence::new(epoch, head)) else { return };
        bridge.taken.clear();
        for key in self.subscriptions_of_bridge() {
            let Some(subscription) = self.subscriptions.get_mut(key).filter(|it| it.has_begun())
            else {
                continue;
            };
            let through = old.cursor(core::mem::take(&mut subscription.through));
            let unusual = subscription.unusual.get_or_insert_with(|| Box::new(Unusual::default()));
            unusual.missed.get_or_insert(through);
        }
        for source in self.sources_of_bridge() {
            if let Some(audience) = self.audience_mut(source) {
                audience.sync = Sync::Unknown;
            }
            if let Source::Pattern(key) = source {
                if let Some(pattern) = self.topics.pattern_mut(key) {
                    pattern.complete_after = 0;
                    pattern.missed = 0;
                }
            }
        }
        for key in self.topics_of_bridge() {
            self.forget(key);
            self.remove_topic_if_unused(key);
        }
    }

    /// Forgets what is kept of a topic of the bridge that has no subscribers any more, own ones or those
    /// of patterns. If it has, they may be waiting for the bridge.
    fn is_left(&mut self, key: TopicKey) {
        if !self.topics.has_subscribers(key) {
            return self.forget(key);
        }
        let head = self.sequence_of(true).map_or(0, Sequence::head);
        if !self.topics.is_current(key) {
            if let Some(topic) = self.topics.get_mut(key) {
                topic.ring.ends_at(head);
            }
        }
    }

    /// Drops what is kept of a topic of the bridge: nothing is known of it any more.
    fn forget(&mut self, key: TopicKey) {
        if let Some(topic) = self.topics.get_mut(key) {
            self.kept_bytes -= topic.kept_bytes();
            topic.ring.restart(0);
            topic.retained = None;
            topic.held = None;
        }
        self.unschedule(key);
        self.trim_logs();
    }

    /// Returns the position after which the bridge has to tell what it has of a source, for all of its
    /// subscribers.
    fn needed_after(&self, source: Source) -> Option<u64> {
        let audience = self.audience(source)?;
        let wanted = audience.subscribers.iter().filter_map(|&key| self.wanted_after(key)).min();
        match audience.sync {
            // Who subscribes before the answer counts on what is here, so the answer has to continue it.
            Sync::Stale { through } => Some(wanted.map_or(through, |wanted| wanted.min(through))),
            Sync::Unknown | Sync::Current => wanted,
        }
    }

    /// Returns whether everything of a source after a position is here.
    fn is_here_after(&self, source: Source, position: u64) -> bool {
        let link = Link { source, slot: 0, needs: QuestionId(0) };
        self.complete_after(&Sources::One(link)) <= position
    }

    fn is_of_bridge(&self, source: Source) -> bool {
        match source {
            Source::Topic(topic) => self.topics.get(topic).is_some_and(|topic| topic.is_bridged),
            Source::Pattern(pattern) => {
                self.topics.pattern(pattern).is_some_and(|pattern| pattern.is_bridged)
            }
            Source::Queue(_) | Source::Application(_) => false,
        }
    }

    fn name_of(&self, source: Source) -> Option<Arc<str>> {
        match source {
            Source::Topic(topic) => self.topics.get(topic).map(|topic| topic.name.clone()),
            Source::Pattern(pattern) => {
                self.topics.pattern(pattern).map(|pattern| pattern.text.clone())
            }
            Source::Queue(_) | Source::Application(_) => None,
        }
    }

    /// Returns the topics and patterns of the bridge that have subscribers.
    fn sources_of_bridge(&self) -> Vec<Source> {
        let topics = self
            .topics
            .iter()
            .filter(|(_, topic)| topic.is_bridged && !topic.audience.subscribers.is_empty());
        let patterns = self.topics.patterns().filter(|(_, pattern)| pattern.is_bridged);
        let topics = topics.map(|(key, _)| Source::Topic(key));
        topics.chain(patterns.map(|(key, _)| Source::Pattern(key))).collect()
    }

    fn topics_of_bridge(&self) -> Vec<TopicKey> {
        self.topics.iter().filter(|(_, topic)| topic.is_bridged).map(|(key, _)| key).collect()
    }

    fn subscriptions_of_bridge(&self) -> Vec<SubscriptionKey> {
        self.subscriptions.iter().filter(|(_, it)| it.is_bridged).map(|(key, _)| key).collect()
    }
}
