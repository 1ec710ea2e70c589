//! Topics, patterns of topics, and who subscribes to them.

use super::{
    Config, TopicConfig,
    keys::{OfPattern, OfTopic, PatternKey, SubscriptionKey, TopicKey},
    members::Members,
    patterns::Patterns,
    ring::Ring,
    slab::Slab,
};
use crate::{
    bridge::{Entry, QuestionId},
    destination,
    message::Published,
};
use alloc::{borrow::Cow, boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use core::time::Duration;
use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    /// The name as subscribers know it.
    pub(super) shown: Arc<str>,
    pub(super) audience: Audience,
    pub(super) ring: Ring,
    pub(super) retained: Option<Arc<Published>>,
    /// When the topic is to be looked at, because its oldest message expires.
    pub(super) expires: Option<Duration>,
    /// What came before the bridge has told what was missed.
    pub(super) held: Option<Box<Held>>,
    /// Who is subscribed, if that is told.
    pub(super) members: Option<Box<Members>>,
    pub(super) is_bridged: bool,
    /// Which configuration counts, or `u32::MAX` for that of other topics.
    config: u32,
    /// The patterns that match, as of this state of all patterns.
    matching: Box<[PatternKey]>,
    matching_as_of: u64,
}

/// Messages that came before the history of their topic.
#[derive(Debug, Default)]
pub(super) struct Held {
    entries: VecDeque<Entry>,
    bytes: usize,
    complete_after: u64,
}

impl Held {
    /// Holds a message, and drops the oldest ones while they are more than the topic keeps.
    pub(super) fn push(&mut self, entry: Entry, config: &TopicConfig) {
        if self.entries.back().is_some_and(|last| last.position >= entry.position) {
            return;
        }
        self.bytes += entry.message.size();
        self.entries.push_back(entry);
        while self.entries.len() > config.messages.max(1) || self.bytes > config.bytes {
            let Some(dropped) = self.entries.pop_front() else { break };
            self.bytes -= dropped.message.size();
            self.complete_after = dropped.position;
        }
    }

    /// Returns the position up to which messages had no room.
    pub(super) fn complete_after(&self) -> u64 {
        self.complete_after
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

/// A pattern with subscribers.
#[derive(Debug)]
pub(super) struct PatternOfTopics {
    pub(super) text: Arc<str>,
    pub(super) audience: Audience,
    /// Whether the pattern is one of topics of the bridge. Then it matches no others.
    pub(super) is_bridged: bool,
    /// The hub has forgotten topics that match, or has not heard of them, that had messages up to this
    /// position, or they have dropped them. After it, a topic that matches and does not exist has had
    /// no messages.
    pub(super) complete_after: u64,
    /// What topics had dropped up to this position, before the pattern came, is not counted in
    /// `complete_after`.
    pub(super) counts_after: u64,
    /// A message at this position had no room before anything was known of its topic.
    pub(super) missed: u64,
}

/// Who subscribes to a topic or a pattern, and what the bridge was asked for them.
#[derive(Debug)]
pub(super) struct Audience {
    pub(super) subscribers: Vec<SubscriptionKey>,
    /// The question by which the bridge follows the topic or pattern.
    pub(super) followed: QuestionId,
    /// The last question that the bridge was asked.
    pub(super) asked: QuestionId,
    /// The last question asks for all messages after this position, if it does not only ask for those
    /// to come.
    asked_after: Option<u64>,
    /// The last question that the bridge has answered.
    pub(super) answered: QuestionId,
    pub(super) sync: Sync,
}

/// How much of what is published in a topic or pattern is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sync {
    /// Nothing is known yet.
    Unknown,
    /// Everything up to this position is here. After it, the bridge was down.
    Stale { through: u64 },
    /// Everything is here, and the bridge tells what comes.
    Current,
}

impl Audience {
    /// Creates an audience without subscribers.
    pub(super) const fn new(sync: Sync) -> Self {
        let none = QuestionId(0);
        Self {
            subscribers: Vec::new(),
            followed: none,
            asked: none,
            asked_after: None,
            answered: none,
            sync,
        }
    }

    /// Returns whether the last question is open and asks for all messages after this position.
    pub(super) fn waits_for(&self, position: u64) -> bool {
        self.asked != self.answered && self.asked_after.is_some_and(|after| after <= position)
    }

    /// Notes that the bridge is asked.
    pub(super) fn asks(&mut self, question: QuestionId, after: Option<u64>) {
        if self.asked == self.answered {
            // So that the last answer is never too long ago to be compared.
            self.answered = QuestionId(question.0.wrapping_sub(1));
        }
        self.asked = question;
        self.asked_after = after;
    }
}

#[derive(Debug)]
pub(super) struct Topics {
    topics: Slab<OfTopic, Topic>,
    names: HashMap<Arc<str>, TopicKey>,
    patterns: Slab<OfPattern, PatternOfTopics>,
    tree: Patterns<PatternKey>,
    /// Changes with each pattern that is added or removed.
    state: u64,
}

impl Topics {
    pub(super) fn new() -> Self {
        let (topics, patterns, tree) = (Slab::new(), Slab::new(), Patterns::new());
        Self { topics, names: HashMap::new(), patterns, tree, state: 1 }
    }

    /// Returns how many topics and patterns there are.
    pub(super) fn len(&self) -> usize {
        self.topics.len() + self.patterns.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<TopicKey> {
        self.names.get(name).copied()
    }

    pub(super) fn find_pattern(&self, text: &str) -> Option<PatternKey> {
        self.tree.get(text)
    }

    pub(super) fn get(&self, key: TopicKey) -> Option<&Topic> {
        self.topics.get(key)
    }

    pub(super) fn get_mut(&mut self, key: TopicKey) -> Option<&mut Topic> {
        self.topics.get_mut(key)
    }

    pub(super) fn pattern(&self, key: PatternKey) -> Option<&PatternOfTopics> {
        self.patterns.get(key)
    }

    pub(super) fn pattern_mut(&mut self, key: PatternKey) -> Option<&mut PatternOfTopics> {
        self.patterns.get_mut(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TopicKey, &Topic)> {
        self.topics.iter()
    }

    pub(super) fn patterns(&self) -> impl Iterator<Item = (PatternKey, &PatternOfTopics)> {
        self.patterns.iter()
    }

    /// Returns the topics that a pattern matches.
    pub(super) fn matched_by(&self, pattern: PatternKey) -> Vec<TopicKey> {
        let Some(pattern) = self.patterns.get(pattern) else { return Vec::new() };
        let matches = |topic: &Topic| {
            topic.is_bridged == pattern.is_bridged
                && destination::matches(&pattern.text, &topic.name)
        };
        self.topics.iter().filter(|(_, topic)| matches(topic)).map(|(key, _)| key).collect()
    }

    pub(super) fn insert(
        &mut self,
        name: &str,
        ring: Ring,
        is_bridged: bool,
        config: &Config,
    ) -> Option<TopicKey> {
        let shared: Arc<str> = name.into();
        let shown = match destination::as_subscribers_know_it(name) {
            Cow::Borrowed(_) => shared.clone(),
            Cow::Owned(shown) => shown.into(),
        };
        let key = self.topics.insert(Topic {
            name: shared.clone(),
            shown,
            audience: Audience::new(if is_bridged { Sync::Unknown } else { Sync::Current }),
            ring,
            retained: None,
            expires: None,
            held: None,
            members: None,
            is_bridged,
            config: config.index_of_topic(name),
            matching: Box::default(),
            matching_as_of: 0,
        })?;
        self.names.insert(shared, key);
        Some(key)
    }

    pub(super) fn insert_pattern(
        &mut self,
        text: &str,
        complete_after: u64,
        counts_after: u64,
        is_bridged: bool,
    ) -> Option<PatternKey> {
        let pattern = PatternOfTopics {
            text: text.into(),
            audience: Audience::new(if is_bridged { Sync::Unknown } else { Sync::Current }),
            is_bridged,
            complete_after,
            counts_after,
            missed: 0,
        };
        let key = self.patterns.insert(pattern)?;
        self.state = self.state.wrapping_add(1);
        if !self.tree.insert(text, key) {
            self.patterns.remove(key);
            return None;
        }
        Some(key)
    }

    pub(super) fn remove(&mut self, key: TopicKey) {
        if let Some(topic) = self.topics.remove(key) {
            self.names.remove(&topic.name);
            if self.names.is_empty() {
                self.names.shrink_to_fit();
            }
        }
    }

    pub(super) fn remove_pattern(&mut self, key: PatternKey) {
        if let Some(pattern) = self.patterns.remove(key) {
            self.tree.remove(&pattern.text);
            self.state = self.state.wrapping_add(1);
        }
    }

    /// Returns the patterns that match a topic. They are looked up again only if patterns have changed.
    pub(super) fn patterns_of(&mut self, key: TopicKey) -> &[PatternKey] {
        let Some(topic) = self.topics.get_mut(key) else { return &[] };
        if topic.matching_as_of != self.state {
            let mut matching = Vec::new();
            self.tree.matching(&topic.name, &mut |key| {
                let pattern = self.patterns.get(key);
                if pattern.is_some_and(|pattern| pattern.is_bridged == topic.is_bridged) {
                    matching.push(key);
                }
            });
            topic.matching = matching.into();
            topic.matching_as_of = self.state;
        }
        &topic.matching
    }

    /// Notes that a topic has dropped messages, for its patterns.
    pub(super) fn has_dropped(&mut self, key: TopicKey) {
        self.patterns_of(key);
        let Some(topic) = self.topics.get(key) else { return };
        let dropped = topic.ring.complete_after();
        for &pattern in &topic.matching {
            if let Some(pattern) = self.patterns.get_mut(pattern) {
                pattern.complete_after = pattern.complete_after.max(dropped);
            }
        }
    }

    /// Returns the patterns that match a topic, which need not exist.
    pub(super) fn patterns_for(&self, name: &str, is_bridged: bool) -> Vec<PatternKey> {
        let mut found = Vec::new();
        self.tree.matching(name, &mut |key| {
            let pattern = self.patterns.get(key);
            if pattern.is_some_and(|pattern| pattern.is_bridged == is_bridged) {
                found.push(key);
            }
        });
        found
    }

    /// Returns whether everything that is published in a topic is told from now on, for its own
    /// subscribers or those of a pattern.
    pub(super) fn is_current(&mut self, key: TopicKey) -> bool {
        self.any_audience(key, |audience| audience.sync == Sync::Current)
    }

    /// Returns whether a topic has subscribers, its own or those of a pattern.
    pub(super) fn has_subscribers(&mut self, key: TopicKey) -> bool {
        self.any_audience(key, |audience| !audience.subscribers.is_empty())
    }

    fn any_audience(&mut self, key: TopicKey, is_so: impl Fn(&Audience) -> bool) -> bool {
        self.patterns_of(key);
        let Some(topic) = self.topics.get(key) else { return false };
        let mut patterns = topic.matching.iter().filter_map(|pattern| self.patterns.get(*pattern));
        is_so(&topic.audience) || patterns.any(|pattern| is_so(&pattern.audience))
    }
}

impl Topic {
    /// Returns the message with this position, if the topic keeps it.
    pub(super) fn kept_at(&self, position: u64) -> Option<&Arc<Published>> {
        self.ring.get(position).or_else(|| self.retained_at(position))
    }

    /// Returns the retained message, if it has this position.
    pub(super) fn retained_at(&self, position: u64) -> Option<&Arc<Published>> {
        let has_position =
            |message: &&Arc<Published>| message.cursor().is_some_and(|it| it.position == position);
        self.retained.as_ref().filter(has_position)
    }

    /// Returns how many bytes of messages the topic keeps.
    pub(super) fn kept_bytes(&self) -> usize {
        self.ring.bytes() + self.retained.as_ref().map_or(0, |retained| retained.message().size())
    }

    pub(super) fn config<'a>(&self, config: &'a Config) -> &'a TopicConfig {
        config.topic_at(self.config)
    }
}
