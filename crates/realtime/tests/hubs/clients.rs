//! A client, and what it knows.

use crate::record::{Kept, Record};
use sansocket_realtime::{
    Cursor, Epoch, Published,
    hub::{ConnectionId, DeliveryId, Gap, SubscribeOptions},
};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) connection: ConnectionId,
    pub(crate) node: usize,
    pub(crate) is_connected: bool,
    pub(crate) is_paused: bool,
    pub(crate) subscriptions: BTreeMap<u32, Subscription>,
    /// What it subscribes to when it comes back.
    pub(crate) left: BTreeMap<u32, Subscription>,
}

#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) destinations: Vec<String>,
    pub(crate) options: SubscribeOptions,
    /// The client has got everything up to here. `None` while the subscription has not begun.
    pub(crate) at: Option<Cursor>,
    pub(crate) is_queue: bool,
    pub(crate) unacknowledged: VecDeque<Delivery>,
}

#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) id: DeliveryId,
    /// Of a queue: the message, and how often it was delivered.
    pub(crate) queued: Option<(u64, u32)>,
    /// Of the queue that all hubs share: the message.
    pub(crate) job: Option<u64>,
}

impl Subscription {
    /// Checks that a message is the next that the client has to get.
    pub(crate) fn gets(&mut self, message: &Published, record: &Record) {
        let cursor = message.cursor().expect("messages of topics have a cursor");
        let at = self.at.expect("nothing is delivered before the subscription begins");
        assert_eq!(cursor.epoch, at.epoch, "another epoch begins with a gap: {self:?} {message:?}");
        assert!(cursor.position > at.position, "double or out of order: {self:?} {message:?}");
        let expected = record.between(&self.destinations, at, u64::MAX).next();
        let expected = expected.unwrap_or_else(|| panic!("not published: {self:?} {message:?}"));
        assert_eq!(expected.position, cursor.position, "lost {expected:?}: {self:?} {message:?}");
        assert_eq!(Some(expected.body.as_str()), message.message().text());
        assert_eq!(expected.topic, **message.destination());
        self.at = Some(cursor);
    }

    /// Checks that a gap was needed, and hides nothing more than it has to.
    pub(crate) fn misses(&mut self, gap: Gap, record: &Record, kept: Option<Kept>) {
        let at = self.at.expect("there is no gap before the subscription begins");
        self.has_got(gap.from, record);
        if at.epoch == gap.to.epoch {
            assert!(gap.to.position > gap.from.position, "{gap:?}: {self:?}");
            if let Some(kept) = kept {
                let is_gap = record.is_gap(&self.destinations, at, gap.to.position, kept);
                assert!(is_gap, "false {gap:?}: {self:?}");
            }
        } else if let Some(kept) = kept {
            let start = Cursor::new(gap.to.epoch, 0);
            let hides = record.between(&self.destinations, start, gap.to.position).count();
            let is_gap =
                hides == 0 || record.is_gap(&self.destinations, start, gap.to.position, kept);
            assert!(is_gap, "{gap:?} is too long: {self:?}");
        }
        self.at = Some(gap.to);
    }

    /// Checks that a subscription had to be ended because messages are missing.
    pub(crate) fn is_cut_off(&self, epoch: Epoch, record: &Record, kept: Option<Kept>) {
        let Some(at) = self.at else { return };
        if let Some(kept) = kept.filter(|_| at.epoch == epoch) {
            let is_gap = record.is_gap(&self.destinations, at, u64::MAX, kept);
            assert!(is_gap, "cut off without need: {self:?}");
        }
    }

    /// Checks that a cursor skips nothing.
    pub(crate) fn has_got(&self, cursor: Cursor, record: &Record) {
        let at = self.at.expect("there is no cursor before the subscription begins");
        assert_eq!(cursor.epoch, at.epoch, "{self:?}");
        assert!(cursor.position >= at.position, "the cursor goes back to {cursor}: {self:?}");
        let skipped = record.between(&self.destinations, at, cursor.position).next();
        assert!(skipped.is_none(), "{cursor} skips {skipped:?}: {self:?}");
    }

    /// Takes out what an acknowledgement covers.
    pub(crate) fn settle(&mut self, index: usize, is_cumulative: bool) -> Vec<Delivery> {
        if is_cumulative {
            self.unacknowledged.drain(..=index).collect()
        } else {
            self.unacknowledged.remove(index).into_iter().collect()
        }
    }
}
