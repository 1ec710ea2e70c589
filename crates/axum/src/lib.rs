//! WebSockets for [axum](https://docs.rs/axum): an extractor with the names that you know from
//! `axum::extract::ws`, on [`sansocket`].
//!
//! ```no_run
//! use axum::{Router, response::Response, routing::any};
//! use sansocket_axum::{WebSocket, WebSocketUpgrade};
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let app = Router::new().route("/ws", any(handler));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).await
//! }
//!
//! async fn handler(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(echo)
//! }
//!
//! async fn echo(mut websocket: WebSocket) {
//!     while let Some(Ok(message)) = websocket.next().await {
//!         if websocket.send(message).await.is_err() {
//!             break;
//!         }
//!     }
//! }
//! ```
//!
//! The same handler serves HTTP/1.1 and HTTP/2 (RFC 8441). Besides what axum's extractor does, there are
//! a [policy for origins](WebSocketUpgrade::origin), [compression](#features),
//! [keepalive](WebSocketUpgrade::keepalive), [a policy for slow clients](WebSocketUpgrade::outbox),
//! [streams for long messages](sansocket::asynchronous::WebSocket::next_reader), [groups](Group) to which
//! you send one message, and strict limits.
//!
//! [`migrating`] moves an app over from `axum::extract::ws`.
//!
//! # Messages
//!
//! A [`Message`] is either text or binary. The connection answers pings and the client's Close itself
//! while you receive. [`receive`] shows you all events, and [`closed`] says how the connection ended:
//!
//! ```
//! use sansocket_axum::{Event, WebSocket};
//!
//! async fn talk(mut websocket: WebSocket) {
//!     while let Some(received) = websocket.receive().await {
//!         match received {
//!             Ok((Event::Text(text), mut replies)) => {
//!                 if let Err(error) = replies.feed(text).await {
//!                     println!("can't answer: {error}");
//!                 }
//!             }
//!             Ok((Event::Pong(_), _)) => println!("the client is there"),
//!             Ok(_) => {}
//!             Err(error) => println!("failed: {error}"),
//!         }
//!     }
//!     if let Some(closed) = websocket.closed() {
//!         println!("{closed}");
//!     }
//! }
//! # let _ = talk;
//! ```
//!
//! # One message to many clients
//!
//! A [`Group`] sends a [`PreparedMessage`] to all its members. It waits for none of them: an
//! [`OutboxConfig`](sansocket::connection::OutboxConfig) says what happens to a slow one.
//!
//! ```
//! use axum::{extract::State, response::Response};
//! use sansocket_axum::sansocket::connection::{Keepalive, OutboxConfig, WhenFull};
//! use sansocket_axum::{Group, Message, PreparedMessage, WebSocket, WebSocketUpgrade};
//!
//! async fn handler(ws: WebSocketUpgrade, State(room): State<Group>) -> Response {
//!     ws.outbox(OutboxConfig::new(WhenFull::DropOldest))
//!         .keepalive(Keepalive::default())
//!         .on_upgrade(|websocket| chat(websocket, room))
//! }
//!
//! async fn chat(websocket: WebSocket, room: Group) {
//!     let (sender, mut receiver) = websocket.split();
//!     // Dropping the membership leaves the room.
//!     let _member = room.join(sender);
//!     while let Some(Ok(message)) = receiver.next().await {
//!         if let Message::Text(text) = message {
//!             room.send(&PreparedMessage::new(text));
//!         }
//!     }
//! }
//! # let _: axum::Router =
//! #     axum::Router::new().route("/", axum::routing::any(handler)).with_state(Group::new());
//! ```
//!
//! # Ending
//!
//! - A handler that returns drops its WebSocket. What it has queued is still written, for at most 2
//!   seconds, so that a client at fault learns why. No Close is added: without one, the client sees 1006.
//!   For an orderly end, call [`close`] and then [`wait_closed`].
//! - `axum::serve(..).with_graceful_shutdown(..)` knows nothing of WebSockets. On HTTP/1.1, it returns
//!   although they are open; on HTTP/2, it waits for their end. So close them when the signal comes, for
//!   example with [`Group::close_all`](sansocket::asynchronous::Group::close_all) and 1001, and wait for
//!   their tasks. The example `chat_axum` does that.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `connect-info` (default) | the client's address from axum's `ConnectInfo` |
//! | `http2` (default) | HTTP/2; enable `http2` of axum as well |
//! | `deflate` | permessage-deflate (RFC 7692) |
//! | `tracing` | a span for each connection, and events for its begin and its end |
//!
//! [`receive`]: sansocket::asynchronous::WebSocket::receive
//! [`closed`]: sansocket::asynchronous::WebSocket::closed
//! [`close`]: sansocket::asynchronous::WebSocket::close
//! [`wait_closed`]: sansocket::asynchronous::WebSocket::wait_closed
#![cfg_attr(docsrs, feature(doc_cfg))]

mod extract;
mod failed_upgrade;
mod rejection;
mod upgrade;

pub use failed_upgrade::{DefaultOnFailedUpgrade, OnFailedUpgrade};
pub use rejection::WebSocketUpgradeRejection;
/// The crate whose connections these are, for everything that is not at the root of this crate.
pub use sansocket;
pub use sansocket::{CloseCode, Error, Event, Message, PreparedMessage, Text};
pub use sansocket_hyper::{Error as UpgradeError, Upgrade, Upgraded};
pub use upgrade::WebSocketUpgrade;

use sansocket::{connection::Server, on_tokio};

/// The options with which a server accepts WebSockets: origins, limits, keepalive, compression and more.
pub type Acceptor = sansocket::server::Acceptor;

/// An open connection.
///
/// It has all methods of [`sansocket`]'s WebSocket. It is also a `Stream` of messages and a `Sink` for
/// them.
#[doc(alias = "recv")]
pub type WebSocket = on_tokio::WebSocket<Upgraded, Server>;

/// The half that sends, which `split` of a [`WebSocket`] returns first.
#[doc(alias = "SplitSink")]
pub type SendHalf = on_tokio::SendHalf<Upgraded, Server>;

/// The half that receives, which `split` of a [`WebSocket`] returns second.
#[doc(alias = "SplitStream")]
pub type ReceiveHalf = on_tokio::ReceiveHalf<Upgraded, Server>;

/// Connections to which you send the same messages.
pub type Group = on_tokio::Group<Upgraded, Server>;

/// A place in a [`Group`]. Dropping it leaves the group.
pub type Membership = on_tokio::Membership<Upgraded, Server>;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// How to move here from `axum::extract::ws`.
#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/migrating.md")]
pub mod migrating {}
