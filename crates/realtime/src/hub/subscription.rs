//! A subscription, and what it subscribes to.

use super::{
    ConnectionId, RequestId, Start, SubscriptionId,
    flow::Flow,
    keys::{ApplicationKey, PatternKey, QueueKey, TopicKey},
};
use crate::{bridge::QuestionId, cursor::Cursor};
use alloc::boxed::Box;

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) connection: ConnectionId,
    pub(super) id: SubscriptionId,
    pub(super) state: State,
    /// Whether the client understands gaps.
    pub(super) gaps: bool,
    /// Whether the positions are those of the bridge's sequence.
    pub(super) is_bridged: bool,
    /// Whether it counts among those who are present in its topics.
    pub(super) is_present: bool,
    pub(super) sources: Sources,
    /// Everything up to this position was delivered. While the subscription is live, it has also got
    /// everything that was published since. Of a live consumer of a queue, this is its place in the line.
    pub(super) through: u64,
    pub(super) flow: Option<Box<Flow>>,
    pub(super) unusual: Option<Box<Unusual>>,
}

/// Who determines what the subscription gets next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It gets messages as they are published. A consumer of a queue is in the queue's list of those
    /// that can take messages.
    Live,
    /// It has no room, or its connection is paused. It continues from what topics keep.
    Behind,
    /// The bridge has to tell first what was missed.
    Waiting,
}

/// What few subscriptions have, and those only for a short time.
#[derive(Debug, Default)]
pub(super) struct Unusual {
    /// The subscription has not begun yet.
    pub(super) beginning: Option<Beginning>,
    /// The subscription has got messages up to here, and what came after can't be told any more, since
    /// the sequence is another now.
    pub(super) missed: Option<Cursor>,
    /// The subscription begins with retained messages, and has not got all of them.
    pub(super) last: Option<Last>,
}

/// Which retained messages a subscription has to get first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    /// It has got those up to this position.
    pub(super) after: u64,
    /// It gets those up to this position: what is newer comes in its turn.
    pub(super) through: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    pub(super) start: Start,
    pub(super) request: Option<RequestId>,
    /// Whether nobody is told that the subscriber is present.
    pub(super) is_hidden: bool,
}

#[derive(Debug)]
pub(super) enum Sources {
    One(Link),
    Many(Box<[Link]>),
}

/// Connects a subscription with one of its sources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) source: Source,
    /// Where the subscription is in the source's list of subscribers.
    pub(super) slot: u32,
    /// The question to the bridge whose answer the subscription needs.
    pub(super) needs: QuestionId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Topic(TopicKey),
    Pattern(PatternKey),
    Queue(QueueKey),
    /// An `/app/…` destination: it only gets replies.
    Application(ApplicationKey),
}

impl Sources {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(links) => links.len(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Link> {
        match self {
            Self::One(link) => core::slice::from_ref(link),
            Self::Many(links) => links,
        }
        .iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        match self {
            Self::One(link) => core::slice::from_mut(link),
            Self::Many(links) => links,
        }
        .iter_mut()
    }
}

impl Subscription {
    pub(super) fn has_begun(&self) -> bool {
        self.unusual.as_ref().is_none_or(|unusual| unusual.beginning.is_none())
    }

    pub(super) fn missed(&self) -> Option<Cursor> {
        self.unusual.as_ref().and_then(|unusual| unusual.missed)
    }

    pub(super) fn last(&self) -> Option<Last> {
        self.unusual.as_ref().and_then(|unusual| unusual.last)
    }

    /// Returns the queue that the subscription consumes.
    pub(super) fn queue(&self) -> Option<QueueKey> {
        match &self.sources {
            Sources::One(Link { source: Source::Queue(queue), .. }) => Some(*queue),
            _ => None,
        }
    }

    /// Returns whether it has a place in a sequence: consumers of queues and of replies have none.
    pub(super) fn has_cursor(&self) -> bool {
        let first = self.sources.iter().next();
        matches!(first, Some(Link { source: Source::Topic(_) | Source::Pattern(_), .. }))
    }

    /// Returns how many messages it can take now.
    pub(super) fn room(&self) -> usize {
        self.flow.as_ref().map_or(usize::MAX, |flow| flow.room())
    }
}
