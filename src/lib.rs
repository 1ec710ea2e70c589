//! WebSocket (RFC 6455) and its compression (RFC 7692) as a *sans-IO* protocol: state machines over bytes that do
//! no IO of their own, with thin shells that put them on tokio, on smol and other executors, and on `std::net`.
//!
//! This page shows the most common tasks, then lists what the crate guarantees, what it leaves to you, and its
//! features. A *Close* is a Close frame.
//!
//! # A server
//!
//! [`serve`] accepts connections and calls your handler for each of them. This one sends every
//! message back. [`Replies::feed`] queues the answer, and what is queued is written before the
//! next wait:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")] {
//! use sansocket::{Error, Event, on_tokio::{ServerWebSocket, serve}};
//! use tokio::net::TcpListener;
//!
//! async fn echo(mut websocket: ServerWebSocket) -> Result<(), Error> {
//!     while let Some(received) = websocket.receive().await {
//!         match received? {
//!             (Event::Text(text), mut replies) => replies.feed(text).await?,
//!             (Event::Binary(data), mut replies) => replies.feed(data).await?,
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//!
//! # async fn run() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:9001").await?;
//! serve(listener, |websocket, _request| echo(websocket)).await;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! A server accepts browsers only from pages of its own host, unless you pass another
//! [`OriginPolicy`]. On threads the same is [`blocking::serve`].
//!
//! # A client
//!
//! ```no_run
//! # #[cfg(feature = "std")] {
//! use sansocket::{CloseCode, blocking::connect};
//!
//! let mut websocket = connect("ws://127.0.0.1:9001/")?;
//! websocket.send("hello")?;
//! if let Some(message) = websocket.next() {
//!     println!("{:?}", message?);
//! }
//! websocket.close(CloseCode::NORMAL, "")?;
//! println!("{}", websocket.wait_closed());
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! On tokio it is the same with [`on_tokio::connect`] and `.await`, and on smol with [`on_futures_io::connect`].
//! [`ReconnectingWebSocket`] connects again when it has
//! lost its connection.
//!
//! # One message to many clients
//!
//! A [`PreparedMessage`] is encoded once, and compressed once if you want that (`PreparedMessage::deflate`). Each
//! connection of a server then sends the same bytes. A [`Group`] sends it to all its members, without waiting for a slow
//! one. This is a chat: `serve(listener, move |websocket, _| chat(room.clone(), websocket))` runs it.
//!
//! ```
//! # #[cfg(feature = "tokio")] {
//! use sansocket::{Error, Event, PreparedMessage, on_tokio::{Group, ServerWebSocket}};
//!
//! async fn chat(room: Group, websocket: ServerWebSocket) -> Result<(), Error> {
//!     let (sender, mut receiver) = websocket.split();
//!     // Dropping the membership leaves the room.
//!     let member = room.join(sender);
//!     // While this waits, it also writes what the room has left for a member that reads slowly.
//!     while let Some(event) = receiver.receive().await {
//!         if let Event::Text(text) = event? {
//!             room.send_except(member.id(), &PreparedMessage::new(text));
//!         }
//!     }
//!     Ok(())
//! }
//! # let _ = chat;
//! # }
//! ```
//!
//! [`slow_peers`] shows what happens to messages for a slow client, and how to choose it.
//!
//! # Long messages, and streams of bytes
//!
//! A message can be longer than memory: `next_reader` reads one as it arrives, and `message_writer` writes one piece by
//! piece. This client sends a file as one message, and this server stores it. Both take the same memory for a file of
//! any size:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")] {
//! use sansocket::{blocking, connection::MessageKind, on_tokio::ServerWebSocket};
//! use std::{fs::File, io};
//! use tokio::io::AsyncWrite;
//!
//! fn upload(path: &str) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut websocket = blocking::connect("ws://127.0.0.1:9001/")?;
//!     let mut writer = websocket.message_writer(MessageKind::Binary);
//!     io::copy(&mut File::open(path)?, &mut writer)?;
//!     // If an error returns before this, the server does not take the part for the whole.
//!     writer.finish()?;
//!     println!("{}", websocket.wait_closed());
//!     Ok(())
//! }
//!
//! async fn store(mut websocket: ServerWebSocket, mut file: impl AsyncWrite + Unpin) -> io::Result<()> {
//!     while let Some(reader) = websocket.next_reader().await {
//!         let len = tokio::io::copy(&mut reader?, &mut file).await?;
//!         println!("{len} bytes");
//!     }
//!     Ok(())
//! }
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `into_byte_stream` makes one stream of bytes of the whole connection, to run another protocol through it.
//!
//! # Compression
//!
//! With the feature `deflate`, [`Config::deflate`] enables compression if the peer agrees:
//!
//! ```
//! # #[cfg(all(feature = "deflate", feature = "std"))] {
//! use sansocket::{Config, DeflateConfig, Payload, blocking::Connector};
//!
//! let connector = Connector::new().config(Config::default().deflate(DeflateConfig::new()));
//! // Do not compress a secret next to data that others control.
//! let secret = Payload::text("token").uncompressed();
//! # let _ = (connector, secret);
//! # }
//! ```
//!
//! A server with many connections should limit the memory that compression takes: [`compression`] has figures, and says
//! how.
//!
//! # Sending and receiving at the same time
//!
//! `split` gives a sending and a receiving half, for two tasks or two threads:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")] {
//! # async fn run() -> Result<(), sansocket::Error> {
//! use sansocket::on_tokio::connect;
//!
//! let (mut sender, mut receiver) = connect("ws://127.0.0.1:9001/").await?.split();
//! let reader = tokio::spawn(async move {
//!     while let Some(Ok(message)) = receiver.next().await {
//!         println!("{message:?}");
//!     }
//! });
//! sender.send("hello").await?;
//! # reader.await.unwrap();
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! A connection on tokio is also a `Stream` of messages and a `Sink` for them, and so are its halves:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")] {
//! use futures_util::{StreamExt, TryStreamExt};
//! use sansocket::on_tokio::connect;
//!
//! # async fn run() -> Result<(), sansocket::Error> {
//! let (sink, stream) = StreamExt::split(connect("ws://127.0.0.1:9001/").await?);
//! stream.try_filter(|message| std::future::ready(message.is_text())).forward(sink).await?;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! # TLS
//!
//! With the feature `rustls`, `connect("wss://example.com/")` just works: by default, a client trusts the certificates
//! that the system trusts. A server gets its certificate through `Acceptor::tls`. The module [`tls`] has examples,
//! private authorities, client certificates, and your own configuration of rustls.
//!
//! What `connect` and `serve` give you is the same with TLS and without. `websocket.get_ref()` is a `Stream`, which has
//! `is_secure()`, `peer_addr()` and `peer_certificates()`.
//!
//! # Proxies
//!
//! `Connector::proxy` names a proxy: HTTP with `CONNECT`, also over TLS, or SOCKS 5.
//! `Connector::proxy_from_environment` reads `HTTPS_PROXY`, `NO_PROXY` and the others.
//!
//! # A transport of your own
//!
//! On tokio, anything that is `AsyncRead` and `AsyncWrite` can be a transport: pass it to `Connector::connect_over` or
//! to `Acceptor::accept`. In [`on_futures_io`] the same is true of the traits of `futures-io`. This is also how you use a TLS library other than rustls. On threads, anything that is `Read`
//! and `Write` can be one: see [`blocking::Transport`].
//!
//! ```no_run
//! # #[cfg(feature = "tokio")] {
//! use sansocket::on_tokio::Connector;
//! use tokio::net::TcpStream;
//!
//! # async fn with_tls(stream: TcpStream) -> TcpStream { stream }
//! # async fn run() -> Result<(), sansocket::Error> {
//! let stream = TcpStream::connect("example.com:443").await?;
//! stream.set_nodelay(true)?;
//! // `with_tls` stands for your TLS library.
//! let (mut websocket, response) = Connector::new()
//!     .subprotocol("chat")
//!     .connect_over("wss://example.com/chat", with_tls(stream).await)
//!     .await?;
//! websocket.send("hello").await?;
//! # let _ = response;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! # Without IO
//!
//! A [`Connection`] takes bytes from a [`ReadBuffer`] and puts bytes
//! into a [`WriteBuffer`]. Both are yours, and time and randomness come from you too. So it fits
//! under any runtime, into proxies, fuzzers and simulations:
//!
//! ```
//! # #[cfg(feature = "alloc")] {
//! use sansocket::{
//!     Config, Event,
//!     buffer::{ReadBuffer, WriteBuffer},
//!     connection::{Connection, Server},
//!     handshake::Negotiated,
//! };
//!
//! let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
//! let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
//!
//! // What a socket would deliver: the masked "Hello" of RFC 6455 §5.7.
//! input.extend_from_slice(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
//! while connection.advance(&mut input, &mut output)?.goes_on() {
//!     if let Some(Event::Text(text)) = connection.event(&input) {
//!         connection.send_text(text, &mut output)?;
//!     }
//! }
//! // What the socket would take.
//! assert_eq!(output.front(), b"\x81\x05Hello");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Connection`] describes the whole contract, with a loop over a socket.
//! [`server::Accepting`] and [`client::Connecting`] are the opening handshakes in the same form, and
//! [`handshake`] has their parts. [`relay`] passes frames on from one connection to another, for a reverse
//! proxy. [`frame`] reads and writes single frames without a heap.
//!
//! # What it guarantees
//!
//! - **Strict.** It passes the Autobahn test suite in both roles, with no case "non-strict". A peer's fault fails the
//!   connection with the code that RFC 6455 asks for, and with a reason.
//! - **Bounded.** Memory and work are proportional to the bytes received, not to the lengths that headers announce.
//!   Memory stays within [`Limits`]. Only memory that a thread already pools is used ahead of the bytes.
//! - **Light.** A received message is lent, not copied. Once it is warm, a small echo allocates nothing, and an idle
//!   connection on tokio holds no buffer.
//! - **Cancel safe.** Each async method says whether you can drop its future, and tests drop it at every poll.
//! - **Detailed ends.** [`Closed`] has both close codes, which endpoint began, and whether the end was clean.
//!
//! # What it does not do
//!
//! - Reconnect by itself, unless you use [`ReconnectingWebSocket`] on tokio.
//! - Send a message again that may have been lost.
//! - HTTP beyond the opening handshake.
//!
//! # Features
//!
//! | feature | brings | needs |
//! |---|---|---|
//! | `tokio` | [`on_tokio`], and [`asynchronous`] for other runtimes | `std`, `socket2`, tokio, futures-core, futures-sink |
//! | `futures-io` | [`on_futures_io`], for smol and other executors | `std`, `socket2`, async-io, blocking, rustix, futures-core, futures-io, futures-sink |
//! | `rustls` | [`tls`]: TLS for all shells and both roles | `std`, rustls, ring (a C compiler), rustls-platform-verifier |
//! | `webpki-roots` | the certificates that Mozilla trusts, as an alternative | `rustls`, webpki-roots |
//! | `rustls-0_23` | conversions from the configurations of rustls 0.23 | `rustls` |
//! | `tracing` | a span for each connection, and events for how it opens and ends: [`instrumentation`] | `std`, tracing |
//! | `socket2` | the local address of a client, and TCP's keepalive; `tokio` and `futures-io` bring it | `std`, socket2 |
//! | `deflate` | compression, permessage-deflate (RFC 7692) | `alloc`, zlib-rs, a target with std |
//! | `std` (default) | the [`blocking`] shell, mask keys seeded by the system | `alloc`, getrandom, chacha20 |
//! | `alloc` | buffers, handshakes, connections; `no_std` | bytes, httparse, sha1, base64 |
//! | (none) | frames, masks, UTF-8; no heap | simdutf8, thiserror |
//!
// A link to an item that is not there without a feature leads to the table of features instead.
#![cfg_attr(
    any(feature = "futures-io", feature = "tokio"),
    doc = "
[`asynchronous`]: asynchronous
"
)]
#![cfg_attr(
    not(any(feature = "futures-io", feature = "tokio")),
    doc = "
[`asynchronous`]: #features
"
)]
#![cfg_attr(
    feature = "futures-io",
    doc = "
[`on_futures_io`]: on_futures_io
[`on_futures_io::connect`]: on_futures_io::connect
"
)]
#![cfg_attr(
    not(feature = "futures-io"),
    doc = "
[`on_futures_io`]: #features
[`on_futures_io::connect`]: #features
"
)]
#![cfg_attr(
    feature = "tokio",
    doc = "
[`serve`]: on_tokio::serve
[`ReconnectingWebSocket`]: on_tokio::ReconnectingWebSocket
[`Replies::feed`]: asynchronous::Replies::feed
[`on_tokio`]: on_tokio
[`Group`]: on_tokio::Group
[`slow_peers`]: slow_peers
[`on_tokio::connect`]: on_tokio::connect
"
)]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "
[`serve`]: #features
[`ReconnectingWebSocket`]: #features
[`Replies::feed`]: #features
[`on_tokio`]: #features
[`Group`]: #features
[`slow_peers`]: #features
[`on_tokio::connect`]: #features
"
)]
#![cfg_attr(
    feature = "std",
    doc = "
[`blocking`]: blocking
[`blocking::serve`]: blocking::serve
[`blocking::Transport`]: blocking::Transport
"
)]
#![cfg_attr(
    not(feature = "std"),
    doc = "
[`blocking`]: #features
[`blocking::serve`]: #features
[`blocking::Transport`]: #features
"
)]
#![cfg_attr(
    feature = "alloc",
    doc = "
[`OriginPolicy`]: server::OriginPolicy
[`PreparedMessage`]: PreparedMessage
[`Connection`]: connection::Connection
[`ReadBuffer`]: buffer::ReadBuffer
[`WriteBuffer`]: buffer::WriteBuffer
[`server::Accepting`]: server::Accepting
[`client::Connecting`]: client::Connecting
[`handshake`]: handshake
[`relay`]: relay
[`Limits`]: Limits
[`Closed`]: Closed
"
)]
#![cfg_attr(
    not(feature = "alloc"),
    doc = "
[`OriginPolicy`]: #features
[`PreparedMessage`]: #features
[`Connection`]: #features
[`ReadBuffer`]: #features
[`WriteBuffer`]: #features
[`server::Accepting`]: #features
[`client::Connecting`]: #features
[`handshake`]: #features
[`relay`]: #features
[`Limits`]: #features
[`Closed`]: #features
"
)]
#![cfg_attr(
    feature = "deflate",
    doc = "
[`Config::deflate`]: Config::deflate
"
)]
#![cfg_attr(
    not(feature = "deflate"),
    doc = "
[`Config::deflate`]: #features
"
)]
#![cfg_attr(
    all(feature = "deflate", feature = "tokio"),
    doc = "
[`compression`]: compression
"
)]
#![cfg_attr(
    not(all(feature = "deflate", feature = "tokio")),
    doc = "
[`compression`]: #features
"
)]
#![cfg_attr(
    feature = "tracing",
    doc = "
[`instrumentation`]: instrumentation
"
)]
#![cfg_attr(
    not(feature = "tracing"),
    doc = "
[`instrumentation`]: #features
"
)]
#![cfg_attr(
    feature = "rustls",
    doc = "
[`tls`]: tls
"
)]
#![cfg_attr(
    not(feature = "rustls"),
    doc = "
[`tls`]: #features
"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]
#![deny(unsafe_code)]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_alloc, clippy::std_instead_of_core)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(any(feature = "futures-io", feature = "tokio"))]
pub mod asynchronous;
#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "alloc")]
mod budget;
#[cfg(feature = "alloc")]
pub mod buffer;
#[cfg(feature = "alloc")]
pub mod client;
#[cfg(feature = "alloc")]
pub mod connection;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(feature = "std")]
mod ends_on_drop;
#[cfg(feature = "std")]
mod environment;
#[cfg(feature = "std")]
mod error;
pub mod frame;
#[cfg(feature = "alloc")]
pub mod handshake;
#[cfg(feature = "alloc")]
mod headers;
#[cfg(feature = "std")]
mod io;
#[cfg(feature = "alloc")]
mod limits;
pub mod mask;
#[cfg(feature = "alloc")]
mod negotiated;
#[cfg(feature = "alloc")]
mod network;
#[cfg(feature = "futures-io")]
pub mod on_futures_io;
#[cfg(feature = "tokio")]
pub mod on_tokio;
#[cfg(feature = "std")]
pub mod pool;
#[cfg(feature = "std")]
pub mod random;
#[cfg(feature = "alloc")]
mod rate;
#[cfg(feature = "alloc")]
pub mod relay;
#[cfg(feature = "std")]
mod route;
#[cfg(feature = "std")]
mod sending;
#[cfg(feature = "alloc")]
pub mod server;
#[cfg(feature = "std")]
mod serving;
#[cfg(feature = "socket2")]
mod socket;
#[cfg(feature = "std")]
mod streaming;
#[cfg(feature = "deflate")]
mod thread_cache;
#[cfg(feature = "alloc")]
mod timers;
#[cfg(feature = "rustls")]
pub mod tls;
#[cfg(feature = "std")]
mod trace;
#[cfg(feature = "alloc")]
pub mod transport;
#[allow(unsafe_code, reason = "turns validated bytes into `str`")]
pub mod utf8;

#[cfg(feature = "deflate")]
pub use deflate::DeflateConfig;
#[cfg(feature = "std")]
pub use error::Error;
pub use frame::CloseCode;
#[cfg(feature = "alloc")]
pub use {
    budget::Budget,
    connection::{AsPayload, Closed, Config, Event, Message, Payload, PreparedMessage, State},
    limits::Limits,
    utf8::Text,
};

/// How to move here from tungstenite or tokio-tungstenite.
#[cfg(all(any(doc, doctest), feature = "tokio", feature = "deflate"))]
#[doc = include_str!("../docs/migrating.md")]
pub mod migrating {}

/// Where messages for a slow peer wait, and what happens to them.
#[cfg(all(any(doc, doctest), feature = "tokio"))]
#[doc = include_str!("../docs/slow-peers.md")]
pub mod slow_peers {}

/// What compression costs a server, and how to choose.
#[cfg(all(any(doc, doctest), feature = "tokio", feature = "deflate"))]
#[doc = include_str!("../docs/compression.md")]
pub mod compression {}

/// What the feature `tracing` tells of connections.
#[cfg(all(any(doc, doctest), feature = "tracing"))]
#[doc = include_str!("../docs/instrumentation.md")]
pub mod instrumentation {}

/// A server behind proxies: timeouts, addresses, health checks, limits, memory, and deploys.
#[cfg(all(any(doc, doctest), feature = "tokio", feature = "deflate"))]
#[doc = include_str!("../docs/deploying.md")]
pub mod deploying {}

/// Compiles the examples of the README.
#[cfg(all(doctest, feature = "rustls", feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
