//! Many hubs as one: what a hub tells a broker, and what it hears from it.
//!
//! A bridge carries [`Command`]s out and [`Event`]s in. So the connection to a broker that exists
//! is a thin pump, and hubs can be tested together on virtual time.
//!
//! [`Memory`] is a broker that joins the hubs of one process: for tests, and as a model of others. Its page
//! has an example. [`Hub::with_bridge`](crate::hub::Hub::with_bridge) has a hub use a bridge,
//! [`Effect::Bridge`](crate::hub::Effect::Bridge) has what it tells, and
//! [`Command::Bridge`](crate::hub::Command::Bridge) takes what it hears.
//!
//! # What a bridge has to do
//!
//! - It gives each message that is published a position in **one sequence for all destinations**, which
//!   grows and never repeats within an [`Epoch`]. When the broker has lost its sequence, or a part of it,
//!   it begins another epoch.
//! - It publishes the messages of a node in the order of their [`PublishId`]s, and each of them once: if
//!   it gets an id again, it answers as before. So it is enough to know the last id of each node that
//!   was published, and its position; for earlier ones it may answer without a position. It has to refuse
//!   for the same reasons as before what it has refused before.
//! - What it tells is **one stream** of events, in which a position is a promise: when it tells a
//!   [`Message`](Event::Message) at a position, or a [`History`] with a `head`, it has told all messages up to there
//!   of the destinations that were followed before. A destination counts as followed from the answer to
//!   its [`Follow`](Command::Follow) on; messages that come earlier do no harm. [`Published`](Event::Published) and
//!   [`Rejected`](Event::Rejected) have no place in this order, but
//!   those of an epoch come before the next one is told.
//! - It may tell a message twice, also if others have come between.
//! - It answers each [`Follow`](Command::Follow) and [`History`](Command::History) with one
//!   [`History`], and those of one destination in the order in which they were asked, unless it goes
//!   down first. It tells every message behind the `head` of the answer to a `Follow`: so it first
//!   subscribes, and then reads.
//! - It tells [`Down`](Event::Down) before it leaves anything out. Until the next [`Up`](Event::Up) it
//!   tells nothing else, and no notice is taken of what was followed or asked before: the hub follows
//!   everything again.
//!
//! # What goes through it
//!
//! | destination | |
//! |---|---|
//! | `/topic/…`, `/presence/topic/…`, and the queues of users as `/user/{name}/queue/…` | published and followed, except the [local](crate::hub::Config::local) ones |
//! | patterns of topics | followed |
//! | `/queue/…`, `/app/…`, replies, and `/user/queue/…` of connections without a user | stays in its hub |
//!
//! A hub delivers what the bridge tells alone, also of messages that it has published itself. Cursors are
//! of the sequence of the broker, so a client resumes at any hub. While the bridge is down, messages to
//! publish wait in the [outbox](crate::hub::Config::outbox), and so do their answers; new subscriptions
//! begin when it is up again.

mod memory;

pub use memory::{Memory, Node};

use crate::{cursor::Epoch, message::Message};
use alloc::{string::String, sync::Arc, vec::Vec};

/// Names a message that a node publishes, so that it is published once even if it has to be sent
/// twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishId {
    /// The hub: its own epoch.
    pub node: Epoch,
    /// Grows by one with each message of the node.
    pub sequence: u64,
}

/// Names a question of the hub to the bridge, in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub u32);

/// What a hub tells the bridge.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Publish a message. Answered by [`Event::Published`] or [`Event::Rejected`].
    Publish {
        /// Names the message.
        id: PublishId,
        /// A topic without wildcards, `/user/{name}/queue/…` or `/presence/topic/…`.
        destination: Arc<str>,
        /// The message.
        message: Message,
    },
    /// The hub has its first subscriber of a destination, so it wants the messages. Answered by
    /// [`Event::History`].
    Follow {
        /// Names the question in its answer.
        question: QuestionId,
        /// Like that of [`Publish`](Self::Publish), or a [pattern](crate::Pattern) of topics.
        destination: Arc<str>,
        /// The history that is wanted: all messages after this position. `None` wants none.
        after: Option<u64>,
    },
    /// The hub has no subscriber of a destination any more.
    Unfollow {
        /// What is followed.
        destination: Arc<str>,
    },
    /// The hub needs messages of a followed destination that it does not have. Answered by
    /// [`Event::History`].
    History {
        /// Names the question in its answer.
        question: QuestionId,
        /// What is followed.
        destination: Arc<str>,
        /// All messages after this position are wanted.
        after: u64,
    },
}

/// What a hub hears from the bridge.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The bridge works. Nothing is followed yet. What was published without an answer has to be
    /// published again.
    Up {
        /// The sequence to which positions belong from now on.
        epoch: Epoch,
        /// The last position that was given to a message.
        head: u64,
    },
    /// The bridge does not work. Until the next [`Up`](Self::Up), messages are missed.
    Down,
    /// The broker has lost its sequence, and begins another. It is as if the bridge had gone down and
    /// up again.
    EpochChanged {
        /// The sequence to which positions belong from now on.
        epoch: Epoch,
        /// The last position that was given to a message.
        head: u64,
    },
    /// A message has its place in the sequence.
    Published {
        /// Which message.
        id: PublishId,
        /// Its place, or `None` if the message was published before, and the broker does not know its
        /// place any more.
        position: Option<u64>,
    },
    /// The broker refuses a message. It has not been published.
    Rejected {
        /// Which message.
        id: PublishId,
        /// Why, for the publisher.
        reason: String,
    },
    /// A message of a followed destination. The hub that has published it hears it too.
    Message(Entry),
    /// What the broker has of a destination.
    History(History),
}

/// What a broker has of a destination: the answer to [`Command::Follow`] and [`Command::History`].
#[derive(Clone, Debug)]
pub struct History {
    /// The question that is answered.
    pub question: QuestionId,
    /// As in the question.
    pub destination: Arc<str>,
    /// The messages after the wanted position, or as many of the newest as the broker still has, in the
    /// order of their positions.
    pub entries: Vec<Entry>,
    /// Nothing is missing after this position, up to [`head`](Self::head). If it is behind the wanted
    /// position, there is a gap between the two. If no history is wanted, it is the head.
    pub complete_after: u64,
    /// The last position in the sequence when this was read.
    pub head: u64,
}

/// A message in the sequence of a broker.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it was published. This is never a pattern.
    pub destination: Arc<str>,
    /// The place in the sequence.
    pub position: u64,
    /// The message.
    pub message: Message,
}
