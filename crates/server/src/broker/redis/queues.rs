//! What the hub has asked for of queues.
//!
//! Redis tells all nodes that have asked when a queue that was empty is not any more. So a node that was
//! given less than it has asked for need not look again before.

use super::keys::Keys;
use super::pushes::Told;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// How many messages are asked for at a time.
const AT_A_TIME: u32 = 256;

#[derive(Debug, Default)]
pub(super) struct Queues {
    asked: HashMap<Arc<str>, Asked>,
    /// Queues that have to be asked, in turn: a batch has room for few of them. A queue can have been stopped
    /// since.
    due: VecDeque<Arc<str>>,
}

#[derive(Debug, Default)]
struct Asked {
    /// How many messages the hub has asked for and not got.
    credit: u32,
    /// A question is on its way.
    is_open: bool,
    /// There can be messages that the question did not find.
    is_due: bool,
    /// It is among those that are due.
    is_in_turn: bool,
    is_subscribed: bool,
    /// How often the hub has asked to stop since the question was asked.
    stops: usize,
}

/// What is to be done when the hub asks to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stopping {
    /// The subscription of the queue's channel has to end.
    pub(super) was_subscribed: bool,
    /// Nothing is on its way, so the hub can be told at once.
    pub(super) is_stopped: bool,
}

impl Queues {
    /// The hub asks for messages. Returns whether the queue's channel has to be subscribed.
    pub(super) fn ask(&mut self, queue: &Arc<str>, count: u32) -> bool {
        let asked = self.asked.entry(queue.clone()).or_default();
        asked.credit = asked.credit.saturating_add(count);
        let is_new = !std::mem::replace(&mut asked.is_subscribed, true);
        self.is_due(queue);
        is_new
    }

    /// What the hub has asked for is void.
    pub(super) fn stop(&mut self, queue: &str) -> Stopping {
        let Some(asked) = self.asked.get_mut(queue) else {
            return Stopping { was_subscribed: false, is_stopped: true };
        };
        asked.credit = 0;
        let was_subscribed = std::mem::replace(&mut asked.is_subscribed, false);
        let is_stopped = !asked.is_open;
        if is_stopped {
            self.asked.remove(queue);
        } else {
            asked.stops += 1;
        }
        Stopping { was_subscribed, is_stopped }
    }

    /// Notes that a queue has messages again, if this was told.
    pub(super) fn hear(&mut self, told: &Told, keys: &Keys) {
        let channel = std::str::from_utf8(&told.channel).ok();
        let queue = channel.and_then(|channel| keys.destination(channel));
        let asked = queue.and_then(|queue| self.asked.get_key_value(queue));
        if let Some(queue) = asked.map(|(queue, _)| queue.clone()) {
            self.is_due(&queue);
        }
    }

    /// Returns the next queue that has to be asked now, and for how many messages.
    pub(super) fn next(&mut self) -> Option<(Arc<str>, u32)> {
        while let Some(queue) = self.due.pop_front() {
            let Some(asked) = self.asked.get_mut(&queue) else { continue };
            asked.is_in_turn = false;
            if asked.credit > 0 && !asked.is_open {
                (asked.is_open, asked.is_due) = (true, false);
                let count = asked.credit.min(AT_A_TIME);
                return Some((queue, count));
            }
        }
        None
    }

    /// Notes that a question was answered with so many messages, and whether there are more. Returns how
    /// often the hub has to be told that it has stopped.
    pub(super) fn is_answered(&mut self, queue: &Arc<str>, count: u32, has_more: bool) -> usize {
        let Some(asked) = self.asked.get_mut(queue) else { return 0 };
        asked.is_open = false;
        let stops = std::mem::take(&mut asked.stops);
        if stops == 0 {
            asked.credit = asked.credit.saturating_sub(count);
        }
        if !asked.is_subscribed {
            self.asked.remove(queue);
        } else if has_more || asked.is_due {
            self.is_due(queue);
        }
        stops
    }

    fn is_due(&mut self, queue: &Arc<str>) {
        if let Some(asked) = self.asked.get_mut(queue) {
            asked.is_due = true;
            if asked.credit > 0 && !asked.is_open && !asked.is_in_turn {
                asked.is_in_turn = true;
                self.due.push_back(queue.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket_realtime::Epoch;

    fn woken(queues: &mut Queues, queue: &str) {
        let keys = Keys::new("p", Epoch(1));
        let channel = keys.channel(queue).into_bytes();
        queues.hear(&Told { glob: None, channel, message: Vec::new() }, &keys);
    }

    #[test]
    fn a_queue_is_asked_by_one_question_at_a_time() {
        let (mut queues, queue) = (Queues::default(), Arc::from("/queue/a"));
        assert!(queues.ask(&queue, 300));
        assert!(!queues.ask(&queue, 1));
        assert_eq!(queues.next(), Some((queue.clone(), 256)));
        assert_eq!(queues.next(), None);
        woken(&mut queues, "/queue/a");
        assert_eq!(queues.next(), None);
        queues.is_answered(&queue, 256, false);
        assert_eq!(queues.next(), Some((queue.clone(), 45)));
        queues.is_answered(&queue, 5, true);
        assert_eq!(queues.next(), Some((queue.clone(), 40)));
        // It is empty: the node waits until it is told.
        queues.is_answered(&queue, 0, false);
        assert_eq!(queues.next(), None);
        woken(&mut queues, "/queue/b");
        assert_eq!(queues.next(), None);
        woken(&mut queues, "/queue/a");
        assert_eq!(queues.next(), Some((queue.clone(), 40)));
        queues.is_answered(&queue, 40, true);
        assert_eq!(queues.next(), None);
        // There are more, so whoever asks gets them.
        queues.ask(&queue, 1);
        assert_eq!(queues.next(), Some((queue, 1)));
    }

    #[test]
    fn queues_are_asked_in_turn() {
        let names = ["/queue/a", "/queue/b", "/queue/c"].map(Arc::<str>::from);
        let mut queues = Queues::default();
        for name in &names {
            queues.ask(name, 10);
            // It has its turn once, however often there is a reason.
            queues.ask(name, 10);
            woken(&mut queues, name);
        }
        assert_eq!(queues.due.len(), 3);
        // One that always has more does not keep the others from their turn.
        for name in names.iter().chain(&names) {
            assert_eq!(queues.next(), Some((name.clone(), 20)));
            queues.is_answered(name, 0, true);
        }
    }

    #[test]
    fn what_was_stopped_is_not_asked_for() {
        let (mut queues, queue) = (Queues::default(), Arc::from("/queue/a"));
        let stopping = |was_subscribed, is_stopped| Stopping { was_subscribed, is_stopped };
        assert_eq!(queues.stop(&queue), stopping(false, true));
        queues.ask(&queue, 3);
        assert_eq!(queues.stop(&queue), stopping(true, true));
        assert_eq!(queues.next(), None);
        queues.ask(&queue, 3);
        assert!(queues.next().is_some());
        // It is stopped once nothing is on its way.
        assert_eq!(queues.stop(&queue), stopping(true, false));
        assert_eq!(queues.stop(&queue), stopping(false, false));
        assert_eq!(queues.next(), None);
        assert_eq!(queues.is_answered(&queue, 1, true), 2);
        assert!(queues.asked.is_empty());
        assert!(queues.ask(&queue, 2));
        assert_eq!(queues.next(), Some((queue.clone(), 2)));
        // What is asked for before it is stopped counts whole.
        queues.stop(&queue);
        assert!(queues.ask(&queue, 4));
        assert_eq!(queues.is_answered(&queue, 2, true), 1);
        assert_eq!(queues.next(), Some((queue, 4)));
    }
}
