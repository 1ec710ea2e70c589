//! WebSocket over tokio: over its TCP streams, or anything that is `AsyncRead` and `AsyncWrite`.
//!
//! This is a thin shell. It moves bytes between a stream and a
//! [`Connection`](crate::connection::Connection), which implements the protocol, and tells the
//! connection the time.
//!
//! Deadlines use the time driver of the runtime (`enable_time` or `enable_all`). Without a time
//! driver, each running deadline takes a thread. tokio reports a missing time driver only by a
//! panic, which this module catches. The panic hook still sees that panic, and with
//! `panic = "abort"` it ends the process.
//!
//! ```no_run
//! // A client: send a message, print what comes back, close.
//! use sansocket::{CloseCode, on_tokio::connect};
//!
//! # async fn client() -> Result<(), sansocket::Error> {
//! let mut websocket = connect("ws://127.0.0.1:9001/").await?;
//! websocket.send("hello").await?;
//! if let Some(message) = websocket.next().await {
//!     println!("{:?}", message?);
//! }
//! websocket.close(CloseCode::NORMAL, "").await?;
//! println!("{}", websocket.wait_closed().await);
//! # Ok(())
//! # }
//! ```
//!
//! # Three ways to receive
//!
//! - [`next`](WebSocket::next) returns an owned message. The `Stream` implementation does the same.
//! - [`receive`](WebSocket::receive) lends you the message, together with a handle to answer it.
//!   [`receive_buffered`](WebSocket::receive_buffered) lends you messages that have already
//!   arrived, without waiting.
//! - [`receive_with`](WebSocket::receive_with) calls a closure for each message. This is the
//!   fastest way.
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
//! messages that are too long to hold in memory, or whose length is not known: they are an `AsyncRead`
//! and an `AsyncWrite`. [`into_byte_stream`](WebSocket::into_byte_stream) makes a stream of bytes of
//! the whole connection, to run another protocol through it.
//!
//! # Keepalive
//!
//! A peer that disappears without a Close is noticed only if something is expected from it. With
//! [`Config::keepalive`](crate::Config::keepalive) the connection pings a silent peer while you
//! receive, and ends with an error if the peer stays silent:
//!
//! ```no_run
//! use sansocket::{Config, Error, connection::Keepalive, on_tokio::Connector};
//!
//! # async fn listen() -> Result<(), Error> {
//! let config = Config::default().keepalive(Keepalive::default());
//! let (mut websocket, _) =
//!     Connector::new().config(config).connect("wss://example.com/feed").await?;
//! while let Some(message) = websocket.next().await {
//!     // At most 70 seconds after the last sign of life, this is an error for which
//!     // `is_transient` is true.
//!     println!("{:?}", message?);
//! }
//! # Ok(())
//! # }
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
//! # Reconnecting
//!
//! A [`ReconnectingWebSocket`] connects again when it has lost its connection. It reports what
//! happens as a stream of events, pauses for random and growing times, authenticates and subscribes
//! anew with a function of yours, and knows which close codes, statuses and errors another attempt
//! can help with.
//!
//! For a loop of your own, [`Error::is_transient`](crate::Error::is_transient) and
//! [`Closed::is_transient`](crate::Closed::is_transient) tell whether another attempt can help, and
//! a [`Backoff`](crate::client::Backoff) tells when. If sending fails, receive until the end: only
//! then it is known how the connection ended, and messages that have arrived are not lost.
//! [`Reconnecting`](crate::client::Reconnecting) makes all these decisions without doing any IO.
//!
//! # Idle connections
//!
//! A connection that waits holds no buffers. It leases them from a pool of the thread while they
//! contain bytes.

mod accept;
mod connect;
mod connections;
mod io_traits;
mod linger_on_drop;
mod reconnect_error;
mod reconnecting;
mod serve;
mod shell;
mod sockets;
mod timer;

pub use crate::asynchronous::{MemberId, Sent};
pub use crate::serving::ServeError;
pub use accept::{Acceptor, PendingRequest, accept};
pub use connect::{Connector, connect};
pub use reconnect_error::{AttemptError, DisconnectReason, ReconnectSendError};
pub use reconnecting::{ReconnectEvent, ReconnectingWebSocket};
pub use serve::{Serve, serve};
pub use shell::Tokio;
pub use sockets::Stream;
pub use timer::Timer;

use crate::connection::{Client, Server};
use crate::random::SystemMaskKeys;

/// A WebSocket connection over a tokio stream.
///
/// Its methods are those of [`asynchronous::WebSocket`](crate::asynchronous::WebSocket).
pub type WebSocket<S, R> = crate::asynchronous::WebSocket<S, R, Tokio>;

/// A client's connection, by default one that [`connect`] opened.
///
/// Its methods are those of [`WebSocket`](crate::asynchronous::WebSocket).
pub type ClientWebSocket<S = Stream> = WebSocket<S, Client<SystemMaskKeys>>;

/// A server's connection, by default one that came over TCP, with or without TLS.
///
/// Its methods are those of [`WebSocket`](crate::asynchronous::WebSocket).
pub type ServerWebSocket<S = Stream> = WebSocket<S, Server>;

/// Connections to which you send the same messages, by default a server's.
///
/// Its methods are those of [`asynchronous::Group`](crate::asynchronous::Group).
pub type Group<S = Stream, R = Server> = crate::asynchronous::Group<S, R, Tokio>;

/// A place in a [`Group`].
///
/// Its methods are those of [`asynchronous::Membership`](crate::asynchronous::Membership).
pub type Membership<S = Stream, R = Server> = crate::asynchronous::Membership<S, R, Tokio>;

/// The sending half of a client's connection, by default of one that [`connect`] made.
///
/// Its methods are those of [`SendHalf`](crate::asynchronous::SendHalf).
pub type ClientSendHalf<S = Stream> = SendHalf<S, Client<SystemMaskKeys>>;

/// The receiving half of a client's connection, by default of one that [`connect`] made.
///
/// Its methods are those of [`ReceiveHalf`](crate::asynchronous::ReceiveHalf).
pub type ClientReceiveHalf<S = Stream> = ReceiveHalf<S, Client<SystemMaskKeys>>;

/// The sending half of a server's connection, by default of one over TCP, with or without TLS.
///
/// Its methods are those of [`SendHalf`](crate::asynchronous::SendHalf).
pub type ServerSendHalf<S = Stream> = SendHalf<S, Server>;

/// The receiving half of a server's connection, by default of one over TCP, with or without TLS.
///
/// Its methods are those of [`ReceiveHalf`](crate::asynchronous::ReceiveHalf).
pub type ServerReceiveHalf<S = Stream> = ReceiveHalf<S, Server>;

/// The receiving half of a connection: see
/// [`WebSocket::split`](crate::asynchronous::WebSocket::split).
///
/// Its methods are those of [`asynchronous::ReceiveHalf`](crate::asynchronous::ReceiveHalf).
pub type ReceiveHalf<S, R> = crate::asynchronous::ReceiveHalf<S, R, Tokio>;

/// The sending half of a connection: see
/// [`WebSocket::split`](crate::asynchronous::WebSocket::split).
///
/// Its methods are those of [`asynchronous::SendHalf`](crate::asynchronous::SendHalf).
pub type SendHalf<S, R> = crate::asynchronous::SendHalf<S, R, Tokio>;

/// The error for two halves of different connections: see
/// [`SendHalf::reunite`](crate::asynchronous::SendHalf::reunite).
pub type ReuniteError<S, R> = crate::asynchronous::ReuniteError<S, R, Tokio>;

/// A message that you read as it arrives: see
/// [`WebSocket::next_reader`](crate::asynchronous::WebSocket::next_reader).
///
/// Its methods are those of [`asynchronous::MessageReader`](crate::asynchronous::MessageReader), and of
/// tokio's `AsyncRead`.
pub type MessageReader<'a, S, R> = crate::asynchronous::MessageReader<'a, S, R, Tokio>;

/// A message that you write piece by piece: see
/// [`WebSocket::message_writer`](crate::asynchronous::WebSocket::message_writer).
///
/// Its methods are those of [`asynchronous::MessageWriter`](crate::asynchronous::MessageWriter), and of
/// tokio's `AsyncWrite`.
pub type MessageWriter<'a, S, R> = crate::asynchronous::MessageWriter<'a, S, R, Tokio>;

/// A connection as a stream of bytes: see
/// [`WebSocket::into_byte_stream`](crate::asynchronous::WebSocket::into_byte_stream).
///
/// Its methods are those of [`asynchronous::ByteStream`](crate::asynchronous::ByteStream), and of
/// tokio's `AsyncRead` and `AsyncWrite`.
pub type ByteStream<S, R> = crate::asynchronous::ByteStream<S, R, Tokio>;

/// The reading side of a stream of bytes: see
/// [`ReceiveHalf::into_byte_reader`](crate::asynchronous::ReceiveHalf::into_byte_reader).
///
/// Its methods are those of [`asynchronous::ByteReader`](crate::asynchronous::ByteReader), and of
/// tokio's `AsyncRead`.
pub type ByteReader<S, R> = crate::asynchronous::ByteReader<S, R, Tokio>;

/// The writing side of a stream of bytes: see
/// [`SendHalf::into_byte_writer`](crate::asynchronous::SendHalf::into_byte_writer).
///
/// Its methods are those of [`asynchronous::ByteWriter`](crate::asynchronous::ByteWriter), and of
/// tokio's `AsyncWrite`.
pub type ByteWriter<S, R> = crate::asynchronous::ByteWriter<S, R, Tokio>;

/// A handle to answer a received event: see
/// [`WebSocket::receive`](crate::asynchronous::WebSocket::receive).
///
/// Its methods are those of [`asynchronous::Replies`](crate::asynchronous::Replies).
pub type Replies<'a, S, R> = crate::asynchronous::Replies<'a, S, R, Tokio>;
