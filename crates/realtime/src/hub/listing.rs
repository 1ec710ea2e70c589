//! Lists of members: for those who subscribe to a presence, and for the application.

use super::{
    Authorization, Effect, Hub, Presence, RequestId,
    asked::Destinations,
    keys::SubscriptionKey,
    members::list,
    presence::{PREFIX, presence_of},
    subscription::Source,
};
use crate::{
    bridge::{self, QuestionId},
    destination::Destination,
    message::Published,
};
use alloc::{boxed::Box, collections::BTreeSet, sync::Arc, vec::Vec};
use core::time::Duration;

impl<A: Authorization> Hub<A> {
    /// Returns the presences that a subscription has, in the order of their names.
    pub(super) fn presences(&self, key: SubscriptionKey) -> Vec<Arc<str>> {
        let links = self.subscriptions.get(key).into_iter().flat_map(|it| it.sources.iter());
        let topics = links.filter_map(|link| match link.source {
            Source::Topic(topic) => self.topics.get(topic).map(|topic| &topic.name),
            _ => None,
        });
        let mut presences: Vec<_> =
            topics.filter(|name| name.starts_with(PREFIX)).cloned().collect();
        presences.sort_unstable();
        presences
    }

    /// Returns the lists of those who are here.
    pub(super) fn lists_here(&self, presences: &[Arc<str>]) -> Vec<Arc<Published>> {
        presences.iter().map(|it| published(it, &self.presence_here(it))).collect()
    }

    /// Has a subscription wait for the lists of all nodes. Returns whether the bridge can tell them now.
    pub(super) fn wait_for_lists(&mut self, key: SubscriptionKey, presences: &[Arc<str>]) -> bool {
        let Some(bridge) = &mut self.bridge else { return false };
        let (is_unasked, is_up) = (bridge.asked.add_subscription(presences, key), bridge.is_up);
        if is_unasked && is_up {
            self.ask_for_lists(presences);
        }
        is_up
    }

    /// Lists the members again on a subscription that missed joins and leaves.
    pub(super) fn list_again(&mut self, key: SubscriptionKey) {
        let presences = self.presences(key);
        if presences.is_empty() {
            return;
        }
        if self.subscriptions.get(key).is_some_and(|it| it.is_bridged) {
            self.wait_for_lists(key, &presences);
        } else {
            self.deliver_lists(key, &self.lists_here(&presences));
        }
    }

    pub(super) fn deliver_lists(&mut self, key: SubscriptionKey, lists: &[Arc<Published>]) {
        for list in lists {
            self.deliver(key, list, 1);
        }
    }

    pub(super) fn hear_members(
        &mut self,
        question: QuestionId,
        destinations: &[Arc<str>],
        told: &[Presence],
    ) {
        let bridge = self.bridge.as_mut();
        let waiting = bridge.and_then(|bridge| bridge.asked.answered(destinations, question));
        let Some(waiting) = waiting else { return };
        let lists = destinations.iter().zip(told);
        let lists: Vec<_> = lists.map(|(it, presence)| published(it, presence)).collect();
        for &key in &waiting.subscriptions {
            if self.subscriptions.get(key).is_some_and(|it| it.has_begun()) {
                self.deliver_lists(key, &lists);
            } else {
                self.begin_with(key, &lists);
            }
        }
        for request in waiting.requests() {
            self.tell_presence(request, told.first().cloned().unwrap_or_default());
        }
    }

    /// Ends all waiting, since the bridge does not answer any more. Those who can do with what is known here
    /// get that.
    pub(super) fn lists_are_void(&mut self) {
        let Some(bridge) = &mut self.bridge else { return };
        for (presences, waiting) in bridge.asked.take() {
            for &key in &waiting.subscriptions {
                if self.subscriptions.get(key).is_some_and(|it| it.has_begun()) {
                    self.deliver_lists(key, &self.lists_here(&presences));
                    self.wait_for_lists(key, &presences);
                } else {
                    self.try_to_begin(key);
                }
            }
            for request in waiting.requests() {
                self.tell_presence_here(request, &presences);
            }
        }
    }

    /// Asks for what is waited for, now that the bridge is up.
    pub(super) fn ask_for_lists_again(&mut self) {
        let Some(bridge) = &self.bridge else { return };
        for presences in bridge.asked.unasked().cloned().collect::<Vec<_>>() {
            self.ask_for_lists(&presences);
        }
    }

    pub(super) fn stop_waiting_for_lists(&mut self, key: SubscriptionKey) {
        if self.bridge.as_ref().is_some_and(|bridge| !bridge.asked.is_empty()) {
            let presences = self.presences(key);
            if let Some(bridge) = &mut self.bridge {
                bridge.asked.forget(&presences, key);
            }
        }
    }

    /// Asks for the members of a topic, for the application.
    pub(super) fn ask_presence(&mut self, topic: &str, timeout: Duration, request: RequestId) {
        let presence = presence_of(topic);
        let is_topic = matches!(Destination::parse(topic), Ok(Destination::Topic(_)));
        let is_told = is_topic && topic.starts_with("/topic/") && self.tells_presence(&presence);
        if !is_told {
            return self.tell_presence(request, Presence::default());
        }
        let presences: Destinations = [presence.into()].into();
        if !self.is_bridged(&presences[0]) || self.is_degraded() {
            return self.tell_presence_here(request, &presences);
        }
        let deadline = (self.now.saturating_add(timeout), self.next_number());
        let Some(bridge) = &mut self.bridge else { return };
        if bridge.asked.add_request(&presences, deadline, request) {
            self.ask_for_lists(&presences);
        }
    }

    /// Answers the application's questions for which the bridge takes too long.
    pub(super) fn give_up_waiting(&mut self) {
        let now = self.now;
        while let Some((presences, request)) =
            self.bridge.as_mut().and_then(|bridge| bridge.asked.next_expired(now))
        {
            self.tell_presence_here(request, &presences);
        }
    }

    fn ask_for_lists(&mut self, presences: &[Arc<str>]) {
        let Some(bridge) = &mut self.bridge else { return };
        let question = bridge.next_question();
        let Some(destinations) = bridge.asked.asks(presences, question) else { return };
        let members = bridge::Command::Members { question, destinations };
        self.effects.push(Effect::Bridge(Box::new(members)));
    }

    fn tell_presence_here(&mut self, request: RequestId, presences: &[Arc<str>]) {
        let Some(presence) = presences.first() else { return };
        self.tell_presence(request, self.presence_here(presence));
    }

    fn tell_presence(&mut self, request: RequestId, presence: Presence) {
        self.effects.push(Effect::Presence { request, presence: Box::new(presence) });
    }

    /// Returns who is in the topic of a presence, of those that this hub knows.
    fn presence_here(&self, presence: &str) -> Presence {
        let topic = presence.strip_prefix(PREFIX).unwrap_or_default();
        let (users, anonymous) = self.presence(topic);
        let users = users.iter().map(|user| user.name().into()).collect();
        Presence { users, anonymous, is_partial: self.is_bridged(presence) }
    }
}

/// Returns who is in a topic, as the bridge tells it.
pub(super) fn presence_of_all(members: Vec<bridge::Member>, is_partial: bool) -> Presence {
    let mut presence = Presence { is_partial, ..Presence::default() };
    // In the order of their names, and each once even if the broker does not know better.
    for member in members.into_iter().collect::<BTreeSet<_>>() {
        match member {
            bridge::Member::User(user) => presence.users.push(user),
            bridge::Member::Anonymous { .. } => presence.anonymous += 1,
        }
    }
    presence
}

fn published(destination: &Arc<str>, presence: &Presence) -> Arc<Published> {
    Arc::new(Published::new(None, destination.clone(), list(presence)))
}
