//! The hub: topics, queues, user queues, and the application's handlers, for all transports.
//!
//! ```text
//!  STOMP session ──┐                                     ┌──▶ Deliver, Gap, Subscribed, Processed,
//!  event stream ───┼─▶ Command ─▶ Hub::handle ─▶ Effect ─┤    Refused ─▶ the connection's encoder
//!  poll ───────────┤                  ▲                  ├──▶ Call ─▶ the application's handlers
//!  application ────┘                  │                  └──▶ Bridge ─▶ a broker that joins hubs
//!         next_deadline ─▶ TimePassed ┘
//! ```
//!
//! A [`Hub`] has no sockets and no clock. You tell it a [`Command`] and the time, and it says in
//! [`Effect`]s what is to be done. Everything happens in the order in which you call it.
//!
//! # Destinations
//!
//! | destination | who gets a message | elsewhere |
//! |---|---|---|
//! | `/topic/…` | every subscriber | a room, a channel; Spring's `@SendTo` |
//! | `/topic/a/*`, `/topic/a/**` | subscribers of patterns get what matches: `*` is one part, `**` or `>` at the end is any number of parts | |
//! | `/queue/…` | one consumer, and another one if the first does not acknowledge it | a work queue |
//! | `/user/queue/…` | each connection of the user whom [`Command::send_to_user`] names, and the connection alone to which [`Call::reply`] replies | Spring's `convertAndSendToUser` and `@SendToUser`; user channels in Centrifugo |
//! | `/app/…` | a handler of the application: see [`Handlers`] and [`Hub::route`] | Spring's `@MessageMapping`, and `@SubscribeMapping` if it is subscribed to; RPC in Centrifugo |
//! | `/presence/topic/…` | subscribers learn who comes to a topic and who goes: see [`TopicConfig::presence`] | presence, join and leave in Centrifugo |
//!
//! A destination is compared byte by byte. Its parts, 32 at most, are not empty and contain no control
//! characters. A topic or a queue exists while it has subscribers or messages, so nobody has to create
//! it.
//!
//! # A chat
//!
//! Rooms with a history and with presence, and private messages, without sockets:
//!
//! ```
//! use core::time::Duration;
//! use sansocket_realtime::{Epoch, Message, hub::*};
//!
//! /// Clients send to the application alone, so nobody speaks in the name of others.
//! struct Rules;
//!
//! impl Authorization for Rules {
//!     fn may_send(&self, user: Option<&Principal>, destination: &str) -> bool {
//!         user.is_some() && destination.starts_with("/app/")
//!     }
//!     fn may_subscribe_pattern(&self, _: Option<&Principal>, _: &str) -> bool {
//!         false
//!     }
//! }
//!
//! let rooms = TopicConfig::default().messages(50).presence(true);
//! let config = Config::default().topic("/topic/room/*".parse()?, rooms);
//! let mut hub = Hub::with_config(Epoch(0x5f3a), config, Rules);
//! let mut handlers = Handlers::new();
//! let said = |call: &Call| {
//!     let user = call.principal.as_ref().map_or("?", Principal::name);
//!     Message::new(format!("{user}: {}", call.message.text().unwrap_or("?")))
//! };
//! handlers.on(&mut hub, "/app/room/{room}", move |_: &mut (), call| {
//!     let room = call.variable("room").unwrap_or_default();
//!     Answer::new().publish(format!("/topic/room/{room}"), said(call))
//! })?;
//! handlers.on(&mut hub, "/app/private/{user}", move |_, call| {
//!     let user = Principal::new(call.variable("user").unwrap_or_default());
//!     Answer::new().send_to_user(user, "/queue/private", said(call))
//! })?;
//!
//! // What a server does with each command. It would encode what is delivered.
//! let mut run = |command: Command| {
//!     let (mut commands, mut lines) = (vec![command], Vec::new());
//!     while let Some(command) = commands.pop() {
//!         for effect in hub.handle(command, Duration::ZERO) {
//!             match effect {
//!                 Effect::Deliver { connection, message, .. } => {
//!                     let text = message.message().text().unwrap_or_default();
//!                     lines.push(format!("{} gets {text}", connection.0));
//!                 }
//!                 Effect::Call(call) => {
//!                     commands.extend(handlers.handle(&mut (), &call).into_iter().rev());
//!                 }
//!                 _ => {}
//!             }
//!         }
//!     }
//!     lines
//! };
//!
//! // What clients do: they connect, subscribe, and send.
//! let connect = |id, user| {
//!     Command::Connect { connection: ConnectionId(id), principal: Some(Principal::new(user)) }
//! };
//! let subscribe = |id, subscription, destination: &str, start| Command::Subscribe {
//!     connection: ConnectionId(id),
//!     subscription: SubscriptionId(subscription),
//!     destinations: vec![destination.into()],
//!     options: SubscribeOptions::default().start(start),
//!     request: None,
//! };
//! let send = |id, destination: &str, text: &'static str| Command::Perform {
//!     connection: ConnectionId(id),
//!     operation: Operation::Send { destination: destination.into(), message: Message::new(text) },
//!     request: None,
//! };
//! run(connect(1, "ann"));
//! run(subscribe(1, 0, "/topic/room/rust", Start::Beginning));
//! run(subscribe(1, 1, "/user/queue/private", Start::Now));
//! assert_eq!(run(send(1, "/app/room/rust", "hello")), ["1 gets ann: hello"]);
//! run(connect(2, "joe"));
//! // Who joins gets the history, and learns who is there.
//! let history = run(subscribe(2, 0, "/topic/room/rust", Start::Beginning));
//! assert_eq!(history, ["2 gets ann: hello"]);
//! assert_eq!(
//!     run(subscribe(2, 1, "/presence/topic/room/rust", Start::Now)),
//!     [r#"2 gets {"event":"members","users":["ann","joe"]}"#]
//! );
//! assert_eq!(run(send(2, "/app/private/ann", "psst")), ["1 gets joe: psst"]);
//! assert_eq!(
//!     run(Command::Disconnect { connection: ConnectionId(1) }),
//!     [r#"2 gets {"event":"leave","user":"ann","node":"5f3a"}"#]
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Cursors and gaps
//!
//! All messages have their places in one sequence, so one [`Cursor`](crate::Cursor) resumes any number
//! of topics. A subscription that [starts after](Start::After) a cursor gets everything that came since,
//! in order and once. Topics keep the newest messages, as [`TopicConfig`] says. If something that the
//! subscription lacks is not kept any more, the hub says so by [`Effect::Gap`], and never leaves it out
//! silently. A client that does not understand gaps is refused instead: see [`SubscribeOptions::gaps`].
//!
//! A gap says that messages *may* be missing. It can be one too many when a subscription starts after an
//! old cursor, since the hub has forgotten the topics that nobody uses. A subscription that exists is
//! told of messages alone that it would have got.
//!
//! The connection of a slow client is [paused](Command::Pause). Nothing is buffered for it: its
//! subscriptions stay where they are, and continue from what topics keep.
//!
//! # Acknowledgements and queues
//!
//! A subscription that [acknowledges](Acknowledgement) has a window: so many messages can be
//! unacknowledged at a time, and the others wait. On a topic, that is all that acknowledgements do. In a
//! queue, a message goes to the consumer that has waited longest. What it rejects, or has not
//! acknowledged when it goes, goes to another one in its old place, [so often](QueueConfig::deliveries)
//! at most, and then to the [dead letters](QueueConfig::dead_letters). Queues begin with what nobody has
//! consumed, and have no cursors. They are of one hub: a bridge does not carry them.
//!
//! # Answers and transactions
//!
//! A command with a [`RequestId`] is answered once: see [`Command`]. A [transaction](Command::Commit) is
//! checked as a whole before anything is done. Either all of its operations are done, in their order and
//! with no other command in between, or none is. What the application or a broker refuses later can't be
//! undone: such a transaction is answered by the first refusal.
//!
//! # Limits
//!
//! [`Config`] has all of them in one table. Two more are yours: how many effects wait to be written to
//! a client (pause it), and how often clients may do something (see [`guard`](crate::guard)).
//!
//! # What it does not do
//!
//! - It keeps everything in memory. What is in queues is lost when the program ends.
//! - It does not filter messages by their content: there are no selectors.
//! - Messages have neither priorities nor times to live of their own.
//! - [`Hub::presence`] knows the connections of this hub alone.

mod authorization;
mod call;
mod calling;
mod command;
mod config;
mod connection;
mod delivering;
mod effect;
mod flow;
mod following;
mod handlers;
#[allow(clippy::module_inception)]
mod hub;
mod kept;
mod log;
mod merging;
mod outbox;
mod patterns;
mod presence;
mod queue;
mod refusal;
mod ring;
mod sending;
mod sequence;
mod slab;
mod subscribing;
mod subscription;
mod topic;

pub use authorization::{Authorization, Open};
pub use call::{Call, CallId, InvalidRoute, RouteId};
pub use command::{
    Acknowledgement, Command, ConnectionId, DeliveryId, DeliveryOf, Operation, Principal,
    RequestId, Start, SubscribeOptions, SubscriptionId,
};
pub use config::{Config, OutboxConfig, QueueConfig, TopicConfig};
pub use effect::{Effect, Gap};
pub use handlers::{Answer, Handlers};
pub use hub::Hub;
pub use refusal::{Action, Refusal};
