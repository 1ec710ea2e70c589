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
//! # Streams
//!
//! [`next_reader`](WebSocket::next_reader) and [`message_writer`](WebSocket::message_writer) are for
//! messages that are too long to hold in memory, or whose length is not known: they are a
//! [`Read`](std::io::Read) and a [`Write`](std::io::Write).
//! [`into_byte_stream`](WebSocket::into_byte_stream) makes a stream of bytes of the whole connection,
//! to run another protocol through it.
//!
//! # Timeouts
//!
//! A connection that waits for a message waits without limit. To limit its reads, set a timeout on
//! the stream: `websocket.get_ref().set_read_timeout(..)`. When it expires, the method returns an
//! error for which [`is_would_block`](crate::Error::is_would_block) is `true`, and you can call it
//! again. Each read starts the timeout anew, so pings and pieces of a message prolong the wait: to
//! limit it as a whole, look at a clock after each [`receive`](WebSocket::receive). The opening
//! handshake and the closing handshake have timeouts of their own.
//!
//! # Keepalive
//!
//! A peer that disappears without a Close is noticed only if something is expected from it. With
//! [`Config::keepalive`](crate::Config::keepalive) the connection pings a silent peer while you
//! receive, and ends with an error if the peer stays silent:
//!
//! ```no_run
//! use sansocket::{Config, blocking::Connector, connection::Keepalive};
//!
//! let config = Config::default().keepalive(Keepalive::default());
//! let (websocket, _) = Connector::new().config(config).connect("wss://example.com/feed")?;
//! for message in websocket {
//!     // At most 70 seconds after the last sign of life, this is an error for which
//!     // `is_transient` is true.
//!     println!("{:?}", message?);
//! }
//! # Ok::<(), sansocket::Error>(())
//! ```
//!
//! It is off by default, because not every program wants its peers to be woken. Servers on the
//! internet do: proxies and routers drop connections without traffic after about a minute.
//! [`round_trip_time`](WebSocket::round_trip_time) tells how long the peer takes to answer.
//!
//! Keepalive keeps every peer that is there. [`Config::idle_timeout`](crate::Config::idle_timeout)
//! closes connections whose peer sends no messages. [`Config::min_data_rate`] fails peers that begin a
//! message and do not go on.
//!
//! [`Config::min_data_rate`]: crate::Config::min_data_rate
//!
//! With any of these, each read sets a timeout on the socket and then restores yours. Your own read
//! timeout still expires: neither the pings of the connection nor its checks prolong the wait. What
//! arrives does, also a pong: to learn that nothing but pongs arrives, make your timeout shorter than
//! the interval, or set [`Config::idle_timeout`](crate::Config::idle_timeout). A write that blocks is
//! ended by none of them: set a timeout for writes, too.
//!
//! # Two threads
//!
//! While a method writes, nothing is received, so two endpoints that both send a lot can block each
//! other. [`split`](WebSocket::split) a connection to send and receive in two threads.

mod accept;
mod access;
mod byte_stream;
mod connect;
mod connections;
mod dial;
mod exchange;
mod hooks;
mod incoming;
mod message_reader;
mod message_writer;
mod methods;
mod outcomes;
mod outgoing;
mod owning_server;
mod reunite;
mod serve;
mod shared;
mod split;
mod stream;
mod timed;
#[cfg(feature = "rustls")]
mod tls;
mod transport;
mod websocket;

pub use crate::serving::ServeError;
pub use accept::{Acceptor, PendingRequest, accept};
pub use byte_stream::{ByteReader, ByteStream, ByteWriter};
pub use connect::{Connector, connect};
pub use message_reader::MessageReader;
pub use message_writer::MessageWriter;
pub use reunite::ReuniteError;
pub use serve::{Serve, ShutdownHandle, serve};
pub use split::{ReceiveHalf, SendHalf};
pub use stream::Stream;
pub use transport::{Plain, Transport};
pub use websocket::{Replies, WebSocket};

use crate::connection::{Client, Server};
use crate::random::SystemMaskKeys;

/// A client's connection, by default one that [`connect`] opened.
///
/// Its methods are those of [`WebSocket`].
pub type ClientWebSocket<S = Stream> = WebSocket<S, Client<SystemMaskKeys>>;

/// A server's connection, by default one that came over TCP, with or without TLS.
///
/// Its methods are those of [`WebSocket`].
pub type ServerWebSocket<S = Stream> = WebSocket<S, Server>;

/// The sending half of a client's connection, by default of one that [`connect`] made.
///
/// Its methods are those of [`SendHalf`].
pub type ClientSendHalf<S = Stream> = SendHalf<S, Client<SystemMaskKeys>>;

/// The receiving half of a client's connection, by default of one that [`connect`] made.
///
/// Its methods are those of [`ReceiveHalf`].
pub type ClientReceiveHalf<S = Stream> = ReceiveHalf<S, Client<SystemMaskKeys>>;

/// The sending half of a server's connection, by default of one over TCP, with or without TLS.
///
/// Its methods are those of [`SendHalf`].
pub type ServerSendHalf<S = Stream> = SendHalf<S, Server>;

/// The receiving half of a server's connection, by default of one over TCP, with or without TLS.
///
/// Its methods are those of [`ReceiveHalf`].
pub type ServerReceiveHalf<S = Stream> = ReceiveHalf<S, Server>;

/// The shell for blocking streams: it works with any [`Transport`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Blocking {}
