//! WebSocket on smol and on any other executor: over every stream that is `AsyncRead` and
//! `AsyncWrite` of the crate `futures-io`, and over TCP of `async-io`.
//!
//! This is a thin shell. It moves bytes between a stream and a
//! [`Connection`](crate::connection::Connection), which implements the protocol, and tells the
//! connection the time.
//!
//! No executor is needed to be of a certain kind: the futures run on smol, on `async-executor`, or in
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
//! # What is like on tokio, and what is not
//!
//! The methods are those of [`asynchronous::WebSocket`](crate::asynchronous::WebSocket), which the
//! shell over tokio has too: three ways to receive, two ways to send, halves, groups, readers and
//! writers of long messages, and streams of bytes. A connection is also a `Stream` of messages and a
//! `Sink` for them.
//!
//! The shell over tokio also has `serve`, which limits and shuts down the connections of a server, and
//! `ReconnectingWebSocket`. Here you accept connections in a loop of your own. For reconnecting,
//! [`Reconnecting`](crate::client::Reconnecting) makes the decisions without doing any IO.
//!
//! # Streams of your own
//!
//! [`Connector::connect_over`](crate::client::Connector::connect_over) and
//! [`Acceptor::accept`](crate::server::Acceptor::accept) take any stream. Two things are to know about it:
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
//!   slices at once. So what is small is copied together, and a header leaves in one write with what
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
/// the `AsyncRead` of `futures-io` and `AsyncWrite`.
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
