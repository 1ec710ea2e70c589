//! Topics and patterns: how they come to exist, and that they go once nobody needs them.

use super::{
    Authorization, Hub, Refusal,
    keys::{PatternKey, TopicKey},
    ring::Ring,
    subscription::Source,
    topic::Sync,
};

impl<A: Authorization> Hub<A> {
    pub(super) fn find_or_create_topic(
        &mut self,
        name: &str,
        is_bridged: bool,
    ) -> Result<TopicKey, Refusal> {
        if let Some(key) = self.topics.find(name) {
            return Ok(key);
        }
        self.check_destinations(1)?;
        let ring = self.known_of_new_topic(name, is_bridged);
        let created = self.topics.insert(name, ring, is_bridged, &self.config);
        created.ok_or(Refusal::TooManyDestinations { limit: u32::MAX as usize })
    }

    /// Returns what is known of a topic that does not exist here. Of a topic of the bridge that is
    /// nothing, unless patterns match: they know of all of their topics.
    fn known_of_new_topic(&self, name: &str, is_bridged: bool) -> Ring {
        let mut known = match is_bridged {
            true => Ring::unknown(),
            false => Ring::new(self.sequence.forgotten(), u64::MAX),
        };
        for pattern in self.topics.patterns_for(name, is_bridged) {
            let Some(pattern) = self.topics.pattern(pattern) else { continue };
            let through = match pattern.audience.sync {
                Sync::Unknown => continue,
                Sync::Stale { through } => through,
                Sync::Current => u64::MAX,
            };
            let is_more = through > known.complete_through()
                || through == known.complete_through()
                    && pattern.complete_after < known.complete_after();
            if is_more {
                known = Ring::new(pattern.complete_after, through);
            }
        }
        known
    }

    pub(super) fn find_or_create_pattern(
        &mut self,
        text: &str,
        is_bridged: bool,
    ) -> Result<PatternKey, Refusal> {
        if let Some(key) = self.topics.find_pattern(text) {
            return Ok(key);
        }
        self.check_destinations(1)?;
        let (complete_after, counts_after) = match is_bridged {
            // The bridge has to tell what it knows.
            true => (0, 0),
            false => (self.sequence.forgotten(), self.sequence.head()),
        };
        let created = self.topics.insert_pattern(text, complete_after, counts_after, is_bridged);
        created.ok_or(Refusal::TooManyDestinations { limit: u32::MAX as usize })
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

    pub(super) fn remove_topic_if_unused(&mut self, key: TopicKey) {
        let Some(topic) = self.topics.get(key) else { return };
        let keeps_nothing =
            topic.ring.is_empty() && topic.retained.is_none() && topic.held.is_none();
        if !topic.audience.subscribers.is_empty() || !keeps_nothing {
            return;
        }
        let (complete_after, is_bridged) = (topic.ring.complete_after(), topic.is_bridged);
        self.topics.has_dropped(key);
        self.unschedule(key);
        self.topics.remove(key);
        if !is_bridged {
            self.sequence.forget(complete_after);
        }
    }
}
