//! Handlers of calls as functions, for applications that answer at once.

use super::{Authorization, Call, Command, Hub, InvalidRoute, Principal, Refusal, RouteId};
use crate::message::Message;
use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

/// What handles a call.
type Handler<S> = Box<dyn FnMut(&mut S, &Call) -> Answer + Send>;

/// The functions that handle `/app/…` destinations.
///
/// A function gets the state of your application and a [`Call`], and returns an [`Answer`] at once. If
/// an answer takes time, handle [`Effect::Call`](super::Effect::Call) yourself, with
/// [`Answer::into_commands`].
///
/// ```
/// use core::time::Duration;
/// use sansocket_realtime::{
///     Epoch, Message,
///     hub::{Answer, Command, ConnectionId, Effect, Handlers, Hub, Operation},
/// };
///
/// #[derive(Default)]
/// struct Orders { seen: u32 }
///
/// let mut hub = Hub::new(Epoch(1));
/// let mut handlers = Handlers::new();
/// handlers.on(&mut hub, "/app/orders/{id}", |orders: &mut Orders, call| {
///     orders.seen += 1;
///     match call.variable("id") {
///         Some(id) => Answer::new().publish(format!("/topic/orders/{id}"), Message::new("seen")),
///         None => Answer::refuse("there is no such order"),
///     }
/// })?;
///
/// let (mut orders, now, connection) = (Orders::default(), Duration::ZERO, ConnectionId(1));
/// hub.handle(Command::Connect { connection, principal: None }, now);
/// let destination = "/app/orders/42".to_string();
/// let operation = Operation::Send { destination, message: Message::default() };
/// let effects: Vec<_> =
///     hub.handle(Command::Perform { connection, operation, request: None }, now).collect();
/// for effect in effects {
///     if let Effect::Call(call) = effect {
///         for command in handlers.handle(&mut orders, &call) {
///             hub.handle(command, now);
///         }
///     }
/// }
/// assert_eq!(orders.seen, 1);
/// # Ok::<(), sansocket_realtime::hub::InvalidRoute>(())
/// ```
pub struct Handlers<S> {
    handlers: BTreeMap<RouteId, Handler<S>>,
}

impl<S> Handlers<S> {
    /// Creates a set without handlers.
    #[must_use]
    pub const fn new() -> Self {
        Self { handlers: BTreeMap::new() }
    }

    /// Adds a [route](Hub::route) to the hub, and the function that handles it.
    ///
    /// # Errors
    ///
    /// As for [`Hub::route`].
    #[doc(alias = "MessageMapping")]
    #[doc(alias = "SubscribeMapping")]
    pub fn on<A: Authorization>(
        &mut self,
        hub: &mut Hub<A>,
        pattern: &str,
        handler: impl FnMut(&mut S, &Call) -> Answer + Send + 'static,
    ) -> Result<(), InvalidRoute> {
        self.handlers.insert(hub.route(pattern)?, Box::new(handler));
        Ok(())
    }

    /// Handles a call. Returns the commands for the hub, in their order. A call of a route that is not
    /// one of these handlers' is refused.
    pub fn handle(&mut self, state: &mut S, call: &Call) -> Vec<Command> {
        let Some(handler) = self.handlers.get_mut(&call.route) else {
            return alloc::vec![call.refused("nothing handles this destination")];
        };
        handler(state, call).into_commands(call)
    }
}

impl<S> Default for Handlers<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for Handlers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}

/// What a handler answers: messages to any destinations, or a refusal.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    parts: Vec<Part>,
    refused: Option<Refusal>,
}

#[derive(Clone, Debug)]
enum Part {
    Reply(String, Message),
    Publish(String, Message),
    ToUser(Principal, String, Message),
}

impl Answer {
    /// Creates an answer without messages: the call is finished.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an answer that refuses the call. See [`Call::refused`].
    #[must_use]
    pub fn refuse(reason: impl Into<String>) -> Self {
        Self { parts: Vec::new(), refused: Some(Refusal::Application(reason.into())) }
    }

    /// Creates an answer that says that the call can't be handled now. See [`Call::unavailable`].
    #[must_use]
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self { parts: Vec::new(), refused: Some(Refusal::Unavailable(reason.into())) }
    }

    /// Creates an answer that says that handling the call has failed. See [`Call::failed`].
    #[must_use]
    pub fn fail(reason: impl Into<String>) -> Self {
        Self { parts: Vec::new(), refused: Some(Refusal::Failed(reason.into())) }
    }

    /// Adds a reply to the sender alone. See [`Call::reply`].
    #[doc(alias = "SendToUser")]
    #[must_use]
    pub fn reply(mut self, destination: impl Into<String>, message: Message) -> Self {
        self.parts.push(Part::Reply(destination.into(), message));
        self
    }

    /// Adds a message to a topic or a queue. See [`Call::publish`].
    #[doc(alias = "SendTo")]
    #[must_use]
    pub fn publish(mut self, destination: impl Into<String>, message: Message) -> Self {
        self.parts.push(Part::Publish(destination.into(), message));
        self
    }

    /// Adds a message to the queue of a user. See [`Call::send_to_user`].
    #[doc(alias = "convertAndSendToUser")]
    #[must_use]
    pub fn send_to_user(
        mut self,
        user: Principal,
        queue: impl Into<String>,
        message: Message,
    ) -> Self {
        self.parts.push(Part::ToUser(user, queue.into(), message));
        self
    }

    /// Returns the commands for the hub, in their order, for a call that this answers. [`Handlers`] do that for
    /// you; use it for an answer that takes time.
    #[must_use]
    pub fn into_commands(self, call: &Call) -> Vec<Command> {
        let Self { parts, refused } = self;
        let mut commands: Vec<_> = parts
            .into_iter()
            .map(|part| match part {
                Part::Reply(destination, message) => call.reply(destination, message),
                Part::Publish(destination, message) => call.publish(destination, message),
                Part::ToUser(user, queue, message) => call.send_to_user(&user, &queue, message),
            })
            .collect();
        commands.push(Command::Finish { call: call.id, refused });
        commands
    }
}
