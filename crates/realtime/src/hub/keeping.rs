//! What topics keep, until it is too old or too much.

use super::{Authorization, Hub, keys::TopicKey, topic::Topics};
use crate::message::{Message, Published};
use alloc::sync::Arc;
use core::time::Duration;

impl<A: Authorization> Hub<A> {
    /// Keeps a message for those who resume after a cursor. What is then too much stays for now.
    pub(super) fn keep(
        &mut self,
        key: TopicKey,
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
        let is_kept = topic.kept_at(position).is_some();
        if has_dropped {
            self.topics.has_dropped(key);
        }
        self.schedule(key);
        if is_kept {
            self.list(key, [position]);
        }
        Some(published)
    }

    /// Lists messages of a topic in the log of its sequence.
    pub(super) fn list(&mut self, key: TopicKey, positions: impl IntoIterator<Item = u64>) {
        let Some(topic) = self.topics.get(key) else { return };
        let sequence = match &mut self.bridge {
            Some(bridge) if topic.is_bridged => bridge.sequence.as_mut(),
            _ => Some(&mut self.sequence),
        };
        let Some(sequence) = sequence else { return };
        for position in positions {
            sequence.log.insert(position, key, is_kept_by(&self.topics));
        }
    }

    /// Drops the oldest entries of the logs whose messages are gone.
    pub(super) fn trim_logs(&mut self) {
        self.sequence.log.trim(is_kept_by(&self.topics));
        if let Some(sequence) = self.bridge.as_mut().and_then(|bridge| bridge.sequence.as_mut()) {
            sequence.log.trim(is_kept_by(&self.topics));
        }
    }

    /// Notes when a topic is to be looked at. It can have dropped its oldest message by then.
    pub(super) fn schedule(&mut self, key: TopicKey) {
        let Some(topic) = self.topics.get_mut(key) else { return };
        if topic.expires.is_none() {
            topic.expires = topic.ring.expires();
            self.expiries.extend(topic.expires.map(|expires| (expires, key)));
        }
    }

    pub(super) fn unschedule(&mut self, key: TopicKey) {
        if let Some(expires) = self.topics.get_mut(key).and_then(|topic| topic.expires.take()) {
            self.expiries.remove(&(expires, key));
        }
    }

    /// Drops messages that are too old.
    pub(super) fn expire(&mut self) {
        let now = self.now;
        while let Some(&(deadline, key)) = self.expiries.first() {
            if deadline > now {
                break;
            }
            self.expiries.pop_first();
            self.drop_oldest_while(key, |expires, _| expires <= now);
            self.remove_topic_if_unused(key);
            self.trim_logs();
        }
    }

    /// Drops the messages of all topics that expire first while they are too much. If retained messages
    /// alone are too much, the newest of them is not retained.
    pub(super) fn drop_what_is_too_much(&mut self, newest: Option<TopicKey>) {
        while self.kept_bytes > self.config.replay {
            let Some((deadline, key)) = self.expiries.pop_first() else { break };
            // If the message that was the topic's oldest has gone since, others can be older now.
            self.drop_oldest_while(key, |expires, dropped| dropped == 0 && expires <= deadline);
            // The newest message is still to be delivered.
            if Some(key) != newest {
                self.remove_topic_if_unused(key);
            }
        }
        if self.kept_bytes > self.config.replay {
            if let Some(retained) =
                newest.and_then(|newest| self.topics.get_mut(newest)?.retained.take())
            {
                self.kept_bytes -= retained.message().size();
            }
        }
    }

    /// Drops messages of a topic that is not scheduled any more, while `is_wanted` says so of the time
    /// at which the oldest expires, and the number that was dropped.
    fn drop_oldest_while(&mut self, key: TopicKey, is_wanted: impl Fn(Duration, usize) -> bool) {
        let Some(topic) = self.topics.get_mut(key) else { return };
        topic.expires = None;
        let mut dropped = 0;
        while topic.ring.expires().is_some_and(|expires| is_wanted(expires, dropped)) {
            self.kept_bytes -= topic.ring.drop_oldest();
            dropped += 1;
        }
        self.topics.has_dropped(key);
        self.schedule(key);
    }
}

/// Returns what tells whether a topic keeps the message of a position.
fn is_kept_by(topics: &Topics) -> impl Fn(u64, TopicKey) -> bool {
    |position, key| topics.get(key).is_some_and(|topic| topic.kept_at(position).is_some())
}
