//! WebSocket over blocking streams: `std::net`, Unix sockets, or anything that reads and writes.
//!
//! This shell is thin. It asks a [`Connection`](crate::connection::Connection) what to do next with
//! a [`Transport`], does that, and reports the outcome. The `Connection` makes all decisions about
//! the protocol, including how a connection ends.
//!
//! ```no_run
//! // A client: send a message, print what comes back, close.
//! use sansocket::{CloseCode, blocking};
//!
//! let mut websocket = blocking::connect("ws://127.0.0.1:9001/")?;
//! websocket.send("hello")?;
//! if let Some(message) = websocket.next() {
//!     println!("{:?}", message?);
//! }
//! websocket.close(CloseCode::NORMAL, "")?;
//! println!("{}", websocket.wait_closed());
//! # Ok::<(), sansocket::Error>(())
//! ```
//!
//! # Three ways to receive
//!
//! - [`next`](WebSocket::next) returns an owned message: a connection is an iterator.
//! - [`receive`](WebSocket::receive) lends you the message, together with the means to reply to it.
//!   [`receive_buffered`](WebSocket::receive_buffered) lends you messages that have already
//!   arrived, without waiting. [`receive_chunk`](WebSocket::receive_chunk) lends you the pieces of
//!   a message as they arrive.
//! - [`receive_with`](WebSocket::receive_with) calls a closure for each message.
//!
//! # Two ways to send
//!
//! [`send`](WebSocket::send) queues a message and writes it. [`feed`](WebSocket::feed) only queues
//! it. Queued messages leave in one write: with the next [`flush`](WebSocket::flush), or before the
//! next wait for a message.
//!
//! # Timeouts
//!
//! A connection that waits for a message waits without limit. To limit a wait, set a timeout on the
//! [transport](WebSocket::get_mut). When it expires, the method returns an error for which
//! [`is_would_block`](crate::Error::is_would_block) is `true`, and you can call it again. The
//! opening handshake and the closing handshake have timeouts of their own.
//!
//! # Two threads
//!
//! While a method writes, nothing is received, so two endpoints that both send a lot can block each
//! other. [`split`](WebSocket::split) a connection to send and receive in two threads.

mod accept;
mod access;
mod connect;
mod connections;
mod exchange;
mod incoming;
mod methods;
mod outgoing;
mod reunite;
mod serve;
mod shared;
mod split;
mod stream;
mod timed;
mod transport;
mod websocket;

pub use crate::serving::ServeError;
pub use accept::{Acceptor, PendingRequest, accept};
pub use connect::{Connector, connect};
pub use reunite::ReuniteError;
pub use serve::{Serve, StopHandle, serve};
pub use split::{ReceiveHalf, SendHalf};
pub use stream::Stream;
pub use transport::{Plain, Transport};
pub use websocket::{Replies, WebSocket};

use crate::connection::{Client, Server};
use crate::random::SystemMaskKeys;
use std::net::TcpStream;

/// A client's connection, by default one that [`connect`] opened.
pub type ClientWebSocket<S = Stream> = WebSocket<S, Client<SystemMaskKeys>>;

/// A server's connection, by default over TCP.
pub type ServerWebSocket<S = TcpStream> = WebSocket<S, Server>;

/// The sending half of a client's connection, by default of one that [`connect`] made.
pub type ClientSendHalf<S = Stream> = SendHalf<S, Client<SystemMaskKeys>>;

/// The receiving half of a client's connection, by default of one that [`connect`] made.
pub type ClientReceiveHalf<S = Stream> = ReceiveHalf<S, Client<SystemMaskKeys>>;

/// The sending half of a server's connection, by default over TCP.
pub type ServerSendHalf<S = TcpStream> = SendHalf<S, Server>;

/// The receiving half of a server's connection, by default over TCP.
pub type ServerReceiveHalf<S = TcpStream> = ReceiveHalf<S, Server>;

/// The shell for blocking streams: it works with any [`Transport`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Blocking {}
