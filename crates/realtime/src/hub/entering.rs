//! What the bridge is told of members who come and go.

use super::{Authorization, Effect, Hub, members::Member, presence::presence_of, topic::Topic};
use crate::bridge::{self, QuestionId};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, vec::Vec};

/// Members that left topics, and whose leaving the bridge has not answered, by the questions.
pub(super) type Leaving = BTreeMap<QuestionId, (Arc<str>, Member)>;

impl<A: Authorization> Hub<A> {
    /// Tells the bridge that a member is in a topic. While it is down, it is told later.
    pub(super) fn enter(&mut self, topic: &Arc<str>, member: &Member) {
        if !self.bridge.as_ref().is_some_and(|bridge| bridge.is_up) {
            return;
        }
        let members =
            self.topics.find(topic).and_then(|key| self.topics.get_mut(key)?.members.as_mut());
        if let Some(membership) = members.and_then(|members| members.get_mut(member)) {
            membership.is_entered = true;
        }
        let node = self.sequence.epoch();
        let enter = bridge::Command::Enter {
            destination: presence_of(topic).into(),
            member: member.of_node(node),
            join: member.event("join", node),
            leave: member.event("leave", node),
        };
        self.effects.push(Effect::Bridge(Box::new(enter)));
    }

    /// Tells the bridge that a member whom it was told of is not in a topic any more. While it is down, it
    /// is told later.
    pub(super) fn leave_entered(&mut self, topic: &Arc<str>, member: &Member) {
        let Some(bridge) = &mut self.bridge else { return };
        let question = bridge.next_question();
        bridge.leaving.insert(question, (topic.clone(), member.clone()));
        if bridge.is_up {
            self.tell_left(question, topic, member);
        }
    }

    pub(super) fn hear_left(&mut self, question: QuestionId) {
        if let Some(bridge) = &mut self.bridge {
            bridge.leaving.remove(&question);
        }
    }

    /// Tells the bridge of all members, and of those who have left without an answer.
    pub(super) fn enter_again(&mut self) {
        let Some(bridge) = &mut self.bridge else { return };
        for (question, (topic, member)) in core::mem::take(&mut bridge.leaving) {
            // Who is here again is entered below.
            if self.is_member(&topic, &member) {
                continue;
            }
            self.tell_left(question, &topic, &member);
            if let Some(bridge) = &mut self.bridge {
                bridge.leaving.insert(question, (topic, member));
            }
        }
        self.enter_all();
    }

    /// Tells the bridge of all members.
    pub(super) fn enter_all(&mut self) {
        let is_told =
            |topic: &&Topic| topic.members.is_some() && self.is_bridged(&presence_of(&topic.name));
        let topics = self.topics.iter().map(|(_, topic)| topic).filter(is_told);
        let members = topics.flat_map(|topic| {
            let members = topic.members.iter().flat_map(|members| members.keys());
            members.map(|member| (topic.name.clone(), member.clone()))
        });
        for (topic, member) in members.collect::<Vec<_>>() {
            self.enter(&topic, &member);
        }
    }

    fn tell_left(&mut self, question: QuestionId, topic: &str, member: &Member) {
        let (destination, member) =
            (presence_of(topic).into(), member.of_node(self.sequence.epoch()));
        let leave = bridge::Command::Leave { question, destination, member };
        self.effects.push(Effect::Bridge(Box::new(leave)));
    }

    fn is_member(&self, topic: &str, member: &Member) -> bool {
        let topic = self.topics.find(topic).and_then(|key| self.topics.get(key));
        let members = topic.and_then(|topic| topic.members.as_ref());
        members.is_some_and(|members| members.contains_key(member))
    }
}
