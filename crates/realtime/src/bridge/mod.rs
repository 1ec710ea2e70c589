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
//! # What it has to do for queues
//!
//! The consumers of all nodes share the work of a queue. Its messages are published as others are, and
//! have positions in the same sequence, but they are not followed, and never told as
//! [`Message`](Event::Message). The broker keeps each of them until it is consumed.
//!
//! - A message is given to one node that [asks](Command::Take), in the order of the positions, and told as
//!   [`Taken`](Event::Taken). A node gets no more than it has asked for. The message is with that node until
//!   the node [settles](Command::Settle) it or counts as dead.
//! - A [`Stop`](Command::Stop) is answered with a [`Stopped`](Event::Stopped), behind the last
//!   [`Taken`](Event::Taken) that was asked for before. So both know again how many are asked for.
//! - Each [`Settle`](Command::Settle) is answered with a [`Settled`](Event::Settled), in the stream: the
//!   message is not told to that node again before. If the message is not with the node, since it
//!   was settled already, the node counts as dead, or the epoch is another, that is all that happens.
//! - A message that is returned goes to any node that asks, and before what is behind it if the broker
//!   can.
//! - A [`Taken`](Event::Taken) can be lost with the connection. So behind [`Up`](Event::Up), the broker tells
//!   what is still with the node `again`, whether the node asks or not. It may do so at any time
//!   while the message is with the node: the hub knows what it has.
//! - When a node is away for too long, it counts as dead: what was with it is returned, and counts as
//!   delivered once more. So a message that crashes its consumers is not delivered again without end. A node is named
//!   by its hub's epoch, as in [`PublishId`], also when it comes back.
//! - What was asked for is void with [`Down`](Event::Down). No command from before is carried out behind
//!   the next [`Up`](Event::Up). With another epoch, no message is with a node any more.
//!
//! So a message is consumed at least once, and exactly once if no consumer, node or connection fails.
//!
//! # What it has to do for presence
//!
//! The broker keeps who is in which topic at which node, so that a list of members shows all nodes, and a
//! node that dies says goodbye. A member is [one](Member) at however many nodes.
//!
//! - [`Enter`](Command::Enter) notes that a member is in a topic at this node, and what to publish when
//!   the member is gone. If the member was at no node before, the broker publishes the message
//!   `join`. It does both or neither. If the member was at this node already, nothing happens.
//! - [`Leave`](Command::Leave) takes the member away from this node. If the member is at no other node, the
//!   broker publishes the message `leave` that came with the [`Enter`](Command::Enter) of this node. It does
//!   both or neither. If the member was not at this node, nothing happens. The answer is
//!   [`Left`](Event::Left) in any case.
//! - These messages have positions in the sequence, and are told to those who follow the destination, as all
//!   others are.
//! - The commands of a node are carried out in its order. Members stay when a node goes down: behind
//!   [`Up`](Event::Up) it enters all of its members again, and takes those away of whose leaving it has no
//!   answer.
//! - When a node counts as dead, all of its members leave, as if it had said so. One that is not dead, and
//!   is not told [`Up`](Event::Up) since, is told [`CountedAsDead`](Event::CountedAsDead), and enters its members
//!   again.
//! - With another epoch, nobody is anywhere, and no message says so: whoever follows is told a gap.
//! - [`Members`](Event::Members) answers [`Members`](Command::Members), in the stream: what was told before
//!   is in it, and what changes later is told later. If there are more members than it can tell at once, it
//!   leaves some out, and says so.
//!
//! In a store of keys and values, a hash for each topic can map members to their nodes, and one for each
//! node can map what it has entered to the message `leave`.
//!
//! # What goes through it
//!
//! | destination | |
//! |---|---|
//! | `/topic/…`, and the queues of users as `/user/{name}/queue/…` | published and followed, except the [local](crate::hub::Config::local) ones |
//! | `/presence/topic/…` | entered, left and followed, except the local ones |
//! | patterns of topics | followed |
//! | `/queue/…` | published and taken, except the local ones |
//! | `/app/…`, replies, and `/user/queue/…` of connections without a user | stays in its hub |
//!
//! A hub delivers what the bridge tells alone, also of messages that it has published itself. Cursors are
//! of the sequence of the broker, so a client resumes at any hub. While the bridge is down, messages to
//! publish wait in the [outbox](crate::hub::Config::outbox), and so do their answers; new subscriptions
//! of topics begin when it is up again. Consumers of queues keep what they have meanwhile.

mod memory;

pub use memory::{Memory, Node};

use crate::{
    cursor::{Cursor, Epoch},
    message::Message,
};
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
        /// A topic without wildcards, `/user/{name}/queue/…`, or `/queue/…`.
        destination: Arc<str>,
        /// The message.
        message: Message,
    },
    /// The hub has its first subscriber of a destination, so it wants the messages. Answered by
    /// [`Event::History`].
    Follow {
        /// Names the question in its answer.
        question: QuestionId,
        /// A topic, a [pattern](crate::Pattern) of topics, `/user/{name}/queue/…`, or
        /// `/presence/topic/…`.
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
    /// The hub has consumers that can take so many messages more of a queue. Answered by as many
    /// [`Event::Taken`], once there are messages.
    Take {
        /// `/queue/…`.
        destination: Arc<str>,
        /// How many. It adds to what was asked for before.
        count: u32,
    },
    /// What the hub has asked for of a queue and not got is void: its consumers can take less, or there are
    /// none any more. Answered by [`Event::Stopped`], and then the hub asks anew. It returns what is on its
    /// way and too much.
    Stop {
        /// `/queue/…`.
        destination: Arc<str>,
    },
    /// What has become of a message of a queue that this node has taken. Answered by [`Event::Settled`].
    Settle {
        /// `/queue/…`.
        destination: Arc<str>,
        /// Which message. If it is of an epoch before the present one, there is nothing to do.
        cursor: Cursor,
        /// What has become of it.
        outcome: Outcome,
    },
    /// A member is in a topic at this node. It may have been told before.
    Enter {
        /// `/presence/topic/…`, where the messages are published.
        destination: Arc<str>,
        /// Who is there.
        member: Member,
        /// What is published now, unless the member is there already.
        join: Message,
        /// What is published once the member is at no node any more, if this node is the last.
        leave: Message,
    },
    /// A member is not in a topic at this node any more. Answered by [`Event::Left`].
    Leave {
        /// Names the question in its answer.
        question: QuestionId,
        /// `/presence/topic/…`
        destination: Arc<str>,
        /// The member that left.
        member: Member,
    },
    /// The hub needs to know who is in some topics, at all nodes. Answered by one [`Event::Members`], as of
    /// one moment.
    Members {
        /// Names the question in its answer.
        question: QuestionId,
        /// `/presence/topic/…`: one, or several. None is there twice.
        destinations: Arc<[Arc<str>]>,
    },
}

/// Who is in a topic: the same at all nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Member {
    /// A user, with any number of connections at any number of nodes.
    User(Arc<str>),
    /// A connection without a user.
    Anonymous {
        /// The hub that has the connection.
        node: Epoch,
        /// The number of the connection in that hub.
        connection: u64,
    },
}

/// What has become of a message of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is gone for good.
    Consumed,
    /// Whoever asks may take it: another node, or the same one.
    Returned {
        /// How often it was delivered to consumers so far.
        deliveries: u32,
    },
}

/// What a hub hears from the bridge.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The bridge works. Nothing is followed or asked for yet. What was published or settled without an
    /// answer has to be told again.
    Up {
        /// The sequence to which positions belong from now on.
        epoch: Epoch,
        /// The last position that was given to a message.
        head: u64,
    },
    /// The bridge does not work. Until the next [`Up`](Self::Up), messages are missed.
    Down,
    /// The broker has lost its sequence, and begins another. It is as if the bridge had gone down and
    /// up again. No message is with a node any more.
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
    /// A message of a queue is with this node now.
    Taken {
        /// The message, and the queue.
        entry: Entry,
        /// How often it was delivered to consumers before, as far as the broker knows.
        deliveries: u32,
        /// Whether the message was with the node already. If it was not, it is one of those that the
        /// hub has [asked](Command::Take) for.
        again: bool,
    },
    /// A [`Stop`](Command::Stop) is carried out: no message comes any more that was asked for before.
    Stopped {
        /// `/queue/…`.
        destination: Arc<str>,
    },
    /// A [`Settle`](Command::Settle) is carried out, or there was nothing to do, because the message was not
    /// with this node any more.
    Settled {
        /// Which message.
        cursor: Cursor,
    },
    /// A [`Leave`](Command::Leave) is carried out, or there was nothing to do.
    Left {
        /// The question that is answered.
        question: QuestionId,
    },
    /// Who is in some topics.
    Members {
        /// The question that is answered.
        question: QuestionId,
        /// As in the question.
        destinations: Arc<[Arc<str>]>,
        /// Who is there, each once and in any order, for each of the destinations in their order.
        members: Vec<Vec<Member>>,
        /// Whether some are missing, since there are more than the broker tells at once.
        is_partial: bool,
    },
    /// The broker took this node for dead. What it had was returned, its members have left, and it enters
    /// them again.
    CountedAsDead,
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
