//! Who is where, by a broker in memory.

use super::super::Member;
use crate::message::Message;
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

/// The members of topics, and the nodes at which they are. Nodes are numbers, as in queues.
#[derive(Debug)]
pub(super) struct Presence {
    topics: BTreeMap<Arc<str>, BTreeMap<Member, Nodes>>,
}

/// What is published when a member leaves each of these nodes, and was at no other.
type Nodes = BTreeMap<usize, Message>;

impl Presence {
    pub(super) const fn new() -> Self {
        Self { topics: BTreeMap::new() }
    }

    pub(super) fn clear(&mut self) {
        self.topics.clear();
    }

    /// Notes that a member is at a node. Returns whether the member was at none.
    pub(super) fn enter(
        &mut self,
        node: usize,
        topic: &Arc<str>,
        member: Member,
        leave: Message,
    ) -> bool {
        let nodes = self.topics.entry(topic.clone()).or_default().entry(member).or_default();
        let is_first = nodes.is_empty();
        nodes.entry(node).or_insert(leave);
        is_first
    }

    /// Notes that a member is not at a node any more. Returns what to publish if it was the last one.
    pub(super) fn leave(
        &mut self,
        node: usize,
        topic: &Arc<str>,
        member: &Member,
    ) -> Option<Message> {
        let members = self.topics.get_mut(topic)?;
        let nodes = members.get_mut(member)?;
        let leave = nodes.remove(&node)?;
        if !nodes.is_empty() {
            return None;
        }
        members.remove(member);
        if members.is_empty() {
            self.topics.remove(topic);
        }
        Some(leave)
    }

    /// Has all members of a node leave. Returns what to publish, and where.
    pub(super) fn count_as_dead(&mut self, node: usize) -> Vec<(Arc<str>, Message)> {
        let mut here = Vec::new();
        for (topic, members) in &self.topics {
            let members = members.iter().filter(|(_, nodes)| nodes.contains_key(&node));
            here.extend(members.map(|(member, _)| (topic.clone(), member.clone())));
        }
        let left = here.into_iter().filter_map(|(topic, member)| {
            let leave = self.leave(node, &topic, &member)?;
            Some((topic, leave))
        });
        left.collect()
    }

    /// Returns who is in a topic.
    pub(super) fn members(&self, topic: &str) -> Vec<Member> {
        self.topics.get(topic).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::Epoch;
    use alloc::string::String;

    fn topic() -> Arc<str> {
        "/presence/topic/a".into()
    }

    fn joe() -> Member {
        Member::User("joe".into())
    }

    fn nobody(node: u64) -> Member {
        Member::Anonymous { node: Epoch(node), connection: 1 }
    }

    fn enter(presence: &mut Presence, node: usize, member: Member, leave: &'static str) -> bool {
        presence.enter(node, &topic(), member, Message::new(leave))
    }

    fn leave(presence: &mut Presence, node: usize, member: &Member) -> Option<String> {
        Some(text(&presence.leave(node, &topic(), member)?))
    }

    fn text(message: &Message) -> String {
        message.text().unwrap().into()
    }

    #[test]
    fn a_member_comes_to_the_first_node_and_leaves_the_last() {
        let mut presence = Presence::new();
        assert!(enter(&mut presence, 0, joe(), "0"));
        assert!(!enter(&mut presence, 0, joe(), "again"));
        assert!(!enter(&mut presence, 1, joe(), "1"));
        assert_eq!(leave(&mut presence, 0, &joe()), None);
        assert_eq!(leave(&mut presence, 0, &joe()), None);
        assert_eq!(leave(&mut presence, 1, &joe()).as_deref(), Some("1"));
        assert_eq!(leave(&mut presence, 1, &joe()), None);
        assert!(presence.topics.is_empty(), "{presence:?}");
    }

    #[test]
    fn connections_without_a_user_are_told_apart() {
        let mut presence = Presence::new();
        assert!(enter(&mut presence, 0, nobody(0), "0"));
        assert!(enter(&mut presence, 1, nobody(1), "1"));
        assert!(enter(&mut presence, 1, joe(), "joe"));
        assert_eq!(presence.members(&topic()), [joe(), nobody(0), nobody(1)]);
        assert_eq!(presence.members("/presence/topic/b"), []);
    }

    #[test]
    fn the_members_of_a_dead_node_leave_unless_they_are_elsewhere() {
        let mut presence = Presence::new();
        for (node, member) in [(0, joe()), (1, joe()), (0, nobody(0)), (1, nobody(1))] {
            enter(&mut presence, node, member, "gone");
        }
        let left = presence.count_as_dead(0);
        assert_eq!(left.iter().map(|(topic, _)| &**topic).collect::<Vec<_>>(), [&*topic()]);
        assert_eq!(presence.count_as_dead(0).len(), 0);
        assert_eq!(presence.members(&topic()), [joe(), nobody(1)]);
    }
}
