//! What the hub makes of the messages that its bridge tells.

use super::{
    Authorization, Hub,
    following::is_at_most,
    keys::{PatternKey, SubscriptionKey, TopicKey},
    sequence::Sequence,
    subscription::{Source, State},
    topic::{Sync, Topic},
};
use crate::{
    bridge::{Entry, History},
    message::Published,
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::time::Duration;

impl<A: Authorization> Hub<A> {
    pub(super) fn hear_message(&mut self, entry: Entry) {
        let Some(bridge) = &mut self.bridge else { return };
        let Some(sequence) = bridge.sequence.as_mut().filter(|_| bridge.is_up) else { return };
        sequence.seen(entry.position);
        let key = match self.topics.find(&entry.destination) {
            Some(key) => key,
            // It can be a message that was on its way when the last subscriber went.
            None if !self.is_matched(&entry.destination) => return,
            None => match self.find_or_create_topic(&entry.destination, true) {
                Ok(key) => key,
                Err(_) => return self.miss(&entry),
            },
        };
        let is_current = self.topics.is_current(key);
        let Some(topic) = self.topics.get_mut(key).filter(|topic| topic.is_bridged) else { return };
        if !is_current {
            let config = *topic.config(&self.config);
            topic.held.get_or_insert_default().push(entry, &config);
        } else if topic.ring.last() < entry.position {
            self.publish_at(key, entry.position, entry.message);
        }
    }

    pub(super) fn hear_history(&mut self, history: &History) {
        let destination = &*history.destination;
        let pattern = self.topics.find_pattern(destination).map(Source::Pattern);
        let topic = self.topics.find(destination).map(Source::Topic);
        let Some(source) = pattern.or(topic) else { return };
        let Some(audience) = self.audience(source).filter(|it| !it.subscribers.is_empty()) else {
            return;
        };
        // Before the last `Follow` the bridge was asked for others, who are gone, or before it went down.
        let is_wanted = is_at_most(audience.followed, history.question);
        let Some(bridge) = &mut self.bridge else { return };
        let Some(sequence) = bridge.sequence.as_mut().filter(|_| bridge.is_up && is_wanted) else {
            return;
        };
        sequence.seen(history.head);
        match source {
            Source::Topic(topic) => {
                self.merge(topic, history, &mut history.entries.iter());
            }
            Source::Pattern(pattern) => self.merge_pattern(pattern, history),
            Source::Queue(_) | Source::Application(_) => {}
        }
        let Some(audience) = self.audience_mut(source) else { return };
        audience.sync = Sync::Current;
        audience.answered = history.question;
        for key in audience.subscribers.clone() {
            self.try_to_begin(key);
        }
        self.drop_what_is_too_much(None);
    }

    fn merge_pattern(&mut self, key: PatternKey, history: &History) {
        let mut entries = BTreeMap::<&str, Vec<&Entry>>::new();
        let is_bridged = |entry: &&Entry| self.is_bridged(&entry.destination);
        for entry in history.entries.iter().filter(is_bridged) {
            entries.entry(&entry.destination).or_default().push(entry);
        }
        let mut dropped = 0;
        for topic in self.topics.matched_by(key) {
            let Some(name) = self.topics.get(topic).map(|topic| topic.name.clone()) else {
                continue;
            };
            let of_topic = entries.remove(&*name).unwrap_or_default();
            dropped = dropped.max(self.merge(topic, history, &mut of_topic.into_iter()));
        }
        for (name, of_topic) in entries {
            match self.find_or_create_topic(name, true) {
                Ok(topic) => {
                    dropped = dropped.max(self.merge(topic, history, &mut of_topic.into_iter()));
                }
                Err(_) => {
                    dropped = of_topic.last().map_or(0, |last| last.position).max(dropped);
                }
            }
        }
        let Some(pattern) = self.topics.pattern_mut(key) else { return };
        let asked_after = history.complete_after.min(history.head);
        let is_continued = match pattern.audience.sync {
            Sync::Unknown => false,
            Sync::Stale { through } => asked_after <= through,
            Sync::Current => true,
        };
        let known_after =
            if is_continued { pattern.complete_after.min(asked_after) } else { asked_after };
        let missed = if pattern.missed > history.head { pattern.missed } else { 0 };
        pattern.complete_after = known_after.max(dropped).max(missed);
    }

    /// Adds what the bridge has told of a topic to what the hub has. Returns the position after which
    /// nothing of the topic is missing.
    fn merge<'a>(
        &mut self,
        key: TopicKey,
        history: &'a History,
        entries: &mut dyn DoubleEndedIterator<Item = &'a Entry>,
    ) -> u64 {
        let is_current = self.topics.is_current(key);
        let Some(sequence) = self.bridge.as_ref().and_then(|bridge| bridge.sequence.as_ref())
        else {
            return 0;
        };
        let Some(topic) = self.topics.get_mut(key).filter(|topic| topic.is_bridged) else {
            return 0;
        };
        let before = topic.kept_bytes();
        let config = *topic.config(&self.config);
        let expires = self.now.saturating_add(config.age);
        let complete_after = history.complete_after.min(history.head);
        let entries: Vec<&Entry> = entries.collect();
        let mut positions: Vec<_> = entries.iter().map(|entry| entry.position).collect();
        // A history that ends before what is kept begins says nothing of what is between.
        if history.head >= topic.ring.complete_after() {
            topic.prepend(&entries, complete_after, expires, sequence);
        }
        if !is_current {
            let held = topic.held.take().unwrap_or_default();
            positions.extend(held.entries().map(|entry| entry.position));
            topic.append(entries.into_iter(), complete_after, expires, sequence);
            // What had no room can be in the history.
            let had_no_room = Some(held.complete_after()).filter(|&it| it > history.head);
            topic.append(held.entries(), had_no_room.unwrap_or(0), expires, sequence);
            topic.ring.goes_on();
        }
        if config.retain {
            topic.retain_last(self.kept_bytes <= self.config.replay);
        }
        let complete_after = topic.ring.complete_after();
        self.kept_bytes = self.kept_bytes + topic.kept_bytes() - before;
        self.topics.has_dropped(key);
        self.list(key, positions);
        self.schedule(key);
        self.remove_topic_if_unused(key);
        complete_after
    }

    /// Subscribers of patterns miss a message, because there are too many topics. Those that are live are
    /// told at once.
    fn miss(&mut self, entry: &Entry) {
        for key in self.topics.patterns_for(&entry.destination, true) {
            let Some(pattern) = self.topics.pattern_mut(key) else { continue };
            pattern.missed = entry.position;
            pattern.complete_after = pattern.complete_after.max(entry.position);
            if pattern.audience.sync != Sync::Current {
                continue;
            }
            for key in pattern.audience.subscribers.clone() {
                self.fall_behind_before(key, entry.position);
                self.go_on(key);
            }
        }
    }

    fn fall_behind_before(&mut self, key: SubscriptionKey, position: u64) {
        let live = self.subscriptions.get_mut(key).filter(|it| it.state == State::Live);
        if let Some(subscription) = live.filter(|it| it.through < position) {
            subscription.state = State::Behind;
            subscription.through = position - 1;
        }
    }

    /// Returns whether subscribers of a pattern want to have the messages of a topic of the bridge.
    fn is_matched(&self, topic: &str) -> bool {
        self.is_bridged(topic) && !self.topics.patterns_for(topic, true).is_empty()
    }
}

impl Topic {
    /// Keeps messages that are older than all others, if nothing is missing between.
    fn prepend(
        &mut self,
        entries: &[&Entry],
        complete_after: u64,
        expires: Duration,
        sequence: &Sequence,
    ) {
        let begin = self.ring.complete_after();
        if complete_after >= begin {
            return;
        }
        let shown = &self.shown;
        let is_older = |entry: &&&Entry| (complete_after + 1..=begin).contains(&entry.position);
        let older = entries
            .iter()
            .filter(is_older)
            .map(|entry| (entry.position, published(entry, shown, sequence)));
        self.ring.extend_front(older, complete_after, expires);
    }

    /// Keeps messages that are newer than all others. Nothing is missing after `complete_after`.
    fn append<'a>(
        &mut self,
        entries: impl Iterator<Item = &'a Entry>,
        complete_after: u64,
        expires: Duration,
        sequence: &Sequence,
    ) {
        if complete_after > self.ring.complete_through() {
            self.ring.restart(complete_after);
            self.retained = None;
        }
        for entry in entries {
            if self.ring.last() < entry.position {
                let message = published(entry, &self.shown, sequence);
                self.ring.push_above_limits(&message, entry.position, expires);
            }
        }
    }

    /// Retains the newest message. Without room for it, an older one is not the last any more either.
    fn retain_last(&mut self, has_room: bool) {
        if let Some(newest) = self.ring.newest() {
            // As in a topic that is not the broker's, an empty message takes the retained one away.
            let is_empty = newest.message().body().is_empty();
            self.retained = Some(newest.clone()).filter(|_| has_room && !is_empty);
        }
    }
}

fn published(entry: &Entry, shown: &Arc<str>, sequence: &Sequence) -> Arc<Published> {
    let cursor = Some(sequence.cursor(entry.position));
    Arc::new(Published::new(cursor, shown.clone(), entry.message.clone()))
}
