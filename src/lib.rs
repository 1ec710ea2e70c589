//! WebSocket (RFC 6455) as a *sans-IO* protocol: state machines over bytes, with thin shells that
//! put them on tokio and on `std::net`.
//!
//! ```text
//!  socket ──read──▶ ReadBuffer ──▶ advance() ──▶ Event (borrows the read buffer alone)
//!                                    │ pongs, answers to a Close, failures
//!                                    ▼
//!  socket ◀─write── WriteBuffer ◀── send: text, binary, ping, close
//! ```
//!
//! # Where to start
//!
//! - To write a server or a client on tokio: the module `tokio` (with the feature of that name).
//! - To write one over blocking sockets: [`blocking`], with [`blocking::accept`] and
//!   [`blocking::connect`].
//! - To write one on another async runtime: implement `asynchronous::Shell` for it (with the feature
//!   `tokio`).
//! - To put WebSocket on something else, such as a loop of your own, a proxy, a test:
//!   [`server::Accepting`] or [`client::Connecting`], then a [`Connection`]. Or only the
//!   [`Connection`], if the handshake was made elsewhere. To read and write handshakes alone, without
//!   deadlines: [`ServerHandshake`], [`ClientHandshake`].
//! - To serve many connections that are mostly idle on that: [`pool`] lends their buffers.
//! - To read and write single frames: [`FrameHeader`], [`apply_mask`].
//!
//! # Example
//!
//! A server's end of a connection that echoes text, over bytes in memory; `examples/sans_io.rs`
//! has a whole conversation.
//!
//! ```
//! # #[cfg(feature = "alloc")] {
//! use sansocket::{Config, Connection, Event, Negotiated, ReadBuffer, Server, WriteBuffer};
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
//! # Features
//!
//! | feature | brings | needs |
//! |---|---|---|
//! | `tokio` | the shell over tokio | `std`, tokio, futures-core, futures-sink |
//! | `deflate` | compression, permessage-deflate (RFC 7692) | `alloc`, zlib-rs, a target with std |
//! | `std` (default) | the [`blocking`] shell, mask keys seeded by the system | `alloc`, getrandom, chacha20 |
//! | `alloc` | buffers, handshakes, connections | bytes, httparse, sha1, base64 |
//! | (none) | frames, masks, UTF-8, without a heap | simdutf8, thiserror |
//!
//! # What it does not do
//!
//! - TLS: hand it a stream that does, see [`blocking::Transport`].
//! - Reconnect by itself, or keep messages for it.
//! - HTTP beyond the opening handshake.
//!
//! It never panics on what a peer sends, takes memory only for bytes that were received, and within
//! [`Limits`].
//!
// A link to what is not there without a feature leads to the table of features instead.
#![cfg_attr(
    not(feature = "std"),
    doc = "
[`blocking`]: #features
[`blocking::accept`]: #features
[`blocking::connect`]: #features
[`blocking::Transport`]: #features
[`pool`]: #features
"
)]
#![cfg_attr(
    not(feature = "alloc"),
    doc = "
[`ClientHandshake`]: #features
[`Connection`]: #features
[`Limits`]: #features
[`ServerHandshake`]: #features
[`client::Connecting`]: #features
[`server::Accepting`]: #features
"
)]
#![no_std]
#![deny(unsafe_code)]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_alloc, clippy::std_instead_of_core)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "tokio")]
pub mod asynchronous;
#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "alloc")]
mod buffer;
#[cfg(feature = "alloc")]
pub mod client;
#[cfg(feature = "alloc")]
mod connection;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(feature = "std")]
mod error;
mod frame;
#[cfg(feature = "alloc")]
mod handshake;
#[cfg(feature = "alloc")]
mod headers;
#[cfg(feature = "std")]
mod io;
#[cfg(feature = "alloc")]
mod limits;
mod mask;
#[cfg(feature = "alloc")]
mod negotiated;
#[cfg(feature = "std")]
pub mod pool;
#[cfg(feature = "std")]
mod random;
#[cfg(feature = "std")]
mod sending;
#[cfg(feature = "alloc")]
pub mod server;
#[cfg(feature = "deflate")]
mod thread_cache;
#[cfg(feature = "alloc")]
mod timers;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "alloc")]
mod transport;
#[allow(unsafe_code, reason = "makes text of bytes that it has validated")]
mod utf8;

#[cfg(feature = "deflate")]
pub use deflate::{DeflateConfig, DeflateError, DeflateParameter, DeflateParameters};
pub use frame::*;
pub use mask::{MaskKey, MaskKeys, apply_mask};
pub use utf8::{Utf8Error, validate_utf8_prefix};
#[cfg(feature = "alloc")]
pub use {
    buffer::{Memory, ReadBuffer, WriteBuffer},
    connection::*,
    handshake::*,
    headers::{Extension, ExtensionError, HeaderError},
    limits::Limits,
    negotiated::Negotiated,
    server::{OriginPatternError, OriginPolicy},
    transport::{IoFailure, Wants},
    utf8::Text,
};
#[cfg(feature = "std")]
pub use {
    error::Error,
    random::{RandomError, SystemMaskKeys},
};

/// Compiles the examples of the README.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
