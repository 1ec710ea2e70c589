//! Topics, queues and replay over WebSocket, Server-Sent Events and polling: the real-time layer on
//! top of [`sansocket`].
//!
//! WebSocket carries bytes. Applications want topics that many subscribe to, queues for one user,
//! messages that a client missed while it was away, clients that can't use WebSocket, and more than one
//! server. This crate has all of that as state machines over bytes and time: it has no sockets, no clock
//! and no threads, and it brings no dependency but the core. Put it under any server and any runtime, or
//! test your whole application in one thread on a clock of your own.
//!
//! ```text
//!             what clients say                                     what clients get
//!
//!  WebSocket ──▶ stomp::server::Session ─┐                     ┌─▶ MESSAGE, RECEIPT, ERROR
//!  SockJS ─────▶ sockjs::Session ──▶ STOMP┤    hub::Command     │
//!  GET /events ─▶ sse::EventStream ──────┼──▶ ┌─────┐  Effect  ├─▶ event: …  id: 5f3a-1042
//!  GET /poll ───▶ poll::Polls ───────────┤    │ Hub │ ─────────┤
//!  POST ────────▶ Command::Perform ──────┘    └─────┘          └─▶ {"events":[…],"cursor":"5f3a-1042"}
//!                                               ▲ │
//!                                bridge::Event  │ ▼  bridge::Command
//!                                             a broker: other hubs
//! ```
//!
//! - [`hub`]: topics and patterns of topics, queues, queues of users, handlers of the application,
//!   replay, presence, and who may do what.
//! - [`stomp`]: STOMP 1.0, 1.1 and 1.2: the codec, the server's session, the client.
//! - [`sse`]: Server-Sent Events: the encoder, the server's stream, the parser and the client.
//! - [`poll`]: long and short polling with cursors.
//! - [`http`]: what polls and event streams share.
//! - [`sockjs`]: sessions of SockJS, for clients that have its library.
//! - [`guard`]: who a client is, how much it may do, and what it gets if it does more.
//! - [`bridge`]: many hubs as one, over a broker.
//!
//! # A chat
//!
//! ```
//! use core::time::Duration;
//! use sansocket_realtime::{Epoch, Message, hub::*};
//!
//! struct Chat(Hub);
//!
//! impl Chat {
//!     /// Tells the hub what a client does, and returns who gets what.
//!     fn handle(&mut self, command: Command) -> Vec<String> {
//!         let effects = self.0.handle(command, Duration::ZERO);
//!         let delivered = effects.filter_map(|effect| match effect {
//!             Effect::Deliver { connection, message, .. } => {
//!                 Some(format!("{} gets {}", connection.0, message.message().text()?))
//!             }
//!             _ => None,
//!         });
//!         delivered.collect()
//!     }
//!
//!     fn join(&mut self, client: u64, room: &str) -> Vec<String> {
//!         let connection = ConnectionId(client);
//!         self.handle(Command::Connect { connection, principal: None });
//!         self.handle(Command::Subscribe {
//!             connection,
//!             subscription: SubscriptionId(0),
//!             destinations: vec![format!("/topic/{room}")],
//!             options: SubscribeOptions::default().start(Start::Beginning),
//!             request: None,
//!         })
//!     }
//!
//!     fn say(&mut self, client: u64, room: &str, text: &'static str) -> Vec<String> {
//!         let (destination, message) = (format!("/topic/{room}"), Message::new(text));
//!         let operation = Operation::Send { destination, message };
//!         self.handle(Command::Perform { connection: ConnectionId(client), operation, request: None })
//!     }
//! }
//!
//! let mut chat = Chat(Hub::new(Epoch(0x5f3a)));
//! chat.join(1, "rust");
//! assert_eq!(chat.say(1, "rust", "hello"), ["1 gets hello"]);
//! // Who comes later gets what was said before.
//! assert_eq!(chat.join(2, "rust"), ["2 gets hello"]);
//! assert_eq!(chat.say(2, "rust", "hi"), ["1 gets hi", "2 gets hi"]);
//! ```
//!
//! [`hub`] has a chat with private messages and presence, and [`stomp::server`] one for real clients, down
//! to the bytes. [`sse`] and [`poll`] show the same for streams of events and polls.
//!
//! # Around a server
//!
//! The machines have no threads, so one task owns the hub and the machines of all clients, or they are
//! behind one lock. Whatever happens, it goes the same way:
//!
//! 1. Tell the machine of the client:
//!    [`stomp::server::Session::receive`], [`sse::EventStream::open`], [`poll::Polls::begin`].
//! 2. Have the hub [handle](hub::Hub::handle) the commands that this gives, once the [guard] has seen
//!    them. Do the same with the commands of your [handlers](hub::Handlers), which are not guarded.
//! 3. Pass on each effect to the machine of its [connection](hub::Effect::connection). If it has none, it is
//!    for your application or the bridge.
//! 4. Write what these machines have for their clients. What waits in queues of your own for a slow client,
//!    a [`SlowConsumer`](guard::SlowConsumer) bounds.
//! 5. Wait for the next input, or until the earliest `next_deadline` of the hub and the machines. Then tell
//!    those that are due, the hub by [`Command::TimePassed`](hub::Command::TimePassed), and go on with 2.
//!
//! Number the connections of all transports with one counter, since the hub tells them apart by their
//! [`ConnectionId`](hub::ConnectionId) alone, and pass the same clock to all machines.
//!
//! Several modules have a `Config`, a `Command`, an `Event` or an `Answer`. Import the modules that you need
//! together, and write `guard::Answer` and `hub::Answer`.
//!
//! # One cursor
//!
//! Each message has a place in the sequence of its hub: a [`Cursor`], such as `5f3a-1042`. It is the
//! `id` of an event in SSE, the `message-id` in STOMP, and the `cursor` of a poll. All topics share the
//! sequence, so one cursor resumes any number of topics, and a client can change its transport and go on
//! where it was. What the hub does not have any more is told as a gap. Nothing is skipped in silence.
//!
//! # Which transport for what
//!
//! | You have | Take | Because |
//! |---|---|---|
//! | notifications, dashboards, progress, anything that only the server tells | SSE | it is plain HTTP, browsers reconnect by themselves and say where they were, and proxies know it |
//! | chat, editing together, anything in both directions | STOMP over WebSocket | one connection for both directions, acknowledgements and receipts, a few bytes for each message |
//! | games | WebSocket alone, or STOMP over it | the least delay that TCP has; where a lost message is better than a late one, use UDP |
//! | tracking an order | SSE to look, STOMP over WebSocket if the page also acts | both can follow the same topic with the same cursor |
//! | clients behind proxies that hold responses back or cut connections | long polling | each answer is a whole response, and a cursor makes it lossless |
//! | scripts that ask now and then | short polling: `wait=0` | one request, no state |
//! | pages that use the client of SockJS, as those of Spring do | SockJS | it finds the transport that works, and carries STOMP |
//! | devices that speak MQTT | MQTT over WebSocket, passed on to an MQTT broker | the protocol is made for them; the core can tunnel it |
//! | cacheable answers, single requests | plain HTTP | a connection that stays open has nothing to offer |
//!
//! # Names elsewhere
//!
//! | Spring | here |
//! |---|---|
//! | `@MessageMapping`, `@DestinationVariable` | [`Handlers::on`](hub::Handlers::on) with `/app/…`, [`Call::variable`](hub::Call::variable) |
//! | `@SubscribeMapping` | the same handler: [`Call::subscription`](hub::Call::subscription) tells it apart |
//! | `@SendTo`, `convertAndSend` | [`Answer::publish`](hub::Answer::publish), [`Command::Publish`](hub::Command::Publish) |
//! | `@SendToUser` without `broadcast` | [`Answer::reply`](hub::Answer::reply) |
//! | `convertAndSendToUser` | [`Answer::send_to_user`](hub::Answer::send_to_user), [`Command::send_to_user`](hub::Command::send_to_user) |
//! | a `ChannelInterceptor` | the [guard], and [`Authorization`](hub::Authorization) |
//! | `SimpUserRegistry` | [`Command::Presence`](hub::Command::Presence) of a topic to which every client subscribes |
//! | `withSockJS` | [`sockjs`] |
//! | a broker relay | [`bridge`] |
//!
//! A `SEND` to a queue of another user, `/user/{name}/queue/…`, is refused unless your
//! [`Authorization`](hub::Authorization) allows it.
//!
//! | Socket.IO | here |
//! |---|---|
//! | a room, `socket.join` | a topic, to which the client subscribes |
//! | `io.to(room).emit` | [`Command::Publish`](hub::Command::Publish) |
//! | `socket.emit` | [`Command::Reply`](hub::Command::Reply) |
//! | `socket.on` | [`Handlers::on`](hub::Handlers::on) |
//! | an acknowledgement callback | a receipt of STOMP, or a reply |
//! | a middleware, `io.use` | the [guard] |
//! | the recovery of the connection's state | a cursor |
//! | an adapter | [`bridge`] |
//!
//! The protocol of Socket.IO itself is not spoken here: take a client of STOMP.

extern crate alloc;

#[macro_use]
mod setters;

pub mod bridge;
mod cursor;
mod destination;
pub mod guard;
pub mod http;
pub mod hub;
mod json;
mod message;
pub mod poll;
mod query;
mod shrink;
pub mod sockjs;
pub mod sse;
pub mod stomp;

pub use cursor::{Cursor, Epoch, InvalidCursor};
pub use destination::{InvalidPattern, Pattern};
pub use message::{Encoded, Form, Message, Published};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
