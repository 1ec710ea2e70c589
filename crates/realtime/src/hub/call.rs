//! Messages to `/app/…`: the handlers of the application.

use super::{Command, ConnectionId, Principal, RequestId, SubscriptionId};
use crate::Message;
use alloc::{boxed::Box, string::String, sync::Arc};

/// A pattern of `/app/…` destinations that the application handles, as [`Hub::route`](super::Hub::route)
/// has named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub(super) u32);

/// A client has sent a message to an `/app/…` destination, or subscribes to one.
///
/// The application answers with commands: [`reply`](Self::reply) to the sender,
/// [`Command::Publish`] to a topic, [`Command::send_to_user`] to all connections of a user. Then it says
/// that it has [finished](Self::finished), or [refuses](Self::refused).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Call {
    /// Which pattern matches.
    pub route: RouteId,
    /// Who makes the call.
    pub connection: ConnectionId,
    /// The user who makes the call.
    pub principal: Option<Principal>,
    /// The whole destination.
    pub destination: String,
    /// What was sent. For a subscription, an empty message.
    pub message: Message,
    /// The subscription, if the client subscribes to the destination instead of sending to it. A
    /// [`reply`](Self::reply) to [`destination`](Self::destination) goes to this subscription.
    pub subscription: Option<SubscriptionId>,
    pub(super) variables: Box<[(Arc<str>, String)]>,
    pub(super) request: Option<RequestId>,
}

impl Call {
    /// Returns what stands in the destination in place of `{name}`.
    #[doc(alias = "DestinationVariable")]
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(candidate, _)| **candidate == *name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the command that replies to the sender alone, on its subscription of `destination`,
    /// which is `/user/queue/…`, or the destination of the call if that is a subscription.
    #[doc(alias = "SendToUser")]
    #[must_use]
    pub fn reply(&self, destination: impl Into<String>, message: Message) -> Command {
        Command::Reply { connection: self.connection, destination: destination.into(), message }
    }

    /// Returns the command that says that the call is processed. A client that has asked for a receipt
    /// gets it then.
    #[must_use]
    pub fn finished(&self) -> Command {
        Command::Finish { connection: self.connection, request: self.request, refused: None }
    }

    /// Returns the command that says that the application refuses the call. In STOMP, the client gets an
    /// ERROR and is disconnected. To go on, reply with an error of your own instead.
    #[must_use]
    pub fn refused(&self, reason: impl Into<String>) -> Command {
        let refused = Some(reason.into());
        Command::Finish { connection: self.connection, request: self.request, refused }
    }
}
