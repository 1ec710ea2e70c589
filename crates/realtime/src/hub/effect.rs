//! What the hub wants done.

use super::{Call, ConnectionId, DeliveryId, Refusal, RequestId, SubscriptionId};
use crate::{bridge, cursor::Cursor, message::Published};
use alloc::{boxed::Box, sync::Arc, vec::Vec};

/// What [`Hub::handle`](super::Hub::handle) wants done. The order counts: perform the effects in the
/// order in which you get them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Effect {
    /// A subscription gets a message.
    Deliver {
        /// Whose subscription it is.
        connection: ConnectionId,
        /// Which subscription gets the message.
        subscription: SubscriptionId,
        /// Names the delivery in its acknowledgement, if the subscription has asked for those.
        delivery: Option<DeliveryId>,
        /// Whether the message was delivered before, to this or to another consumer of a queue.
        is_redelivered: bool,
        /// The message.
        message: Arc<Published>,
    },
    /// A subscription has missed messages, and can't get them any more. It continues after the gap: of a
    /// subscription with several topics, the gap covers all of them, also if only one has lost messages.
    /// It can be that nothing was published between, once the hub has forgotten a topic in which
    /// nothing was left to keep, or has dropped messages and got some of them back from its bridge.
    Gap {
        /// Whose subscription it is.
        connection: ConnectionId,
        /// Which subscription has missed messages.
        subscription: SubscriptionId,
        /// What was missed.
        gap: Gap,
    },
    /// A subscription has begun.
    Subscribed {
        /// Whose subscription it is.
        connection: ConnectionId,
        /// Which subscription has begun.
        subscription: SubscriptionId,
        /// The command that is answered.
        request: Option<RequestId>,
        /// Where the subscription begins: messages up to here are not delivered. The replay that
        /// follows can start there. A queue has no cursor.
        cursor: Option<Cursor>,
    },
    /// A command has been processed.
    Processed {
        /// Whose command it was. The application's own has none.
        connection: Option<ConnectionId>,
        /// The command that is answered.
        request: RequestId,
        /// The place of the message in its sequence, if the command published one in a topic. The answer
        /// to a transaction has none.
        cursor: Option<Cursor>,
    },
    /// A command is refused, or, without a `request`, something else that the connection had. In
    /// STOMP the connection gets an ERROR and ends. If it is of a subscription, that has ended, or has
    /// not begun.
    Refused {
        /// Whose command it was. The application's own has none.
        connection: Option<ConnectionId>,
        /// The command that is answered.
        request: Option<RequestId>,
        /// The subscription that is refused or has ended.
        subscription: Option<SubscriptionId>,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// A message for a handler of the application.
    Call(Box<Call>),
    /// A message was given up: there was no consumer that took it, and no destination
    /// for such messages, or no room there, or the broker refuses it there. It is gone once you drop it.
    Discarded {
        /// The message.
        message: Arc<Published>,
        /// How often it was delivered.
        deliveries: u32,
    },
    /// Who is in a topic: the answer to [`Command::Presence`](super::Command::Presence).
    Presence {
        /// The command that is answered.
        request: RequestId,
        /// Who is there.
        presence: Box<Presence>,
    },
    /// The bridge to the other hubs has something to do.
    Bridge(Box<bridge::Command>),
}

impl Effect {
    /// Returns whose session has to be told: the connection, or `None` for an effect that is the
    /// application's or the bridge's.
    #[must_use]
    pub const fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Deliver { connection, .. }
            | Self::Gap { connection, .. }
            | Self::Subscribed { connection, .. } => Some(*connection),
            Self::Processed { connection, .. } | Self::Refused { connection, .. } => *connection,
            Self::Call(_) | Self::Discarded { .. } | Self::Presence { .. } | Self::Bridge(_) => {
                None
            }
        }
    }
}

/// Who is in a topic of which [presence](super::TopicConfig::presence) is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// The names of the users, each once, and in their order.
    pub users: Vec<Arc<str>>,
    /// How many connections without a user are there.
    pub anonymous: usize,
    /// Whether not all are known: the broker is away, did not answer in time, or there are more than it
    /// tells at once.
    pub is_partial: bool,
}

/// What a subscription has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Up to here, the subscription has got everything. It can be of another epoch.
    pub from: Cursor,
    /// Where the subscription continues: it gets what comes after this.
    pub to: Cursor,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_small() {
        // A message for 100,000 subscribers is as many effects.
        assert!(size_of::<Effect>() <= 56, "{}", size_of::<Effect>());
    }
}
