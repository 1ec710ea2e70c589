//! WebSocket over tokio: its TCP, or anything that is `AsyncRead` and `AsyncWrite`.
//!
//! A thin shell: it moves bytes between a stream and a [`Connection`](crate::Connection), and tells
//! that the time. What is right or wrong is decided there. The runtime needs its time driver
//! (`enable_time` or `enable_all`).
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
mod exchange;
mod incoming;
mod opening;
mod outgoing;
mod replies;
mod split;
mod stream;
mod timer;
mod wakers;
mod websocket;

pub use accept::{Acceptor, accept};
pub use connect::{Connector, connect};
pub use opening::Opening;
pub use replies::Replies;
pub use split::{ReceiveHalf, SendHalf};
pub use websocket::WebSocket;
