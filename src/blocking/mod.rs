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
//! A connection that waits for a message waits without limit. To limit its reads, set a timeout on
//! the socket: `get_ref().set_read_timeout(..)` on a server, `get_ref().tcp().set_read_timeout(..)`
//! on a client. When it expires, the method returns an error for which
//! [`is_would_block`](crate::Error::is_would_block) is `true`, and you can call it again. Each read
//! starts the timeout anew, so pings and pieces of a message prolong the wait: to limit it as a
//! whole, look at a clock after each [`receive`](WebSocket::receive). The opening handshake and the
//! closing handshake have timeouts of their own.
//!
//! # Heartbeats
//!
//! A peer that disappears without a Close is noticed only if something is expected from it. Set a
//! timeout for reads, send a ping when it expires, and give up if nothing arrives for some time:
//!
//! ```
//! use sansocket::{Error, Event, blocking::ServerWebSocket};
//! use std::time::{Duration, Instant};
//!
//! fn echo(mut websocket: ServerWebSocket) -> Result<(), Error> {
//!     websocket.get_ref().set_read_timeout(Some(Duration::from_secs(20)))?;
//!     let mut heard = Instant::now();
//!     loop {
//!         match websocket.receive() {
//!             None => return Ok(()),
//!             Some(Ok((event, mut replies))) => {
//!                 heard = Instant::now();
//!                 if let Event::Text(text) = event {
//!                     replies.send(text)?;
//!                 }
//!             }
//!             Some(Err(error)) if !error.is_would_block() => return Err(error),
//!             Some(Err(error)) if heard.elapsed() > Duration::from_secs(50) => return Err(error),
//!             Some(Err(_)) => {
//!                 let _ = websocket.try_ping("");
//!                 let _ = websocket.flush();
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! An unfinished message is no event: give a peer enough time for the largest one, or receive in
//! chunks. A split connection ignores timeouts of its transport. To end it from elsewhere, keep a
//! second handle on the socket (`try_clone`), and shut that down.
//!
//! # Two threads
//!
//! While a method writes, nothing is received, so two endpoints that both send a lot can block each
//! other. [`split`](WebSocket::split) a connection to send and receive in two threads.

mod accept;
mod access;
mod connect;
mod connections;
mod dial;
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
pub use serve::{Serve, ShutdownHandle, serve};
pub use split::{ReceiveHalf, SendHalf};
pub use stream::Stream;
pub use transport::{Plain, Transport};
pub use websocket::{Replies, WebSocket};

use crate::connection::{Client, Server};
use crate::random::SystemMaskKeys;
use std::net::TcpStream;

/// A client's connection, by default one that [`connect`] opened.
///
/// Its methods are those of [`WebSocket`].
pub type ClientWebSocket<S = Stream> = WebSocket<S, Client<SystemMaskKeys>>;

/// A server's connection, by default over TCP.
///
/// Its methods are those of [`WebSocket`].
pub type ServerWebSocket<S = TcpStream> = WebSocket<S, Server>;

/// The sending half of a client's connection, by default of one that [`connect`] made.
///
/// Its methods are those of [`SendHalf`].
pub type ClientSendHalf<S = Stream> = SendHalf<S, Client<SystemMaskKeys>>;

/// The receiving half of a client's connection, by default of one that [`connect`] made.
///
/// Its methods are those of [`ReceiveHalf`].
pub type ClientReceiveHalf<S = Stream> = ReceiveHalf<S, Client<SystemMaskKeys>>;

/// The sending half of a server's connection, by default over TCP.
///
/// Its methods are those of [`SendHalf`].
pub type ServerSendHalf<S = TcpStream> = SendHalf<S, Server>;

/// The receiving half of a server's connection, by default over TCP.
///
/// Its methods are those of [`ReceiveHalf`].
pub type ServerReceiveHalf<S = TcpStream> = ReceiveHalf<S, Server>;

/// The shell for blocking streams: it works with any [`Transport`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Blocking {}
