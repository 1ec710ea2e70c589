//! What the hub asks its bridge, and what it makes of the answers.

use super::{
    Authorization, Effect, Hub, Start,
    outbox::Outbox,
    sequence::Sequence,
    slab::Key,
    subscription::{Link, Source, State, Subscription, Unusual},
    topic::{Audience, Held, PatternOfTopics, Sync, Topic},
};
use crate::{
    Epoch, Published,
    bridge::{self, Entry, Event, QuestionId},
};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, vec::Vec};

/// The hub's end of its bridge.
#[derive(Debug, Default)]
pub(super) struct Bridge {
    pub(super) is_up: bool,
    /// The broker's sequence, once the bridge was up.
    pub(super) sequence: Option<Sequence>,
    pub(super) outbox: Outbox,
    questions: u32,
}

impl Bridge {
    fn next_question(&mut self) -> QuestionId {
        self.questions = self.questions.wrapping_add(1);
        QuestionId(self.questions)
    }
}

/// Returns whether a question was asked before or is the same. The numbers wrap around.
fn is_at_most(question: QuestionId, other: QuestionId) -> bool {
    other.0.wrapping_sub(question.0) < 1 << 31
}

impl<A: Authorization> Hub<A> {
    pub(super) fn hear(&mut self, event: Event) {
        if self.bridge.is_none() {
            return;
        }
        match event {
            Event::Up { epoch, head } => self.bridge_is_up(epoch, head),
            Event::Down => self.bridge_is_down(),
            Event::EpochChanged { epoch, head } => {
                self.bridge_is_down();
                self.bridge_is_up(epoch, head);
            }
            Event::Published { id, position } => self.is_published(id, position),
            Event::Rejected { id, reason } => self.is_rejected(id, reason),
            Event::Message(entry) => self.hear_message(entry),
            Event::History { question, destination, entries, complete_after, head } => {
                let history = History { question, entries, complete_after, head };
                self.hear_history(&destination, history);
            }
        }
    }

    /// Returns the position after which a new subscription wants messages of the bridge.
    pub(super) fn wanted_after(&self, key: Key<Subscription>) -> Option<u64> {
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
                Some(sequence.and_then(|sequence| sequence.position_of(cursor)).unwrap_or(0))
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
        match wanted {
            None if sync == Sync::Unknown => asked,
            None => answered,
            Some(position)
                if sync != Sync::Unknown && self.source_is_complete_after(source) <= position =>
            {
                answered
            }
            Some(position) => self.ask_for_history(source, position),
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
        let (sync, none) = (Sync::Unknown, QuestionId(0));
        *audience =
            Audience { subscribers: Vec::new(), followed: none, asked: none, answered: none, sync };
        if was_followed && self.bridge.as_ref().is_some_and(|bridge| bridge.is_up) {
            self.effects.push(Effect::Bridge(Box::new(bridge::Command::Unfollow { destination })));
        }
        match source {
            Source::Topic(topic) => self.forget_unless_current(topic),
            Source::Pattern(pattern) => {
                for topic in self.topics.matched_by(pattern) {
                    self.forget_unless_current(topic);
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
            audience.asked = question;
            audience.answered = QuestionId(question.0.wrapping_sub(1));
        }
        question
    }

    fn ask_for_history(&mut self, source: Source, after: u64) -> QuestionId {
        let (Some(destination), Some(bridge)) = (self.name_of(source), &mut self.bridge) else {
            return QuestionId(0);
        };
        let question = bridge.next_question();
        if bridge.is_up {
            let history = bridge::Command::History { question, destination, after };
            self.effects.push(Effect::Bridge(Box::new(history)));
        }
        if let Some(audience) = self.audience_mut(source) {
            audience.asked = question;
        }
        question
    }

    fn bridge_is_up(&mut self, epoch: Epoch, head: u64) {
        let Some(bridge) = &mut self.bridge else { return };
        bridge.is_up = true;
        match &mut bridge.sequence {
            Some(sequence) if sequence.epoch() == epoch => sequence.seen(head),
            Some(_) => {
                self.begin_epoch(epoch, head);
            }
            None => bridge.sequence = Some(Sequence::new(epoch, head)),
        }
        for source in self.sources_of_bridge() {
            let after = self.needed_after(source);
            self.follow(source, after);
        }
        self.send_outbox_again();
    }

    fn bridge_is_down(&mut self) {
        let Some(bridge) = &mut self.bridge else { return };
        bridge.is_up = false;
        let through = bridge.sequence.as_ref().map_or(0, |sequence| sequence.head());
        for source in self.sources_of_bridge() {
            let Some(audience) = self.audience_mut(source) else { continue };
            if audience.sync == Sync::Current {
                audience.sync = Sync::Stale { through };
            }
        }
        for key in self.topics_of_bridge() {
            if let Some(topic) = self.topics.get_mut(key) {
                topic.held = None;
            }
            self.remove_topic_if_unused(key);
        }
        for key in self.subscriptions_of_bridge() {
            self.fall_behind(key, State::Waiting);
            if let Some(subscription) = self.subscriptions.get_mut(key) {
                subscription.state = State::Waiting;
            }
        }
    }

    /// Begins another sequence: nothing that topics of the bridge keep has a place in it.
    fn begin_epoch(&mut self, epoch: Epoch, head: u64) {
        let Some(old) = self
            .bridge
            .as_mut()
            .and_then(|bridge| bridge.sequence.replace(Sequence::new(epoch, head)))
        else {
            return;
        };
        for key in self.subscriptions_of_bridge() {
            let Some(subscription) = self.subscriptions.get_mut(key).filter(|it| it.has_begun())
            else {
                continue;
            };
            let through = old.cursor(core::mem::take(&mut subscription.through));
            let unusual = subscription.unusual.get_or_insert_with(|| Box::new(Unusual::default()));
            unusual.missed.get_or_insert(through);
        }
        for key in self.topics_of_bridge() {
            self.restart(key, 0);
            if let Some(topic) = self.topics.get_mut(key) {
                topic.audience.sync = Sync::Unknown;
                let retained = topic.retained.take();
                self.kept_bytes -= retained.map_or(0, |retained| retained.message().size());
            }
            self.remove_topic_if_unused(key);
        }
        let patterns: Vec<_> = self.topics.patterns().map(|(key, _)| key).collect();
        for key in patterns {
            if let Some(pattern) = self.topics.pattern_mut(key).filter(|pattern| pattern.is_bridged)
            {
                pattern.audience.sync = Sync::Unknown;
                pattern.complete_after = u64::MAX;
            }
        }
    }

    fn hear_message(&mut self, entry: Entry) {
        let Some(bridge) = &mut self.bridge else { return };
        let Some(sequence) = bridge.sequence.as_mut().filter(|_| bridge.is_up) else { return };
        sequence.seen(entry.position);
        let key = match self.topics.find(&entry.destination) {
            Some(key) => key,
            // It can be a message that was on its way when the last subscriber went.
            None if !self.topics.has_pattern_for(&entry.destination, true) => return,
            None => match self.find_or_create_topic(&entry.destination, true) {
                Ok(key) => key,
                // The subscribers of the pattern miss a message of a topic that has no room.
                Err(_) => return self.miss(&entry),
            },
        };
        if !self.topics.is_current(key) {
            return self.hold(key, entry);
        }
        let is_new = self
            .topics
            .get(key)
            .is_some_and(|topic| topic.is_bridged && topic.ring.last() < entry.position);
        if is_new {
            self.publish_at(key, entry.position, entry.message);
        }
    }

    /// Notes of a new topic what is known of it by the patterns that match.
    pub(super) fn knows_by_pattern(&mut self, key: Key<Topic>) {
        let forgotten = self.sequence_of(true).map_or(0, |sequence| sequence.forgotten());
        let patterns = self.topics.patterns_of(key).to_vec().into_iter();
        let current = patterns.filter_map(|pattern| self.topics.pattern(pattern));
        let known = current
            .filter(|it| it.audience.sync == Sync::Current)
            .map(|it| it.complete_after)
            .min();
        if let (Some(known), Some(topic)) = (known, self.topics.get_mut(key)) {
            topic.ring.restart(known.max(forgotten));
        }
    }

    /// Subscribers of patterns miss a message, because there are too many topics. They are told when they
    /// fall behind, or at once if they are live.
    fn miss(&mut self, entry: &Entry) {
        if let Some(sequence) = self.bridge.as_mut().and_then(|bridge| bridge.sequence.as_mut()) {
            sequence.forget(entry.position);
        }
        let patterns: Vec<_> =
            self.topics.patterns().filter(|(_, it)| it.is_bridged).map(|(key, _)| key).collect();
        for pattern in patterns {
            let Some(pattern) = self.topics.pattern(pattern) else { continue };
            if crate::destination::matches(&pattern.text, &entry.destination) {
                for key in pattern.audience.subscribers.clone() {
                    self.fall_behind_before(key, entry.position);
                    self.go_on(key);
                }
            }
        }
    }

    fn fall_behind_before(&mut self, key: Key<Subscription>, position: u64) {
        if let Some(subscription) =
            self.subscriptions.get_mut(key).filter(|it| it.state == State::Live)
        {
            subscription.state = State::Behind;
            subscription.through = position.saturating_sub(1);
        }
    }

    /// Holds a message back until the bridge has told what came before it.
    fn hold(&mut self, key: Key<Topic>, entry: Entry) {
        let Some(topic) = self.topics.get_mut(key) else { return };
        let limit = topic.config(&self.config).messages.max(1);
        let held = topic.held.get_or_insert_with(|| Box::new(Held::default()));
        if held.entries.len() >= limit {
            held.complete_after = held.entries.remove(0).position;
        }
        held.entries.push(entry);
    }

    fn hear_history(&mut self, destination: &str, history: History) {
        let source = match self.topics.find_pattern(destination) {
            Some(pattern) => Source::Pattern(pattern),
            None => match self.topics.find(destination) {
                Some(topic) => Source::Topic(topic),
                None => return,
            },
        };
        let Some(audience) = self.audience(source).filter(|it| !it.subscribers.is_empty()) else {
            return;
        };
        let is_wanted = is_at_most(audience.followed, history.question);
        let Some(bridge) = &mut self.bridge else { return };
        let Some(sequence) = bridge.sequence.as_mut().filter(|_| bridge.is_up && is_wanted) else {
            return;
        };
        sequence.seen(history.head);
        let known_through = match audience_sync(&self.topics, source) {
            Sync::Stale { through } => through,
            Sync::Unknown | Sync::Current => 0,
        };
        match source {
            Source::Topic(topic) => {
                self.merge(topic, &history, history.entries.iter(), known_through)
            }
            Source::Pattern(pattern) => self.merge_pattern(pattern, &history, known_through),
            Source::Queue(_) | Source::Application(_) => {}
        }
        let Some(audience) = self.audience_mut(source) else { return };
        audience.sync = Sync::Current;
        audience.answered = history.question;
        for key in audience.subscribers.clone() {
            self.try_to_begin(key);
        }
    }

    fn merge_pattern(&mut self, key: Key<PatternOfTopics>, history: &History, known_through: u64) {
        let Some(pattern) = self.topics.pattern_mut(key) else { return };
        let is_continued = pattern.audience.sync != Sync::Unknown
            && (pattern.audience.sync == Sync::Current || history.complete_after <= known_through);
        pattern.complete_after = match is_continued {
            true => pattern.complete_after.min(history.complete_after),
            false => history.complete_after,
        };
        let mut entries = BTreeMap::<&str, Vec<&Entry>>::new();
        for entry in &history.entries {
            entries.entry(&entry.destination).or_default().push(entry);
        }
        for topic in self.topics.matched_by(key) {
            let Some(name) = self.topics.get(topic).map(|topic| topic.name.clone()) else {
                continue;
            };
            let of_topic = entries.remove(&*name).unwrap_or_default();
            self.merge(topic, history, of_topic.into_iter(), known_through);
        }
        for (name, of_topic) in entries {
            match self.find_or_create_topic(name, true) {
                Ok(topic) => self.merge(topic, history, of_topic.into_iter(), known_through),
                Err(_) => of_topic.into_iter().for_each(|entry| self.miss(entry)),
            }
        }
    }

    /// Adds what the bridge has told of a topic to what the hub has.
    fn merge<'a>(
        &mut self,
        key: Key<Topic>,
        history: &History,
        entries: impl DoubleEndedIterator<Item = &'a Entry> + Clone,
        known_through: u64,
    ) {
        let is_current = self.topics.is_current(key);
        let Some(topic) = self.topics.get_mut(key) else { return };
        if !is_current {
            let held = topic.held.take().unwrap_or_default();
            let last = topic.ring.last().max(known_through);
            if history.complete_after > last {
                self.restart(key, history.complete_after);
            }
            self.append(key, entries.clone());
            if held.complete_after > history.head {
                self.restart(key, held.complete_after);
            }
            self.append(key, held.entries.iter());
        }
        self.prepend(key, entries, history.complete_after);
        self.remove_topic_if_unused(key);
    }

    /// Keeps messages that are newer than all others. Nobody who is live lacks them.
    fn append<'a>(&mut self, key: Key<Topic>, entries: impl Iterator<Item = &'a Entry>) {
        for entry in entries {
            if self.topics.get(key).is_some_and(|topic| topic.ring.last() < entry.position) {
                self.keep(key, entry.position, entry.message.clone());
            }
        }
    }

    /// Keeps messages that are older than all others.
    fn prepend<'a>(
        &mut self,
        key: Key<Topic>,
        entries: impl DoubleEndedIterator<Item = &'a Entry>,
        complete_after: u64,
    ) {
        let Some(sequence) = self.bridge.as_ref().and_then(|bridge| bridge.sequence.as_ref())
        else {
            return;
        };
        let Some(topic) = self.topics.get_mut(key) else { return };
        let begin = topic.ring.complete_after();
        if complete_after >= begin {
            return;
        }
        let expires = self.now.saturating_add(topic.config(&self.config).age);
        let shown = topic.shown.clone();
        let older = entries
            .filter(|entry| (complete_after + 1..=begin).contains(&entry.position))
            .map(|entry| {
                let cursor = Some(sequence.cursor(entry.position));
                (
                    entry.position,
                    Arc::new(Published::new(cursor, shown.clone(), entry.message.clone())),
                )
            });
        let before = topic.ring.bytes();
        topic.ring.extend_front(older, complete_after, expires);
        self.kept_bytes = self.kept_bytes + topic.ring.bytes() - before;
        self.schedule(key);
    }

    fn restart(&mut self, key: Key<Topic>, complete_after: u64) {
        if let Some(topic) = self.topics.get_mut(key) {
            self.kept_bytes -= topic.ring.bytes();
            topic.ring.restart(complete_after);
        }
    }

    /// Drops what is kept of a topic of the bridge, unless the bridge still tells what comes.
    fn forget_unless_current(&mut self, key: Key<Topic>) {
        if self.topics.is_current(key) {
            return;
        }
        let head = self.sequence_of(true).map_or(0, |sequence| sequence.head());
        self.restart(key, head);
        if let Some(topic) = self.topics.get_mut(key) {
            topic.held = None;
            let retained = topic.retained.take();
            self.kept_bytes -= retained.map_or(0, |retained| retained.message().size());
        }
    }

    /// Returns the position after which the bridge has to tell what it has of a source, for all of its
    /// subscribers.
    fn needed_after(&self, source: Source) -> Option<u64> {
        let audience = self.audience(source)?;
        let wanted = audience.subscribers.iter().filter_map(|&key| self.wanted_after(key)).min();
        match audience.sync {
            Sync::Stale { through } => Some(wanted.unwrap_or(through).min(through)),
            Sync::Unknown | Sync::Current => wanted,
        }
    }

    fn source_is_complete_after(&self, source: Source) -> u64 {
        let link = Link { source, slot: 0, needs: QuestionId(0) };
        self.complete_after(&super::subscription::Sources::One(link), true)
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

    fn topics_of_bridge(&self) -> Vec<Key<Topic>> {
        self.topics.iter().filter(|(_, topic)| topic.is_bridged).map(|(key, _)| key).collect()
    }

    fn subscriptions_of_bridge(&self) -> Vec<Key<Subscription>> {
        self.subscriptions.iter().filter(|(_, it)| it.is_bridged).map(|(key, _)| key).collect()
    }
}

/// What the bridge has of a destination.
struct History {
    question: QuestionId,
    entries: Vec<Entry>,
    complete_after: u64,
    head: u64,
}

fn audience_sync(topics: &super::topic::Topics, source: Source) -> Sync {
    let audience = match source {
        Source::Topic(topic) => topics.get(topic).map(|topic| &topic.audience),
        Source::Pattern(pattern) => topics.pattern(pattern).map(|pattern| &pattern.audience),
        Source::Queue(_) | Source::Application(_) => None,
    };
    audience.map_or(Sync::Current, |audience| audience.sync)
}
