//! Who is subscribed to a topic.

use super::{
    Authorization, Effect, Hub, Principal, Start,
    ids::Requester,
    keys::{SubscriptionKey, TopicKey},
    members::Member,
    subscription::Source,
    topic::Topic,
};
use crate::message::{Message, Published};
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, sync::Arc, vec::Vec};

/// Where the presence of a topic is told: below this.
pub(super) const PREFIX: &str = "/presence";

impl<A: Authorization> Hub<A> {
    /// Returns the users who are subscribed to a topic of which [presence](super::TopicConfig::presence)
    /// is told, each once and in the order of their names, and the number of connections without a
    /// user. Subscriptions of patterns do not count, nor [hidden](super::SubscribeOptions::hidden) ones, nor
    /// those of other hubs.
    #[doc(alias = "SimpUserRegistry")]
    #[must_use]
    pub fn presence(&self, topic: &str) -> (Vec<Principal>, usize) {
        let members =
            self.topics.find(topic).and_then(|key| self.topics.get(key)?.members.as_deref());
        let mut users = Vec::new();
        for member in members.into_iter().flat_map(BTreeMap::keys) {
            if let Member::User(user) = member {
                users.push(user.clone());
            }
        }
        let anonymous = members.map_or(0, BTreeMap::len) - users.len();
        (users, anonymous)
    }

    /// Returns whether a topic tells who is subscribed, or is not one of presence.
    pub(super) fn tells_presence(&self, topic: &str) -> bool {
        let of = topic.strip_prefix(PREFIX);
        of.is_none_or(|of| self.config.topic_at(self.config.index_of_topic(of)).presence)
    }

    /// Tells that a subscription has begun, on those of its topics of which presence is told.
    pub(super) fn join_members(&mut self, key: SubscriptionKey) {
        for (topic, member) in self.memberships(key) {
            if let Some(subscription) = self.subscriptions.get_mut(key) {
                subscription.is_present = true;
            }
            let Some(topic) = self.topics.get_mut(topic) else { continue };
            let members = topic.members.get_or_insert_default();
            let subscriptions = members.entry(member.clone()).or_default();
            *subscriptions += 1;
            if *subscriptions == 1 {
                let name = topic.name.clone();
                self.tell_presence(&name, "join", &member);
            }
        }
    }

    /// Tells that a subscription ends.
    pub(super) fn leave_members(&mut self, key: SubscriptionKey) {
        if !self.subscriptions.get(key).is_some_and(|subscription| subscription.is_present) {
            return;
        }
        for (topic, member) in self.memberships(key) {
            let Some(topic) = self.topics.get_mut(topic) else { continue };
            let Some(members) = &mut topic.members else { continue };
            let Some(subscriptions) = members.get_mut(&member) else { continue };
            *subscriptions -= 1;
            if *subscriptions == 0 {
                members.remove(&member);
                if members.is_empty() {
                    topic.members = None;
                }
                let name = topic.name.clone();
                self.tell_presence(&name, "leave", &member);
            }
        }
    }

    /// Delivers who is subscribed to a topic on a new subscription of its presence.
    pub(super) fn deliver_members(&mut self, key: SubscriptionKey, start: Start) {
        if matches!(start, Start::After(_)) {
            return;
        }
        for topic in self.topics_of_subscription(key) {
            let Some(topic) = self.topics.get(topic) else { continue };
            let Some(of) = topic.name.strip_prefix(PREFIX) else { continue };
            let members =
                self.topics.find(of).and_then(|key| self.topics.get(key)?.members.as_deref());
            let mut json = String::from(r#"{"event":"members","users":["#);
            for (member, index) in members.into_iter().flat_map(BTreeMap::keys).zip(0..) {
                if index > 0 {
                    json.push(',');
                }
                member.write(&mut json);
            }
            json.push_str("]}");
            let message = Message::new(json).content_type("application/json");
            let message = Arc::new(Published::new(None, topic.shown.clone(), message));
            self.deliver(key, &message, 1);
        }
    }

    fn memberships(&self, key: SubscriptionKey) -> Vec<(TopicKey, Member)> {
        let Some(subscription) = self.subscriptions.get(key) else { return Vec::new() };
        let mut memberships = Vec::new();
        for link in subscription.sources.iter() {
            let Source::Topic(key) = link.source else { continue };
            let tells = |topic: &Topic| {
                topic.config(&self.config).presence && topic.name.starts_with("/topic/")
            };
            if self.topics.get(key).is_some_and(tells) {
                let user = self
                    .connections
                    .get(&subscription.connection)
                    .and_then(|it| it.principal.clone());
                memberships.push((
                    key,
                    user.map_or(Member::Anonymous(subscription.connection), Member::User),
                ));
            }
        }
        memberships
    }

    fn topics_of_subscription(&self, key: SubscriptionKey) -> Vec<TopicKey> {
        let subscription = self.subscriptions.get(key).into_iter();
        let sources = subscription.flat_map(|subscription| subscription.sources.iter());
        let topics = sources.filter_map(|link| match link.source {
            Source::Topic(topic) => Some(topic),
            _ => None,
        });
        topics.collect()
    }

    /// Publishes that a member has joined or left.
    fn tell_presence(&mut self, topic: &str, event: &str, member: &Member) {
        let mut json = format!(r#"{{"event":"{event}","user":"#);
        member.write(&mut json);
        json.push_str(&format!(r#","node":"{}"}}"#, self.sequence.epoch()));
        let message = Message::new(json).content_type("application/json");
        let destination = format!("{PREFIX}{topic}");
        if let Err(refusal) = self.send_unasked(&destination, message, Requester::NOBODY) {
            let (connection, request, subscription) = (None, None, None);
            let refusal = Box::new(refusal);
            self.effects.push(Effect::Refused { connection, request, subscription, refusal });
        }
    }
}
