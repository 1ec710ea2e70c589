//! WebSockets for [hyper](https://docs.rs/hyper): upgrades of HTTP/1.1 and streams of HTTP/2, in servers
//! and clients.
//!
//! hyper does the HTTP. [`sansocket`] checks and answers the requests, as it does in its own servers: the
//! same limits, origins, compression and keepalive apply. The connection is a
//! [`sansocket::on_tokio::WebSocket`], with all of its methods.
//!
//! - A server calls [`upgrade`], or [`UpgradeRequest`] with an [`Acceptor`](sansocket::server::Acceptor).
//! - A client calls [`connect`] with a connection or a client of hyper.
//!
//! The calls are the same for HTTP/1.1 and HTTP/2 (RFC 8441). A server of HTTP/2 has to enable extended
//! CONNECT: call `enable_connect_protocol` of hyper's builder.
//!
//! # What is up to hyper
//!
//! On a connection of HTTP/2, hyper decides some limits, which you set on its builder, and some ends:
//!
//! - The streams of a connection share one window. By default a server gives all streams together what it
//!   gives one, 1 MiB, so a WebSocket whose messages you do not receive stops the others. To prevent that,
//!   let `initial_connection_window_size` be a multiple of `initial_stream_window_size`. A peer can make
//!   hyper hold as much as the first.
//! - `max_concurrent_streams`, by default 200, limits the WebSockets of a connection.
//! - hyper's client resets a stream whose WebSocket you drop, and discards what it has not written, even a
//!   Close. Call `close` and `wait_closed` of a client's WebSocket before you drop it.
//! - hyper's server can't reset an upgraded stream. When you drop a WebSocket whose peer takes nothing, hyper keeps
//!   up to 256 KiB of what was written, until the peer takes them or the connection ends. hyper's
//!   `keep_alive_interval` finds peers that are gone.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `server` (default) | [`upgrade`] and [`UpgradeRequest`] |
//! | `client` (default) | [`connect`] |
//! | `http2` (default) | HTTP/2, for both roles |
//! | `client-legacy` | [`connect`] over the pooled client of hyper-util |
//! | `deflate` | permessage-deflate (RFC 7692) |
//! | `tracing` | a span for each connection, and events for its begin and its end |
#![cfg_attr(docsrs, feature(doc_cfg))]
// Without a role, there is nothing.
#![cfg(any(feature = "client", feature = "server"))]

#[cfg(feature = "client")]
mod connect;
mod error;
mod fields;
#[cfg(all(feature = "client", feature = "http2"))]
mod http2;
#[cfg(feature = "client")]
mod send_request;
#[cfg(feature = "server")]
mod upgrade;
mod upgraded;

/// The examples of the README, which have to compile.
#[cfg(all(doctest, feature = "server", feature = "client", feature = "http2"))]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(feature = "client")]
pub use connect::connect;
pub use error::Error;
#[cfg(all(feature = "client", feature = "http2"))]
pub use http2::Http2;
#[cfg(feature = "client")]
pub use send_request::SendRequest;
#[cfg(feature = "server")]
pub use upgrade::{Upgrade, UpgradeRequest, upgrade};
pub use upgraded::Upgraded;
