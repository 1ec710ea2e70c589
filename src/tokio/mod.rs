//! WebSocket over tokio: its TCP, or anything that is `AsyncRead` and `AsyncWrite`.
//!
//! A thin shell: it moves bytes between a stream and a [`Connection`](crate::Connection), and tells
//! that the time. What is right or wrong is decided there. Deadlines wait by the runtime's time driver
//! (`enable_time` or `enable_all`); without one each that runs takes a thread. Whether there is one, tokio
//! says only by a panic, which is caught: the panic hook sees it, and with `panic = "abort"` it ends the
//! process.
//!
//! ```no_run
//! // A client: send a message, print what comes back, close.
//! use sansocket::{CloseCode, tokio::connect};
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
//! - [`next`](WebSocket::next) gives a message that is owned; as a `Stream` too.
//! - [`receive`](WebSocket::receive) lends the message, and with it the way to answer.
//!   [`receive_buffered`](WebSocket::receive_buffered) lends what is there already, without a wait.
//! - [`receive_with`](WebSocket::receive_with) calls a closure for each message: the fastest.
//!
//! # Two ways to send
//!
//! [`send`](WebSocket::send) queues and writes. [`feed`](WebSocket::feed) only queues: what is queued
//! leaves in one write with the next [`flush`](WebSocket::flush), or before the next wait for a
//! message.
//!
//! # Idle connections
//!
//! A connection that waits holds no buffers: they are leased from a pool of the thread while there
//! are bytes in them.

mod accept;
mod connect;
mod shell;
mod timer;

pub use accept::{Acceptor, Opening, accept};
pub use connect::{Connector, connect};
pub use shell::Tokio;
pub use timer::Timer;

/// A WebSocket connection over a stream of tokio's.
pub type WebSocket<S, R> = crate::asynchronous::WebSocket<S, R, Tokio>;

/// The receiving half of a connection: see [`WebSocket::split`](crate::asynchronous::WebSocket::split).
pub type ReceiveHalf<S, R> = crate::asynchronous::ReceiveHalf<S, R, Tokio>;

/// The sending half of a connection: see [`WebSocket::split`](crate::asynchronous::WebSocket::split).
pub type SendHalf<S, R> = crate::asynchronous::SendHalf<S, R, Tokio>;

/// The way to answer while a received event is looked at: see
/// [`WebSocket::receive`](crate::asynchronous::WebSocket::receive).
pub type Replies<'a, S, R> = crate::asynchronous::Replies<'a, S, R, Tokio>;
