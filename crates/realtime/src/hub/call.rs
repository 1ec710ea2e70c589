//! Messages to `/app/…`: the handlers of the application.

use super::{
    Command, ConnectionId, Hub, Principal, Refusal, SubscriptionId,
    ids::{CallId, Requester},
    patterns::Patterns,
    refusal::cut,
};
use crate::{destination, message::Message};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::num::NonZeroU64;

/// A pattern of `/app/…` destinations that the application handles, as [`Hub::route`](super::Hub::route)
/// has named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub(super) u32);

/// A client has sent a message to an `/app/…` destination, or subscribes to one.
///
/// The application answers with commands: [`reply`](Self::reply) to the sender,
/// [`publish`](Self::publish) to a topic or queue, [`send_to_user`](Self::send_to_user) to all connections
/// of a user. Then it says that it has [finished](Self::finished), or [refuses](Self::refused).
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
    /// Names the call when it is [finished](Command::Finish).
    pub id: CallId,
    variables: Box<[(Arc<str>, String)]>,
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

    /// Returns the command that publishes a message to `/topic/…` or `/queue/…`. A client that has asked for a
    /// receipt gets it once the message has its place, at the broker if there is one. If the message is
    /// refused, so is the call.
    #[doc(alias = "SendTo")]
    #[must_use]
    pub fn publish(&self, destination: impl Into<String>, message: Message) -> Command {
        Command::PublishFor { call: self.id, destination: destination.into(), message }
    }

    /// Returns the command that publishes a message to the queue of a user, as
    /// [`Command::send_to_user`] does, and as a part of the call like [`publish`](Self::publish).
    #[doc(alias = "convertAndSendToUser")]
    #[must_use]
    pub fn send_to_user(&self, user: &Principal, queue: &str, message: Message) -> Command {
        self.publish(destination::of_user(user.name(), queue), message)
    }

    /// Returns the command that says that the call is processed. A client that has asked for a receipt
    /// gets it then, or once all messages have their places that the call has
    /// [published](Self::publish).
    ///
    /// Finish or refuse each call once, and publish before. A call that is finished twice counts as another
    /// part of the command that made it, so that the receipt can come too early.
    #[must_use]
    pub fn finished(&self) -> Command {
        self.finish(None)
    }

    /// Returns the command that says that the application refuses the call. In STOMP, the client gets an
    /// ERROR and is disconnected. To go on, reply with an error of your own instead.
    #[must_use]
    pub fn refused(&self, reason: impl Into<String>) -> Command {
        self.finish(Some(Refusal::Application(reason.into())))
    }

    /// Returns the command that says that the application can't handle the call now, for instance because its
    /// database is away. The client gets an ERROR like for [`refused`](Self::refused), but is told that
    /// trying again can help: by Close 1013, or by status 503.
    #[must_use]
    pub fn unavailable(&self, reason: impl Into<String>) -> Command {
        self.finish(Some(Refusal::Unavailable(reason.into())))
    }

    /// Returns the command that says that the application has failed to handle the call, which is not the
    /// client's fault. The client gets an ERROR like for [`refused`](Self::refused), and Close 1011, or
    /// status 500.
    #[must_use]
    pub fn failed(&self, reason: impl Into<String>) -> Command {
        self.finish(Some(Refusal::Failed(reason.into())))
    }

    fn finish(&self, refused: Option<Refusal>) -> Command {
        Command::Finish { call: self.id, refused }
    }
}

/// An `/app/…` destination that a subscription subscribes to.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) destination: String,
    /// The number of the call, until it is finished.
    pub(super) call: Option<NonZeroU64>,
}

/// The patterns of `/app/…` destinations that the application handles.
#[derive(Debug)]
pub(super) struct Routes {
    tree: Patterns<RouteId>,
    /// The names in place of the segments that are variables, without the empty one in front.
    variables: Vec<Box<[Option<Arc<str>>]>>,
}

impl Default for Routes {
    fn default() -> Self {
        Self { tree: Patterns::new(), variables: Vec::new() }
    }
}

/// A text is not a pattern of `/app/…` destinations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("route {route:?} {problem}")]
pub struct InvalidRoute {
    route: String,
    problem: &'static str,
}

impl<A> Hub<A> {
    /// Handles the `/app/…` destinations that a pattern matches, by [`Effect::Call`](super::Effect::Call).
    /// In the pattern, `{name}` stands for one part of the destination. If two patterns match, the one
    /// that has a literal part first counts.
    ///
    /// # Errors
    ///
    /// If the pattern is not below `/app`, has an empty part, or one that is partly a variable, or if
    /// another pattern matches exactly the same destinations.
    ///
    /// ```
    /// use core::time::Duration;
    /// use sansocket_realtime::{Epoch, Message, hub::{Command, ConnectionId, Effect, Hub, Operation}};
    ///
    /// let mut hub = Hub::new(Epoch(1));
    /// let subscribe_to_order = hub.route("/app/orders/{id}/subscribe")?;
    ///
    /// let connection = ConnectionId(1);
    /// hub.handle(Command::Connect { connection, principal: None }, Duration::ZERO);
    /// let operation = Operation::Send {
    ///     destination: "/app/orders/42/subscribe".into(),
    ///     message: Message::default(),
    /// };
    /// let send = Command::Perform { connection, operation, request: None };
    /// for effect in hub.handle(send, Duration::ZERO) {
    ///     let Effect::Call(call) = effect else { panic!("{effect:?}") };
    ///     assert_eq!(call.route, subscribe_to_order);
    ///     assert_eq!(call.variable("id"), Some("42"));
    /// }
    /// # Ok::<(), sansocket_realtime::hub::InvalidRoute>(())
    /// ```
    #[doc(alias = "MessageMapping")]
    pub fn route(&mut self, pattern: &str) -> Result<RouteId, InvalidRoute> {
        let problem = |problem| InvalidRoute { route: pattern.into(), problem };
        if !pattern.starts_with("/app/") {
            return Err(problem("is not below /app"));
        }
        let mut variables = Vec::new();
        let mut with_wildcards = String::new();
        for segment in pattern.split('/').skip(1) {
            let variable = variable(segment);
            if segment.is_empty() {
                return Err(problem("has an empty part"));
            }
            if variable.is_none() && segment.contains(['*', '>', '{', '}']) {
                return Err(problem("has a part that is neither a literal nor a variable"));
            }
            with_wildcards.push('/');
            with_wildcards.push_str(if variable.is_some() { "*" } else { segment });
            variables.push(variable.map(Arc::from));
        }
        if self.routes.tree.get(&with_wildcards).is_some() {
            return Err(problem("matches the same as another"));
        }
        let route =
            u32::try_from(self.routes.variables.len()).map_err(|_| problem("is one too many"))?;
        if !self.routes.tree.insert(&with_wildcards, RouteId(route)) {
            return Err(problem("is one too many"));
        }
        self.routes.variables.push(variables.into());
        Ok(RouteId(route))
    }

    pub(super) fn check_route(&self, destination: &str) -> Result<(), Refusal> {
        self.find_route(destination).map(|_| ())
    }

    pub(super) fn call(
        &self,
        connection: ConnectionId,
        destination: &str,
        message: Message,
        requester: Requester,
    ) -> Result<Call, Refusal> {
        let route = self.find_route(destination)?;
        let names = self.routes.variables.get(route.0 as usize).into_iter().flatten();
        let variables = names.zip(destination.split('/').skip(1));
        Ok(Call {
            route,
            connection,
            principal: self.connections.get(&connection).and_then(|it| it.principal.clone()),
            destination: destination.into(),
            message,
            subscription: None,
            id: CallId { requester, subscription: None },
            variables: variables
                .filter_map(|(name, value)| Some((name.clone()?, value.into())))
                .collect(),
        })
    }

    fn find_route(&self, destination: &str) -> Result<RouteId, Refusal> {
        let mut found = None;
        self.routes.tree.matching(destination, &mut |route| {
            found.get_or_insert(route);
        });
        found.ok_or_else(|| Refusal::NoHandler { destination: cut(destination) })
    }
}

/// Returns the name in `{name}`.
fn variable(segment: &str) -> Option<&str> {
    segment
        .strip_prefix('{')?
        .strip_suffix('}')
        .filter(|name| !name.is_empty() && !name.contains(['{', '}']))
}
