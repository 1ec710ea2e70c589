//! What the hub is told.

use super::{
    ids::{CallId, ConnectionId, DeliveryId, RequestId, SubscriptionId},
    principal::Principal,
    refusal::Refusal,
};
use crate::{bridge, cursor::Cursor, destination, message::Message};
use alloc::{string::String, vec::Vec};
use core::{num::NonZeroU32, time::Duration};

/// What [`Hub::handle`](super::Hub::handle) is told.
///
/// A command with a `request` is answered by exactly one
/// [`Processed`](super::Effect::Processed), [`Subscribed`](super::Effect::Subscribed) or
/// [`Refused`](super::Effect::Refused) that names it, unless its connection goes before: also if two
/// commands have the same `request`. A command without one is only answered if it is refused.
/// [`Presence`](Self::Presence) has an answer of its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// A client has connected, and is this user if it was authenticated. A connection that exists
    /// already is disconnected first.
    Connect {
        /// The new connection.
        connection: ConnectionId,
        /// The user of the connection.
        principal: Option<Principal>,
    },
    /// A connection has ended. Its subscriptions end, and what it has not acknowledged of queues goes
    /// to other consumers. Unknown connections are ignored.
    Disconnect {
        /// The connection that has ended.
        connection: ConnectionId,
    },
    /// A client subscribes to a destination.
    #[doc(alias = "join")]
    #[doc(alias = "room")]
    Subscribe {
        /// Who subscribes.
        connection: ConnectionId,
        /// The name of the new subscription. It must not exist in this connection.
        subscription: SubscriptionId,
        /// One destination, or several topics whose messages come in one order: `/topic/…`, which may be
        /// a pattern, `/user/queue/…`, `/presence/topic/…`; or one `/queue/…`, or one `/app/…`.
        destinations: Vec<String>,
        /// Where to begin, and how messages are acknowledged. For `/app/…`, they have no effect.
        options: SubscribeOptions,
        /// Names the answer.
        request: Option<RequestId>,
    },
    /// A client ends a subscription. What it has not acknowledged of a queue goes to other consumers.
    Unsubscribe {
        /// Whose subscription it is.
        connection: ConnectionId,
        /// Which subscription ends. If it has not begun, the command that subscribed is answered by
        /// [`Processed`](super::Effect::Processed).
        subscription: SubscriptionId,
        /// Names the answer.
        request: Option<RequestId>,
    },
    /// A client sends or acknowledges a message.
    Perform {
        /// Who does it.
        connection: ConnectionId,
        /// What is done.
        operation: Operation,
        /// Names the answer.
        request: Option<RequestId>,
    },
    /// A client commits a transaction: all of its operations are done, or, if one of them is refused,
    /// none is.
    Commit {
        /// Whose transaction it is.
        connection: ConnectionId,
        /// The operations in their order.
        operations: Vec<Operation>,
        /// Names the answer.
        request: Option<RequestId>,
    },
    /// A connection can't take more messages now. Until [`Resume`](Self::Resume), its subscriptions
    /// stay where they are, and then they continue from what topics keep.
    Pause {
        /// The connection that is full.
        connection: ConnectionId,
    },
    /// A connection that was paused can take messages again.
    Resume {
        /// The connection that has room again.
        connection: ConnectionId,
    },
    /// The application publishes a message: to `/topic/…`, `/queue/…`, or, with the name of a user in
    /// it, `/user/{name}/queue/…` (see [`Command::send_to_user`]). Nobody is asked whether it may: for a
    /// message that a client sends, also by a POST, use [`Perform`](Self::Perform).
    #[doc(alias = "convertAndSend")]
    #[doc(alias = "emit")]
    #[doc(alias = "broadcast")]
    Publish {
        /// Where it is published.
        destination: String,
        /// What is published.
        message: Message,
        /// Names the answer. These numbers are apart from those of connections.
        request: Option<RequestId>,
    },
    /// The application publishes a message because of a [call](super::Call): like
    /// [`Publish`](Self::Publish), and the command that made the call is only answered once this message
    /// has its place, here or at the broker. If the message is refused, so is that command. Handle this
    /// before [`Finish`](Self::Finish). See [`Call::publish`](super::Call::publish) and
    /// [`Call::send_to_user`](super::Call::send_to_user).
    PublishFor {
        /// Which call.
        call: CallId,
        /// Where it is published.
        destination: String,
        /// What is published.
        message: Message,
    },
    /// The application replies to one connection, and not to other connections of the same user. The
    /// reply goes to the connection's subscription of the destination, even if that is paused or has no
    /// room in its window. It is not kept: without a subscription, it goes nowhere.
    Reply {
        /// Who gets the reply.
        connection: ConnectionId,
        /// `/user/queue/…`, or the `/app/…` whose subscription was a [call](super::Call).
        destination: String,
        /// The reply.
        message: Message,
    },
    /// The application has finished a [call](super::Call), so the command that made it is answered. A
    /// subscription that made the call ends if it is refused. It has no effect if the connection has gone.
    /// See [`Call::finished`](super::Call::finished) and [`Call::refused`](super::Call::refused).
    Finish {
        /// Which call.
        call: CallId,
        /// Why the application refuses the call, if it does: [`Application`](super::Refusal::Application),
        /// [`Unavailable`](super::Refusal::Unavailable) or [`Failed`](super::Refusal::Failed).
        refused: Option<Refusal>,
    },
    /// The application asks who is in a topic, at all hubs that a bridge joins. Answered by
    /// [`Effect::Presence`](super::Effect::Presence): at once, or when the broker has answered.
    #[doc(alias = "SimpUserRegistry")]
    Presence {
        /// `/topic/…`, without wildcards. Of one that does not tell its
        /// [presence](super::TopicConfig::presence), the answer is that nobody is there.
        topic: String,
        /// How long to wait for the broker. Then the answer is who is in this hub.
        timeout: Duration,
        /// Names the answer among those to these commands.
        request: RequestId,
    },
    /// The bridge to the other hubs tells something.
    Bridge(bridge::Event),
    /// The [deadline](super::Hub::next_deadline) of the hub has passed.
    TimePassed,
}

impl Command {
    /// Returns the command that publishes a message to the queue of a user, which each connection of
    /// the user gets that is subscribed to it. `queue` is the part of the destination that is the same
    /// for all users, such as `/queue/order-updates`.
    ///
    /// ```
    /// use sansocket_realtime::{Message, hub::{Command, Principal}};
    ///
    /// let user = Principal::new("a/b");
    /// let command = Command::send_to_user(&user, "/queue/order-updates", Message::new("shipped"));
    /// assert!(matches!(
    ///     command,
    ///     Command::Publish { destination, .. } if destination == "/user/a%2Fb/queue/order-updates"
    /// ));
    /// ```
    #[doc(alias = "convertAndSendToUser")]
    #[must_use]
    pub fn send_to_user(user: &Principal, queue: &str, message: Message) -> Self {
        let destination = destination::of_user(user.name(), queue);
        Self::Publish { destination, message, request: None }
    }
}

/// What a client does outside or inside a transaction.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Operation {
    /// Sends a message to a destination. It is processed once it has its place in the sequence of its
    /// topic, is in its queue, here or at the broker, or its [call](super::Call) is finished.
    Send {
        /// `/topic/…`, `/queue/…`, `/app/…` or `/user/{name}/queue/…`.
        destination: String,
        /// What is sent.
        message: Message,
    },
    /// Acknowledges a message, and in a [cumulative](Acknowledgement::Cumulative) subscription all
    /// that were delivered before it.
    Ack(DeliveryOf),
    /// Says that a message was not consumed. In a queue it goes to another consumer, up to a limit.
    /// On a topic it counts as acknowledged, since every subscriber has a copy of its own.
    Nack(DeliveryOf),
}

/// Which delivery is acknowledged. The versions of STOMP name it differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryOf {
    /// The delivery by its number on its subscription (STOMP 1.2).
    Delivery(SubscriptionId, DeliveryId),
    /// The message by its cursor, on a subscription (STOMP 1.1), or on any of the connection's
    /// (STOMP 1.0).
    Message(Option<SubscriptionId>, Cursor),
}

/// Where a subscription begins, and how its messages are acknowledged.
///
/// ```
/// use sansocket_realtime::hub::{Acknowledgement, Start, SubscribeOptions};
///
/// let options = SubscribeOptions::default().start(Start::After("5f3a-1042".parse()?)).gaps(true);
/// assert_eq!(options.acknowledgement, Acknowledgement::Automatic);
/// # Ok::<(), sansocket_realtime::InvalidCursor>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// Where the subscription of a topic begins. By default it begins now. A queue begins with what
    /// nobody has consumed, whatever this says.
    pub start: Start,
    /// Whether messages have to be acknowledged. By default they need not be.
    pub acknowledgement: Acknowledgement,
    /// How many messages can be unacknowledged at a time. By default, the
    /// [configuration](super::Config::window) says it. More than that says are not given.
    pub window: Option<NonZeroU32>,
    /// Whether the client understands [`Effect::Gap`](super::Effect::Gap). If it does not, a
    /// subscription that has missed messages is refused instead. By default it does not, unless it
    /// starts after a cursor.
    pub gaps: bool,
    /// Whether the subscription is left out when topics tell
    /// [who is subscribed](super::TopicConfig::presence). By default it is not. [Polls](crate::poll) are
    /// hidden: each of them is a subscription that begins and ends.
    pub hidden: bool,
}

impl SubscribeOptions {
    setters! {
        start: Start,
        acknowledgement: Acknowledgement,
        window: Option<NonZeroU32>,
        gaps: bool,
        hidden: bool,
    }
}

/// Where the subscription of a topic begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With the next message.
    #[default]
    Now,
    /// With the last message of each topic, if the topic [retains](super::TopicConfig::retain) it. These
    /// come first, and in the order of their cursors, which are older than the one that
    /// [`Subscribed`](super::Effect::Subscribed) tells.
    Last,
    /// With what topics keep, from the place on after which none of them has dropped anything.
    Beginning,
    /// With the first message after this cursor.
    #[doc(alias = "since")]
    #[doc(alias = "resume")]
    After(Cursor),
}

impl Start {
    /// Reads where a client wants to begin.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "now" => Self::Now,
            "last" => Self::Last,
            "beginning" => Self::Beginning,
            cursor => Self::After(cursor.parse().ok()?),
        })
    }
}

/// Whether messages have to be acknowledged, and what an acknowledgement covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acknowledgement {
    /// A message counts as acknowledged once it is delivered: `auto` in STOMP.
    #[default]
    Automatic,
    /// An acknowledgement covers a message and all before it: `client` in STOMP.
    Cumulative,
    /// An acknowledgement covers one message: `client-individual` in STOMP.
    Individual,
}
