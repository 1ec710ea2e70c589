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
        Some(Self { window, is_cumulative, next: 1, unacknowledged: VecDeque::new() })
    }

    /// Returns how many messages can be delivered now.
    pub(super) fn room(&self) -> usize {
        (self.window as usize).saturating_sub(self.unacknowledged.len())
    }

    pub(super) fn deliver(&mut self, message: &Arc<Published>, deliveries: u32) -> DeliveryId {
        let id = DeliveryId(self.next);
        self.next += 1;
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
        let is_wanted = |delivery: &Delivery| delivery.message.cursor() == Some(cursor);
        let found = self.unacknowledged.iter().position(is_wanted);
        found.map_or_else(Vec::new, |index| self.take(index))
    }

    /// Returns whether there is a delivery that an acknowledgement can name so.
    pub(super) fn has(&self, wanted: DeliveryId) -> bool {
        self.unacknowledged.binary_search_by_key(&wanted, |delivery| delivery.id).is_ok()
    }

    /// Returns whether there is a delivery of this message.
    pub(super) fn has_message(&self, cursor: Cursor) -> bool {
        self.unacknowledged.iter().any(|delivery| delivery.message.cursor() == Some(cursor))
    }

    /// Returns everything that is not acknowledged, in the order of delivery.
    pub(super) fn into_unacknowledged(self) -> impl DoubleEndedIterator<Item = Delivery> {
        self.unacknowledged.into_iter()
    }

    fn take(&mut self, index: usize) -> Vec<Delivery> {
        if self.is_cumulative {
            self.unacknowledged.drain(..=index).collect()
        } else {
            self.unacknowledged.remove(index).into_iter().collect()
        }
    }
}
