//! Who is subscribed to a topic.

use super::{
    Authorization, Effect, Hub, Principal,
    ids::Requester,
    keys::{SubscriptionKey, TopicKey},
    members::Member,
    subscription::Source,
    topic::Topic,
};
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};

/// Where the presence of a topic is told: below this.
pub(super) const PREFIX: &str = "/presence";

impl<A: Authorization> Hub<A> {
    /// Returns the users who are subscribed in this hub to a topic of which
    /// [presence](super::TopicConfig::presence) is told, each once and in the order of their names, and the
    /// number of connections without a user. Subscriptions of patterns do not count, nor
    /// [hidden](super::SubscribeOptions::hidden) ones. [`Command::Presence`](super::Command::Presence) asks for
    /// those of all hubs.
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
            let membership = members.entry(member.clone()).or_default();
            membership.subscriptions += 1;
            if membership.subscriptions > 1 {
                continue;
            }
            let name = topic.name.clone();
            if self.is_bridged(&presence_of(&name)) {
                self.enter(&name, &member);
            } else {
                self.publish_presence(&name, "join", &member);
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
            let Some(membership) = members.get_mut(&member) else { continue };
            membership.subscriptions -= 1;
            if membership.subscriptions > 0 {
                continue;
            }
            let is_entered = membership.is_entered;
            members.remove(&member);
            if members.is_empty() {
                topic.members = None;
            }
            let name = topic.name.clone();
            if is_entered {
                self.leave_entered(&name, &member);
            } else if !self.is_bridged(&presence_of(&name)) {
                self.publish_presence(&name, "leave", &member);
            }
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

    /// Publishes that a member has joined or left.
    fn publish_presence(&mut self, topic: &str, event: &str, member: &Member) {
        let message = member.event(event, self.sequence.epoch());
        if let Err(refusal) = self.send_unasked(&presence_of(topic), message, Requester::NOBODY) {
            let (connection, request, subscription) = (None, None, None);
            let refusal = Box::new(refusal);
            self.effects.push(Effect::Refused { connection, request, subscription, refusal });
        }
    }
}

/// Returns the destination of the presence of a topic.
pub(super) fn presence_of(topic: &str) -> String {
    format!("{PREFIX}{topic}")
}
