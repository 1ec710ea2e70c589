//! What polls and event streams share: what their requests ask for, how they are refused, and messages
//! as JSON.
//!
//! # A message that a client publishes
//!
//! A client of an event stream or of polls publishes with a POST. To the hub, this is a connection with
//! a [`Perform`](crate::hub::Command::Perform), so that the
//! [`Authorization`](crate::hub::Authorization) is asked, and handlers know the user.
//! [`Publish`](crate::hub::Command::Publish) asks nobody: it is for the application itself.
//!
//! ```
//! use core::time::Duration;
//! use sansocket_realtime::{
//!     Epoch, Message, guard,
//!     hub::{Command, ConnectionId, Effect, Hub, Operation, Principal, RequestId},
//! };
//!
//! /// Returns the commands for a request that a user has sent.
//! fn publish(client: ConnectionId, user: Principal, to: &str, body: Vec<u8>) -> [Command; 2] {
//!     let operation = Operation::Send { destination: to.into(), message: Message::new(body) };
//!     let request = Some(RequestId(0));
//!     [
//!         Command::Connect { connection: client, principal: Some(user) },
//!         Command::Perform { connection: client, operation, request },
//!     ]
//! }
//!
//! /// Returns the status of the response, if the effect is the answer of the hub. It can come with a
//! /// later command: behind a bridge, or when a handler takes its time. Then disconnect.
//! fn status(effect: &Effect) -> Option<u16> {
//!     match effect {
//!         Effect::Processed { .. } => Some(204),
//!         Effect::Refused { refusal, .. } => Some(guard::Answer::from(&**refusal).status),
//!         _ => None,
//!     }
//! }
//!
//! let (mut hub, now) = (Hub::new(Epoch(0x5f3a)), Duration::ZERO);
//! let mut post = |to: &str| {
//!     let client = ConnectionId(1);
//!     let mut answer = None;
//!     for command in publish(client, Principal::new("joe"), to, b"42".into()) {
//!         for effect in hub.handle(command, now) {
//!             match effect.connection() {
//!                 Some(connection) if connection == client => answer = status(&effect),
//!                 _ => {} // What is of others goes to them.
//!             }
//!         }
//!     }
//!     hub.handle(Command::Disconnect { connection: client }, now);
//!     answer
//! };
//! assert_eq!(post("/topic/prices"), Some(204));
//! assert_eq!(post("/user/ann/queue/prices"), Some(403));
//! assert_eq!(post("/app/unknown"), Some(404));
//! ```
//!
//! # Refusals
//!
//! What polls and event streams refuse has a problem (RFC 9457) as its body: a [`Response`]. What your
//! server refuses before it asks them, such as a request without credentials, has the text of the
//! [`Answer`](crate::guard::Answer::response) of the guard.

pub(crate) mod event;
mod request;
mod response;

pub use request::InvalidRequest;
pub(crate) use request::{Selection, decode, set_once};
pub use response::{Head, Response};
