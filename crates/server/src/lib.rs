//! A real-time server on [axum](https://docs.rs/axum): STOMP over WebSocket, SockJS, Server-Sent Events and
//! polling, over [`sansocket_realtime`].
//!
//! The program of the same name is configured by a file. As a library, the server is some [`Options`], your
//! functions for `/app/…`, and [routes](Server::router) for an app of axum:
//!
//! ```no_run
//! use sansocket_realtime::{Message, hub::Answer};
//! use sansocket_server::{ListenOptions, Options, Server, serve};
//! use std::time::Duration;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder(Options::default())
//!     .on("/app/orders/{id}", |call| {
//!         let id = call.variable("id").unwrap_or_default();
//!         Answer::new().publish(format!("/topic/orders/{id}"), call.message.clone())
//!     })
//!     .build()?;
//!
//! // From anywhere in your program, as often as you like:
//! server.publish("/topic/news", Message::new("the server is up"));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let stop = async {
//!     let _ = tokio::signal::ctrl_c().await;
//!     server.shut_down(Duration::from_secs(5));
//!     // Async handlers that never answer would hold this up.
//!     let _ = tokio::time::timeout(Duration::from_secs(20), server.ended()).await;
//! };
//! serve(listener, server.router(), ListenOptions::default(), stop).await?;
//! # Ok(())
//! # }
//! ```
//!
//! | you want | take |
//! |---|---|
//! | what topics keep, and limits | [`Options::hub`], [`Options::guard`] |
//! | users | [`Options::authenticator`]: tokens, passwords, or your own functions, which may take time |
//! | rules for destinations | [`Options::authorization`], such as [`Rules`](access::Rules) |
//! | pages of other sites | [`Options::origins`] |
//! | many nodes | [`Builder::broker`] with [`Redis`](broker::redis::Redis), or a [`Broker`](broker::Broker) of your own |
//! | TLS, and limits of connections | [`ListenOptions`] with [`serve`] |
//! | an end without lost messages | [`Server::shut_down`], [`Server::ended`] |
//!
//! Another server of axum can serve the routes, too. It has to end connections whose clients take nothing, as
//! [`serve`] does: nothing else notices them while a response waits.
//!
//! `Options::default()` lets everybody do everything, except read and fill the queues of other users: it is for
//! servers behind your own checks, and for trying things out.
//!
//! # Inside
//!
//! ```text
//! WebSocket, SockJS ─▶ a task with a session ─┐ commands   ┌─────┐ effects
//! GET /events ───────▶ the body of a response ┼───────────▶│ hub │──────────▶ mailboxes ─▶ the same tasks
//! GET /poll, POST ───▶ a handler of axum ─────┘  one lock  └─────┘
//!                                                           │   ▲
//!                                                           ▼   │
//!                                                      a task with a broker
//! ```

pub mod access;
mod admission;
mod answers;
pub mod broker;
mod clock;
mod engine;
mod events;
mod guests;
mod health;
mod listen;
mod mailbox;
mod mailboxes;
mod metrics;
mod mqtt;
mod options;
mod origins;
mod page;
mod poll;
mod presence;
mod publish;
mod random;
mod refusals;
mod request_body;
mod server;
mod sockjs;
mod stomp;
mod subscribed;
mod tally;
mod target_host;
mod websocket;

pub use listen::{ListenOptions, serve};
pub use options::Options;
pub use server::{Builder, Server};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/coming_from.md")]
struct ComingFrom;
