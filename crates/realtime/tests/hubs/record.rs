//! What was published, and in which order: the truth that subscribers are compared with.

use core::time::Duration;
use sansocket_realtime::{Cursor, Epoch, Pattern};
use std::collections::BTreeMap;

/// How long topics keep messages.
pub(crate) const AGE: Duration = Duration::from_secs(60);

/// A message that has its place in a sequence.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) position: u64,
    pub(crate) topic: String,
    pub(crate) body: String,
    pub(crate) at: Duration,
}

/// All sequences: that of the broker, its former ones, and those of the hubs.
#[derive(Debug, Default)]
pub(crate) struct Record {
    sequences: BTreeMap<Epoch, Vec<Published>>,
}

/// How many of the newest messages of a topic are there for sure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) messages: usize,
    pub(crate) is_bridged: bool,
    pub(crate) now: Duration,
}

impl Record {
    pub(crate) fn add(&mut self, epoch: Epoch, published: Published) {
        let sequence = self.sequences.entry(epoch).or_default();
        assert!(sequence.last().is_none_or(|last| last.position < published.position));
        sequence.push(published);
    }

    pub(crate) fn of(&self, epoch: Epoch) -> &[Published] {
        self.sequences.get(&epoch).map_or(&[], Vec::as_slice)
    }

    /// Returns where a message was published.
    pub(crate) fn places(&self, body: &str) -> Vec<Cursor> {
        let mut places = Vec::new();
        for (&epoch, sequence) in &self.sequences {
            let of_body = sequence.iter().filter(|it| it.body == body);
            places.extend(of_body.map(|it| Cursor::new(epoch, it.position)));
        }
        places
    }

    /// Returns what subscribers of these destinations get after a cursor, up to a position.
    pub(crate) fn between<'a>(
        &'a self,
        destinations: &'a [String],
        after: Cursor,
        through: u64,
    ) -> impl Iterator<Item = &'a Published> {
        self.of(after.epoch).iter().filter(move |it| {
            it.position > after.position
                && it.position <= through
                && destinations.iter().any(|destination| matches(destination, &it.topic))
        })
    }

    /// Returns whether some of these messages need not be kept any more, so that a gap is right. With a
    /// bridge, those behind the gap count too: the topic can have dropped them, and have got them back,
    /// but with nothing known of what was before.
    pub(crate) fn is_gap(
        &self,
        destinations: &[String],
        after: Cursor,
        through: u64,
        kept: Kept,
    ) -> bool {
        let through = if kept.is_bridged { u64::MAX } else { through };
        self.between(destinations, after, through).any(|it| {
            let newer = self
                .of(after.epoch)
                .iter()
                .filter(|other| other.topic == it.topic && other.position > it.position);
            newer.count() >= kept.messages || it.at + AGE <= kept.now
        })
    }
}

pub(crate) fn matches(destination: &str, topic: &str) -> bool {
    destination.parse::<Pattern>().unwrap().matches(topic)
}
