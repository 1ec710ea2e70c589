//! Queues of a broker in memory.

use super::super::{Entry, Event, Outcome};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

/// The messages of queues, and how many each node has asked for. Nodes are numbers, in the order in which they
/// joined.
#[derive(Debug)]
pub(super) struct Queues {
    queues: BTreeMap<Arc<str>, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// What no node has, by the positions.
    waiting: BTreeMap<u64, Queued>,
    /// What nodes have taken and not settled.
    taken: BTreeMap<u64, (usize, Queued)>,
    /// How many messages each node has asked for and not got.
    credit: BTreeMap<usize, u32>,
    /// The node that got the last message: the others come first.
    last: usize,
}

#[derive(Clone, Debug)]
struct Queued {
    entry: Entry,
    deliveries: u32,
}

/// What a node is told.
pub(super) type Told = (usize, Event);

impl Queues {
    pub(super) const fn new() -> Self {
        Self { queues: BTreeMap::new() }
    }

    pub(super) fn clear(&mut self) {
        self.queues.clear();
    }

    pub(super) fn publish(&mut self, entry: Entry) -> Vec<Told> {
        let name = entry.destination.clone();
        let queued = Queued { deliveries: 0, entry };
        let queue = self.queues.entry(name).or_default();
        queue.waiting.insert(queued.entry.position, queued);
        queue.give()
    }

    pub(super) fn take(&mut self, node: usize, name: &Arc<str>, count: u32) -> Vec<Told> {
        let queue = self.queues.entry(name.clone()).or_default();
        let credit = queue.credit.entry(node).or_default();
        *credit = credit.saturating_add(count);
        queue.give()
    }

    pub(super) fn stop(&mut self, node: usize, name: &Arc<str>) {
        if let Some(queue) = self.queues.get_mut(name) {
            queue.credit.remove(&node);
        }
        self.drop_unused();
    }

    /// Settles a message, if it is with the node.
    pub(super) fn settle(
        &mut self,
        node: usize,
        name: &Arc<str>,
        position: u64,
        outcome: Outcome,
    ) -> Vec<Told> {
        let mut told = Vec::new();
        let Some(queue) = self.queues.get_mut(name) else { return told };
        if queue.taken.get(&position).is_some_and(|(holder, _)| *holder == node) {
            let taken = queue.taken.remove(&position);
            if let (Some((_, queued)), Outcome::Returned { deliveries }) = (taken, outcome) {
                queue.waiting.insert(position, Queued { deliveries, ..queued });
                told = queue.give();
            }
        }
        self.drop_unused();
        told
    }

    /// Voids what a node has asked for.
    pub(super) fn disconnect(&mut self, node: usize) {
        for queue in self.queues.values_mut() {
            queue.credit.remove(&node);
        }
        self.drop_unused();
    }

    /// Returns everything that is with a node.
    pub(super) fn count_as_dead(&mut self, node: usize) -> Vec<Told> {
        let mut told = Vec::new();
        for queue in self.queues.values_mut() {
            let is_of_node = |(holder, _): &(usize, Queued)| *holder == node;
            let with_node = queue.taken.iter().filter(|(_, taken)| is_of_node(taken));
            for position in with_node.map(|(position, _)| *position).collect::<Vec<_>>() {
                let Some((_, mut queued)) = queue.taken.remove(&position) else { continue };
                queued.deliveries = queued.deliveries.saturating_add(1);
                queue.waiting.insert(position, queued);
            }
            told.extend(queue.give());
        }
        told
    }

    /// Returns what has to be told again to a node that has connected.
    pub(super) fn still_with(&self, node: usize) -> Vec<Event> {
        let taken = self.queues.values().flat_map(|queue| queue.taken.values());
        let of_node = taken.filter(|(holder, _)| *holder == node);
        of_node.map(|(_, queued)| queued.taken(true)).collect()
    }

    fn drop_unused(&mut self) {
        self.queues.retain(|_, queue| {
            !(queue.waiting.is_empty() && queue.taken.is_empty() && queue.credit.is_empty())
        });
    }
}

impl Queue {
    /// Gives messages to the nodes in turn, as long as one of them has asked.
    fn give(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        while let Some(node) = self.next_node() {
            let Some((position, queued)) = self.waiting.pop_first() else { break };
            if let Some(credit) = self.credit.get_mut(&node) {
                *credit -= 1;
                if *credit == 0 {
                    self.credit.remove(&node);
                }
            }
            self.last = node;
            told.push((node, queued.taken(false)));
            self.taken.insert(position, (node, queued));
        }
        told
    }

    fn next_node(&self) -> Option<usize> {
        let behind = self.credit.range(self.last.saturating_add(1)..).next();
        behind.or_else(|| self.credit.first_key_value()).map(|(node, _)| *node)
    }
}

impl Queued {
    fn taken(&self, again: bool) -> Event {
        Event::Taken { entry: self.entry.clone(), deliveries: self.deliveries, again }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use alloc::{format, string::String};

    const NOTHING: [&str; 0] = [];
    const RETURNED: Outcome = Outcome::Returned { deliveries: 3 };

    fn name() -> Arc<str> {
        "/queue/q".into()
    }

    fn publish(queues: &mut Queues, position: u64) -> Vec<String> {
        let entry = Entry { destination: name(), position, message: Message::default() };
        show(queues.publish(entry))
    }

    fn take(queues: &mut Queues, node: usize, count: u32) -> Vec<String> {
        show(queues.take(node, &name(), count))
    }

    fn settle(queues: &mut Queues, node: usize, position: u64, outcome: Outcome) -> Vec<String> {
        show(queues.settle(node, &name(), position, outcome))
    }

    /// Writes down what nodes get: `0: 5 after 1` is the message at position 5, delivered before.
    fn show(told: Vec<Told>) -> Vec<String> {
        let mut lines = Vec::new();
        for (node, event) in told {
            let Event::Taken { entry, deliveries, again: false } = event else {
                panic!("{event:?}")
            };
            let after = if deliveries > 0 { format!(" after {deliveries}") } else { String::new() };
            lines.push(format!("{node}: {}{after}", entry.position));
        }
        lines
    }

    fn still_with(queues: &Queues, node: usize) -> Vec<u64> {
        let position = |event| match event {
            Event::Taken { entry, again: true, .. } => entry.position,
            other => panic!("{other:?}"),
        };
        queues.still_with(node).into_iter().map(position).collect()
    }

    #[test]
    fn nodes_take_turns_as_far_as_they_have_asked() {
        let mut queues = Queues::new();
        assert_eq!(publish(&mut queues, 1), NOTHING);
        assert_eq!(take(&mut queues, 2, 2), ["2: 1"]);
        assert_eq!(take(&mut queues, 0, 1), NOTHING);
        assert_eq!(take(&mut queues, 0, 1), NOTHING);
        assert_eq!(publish(&mut queues, 2), ["0: 2"]);
        assert_eq!(publish(&mut queues, 3), ["2: 3"]);
        assert_eq!(publish(&mut queues, 4), ["0: 4"]);
        assert_eq!(publish(&mut queues, 5), NOTHING);
        assert_eq!(take(&mut queues, 1, u32::MAX), ["1: 5"]);
        assert_eq!(take(&mut queues, 1, u32::MAX), NOTHING);
    }

    #[test]
    fn what_is_returned_goes_to_others_in_its_place() {
        let mut queues = Queues::new();
        take(&mut queues, 0, 2);
        (1..=3).for_each(|position| drop(publish(&mut queues, position)));
        assert_eq!(settle(&mut queues, 0, 1, RETURNED), NOTHING);
        assert_eq!(take(&mut queues, 0, 1), ["0: 1 after 3"]);
        take(&mut queues, 0, 9);
        take(&mut queues, 1, 1);
        assert_eq!(settle(&mut queues, 0, 2, RETURNED), ["1: 2 after 3"]);
        assert_eq!(settle(&mut queues, 0, 3, RETURNED), ["0: 3 after 3"]);
    }

    #[test]
    fn a_message_is_settled_once_and_by_the_node_that_has_it() {
        let mut queues = Queues::new();
        take(&mut queues, 0, 1);
        publish(&mut queues, 1);
        settle(&mut queues, 1, 1, Outcome::Consumed);
        assert_eq!(still_with(&queues, 0), [1]);
        settle(&mut queues, 0, 1, Outcome::Consumed);
        settle(&mut queues, 0, 1, RETURNED);
        assert_eq!(take(&mut queues, 1, 1), NOTHING);
        queues.stop(1, &name());
        assert!(queues.queues.is_empty(), "{queues:?}");
    }

    #[test]
    fn who_has_stopped_or_gone_gets_nothing_more() {
        let mut queues = Queues::new();
        take(&mut queues, 0, 9);
        take(&mut queues, 1, 9);
        assert_eq!(publish(&mut queues, 1), ["1: 1"]);
        queues.stop(0, &name());
        queues.disconnect(1);
        assert_eq!(publish(&mut queues, 2), NOTHING);
        assert_eq!(still_with(&queues, 1), [1]);
        assert_eq!(take(&mut queues, 0, 9), ["0: 2"]);
    }

    #[test]
    fn what_a_dead_node_had_goes_to_others() {
        let mut queues = Queues::new();
        take(&mut queues, 0, 2);
        publish(&mut queues, 1);
        publish(&mut queues, 2);
        settle(&mut queues, 0, 2, Outcome::Consumed);
        take(&mut queues, 1, 2);
        assert_eq!(show(queues.count_as_dead(0)), ["1: 1 after 1"]);
        // Too late.
        assert_eq!(settle(&mut queues, 0, 1, RETURNED), NOTHING);
        assert_eq!((still_with(&queues, 0), still_with(&queues, 1)), (Vec::new(), Vec::from([1])));
    }
}
