//! Messages that were delivered and have to be acknowledged.

use super::{Acknowledgement, DeliveryId};
use crate::{cursor::Cursor, message::Published};
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};

/// The window of a subscription with acknowledgements.
#[derive(Debug)]
pub(super) struct Flow {
    window: u32,
    is_cumulative: bool,
    next: u64,
    unacknowledged: VecDeque<Delivery>,
    /// Whether the cursors of what is not acknowledged grow, as they do unless a queue delivers again.
    is_ordered: bool,
    /// The greatest cursor of a delivery that is acknowledged. Only cumulative ones need it.
    acknowledged: Option<Cursor>,
}

/// A message that was delivered.
#[derive(Debug)]
pub(super) struct Delivery {
    id: DeliveryId,
    pub(super) message: Arc<Published>,
    /// How often the message was delivered, this time included.
    pub(super) deliveries: u32,
}

impl Flow {
    /// Returns `None` for subscriptions without acknowledgements.
    pub(super) fn new(acknowledgement: Acknowledgement, window: u32) -> Option<Self> {
        let is_cumulative = match acknowledgement {
            Acknowledgement::Automatic => return None,
            Acknowledgement::Cumulative => true,
            Acknowledgement::Individual => false,
        };
        Some(Self {
            window,
            is_cumulative,
            next: 1,
            unacknowledged: VecDeque::new(),
            is_ordered: true,
            acknowledged: None,
        })
    }

    /// Returns how many messages can be delivered now.
    pub(super) fn room(&self) -> usize {
        (self.window as usize).saturating_sub(self.unacknowledged.len())
    }

    pub(super) fn deliver(&mut self, message: &Arc<Published>, deliveries: u32) -> DeliveryId {
        let id = DeliveryId(self.next);
        self.next += 1;
        self.is_ordered = match (self.unacknowledged.back(), message.cursor()) {
            (None, cursor) => cursor.is_some(),
            (Some(last), Some(cursor)) => {
                let is_behind =
                    |last: Cursor| last.epoch == cursor.epoch && last.position < cursor.position;
                self.is_ordered && last.message.cursor().is_some_and(is_behind)
            }
            (Some(_), None) => false,
        };
        self.unacknowledged.push_back(Delivery { id, message: message.clone(), deliveries });
        id
    }

    /// Takes out what an acknowledgement of a delivery covers, in the order of delivery. Returns nothing
    /// if there is no such delivery.
    pub(super) fn settle(&mut self, wanted: DeliveryId) -> Vec<Delivery> {
        let found = self.unacknowledged.binary_search_by_key(&wanted, |delivery| delivery.id);
        found.map_or_else(|_| Vec::new(), |index| self.take(index))
    }

    /// As [`settle`](Self::settle), by the cursor of the message. If it was delivered more than once, the
    /// oldest delivery counts.
    pub(super) fn settle_message(&mut self, cursor: Cursor) -> Vec<Delivery> {
        self.find_message(cursor).map_or_else(Vec::new, |index| self.take(index))
    }

    /// Returns whether there is a delivery that an acknowledgement can name so.
    pub(super) fn has(&self, wanted: DeliveryId) -> bool {
        self.unacknowledged.binary_search_by_key(&wanted, |delivery| delivery.id).is_ok()
    }

    /// Returns whether there is a delivery of this message.
    pub(super) fn has_message(&self, cursor: Cursor) -> bool {
        self.find_message(cursor).is_some()
    }

    /// Returns whether a delivery that does not wait is settled, since an acknowledgement has covered it.
    pub(super) fn has_covered(&self, id: DeliveryId) -> bool {
        self.is_cumulative && (1..self.next).contains(&id.0)
    }

    /// As [`has_covered`](Self::has_covered), by the cursor of the message.
    pub(super) fn has_covered_message(&self, cursor: Cursor) -> bool {
        self.acknowledged.is_some_and(|acknowledged| {
            acknowledged.epoch == cursor.epoch && cursor.position <= acknowledged.position
        })
    }

    /// Returns everything that is not acknowledged, in the order of delivery.
    pub(super) fn into_unacknowledged(self) -> impl DoubleEndedIterator<Item = Delivery> {
        self.unacknowledged.into_iter()
    }

    /// Finds the oldest delivery of a message. A client of STOMP 1.0 makes the hub look into each of its
    /// subscriptions, so this has to be fast.
    fn find_message(&self, cursor: Cursor) -> Option<usize> {
        let is_wanted = |delivery: &Delivery| delivery.message.cursor() == Some(cursor);
        if !self.is_ordered {
            return self.unacknowledged.iter().position(is_wanted);
        }
        let position = |delivery: &Delivery| delivery.message.cursor().map(|it| it.position);
        let index =
            self.unacknowledged.binary_search_by_key(&Some(cursor.position), position).ok()?;
        self.unacknowledged.get(index).is_some_and(is_wanted).then_some(index)
    }

    fn take(&mut self, index: usize) -> Vec<Delivery> {
        if self.is_cumulative {
            let taken: Vec<Delivery> = self.unacknowledged.drain(..=index).collect();
            for cursor in taken.iter().filter_map(|delivery| delivery.message.cursor()) {
                if !self.has_covered_message(cursor) {
                    self.acknowledged = Some(cursor);
                }
            }
            taken
        } else {
            self.unacknowledged.remove(index).into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cursor::Epoch, message::Message};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_is_found_in_any_order_of_cursors(
            steps in proptest::collection::vec((0..3_u8, 0..2_u64, 0..12_u64), 0..60),
            grows: bool,
        ) {
            let mut flow = Flow::new(Acknowledgement::Individual, 100).expect("it acknowledges");
            let mut expected: Vec<Option<Cursor>> = Vec::new();
            let mut last = 0;
            for (step, epoch, position) in steps {
                last += position + 1;
                let (epoch, position) = if grows { (0, last) } else { (epoch, position) };
                let cursor = Cursor::new(Epoch(epoch), position);
                if step > 0 {
                    let cursor = Some(cursor).filter(|_| step == 1 || grows);
                    let message = Published::new(cursor, "/queue/a".into(), Message::default());
                    flow.deliver(&Arc::new(message), 1);
                    expected.push(cursor);
                } else {
                    let wanted = expected.get(position as usize % (expected.len() + 1));
                    let wanted = wanted.copied().flatten().unwrap_or(cursor);
                    let index = expected.iter().position(|cursor| *cursor == Some(wanted));
                    prop_assert_eq!(flow.has_message(wanted), index.is_some());
                    prop_assert_eq!(flow.settle_message(wanted).len(), usize::from(index.is_some()));
                    index.map(|index| expected.remove(index));
                }
            }
            prop_assert!(!grows || flow.is_ordered);
        }
    }
}
