//! WebSocket on smol and on any other executor: over every stream that is `AsyncRead` and
//! `AsyncWrite` of the crate `futures-io`, and over TCP of `async-io`.
//!
//! This is a thin shell. It moves bytes between a stream and a
//! [`Connection`](crate::connection::Connection), which implements the protocol, and tells the
//! connection the time.
//!
//! Any executor will do: the futures run on smol, on `async-executor`, or in
//! `futures::executor::block_on`. Sockets and deadlines are those of `async-io`, which smol uses too:
//! one thread for the whole process waits for them. It starts with the first socket or deadline.
//!
//! ```no_run
//! // A client: send a message, print what comes back, close.
//! use sansocket::{CloseCode, on_futures_io::connect};
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
//! A server accepts TCP connections with [`accept`], or with an [`Acceptor`] for options and TLS. This
//! one sends every message back:
//!
//! ```no_run
//! use async_io::Async;
//! use sansocket::{Error, Event, on_futures_io::accept};
//! use std::net::{TcpListener, TcpStream};
//!
//! async fn echo(stream: Async<TcpStream>) -> Result<(), Error> {
//!     let mut websocket = accept(stream).await?;
//!     while let Some(received) = websocket.receive().await {
//!         match received? {
//!             (Event::Text(text), mut replies) => replies.feed(text).await?,
//!             (Event::Binary(data), mut replies) => replies.feed(data).await?,
//!             _ => {}
//!         }
//!     }
//!     websocket.wait_closed().await;
//!     Ok(())
//! }
//!
//! # async fn run(spawn: impl Fn(std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>)) -> std::io::Result<()> {
//! let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 9001))?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     // `spawn` stands for that of your executor.
//!     spawn(Box::pin(echo(stream)));
//! }
//! # }
//! ```
//!
//! # Three ways to receive
//!
//! - [`next`](crate::asynchronous::WebSocket::next) returns an owned message. The `Stream`
//!   implementation does the same.
//! - [`receive`](crate::asynchronous::WebSocket::receive) lends you the message, together with a
//!   handle to answer it. [`receive_buffered`](crate::asynchronous::WebSocket::receive_buffered) lends
//!   you messages that have already arrived, without waiting.
//! - [`receive_with`](crate::asynchronous::WebSocket::receive_with) calls a closure for each message.
//!   This is the fastest way.
//!
//! # Two ways to send
//!
//! [`send`](crate::asynchronous::WebSocket::send) queues a message and writes it.
//! [`feed`](crate::asynchronous::WebSocket::feed) only queues it. Queued messages leave in one write:
//! with the next [`flush`](crate::asynchronous::WebSocket::flush), or before the next wait for a
//! message.
//!
//! # Long messages and streams of bytes
//!
//! [`next_reader`](crate::asynchronous::WebSocket::next_reader) and
//! [`message_writer`](crate::asynchronous::WebSocket::message_writer) are for messages that are too
//! long to hold in memory, or whose length is not known: they are an `AsyncRead` and an `AsyncWrite`.
//! [`into_byte_stream`](crate::asynchronous::WebSocket::into_byte_stream) makes a stream of bytes of
//! the whole connection, to run another protocol through it.
//!
//! # Keepalive
//!
//! A peer that disappears without a Close is noticed only if something is expected from it. With
//! [`Config::keepalive`](crate::Config::keepalive) the connection pings a silent peer while you
//! receive, and ends with an error if the peer stays silent. It is off by default. The time of a
//! deadline comes from the [`Timer`].
//!
//! # What only the shell over tokio has
//!
//! - `serve` limits the connections of a server and shuts them down. Here you accept connections in a
//!   loop of your own. The example `echo_smol` also closes them when the server stops.
//! - `ReconnectingWebSocket` connects again. Here [`Reconnecting`](crate::client::Reconnecting) makes
//!   the same decisions without doing any IO, and
//!   [`Error::is_transient`](crate::Error::is_transient) shows a loop that connects again, on threads.
//!
//! # Streams of your own
//!
//! [`Connector::connect_over`](crate::client::Connector::connect_over) and
//! [`Acceptor::accept`](crate::server::Acceptor::accept) take any stream. Two things matter:
//!
//! - **Its `poll_close` should half-close.** After that the peer must see the end, and this endpoint
//!   must still be able to read. The sockets of `smol::net` do that, and so does a [`Stream`]. An
//!   `Async` of `async-io` does *not*: it only flushes. So make a [`Stream`] of an `Async<TcpStream>`,
//!   as `connect` and `accept_tcp` do, and use `smol::net` for Unix sockets. A server whose stream ends
//!   nothing in `poll_close` waits for its client until the
//!   [close timeout](crate::Config::close_timeout). With
//!   [`ErrorKind::Unsupported`](std::io::ErrorKind::Unsupported) a stream says that it has no
//!   half-close: a server then drops it once both endpoints have sent their Close.
//! - **It is written to with one slice at a time.** The traits do not tell whether a stream writes several
//!   slices at once. So small pieces are copied together, and a header leaves in one write with what
//!   follows it.
//!
//! # Fairness
//!
//! smol and others do not limit what a task does in one turn. The connection does: a loop that receives
//! yields after a bounded amount of work, however fast the peer sends.
//!
//! # A clock of your own
//!
//! A runtime with sockets and timers of its own implements the traits of
//! [`asynchronous`](crate::asynchronous). If only its timers are its own, [`FuturesIo`] takes one.

mod accept;
mod connect;
mod io_traits;
mod shell;
mod sockets;
mod timer;

pub use crate::asynchronous::{MemberId, Sent};
pub use accept::{Acceptor, PendingRequest, accept};
pub use connect::{Connector, connect};
pub use shell::FuturesIo;
pub use sockets::Stream;
pub use timer::Timer;

use crate::connection::{Client, Server};
use crate::random::SystemMaskKeys;

/// A WebSocket connection over a stream of `futures-io`.
///
/// Its methods are those of [`asynchronous::WebSocket`](crate::asynchronous::WebSocket).
pub type WebSocket<S, R> = crate::asynchronous::WebSocket<S, R, FuturesIo>;

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
pub type Group<S = Stream, R = Server> = crate::asynchronous::Group<S, R, FuturesIo>;

/// A place in a [`Group`].
///
/// Its methods are those of [`asynchronous::Membership`](crate::asynchronous::Membership).
pub type Membership<S = Stream, R = Server> = crate::asynchronous::Membership<S, R, FuturesIo>;

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
pub type ReceiveHalf<S, R> = crate::asynchronous::ReceiveHalf<S, R, FuturesIo>;

/// The sending half of a connection: see
/// [`WebSocket::split`](crate::asynchronous::WebSocket::split).
///
/// Its methods are those of [`asynchronous::SendHalf`](crate::asynchronous::SendHalf).
pub type SendHalf<S, R> = crate::asynchronous::SendHalf<S, R, FuturesIo>;

/// The error for two halves of different connections: see
/// [`SendHalf::reunite`](crate::asynchronous::SendHalf::reunite).
pub type ReuniteError<S, R> = crate::asynchronous::ReuniteError<S, R, FuturesIo>;

/// A message that you read as it arrives: see
/// [`WebSocket::next_reader`](crate::asynchronous::WebSocket::next_reader).
///
/// Its methods are those of [`asynchronous::MessageReader`](crate::asynchronous::MessageReader), and of
/// the `AsyncRead` of `futures-io`.
pub type MessageReader<'a, S, R> = crate::asynchronous::MessageReader<'a, S, R, FuturesIo>;

/// A message that you write piece by piece: see
/// [`WebSocket::message_writer`](crate::asynchronous::WebSocket::message_writer).
///
/// Its methods are those of [`asynchronous::MessageWriter`](crate::asynchronous::MessageWriter), and of
/// the `AsyncWrite` of `futures-io`.
pub type MessageWriter<'a, S, R> = crate::asynchronous::MessageWriter<'a, S, R, FuturesIo>;

/// A connection as a stream of bytes: see
/// [`WebSocket::into_byte_stream`](crate::asynchronous::WebSocket::into_byte_stream).
///
/// Its methods are those of [`asynchronous::ByteStream`](crate::asynchronous::ByteStream), and of
/// `AsyncRead` and `AsyncWrite` of `futures-io`.
pub type ByteStream<S, R> = crate::asynchronous::ByteStream<S, R, FuturesIo>;

/// The reading side of a stream of bytes: see
/// [`ReceiveHalf::into_byte_reader`](crate::asynchronous::ReceiveHalf::into_byte_reader).
///
/// Its methods are those of [`asynchronous::ByteReader`](crate::asynchronous::ByteReader), and of
/// the `AsyncRead` of `futures-io`.
pub type ByteReader<S, R> = crate::asynchronous::ByteReader<S, R, FuturesIo>;

/// The writing side of a stream of bytes: see
/// [`SendHalf::into_byte_writer`](crate::asynchronous::SendHalf::into_byte_writer).
///
/// Its methods are those of [`asynchronous::ByteWriter`](crate::asynchronous::ByteWriter), and of
/// the `AsyncWrite` of `futures-io`.
pub type ByteWriter<S, R> = crate::asynchronous::ByteWriter<S, R, FuturesIo>;

/// A handle to answer a received event: see
/// [`WebSocket::receive`](crate::asynchronous::WebSocket::receive).
///
/// Its methods are those of [`asynchronous::Replies`](crate::asynchronous::Replies).
pub type Replies<'a, S, R> = crate::asynchronous::Replies<'a, S, R, FuturesIo>;
